"""Learners of scikit-learn, behind one preparation of their rows; saved by skops, never pickled."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from fraud.errors import BundleError, LearnerError
from fraud.model.forests import LEAST_SHARE, balance, log_odds
from fraud.model.learner import Labelled, OnRound, Plan, stopping
from fraud.model.parameters import (
    KNeighborsParameters,
    LogisticRegressionParameters,
    OneClassSVMParameters,
    Parameters,
    SVCParameters,
)
from fraud.model.scores import Floats
from fraud.schema import Matrix


class Estimator:
    """A pipeline: missing cells become medians with a mark, categories become 0 and 1, and all is standardised."""

    file_name: ClassVar[str] = "model.skops"
    is_supervised: ClassVar[bool] = True
    uses_gpu: ClassVar[bool] = False
    keeps_rows: ClassVar[bool] = False
    importance_of: ClassVar[str] = ""
    # The class of the last step, by its name in scikit-learn.
    kind: ClassVar[str]

    def __init__(self, pipeline: Any, content: bytes) -> None:
        self._pipeline = pipeline
        self._content = content

    @classmethod
    def of(cls, estimator: Any, rows: Labelled, plan: Plan[Any]) -> Self:
        """Fit an estimator to rows, behind its preparation."""
        from fraud.model.preparation import prepared  # noqa: PLC0415 - serving boosted trees needs none of it

        with stopping(estimator):
            pipeline = prepared(estimator, plan.feature_types).fit(rows.X.astype(np.float64), rows.y)
        return cls.kept(pipeline)

    @classmethod
    def kept(cls, pipeline: Any) -> Self:
        """Return the learner that a fitted pipeline is, with what `dump` will answer."""
        from fraud.model.preparation import dumps  # noqa: PLC0415 - as above

        return cls(pipeline, dumps(pipeline))

    @classmethod
    def load(cls, content: bytes, feature_types: Sequence[str], threads: int) -> Self:  # noqa: ARG003 - one a call
        """Read what `dump` wrote; BundleError where it is no such learner of those columns."""
        from fraud.model.preparation import loads  # noqa: PLC0415 - serving boosted trees needs none of it

        learner = cls(loads(content, cls.kind, len(feature_types), cls.file_name), content)
        try:
            score = learner.raw_score(np.full((1, len(feature_types)), np.nan, dtype=np.float32))
        except Exception as error:  # whatever a damaged estimator stumbles over
            raise BundleError(f"{cls.file_name} cannot score: {type(error).__name__}") from error
        if score.shape != (1,) or not np.isfinite(score).all():
            raise BundleError(f"{cls.file_name} cannot score: it has no finite score for a row")
        return learner

    def dump(self) -> bytes:
        return self._content

    def settled[P: Parameters](self, plan: Plan[P]) -> Plan[P]:
        return plan

    @property
    def rounds(self) -> int:
        return 1

    @property
    def explains(self) -> bool:
        return False

    def raw_score(self, X: Matrix) -> Floats:
        raw_score: Floats = self._raw_score(X.astype(np.float64)) if len(X) else np.empty(0)
        return raw_score

    def _raw_score(self, X: Floats) -> Any:
        return self._pipeline.decision_function(X)

    def link(self, raw_score: Floats) -> Floats:
        return raw_score

    def contributions(self, X: Matrix) -> Floats:  # noqa: ARG002 - the learners that explain read them
        raise LearnerError(f"{self.kind} has no exact reasons")

    def importance(self, names: Sequence[str]) -> dict[str, float]:  # noqa: ARG002 - as above
        return {}

    def _per_column(self, per_input: Floats, columns: int) -> Floats:
        """Add up what belongs to the same column: (rows, inputs) to (rows, columns)."""
        from fraud.model.preparation import columns_of  # noqa: PLC0415 - as above

        summed = np.zeros((len(per_input), columns))
        np.add.at(summed.T, columns_of(self._pipeline), per_input.T)
        return summed


class _Linear(Estimator):
    """An estimator that may be linear in its inputs, whose mean is 0 on training rows."""

    importance_of: ClassVar[str] = "absolute weight"
    # Turns what scikit-learn says of a row to where frauds score high.
    sign: ClassVar[int] = 1

    @cached_property
    def _weights(self) -> Floats | None:
        """The weight of each input; None where the estimator is not linear."""
        weights = getattr(self._pipeline[-1], "coef_", None)
        return None if weights is None else self.sign * np.ravel(weights)

    @property
    def explains(self) -> bool:
        return self._weights is not None

    def _raw_score(self, X: Floats) -> Any:
        return self.sign * self._pipeline.decision_function(X)

    def contributions(self, X: Matrix) -> Floats:
        """Return weight x standardised input, summed by column, and the intercept.

        They are the Shapley values of a linear model (Lundberg and Lee 2017, corollary 1).
        """
        columns = X.shape[1]
        if self._weights is None:
            return super().contributions(X)
        if not len(X):
            return np.empty((0, columns + 1))
        per_input = self._pipeline[:-1].transform(X.astype(np.float64)) * self._weights
        base = self.sign * float(np.ravel(self._pipeline[-1].intercept_)[0])
        return np.hstack([self._per_column(per_input, columns), np.full((len(X), 1), base)])

    def importance(self, names: Sequence[str]) -> dict[str, float]:
        """Return each column's share of the absolute weights, largest first."""
        if self._weights is None or not self._weights.any():
            return {}
        weights = self._per_column(np.abs(self._weights)[None, :], len(names))[0]
        shares = {name: float(weight / weights.sum()) for name, weight in zip(names, weights, strict=True) if weight}
        return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


