from dataclasses import replace

import numpy as np
import pytest

from fraud.comparing.folds import TESTS, TRAINS, TUNES, TUNING_SHARE, UNUSED, divide
from fraud.errors import ColumnError, FraudError, NoFraudError
from fraud.model.learner import Labelled
from tests.labelled import make_labelled

ROWS = make_labelled(500, 50)
TIMES = np.random.default_rng(3).permutation(500).astype(float)
TIMED = replace(make_labelled(500, 150), times=TIMES)


def test_stratified() -> None:
    """Every row tests once, and all three parts of a fold have the share of frauds that all rows have."""
    parts = divide(ROWS, 5, "stratified", 0)

    assert ((parts == TESTS).sum(axis=0) == 1).all()
    assert not (parts == UNUSED).any()
    for part in parts:
        rates = [ROWS.y[part == does].mean() for does in (TRAINS, TUNES, TESTS)]
        assert rates == pytest.approx([0.1, 0.1, 0.1], abs=0.005)
        assert (part == TUNES).sum() == pytest.approx(TUNING_SHARE * (part != TESTS).sum(), abs=1)


def test_stratified_heeds_no_time() -> None:
    """Shuffled folds are the same whether or not the rows have times."""
    timed = replace(ROWS, times=TIMES)

    assert np.array_equal(divide(ROWS, 4, "stratified", 1), divide(timed, 4, "stratified", 1))


def test_by_time() -> None:
    """Going forward in time, rows train before those that tune, and these come before those that test."""
    parts = divide(TIMED, 4, "time", 0)

    assert ((parts == TESTS).sum(axis=0) <= 1).all()
    assert (parts == TESTS).any(axis=0).sum() == 400
    for part in parts:
        assert TIMES[part == TRAINS].max() < TIMES[part == TUNES].min()
        assert TIMES[part == TUNES].max() < TIMES[part == TESTS].min()
    assert [int((part == TRAINS).sum()) for part in parts] == [80, 160, 240, 320]


@pytest.mark.parametrize("split", ["stratified", "time"])
def test_seed(split: str) -> None:
    """The same seed divides alike; another one shuffles otherwise, and time has no other order."""
    first, same, other = (divide(TIMED, 3, split, seed) for seed in (0, 0, 1))

    assert np.array_equal(first, same)
    assert np.array_equal(first, other) == (split == "time")


@pytest.mark.parametrize(
    ("rows", "folds", "split", "error", "words"),
    [
        pytest.param(make_labelled(100, 4), 5, "stratified", NoFraudError, "--folds 5 .* the 4 frauds", id="frauds"),
        pytest.param(
            make_labelled(100, 1), 2, "stratified", NoFraudError, "the 1 fraud that there is; each fold", id="one fraud"
        ),
        pytest.param(make_labelled(100, 97), 5, "stratified", NoFraudError, "the 3 honest rows", id="honest"),
        pytest.param(ROWS, 5, "time", ColumnError, "--time-column", id="no times"),
        pytest.param(make_labelled(40, 3), 3, "stratified", NoFraudError, "each part needs both", id="few frauds"),
        pytest.param(
            Labelled(ROWS.X, np.sort(ROWS.y), np.arange(500.0)),
            5,
            "time",
            NoFraudError,
            "fold 1 of 5",
            id="late frauds",
        ),
    ],
)
def test_refused(rows: Labelled, folds: int, split: str, error: type[FraudError], words: str) -> None:
    """Rows that cannot be divided so that each part has both classes are refused before the first fit."""
    with pytest.raises(error, match=words):
        divide(rows, folds, split, 0)
