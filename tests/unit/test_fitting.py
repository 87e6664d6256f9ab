import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss

from fraud.bundle import ModelBundle
from fraud.errors import ColumnError, ResamplingError
from fraud.fitting import Fitted
from fraud.model.calibration import Platt
from fraud.model.learner import Labelled
from fraud.model.splitting import Split, split
from fraud.model.thresholds import choose, choose_decline
from fraud.schema import Column, Schema
from tests.labelled import NUMBERS, content, make_labelled, trainer, with_categories, with_missing

TRAIN = make_labelled(400, 80)
PARTS = split(TRAIN, None, None, 0.5, 0)
WITH_TEST = split(TRAIN, make_labelled(200, 40, 1), make_labelled(200, 40, 2), 0.5, 0)


def table(fitted: Fitted) -> dict[str, bool]:
    """Return which resamplings were tried, and which one was chosen."""
    return {candidate.resampling: candidate.is_chosen for candidate in fitted.candidates}


def tails(rows: int, seed: int) -> Labelled:
    """Return rows whose few frauds lie where a booster of four bins cannot cut, unless more of all rows are frauds."""
    rng = np.random.default_rng(seed)
    y = np.zeros(rows, dtype=np.uint8)
    y[: rows // 50] = 1
    X = rng.normal(size=(rows, 4))
    X[y == 1, :3] += 2
    return Labelled(X.astype(np.float32), y)


def test_parts() -> None:
    """Calibration and thresholds come from the tuning rows; the figures are those of the held-out rows."""
    fitted = trainer({}).fit(PARTS)
    model, y = fitted.model, PARTS.held_out.y
    margin = model.learner.raw_score(PARTS.tuning.X)
    calibration = Platt.fit(margin, PARTS.tuning.y)

    assert model.calibration == calibration
    assert model.threshold == choose(
        trainer({}).hyperparameters.threshold_rule, PARTS.tuning.y, calibration.probability(margin)
    )
    rule = trainer({}).hyperparameters.decline_rule
    assert model.decline == choose_decline(rule, PARTS.tuning.y, calibration.probability(margin), model.threshold)
    assert list(fitted.figures) == ["validation"]
    figures = fitted.figures["validation"]
    assert figures["average_precision"].value == pytest.approx(average_precision_score(y, fitted.scores.probability))
    assert figures["recall"].value == pytest.approx(fitted.scores.flagged[y == 1].mean())
    assert np.array_equal(fitted.scores.probability, model.score(PARTS.held_out.X).probability)


def test_with_test_rows() -> None:
    """With test rows the figures are of both: the test rows, and the validation rows that tuned."""
    fitted = trainer({}).fit(WITH_TEST)
    tuning = fitted.model.score(WITH_TEST.tuning.X)

    assert list(fitted.figures) == ["test", "validation"]
    assert len(fitted.scores) == len(WITH_TEST.held_out)
    for name, rows, scores in (
        ("test", WITH_TEST.held_out, fitted.scores),
        ("validation", WITH_TEST.tuning, tuning),
    ):
        loss = fitted.figures[name]["logloss"].value
        assert loss == pytest.approx(log_loss(rows.y, scores.probability))


@pytest.mark.parametrize("parts", [pytest.param(PARTS, id="no test"), pytest.param(WITH_TEST, id="test")])
@pytest.mark.parametrize("resampling", ["smote", "auto"])
def test_rounds(parts: Split, resampling: str) -> None:
    """Each round of the model is told once, in order, with the figures that the job prints."""
    told: list[tuple[int, Mapping[str, float]]] = []

    def on_round(number: int, figures: Mapping[str, float]) -> bool:
        told.append((number, figures))
        return False

    fitted = trainer({"resampling": resampling}, on_round=on_round).fit(parts)
    measured = parts.watched["validation"]

    assert [number for number, _ in told] == list(range(8))
    last = told[-1][1]
    expected = average_precision_score(measured.y, fitted.model.learner.raw_score(measured.X))
    assert last["validation:average_precision"] == pytest.approx(expected, abs=1e-5)
    assert all("validation:logloss" in figures for _, figures in told)


def test_auto_keeps_the_simpler() -> None:
    """Where others gain no more than noise, `auto` does not resample, and the table says why."""
    parts = split(make_labelled(400, 80, 4), None, None, 0.5, 0)
    fitted = trainer({"resampling": "auto", "smote_ratio": "1", "undersample_ratio": "1"}).fit(parts)
    gains = [candidate.gain for candidate in fitted.candidates]

    assert table(fitted) == {"none": True, "undersample": False, "smote": False}
    assert gains[0] is None
    assert all(gain is not None and gain.low <= 0 < gain.value for gain in gains[1:])
    assert [(candidate.frauds, candidate.honest) for candidate in fitted.candidates] == [
        (40, 160),
        (40, 40),
        (160, 160),
    ]


@pytest.mark.parametrize(
    ("told", "chosen"),
    [
        pytest.param({"smote_ratio": "1", "undersample_ratio": "0.0001"}, "smote", id="smote"),
        pytest.param({"undersample_ratio": "1", "smote_ratio": "0.0001"}, "undersample", id="undersample"),
    ],
)
def test_auto_resamples(told: dict[str, str], chosen: str) -> None:
    """Where only another balance of classes makes frauds plain to see, `auto` chooses the resampling that gives it."""
    parts = Split(tails(2000, 0), tails(1000, 1), tails(1000, 2), np.arange(1000), has_test=True)
    coarse = {"resampling": "auto", "max_bin": "4", "eta": "0.3", **told}
    fitted = trainer(coarse).fit(parts)
    best = next(candidate for candidate in fitted.candidates if candidate.is_chosen)
    plain = trainer({**coarse, "resampling": chosen}).fit(parts)

    assert best.resampling == chosen
    assert best.gain is not None
    assert best.gain.low > 0
    assert best.average_precision == max(candidate.average_precision for candidate in fitted.candidates)
    assert fitted.model.learner.dump() == plain.model.learner.dump()
    assert (best.frauds, best.honest) == (plain.candidates[0].frauds, plain.candidates[0].honest)
    assert abs(best.frauds - best.honest) <= 1


def gaps(rows: Split) -> Split:
    return replace(rows, training=with_missing(rows.training))


def test_auto_goes_on() -> None:
    """Missing cells keep SMOTE out of `auto`, with the reason in the table; the rest is tried."""
    fitted = trainer({"resampling": "auto", "smote_ratio": "1"}).fit(gaps(PARTS))
    refused = fitted.candidates[-1]

    assert table(fitted) == {"none": True, "undersample": False, "smote": False}
    assert "cannot look between missing cells" in refused.refused
    assert not fitted.candidates[0].refused


def test_smote_by_name() -> None:
    """SMOTE by name is refused where cells are missing."""
    with pytest.raises(ResamplingError, match="cannot look between missing cells"):
        trainer({"resampling": "smote", "smote_ratio": "1"}).fit(gaps(PARTS))


def test_categories() -> None:
    """The schema's categories reach SMOTE and the trees: no made fraud has a code that is none."""
    schema = Schema((NUMBERS.columns[0], Column("two", "category", ("a", "b", "c")), *NUMBERS.columns[2:]), "Class")
    parts = split(with_categories(TRAIN), None, None, 0.5, 0)
    by_name = trainer({"resampling": "smote", "smote_ratio": "1"}, schema).fit(parts)
    without = trainer({"resampling": "smote", "smote_ratio": "1"}).fit(parts)

    assert by_name.candidates[0].frauds == by_name.candidates[0].honest
    assert by_name.model.learner.dump() != without.model.learner.dump()


def test_refit() -> None:
    """A model that is refitted has learnt the tuning rows too, with the decision of the one before."""
    once, twice = trainer({}).fit(WITH_TEST), trainer({"refit": "true"}).fit(WITH_TEST)
    rows = WITH_TEST.tuning
    before, after = (fitted.model.score(rows.X).raw_score for fitted in (once, twice))

    assert twice.model.learner.rounds == once.model.learner.rounds == 8
    assert (twice.model.calibration, twice.model.threshold) == (once.model.calibration, once.model.threshold)
    assert twice.model.decline == once.model.decline
    assert log_loss(rows.y, 1 / (1 + np.exp(-after))) < log_loss(rows.y, 1 / (1 + np.exp(-before)))
    assert twice.figures["test"] != once.figures["test"]
    assert twice.figures["validation"] == once.figures["validation"]


def test_refit_held_out() -> None:
    """Rows that only measure are never fitted."""
    other = replace(PARTS, held_out=make_labelled(100, 50, 9))
    first, second = (trainer({"refit": "true"}).fit(parts) for parts in (PARTS, other))

    assert first.model.learner.dump() == second.model.learner.dump()


def test_refit_with_early_stopping() -> None:
    """A refit has as many rounds as the best model had."""
    told = {"early_stopping_rounds": "3", "num_round": "200", "eta": "0.3"}
    once, twice = trainer(told).fit(PARTS), trainer({**told, "refit": "true"}).fit(PARTS)

    assert twice.model.learner.rounds == once.model.learner.rounds < 200
    assert twice.model.learner.dump() != once.model.learner.dump()


def test_refit_impossible(caplog: pytest.LogCaptureFixture) -> None:
    """Where only validation rows have missing cells, SMOTE cannot be refitted: the model stays, and the log says so."""
    parts = replace(PARTS, tuning=with_missing(PARTS.tuning))
    told = {"resampling": "smote", "smote_ratio": "1"}
    with caplog.at_level(logging.WARNING):
        twice = trainer({**told, "refit": "true"}).fit(parts)

    assert twice.model.learner.dump() == trainer(told).fit(parts).model.learner.dump()
    assert "not refitted on validation rows: SMOTE cannot look between missing cells" in caplog.text


@pytest.mark.parametrize("eval_metric", ["logloss", "aucpr"])
def test_early_stopping(eval_metric: str) -> None:
    """The best round on the tuning rows is kept, and its model is the one that is measured."""
    told: list[float] = []

    def on_round(_number: int, figures: Mapping[str, float]) -> bool:
        told.append(figures[f"tuning:{eval_metric}"])
        return False

    parameters = {"early_stopping_rounds": "5", "num_round": "300", "eta": "0.3", "eval_metric": eval_metric}
    fitted = trainer(parameters, on_round=on_round).fit(PARTS)
    best = np.argmin(told) if eval_metric == "logloss" else np.argmax(told)

    assert len(told) < 299
    assert fitted.model.learner.rounds == int(best) + 1
    same = trainer({"num_round": str(int(best) + 1), "eta": "0.3"}).fit(PARTS)
    assert same.figures == fitted.figures


def stop_after(rounds: int) -> tuple[Callable[[int, Mapping[str, float]], bool], Callable[[], bool], list[int]]:
    """Return a round's answer and a flag, as the job has them, that turn when so many rounds were told or asked for."""
    seen: list[int] = []

    def is_stopped() -> bool:
        seen.append(len(seen))
        return len(seen) >= rounds

    return lambda _number, _figures: is_stopped(), is_stopped, seen


@pytest.mark.parametrize(
    "told", [{"resampling": "smote"}, {"resampling": "auto"}, {"refit": "true"}, {"early_stopping_rounds": "4"}]
)
def test_stop(told: dict[str, str]) -> None:
    """A job that is stopped after three rounds has a model of three rounds that is calibrated, measured and scores."""
    on_round, is_stopped, _ = stop_after(3)
    fitted = trainer({**told, "num_round": "1000"}, on_round=on_round, is_stopped=is_stopped).fit(PARTS)

    assert fitted.model.learner.rounds == 3
    assert [candidate.is_chosen for candidate in fitted.candidates] == [True]
    assert fitted.figures["validation"]["average_precision"].value > 0.2
    assert fitted.model.score(PARTS.held_out.X).probability.min() > 0


def test_stop_during_auto() -> None:
    """A stop in a later attempt keeps the whole model of an earlier one."""
    on_round, is_stopped, _ = stop_after(12)
    fitted = trainer({"resampling": "auto", "undersample_ratio": "0.5"}, on_round=on_round, is_stopped=is_stopped).fit(
        PARTS
    )

    assert table(fitted) == {"none": True, "undersample": False}
    assert fitted.model.learner.rounds == 8


def test_stop_during_refit() -> None:
    """A stop while refitting keeps the model that was whole."""
    on_round, is_stopped, _ = stop_after(11)
    fitted = trainer({"refit": "true"}, on_round=on_round, is_stopped=is_stopped).fit(PARTS)

    assert fitted.model.learner.dump() == trainer({}).fit(PARTS).model.learner.dump()


@pytest.mark.parametrize("told", [{}, {"resampling": "auto", "subsample": "0.8", "refit": "true"}])
def test_same_bundle(told: dict[str, str]) -> None:
    """The same rows and the same seed make the same bundle, bit for bit; another seed another one."""

    def bundle(seed: str) -> ModelBundle:
        parts = split(TRAIN, None, None, 0.5, int(seed))
        fitted = trainer({**told, "seed": seed}).fit(parts)
        return ModelBundle.of(fitted.model, "xgboost", **content(figures=fitted.figures))

    first, same, other = bundle("0"), bundle("0"), bundle("1")

    assert first.card == same.card
    assert first.model.learner.dump() == same.model.learner.dump()
    assert first.card.model_id != other.card.model_id


def test_risk() -> None:
    """The rule `risk` reads the amount where the schema has it, whatever the case of its name."""
    fitted = trainer({"threshold_rule": "risk:cost=9", "amount_column": "amount"}).fit(PARTS)
    expected = fitted.scores.probability * PARTS.held_out.X[:, 3].astype(float) > 9

    assert fitted.model.amount_position == 3
    assert fitted.model.threshold.amount_column == "Amount"
    assert fitted.model.threshold.amount_if_missing == pytest.approx(float(np.median(PARTS.tuning.X[:, 3])))
    assert np.array_equal(fitted.scores.flagged, expected)
    assert 0 < expected.sum() < len(expected)


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(replace(NUMBERS, columns=(*NUMBERS.columns[:3], Column("Sum"))), id="no such column"),
        pytest.param(
            replace(NUMBERS, columns=(*NUMBERS.columns[:3], Column("Amount", "category", ("a",)))), id="category"
        ),
    ],
)
def test_risk_without_amount(schema: Schema) -> None:
    """The rule `risk` is refused before the first round where no column of numbers is the amount."""
    rounds: list[int] = []

    def on_round(number: int, _figures: Mapping[str, float]) -> bool:
        rounds.append(number)
        return False

    with pytest.raises(ColumnError, match='risk:cost=9 needs an input of numbers named "Amount"'):
        trainer({"threshold_rule": "risk:cost=9"}, schema, on_round).fit(PARTS)
    assert rounds == []


