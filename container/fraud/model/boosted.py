"""Gradient-boosted trees (Chen and Guestrin 2016), by XGBoost; saved as UBJSON, never pickled."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from fraud.errors import BundleError
from fraud.model.learner import Labelled, OnRound, Plan
from fraud.model.parameters import BoosterParameters, Parameters
from fraud.model.scores import Floats
from fraud.model.trees import Trees, XGBoostError, cause
from fraud.schema import Matrix


class TreeLearner:
    """Trees in XGBoost's format, whoever fitted them."""

    file_name: ClassVar[str] = "booster.ubj"
    is_supervised: ClassVar[bool] = True
    uses_gpu: ClassVar[bool] = False
    keeps_rows: ClassVar[bool] = False
    importance_of: ClassVar[str] = "total gain"

    def __init__(self, content: bytes, trees: Trees) -> None:
        self._content = content
        self._trees = trees

    @classmethod
    def load(cls, content: bytes, feature_types: Sequence[str], threads: int) -> Self:
        """Read what `dump` wrote; BundleError where it is no booster of that many columns and one margin a row."""
        trees = Trees(content, threads)
        if trees.columns != len(feature_types):
            raise BundleError(f"{cls.file_name} reads {trees.columns} columns and the schema has {len(feature_types)}")
        try:
            trees.margins(np.full((1, trees.columns), np.nan, dtype=np.float32))
        except XGBoostError as error:
            raise BundleError(f"{cls.file_name} cannot score: {cause(error)}") from error
        return cls(content, trees)

    def dump(self) -> bytes:
        return self._content

    @property
    def rounds(self) -> int:
        return self._trees.rounds

    def settled[P: Parameters](self, plan: Plan[P]) -> Plan[P]:
        return plan

    @property
    def explains(self) -> bool:
        return True

    def raw_score(self, X: Matrix) -> Floats:
        """Return the sum of the trees' leaves of each row: float64 (rows)."""
        return self._trees.margins(X)

    def link(self, raw_score: Floats) -> Floats:
        return raw_score

    def contributions(self, X: Matrix) -> Floats:
        """Return exact TreeSHAP values and the base value: float64 (rows, columns + 1)."""
        return self._trees.contributions(X)

    def importance(self, names: Sequence[str]) -> dict[str, float]:
        """Return each column's share of the total gain, largest first; columns in no tree are left out."""
        from fraud.model.boosting import importance  # noqa: PLC0415 - serving never asks, and starts sooner

        return importance(self._content, names)


class BoostedTrees(TreeLearner):
    """Gradient-boosted trees; their raw score is a margin in log-odds."""

    parameters: ClassVar[type[Parameters]] = BoosterParameters
    uses_gpu: ClassVar[bool] = True

    @classmethod
    def fit(
        cls, training: Labelled, watched: Mapping[str, Labelled], plan: Plan[BoosterParameters], on_round: OnRound
    ) -> Self:
        """Fit round by round; `on_round` is told log loss and average precision and returns True to stop.

        `watched` holds the rows to measure each round; early stopping watches the first of them.
        """
        from fraud.model.boosting import boost  # noqa: PLC0415 - serving never fits, and starts sooner

        return cls.load(boost(training, watched, plan, on_round), plan.feature_types, plan.threads)

    def settled(self, plan: Plan[Any]) -> Plan[Any]:
        ended = {"num_round": self.rounds, "early_stopping_rounds": 0}
        return replace(plan, parameters=plan.parameters.model_copy(update=ended))
