"""Made-up labelled rows, and the plan and trainer to fit them with, small enough for a test."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from fraud.fitting import Trainer
from fraud.hyperparameters import read
from fraud.model.drift import Baseline
from fraud.model.learner import Labelled, Plan
from fraud.schema import Column, Schema

NAMES = ("one", "two", "three", "Amount")
NUMBERS = Schema(tuple(Column(name) for name in NAMES), "Class")


def make_labelled(rows: int = 300, frauds: int = 40, seed: int = 0, *, shift: float = 1.5) -> Labelled:
    """Return rows of four columns in which frauds lie higher in the first; the last is an amount."""
    rng = np.random.default_rng(seed)
    y = np.zeros(rows, dtype=np.uint8)
    y[rng.choice(rows, frauds, replace=False)] = 1
    X = rng.normal(size=(rows, 4))
    X[:, 0] += shift * y
    X[:, 3] = rng.lognormal(3, 1, rows)
    return Labelled(X.astype(np.float32), y)


def with_categories(rows: Labelled, categories: int = 3, seed: int = 0) -> Labelled:
    """Return the rows with codes in the second column."""
    X = rows.X.copy()
    X[:, 1] = np.random.default_rng(seed).integers(0, categories, len(rows))
    return Labelled(X, rows.y, rows.times)


def with_missing(rows: Labelled, column: int = 2) -> Labelled:
    """Return the rows with every third cell of a column missing."""
    X = rows.X.copy()
    X[::3, column] = np.nan
    return Labelled(X, rows.y, rows.times)


def plan(feature_types: Sequence[str] = ("q",) * 4, rounds: int = 5, **told: str) -> Plan[Any]:
    """Return how to fit boosted trees with these hyperparameters."""
    return plan_of("xgboost", feature_types, **{"max_bin": "64", "num_round": str(rounds), **told})


def plan_of(algorithm: str, feature_types: Sequence[str] = ("q",) * 4, **told: str) -> Plan[Any]:
    """Return how to fit a learner with these hyperparameters."""
    parameters = read({"algorithm": algorithm, **told})
    return Plan(parameters.parameters, feature_types, parameters.seed)


def content(schema: Schema = NUMBERS, **content: Any) -> dict[str, Any]:
    """Return what a card holds beside its model: a job's name and time, the schema, and what is usual of its rows."""
    rows = make_labelled()
    return {
        "job_name": "job",
        "trained_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "row_schema": schema,
        "baseline": Baseline.of(rows.X, schema.columns, np.linspace(0, 1, len(rows))),
        "figures": {},
        "hyperparameters": {},
        "versions": {},
        "data_sha256": {},
        **content,
    }


def trainer(
    told: Mapping[str, str],
    schema: Schema = NUMBERS,
    on_round: Callable[[int, Mapping[str, float]], bool] = lambda _round, _figures: False,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Trainer:
    """Return a trainer told these hyperparameters, of few rounds where they state none."""
    parameters = read({"num_round": "8", "max_bin": "64", "resampling": "none", **told})
    return Trainer(parameters, schema, "cpu", 1, on_round, is_stopped)
