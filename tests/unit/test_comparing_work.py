from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from fraud.comparing.folds import TESTS, TRAINS, TUNES, divide
from fraud.comparing.plan import Pair
from fraud.comparing.work import guarded, measure, summarise, weigh
from fraud.errors import LearnerError, ResamplingError
from fraud.fitting import Trainer
from fraud.hyperparameters import read
from fraud.model.algorithms import ALGORITHMS
from fraud.model.boosted import BoostedTrees
from fraud.model.calibration import Platt
from fraud.model.evaluation import average_precision_gain
from fraud.model.learner import Labelled, OnRound, Plan
from fraud.model.parameters import BoosterParameters
from fraud.model.resampling import RESAMPLERS, Options, smote
from fraud.model.scoring import FraudModel
from fraud.model.splitting import Split
from fraud.schema import Matrix
from tests.comparisons import FEW, at_bench, make_plan
from tests.labelled import make_labelled, with_missing

NONE, SMOTE = Pair("xgboost", "none"), Pair("xgboost", "smote")


def numbered(rows: int = 300, frauds: int = 60) -> Labelled:
    """Return rows whose second column is their number."""
    made = make_labelled(rows, frauds)
    made.X[:, 1] = np.arange(rows)
    return made


def numbers(rows: Labelled) -> set[int]:
    return set(rows.X[:, 1].astype(int))


@pytest.mark.parametrize("split", ["stratified", "time"])
def test_resampling_sees_rows_that_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str) -> None:
    """A resampler is given the training rows of the fold, all of them, and no row that tunes or tests."""
    seen: list[set[int]] = []

    def observe(rows: Labelled, options: Options) -> Labelled:
        seen.append(numbers(rows))
        return smote(rows, options)

    monkeypatch.setitem(RESAMPLERS, "smote", observe)
    rows = replace(numbered(), times=np.random.default_rng(0).permutation(300).astype(float))
    plan = make_plan(split=split)
    with at_bench(tmp_path, plan, rows) as bench:
        for fold in range(3):
            measure(bench, SMOTE, fold)

    assert seen == [set(np.flatnonzero(part == TRAINS)) for part in divide(rows, 3, split, 0)]


def test_learners_see_no_row_that_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the rows that a learner fits nor those that it watches hold one that tests; nor do the trainer's."""
    fitted: list[set[int]] = []
    shown: list[set[int]] = []

    class Observed(BoostedTrees):
        @classmethod
        def fit(
            cls,
            training: Labelled,
            watched: Mapping[str, Labelled],
            plan: Plan[BoosterParameters],
            on_round: OnRound,
        ) -> Self:
            fitted.append(numbers(training).union(*map(numbers, watched.values())))
            return super().fit(training, watched, plan, on_round)

    fit = Trainer.fit

    def observe(trainer: Trainer, split: Split) -> object:
        shown.append(numbers(split.training) | numbers(split.tuning) | numbers(split.held_out))
        return fit(trainer, split)

    monkeypatch.setitem(ALGORITHMS, "xgboost", Observed)
    monkeypatch.setattr(Trainer, "fit", observe)
    rows = numbered()
    plan = make_plan(candidates={"xgboost": (FEW, {**FEW, "eta": "0.3"})})
    with at_bench(tmp_path, plan, rows) as bench:
        measure(bench, NONE, 0)
    tests = set(np.flatnonzero(divide(rows, 3, "stratified", 0)[0] == TESTS))

    assert len(fitted) == len(shown) == 2
    for seen in (*fitted, *shown):
        assert not seen & tests


def test_scores_of_a_fold(tmp_path: Path) -> None:
    """What a fold leaves are the scores of its test rows by a model tuned on its tuning rows, and their figures."""
    rows = make_labelled()
    part = divide(rows, 3, "stratified", 0)[1]
    with at_bench(tmp_path, make_plan(), rows) as bench:
        measure(bench, NONE, 1)
        outcome = bench.store.outcome(NONE, 1)
        probability, flagged = bench.store.scores(NONE, 1, 100)
        parameters = read(bench.plan.told_to(NONE, FEW))
        trainer = Trainer(parameters, bench.schema, "cpu", 1, lambda *_: False, lambda: False)
    training, tuning, tests = (rows[np.flatnonzero(part == does)] for does in (TRAINS, TUNES, TESTS))
    fitted = trainer.fit(Split(training, tuning, tests, np.arange(1), has_test=True))

    assert outcome is not None
    assert outcome.figures is not None
    assert fitted.model.calibration == Platt.fit(fitted.model.learner.raw_score(tuning.X), tuning.y)
    assert np.array_equal(probability, fitted.scores.probability)
    assert np.array_equal(flagged, fitted.scores.flagged)
    assert outcome.threshold == fitted.model.threshold.value
    assert outcome.figures == pytest.approx(
        {
            "average_precision": average_precision_score(tests.y, probability),
            "roc_auc": roc_auc_score(tests.y, probability),
            "precision": precision_score(tests.y, flagged),
            "recall": recall_score(tests.y, flagged),
            "f1": f1_score(tests.y, flagged),
        }
    )
    assert outcome.seconds > 0


