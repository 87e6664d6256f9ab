"""What every entry of ALGORITHMS promises."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score, log_loss

from fraud.errors import BundleError, LearnerError
from fraud.model.algorithms import ALGORITHMS, BoostedTrees, Labelled
from fraud.model.reasons import exact
from tests.labelled import NAMES, make_labelled, plan, with_categories, with_missing

TYPES = ("q", "c", "q", "q")
TRAINING = with_missing(with_categories(make_labelled(300, 60), 3))
# Rows of these hold categories that no training row has.
WATCHED = {
    "tuning": with_missing(with_categories(make_labelled(200, 40, 1), 6)),
    "validation": with_categories(make_labelled(150, 30, 2), 6),
}
every = pytest.mark.parametrize("name", ALGORITHMS)


def fit(name: str, rounds: int = 5, **told: str) -> BoostedTrees:
    return ALGORITHMS[name].fit(TRAINING, WATCHED, plan(TYPES, rounds, **told), lambda _round, _figures: False)


@every
def test_round_trip(name: str) -> None:
    """What is dumped and loaded scores the same, bit for bit, on one thread or two, and dumps the same."""
    learner = fit(name)
    for threads in (1, 2):
        loaded = ALGORITHMS[name].load(learner.dump(), TYPES, threads)

        assert np.array_equal(loaded.raw_score(WATCHED["tuning"].X), learner.raw_score(WATCHED["tuning"].X))
        assert loaded.dump() == learner.dump()
        assert loaded.rounds == learner.rounds == 5


@every
@pytest.mark.parametrize("subsample", ["1", "0.7"])
def test_same_seed(name: str, subsample: str) -> None:
    """The same seed fits the same learner, bit for bit; another seed another one, where anything is drawn."""
    first, same, other = (fit(name, subsample=subsample, seed=seed).dump() for seed in ("0", "0", "1"))

    assert first == same
    assert (first == other) == (subsample == "1")


@every
def test_each_row_alone(name: str) -> None:
    """A row scores the same alone as among others: finite, and in float64."""
    learner = fit(name)
    rows = WATCHED["tuning"].X[:20]
    together = learner.raw_score(rows)

    assert together.dtype == np.float64
    assert np.isfinite(together).all()
    assert [float(learner.raw_score(row[None, :])[0]) for row in rows] == together.tolist()


@every
def test_no_rows(name: str) -> None:
    """No rows have no scores, and no contributions."""
    nothing = np.empty((0, 4), dtype=np.float32)

    assert fit(name).raw_score(nothing).shape == (0,)
    assert fit(name).contributions(nothing).shape == (0, 5)


@every
@pytest.mark.parametrize("types", [TYPES, ("q",) * 4], ids=["categories", "numbers"])
@pytest.mark.parametrize(
    "told",
    [
        pytest.param({}, id="as it comes"),
        pytest.param({"max_depth": "1", "eta": "1"}, id="stumps"),
        pytest.param({"max_depth": "12", "min_child_weight": "0", "lambda": "0"}, id="deep"),
        pytest.param({"base_score": "0.002", "scale_pos_weight": "500"}, id="far base"),
        pytest.param({"grow_policy": "lossguide", "max_depth": "0", "max_leaves": "31"}, id="by leaf"),
        pytest.param({"subsample": "0.5", "colsample_bynode": "0.5", "max_bin": "4"}, id="drawn"),
    ],
)
@pytest.mark.parametrize("rounds", [1, 60])
def test_contributions(name: str, told: dict[str, str], types: tuple[str, ...], rounds: int) -> None:
    """Base value and contributions sum to the score but for float32's rounding, and to 1e-9 once it is placed."""
    learner = ALGORITHMS[name].fit(TRAINING, WATCHED, plan(types, rounds, **told), lambda _round, _figures: False)
    X = WATCHED["tuning"].X
    contributions, margin = learner.contributions(X), learner.raw_score(X)

    assert contributions.dtype == np.float64
    assert np.ptp(contributions[:, -1]) == 0
    assert contributions.sum(axis=1) == pytest.approx(margin, abs=1e-5 * max(1, np.abs(margin).max()))
    assert exact(contributions, margin).sum(axis=1) == pytest.approx(margin, abs=1e-9)
    assert exact(contributions, margin) == pytest.approx(contributions, abs=1e-4)


@every
def test_contributions_of_each_row_alone(name: str) -> None:
    """A row is explained the same alone as among others, on one thread or two."""
    learner = fit(name)
    rows = WATCHED["tuning"].X[:20]
    together = learner.contributions(rows)

    assert np.array_equal(np.concatenate([learner.contributions(row[None, :]) for row in rows]), together)
    assert np.array_equal(ALGORITHMS[name].load(learner.dump(), TYPES, 2).contributions(rows), together)


@every
def test_contributions_of_columns_that_tell_nothing(name: str) -> None:
    """A column in no tree adds nothing to any row."""
    learner = fit(name, max_depth="1", num_round="1")
    unused = [position for position, column in enumerate(NAMES) if column not in learner.importance(NAMES)]

    assert unused
    assert not learner.contributions(TRAINING.X)[:, unused].any()


@every
def test_learns(name: str) -> None:
    """The frauds of other rows rank above the honest ones, mostly."""
    rows = WATCHED["validation"]

    assert average_precision_score(rows.y, fit(name, rounds=20).raw_score(rows.X)) > 0.4