class LogisticRegression(_Linear):
    """A logistic regression; its raw score is in log-odds."""

    parameters: ClassVar[type[Parameters]] = LogisticRegressionParameters
    kind: ClassVar[str] = "LogisticRegression"

    @classmethod
    def fit(
        cls, training: Labelled, _watched: Mapping[str, Labelled], plan: Plan[LogisticRegressionParameters], _: OnRound
    ) -> Self:
        """Fit at once."""
        from sklearn.linear_model import LogisticRegression as Regression  # noqa: PLC0415 - serving never fits

        told = plan.parameters
        solver = {"l1_ratio": 1.0, "solver": "liblinear"} if told.penalty == "l1" else {}
        weight = balance(told.class_weight)
        return cls.of(Regression(C=told.C, max_iter=2000, random_state=plan.seed, **solver, **weight), training, plan)


class KNeighbors(Estimator):
    """The nearest neighbours (Cover and Hart 1967); the raw score is the share of frauds among them."""

    parameters: ClassVar[type[Parameters]] = KNeighborsParameters
    kind: ClassVar[str] = "KNeighborsClassifier"
    keeps_rows: ClassVar[bool] = True

    @classmethod
    def fit(
        cls, training: Labelled, _watched: Mapping[str, Labelled], plan: Plan[KNeighborsParameters], _: OnRound
    ) -> Self:
        """Keep the rows to compare others with."""
        from sklearn.neighbors import KNeighborsClassifier  # noqa: PLC0415 - serving never fits

        told = plan.parameters
        if told.n_neighbors > len(training):
            few = f"n_neighbors={told.n_neighbors} is more than the {len(training)} training rows"
            raise LearnerError(f"{few}; set a smaller one")
        return cls.of(KNeighborsClassifier(told.n_neighbors, weights=told.weights, algorithm="brute"), training, plan)

    def _raw_score(self, X: Floats) -> Any:
        return self._pipeline.predict_proba(X)[:, 1]

    def link(self, raw_score: Floats) -> Floats:
        return log_odds(raw_score, LEAST_SHARE)


class SupportVectors(_Linear):
    """A support-vector classifier (Cortes and Vapnik 1995); the raw score is the distance from its boundary."""

    parameters: ClassVar[type[Parameters]] = SVCParameters
    kind: ClassVar[str] = "SVC"
    keeps_rows: ClassVar[bool] = True

    @classmethod
    def fit(cls, training: Labelled, _watched: Mapping[str, Labelled], plan: Plan[SVCParameters], _: OnRound) -> Self:
        """Fit at once; the time grows with the square of the rows."""
        from sklearn.svm import SVC  # noqa: PLC0415 - serving never fits

        told = plan.parameters
        weight = balance(told.class_weight)
        return cls.of(SVC(C=told.C, kernel=told.kernel, gamma=told.kernel_gamma or "auto", **weight), training, plan)


class OneClassSupportVectors(_Linear):
    """A one-class support-vector machine of honest rows (Schoelkopf et al. 2001): how far outside a row lies."""

    parameters: ClassVar[type[Parameters]] = OneClassSVMParameters
    kind: ClassVar[str] = "OneClassSVM"
    keeps_rows: ClassVar[bool] = True
    is_supervised: ClassVar[bool] = False
    sign: ClassVar[int] = -1

    @classmethod
    def fit(
        cls, training: Labelled, _watched: Mapping[str, Labelled], plan: Plan[OneClassSVMParameters], _: OnRound
    ) -> Self:
        """Fit at once to honest rows, a part of them where they are many."""
        from sklearn.svm import OneClassSVM  # noqa: PLC0415 - serving never fits

        told, honest = plan.parameters, np.flatnonzero(training.y == 0)
        if len(honest) > told.max_samples:
            honest = np.sort(np.random.default_rng(plan.seed).choice(honest, told.max_samples, replace=False))
        boundary = OneClassSVM(kernel=told.kernel, nu=told.nu, gamma=told.kernel_gamma or "auto")
        return cls.of(boundary, training[honest], plan)
