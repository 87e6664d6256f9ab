"""Fit boosted trees with XGBoost: the one file that imports its Python package, which scoring does without."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from fraud.errors import LearnerError
from fraud.model.directions import direct
from fraud.model.evaluation import average_precision
from fraud.model.learner import Labelled, OnRound, Plan
from fraud.model.parameters import BoosterParameters
from fraud.model.trees import cause
from fraud.schema import Matrix

# Leaves of rows that are held at once.
MOST_LEAVES = 2**20


def boost(
    training: Labelled, watched: Mapping[str, Labelled], plan: Plan[BoosterParameters], on_round: OnRound
) -> bytes:
    """Fit round by round and return the booster as UBJSON; LearnerError where XGBoost stops.

    Rounds are measured before cells that training rows never showed, which watched rows may hold, are given a way.
    """
    told = plan.parameters
    booster_told = {**told.booster(), "seed": plan.seed, "device": plan.device, "nthread": plan.threads}
    metrics = list(dict.fromkeys(["logloss", told.eval_metric]))
    callbacks: list[xgb.callback.TrainingCallback] = [_Watch(on_round)]
    if told.early_stopping_rounds:
        callbacks.insert(0, _early_stopping(told, next(iter(watched))))
    try:
        matrix, evals = _matrices(training, watched, plan)
        booster = xgb.train(
            {**booster_told, "eval_metric": metrics, "disable_default_eval_metric": True},
            matrix,
            told.num_round,
            evals=evals,
            custom_metric=_average_precision,
            callbacks=callbacks,
            verbose_eval=False,
        )
    except xgb.core.XGBoostError as error:
        raise LearnerError(f"XGBoost stopped: {cause(error)}") from error
    booster.set_param({"device": "cpu"})
    return directed(booster, training.X, plan)


def directed(booster: xgb.Booster, X: Matrix, plan: Plan[BoosterParameters]) -> bytes:
    """Return a booster that was fitted to these rows as UBJSON, with a way for cells that they never showed."""
    model = json.loads(booster.save_raw("json"))
    trees = model["learner"]["gradient_booster"]["model"]["trees"]
    direct(trees, _ended(booster, [len(tree["parents"]) for tree in trees], X, plan), X, plan.categories)
    return bytes(xgb.Booster(model_file=bytearray(json.dumps(model).encode())).save_raw("ubj"))


def _ended(
    booster: xgb.Booster, nodes: Sequence[int], X: Matrix, plan: Plan[BoosterParameters]
) -> list[NDArray[np.intp]]:
    """Return how many rows end in each node of each tree."""
    first = np.cumsum([0, *nodes[:-1]])
    counts = np.zeros(sum(nodes), dtype=np.intp)
    block = max(1, MOST_LEAVES // len(nodes))
    for start in range(0, len(X), block):
        rows = xgb.DMatrix(X[start : start + block], **_shape(plan))
        leaves = booster.predict(rows, pred_leaf=True).astype(np.intp).reshape(-1, len(nodes))
        counts += np.bincount((leaves + first).ravel(), minlength=len(counts))
    return np.split(counts, first[1:])


def importance(content: bytes, names: Sequence[str]) -> dict[str, float]:
    """Return each column's share of the total gain, largest first; columns in no tree are left out."""
    booster = xgb.Booster(model_file=bytearray(content))
    gains = booster.get_score(importance_type="total_gain")
    gain = {names[int(key[1:])]: float(np.sum(value)) for key, value in gains.items()}
    total = sum(gain.values())
    told = sorted(gain, key=lambda name: (-gain[name], name)) if total > 0 else ()  # a first split may gain nothing
    return {name: gain[name] / total for name in told}


class _Watch(xgb.callback.TrainingCallback):
    def __init__(self, on_round: OnRound) -> None:
        super().__init__()
        self._on_round = on_round

    def after_iteration(self, model: object, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - XGBoost's signature
        figures = {
            f"{rows}:{metric}": float(values[-1])
            for rows, metrics in evals_log.items()
            for metric, values in metrics.items()
        }
        return self._on_round(epoch, figures)


def _matrices(
    training: Labelled, watched: Mapping[str, Labelled], plan: Plan[BoosterParameters]
) -> tuple[xgb.QuantileDMatrix, list[tuple[xgb.DMatrix, str]]]:
    """Return the rows as XGBoost holds them: in bins, which the watched rows share where no column is a category.

    A category that no training row has is in no bin, and would be measured as the nearest one that is.
    """
    shape, max_bin = _shape(plan), plan.parameters.max_bin
    matrix = xgb.QuantileDMatrix(training.X, training.y, max_bin=max_bin, **shape)
    if "c" in plan.feature_types:
        return matrix, [(xgb.DMatrix(rows.X, rows.y, **shape), name) for name, rows in watched.items()]
    binned = {
        name: xgb.QuantileDMatrix(rows.X, rows.y, ref=matrix, max_bin=max_bin, **shape)
        for name, rows in watched.items()
    }
    return matrix, [(rows, name) for name, rows in binned.items()]


def _shape(plan: Plan[BoosterParameters]) -> dict[str, Any]:
    return {"feature_types": list(plan.feature_types), "enable_categorical": True, "nthread": plan.threads}


def _early_stopping(told: BoosterParameters, rows: str) -> xgb.callback.EarlyStopping:
    return xgb.callback.EarlyStopping(
        rounds=told.early_stopping_rounds, metric_name=told.eval_metric, data_name=rows, save_best=True
    )


def _average_precision(scores: Any, matrix: xgb.DMatrix) -> tuple[str, float]:
    return "average_precision", average_precision(matrix.get_label(), scores)
