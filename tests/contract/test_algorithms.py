"""What every entry of ALGORITHMS promises."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss

from fraud.errors import BundleError, LearnerError
from fraud.model.algorithms import ALGORITHMS
from fraud.model.learner import Labelled, Learner
from fraud.model.reasons import exact
from tests.labelled import NAMES, make_labelled, plan_of, with_categories, with_missing

TYPES = ("q", "c", "q", "q")
TRAINING = with_missing(with_categories(make_labelled(300, 60), 3))
# Rows of these hold categories that no training row has.
WATCHED = {
    "tuning": with_missing(with_categories(make_labelled(200, 40, 1), 6)),
    "validation": with_categories(make_labelled(150, 30, 2), 6),
}
X = WATCHED["tuning"].X
# What those that go in rounds are told, so that they end soon.
QUICK = {"xgboost": {"num_round": "20"}, "mlp": {"epochs": "20"}, "autoencoder": {"epochs": "20"}}
# What makes a learner that has reasons of one that has none by itself.
EXPLAINED: dict[str, dict[str, str]] = {"svc": {"kernel": "linear"}, "one-class-svm": {"kernel": "linear"}}
# Those whose fit or whose rows are drawn.
DRAWN = {"random-forest", "mlp", "isolation-forest", "autoencoder"}
NOTHING: Mapping[str, str] = {}
every = pytest.mark.parametrize("name", ALGORITHMS)


def told(name: str, **more: str) -> dict[str, str]:
    return {**QUICK.get(name, {}), **more}


def fit(name: str, more: Mapping[str, str] = NOTHING, rows: Labelled = TRAINING) -> Learner[Any]:
    plan = plan_of(name, TYPES, **told(name, **more))
    return ALGORITHMS[name].fit(rows, WATCHED, plan, lambda _round, _figures: False)


@cache
def fitted(name: str) -> Learner[Any]:
    return fit(name)


@cache
def explained(name: str) -> Learner[Any]:
    return fit(name, EXPLAINED.get(name, NOTHING))


@every
def test_round_trip(name: str) -> None:
    """What is dumped and loaded scores the same, bit for bit, on one thread or two, and dumps the same."""
    learner = fitted(name)
    for threads in (1, 2):
        loaded = ALGORITHMS[name].load(learner.dump(), TYPES, threads)

        assert np.array_equal(loaded.raw_score(X), learner.raw_score(X))
        assert loaded.dump() == learner.dump()
        assert loaded.rounds == learner.rounds


@every
def test_same_seed(name: str) -> None:
    """The same seed fits the same learner, byte for byte; another seed another one, where anything is drawn."""
    first, other = (fit(name, {"seed": seed}).raw_score(X) for seed in ("0", "1"))

    assert fit(name).dump() == fitted(name).dump()
    assert np.array_equal(first, other) == (name not in DRAWN)


@every
def test_each_row_alone(name: str) -> None:
    """A row scores the same alone as among others: finite, and in float64."""
    together = fitted(name).raw_score(X[:20])
    alone = [float(fitted(name).raw_score(row[None, :])[0]) for row in X[:20]]

    assert together.dtype == np.float64
    assert np.isfinite(together).all()
    assert alone == pytest.approx(together.tolist(), rel=1e-12)


@every
def test_link(name: str) -> None:
    """What the calibration reads rises with the raw score, and is finite."""
    learner = fitted(name)
    raw_score = np.unique(learner.raw_score(X))
    link = learner.link(raw_score)

    assert np.isfinite(link).all()
    assert (np.diff(link) > 0).all()


@every
def test_no_rows(name: str) -> None:
    """No rows have no scores, and no contributions."""
    nothing = np.empty((0, 4), dtype=np.float32)

    assert fitted(name).raw_score(nothing).shape == (0,)
    if explained(name).explains:
        assert explained(name).contributions(nothing).shape == (0, 5)


@every
def test_rows_of_one_column(name: str) -> None:
    """One column is enough, be it a number or a category, with every cell of a request missing."""
    for types, column in ((("q",), 0), (("c",), 1)):
        rows = Labelled(np.ascontiguousarray(TRAINING.X[:, [column]]), TRAINING.y)
        watched = {key: Labelled(np.ascontiguousarray(part.X[:, [column]]), part.y) for key, part in WATCHED.items()}
        plan = plan_of(name, types, **told(name))
        learner = ALGORITHMS[name].fit(rows, watched, plan, lambda _round, _figures: False)

        assert np.isfinite(learner.raw_score(np.array([[1.0], [np.nan], [9.0]], dtype=np.float32))).all()


@every
def test_contributions(name: str) -> None:
    """Base value and contributions sum to the raw score; a learner without exact ones says so."""
    learner = explained(name)
    if not learner.explains:
        with pytest.raises(LearnerError, match="has no exact reasons"):
            learner.contributions(X)
        return
    contributions, raw_score = learner.contributions(X), learner.raw_score(X)

    assert contributions.shape == (len(X), 5)
    assert np.ptp(contributions[:, -1]) == 0
    assert contributions.sum(axis=1) == pytest.approx(raw_score, abs=1e-5 * max(1, np.abs(raw_score).max()))
    assert exact(contributions, raw_score).sum(axis=1) == pytest.approx(raw_score, abs=1e-9)


@every
def test_contributions_of_each_row_alone(name: str) -> None:
    """A row is explained the same alone as among others."""
    learner = explained(name)
    if learner.explains:
        alone = np.concatenate([learner.contributions(row[None, :]) for row in X[:20]])

        assert alone == pytest.approx(learner.contributions(X[:20]), rel=1e-9, abs=1e-12)


@every
def test_learns(name: str) -> None:
    """The frauds of other rows rank above the honest ones, mostly."""
    rows = WATCHED["validation"]

    assert average_precision_score(rows.y, fitted(name).raw_score(rows.X)) > (30 / 150) * 1.5


@every
def test_missing_cells(name: str) -> None:
    """A learner that is told of frauds can tell that they lack a cell; every learner scores a row without any."""
    rows = make_labelled(shift=0)
    rows.X[rows.y == 1, 2] = np.nan
    plan = plan_of(name, **told(name, **({"n_neighbors": "3"} if name == "k-neighbors" else {})))
    learner = ALGORITHMS[name].fit(rows, {"tuning": rows}, plan, lambda _round, _figures: False)
    raw_score = learner.raw_score(rows.X)

    if ALGORITHMS[name].is_supervised:
        assert average_precision_score(rows.y, raw_score) > 0.9
    assert np.isfinite(learner.raw_score(np.full((1, 4), np.nan, dtype=np.float32))).all()


@every
def test_categories(name: str) -> None:
    """A code is a category, no quantity: a learner that is told of frauds tells odd codes from even ones."""
    codes = np.tile(np.arange(8, dtype=np.float32), 50)[:, None]
    rows = Labelled(codes, (codes[:, 0] % 2).astype(np.uint8))
    more = {"xgboost": {"min_child_weight": "0"}, "decision-tree": {"max_depth": "8"}, "mlp": {"epochs": "200"}}
    watched = {"validation": rows, "tuning": rows}
    plan = plan_of(name, ("c",), **told(name, **more.get(name, {})))
    learner = ALGORITHMS[name].fit(rows, watched, plan, lambda _round, _figures: False)
    raw_score = learner.raw_score(codes[:8])

    if ALGORITHMS[name].is_supervised:
        assert raw_score[1::2].min() > raw_score[::2].max()


@every
def test_reads_honest_rows_alone_or_frauds_too(name: str) -> None:
    """An unsupervised learner is the same whatever its frauds look like; a supervised one is not."""
    others = Labelled(np.where((TRAINING.y == 1)[:, None], TRAINING.X[::-1], TRAINING.X), TRAINING.y)

    assert (
        np.array_equal(fit(name, rows=others).raw_score(X), fitted(name).raw_score(X)) != ALGORITHMS[name].is_supervised
    )


@every
def test_input_untouched(name: str) -> None:
    """The rows that are given stay as they are."""
    before = TRAINING.X.copy(), X.copy()
    learner = fit(name, EXPLAINED.get(name, NOTHING))
    learner.raw_score(X)
    if learner.explains:
        learner.contributions(X)

    assert np.array_equal(TRAINING.X, before[0], equal_nan=True)
    assert np.array_equal(X, before[1], equal_nan=True)


@every
def test_importance(name: str) -> None:
    """The shares of importance sum to 1, the largest first, by the names of columns; or there are none."""
    shares = explained(name).importance(NAMES)

    assert bool(shares) == bool(ALGORITHMS[name].importance_of and explained(name).explains)
    if shares:
        assert sum(shares.values()) == pytest.approx(1)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert set(shares) <= set(NAMES)


@every
def test_rounds(name: str) -> None:
    """Who goes in rounds tells each one's figures on every watched set, and the last are those of the learner."""
    seen: list[tuple[int, Mapping[str, float]]] = []

    def on_round(number: int, figures: Mapping[str, float]) -> bool:
        seen.append((number, dict(figures)))
        return False

    learner = ALGORITHMS[name].fit(TRAINING, WATCHED, plan_of(name, TYPES, **told(name)), on_round)

    assert [number for number, _ in seen] == list(range(learner.rounds if name in QUICK else 0))
    for rows_name, rows in WATCHED.items() if seen else ():
        raw_score = learner.raw_score(rows.X)
        ranked = average_precision_score(rows.y, raw_score)
        assert seen[-1][1][f"{rows_name}:average_precision"] == pytest.approx(ranked, abs=1e-5)
        if ALGORITHMS[name].is_supervised:
            loss = log_loss(rows.y, 1 / (1 + np.exp(-learner.link(raw_score))))
            assert seen[-1][1][f"{rows_name}:logloss"] == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("name", QUICK)
