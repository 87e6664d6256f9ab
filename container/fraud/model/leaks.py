"""Columns that say too much or nothing: copies of the label, perfect separators, constants."""

from collections.abc import Sequence

import numpy as np

from fraud.model.algorithms import Labelled


def label_copies(rows: Labelled, names: Sequence[str]) -> list[str]:
    """Return the columns that hold one value on every fraud and another on every honest row."""
    low, high = _ranges(rows)
    is_copy = (low[0] == high[0]) & (low[1] == high[1]) & (low[0] != low[1])
    return [names[int(position)] for position in np.flatnonzero(is_copy)]


def separators(rows: Labelled, names: Sequence[str]) -> list[str]:
    """Return the columns in which every fraud lies above, or below, every honest row."""
    low, high = _ranges(rows)
    return [names[int(position)] for position in np.flatnonzero((low[1] > high[0]) | (high[1] < low[0]))]


def constants(rows: Labelled, names: Sequence[str]) -> list[str]:
    """Return the columns that hold one value, or none at all, on every row."""
    low, high = _ranges(rows)
    lowest, highest = np.fmin(low[0], low[1]), np.fmax(high[0], high[1])
    is_whole = ~np.isnan(rows.X).any(axis=0)
    return [names[int(position)] for position in np.flatnonzero((lowest == highest) & is_whole | np.isnan(lowest))]


def _ranges(rows: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest value of each column, for honest rows and for frauds: (2, columns).

    NaN where a class has no value, which compares as neither equal nor less.
    """
    classes = [rows.X[rows.y == label] for label in (0, 1)]
    return (
        np.array([np.fmin.reduce(part, axis=0) for part in classes]),
        np.array([np.fmax.reduce(part, axis=0) for part in classes]),
    )
