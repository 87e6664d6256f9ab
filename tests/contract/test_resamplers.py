"""What every entry of RESAMPLERS promises."""

import numpy as np
import pytest

from fraud.model.algorithms import Labelled
from fraud.model.resampling import RESAMPLERS, Options
from tests.labelled import make_labelled, with_categories

SMOTE, UNDERSAMPLE = 0.4, 0.6
NUMBERS = make_labelled(400, 31)
CATEGORIES = with_categories(make_labelled(400, 31), 5)
every = pytest.mark.parametrize("name", RESAMPLERS)
both_kinds = pytest.mark.parametrize(
    ("rows", "categorical"),
    [pytest.param(NUMBERS, (), id="numbers"), pytest.param(CATEGORIES, (1,), id="with a category")],
)


def resampled(name: str, rows: Labelled, categorical: tuple[int, ...], seed: int = 0) -> Labelled:
    return RESAMPLERS[name](rows, Options(SMOTE, UNDERSAMPLE, categorical, seed))


def as_set(X: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in X}


@every
@both_kinds
def test_same_seed(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """The same seed gives the same rows, bit for bit."""
    first, second = (resampled(name, rows, categorical) for _ in range(2))

    assert np.array_equal(first.X, second.X)
    assert np.array_equal(first.y, second.y)


@every
@both_kinds
def test_other_seed(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """Another seed gives other rows, where anything is drawn at all."""
    first, second = (resampled(name, rows, categorical, seed) for seed in (0, 1))

    assert len(first) == len(second)
    assert np.array_equal(first.X, second.X) == (name == "none")


@every
@both_kinds
def test_input_untouched(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """The rows that are given stay as they are."""
    X, y = rows.X.copy(), rows.y.copy()
    resampled(name, rows, categorical)

    assert np.array_equal(rows.X, X)
    assert np.array_equal(rows.y, y)


@every
@both_kinds
def test_original_rows(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """Every fraud is kept, no honest row is invented, and what is kept keeps its order."""
    result = resampled(name, rows, categorical)
    known = {row.tobytes(): position for position, row in enumerate(rows.X)}
    kept = [known[row.tobytes()] for row in result.X if row.tobytes() in known]

    assert as_set(rows.X[rows.y == 1]) <= as_set(result.X[result.y == 1])
    assert as_set(result.X[result.y == 0]) <= as_set(rows.X[rows.y == 0])
    assert kept == sorted(set(kept))


@every
@both_kinds
def test_ratio(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """Frauds for each honest row are what was asked for, within a row."""
    result = resampled(name, rows, categorical)
    ratio = {"none": 31 / 369, "smote": SMOTE}.get(name, UNDERSAMPLE)
    honest = len(result) - result.frauds

    assert abs(result.frauds - ratio * honest) <= 1


@every
def test_beyond_the_ratio(name: str) -> None:
    """Rows that are beyond every ratio are left alone."""
    rows = make_labelled(100, 55)

    assert resampled(name, rows, ()) is rows


@every
def test_valid_codes(name: str) -> None:
    """Categories stay codes that were there before."""
    assert set(resampled(name, CATEGORIES, (1,)).X[:, 1]) <= set(CATEGORIES.X[:, 1])


@every
@both_kinds
def test_types(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """Rows stay float32 and finite, labels uint8, one for each row."""
    result = resampled(name, rows, categorical)

    assert (result.X.dtype.name, result.y.dtype.name) == ("float32", "uint8")
    assert result.X.shape == (len(result.y), 4)
    assert np.isfinite(result.X).all()
