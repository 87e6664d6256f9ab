"""Figures of rows that a model has not seen: cross-validation with the trainer of the job."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from notebooks.exploration.rows import Positions
from sklearn.model_selection import StratifiedKFold

from fraud.errors import NoFraudError
from fraud.fitting import Trainer
from fraud.hyperparameters import read
from fraud.machine import cores
from fraud.model.evaluation import REPLICATES, Figure, average_precision
from fraud.model.learner import Labelled
from fraud.model.scores import Flags, Floats, Labels
from fraud.model.splitting import Split
from fraud.schema import Schema

FOLDS = 5
# Fewer and longer steps, and fewer bins, than the job's own (docs/06-hyperparameters.md), for time.
QUICK: Mapping[str, str] = MappingProxyType({"num_round": "100", "eta": "0.1", "max_depth": "3", "max_bin": "1024"})

type Measure = Callable[[Labels, Floats], float]


@dataclass(frozen=True)
class Unseen:
    """One value a row, by a model that was fitted, and calibrated, on other rows."""

    y: Labels
    margin: Floats
    probability: Floats

    def figure(self, measure: Measure, rows: Positions | None = None) -> Figure:
        """Measure the probabilities, or those of some rows, with a 95 % interval by bootstrap."""
        chosen = np.arange(len(self.y)) if rows is None else rows
        return interval(self.y[chosen], self.probability[chosen], measure)


def unseen(rows: Labelled, schema: Schema, told: Mapping[str, str], training: Positions | None = None) -> Unseen:
    """Fit once for each fold: three fifths train, one calibrates, one is scored; every row is scored once.

    `training` are the only rows that may train. Raises NoFraudError where a fold would hold no fraud.
    """
    if rows.frauds < FOLDS:
        raise NoFraudError(f"{FOLDS} folds need {FOLDS} frauds or more; these {len(rows)} rows hold {rows.frauds}")
    allowed = np.ones(len(rows), dtype=bool) if training is None else np.isin(np.arange(len(rows)), training)
    trainer = Trainer(read({**QUICK, **told}), schema, "cpu", 1, lambda *_: False, lambda: False)
    folds = _folds(rows)
    parts = [_part(rows, folds, number, allowed) for number in range(FOLDS)]
    with ThreadPoolExecutor(cores()) as pool:  # XGBoost lets go of Python's lock, and rows are too few for its threads
        scores = [fitted.scores for fitted in pool.map(trainer.fit, parts)]
    margin, probability = np.empty(len(rows)), np.empty(len(rows))
    for fold, scored in zip(folds, scores, strict=True):
        margin[fold], probability[fold] = scored.raw_score, scored.probability
    return Unseen(rows.y, margin, probability)


def _folds(rows: Labelled) -> list[Positions]:
    return [fold for _, fold in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(rows.X, rows.y)]


def _part(rows: Labelled, folds: Sequence[Positions], number: int, allowed: Flags) -> Split:
    """Score one fold, calibrate on the next, and train on what is allowed of the others."""
    scored, calibrating = folds[number], folds[(number + 1) % FOLDS]
    others = np.setdiff1d(np.flatnonzero(allowed), np.concatenate([scored, calibrating]))
    return Split(rows[others], rows[calibrating], rows[scored], scored, has_test=False)


def first_training(rows: Labelled) -> Labelled:
    """Return the rows that train first: what a resampler is given."""
    return rows[np.sort(np.concatenate(_folds(rows)[2:]))]


def interval(y: Labels, values: Floats, measure: Measure) -> Figure:
    """Return a measure and its 95 % interval (percentile bootstrap over rows)."""
    rng = np.random.default_rng(0)
    drawn = (rng.integers(0, len(y), len(y)) for _ in range(REPLICATES))
    measured = [measure(y[rows], values[rows]) for rows in drawn if y[rows].any()]
    low, high = np.percentile(measured or [measure(y, values)], [2.5, 97.5])
    return Figure(measure(y, values), float(low), float(high))


def ranking(y: Labels, values: Floats) -> float:
    """Return the average precision."""
    return average_precision(y, values)


def predicted_to_observed(y: Labels, probability: Floats) -> float:
    """Return the frauds that the probabilities announce for each fraud that was there."""
    return float(probability.sum() / y.sum())
