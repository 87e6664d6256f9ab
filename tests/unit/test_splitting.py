import math

import numpy as np
import pytest

from fraud.errors import NoFraudError, OnlyFraudError
from fraud.model.learner import Labelled
from fraud.model.splitting import Split, hold_out, split
from tests.labelled import make_labelled


def timed(rows: int = 200, frauds: int = 40, seed: int = 0) -> Labelled:
    """Return shuffled rows with times, several of them equal; the first column holds the time too."""
    made = make_labelled(rows, frauds, seed)
    times = np.random.default_rng(seed).integers(0, rows // 2, rows).astype(float)
    X = made.X.copy()
    X[:, 0] = times
    return Labelled(X, made.y, times)


def few(frauds: int, honest: int) -> Labelled:
    y = np.repeat([1, 0], [frauds, honest]).astype(np.uint8)
    return Labelled(np.arange(len(y), dtype=np.float32)[:, None], y)


def latest(rows: Labelled) -> float:
    assert rows.times is not None
    return float(rows.times.max())


def earliest(rows: Labelled) -> float:
    assert rows.times is not None
    return float(rows.times.min())


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("seed", range(5))
def test_time_order(fraction: float, seed: int) -> None:
    """No training row is later than a tuning row, and no tuning row later than a held-out row."""
    parts = split(timed(frauds=100, seed=seed), None, None, fraction, seed)

    assert latest(parts.training) <= earliest(parts.tuning)
    assert latest(parts.tuning) <= earliest(parts.held_out)
    assert len(parts.training) == 200 - round(200 * fraction)
    assert abs(len(parts.tuning) - len(parts.held_out)) <= 1


def test_validation_time_order() -> None:
    """The rows of a validation channel tune up to a time, and measure from there on; all others train."""
    rows, validation = timed(), timed(seed=1)
    parts = split(rows, validation, None, 0.3, 0)

    assert parts.training is rows
    assert latest(parts.tuning) <= earliest(parts.held_out)
    assert len(parts.tuning) + len(parts.held_out) == len(validation)


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        pytest.param(timed(), None, id="by time"),
        pytest.param(timed()[np.argsort(timed().X[:, 0], kind="stable")], None, id="rows in order of time"),
        pytest.param(make_labelled(), None, id="stratified"),
        pytest.param(make_labelled(), make_labelled(seed=1), id="validation channel"),
        pytest.param(make_labelled(), timed(seed=1), id="validation channel by time"),
    ],
)
def test_positions(train: Labelled, validation: Labelled | None) -> None:
    """The positions say where the held-out rows stand in the channel that they come from, and none is there twice."""
    channel = train if validation is None else validation
    parts = split(train, validation, None, 0.3, 0)

    assert np.array_equal(channel.X[parts.positions], parts.held_out.X)
    assert np.array_equal(channel.y[parts.positions], parts.held_out.y)
    assert len(set(parts.positions.tolist())) == len(parts.held_out)


@pytest.mark.parametrize("rows", [pytest.param(timed(), id="by time"), pytest.param(make_labelled(), id="stratified")])
def test_each_row_once(rows: Labelled) -> None:
    """Every row goes into one part."""
    parts = split(rows, None, None, 0.3, 0)
    together = np.concatenate([parts.training.X, parts.tuning.X, parts.held_out.X])

    assert np.array_equal(np.unique(together, axis=0), np.unique(rows.X, axis=0))
    assert len(together) == len(rows)


def test_shares() -> None:
    """Without times each part has the same share of frauds."""
    parts = split(make_labelled(1000, 100), None, None, 0.4, 0)

    assert [len(rows) for rows in (parts.training, parts.tuning, parts.held_out)] == [600, 200, 200]
    assert [rows.frauds for rows in (parts.training, parts.tuning, parts.held_out)] == [60, 20, 20]


def test_seed() -> None:
    """The same seed divides alike, another seed otherwise."""
    rows = make_labelled()
    first, same, other = (split(rows, None, None, 0.3, seed).positions for seed in (0, 0, 1))

    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_test_rows() -> None:
    """With a `test` channel all validation rows tune and only test rows measure."""
    train, validation, test = (make_labelled(seed=seed) for seed in range(3))
    parts = split(train, validation, test, 0.3, 0)

    assert (parts.training, parts.tuning, parts.held_out) == (train, validation, test)
    assert np.array_equal(parts.positions, np.arange(len(test)))
    assert (parts.measured_on, list(parts.watched)) == ("test", ["validation"])
    assert parts.watched["validation"] is validation


def test_test_without_validation() -> None:
    """With `test` and no `validation`, rows held out of `train` tune."""
    train, test = timed(), make_labelled(seed=1)
    parts = split(train, None, test, 0.3, 0)

    assert len(parts.tuning) == 60
    assert latest(parts.training) <= earliest(parts.tuning)
    assert parts.held_out is test