def test_search(tmp_path: Path) -> None:
    """The candidate that ranks the tuning rows best is the one that scores the test rows, and all are on record."""
    blunt, sharp = {**FEW, "num_round": "1", "max_depth": "1"}, {**FEW, "num_round": "30"}
    with at_bench(tmp_path, make_plan(candidates={"xgboost": (blunt, sharp)}), make_labelled(900, 200)) as bench:
        measure(bench, NONE, 0)
        searched, found = bench.store.outcome(NONE, 0), bench.store.scores(NONE, 0, 300)
    with at_bench(tmp_path / "alone", make_plan(candidates={"xgboost": (sharp,)}), make_labelled(900, 200)) as bench:
        measure(bench, NONE, 0)
        alone = bench.store.scores(NONE, 0, 300)

    assert searched is not None
    assert searched.candidate == 1
    assert searched.tried[0]["average_precision"] < searched.tried[1]["average_precision"]
    assert searched.search_seconds > searched.seconds
    assert np.array_equal(found, alone)


def test_refused(tmp_path: Path) -> None:
    """A pair that is refused leaves its reason and no scores."""
    with at_bench(tmp_path, make_plan(), with_missing(make_labelled())) as bench:
        measure(bench, SMOTE, 0)
        outcome = bench.store.outcome(SMOTE, 0)

    assert outcome is not None
    assert outcome.refused.startswith('SMOTE cannot look between missing cells, which "three" holds')
    assert not list(tmp_path.glob("folds/*/*.npy"))


def test_a_candidate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One candidate that is refused leaves the choice to the others."""
    fit = Trainer.fit

    def refuse(trainer: Trainer, split: Split) -> object:
        if trainer.hyperparameters.stated()["num_round"] == 1:
            raise LearnerError("one round is none")
        return fit(trainer, split)

    monkeypatch.setattr(Trainer, "fit", refuse)
    plan = make_plan(candidates={"xgboost": ({"num_round": "1"}, FEW)})
    with at_bench(tmp_path, plan, make_labelled()) as bench:
        measure(bench, NONE, 0)
        outcome = bench.store.outcome(NONE, 0)

    assert outcome is not None
    assert (outcome.refused, outcome.candidate) == ("", 1)
    assert outcome.tried[0] == {"refused": "one round is none"}


def test_a_candidate_of_a_learner_is_refused(tmp_path: Path) -> None:
    """A learner that refuses one candidate of its grid loses that candidate only."""
    plan = make_plan(
        learners=("k-neighbors",), candidates={"k-neighbors": ({"n_neighbors": "9999"}, {"n_neighbors": "7"})}
    )
    with at_bench(tmp_path, plan, make_labelled()) as bench:
        measure(bench, Pair("k-neighbors", "none"), 0)
        outcome = bench.store.outcome(Pair("k-neighbors", "none"), 0)

    assert outcome is not None
    assert (outcome.refused, outcome.candidate) == ("", 1)
    assert outcome.tried[0]["refused"].startswith("n_neighbors=9999 is more than the")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param({"threshold_rule": "risk:cost=5", "amount_column": "euros"}, "euros", id="no amounts"),
        pytest.param({}, "not a number", id="no scores"),
    ],
)
def test_refused_by_anything_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], words: str
) -> None:
    """Whatever of ours stops a fit or a score refuses the pair, with the reason on disk."""

    score = FraudModel.score

    def refuse(model: FraudModel, X: Matrix) -> object:
        if len(X) > 2:  # more than the witnesses that stand for held-out rows
            raise LearnerError("a score is not a number")
        return score(model, X)

    monkeypatch.setattr(FraudModel, "score", refuse)
    with at_bench(tmp_path, make_plan(told={"seed": "0", **told}), make_labelled()) as bench:
        measure(bench, NONE, 0)
        outcome = bench.store.outcome(NONE, 0)

    assert outcome is not None
    assert words in outcome.refused


def test_pooled(tmp_path: Path) -> None:
    """A pair is measured on the rows of all folds at once, and its lead is that of the same rows."""
    rows = make_labelled()
    with at_bench(tmp_path, make_plan(), rows) as bench:
        for pair in (NONE, SMOTE):
            for fold in range(3):
                measure(bench, pair, fold)
            summarise(bench, pair)
        weigh(bench, NONE, SMOTE)
        summary, gain = bench.store.summary(NONE), bench.store.gain(NONE, SMOTE)
        scores = {pair: np.hstack([bench.store.scores(pair, fold, 100) for fold in range(3)]) for pair in (NONE, SMOTE)}
    y = np.concatenate([rows.y[part == TESTS] for part in divide(rows, 3, "stratified", 0)])
    probability, flagged = scores[NONE]

    assert summary is not None
    figures = summary["figures"]
    assert figures["average_precision"]["value"] == pytest.approx(average_precision_score(y, probability))
    assert figures["recall"]["value"] == pytest.approx(recall_score(y, flagged))
    assert sum(summary["confusion"].values()) == len(rows)
    assert summary["confusion"]["true_positive"] == int(flagged[y == 1].sum())
    skill = figures["brier_skill"]
    assert skill["value"] == pytest.approx(1 - np.mean((probability - y) ** 2) / np.var(y))
    assert skill["low"] < skill["value"] < skill["high"]
    assert gain == average_precision_gain(y, scores[SMOTE][0], probability, 0)


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        pytest.param(ResamplingError("no frauds"), "no frauds", id="ours"),
        pytest.param(MemoryError(), "fewer --jobs", id="memory"),
        pytest.param(OSError(28, "No space left", "0.npy"), "0.npy: No space left", id="disk full"),
        pytest.param(ValueError("cell 4111"), "an error inside, ValueError at test_comparing_work.py:", id="a bug"),
    ],
)
def test_guarded(raised: Exception, words: str) -> None:
    """What goes wrong in a worker comes back as words, without the values that a bug would show."""

    def fail() -> None:
        raise raised

    problem = guarded(fail)

    assert words in problem
    assert "4111" not in problem
