"""From margins to probabilities: Platt scaling, monotone, so that the ranking stays as it is."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import expit

from fraud.model.scores import Floats, Labels

# A ranking no better than chance has no slope to fit; this keeps it monotone at about the base rate.
LEAST_SLOPE = 1e-3


@dataclass(frozen=True)
class Platt:
    """Probability = 1 / (1 + exp(-(slope x margin + intercept)))."""

    slope: float
    intercept: float

    @classmethod
    def fit(cls, margin: Floats, y: Labels) -> Self:
        """Fit on held-out rows, with Platt's smoothed targets (Platt 1999, section 2.2).

        The targets keep the slope finite where the margins separate the classes.
        """
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - serving never fits, and starts sooner

        frauds = int(np.count_nonzero(y))
        honest = len(y) - frauds
        target = np.where(y == 1, (frauds + 1) / (frauds + 2), 1 / (honest + 2))
        scale = float(np.std(margin)) or 1.0
        regression = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
        regression.fit(
            np.concatenate([margin, margin])[:, None] / scale,
            np.repeat([1, 0], len(y)),
            sample_weight=np.concatenate([target, 1 - target]),
        )
        slope, intercept = float(regression.coef_[0, 0]) / scale, float(regression.intercept_[0])
        if slope < LEAST_SLOPE:
            return cls(LEAST_SLOPE, float(np.log(frauds / honest) - LEAST_SLOPE * margin.mean()))
        return cls(slope, intercept)

    def probability(self, margin: Floats) -> Floats:
        """Return the calibrated probability of fraud of each margin: float64 (rows), 0..1."""
        probability: Floats = expit(self.slope * margin + self.intercept)
        return probability
