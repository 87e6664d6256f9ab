"""What a model says of rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Labels = NDArray[np.uint8]

DECISIONS = ("approve", "review", "decline")


@dataclass(frozen=True)
class Scores:
    """One value a row: the learner's raw score, the calibrated probability, and the decision.

    A row is approved, or flagged: for review, or where it is `declined` too, refused without one.
    """

    raw_score: Floats
    probability: Floats
    flagged: Flags
    declined: Flags

    @classmethod
    def joined(cls, parts: Sequence["Scores"]) -> "Scores":
        """Return the scores of several blocks of rows as one."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls(np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.bool_))
        return cls(
            np.concatenate([part.raw_score for part in parts]),
            np.concatenate([part.probability for part in parts]),
            np.concatenate([part.flagged for part in parts]),
            np.concatenate([part.declined for part in parts]),
        )

    @property
    def decisions(self) -> NDArray[np.uint8]:
        """Return the position in DECISIONS of each row's decision: uint8 (rows)."""
        return self.flagged.astype(np.uint8) + self.declined

    def __len__(self) -> int:
        return len(self.probability)
