"""Columns that say too much or nothing: copies of the label, separators, filled for frauds only, ids, constants."""

from collections.abc import Sequence

import numpy as np

from fraud.errors import LeakError
from fraud.model.learner import Labelled
from fraud.schema import Column

# Of the frauds: a column that is filled rarely may be empty on every honest row by chance.
LEAST_FILLED = 0.5
# Of the rows: a column with as many categories names rows, and not what they have in common.
MOST_DIFFERENT = 0.9


def label_copies(rows: Labelled, names: Sequence[str]) -> list[str]:
    """Return the columns that hold one value on every fraud and another on every honest row.

    So do those that are filled on every row of one class and on none of the other: to be missing is to say something.
    """
    low, high = _ranges(rows)
    honest, frauds = _filled(rows)
    is_copy = (low[0] == high[0]) & (low[1] == high[1]) & (low[0] != low[1])
    is_copy |= (honest == 0) & (frauds == 1) | (honest == 1) & (frauds == 0)
    return [names[int(position)] for position in np.flatnonzero(is_copy)]


def separators(rows: Labelled, names: Sequence[str]) -> list[str]:
    """Return the columns in which every fraud lies beyond every honest row, or lacks the one value that those hold."""
    low, high = _ranges(rows)
    is_apart = (low[1] > high[0]) | (high[1] < low[0])
    lacks = (low[0] == high[0]) & ~np.isnan(low[1]) & ~(rows.X[rows.y == 1] == low[0]).any(axis=0)
    return [names[int(position)] for position in np.flatnonzero(is_apart | lacks)]


def filled_on_frauds_only(rows: Labelled, names: Sequence[str]) -> list[str]:
    """Return the columns that are empty on every honest row, and filled on half of the frauds or more."""
    honest, frauds = _filled(rows)
    return [names[int(position)] for position in np.flatnonzero((honest == 0) & (frauds >= LEAST_FILLED))]


def identifiers(rows: Labelled, columns: Sequence[Column]) -> list[str]:
    """Return the categories that differ on almost every row; numbers may."""
    return [column.name for column in columns if len(column.categories) >= MOST_DIFFERENT * len(rows)]


def constants(rows: Labelled, names: Sequence[str]) -> list[str]:
    """Return the columns that hold one value, or none at all, on every row."""
    low, high = _ranges(rows)
    lowest, highest = np.fmin(low[0], low[1]), np.fmax(high[0], high[1])
    is_whole = ~np.isnan(rows.X).any(axis=0)
    return [names[int(position)] for position in np.flatnonzero((lowest == highest) & is_whole | np.isnan(lowest))]


def require_no_copy(rows: Labelled, names: Sequence[str], label: str) -> None:
    """Raise LeakError where a column is a copy of the label: every model would find it, and nothing else."""
    if copies := label_copies(rows, names):
        told = "its cells, or which of them are empty, tell every fraud from every honest row"
        raise LeakError(f'column "{copies[0]}" is a copy of the label "{label}": {told}; set exclude={copies[0]}')


def suspicions(rows: Labelled, columns: Sequence[Column]) -> list[str]:
    """Return what else of the columns looks like a leak or an id, in sentences for a reader."""
    told, names = [], [column.name for column in columns]
    if apart := separators(rows, names):
        told.append(f"{', '.join(apart)} alone tells every fraud from every honest row: does it leak the label?")
    if filled := filled_on_frauds_only(rows, names):
        empty = "is filled on half of the frauds or more, and on no honest row"
        told.append(f"{', '.join(filled)} {empty}: is it known before a payment is judged?")
    if named := identifiers(rows, columns):
        told.append(f"{', '.join(named)} differs on almost every row: is it an identifier? exclude it")
    return told


def _filled(rows: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of filled cells of each column, for honest rows and for frauds."""
    is_filled = ~np.isnan(rows.X)
    return is_filled[rows.y == 0].mean(axis=0), is_filled[rows.y == 1].mean(axis=0)


def _ranges(rows: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest value of each column, for honest rows and for frauds: (2, columns).

    NaN where a class has no value, which compares as neither equal nor less.
    """
    classes = [rows.X[rows.y == label] for label in (0, 1)]
    return (
        np.array([np.fmin.reduce(part, axis=0) for part in classes]),
        np.array([np.fmax.reduce(part, axis=0) for part in classes]),
    )
