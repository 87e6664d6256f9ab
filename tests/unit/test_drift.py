import math
from dataclasses import replace

import numpy as np
import pytest

from fraud.model.drift import LEAST_SHARE, MOST_CATEGORIES, Baseline, Bins
from fraud.model.scores import Floats
from fraud.schema import Column, Matrix
from tests.labelled import NUMBERS, make_labelled, with_missing

ROWS = with_missing(make_labelled(5000, 100))
PROBABILITY = np.random.default_rng(1).beta(0.5, 20, 5000)
BASELINE = Baseline.of(ROWS.X, NUMBERS.columns, PROBABILITY)


def column(values: list[float] | Floats) -> Matrix:
    return np.asarray(values, dtype=np.float32)[:, None]


def bins(values: list[float] | Floats, of: Column | None = None) -> Bins:
    """Return the bins of one column that holds these values."""
    return Baseline.of(column(values), [of or Column("a")], np.array([0.5])).columns[0]


def psi(found: Bins, values: list[float] | Floats) -> float:
    return found.stability(column(values)[:, 0])


def categories(count: int) -> Column:
    return Column("a", "category", tuple(f"{number:03}" for number in range(count)))


def test_rows_of_training() -> None:
    """The training rows themselves have not moved, in no column and not in the probability."""
    assert BASELINE.stabilities(ROWS.X, PROBABILITY) == pytest.approx([0.0] * 5, abs=1e-12)


def test_order_of_rows() -> None:
    """The order of rows tells nothing."""
    order = np.random.default_rng(2).permutation(len(ROWS))
    moved = BASELINE.stabilities(ROWS.X[order], PROBABILITY[order])

    assert moved == BASELINE.stabilities(ROWS.X, PROBABILITY)


@pytest.mark.parametrize("position", range(4))
def test_shift(position: int) -> None:
    """A column that moved by a standard deviation has a large index, and the others have none."""
    X = ROWS.X.copy()
    X[:, position] += np.nanstd(X[:, position])
    found = BASELINE.stabilities(X, PROBABILITY)

    assert found[position] > 0.25
    assert [index for other, index in enumerate(found) if other != position] == pytest.approx([0] * 4, abs=1e-12)


def test_shifted_probability() -> None:
    """A model that says twice the probability of every row has a large index of the score."""
    assert BASELINE.stabilities(ROWS.X, np.minimum(2 * PROBABILITY, 1))[-1] > 0.1
    assert BASELINE.stabilities(ROWS.X, np.minimum(4 * PROBABILITY, 1))[-1] > 0.25


def test_few_more_alerts() -> None:
    """The index of the score looks at the rarest scores too: three times as many of the highest percent are seen."""
    highest = np.sort(PROBABILITY)[-50:]
    more = np.concatenate([PROBABILITY, highest, highest])

    assert BASELINE.probability.stability(more) > 0.015
    assert Bins.of(PROBABILITY, [float(np.median(PROBABILITY))]).stability(more) < 0.015


def test_by_hand() -> None:
    """The index is the sum of (share - expected) x ln(share / expected) over the bins."""
    found = Bins.of(np.array([1.0, 2, 2, 3, math.nan]), [1.5, 2.5])
    rows = np.array([1.0, 1, 2, 3, 4, 5, 6, 7, math.nan, math.nan])
    by_hand = (
        (0.2 - 0.2) * math.log(0.2 / 0.2)
        + (0.1 - 0.4) * math.log(0.1 / 0.4)
        + (0.5 - 0.2) * math.log(0.5 / 0.2)
        + (0.2 - 0.2) * math.log(0.2 / 0.2)
    )

    assert found == Bins((1.5, 2.5), (0.2, 0.4, 0.2, 0.2))
    assert found.stability(rows) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(0.3 * math.log(4) + 0.3 * math.log(2.5))


def test_a_share_of_nothing() -> None:
    """A bin that is empty here or there counts as the floor, so that the index stays finite."""
    found = Bins.of(np.array([1.0, 1.0]), [1.5])
    by_hand = (LEAST_SHARE - 1) * math.log(LEAST_SHARE / 1) + (1 - LEAST_SHARE) * math.log(1 / LEAST_SHARE)

    assert found.stability(np.array([2.0, 2.0])) == pytest.approx(by_hand)


def test_on_an_edge() -> None:
    """A value on an edge falls into the bin below it."""
    assert Bins((1.0, 2.0), (0.0,) * 4).counts(np.array([0.9, 1.0, 1.1, 2.0, 2.1])).tolist() == [2, 2, 1, 0]


def test_missing_cells() -> None:
    """More missing cells, or fewer, move the index, though the cells that are there are spread as before."""
    values = np.random.default_rng(3).normal(size=3000)
    found = bins(np.where(np.arange(3000) % 10 == 0, np.nan, values))

    assert found.shares[-1] == pytest.approx(0.1)
    assert psi(found, np.where(np.arange(3000) % 2 == 0, np.nan, values)) > 0.25
    assert psi(found, values) > 0.1
    assert psi(bins(values), np.where(np.arange(3000) % 10 == 0, np.nan, values)) > 0.25


