"""The learners behind one door: ALGORITHMS maps the name a job gives to the class that fits, saves and loads it."""

from typing import Any

from fraud.model.boosted import BoostedTrees
from fraud.model.estimators import KNeighbors, LogisticRegression, OneClassSupportVectors, SupportVectors
from fraud.model.forests import DecisionTree, IsolationForest, RandomForest
from fraud.model.learner import Learner
from fraud.model.networks import Autoencoder, Perceptron

# Each class is told its own parameters: `hyperparameters.read` sees to it.
ALGORITHMS: dict[str, type[Learner[Any]]] = {
    "xgboost": BoostedTrees,
    "logistic-regression": LogisticRegression,
    "decision-tree": DecisionTree,
    "random-forest": RandomForest,
    "k-neighbors": KNeighbors,
    "svc": SupportVectors,
    "mlp": Perceptron,
    "isolation-forest": IsolationForest,
    "one-class-svm": OneClassSupportVectors,
    "autoencoder": Autoencoder,
}