def test_stop(name: str) -> None:
    """A round that is answered with True is the last, and the learner scores."""
    plan = plan_of(name, TYPES, **told(name))
    learner = ALGORITHMS[name].fit(TRAINING, WATCHED, plan, lambda number, _figures: number == 2)

    assert learner.rounds == 3
    assert np.isfinite(learner.raw_score(X)).all()


@every
def test_settled(name: str) -> None:
    """The plan of a learner that has ended fits the same rows to the same learner again."""
    plan = plan_of(name, TYPES, **told(name))
    learner = ALGORITHMS[name].fit(TRAINING, WATCHED, plan, lambda _round, _figures: False)
    again = ALGORITHMS[name].fit(TRAINING, WATCHED, learner.settled(plan), lambda _round, _figures: False)

    assert again.dump() == learner.dump()


@every
@pytest.mark.parametrize(
    "content",
    [pytest.param(b"{}", id="empty object"), pytest.param(b"x" * 50, id="noise"), pytest.param(b"", id="empty")],
)
def test_not_a_learner(name: str, content: bytes) -> None:
    """Content that is no learner is refused in one line that names the file."""
    with pytest.raises(BundleError, match=ALGORITHMS[name].file_name) as caught:
        ALGORITHMS[name].load(content, TYPES, 1)

    assert "\n" not in str(caught.value)


@every
def test_other_width(name: str) -> None:
    """A learner of other columns is refused."""
    with pytest.raises(BundleError, match=rf"{ALGORITHMS[name].file_name} .*columns"):
        ALGORITHMS[name].load(fitted(name).dump(), TYPES[1:], 1)


@every
def test_content_of_another_learner(name: str) -> None:
    """The file of a learner of another kind is refused, where it could not score in its place."""
    for other, kind in ALGORITHMS.items():
        if kind.file_name != ALGORITHMS[name].file_name or (kind.file_name == "model.skops" and other != name):
            with pytest.raises(BundleError, match=ALGORITHMS[name].file_name):
                ALGORITHMS[name].load(fitted(other).dump(), TYPES, 1)
