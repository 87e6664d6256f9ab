"""Correlations on the rows as they are and on a balanced sample of them, side by side."""

from collections.abc import Mapping

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
    found = _made_by_class(even, honest)
    if found is None:
        sentence = "No two columns of numbers go together more on the balanced rows than among the honest ones"
        return Finding(f"{sentence} (columns that vary: {len(honest)}).", figure, {"columns": len(honest)})
    tables = {"all": every, "balanced": even, "honest": honest}
    pair = {name: float(table.loc[found]) for name, table in tables.items()}
    return Finding(_pair_told(found, pair, even, len(balance)), figure, pair)


def _pair_told(names: tuple[str, str], pair: Mapping[str, float], even: pd.DataFrame, rows: int) -> str:
    both_move = even.loc[list(names), LABEL].abs().min() > chance(rows)
    return (
        f"{names[0]} and {names[1]} go together with r = {pair['all']:.2f} on all rows and {pair['balanced']:.2f} on "
        f"the {rows:,} balanced ones, where r is up to {chance(rows):.2f} by chance"
        f"{' and the class moves both' if both_move else ''}; among the honest rows alone it is {pair['honest']:.2f}. "
        "What the balanced matrix adds to that of the honest rows pictures frauds and chance, not how payments are."
    )


def chance(rows: int) -> float:
    """Return three standard errors of a correlation that is none."""
    return min(1.0, ERRORS / float(np.sqrt(rows)))


def _name_axes(axes: Axes, names: list[str]) -> None:
    axes.grid(visible=False)
    shown = names if len(names) <= MOST_NAMES else []
    axes.set_xticks(range(len(shown)), shown, rotation=90, fontsize=7)
    axes.set_yticks(range(len(shown)), shown, fontsize=7)


def _made_by_class(even: pd.DataFrame, honest: pd.DataFrame) -> tuple[str, str] | None:
    """Return the pair of columns whose correlation on balanced rows exceeds that among honest rows most, if any."""
    excess = (even.loc[honest.index, honest.index].abs() - honest.abs()).fillna(0.0).to_numpy()
    above = np.triu(excess, 1)
    if not (above > 0).any():
        return None
    first, second = divmod(int(np.argmax(above)), len(excess))
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
    strength = {"all": float(every.abs().mean()), "balanced": float(even.abs().mean())}
    sentence = (
        f"{_told(even, chance(len(balance)))}. Over all columns of numbers |r| has a mean of "
        f"{strength['all']:.2f} on all rows and of {strength['balanced']:.2f} on the balanced ones, and nothing about "
        "fraud differs between the two."
    )
    return Finding(sentence, figure, strength)


def _told(even: pd.Series, error: float) -> str:
    """Say which columns go with fraud further than chance does."""
    order = even.sort_values().index
    down = [name for name in order[:STRONGEST] if even[name] < -error]
    up = [name for name in order[::-1][:STRONGEST] if even[name] > error]
    parts = [f"with {end} {listed(names)}" for end, names in (("low", down), ("high", up)) if names]
    if not parts:
        return f"No column goes with fraud beyond an r of {error:.2f} on the balanced rows, which chance reaches too"
    return f"Fraud goes {' and '.join(parts)}"
