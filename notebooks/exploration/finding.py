"""What a cell of the notebook shows: a sentence whose numbers were computed, and the picture that it speaks of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import matplotlib as mpl
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from fraud.drawing import BLUE, GREEN, INK, ORANGE, STYLE
from fraud.model.evaluation import Figure as Measured

HONEST, FRAUD, MADE = BLUE, ORANGE, GREEN
CLASSES = ((0, HONEST, "honest"), (1, FRAUD, "fraud"))
DOTS_PER_INCH = 100
WIDTH_INCHES = 10.5
MOST_ACROSS = 5


@dataclass(frozen=True)
class Finding:
    """A sentence, its picture, and the numbers that the sentence states."""

    sentence: str
    figure: Figure
    numbers: Mapping[str, float]

    def _ipython_display_(self) -> None:
        """Show both where a cell ends with a finding."""
        display(Markdown(self.sentence), self.figure)


def use_house_style() -> None:
    """Draw from here on as the training report does, and cut no words short in tables."""
    mpl.rcParams.update({**STYLE, "figure.dpi": DOTS_PER_INCH})
    pd.set_option("display.max_colwidth", None)


def panels(
    rows: int, columns: int, height: float, *, share: bool = False, ratios: tuple[float, ...] | None = None
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure as wide as a cell, and its axes row by row; `height` is that of the whole, in inches."""
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share, height_ratios=ratios)
    return figure, [one for line in axes for one in line]


def grid(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """Return as many panels as are asked for, on the same axes, up to five in a line; `height` is that of a line."""
    lines = -(-count // MOST_ACROSS)
    figure, axes = panels(lines, -(-count // lines), height * lines + 0.3, share=True)
    for one in axes[count:]:
        one.set_visible(False)
    for one in axes[:count]:
        one.tick_params(labelbottom=True)  # those above an empty place too
    return figure, axes[:count]


def plain_ticks(axis: Axis, *, steps: tuple[float, ...] = (1.0,)) -> None:
    """Write 0.01 and 10,000 on a logarithmic axis; `steps` are the ticks within a power of ten."""
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axis.set_minor_locator(NullLocator())


def name_rows(axes: Axes, names: Iterable[str]) -> None:
    """Give each line of marks a name at its left, from the top down."""
    listed = list(names)
    axes.set_yticks(range(len(listed)), listed, color=INK)
    axes.set_ylim(len(listed) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def mark(axes: Axes, found: Measured, place: float, colour: str, label: str | None = None) -> None:
    """Draw a figure as a dot on its interval, with its value behind it."""
    axes.plot([found.low, found.high], [place, place], color=colour)
    axes.plot([found.value], [place], "o", color=colour, label=label)
    text = f"{found.value:#.3g}"
    axes.annotate(text, (found.high, place), (6, -3), textcoords="offset points", fontsize=9, color=INK)


def percent(part: float) -> str:
    """Write a part of 1 as a percentage of at most three digits, more just short of 100: 0.172 %, 99.99 %."""
    text = f"{100 * part:.3g}"
    if text == "100" and part < 1:
        text = f"{100 - float(f'{100 - 100 * part:.1g}'):.12g}"
    return f"{text}\N{NO-BREAK SPACE}%"


def listed(words: Iterable[str]) -> str:
    """Join words as a sentence does: one, two and three; nothing is "none"."""
    *most, last = list(words) or ["none"]
    return f"{', '.join(most)} and {last}" if most else last
