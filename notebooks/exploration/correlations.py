"""Correlations on the rows as they are and on a balanced sample of them, side by side."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from notebooks.exploration.finding import Finding, listed, panels
from notebooks.exploration.rows import Positions

from fraud.drawing import BLUE, GREEN, INK
from fraud.model.scores import Labels

LABEL = "(fraud)"
STRONGEST = 4
ERRORS = 3
MOST_NAMES = 45


def correlations(X: pd.DataFrame, y: Labels) -> pd.DataFrame:
    """Return Pearson's r between all columns of numbers that vary, and the label as the last of them."""
    numbers = X.select_dtypes("number")
    varying = numbers.loc[:, numbers.nunique() > 1]
    return varying.assign(**{LABEL: y.astype(float)}).corr().fillna(0.0)


def matrices(X: pd.DataFrame, y: Labels, balance: Positions) -> Finding:
    """Draw the correlation matrix of all rows beside that of as many rows of each class."""
    every, even = correlations(X, y), correlations(X.iloc[balance], y[balance])
    both = [str(name) for name in every if name in even]
    every, even = every.loc[both, both], even.loc[both, both]
    figure, axes = panels(1, 2, 5.4)
    for one, matrix, rows in zip(axes, (every, even), (len(X), len(balance)), strict=True):
        image = one.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
        _name_axes(one, both)
        one.set_title(f"{'all' if matrix is every else 'balanced'}: {rows:,} rows", fontsize=11)
    figure.colorbar(image, ax=axes, shrink=0.7, label="correlation")
    honest = X.loc[y == 0, [name for name in both if name != LABEL]].corr()
    first, second = _made_by_class(even, honest)
    tables = {"all": every, "balanced": even, "honest": honest}
    pair = {name: float(table[first][second]) for name, table in tables.items()}
    sentence = (
        f"{first} and {second} go together with r = {pair['all']:.2f} on all rows and {pair['balanced']:.2f} on the "
        f"balanced ones, where half of the rows are frauds and the class moves both; among the honest rows alone it is "
        f"{pair['honest']:.2f}. A dark balanced matrix is a picture of the class, not of how payments are."
    )
    return Finding(sentence, figure, pair)


def _name_axes(axes: Axes, names: list[str]) -> None:
    axes.grid(visible=False)
    shown = names if len(names) <= MOST_NAMES else []
    axes.set_xticks(range(len(shown)), shown, rotation=90, fontsize=7)
    axes.set_yticks(range(len(shown)), shown, fontsize=7)


def _made_by_class(even: pd.DataFrame, honest: pd.DataFrame) -> tuple[str, str]:
    """Return the pair of columns whose correlation on balanced rows exceeds that among honest rows most."""
    excess = (even.loc[honest.index, honest.index].abs() - honest.abs()).fillna(0.0).to_numpy()
    first, second = divmod(int(np.argmax(np.triu(excess, 1))), len(excess))
    return str(honest.columns[first]), str(honest.columns[second])


def with_label(X: pd.DataFrame, y: Labels, balance: Positions) -> Finding:
    """Draw each column's correlation with the label, on all rows and on the balanced ones."""
    every, even = (
        table[LABEL].drop(LABEL) for table in (correlations(X, y), correlations(X.iloc[balance], y[balance]))
    )
    order = even.sort_values().index.intersection(every.index)
    figure, (axes,) = panels(1, 1, 3.6)
    places = np.arange(len(order))
    axes.bar(places - 0.2, every[order], 0.4, color=BLUE, label=f"all {len(X):,} rows")
    axes.bar(places + 0.2, even[order], 0.4, color=GREEN, label=f"{len(balance):,} balanced rows")
    axes.set_xticks(places, order, rotation=90)
    axes.set(ylabel="correlation with the label", xlim=(-0.8, len(order) - 0.2))
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.grid(visible=False, axis="x")
    axes.legend(loc="upper left")
    plain = ERRORS / np.sqrt(len(balance))  # three standard errors of a correlation that is none
    down = [name for name in order[:STRONGEST] if even[name] < -plain]
    up = [name for name in order[::-1][:STRONGEST] if even[name] > plain]
    strength = {"all": float(every.abs().mean()), "balanced": float(even.abs().mean())}
    sentence = (
        f"Fraud goes with low {listed(down)} and with high {listed(up)}. Over all columns |r| has a mean of "
        f"{strength['all']:.2f} on all rows and of {strength['balanced']:.2f} on the balanced ones, and nothing about "
        "fraud differs between the two."
    )
    return Finding(sentence, figure, strength)
