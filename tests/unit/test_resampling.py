from dataclasses import replace

import numpy as np
import pytest

from fraud.errors import ResamplingError
from fraud.model.learner import Labelled
from fraud.model.resampling import AUTO, RESAMPLERS, Options
from tests.labelled import make_labelled, with_categories, with_missing


def options(smote: float = 0.5, undersample: float = 0.25, categorical: tuple[int, ...] = (), seed: int = 0) -> Options:
    return Options(smote, undersample, categorical, seed)


def added(rows: Labelled, told: Options) -> Labelled:
    """Return the rows that SMOTE puts after the given ones."""
    return RESAMPLERS["smote"](rows, told)[slice(len(rows), None)]


def test_none() -> None:
    """Nothing is done, and nothing copied, where nothing is asked for."""
    rows = make_labelled()

    assert RESAMPLERS["none"](rows, options()) is rows


def test_undersample() -> None:
    """All frauds stay, in the order of the rows, with times; the honest rows are drawn from all of them."""
    rows = make_labelled(1000, 20)
    rows = Labelled(rows.X, rows.y, np.arange(1000.0))
    kept = RESAMPLERS["undersample"](rows, options(undersample=0.1))

    assert (kept.frauds, len(kept)) == (20, 220)
    assert kept.times is not None
    assert np.array_equal(rows.X[kept.times.astype(int)], kept.X)
    assert (np.diff(kept.times) > 0).all()
    assert kept.times.min() < 50
    assert kept.times.max() > 950


