"""Rows to a model with its decision: resample, boost, calibrate, choose the threshold, measure. Touches no file."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fraud.errors import ColumnError, ResamplingError
from fraud.hyperparameters import Hyperparameters
from fraud.model.algorithms import ALGORITHMS
from fraud.model.calibration import Platt
from fraud.model.evaluation import Figure, average_precision, average_precision_gain, evaluate
from fraud.model.learner import Labelled, Learner, OnRound, Plan
from fraud.model.resampling import AUTO, RESAMPLERS, Options
from fraud.model.scores import Floats, Scores
from fraud.model.scoring import FraudModel
from fraud.model.splitting import Split
from fraud.model.thresholds import Threshold, choose, choose_by_risk, choose_decline
from fraud.schema import Schema

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """One resampling that was tried; `gain` is its average precision over the simpler choice before it."""

    resampling: str
    frauds: int = 0
    honest: int = 0
    average_precision: float = float("nan")
    gain: Figure | None = None
    refused: str = ""
    is_chosen: bool = False


@dataclass(frozen=True)
class Fitted:
    """A model and what was seen on the way to it.

    `figures` are by the names of the rows they were measured on; `scores` are those of the held-out rows.
    """

    model: FraudModel
    candidates: tuple[Candidate, ...]
    figures: Mapping[str, Mapping[str, Figure]]
    scores: Scores


@dataclass(frozen=True)
class _Attempt:
    candidate: Candidate
    learner: Learner[Any]
    raw_score: Floats
    rounds: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class Trainer:
    """What stays the same for every fit of one job; `on_round` is told figures and returns True to stop."""

    hyperparameters: Hyperparameters
    schema: Schema
    device: str
    threads: int
    on_round: OnRound
    is_stopped: Callable[[], bool]

    def fit(self, split: Split) -> Fitted:
        """Fit, choose on the tuning rows, and measure on the held-out rows."""
        amount = self._amount_position()
        attempts, refused = self._attempts(split)
        best, candidates = self._best(split.tuning, attempts)
        if self.hyperparameters.resampling == "auto":
            for number, seen in enumerate(best.rounds):  # only now is it known whose rounds are those of the model
                self.on_round(number, seen)
        evidence = best.learner.link(best.raw_score)
        calibration = Platt.fit(evidence, split.tuning.y)
        probability = calibration.probability(evidence)
        threshold = self._threshold(split.tuning, probability, amount)
        decline = choose_decline(self.hyperparameters.decline_rule, split.tuning.y, probability, threshold)
        tuned = FraudModel(best.learner, calibration, threshold, decline, amount)
        model = replace(tuned, learner=self._refit(split, best)) if self.hyperparameters.refit else tuned
        scores = model.score(split.held_out.X)
        figures = {split.measured_on: self._measure(split.held_out, scores)}
        if split.has_test:  # a model that was refitted has learnt the validation rows: they measure the one before
            figures["validation"] = self._measure(split.tuning, tuned.score(split.tuning.X))
        return Fitted(model, (*candidates, *refused), figures, scores)

    def _best(self, tuning: Labelled, attempts: list[_Attempt]) -> tuple[_Attempt, list[Candidate]]:
        """Return the simplest attempt that no later one beats by more than noise."""
        best = attempts[0]
        candidates = [best.candidate]
        for attempt in attempts[1:]:
            gain = average_precision_gain(tuning.y, best.raw_score, attempt.raw_score, self.hyperparameters.seed)
            candidates.append(replace(attempt.candidate, gain=gain))
            best = attempt if gain.low > 0 else best
        chosen = best.candidate.resampling
        return best, [replace(candidate, is_chosen=candidate.resampling == chosen) for candidate in candidates]

    def _measure(self, rows: Labelled, scores: Scores) -> dict[str, Figure]:
        return evaluate(rows.y, scores, self.hyperparameters.top_k, self.hyperparameters.seed)

    def _attempts(self, split: Split) -> tuple[list[_Attempt], list[Candidate]]:
        """Fit with each resampling that is to be tried; one that `auto` cannot do is left out with its reason."""
        wanted = self.hyperparameters.resampling
        if wanted != "auto":
            return [self._attempt(split, wanted, self.on_round)], []
        attempts: list[_Attempt] = []
        refused = []
        for resampling in AUTO if self._algorithm.is_supervised else AUTO[:1]:
            try:
                attempts.append(self._attempt(split, resampling, _quietly(self.is_stopped)))
            except ResamplingError as error:
                refused.append(Candidate(resampling, refused=str(error)))
            if self.is_stopped():
                break
        return attempts, refused

    def _attempt(self, split: Split, resampling: str, on_round: OnRound) -> _Attempt:
        rows = RESAMPLERS[resampling](split.training, self._options())
        if resampling != "none" and rows is split.training:
            nothing = "the training rows reach its ratio already, so that it would change nothing"
            if self.hyperparameters.resampling == "auto":
                raise ResamplingError(nothing)
            log.warning("resampling %s: %s", resampling, nothing)
        rounds: list[Mapping[str, float]] = []

        def record(number: int, figures: Mapping[str, float]) -> bool:
            rounds.append(figures)
            return on_round(number, figures)

        learner = self._algorithm.fit(rows, self._watched(split), self._plan(), record)
        raw_score = learner.raw_score(split.tuning.X)
        candidate = Candidate(
            resampling, rows.frauds, len(rows) - rows.frauds, average_precision(split.tuning.y, raw_score)
        )
        return _Attempt(candidate, learner, raw_score, tuple(rounds))

    def _refit(self, split: Split, best: _Attempt) -> Learner[Any]:
        """Fit once more on training and tuning rows, for as many rounds as the best model has."""
        both = Labelled(
            np.concatenate([split.training.X, split.tuning.X]), np.concatenate([split.training.y, split.tuning.y])
        )
        try:
            rows = RESAMPLERS[best.candidate.resampling](both, self._options())
        except ResamplingError as error:  # the validation rows have missing cells that the training rows have not
            log.warning("not refitted on validation rows: %s", error)
            return best.learner
        plan = best.learner.settled(self._plan())
        log.info("refitting on %d training and validation rows for %d rounds", len(both), best.learner.rounds)
        learner = self._algorithm.fit(rows, self._watched(split), plan, _quietly(self.is_stopped))
        return best.learner if self.is_stopped() else learner

    def _watched(self, split: Split) -> dict[str, Labelled]:
        """Return the rows to measure each round: those that tune only where early stopping watches them."""
        if self.hyperparameters.parameters.watches_tuning:
            return split.watched
        return {"validation": split.watched["validation"]}

    @property
    def _algorithm(self) -> type[Learner[Any]]:
        return ALGORITHMS[self.hyperparameters.algorithm]

    def _plan(self) -> Plan[Any]:
        told = self.hyperparameters
        categories = [len(column.categories) for column in self.schema.columns]
        return Plan(told.parameters, self.schema.feature_types, told.seed, self.threads, self.device, categories)

    def _options(self) -> Options:
        told = self.hyperparameters
        kinds = enumerate(self.schema.columns)
        categorical = tuple(position for position, column in kinds if column.kind != "number")
        return Options(told.smote_ratio, told.undersample_ratio, categorical, told.seed, self.schema.names)

    def _amount_position(self) -> int | None:
        """Return where the amount of a row stands, None for a rule that needs none; ColumnError where it is absent."""
        rule, name = self.hyperparameters.threshold_rule, self.hyperparameters.amount_column
        if rule.name != "risk":
            return None
        position = self.schema.index(name)
        if position is None or self.schema.columns[position].kind != "number":
            raise ColumnError(f'threshold_rule={rule.text} needs an input of numbers named "{name}"; set amount_column')
        return position

    def _threshold(self, tuning: Labelled, probability: Floats, amount: int | None) -> Threshold:
        rule = self.hyperparameters.threshold_rule
        if amount is None:
            return choose(rule, tuning.y, probability)
        return choose_by_risk(rule, self.schema.names[amount], tuning.X[:, amount].astype(float))


def _quietly(is_stopped: Callable[[], bool]) -> OnRound:
    return lambda _round, _figures: is_stopped()