def test_auto_skips_what_changes_nothing() -> None:
    """Rows that reach the ratios already are fitted once, and the table says why the others were not tried."""
    fitted = trainer({"resampling": "auto", "smote_ratio": "0.01", "undersample_ratio": "0.01"}).fit(PARTS)

    assert [candidate.resampling for candidate in fitted.candidates if not candidate.refused] == ["none"]
    assert all("reach its ratio" in candidate.refused for candidate in fitted.candidates[1:])


@pytest.mark.parametrize("threshold_rule", ["max_f1", "recall>=0.5", "risk:cost=5"])
@pytest.mark.parametrize(
    ("decline_rule", "declines"), [("precision>=0.4", True), ("recall>=0.01", True), ("alert_rate<=0.0001", False)]
)
def test_decline(threshold_rule: str, decline_rule: str, declines: bool) -> None:
    """The rule of declining is chosen on the tuning rows beside the rule of review, and declines flagged rows only."""
    fitted = trainer({"threshold_rule": threshold_rule, "decline_rule": decline_rule}).fit(PARTS)
    scores = fitted.model.score(PARTS.tuning.X)

    assert fitted.model.decline.rule == decline_rule
    assert fitted.model.decline.is_met
    assert scores.declined.any() == declines
    assert scores.flagged.any()
    assert not (scores.declined & ~scores.flagged).any()
    assert np.array_equal(scores.declined, scores.flagged & (scores.probability >= fitted.model.decline.value))
