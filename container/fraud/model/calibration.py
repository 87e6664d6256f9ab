"""From margins to probabilities: Platt scaling, monotone, so that the ranking stays as it is."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from fraud.model.scores import Floats, Labels

# A ranking no better than chance has no slope to fit; this, over the standard deviation of the margins, keeps it
# monotone at about the base rate.
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
        centre, scale = float(np.mean(margin)), float(np.std(margin)) if np.ptp(margin) else 1.0
        standard = (margin - centre) / scale
        regression = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
        regression.fit(
            np.concatenate([standard, standard])[:, None],
            np.repeat([1, 0], len(y)),
            sample_weight=np.concatenate([target, 1 - target]),
        )
        slope, intercept = float(regression.coef_[0, 0]), float(regression.intercept_[0])
        if slope < LEAST_SLOPE:
            slope, intercept = LEAST_SLOPE, float(np.log(frauds / honest))
        return cls(slope / scale, intercept - slope / scale * centre)

    def probability(self, margin: Floats) -> Floats:
        """Return the calibrated probability of fraud of each margin: float64 (rows), 0..1."""
        # 1 / (1 + exp(-z)) that overflows nowhere, without the third of a second that SciPy takes to load
        probability: Floats = np.exp(-np.logaddexp(0.0, -(self.slope * margin + self.intercept)))
        return probability
