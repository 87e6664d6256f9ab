"""One tree, random forests and isolation forests: fitted by scikit-learn, kept as XGBoost keeps trees.

So they score as fast as boosted trees do, read missing cells and categories, and have exact reasons by the same
algorithm.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from fraud.model.boosted import TreeLearner
from fraud.model.learner import Labelled, OnRound, Plan, stopping
from fraud.model.parameters import (
    DecisionTreeParameters,
    IsolationForestParameters,
    Parameters,
    RandomForestParameters,
)
from fraud.model.scores import Floats

# Keeps the log-odds of a share of frauds of 0 or 1 finite. Of shares that vote by the hundred, none may be one of a
# few hundred: much smaller values say far too little of rows without a vote, larger ones blur those with one.
LEAST_SHARE = 2e-3


class _Shares(TreeLearner):
    """Trees whose raw score is the mean share of frauds in a row's leaves."""

    def link(self, raw_score: Floats) -> Floats:
        return log_odds(raw_score, LEAST_SHARE)


class DecisionTree(_Shares):
    """One tree (Breiman et al. 1984)."""

    parameters: ClassVar[type[Parameters]] = DecisionTreeParameters

    @classmethod
    def fit(
        cls, training: Labelled, _watched: Mapping[str, Labelled], plan: Plan[DecisionTreeParameters], _: OnRound
    ) -> Self:
        """Fit at once."""
        from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415 - serving never fits, and starts sooner

        told = plan.parameters
        tree = DecisionTreeClassifier(**_growth(told, plan.seed), **balance(told.class_weight))
        return _converted(cls, training, plan, tree)


class RandomForest(_Shares):
    """A random forest (Breiman 2001)."""

    parameters: ClassVar[type[Parameters]] = RandomForestParameters

    @classmethod
    def fit(
        cls, training: Labelled, _watched: Mapping[str, Labelled], plan: Plan[RandomForestParameters], _: OnRound
    ) -> Self:
        """Fit at once."""
        from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - serving never fits, and starts sooner

        told = plan.parameters
        forest = RandomForestClassifier(
            told.n_estimators,
            **_growth(told, plan.seed),
            **balance(told.class_weight),
            max_features=told.max_features or "sqrt",
            n_jobs=plan.threads,
        )
        return _converted(cls, training, plan, forest)


class IsolationForest(TreeLearner):
    """An isolation forest of honest rows (Liu et al. 2008).

    The raw score is the logarithm to base 2 of their anomaly score: minus the mean depth at which a row is alone, over
    the depth usual for as many rows.
    """

    parameters: ClassVar[type[Parameters]] = IsolationForestParameters
    is_supervised: ClassVar[bool] = False
    importance_of: ClassVar[str] = ""

    @classmethod
    def fit(
        cls, training: Labelled, _watched: Mapping[str, Labelled], plan: Plan[IsolationForestParameters], _: OnRound
    ) -> Self:
        """Fit at once, to the honest rows."""
        from sklearn import ensemble  # noqa: PLC0415 - serving never fits, and starts sooner

        told, honest = plan.parameters, training[np.flatnonzero(training.y == 0)]
        forest = ensemble.IsolationForest(
            n_estimators=told.n_estimators,
            max_samples=min(told.max_samples, len(honest)),
            random_state=plan.seed,
            n_jobs=plan.threads,
        )
        return _converted(cls, honest, plan, forest)

    def importance(self, names: Sequence[str]) -> dict[str, float]:  # noqa: ARG002 - random splits gain nothing
        return {}


def log_odds(share: Floats, least: float) -> Floats:
    """Return log-odds of shares of frauds, ascending from 0 to 1 and finite at both."""
    odds: Floats = np.log((share + least) / (1 - share + least))
    return odds


def _growth(told: Any, seed: int) -> dict[str, Any]:
    return {"max_depth": told.max_depth or None, "min_samples_leaf": told.min_samples_leaf, "random_state": seed}


def balance(class_weight: str) -> dict[str, Any]:
    """Return what scikit-learn is told of the weight of frauds."""
    return {"class_weight": None if class_weight == "none" else class_weight}


def _converted[L: TreeLearner](cls: type[L], rows: Labelled, plan: Plan[Any], estimator: Any) -> L:
    from fraud.model.conversion import Inputs, booster  # noqa: PLC0415 - serving never fits, and starts sooner

    inputs = Inputs.of(rows.X, plan.feature_types)
    with stopping(estimator):
        estimator.fit(inputs.encode(rows.X), rows.y)
    return cls.load(booster(estimator, inputs), plan.feature_types, plan.threads)