def test_names_without_test() -> None:
    """Without a `test` channel the rows that measure are named validation, and the first watched ones tune."""
    parts = split(make_labelled(), None, None, 0.3, 0)

    assert (parts.measured_on, list(parts.watched)) == ("validation", ["tuning", "validation"])
    assert parts.watched["tuning"] is parts.tuning
    assert parts.watched["validation"] is parts.held_out


def test_contiguous_rows() -> None:
    """Rows already in order of time are divided without a copy."""
    rows = timed()[np.argsort(timed().X[:, 0], kind="stable")]
    parts = split(rows, None, None, 0.3, 0)

    assert np.shares_memory(parts.training.X, rows.X)
    assert np.shares_memory(parts.held_out.X, rows.X)


def early_frauds(rows: int) -> Labelled:
    """Return rows in order of time whose frauds all come first."""
    y = np.zeros(rows, dtype=np.uint8)
    y[:2] = 1
    return Labelled(np.zeros((rows, 1), dtype=np.float32), y, np.arange(rows, dtype=float))


def late_frauds(rows: int) -> Labelled:
    made = early_frauds(rows)
    return Labelled(made.X, made.y[::-1], made.times)


def lone_late_fraud() -> Labelled:
    made = early_frauds(20)
    made.y[15] = 1
    return made


ENOUGH = make_labelled()


@pytest.mark.parametrize(
    ("train", "validation", "test", "message"),
    [
        pytest.param(few(0, 9), None, None, "training rows hold no fraud among 9 rows", id="no fraud"),
        pytest.param(few(1, 9), None, None, "^1 fraud among 10 rows cannot be divided", id="one fraud"),
        pytest.param(few(9, 1), None, None, "9 frauds among 10 rows cannot be divided", id="one honest row"),
        pytest.param(
            few(2, 2),
            None,
            None,
            r"divided into 2 rows and 2.*\(validation_fraction=0.3\)|1 fraud among 2 rows",
            id="four rows",
        ),
        pytest.param(
            early_frauds(20),
            None,
            None,
            r"the validation rows \(validation_fraction=0.3\) hold no fraud among 6",
            id="early frauds",
        ),
        pytest.param(
            late_frauds(20), None, None, r"left after .* out \(validation_fraction=0.3\) hold no", id="late frauds"
        ),
        pytest.param(lone_late_fraud(), None, None, "validation rows that measure it hold no fraud", id="one late"),
        pytest.param(ENOUGH, few(0, 9), None, "the validation rows hold no fraud among 9", id="validation"),
        pytest.param(ENOUGH, early_frauds(9), None, "rows that measure it hold no fraud", id="validation by time"),
        pytest.param(ENOUGH, late_frauds(9), None, "rows that choose the threshold hold no", id="tuning by time"),
        pytest.param(ENOUGH, ENOUGH, few(0, 3), "the test rows hold no fraud among 3", id="test"),
    ],
)
def test_no_fraud(train: Labelled, validation: Labelled | None, test: Labelled | None, message: str) -> None:
    """A part without a fraud is refused, and named."""
    with pytest.raises(NoFraudError, match=message):
        split(train, validation, test, 0.3, 0)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        pytest.param(few(5, 0), None, "training rows hold frauds only, 5 of them", id="train"),
        pytest.param(ENOUGH, few(5, 0), "test rows hold frauds only, 5 of them", id="test"),
    ],
)
def test_only_fraud(train: Labelled, test: Labelled | None, message: str) -> None:
    """A part without an honest row is refused, and named."""
    with pytest.raises(OnlyFraudError, match=message):
        split(train, None, test, 0.3, 0)


@pytest.mark.parametrize("fraction", [1e-9, 0.01, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("rows", [few(2, 2), few(2, 7), few(3, 12), few(30, 70)])
def test_any_fraction(rows: Labelled, fraction: float) -> None:
    """Rows that can be divided are, with two rows or more in each part; any others are refused as too few."""
    away = math.ceil(len(rows) * fraction)
    if min(away, len(rows) - away) < 2:
        with pytest.raises(NoFraudError, match=f"{rows.frauds} frauds? among {len(rows)} rows cannot be divided"):
            hold_out(rows, fraction, 0)
        return
    kept, held_out = hold_out(rows, fraction, 0)

    assert len(held_out) == away
    assert sorted([*kept, *held_out]) == list(range(len(rows)))


def test_is_a_value() -> None:
    """A split cannot be changed after the fact."""
    parts: Split = split(make_labelled(), None, None, 0.3, 0)

    with pytest.raises(AttributeError, match="cannot assign to field"):
        parts.training = parts.tuning  # type: ignore[misc] # that is the claim
