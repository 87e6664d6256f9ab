"""Small networks of scikit-learn: a classifier, and an autoencoder of honest rows."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from fraud.model.estimators import Estimator
from fraud.model.evaluation import average_precision
from fraud.model.forests import log_odds
from fraud.model.learner import Labelled, OnRound, Plan, stopping
from fraud.model.parameters import AutoencoderParameters, NetworkParameters, Parameters
from fraud.model.scores import Floats
from fraud.schema import Matrix

# Keep the log-odds of a probability that rounds to 0 or 1, and the logarithm of an error of nothing, finite.
LEAST_PROBABILITY, LEAST_ERROR = 1e-12, 1e-12


class _Network(Estimator):
    """An estimator that is fitted pass by pass over its rows."""

    @classmethod
    def _in_passes(
        cls, network: Any, rows: Labelled, watched: Mapping[str, Labelled], plan: Plan[Any], on_round: OnRound
    ) -> Self:
        from fraud.model.preparation import prepared  # noqa: PLC0415 - serving never fits

        network.set_params(random_state=np.random.RandomState(plan.seed))  # goes on from pass to pass
        pipeline = prepared(network, plan.feature_types)
        with stopping(network):
            inputs = pipeline[:-1].fit_transform(rows.X.astype(np.float64))
        learner = cls(pipeline, b"")
        for number in range(plan.parameters.epochs):
            learner._pass(network, inputs, rows)
            if on_round(number, learner._figures(watched)):
                break
        network.set_params(random_state=plan.seed)
        del network._optimizer  # fitting alone reads it
        return cls.kept(pipeline)

    def _pass(self, network: Any, inputs: Floats, rows: Labelled) -> None:
        network.partial_fit(inputs, rows.y, classes=[0, 1])

    def _figures(self, watched: Mapping[str, Labelled]) -> dict[str, float]:
        from scipy.special import expit  # noqa: PLC0415 - serving measures nothing, and starts sooner
        from sklearn.metrics import log_loss  # noqa: PLC0415 - as above

        figures = {}
        for name, rows in watched.items():
            raw_score = self.raw_score(rows.X)
            figures[f"{name}:average_precision"] = average_precision(rows.y, raw_score)
            if self.is_supervised:
                figures[f"{name}:logloss"] = float(log_loss(rows.y, expit(self.link(raw_score))))
        return figures

    @property
    def rounds(self) -> int:
        return len(self._pipeline[-1].loss_curve_)


class Perceptron(_Network):
    """A multi-layer perceptron (Rumelhart et al. 1986); its raw score is its own probability."""

    parameters: ClassVar[type[Parameters]] = NetworkParameters
    kind: ClassVar[str] = "MLPClassifier"

    @classmethod
    def fit(
        cls, training: Labelled, watched: Mapping[str, Labelled], plan: Plan[NetworkParameters], on_round: OnRound
    ) -> Self:
        """Fit pass by pass; `on_round` is told log loss and average precision and returns True to stop."""
        from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 - serving never fits

        network = MLPClassifier(**_settings(plan.parameters, len(training)))
        return cls._in_passes(network, training, watched, plan, on_round)

    def _raw_score(self, X: Floats) -> Any:
        return self._pipeline.predict_proba(X)[:, 1]

    def link(self, raw_score: Floats) -> Floats:
        return log_odds(raw_score, LEAST_PROBABILITY)


class Autoencoder(_Network):
    """A network that says honest rows again through a narrow layer (Hawkins et al. 2002).

    The raw score is the mean squared error of a row's standardised inputs; each input's share of it is exact.
    """

    parameters: ClassVar[type[Parameters]] = AutoencoderParameters
    kind: ClassVar[str] = "MLPRegressor"
    is_supervised: ClassVar[bool] = False

    @classmethod
    def fit(
        cls, training: Labelled, watched: Mapping[str, Labelled], plan: Plan[AutoencoderParameters], on_round: OnRound
    ) -> Self:
        """Fit pass by pass to the honest rows; `on_round` is told average precision and returns True to stop."""
        from sklearn.neural_network import MLPRegressor  # noqa: PLC0415 - serving never fits

        honest = training[np.flatnonzero(training.y == 0)]
        network = MLPRegressor(**_settings(plan.parameters, len(honest)))
        return cls._in_passes(network, honest, watched, plan, on_round)

    def _pass(self, network: Any, inputs: Floats, rows: Labelled) -> None:  # noqa: ARG002 - they are their own target
        network.partial_fit(inputs, inputs if inputs.shape[1] > 1 else inputs[:, 0])

    @property
    def explains(self) -> bool:
        return True

    def _raw_score(self, X: Floats) -> Any:
        return self._errors(X).mean(axis=1)

    def link(self, raw_score: Floats) -> Floats:
        logarithm: Floats = np.log(raw_score + LEAST_ERROR)
        return logarithm

    def contributions(self, X: Matrix) -> Floats:
        """Return each column's part of the mean squared error, and nothing to start from."""
        columns = X.shape[1]
        if not len(X):
            return np.empty((0, columns + 1))
        errors = self._errors(X.astype(np.float64))
        return np.hstack([self._per_column(errors / errors.shape[1], columns), np.zeros((len(X), 1))])

    def _errors(self, X: Floats) -> Floats:
        inputs = self._pipeline[:-1].transform(X)
        errors: Floats = (inputs - self._pipeline[-1].predict(inputs).reshape(inputs.shape)) ** 2
        return errors


def _settings(told: NetworkParameters, rows: int) -> dict[str, Any]:
    return {
        "hidden_layer_sizes": told.hidden_layer_sizes,
        "activation": told.activation,
        "alpha": told.l2,
        "batch_size": min(told.batch_size, rows),
        "learning_rate_init": told.learning_rate_init,
    }
