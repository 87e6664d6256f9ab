"""Curves over all thresholds, as points that a page can draw."""

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from fraud.model.scores import Floats, Labels

MOST_POINTS = 400


def curves(y: Labels, probability: Floats) -> dict[str, list[list[float]]]:
    """Return the precision-recall curve and the ROC curve, thinned to what an eye can tell apart."""
    precision, recall, _ = precision_recall_curve(y, probability, drop_intermediate=True)
    false_rate, true_rate, _ = roc_curve(y, probability, drop_intermediate=True)
    return {
        "precision_recall": _points(recall[::-1], precision[::-1]),
        "roc": _points(false_rate, true_rate),
    }


def _points(x: Floats, y: Floats) -> list[list[float]]:
    chosen = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).astype(int))
    return [[float(x[index]), float(y[index])] for index in chosen]
