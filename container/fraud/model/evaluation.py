"""How good the scores are: figures with bootstrap intervals, and the curves of the report."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fraud.model.scores import Flags, Floats, Labels, Scores

REPLICATES = 200
CONFIDENCE = 0.95
# Fraud probabilities crowd near 0, where equal steps would hold every row in one bin.
RELIABILITY_EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Figure:
    """A measure and its 95 % interval (percentile bootstrap; Efron and Tibshirani 1993, chapter 13)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class _Ranking:
    """Rows from the highest probability down; `ends` are the last rows of equal probabilities."""

    y: Floats
    probability: Floats
    flagged: Floats
    ends: NDArray[np.intp]

    def measures(self, weights: Floats, k: int) -> dict[str, float]:
        """Return every measure of the rows, each counted as often as its weight says."""
        rows = np.cumsum(weights)
        frauds = np.cumsum(weights * self.y)
        total, positive = rows[-1], frauds[-1]
        true = np.concatenate([[0.0], frauds[self.ends]])
        false = np.concatenate([[0.0], rows[self.ends]]) - true
        steps = np.diff(true)
        precisions = true[1:] / np.maximum(rows[self.ends], 1)
        alerts = float(weights @ self.flagged)
        hits = weights @ (self.flagged * self.y)
        last = min(int(np.searchsorted(rows, k)), len(rows) - 1)
        clipped = np.clip(self.probability, 1e-15, 1 - 1e-15)
        losses = np.where(self.y > 0, -np.log(clipped), -np.log1p(-clipped))
        return {
            "average_precision": float(steps @ precisions / positive),
            "roc_auc": float((np.diff(false) @ (true[1:] + true[:-1])) / (2 * positive * (total - positive))),
            "precision": float(hits / max(alerts, 1)),
            "recall": float(hits / positive),
            "f1": float(2 * hits / (alerts + positive)),
            "precision_at_k": float(frauds[last] / float(rows[last])),
            "recall_at_k": float(frauds[last] / positive),
            "brier": float(weights @ (self.probability - self.y) ** 2 / total),
            "logloss": float(weights @ losses / total),
        }


def evaluate(y: Labels, scores: Scores, k: int, seed: int) -> dict[str, Figure]:
    """Measure calibrated probabilities and decisions on rows at their true class balance.

    `k` is how many of the highest rows are looked at for precision and recall at k.
    """
    order = np.argsort(-scores.probability, kind="stable")
    ranked = scores.probability[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    ranking = _Ranking(y[order].astype(float), ranked, scores.flagged[order].astype(float), ends)
    point = ranking.measures(np.ones(len(y)), k)
    rng = np.random.default_rng(seed)
    drawn = [ranking.measures(weights, k) for weights in _draws(ranking.y, rng)]
    tail = 50 * (1 - CONFIDENCE)
    figures = {}
    for name, value in point.items():
        low, high = np.percentile([replicate[name] for replicate in drawn] or [value], [tail, 100 - tail])
        figures[name] = Figure(value, float(low), float(high))
    return figures


def _draws(y: Floats, rng: np.random.Generator) -> Iterator[Floats]:
    """Draw rows with replacement, one draw at a time; one with one class only has no measures and is left out."""
    counts = (np.bincount(rng.integers(0, len(y), len(y)), minlength=len(y)) for _ in range(REPLICATES))
    return (count.astype(float) for count in counts if 0 < count @ y < len(y))


def average_precision(y: NDArray[Any], scores: NDArray[Any]) -> float:
    """Return the sum of precision x step in recall over distinct scores, as scikit-learn defines it.

    Only the ranks of the frauds are needed, so this sorts values and no indices: it runs once a round.
    """
    honest, frauds = np.sort(scores[y == 0]), np.sort(scores[y == 1])
    if not len(frauds):
        return 0.0
    cuts, counts = np.unique(frauds, return_counts=True)
    true = len(frauds) - np.searchsorted(frauds, cuts, side="left")
    false = len(honest) - np.searchsorted(honest, cuts, side="left")
    return float((counts * true / (true + false)).sum() / len(frauds))


def average_precision_gain(y: Labels, simple: Floats, other: Floats, seed: int) -> Figure:
    """Return how much average precision `other` gains over `simple`, by a bootstrap over the same rows."""
    rng = np.random.default_rng(seed)
    gains = []
    for _ in range(REPLICATES):
        rows = rng.integers(0, len(y), len(y))
        gains.append(average_precision(y[rows], other[rows]) - average_precision(y[rows], simple[rows]))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(gains, [tail, 100 - tail])
    return Figure(average_precision(y, other) - average_precision(y, simple), float(low), float(high))


def confusion(y: Labels, flagged: Flags) -> dict[str, int]:
    """Count rows by what they are and what was said of them."""
    return {
        "true_positive": int(np.count_nonzero(flagged & (y == 1))),
        "false_positive": int(np.count_nonzero(flagged & (y == 0))),
        "false_negative": int(np.count_nonzero(~flagged & (y == 1))),
        "true_negative": int(np.count_nonzero(~flagged & (y == 0))),
    }


def reliability(y: Labels, probability: Floats) -> list[dict[str, float]]:
    """Return, for each bin of probability that holds rows, the mean probability and the observed fraud rate."""
    bins = np.digitize(probability, RELIABILITY_EDGES[1:-1])
    table = []
    for number in np.unique(bins):
        rows = bins == number
        count = float(np.count_nonzero(rows))
        table.append({"rows": count, "predicted": float(probability[rows].mean()), "observed": float(y[rows].mean())})
    return table


def calibration_figures(y: Labels, probability: Floats) -> Mapping[str, float]:
    """Return Brier score, expected calibration error (Naeini et al. 2015, over our bins), predicted:observed."""
    gaps = [row["rows"] * abs(row["predicted"] - row["observed"]) for row in reliability(y, probability)]
    return {
        "brier": float(np.mean((probability - y) ** 2)),
        "expected_calibration_error": sum(gaps) / len(y),
        "predicted_to_observed": float(probability.sum() / y.sum()),
    }
