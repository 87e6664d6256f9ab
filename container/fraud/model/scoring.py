"""A row's numbers to its raw score, its probability, the decision, and the reasons for it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fraud.model.calibration import Platt
from fraud.model.learner import Learner
from fraud.model.reasons import BLOCK_ROWS, Reason, exact, strongest
from fraud.model.scores import Scores
from fraud.model.thresholds import Threshold
from fraud.schema import Matrix, Schema


@dataclass(frozen=True)
class FraudModel:
    """All that scoring computes with; `amount_position` is where the threshold's amount column stands.

    `threshold` flags a row; `decline` is the probability from which a flagged row needs no review.
    """

    learner: Learner[Any]
    calibration: Platt
    threshold: Threshold
    decline: Threshold
    amount_position: int | None = None

    def score(self, X: Matrix) -> Scores:
        """Score rows that fit the schema: float32 (rows, columns)."""
        raw_score = self.learner.raw_score(X)
        probability = self.calibration.probability(self.learner.link(raw_score))
        amount = None if self.amount_position is None else X[:, self.amount_position].astype(np.float64)
        flagged = self.threshold.flag(probability, amount)
        return Scores(raw_score, probability, flagged, flagged & (probability >= self.decline.value))

    def explain(
        self, X: Matrix, scores: Scores, schema: Schema, count: int, above: float
    ) -> list[tuple[Reason, ...] | None]:
        """Return the strongest `count` reasons of each row whose probability reaches `above`, None for the others."""
        asked = np.flatnonzero(scores.probability >= above)
        rows: list[tuple[Reason, ...] | None] = [None] * len(scores)
        for start in range(0, len(asked), BLOCK_ROWS):
            block = asked[start : start + BLOCK_ROWS]
            contributions = exact(self.learner.contributions(X[block]), scores.raw_score[block])
            found = strongest(contributions[:, :-1], X[block], schema.columns, count)
            for index, reasons in zip(block, found, strict=True):
                rows[index] = reasons
        return rows

    def base_value(self, columns: int) -> float:
        """Return what contributions start from: the raw score that the learner expects of a training row."""
        missing = np.full((1, columns), np.nan, dtype=np.float32)
        return float(self.learner.contributions(missing)[0, -1])
