"""What a model says of rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scores:
    """One value a row: the booster's margin (log-odds), the calibrated probability, and whether it is flagged."""

    raw_score: Floats
    probability: Floats
    flagged: Flags

    @classmethod
    def joined(cls, parts: Sequence["Scores"]) -> "Scores":
        """Return the scores of several blocks of rows as one."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.raw_score for part in parts]),
            np.concatenate([part.probability for part in parts]),
            np.concatenate([part.flagged for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.probability)
