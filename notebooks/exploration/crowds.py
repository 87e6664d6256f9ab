"""All columns in two dimensions: PCA and t-SNE of a crowd of rows, coloured by class."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from notebooks.exploration.finding import CLASSES, Finding, panels, percent
from notebooks.exploration.rows import Positions, numbers
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from fraud.errors import ColumnError
from fraud.model.scores import Floats, Labels

PERPLEXITY = 30
# A t distribution with heavy tails fills a plane with its outliers: the axes show all but this share at each end.
CUT = 0.002


@dataclass(frozen=True)
class Plane:
    """Standardised columns, missing cells at the median, on their two principal components."""

    medians: pd.Series
    scaler: StandardScaler
    components: PCA

    @classmethod
    def of(cls, X: pd.DataFrame) -> "Plane":
        known = numbers(X)
        if known.shape[1] < 2:
            raise ColumnError(f"a plane needs two columns of numbers; there is {', '.join(map(str, known)) or 'none'}")
        medians = known.median()
        scaler = StandardScaler().fit(known.fillna(medians).to_numpy())
        standard = scaler.transform(known.fillna(medians).to_numpy())
        return cls(medians, scaler, PCA(2, random_state=0).fit(standard))

    def standard(self, X: pd.DataFrame) -> Floats:
        filled: Floats = self.scaler.transform(X[self.medians.index].fillna(self.medians).to_numpy())
        return filled

    def place(self, X: pd.DataFrame) -> Floats:
        """Return where each row lies: float64 (rows, 2)."""
        placed: Floats = self.components.transform(self.standard(X))
        return placed


def projections(X: pd.DataFrame, y: Labels, crowd: Positions) -> Finding:
    """Draw PCA and t-SNE of the rows of a crowd, with the seconds that each took."""
    some, labels = X.iloc[crowd], y[crowd]
    start = time.perf_counter()
    plane = Plane.of(some)
    linear = plane.place(some)
    seconds = [time.perf_counter() - start]
    start = time.perf_counter()
    perplexity = min(PERPLEXITY, (len(some) - 1) / 3)
    bent = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(plane.standard(some))
    seconds.append(time.perf_counter() - start)
    figure, axes = panels(1, 2, 4.8)
    for one, name, points, taken in zip(axes, ("PCA", "t-SNE"), (linear, bent), seconds, strict=True):
        scatter(one, points, labels)
        one.set_title(f"{name} of {len(some):,} rows, {taken:.2g} s", fontsize=11)
    axes[0].legend(loc="best", markerscale=1.5)
    near = [_beside_frauds(points, labels) for points in (linear, bent)]
    explained = float(plane.components.explained_variance_ratio_.sum())
    sentence = (
        f"Two principal components hold {percent(explained)} of the variance; in their plane {percent(near[0])} of the "
        f"frauds have a fraud for their nearest neighbour, and in t-SNE's {percent(near[1])}, where "
        f"{percent(float(labels.mean()))} of these rows are frauds. Missing cells are drawn at the median, and "
        "categories not at all; distances and sizes in t-SNE mean little."
    )
    return Finding(sentence, figure, {"explained": explained, "pca": near[0], "t-sne": near[1]})


def _beside_frauds(points: Floats, y: Labels) -> float:
    _, nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points[y == 1])
    return float(y[nearest[:, 1]].mean())


def scatter(axes: Axes, points: Floats, y: Labels) -> None:
    """Draw rows as dots, frauds above the others, without the ticks that mean nothing in such a plane."""
    for label, colour, name in CLASSES:
        x, height = points[y == label].T
        size, alpha = (16, 0.8) if label else (6, 0.3)
        axes.scatter(x, height, size, color=colour, alpha=alpha, linewidth=0, label=name)
    axes.set(xticks=[], yticks=[])
    low, high = np.quantile(points, [CUT, 1 - CUT], axis=0)
    margin = 0.1 * (high - low)
    axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