@every
def test_categories(name: str) -> None:
    """A code is a category, no quantity: the odd codes can be told from the even ones in a tree of one split."""
    X = np.tile(np.arange(8, dtype=np.float32), 50)[:, None]
    rows = Labelled(X, (X[:, 0] % 2).astype(np.uint8))
    stump = plan(("c",), 1, max_depth="1", min_child_weight="0")
    learner = ALGORITHMS[name].fit(rows, {"tuning": rows}, stump, lambda _round, _figures: False)

    assert len(set(learner.raw_score(X[:8:2]))) == 1
    assert learner.raw_score(X[:1]) < learner.raw_score(X[1:2])


@every
def test_missing_cells(name: str) -> None:
    """A missing cell tells something where frauds lack the cell."""
    rows = make_labelled(shift=0)
    rows.X[rows.y == 1, 2] = np.nan
    learner = ALGORITHMS[name].fit(rows, {"tuning": rows}, plan(), lambda _round, _figures: False)

    assert learner.raw_score(rows.X)[rows.y == 1].min() > learner.raw_score(rows.X)[rows.y == 0].max()


@every
def test_importance(name: str) -> None:
    """The shares of importance sum to 1, the largest first, by the names of columns."""
    shares = fit(name).importance(NAMES)

    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert next(iter(shares)) == "one"
    assert set(shares) <= set(NAMES)


@every
def test_no_importance(name: str) -> None:
    """Where no column tells anything, none has a share."""
    rows = Labelled(np.ones((20, 4), dtype=np.float32), np.repeat([0, 1], 10).astype(np.uint8))
    learner = ALGORITHMS[name].fit(rows, {"tuning": rows}, plan(), lambda _round, _figures: False)

    assert learner.importance(NAMES) == {}


@every
@pytest.mark.parametrize("eval_metric", ["logloss", "auc"])
def test_figures(name: str, eval_metric: str) -> None:
    """Every round tells the figures of each watched set; the last are those of the learner on the same rows."""
    told: list[tuple[int, Mapping[str, float]]] = []

    def on_round(number: int, figures: Mapping[str, float]) -> bool:
        told.append((number, dict(figures)))
        return False

    learner = ALGORITHMS[name].fit(TRAINING, WATCHED, plan(TYPES, 5, eval_metric=eval_metric), on_round)

    assert [number for number, _ in told] == [0, 1, 2, 3, 4]
    for rows_name, rows in WATCHED.items():
        margin = learner.raw_score(rows.X)
        ranked = average_precision_score(rows.y, margin)
        for _, figures in told:
            assert {f"{rows_name}:{figure}" for figure in ("logloss", "average_precision", eval_metric)} <= set(figures)
        assert told[-1][1][f"{rows_name}:average_precision"] == pytest.approx(ranked, abs=1e-5)
        assert told[-1][1][f"{rows_name}:logloss"] == pytest.approx(log_loss(rows.y, expit(margin)), abs=1e-5)


@every
@pytest.mark.parametrize("early_stopping_rounds", ["0", "3"])
def test_stop(name: str, early_stopping_rounds: str) -> None:
    """A round that is answered with True is the last, and the learner scores."""
    learner = ALGORITHMS[name].fit(
        TRAINING,
        WATCHED,
        plan(TYPES, 50, early_stopping_rounds=early_stopping_rounds),
        lambda number, _figures: number == 2,
    )

    assert learner.rounds == 3
    assert np.isfinite(learner.raw_score(TRAINING.X)).all()


@every
def test_early_stopping(name: str) -> None:
    """The learner ends with the round that is best on the first watched rows, before rounds run out."""
    told: list[float] = []

    def on_round(_number: int, figures: Mapping[str, float]) -> bool:
        told.append(figures["tuning:logloss"])
        return False

    learner = ALGORITHMS[name].fit(
        TRAINING, WATCHED, plan(TYPES, 300, eta="0.3", max_depth="6", early_stopping_rounds="4"), on_round
    )
    rows = WATCHED["tuning"]

    assert len(told) < 299
    assert learner.rounds == int(np.argmin(told)) + 1
    assert log_loss(rows.y, expit(learner.raw_score(rows.X))) == pytest.approx(min(told), abs=1e-5)


@every
@pytest.mark.parametrize(
    ("content", "types", "message"),
    [
        pytest.param(b"{}", TYPES, "is not a booster: Invalid model format", id="empty object"),
        pytest.param(b"x" * 50, TYPES, "is not a booster: Unknown construct", id="no object"),
        pytest.param(b'{"a\xff\xfe": \xff}', TYPES, "is not a booster: Expecting", id="no text"),
        pytest.param(None, TYPES[1:], "reads 4 columns and the schema has 3", id="other width"),
    ],
)
def test_not_a_learner(name: str, content: bytes | None, types: tuple[str, ...], message: str) -> None:
    """Content that is no learner of these columns is refused with the cause, in one line."""
    with pytest.raises(BundleError, match=message) as caught:
        ALGORITHMS[name].load(fit(name).dump() if content is None else content, types, 1)

    assert "\n" not in str(caught.value)


@every
def test_library_stops(name: str) -> None:
    """What the library says when it stops becomes ours, in one line without its clock and stack."""
    impossible = plan()
    impossible = replace(impossible, parameters={**impossible.parameters, "eta": -1})
    rows = make_labelled()

    with pytest.raises(LearnerError, match=r"^XGBoost stopped: value -1 for Parameter learning_rate [^\n]*$"):
        ALGORITHMS[name].fit(rows, {"tuning": rows}, impossible, lambda _round, _figures: False)
