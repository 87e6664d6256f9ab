"""Why a row has its score: the columns that moved it most."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fraud.model.scores import Floats
from fraud.schema import Column, Matrix

# Rows explained at once: their contributions are as wide as the rows, in 8 bytes a column.
BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Reason:
    """What one cell adds to the raw score of its row, in its unit; `value` is None for a missing cell."""

    feature: str
    value: float | bool | str | None
    contribution: float

    @property
    def direction(self) -> Literal["increases", "decreases"]:
        """Whether the cell moves the row towards fraud or away from it."""
        return "increases" if self.contribution > 0 else "decreases"


def exact(contributions: Floats, margin: Floats) -> Floats:
    """Return contributions that sum to the margin to the last bits of float64.

    XGBoost adds up in float32; the rounding, about 1e-5, goes to the largest contribution of each row, and to the base
    value of one that no column moves.
    """
    summed = contributions.copy()
    sizes = np.abs(summed[:, :-1])
    largest = np.where(sizes.any(axis=1), np.argmax(sizes, axis=1), sizes.shape[1])
    summed[np.arange(len(summed)), largest] += margin - summed.sum(axis=1)
    return summed


def strongest(contributions: Floats, X: Matrix, columns: Sequence[Column], count: int) -> list[tuple[Reason, ...]]:
    """Return the `count` columns with the largest contributions of each row, the first column first on ties.

    A column that adds nothing is no reason: a row may have fewer.
    """
    ranked = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :count]
    return [
        tuple(
            Reason(
                columns[position].name, columns[position].shown(X[row, position]), float(contributions[row, position])
            )
            for position in positions
            if contributions[row, position]
        )
        for row, positions in enumerate(ranked)
    ]