def test_categories() -> None:
    """Up to 20 categories have a bin each, and one that grows is seen wherever it stands."""
    codes = np.arange(2000.0) % 20
    found = bins(codes, categories(20))
    moved = [psi(found, np.where(np.arange(2000) < 600, code, codes)) for code in range(20)]

    assert found.shares == pytest.approx((*([0.05] * 20), 0.0))
    assert psi(found, codes) == pytest.approx(0)
    assert min(moved) > 0.25
    assert moved == pytest.approx([moved[0]] * 20, rel=0.05)


def test_many_categories() -> None:
    """More categories share bins of about equal share, and what most rows name has one of its own."""
    codes = np.concatenate([np.arange(300) % 100, np.full(700, 42)])
    found = bins(codes, categories(100))

    assert len(found.edges) < MOST_CATEGORIES
    assert max(found.shares) == pytest.approx(0.7, abs=0.05)
    assert psi(found, codes) == pytest.approx(0)
    assert psi(found, np.arange(1000.0) % 100) > 0.25


@pytest.mark.parametrize("count", [1, 2, 21])
def test_few_codes(count: int) -> None:
    """A column of one category, or of many of which the rows name one, has bins, and shows missing cells."""
    found = bins([0.0] * 50, categories(count))

    assert sum(found.shares) == pytest.approx(1)
    assert psi(found, [0.0] * 30) == pytest.approx(0)
    assert psi(found, [math.nan] * 30) > 0.25


def test_boolean() -> None:
    """A boolean column has a bin for no and one for yes."""
    found = bins([0.0] * 95 + [1.0] * 5, Column("a", "boolean"))

    assert [share for share in found.shares if share] == pytest.approx([0.95, 0.05])
    assert psi(found, [0.0] * 5 + [1.0] * 95) > 0.25


def test_constant_column() -> None:
    """A column of one value has not moved while it stays, and moves whichever way it goes."""
    found = bins([5.0] * 100)

    assert psi(found, [5.0] * 10) == pytest.approx(0)
    assert psi(found, [4.999] * 10) > 0.25
    assert psi(found, [5.001] * 10) > 0.25


def test_missing_column() -> None:
    """A column that training never saw filled moves once it is."""
    found = bins([math.nan] * 100)

    assert found == Bins((), (0.0, 1.0))
    assert psi(found, [math.nan] * 10) == pytest.approx(0)
    assert psi(found, [1.0] * 10) > 0.25


@pytest.mark.parametrize("value", [-3.4028235e38, 3.4028235e38, 0.0, 1e-45])
def test_extreme_numbers(value: float) -> None:
    """The edges of a column are finite numbers that ascend, though it holds the least or the largest float32."""
    found = bins([value, value, 1.0])

    assert all(map(math.isfinite, found.edges))
    assert list(found.edges) == sorted(set(found.edges))
    assert psi(found, [value, 1.0, value]) == pytest.approx(0)


def test_outside() -> None:
    """Values below the least or above the largest of training fall into bins of their own."""
    found = bins(np.linspace(0, 1, 1000))

    assert (found.shares[0], found.shares[-2], found.shares[-1]) == (0, 0, 0)
    assert psi(found, np.linspace(-1, 0, 1001)[:-1]) > 0.25
    assert found.counts(np.array([-1.0, 2.0])).tolist() == [1, *[0] * (len(found.edges) - 1), 1, 0]


def test_no_rows() -> None:
    """No rows have not moved."""
    assert BASELINE.stabilities(ROWS.X[:0], PROBABILITY[:0]) == [0.0] * 5


def test_probabilities_as_float32() -> None:
    """Rounding to float32, as the watch keeps probabilities, moves nothing, though many rows say just the same."""
    for value in np.random.default_rng(4).random(200):
        probability = np.where(np.arange(1000) % 2 == 0, value, value / 2)
        baseline = replace(BASELINE, probability=Baseline.of(ROWS.X, NUMBERS.columns, probability).probability)

        assert baseline.probability.stability(probability.astype(np.float32)) == pytest.approx(0, abs=1e-12)
        assert baseline.probability.stability(probability) == pytest.approx(0, abs=1e-12)


def test_noise() -> None:
    """Rows that were drawn alike have an index of about (bins - 1) / rows, far below what is a change."""
    rng = np.random.default_rng(5)
    found = bins(rng.normal(size=200_000))
    filled = sum(share > 0.001 for share in found.shares)
    drawn = [psi(found, rng.normal(size=1000)) for _ in range(300)]

    assert filled == 10
    assert np.mean(drawn) == pytest.approx((filled - 1) / 1000, rel=0.1)
    assert max(drawn) < 0.05
