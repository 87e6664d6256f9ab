"""What pages are made of: their templates, figures as text, and plots as SVG inside them."""

import io
import json
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import matplotlib as mpl
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

INK, MUTED, LINE = "#1f2937", "#64748b", "#e2e8f0"
BLUE, ORANGE, GREEN, RED = "#2563eb", "#c2410c", "#0f766e", "#be123c"
STYLE: Final[Mapping[Any, Any]] = {  # matplotlib types the keys as a union of all its names
    "axes.axisbelow": True,
    "axes.edgecolor": "#94a3b8",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "grid.color": LINE,
    "legend.columnspacing": 1.4,
    "legend.edgecolor": LINE,
    "legend.fontsize": 9.5,
    "legend.framealpha": 0.92,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # a "$" in a column's name is a "$"
    "xtick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
}
# A dot that lies on an edge of its axes is whole.
DOT: Final[Mapping[str, Any]] = {"clip_on": False, "zorder": 5}
GUESSING: Final[Mapping[str, Any]] = {"color": MUTED, "linestyle": "--", "linewidth": 1.2}
NO_METADATA: Final = dict.fromkeys(("Creator", "Date", "Format", "Type"))
WIDTH_INCHES, HEIGHT_INCHES = 5.2, 3.9


def environment(door: str) -> Environment:
    """Return what renders the templates of a door, which share the style sheet."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader("fraud", door), PackageLoader("fraud", "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": number, "rounded": rounded, "share": share, "stated": stated}
    return made


def number(value: float) -> str:
    """Write a figure with 4 significant digits, a count with its thousands apart."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.4g}".removesuffix(".")


def rounded(value: float) -> str:
    """Write a measured time with the 2 significant digits that a clock repeats."""
    near = float(f"{value:.2g}")
    return f"{near:,.0f}" if near >= 10 else f"{near:g}"


def share(value: float) -> str:
    """Write a part of 1 as a percentage."""
    return f"{number(100 * value)}\N{NO-BREAK SPACE}%"


def stated(value: object) -> str:
    """Write a hyperparameter as a job states it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def svg(salt: str, draw: Callable[[], Figure]) -> str:
    """Return a plot as an SVG element; the salt keeps its ids apart from those of the page's other plots."""
    content = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": salt}), warnings.catch_warnings():
        # The fonts of the reader's browser draw the text; the one here only tells how wide it is.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        figure = draw()
        figure.savefig(content, format="svg", metadata=NO_METADATA)
    width, height = figure.get_size_inches() * 72
    # Before the first </defs> stand the prologue, the size, and a style sheet that would reach the whole page.
    _, _, drawn = content.getvalue().partition("</defs>")
    return f'<svg viewBox="0 0 {width:g} {height:g}">' + re.sub(r'<g id="[^"]*"', "<g", drawn)


def plot(x: str, y: str, height: float = HEIGHT_INCHES) -> tuple[Figure, Axes]:
    """Return an empty plot whose axes are called so."""
    made = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    axes = made.add_subplot()
    axes.set(xlabel=x, ylabel=y)
    return made, axes


def unit_square(x: str, y: str, height: float = HEIGHT_INCHES) -> tuple[Figure, Axes]:
    """Return an empty plot of two shares."""
    made, axes = plot(x, y, height)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03))
    return made, axes


def legend(figure: Figure, axes: Axes, columns: int = 1) -> None:
    """Explain the lines of axes below them: inside, it would hide some curve of some model."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=columns, frameon=False)


def plain_ticks(axis: Axis) -> None:
    """Write the ticks of a logarithmic axis as plain numbers, and leave out those between."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
