"""How far rows have moved from the training rows: the population stability index of each column and of the score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fraud.model.scores import Floats
from fraud.schema import Column, Matrix

# A share of nothing would make the index infinite; this is the usual floor.
LEAST_SHARE = 1e-4
DECILES = tuple(step / 10 for step in range(1, 10))
# Most rows score near 0: the deciles say nothing of the few that are flagged.
SCORE_QUANTILES = (*DECILES, 0.95, 0.99, 0.999)
# Categories up to this many have a bin each.
MOST_CATEGORIES = 20

type Values = NDArray[np.float32] | Floats


@dataclass(frozen=True)
class Bins:
    """Where the values of one column fall: at most the first edge, between edges, beyond the last, missing.

    `shares` holds the share of the training rows in each, two more than there are edges.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, values: Values, edges: Sequence[float]) -> Self:
        """Count the values between edges, which ascend."""
        bare = cls(tuple(map(float, edges)), (0.0,) * (len(edges) + 2))
        return cls(bare.edges, tuple((bare.counts(values) / max(len(values), 1)).tolist()))

    def counts(self, values: Values) -> NDArray[np.intp]:
        """Return how many values fall in each bin, the missing ones in the last.

        They are compared as float32, which the watch on drift keeps: many rows may lie just on an edge.
        """
        present = values[~np.isnan(values)].astype(np.float32)
        found = np.bincount(np.searchsorted(self.edges, present), minlength=len(self.edges) + 1)
        return np.append(found, len(values) - len(present))

    def stability(self, values: Values) -> float:
        """Return the population stability index of these values, 0 where they are spread as in training.

        The sum of (share - expected) x ln(share / expected) (Siddiqi 2006, Credit Risk Scorecards, chapter 10). By
        custom, less than 0.1 is no change and more than 0.25 a large one; n rows alone give about (bins - 1) / n.
        """
        if not len(values):
            return 0.0
        share = np.maximum(self.counts(values) / len(values), LEAST_SHARE)
        expected = np.maximum(self.shares, LEAST_SHARE)
        return float(np.sum((share - expected) * np.log(share / expected)))


@dataclass(frozen=True)
class Baseline:
    """The bins of each column, in the schema's order, and of the probability."""

    columns: tuple[Bins, ...]
    probability: Bins

    @classmethod
    def of(cls, X: Matrix, columns: Sequence[Column], probability: Floats) -> Self:
        """Describe rows at their true class balance: float32 (rows, columns), and held-out probabilities."""
        edges = [
            _code_edges(column, X[:, n]) if column.categories else _edges(X[:, n]) for n, column in enumerate(columns)
        ]
        spread = np.unique(np.quantile(probability.astype(np.float32), SCORE_QUANTILES, method="inverted_cdf"))
        return cls(
            tuple(Bins.of(X[:, position], found) for position, found in enumerate(edges)),
            Bins.of(probability, spread.tolist()),
        )

    def stabilities(self, X: Matrix, probability: Values) -> list[float]:
        """Return the index of each column, then that of the probability."""
        found = [bins.stability(X[:, position]) for position, bins in enumerate(self.columns)]
        return [*found, self.probability.stability(probability)]


def _edges(values: NDArray[np.float32]) -> list[float]:
    """Return deciles, with one edge just below the smallest value and one at the largest: what lies outside is seen."""
    present = values[~np.isnan(values)]
    if not len(present):
        return []
    inside = np.quantile(present, DECILES, method="inverted_cdf")
    below = np.nextafter(present.min(), np.finfo(np.float32).min)
    return [float(edge) for edge in np.unique(np.concatenate([[below], inside, [present.max()]]))]


def _code_edges(column: Column, codes: NDArray[np.float32]) -> list[float]:
    """Return edges between the codes of categories; of many categories, ranges of about equal share."""
    if len(column.categories) > MOST_CATEGORIES:
        return _edges(codes)[1:-1]
    return [code + 0.5 for code in range(len(column.categories) - 1)]
