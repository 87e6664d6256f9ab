"""Outliers by the rule of 1.5 interquartile ranges, and what becomes of fraud when they are dropped."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from notebooks.exploration.finding import CLASSES, Finding, listed, mark, name_rows, panels, percent
from notebooks.exploration.folds import Unseen, ranking, unseen
from notebooks.exploration.rows import frame
from numpy.typing import NDArray

from fraud.channels import Channel
from fraud.drawing import BLUE, INK, ORANGE
from fraud.model.evaluation import Figure
from fraud.model.learner import Labelled
from fraud.model.scores import Labels

REACH = 1.5
TITLES = {"every row": "fences of all rows", "the frauds": "fences of the frauds"}

type Flags = NDArray[np.bool_]


def beyond(X: pd.DataFrame, names: Sequence[str], fenced_by: Flags | None = None) -> Flags:
    """Tell which rows lie outside the fences in any of the columns; `fenced_by` are the rows that place the fences."""
    placing = X if fenced_by is None else X[fenced_by]
    outside = np.zeros(len(X), dtype=bool)
    for name in names:
        low, high = placing[name].quantile([0.25, 0.75])
        reach = REACH * (high - low)
        outside |= ((X[name] < low - reach) | (X[name] > high + reach)).to_numpy()
    return outside


def outside_by_column(X: pd.DataFrame, y: Labels, names: Sequence[str]) -> Finding:
    """Draw which part of each class lies outside the fences, column by column and in any of them."""
    figure, axes = panels(1, 2, 3.6)
    dropped = {}
    for one, (placing, fenced_by) in zip(axes, {"every row": None, "the frauds": y == 1}.items(), strict=True):
        groups = {name: [name] for name in names} | {"any of them": list(names)}
        outside = {group: beyond(X, columns, fenced_by) for group, columns in groups.items()}
        _draw_shares(one, outside, y)
        one.set_title(TITLES[placing], fontsize=11)
        dropped[placing] = [int(outside["any of them"][y == label].sum()) for label in (0, 1)]
    axes[0].legend(loc="upper left")
    (honest, frauds), (honest_too, frauds_too) = dropped.values()
    sentence = (
        f"Outside the fences that all rows place in {listed(names)} lie {frauds:,} of the "
        f"{int(y.sum()):,} frauds and {percent(honest / (y == 0).sum())} of the honest rows, and dropping outliers "
        f"drops them. Fences placed by the frauds alone leave out {frauds_too:,} frauds and {honest_too:,} honest rows."
    )
    return Finding(sentence, figure, {"frauds": frauds, "honest": honest, "frauds by label": frauds_too})


def _draw_shares(axes: Axes, outside: Mapping[str, Flags], y: Labels) -> None:
    places = np.arange(len(outside))
    for label, colour, name in CLASSES:
        shares = [100 * flags[y == label].mean() for flags in outside.values()]
        bars = axes.bar(places + 0.4 * label - 0.2, shares, 0.38, color=colour, label=name)
        axes.bar_label(bars, [f"{value:.0f}" for value in shares], padding=2, fontsize=7.5, color=INK)
    axes.set_xticks(places, list(outside))
    axes.set(ylabel="outside, % of the class", ylim=(0, 118))
    axes.grid(visible=False, axis="x")


def trap(rows: Labelled, channel: Channel, names: Sequence[str]) -> tuple[Finding, Unseen]:
    """Draw what dropping outliers does to average precision, on all rows and on those left; return all rows' scores.

    Every row is scored by a model that has not seen it; the rows that train are the ones that are cleaned.
    """
    X, told = frame(channel.schema, rows), {"resampling": "none"}
    plain = unseen(rows, channel.schema, told)
    base = plain.figure(ranking)
    figures = {"nothing dropped": (base, base)}
    for name, fenced_by in (("outliers dropped", None), ("outliers of the frauds dropped", rows.y == 1)):
        kept = np.flatnonzero(~beyond(X, names, fenced_by))
        cleaned = unseen(rows, channel.schema, told, kept)
        figures[name] = cleaned.figure(ranking), cleaned.figure(ranking, kept)
    return _trap_drawn(figures), plain


def _trap_drawn(figures: Mapping[str, tuple[Figure, Figure]]) -> Finding:
    figure, (axes,) = panels(1, 1, 2.6)
    for place, (on_all, on_left) in enumerate(figures.values()):
        mark(axes, on_all, place - 0.14 * (place > 0), BLUE, None if place else "measured on all rows")
        if place:
            mark(axes, on_left, place + 0.14, ORANGE, None if place > 1 else "measured on the rows left")
    name_rows(axes, figures)
    axes.set(xlabel="average precision of a model trained on the rows left, with its 95 % interval")
    axes.margins(x=0.12)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    (base, _), *cleaned = figures.values()
    return Finding(dropping_told(base, cleaned), figure, {name: on_all.value for name, (on_all, _) in figures.items()})


def dropping_told(base: Figure, cleaned: Sequence[tuple[Figure, Figure]]) -> str:
    """Say what fences of all rows, and fences of the frauds, do to the figures on all rows and on those left."""
    places = ["below" if one.value < base.low else "above" if one.value > base.high else "within" for one, _ in cleaned]
    better = [name for name, (one, left) in zip(("first", "second"), cleaned, strict=True) if left.value > one.value]
    which = {0: "neither model", 1: f"the {''.join(better)} model", 2: "both models"}[len(better)]
    (first, first_left), (second, second_left) = cleaned
    return (
        f"With nothing dropped the average precision is {base.value:.3f} ({base.low:.3f} to {base.high:.3f}). Trained "
        f"without outliers and measured on all rows it is {first.value:.3f}, {places[0]} that interval; with the "
        f"fences of the frauds {second.value:.3f}, {places[1]} it. The rows left, measured alone, flatter {which}: "
        f"{first_left.value:.3f} and {second_left.value:.3f}; they are not all that a model meets, as a payment beyond "
        "the fences has to be scored too, and the second fences come from labels, also those of the measured rows."
    )
