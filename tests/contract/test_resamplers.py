"""What every entry of RESAMPLERS promises."""

import numpy as np
import pytest

from fraud.errors import ResamplingError
from fraud.model.learner import Labelled
from fraud.model.resampling import RESAMPLERS, Options
from tests.labelled import NAMES, make_labelled, with_categories, with_missing

SMOTE, UNDERSAMPLE = 0.4, 0.6
NUMBERS = make_labelled(400, 31)
CATEGORIES = with_categories(make_labelled(400, 31), 5)
# Those that look for neighbours among numbers alone.
NUMBERS_ONLY = {"borderline-smote", "adasyn", "smote-enn", "near-miss"}
# Those that find neighbours at all, with these ratios.
NEIGHBOURLY = {*NUMBERS_ONLY, "smote"}
# Those that draw nothing.
SETTLED = {"none", "near-miss"}
RATIOS = {"none": 31 / 369, "undersample": UNDERSAMPLE, "smote+undersample": UNDERSAMPLE, "near-miss": UNDERSAMPLE}
every = pytest.mark.parametrize("name", RESAMPLERS)
both_kinds = pytest.mark.parametrize(
    ("name", "rows", "categorical"),
    [
        *(pytest.param(name, NUMBERS, (), id=f"{name}-numbers") for name in RESAMPLERS),
        *(
            pytest.param(name, CATEGORIES, (1,), id=f"{name}-with a category")
            for name in RESAMPLERS
            if name not in NUMBERS_ONLY
        ),
    ],
)


def resampled(name: str, rows: Labelled, categorical: tuple[int, ...], seed: int = 0) -> Labelled:
    return RESAMPLERS[name](rows, Options(SMOTE, UNDERSAMPLE, categorical, seed, NAMES))


def as_set(X: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in X}


@both_kinds
def test_same_seed(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """The same seed gives the same rows, bit for bit."""
    first, second = (resampled(name, rows, categorical) for _ in range(2))

    assert np.array_equal(first.X, second.X)
    assert np.array_equal(first.y, second.y)


@both_kinds
def test_other_seed(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """Another seed gives other rows, where anything is drawn at all."""
    first, second = (resampled(name, rows, categorical, seed) for seed in (0, 1))

    assert np.array_equal(first.X, second.X) == (name in SETTLED)


@both_kinds
def test_input_untouched(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """The rows that are given stay as they are."""
    X, y = rows.X.copy(), rows.y.copy()
    resampled(name, rows, categorical)

    assert np.array_equal(rows.X, X)
    assert np.array_equal(rows.y, y)


@both_kinds
def test_original_rows(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """No honest row is invented, order is kept, and every fraud too, but by who cleans both classes."""
    result = resampled(name, rows, categorical)
    known = {row.tobytes(): position for position, row in enumerate(rows.X)}
    kept = list(dict.fromkeys(known[row.tobytes()] for row in result.X if row.tobytes() in known))

    assert (as_set(rows.X[rows.y == 1]) <= as_set(result.X[result.y == 1])) == (name != "smote-enn")
    assert as_set(result.X[result.y == 0]) <= as_set(rows.X[rows.y == 0])
    assert kept == sorted(kept)


@both_kinds
def test_ratio(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """Frauds for each honest row are what was asked for: within a row, or about where neighbours decide."""
    result = resampled(name, rows, categorical)
    ratio, honest = RATIOS.get(name, SMOTE), len(result) - result.frauds

    assert abs(result.frauds - ratio * honest) <= {"adasyn": 15, "smote-enn": 30}.get(name, 1)


@every
def test_beyond_the_ratio(name: str) -> None:
    """Rows that are beyond every ratio are left alone."""
    rows = make_labelled(100, 55)

    assert resampled(name, rows, ()) is rows


@pytest.mark.parametrize("name", [name for name in RESAMPLERS if name not in NUMBERS_ONLY])
def test_valid_codes(name: str) -> None:
    """Categories stay codes that were there before."""
    assert set(resampled(name, CATEGORIES, (1,)).X[:, 1]) <= set(CATEGORIES.X[:, 1])


@pytest.mark.parametrize("name", sorted(NUMBERS_ONLY))
def test_no_categories(name: str) -> None:
    """Who knows no categories names the columns that hold them."""
    with pytest.raises(ResamplingError, match=r'not by categories, which "two" holds; use smote'):
        resampled(name, CATEGORIES, (1,))


@every
def test_missing_cells(name: str) -> None:
    """Who looks for neighbours names the columns that lack cells; the others do not mind."""
    rows = with_missing(NUMBERS)
    if name not in NEIGHBOURLY:
        assert resampled(name, rows, ()).frauds >= 31
        return
    with pytest.raises(ResamplingError, match=r'cannot look between missing cells, which "three" holds'):
        resampled(name, rows, ())


@both_kinds
def test_types(name: str, rows: Labelled, categorical: tuple[int, ...]) -> None:
    """Rows stay float32 and finite, labels uint8, one for each row."""
    result = resampled(name, rows, categorical)

    assert (result.X.dtype.name, result.y.dtype.name) == ("float32", "uint8")
    assert result.X.shape == (len(result.y), 4)
    assert np.isfinite(result.X).all()
