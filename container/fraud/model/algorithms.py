"""The learners behind one door: ALGORITHMS maps the name a job gives to the class that fits, saves and loads it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from fraud.errors import BundleError, LearnerError
from fraud.model.dense import margins
from fraud.model.evaluation import average_precision
from fraud.model.scores import Floats, Labels
from fraud.schema import Matrix

type OnRound = Callable[[int, Mapping[str, float]], bool]


@dataclass(frozen=True)
class Labelled:
    """Rows, their labels, and their times where a column orders them.

    float32 (rows, columns), uint8 (rows) with 1 for fraud, float64 (rows).
    """

    X: Matrix
    y: Labels
    times: Floats | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def frauds(self) -> int:
        return int(np.count_nonzero(self.y))

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> "Labelled":
        return Labelled(self.X[rows], self.y[rows], None if self.times is None else self.times[rows])


@dataclass(frozen=True)
class Plan:
    """How to fit: the library's own parameters, the number of rounds, and when to stop early (0: never)."""

    parameters: Mapping[str, object]
    rounds: int
    feature_types: Sequence[str]
    early_stopping_rounds: int = 0
    eval_metric: str = "logloss"


class BoostedTrees:
    """Gradient-boosted trees (Chen and Guestrin 2016), by XGBoost; saved as UBJSON, never pickled."""

    file_name = "booster.ubj"

    def __init__(self, booster: xgb.Booster, feature_types: Sequence[str]) -> None:
        self._booster = booster
        self._feature_types = list(feature_types)

    @classmethod
    def fit(cls, training: Labelled, watched: Mapping[str, Labelled], plan: Plan, on_round: OnRound) -> Self:
        """Fit round by round; `on_round` is told log loss and average precision and returns True to stop.

        `watched` holds the rows to measure each round; early stopping watches the first of them.
        """
        metrics = list(dict.fromkeys(["logloss", plan.eval_metric]))
        callbacks: list[xgb.callback.TrainingCallback] = [_Watch(on_round)]
        if plan.early_stopping_rounds:
            callbacks.insert(0, _early_stopping(plan, next(iter(watched))))
        try:
            matrix, evals = _matrices(training, watched, plan)
            booster = xgb.train(
                {**plan.parameters, "eval_metric": metrics, "disable_default_eval_metric": True},
                matrix,
                plan.rounds,
                evals=evals,
                custom_metric=_average_precision,
                callbacks=callbacks,
                verbose_eval=False,
            )
        except xgb.core.XGBoostError as error:
            raise LearnerError(f"XGBoost stopped: {_cause(error)}") from error
        booster.set_param({"device": "cpu"})
        return cls(booster, plan.feature_types)

    @classmethod
    def load(cls, content: bytes, feature_types: Sequence[str], threads: int) -> Self:
        """Read what `dump` wrote; BundleError where it is no booster of that many columns.

        The caller proves that the content is whole: XGBoost may end the process over a part of a booster.
        """
        booster = xgb.Booster({"nthread": threads})
        try:
            booster.load_model(bytearray(content))
            booster.set_param({"nthread": threads})
        except (xgb.core.XGBoostError, UnicodeDecodeError) as error:
            raise BundleError(f"{cls.file_name} is not a booster: {_cause(error)}") from error
        if booster.num_features() != len(feature_types):
            raise BundleError(
                f"{cls.file_name} reads {booster.num_features()} columns and the schema has {len(feature_types)}"
            )
        return cls(booster, feature_types)

    def dump(self) -> bytes:
        return bytes(self._booster.save_raw("ubj"))

    @property
    def rounds(self) -> int:
        return self._booster.num_boosted_rounds()

    def raw_score(self, X: Matrix) -> Floats:
        """Return the margin of each row, in log-odds: float64 (rows)."""
        return margins(self._booster, X)

    def importance(self, names: Sequence[str]) -> dict[str, float]:
        """Return each column's share of the total gain, largest first; columns in no tree are left out."""
        gains = self._booster.get_score(importance_type="total_gain")
        gain = {names[int(key[1:])]: float(np.sum(value)) for key, value in gains.items()}
        total = sum(gain.values())
        return {name: gain[name] / total for name in sorted(gain, key=lambda name: (-gain[name], name))}


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
    training: Labelled, watched: Mapping[str, Labelled], plan: Plan
) -> tuple[xgb.QuantileDMatrix, list[tuple[xgb.DMatrix, str]]]:
    """Return the rows as XGBoost holds them: in bins, which the watched rows share where no column is a category.

    A category that no training row has is in no bin, and would be measured as the nearest one that is.
    """
    shape: dict[str, Any] = {"feature_types": list(plan.feature_types), "enable_categorical": True}
    shape |= {"nthread": plan.parameters["nthread"]}
    max_bin = int(str(plan.parameters["max_bin"]))
    matrix = xgb.QuantileDMatrix(training.X, training.y, max_bin=max_bin, **shape)
    if "c" in plan.feature_types:
        return matrix, [(xgb.DMatrix(rows.X, rows.y, **shape), name) for name, rows in watched.items()]
    binned = {
        name: xgb.QuantileDMatrix(rows.X, rows.y, ref=matrix, max_bin=max_bin, **shape)
        for name, rows in watched.items()
    }
    return matrix, [(rows, name) for name, rows in binned.items()]


def _cause(error: Exception) -> str:
    """Return what went wrong, without XGBoost's clock, source line and stack trace."""
    return re.sub(r"^\[[\d:]+\] \S+ ", "", str(error).partition("\n")[0])[:200]


def _early_stopping(plan: Plan, rows: str) -> xgb.callback.EarlyStopping:
    return xgb.callback.EarlyStopping(
        rounds=plan.early_stopping_rounds, metric_name=plan.eval_metric, data_name=rows, save_best=True
    )


def _average_precision(scores: Any, matrix: xgb.DMatrix) -> tuple[str, float]:
    return "average_precision", average_precision(matrix.get_label(), scores)


ALGORITHMS: dict[str, type[BoostedTrees]] = {"xgboost": BoostedTrees}
