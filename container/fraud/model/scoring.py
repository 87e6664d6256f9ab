"""A row's numbers to its margin, its probability and the decision."""

from dataclasses import dataclass

import numpy as np

from fraud.model.algorithms import BoostedTrees
from fraud.model.calibration import Platt
from fraud.model.scores import Scores
from fraud.model.thresholds import Threshold
from fraud.schema import Matrix


@dataclass(frozen=True)
class FraudModel:
    """All that scoring computes with; `amount_position` is where the threshold's amount column stands."""

    learner: BoostedTrees
    calibration: Platt
    threshold: Threshold
    amount_position: int | None = None

    def score(self, X: Matrix) -> Scores:
        """Score rows that fit the schema: float32 (rows, columns)."""
        margin = self.learner.raw_score(X)
        probability = self.calibration.probability(margin)
        amount = None if self.amount_position is None else X[:, self.amount_position].astype(np.float64)
        return Scores(margin, probability, self.threshold.flag(probability, amount))