def test_between_frauds() -> None:
    """A made fraud lies on the line between two frauds: on one side only of any gap that frauds do not bridge."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)).astype(np.float32)
    y = np.zeros(200, dtype=np.uint8)
    y[:24] = 1
    X[:12] += 50
    X[12:24] -= 50
    made = added(Labelled(X, y), options()).X

    assert len(made) > 50
    assert ((np.abs(made) > 45) & (np.abs(made) < 55)).all()
    assert (np.sign(made[:, 0]) == np.sign(made[:, 1])).all()


def test_scaled_space() -> None:
    """The unit of a column does not decide who is a neighbour: pence instead of pounds make the same frauds."""
    rows = make_labelled()
    larger = Labelled(rows.X * np.array([1, 1, 1, 1024], dtype=np.float32), rows.y)
    pounds, pence = added(rows, options()).X, added(larger, options()).X

    assert np.allclose(pounds * [1, 1, 1, 1024], pence, rtol=1e-4, atol=1e-4)


def test_units_would_matter() -> None:
    """Without the common scale the wide column alone would choose the neighbours."""
    rng = np.random.default_rng(1)
    X = np.column_stack([np.repeat([0.0, 1.0], 12), rng.normal(size=24) * 1000])
    honest = np.column_stack([rng.random(200), rng.normal(size=200) * 1000])
    rows = Labelled(np.vstack([X, honest]).astype(np.float32), np.repeat([1, 0], [24, 200]).astype(np.uint8))
    near_an_end = np.abs(added(rows, options()).X[:, 0] - 0.5) == 0.5

    assert near_an_end.mean() > 0.7


def test_constant_column() -> None:
    """A column of one value keeps it."""
    rows = make_labelled()
    rows.X[:, 2] = 0.1

    assert set(added(rows, options()).X[:, 2]) == {np.float32(0.1)}


@pytest.mark.parametrize("frauds", [2, 3, 6])
def test_few_frauds(frauds: int) -> None:
    """Two frauds are enough to look between."""
    assert len(added(make_labelled(100, frauds), options())) == (100 - frauds) // 2 - frauds


def test_equal_frauds() -> None:
    """Frauds that are all alike make more of the same."""
    rows = make_labelled()
    rows.X[rows.y == 1] = 3

    assert (added(rows, options()).X == 3).all()


@pytest.mark.parametrize("categorical", [pytest.param((1,), id="one"), pytest.param((1, 2), id="two")])
def test_categories(categorical: tuple[int, ...]) -> None:
    """A made fraud has the categories that frauds nearby have, and no code in between."""
    rows = with_categories(make_labelled(), 4)
    rows.X[:, 2] = np.where(rows.y == 1, 7, rows.X[:, 1])
    made = added(rows, options(categorical=categorical)).X

    assert set(made[:, 1]) <= set(rows.X[rows.y == 1, 1])
    assert set(made[:, 2]) == {7}


def test_undersample_then_smote() -> None:
    """Honest rows are dropped up to the one ratio, then frauds made up to the other."""
    rows = RESAMPLERS["smote+undersample"](make_labelled(1000, 20), options(smote=0.5, undersample=0.1))

    assert (rows.frauds, len(rows) - rows.frauds) == (100, 200)


@pytest.mark.parametrize("name", ["smote", "smote+undersample"])
@pytest.mark.parametrize(
    ("rows", "categorical", "message"),
    [
        pytest.param(with_missing(make_labelled()), (), "cannot look between missing cells", id="missing cells"),
        pytest.param(make_labelled(50, 1), (), "needs two frauds or more .* hold 1", id="one fraud"),
        pytest.param(make_labelled(), (0, 1, 2, 3), "every column is a category", id="categories only"),
    ],
)
def test_refusals(name: str, rows: Labelled, categorical: tuple[int, ...], message: str) -> None:
    """Rows that SMOTE cannot look between are refused with the reason."""
    with pytest.raises(ResamplingError, match=message):
        RESAMPLERS[name](rows, options(categorical=categorical))


@pytest.mark.parametrize(
    ("columns", "names", "told"),
    [
        pytest.param((2,), ("one", "two", "three", "Amount"), 'which "three" holds;', id="one"),
        pytest.param((1, 3), ("one", "two", "three", "Amount"), 'which "two", "Amount" hold;', id="two"),
        pytest.param((2,), (), 'which "input 3" holds;', id="unnamed"),
    ],
)
def test_missing_cells_are_named(columns: tuple[int, ...], names: tuple[str, ...], told: str) -> None:
    """Whoever must fill cells is told in which columns."""
    rows = make_labelled()
    for column in columns:
        rows = with_missing(rows, column)
    with pytest.raises(ResamplingError, match=told):
        RESAMPLERS["smote"](rows, replace(options(), names=names))


def test_no_reason_to_refuse() -> None:
    """Rows that reach the ratio need no neighbours, so that missing cells do not matter."""
    rows = with_missing(make_labelled(100, 60))

    assert RESAMPLERS["smote"](rows, options()) is rows


def test_random_oversample() -> None:
    """Frauds are repeated, and nothing else is there that was not before."""
    rows = make_labelled(1000, 20)
    more = RESAMPLERS["random-oversample"](rows, options(smote=0.1))

    assert (more.frauds, len(more) - more.frauds) == (98, 980)
    assert np.array_equal(more.X[:1000], rows.X)
    assert {row.tobytes() for row in more.X[1000:]} <= {row.tobytes() for row in rows.X[rows.y == 1]}


def test_near_miss() -> None:
    """The honest rows that stay lie nearer to frauds than those that go."""
    rows = make_labelled(1000, 20, shift=4.0)
    kept = RESAMPLERS["near-miss"](rows, options(undersample=0.2))

    assert (kept.frauds, len(kept)) == (20, 120)
    assert kept.X[kept.y == 0, 0].mean() > rows.X[rows.y == 0, 0].mean() + 0.5


def test_smote_enn() -> None:
    """A lone honest row among frauds is dropped, and those among honest rows stay."""
    rows = make_labelled(1000, 60, shift=20.0)
    lone = np.flatnonzero(rows.y == 0)[0]
    rows.X[lone] = rows.X[rows.y == 1].mean(axis=0)
    cleaned = RESAMPLERS["smote-enn"](rows, options(smote=0.5))

    assert rows.X[lone].tobytes() not in {row.tobytes() for row in cleaned.X}
    assert len(cleaned) - cleaned.frauds == 939


def test_borderline() -> None:
    """Frauds are added beside those that honest rows surround: none deep among their own."""
    rows = make_labelled(1000, 60, shift=1.0)
    deep = np.flatnonzero(rows.y == 1)[:30]
    rows.X[deep] += 100
    made = RESAMPLERS["borderline-smote"](rows, options(smote=0.2)).X[1000:]

    assert len(made) == 128
    assert (made[:, 0] < 95).all()


@pytest.mark.parametrize("name", ["borderline-smote", "adasyn"])
def test_no_border(name: str) -> None:
    """Where frauds lie far from honest rows there is nothing to add beside: that is said, and nothing is done."""
    with pytest.raises(ResamplingError, match=r"adds no fraud here: no fraud has honest neighbours.*use smote or none"):
        RESAMPLERS[name](make_labelled(400, 31, shift=1000.0), options())


def test_auto() -> None:
    """What `auto` tries are resamplers, the simplest first."""
    assert AUTO[0] == "none"
    assert set(AUTO) <= set(RESAMPLERS)
