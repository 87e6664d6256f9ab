"""Boosted trees alone; what every learner promises is in contract/test_algorithms.py."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score, log_loss

from fraud.errors import BundleError, LearnerError
from fraud.model.boosted import BoostedTrees
from fraud.model.learner import Labelled
from fraud.model.reasons import exact
from tests.labelled import NAMES, make_labelled, plan, with_categories, with_missing

TYPES = ("q", "c", "q", "q")
TRAINING = with_missing(with_categories(make_labelled(300, 60), 3))
# Rows of these hold categories that no training row has.
WATCHED = {
    "tuning": with_missing(with_categories(make_labelled(200, 40, 1), 6)),
    "validation": with_categories(make_labelled(150, 30, 2), 6),
}


def fit(rounds: int = 5, **told: str) -> BoostedTrees:
    return BoostedTrees.fit(TRAINING, WATCHED, plan(TYPES, rounds, **told), lambda _round, _figures: False)


@pytest.mark.parametrize("subsample", ["1", "0.7"])
def test_same_seed(subsample: str) -> None:
    """The same seed fits the same learner, bit for bit; another seed another one, where anything is drawn."""
    first, same, other = (fit(subsample=subsample, seed=seed).dump() for seed in ("0", "0", "1"))

    assert first == same
    assert (first == other) == (subsample == "1")


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
def test_contributions(told: dict[str, str], types: tuple[str, ...], rounds: int) -> None:
    """Base value and contributions sum to the score but for float32's rounding, and to 1e-9 once it is placed."""
    learner = BoostedTrees.fit(TRAINING, WATCHED, plan(types, rounds, **told), lambda _round, _figures: False)
    X = WATCHED["tuning"].X
    contributions, margin = learner.contributions(X), learner.raw_score(X)

    assert contributions.dtype == np.float64
    assert np.ptp(contributions[:, -1]) == 0
    assert contributions.sum(axis=1) == pytest.approx(margin, abs=1e-5 * max(1, np.abs(margin).max()))
    assert exact(contributions, margin).sum(axis=1) == pytest.approx(margin, abs=1e-9)
    assert exact(contributions, margin) == pytest.approx(contributions, abs=1e-4)


def test_contributions_of_columns_that_tell_nothing() -> None:
    """A column in no tree adds nothing to any row."""
    learner = fit(max_depth="1", num_round="1")
    unused = [position for position, column in enumerate(NAMES) if column not in learner.importance(NAMES)]

    assert unused
    assert not learner.contributions(TRAINING.X)[:, unused].any()


def test_categories() -> None:
    """A code is a category, no quantity: the odd codes can be told from the even ones in a tree of one split."""
    X = np.tile(np.arange(8, dtype=np.float32), 50)[:, None]
    rows = Labelled(X, (X[:, 0] % 2).astype(np.uint8))
    stump = plan(("c",), 1, max_depth="1", min_child_weight="0")
    learner = BoostedTrees.fit(rows, {"tuning": rows}, stump, lambda _round, _figures: False)

    assert len(set(learner.raw_score(X[:8:2]))) == 1
    assert learner.raw_score(X[:1]) < learner.raw_score(X[1:2])


def test_importance() -> None:
    """The shares of importance sum to 1, the largest first, by the names of columns."""
    shares = fit().importance(NAMES)

    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert next(iter(shares)) == "one"
    assert set(shares) <= set(NAMES)


def test_no_importance() -> None:
    """Where no column tells anything, none has a share."""
    rows = Labelled(np.ones((20, 4), dtype=np.float32), np.repeat([0, 1], 10).astype(np.uint8))
    learner = BoostedTrees.fit(rows, {"tuning": rows}, plan(), lambda _round, _figures: False)

    assert learner.importance(NAMES) == {}


@pytest.mark.parametrize("eval_metric", ["logloss", "auc"])
def test_figures(eval_metric: str) -> None:
    """Every round tells the figures of each watched set; the last are those of the learner on the same rows."""
    told: list[tuple[int, Mapping[str, float]]] = []

    def on_round(number: int, figures: Mapping[str, float]) -> bool:
        told.append((number, dict(figures)))
        return False

    learner = BoostedTrees.fit(TRAINING, WATCHED, plan(TYPES, 5, eval_metric=eval_metric), on_round)

    assert [number for number, _ in told] == [0, 1, 2, 3, 4]
    for rows_name, rows in WATCHED.items():
        margin = learner.raw_score(rows.X)
        ranked = average_precision_score(rows.y, margin)
        for _, figures in told:
            assert {f"{rows_name}:{figure}" for figure in ("logloss", "average_precision", eval_metric)} <= set(figures)
        assert told[-1][1][f"{rows_name}:average_precision"] == pytest.approx(ranked, abs=1e-5)
        assert told[-1][1][f"{rows_name}:logloss"] == pytest.approx(log_loss(rows.y, expit(margin)), abs=1e-5)


@pytest.mark.parametrize("early_stopping_rounds", ["0", "3"])
def test_stop(early_stopping_rounds: str) -> None:
    """A round that is answered with True is the last, and the learner scores."""
    learner = BoostedTrees.fit(
        TRAINING,
        WATCHED,
        plan(TYPES, 50, early_stopping_rounds=early_stopping_rounds),
        lambda number, _figures: number == 2,
    )

    assert learner.rounds == 3
    assert np.isfinite(learner.raw_score(TRAINING.X)).all()


def test_early_stopping() -> None:
    """The learner ends with the round that is best on the first watched rows, before rounds run out."""
    told: list[float] = []

    def on_round(_number: int, figures: Mapping[str, float]) -> bool:
        told.append(figures["tuning:logloss"])
        return False

    learner = BoostedTrees.fit(
        TRAINING, WATCHED, plan(TYPES, 300, eta="0.3", max_depth="6", early_stopping_rounds="4"), on_round
    )
    rows = WATCHED["tuning"]

    assert len(told) < 299
    assert learner.rounds == int(np.argmin(told)) + 1
    assert log_loss(rows.y, expit(learner.raw_score(rows.X))) == pytest.approx(min(told), abs=1e-5)


@pytest.mark.parametrize(
    ("content", "types", "message"),
    [
        pytest.param(b"{}", TYPES, "is not a booster: Invalid model format", id="empty object"),
        pytest.param(b"x" * 50, TYPES, "is not a booster: Unknown construct", id="no object"),
        pytest.param(b'{"a\xff\xfe": \xff}', TYPES, "is not a booster: Expecting", id="no text"),
        pytest.param(None, TYPES[1:], "reads 4 columns and the schema has 3", id="other width"),
    ],
)
def test_not_a_learner(content: bytes | None, types: tuple[str, ...], message: str) -> None:
    """Content that is no learner of these columns is refused with the cause, in one line."""
    with pytest.raises(BundleError, match=message) as caught:
        BoostedTrees.load(fit().dump() if content is None else content, types, 1)

    assert "\n" not in str(caught.value)


def test_library_stops() -> None:
    """What the library says when it stops becomes ours, in one line without its clock and stack."""
    impossible = plan()
    impossible = replace(impossible, parameters=impossible.parameters.model_copy(update={"eta": -1}))
    rows = make_labelled()

    with pytest.raises(LearnerError, match=r"^XGBoost stopped: value -1 for Parameter learning_rate [^\n]*$"):
        BoostedTrees.fit(rows, {"tuning": rows}, impossible, lambda _round, _figures: False)
