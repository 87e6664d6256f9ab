"""Which rows train, tune and test in each fold."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from fraud.errors import ColumnError, NoFraudError
from fraud.model.learner import Labelled
from fraud.model.splitting import counted, hold_out
from fraud.schema import Matrix

type Parts = NDArray[np.uint8]

UNUSED, TRAINS, TUNES, TESTS = range(4)
NAMES: Final = {TRAINS: "train", TUNES: "tune", TESTS: "test"}
# Of the rows of a fold that do not test; a training job has about the same share.
TUNING_SHARE = 0.2
SPLITS = ("stratified", "time")


def divide(rows: Labelled, folds: int, split: str, seed: int) -> Parts:
    """Say what each row does in each fold: uint8 (folds, rows).

    `stratified` shuffles, and keeps the share of frauds in every part. `time` goes forward: each fold tests the rows
    that follow those it trains on, and tunes on the latest of these. Raises ColumnError where no column orders
    the rows, NoFraudError where a part would hold one class only.
    """
    frauds = min(rows.frauds, len(rows) - rows.frauds)
    if split == "stratified" and folds > frauds:
        kind = "fraud" if frauds == rows.frauds else "honest row"
        there = f"the {counted(frauds, kind)} that there {'is' if frauds == 1 else 'are'}"
        raise NoFraudError(f"--folds {folds} is more than {there}; each fold tests on one")
    parts = (_by_time if split == "time" else _stratified)(rows, folds, seed)
    for fold, part in enumerate(parts, start=1):
        _require_both_classes(rows, part, f"fold {fold} of {folds}")
    return parts


def _stratified(rows: Labelled, folds: int, seed: int) -> Parts:
    parts = np.full((folds, len(rows)), UNUSED, dtype=np.uint8)
    timeless = Labelled(_no_cells(rows), rows.y)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for part, (known, tests) in zip(parts, splitter.split(timeless.X, rows.y), strict=True):
        part[tests] = TESTS
        _hold_out(timeless, known, part, seed)
    return parts


def _by_time(rows: Labelled, folds: int, seed: int) -> Parts:
    if rows.times is None:
        raise ColumnError("--split time needs a column that orders the rows; name it with --time-column")
    parts = np.full((folds, len(rows)), UNUSED, dtype=np.uint8)
    timed = Labelled(_no_cells(rows), rows.y, rows.times)
    blocks = np.array_split(np.argsort(rows.times, kind="stable"), folds + 1)
    for fold, part in enumerate(parts):
        part[blocks[fold + 1]] = TESTS
        _hold_out(timed, np.concatenate(blocks[: fold + 1]), part, seed)
    return parts


def _no_cells(rows: Labelled) -> Matrix:
    return np.empty((len(rows), 0), dtype=np.float32)


def _hold_out(rows: Labelled, known: NDArray[np.intp], part: NDArray[np.uint8], seed: int) -> None:
    trains, tunes = hold_out(rows[known], TUNING_SHARE, seed)
    part[known[trains]] = TRAINS
    part[known[tunes]] = TUNES


def _require_both_classes(rows: Labelled, part: NDArray[np.uint8], fold: str) -> None:
    for does, name in NAMES.items():
        labels = rows.y[part == does]
        if not 0 < np.count_nonzero(labels) < len(labels):
            frauds = counted(int(np.count_nonzero(labels)), "fraud")
            raise NoFraudError(
                f"{fold}: the {len(labels)} rows that {name} hold {frauds}, and each part needs both classes; "
                "set fewer --folds"
            )
