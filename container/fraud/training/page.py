"""The report as one page that loads nothing: figures by a template, curves as SVG inside it."""

from collections.abc import Callable, Mapping
from math import log10, nan
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from fraud.drawing import (
    BLUE,
    DOT,
    GREEN,
    GUESSING,
    HEIGHT_INCHES,
    INK,
    MUTED,
    ORANGE,
    RED,
    WIDTH_INCHES,
    environment,
    legend,
    number,
    plain_ticks,
    plot,
    share,
    svg,
    unit_square,
)

type Document = Mapping[str, Any]

MOST_BARS = 20
LONGEST_LABEL = 24
# Where the axes of probabilities and thresholds end; what is beyond stands at their ends.
LEAST_PROBABILITY = 1e-6
LEAST_THRESHOLD, LARGEST_THRESHOLD = 1e-5, 0.9999
THRESHOLD_TICKS = (1e-5, 1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)


def render(document: dict[str, Any]) -> str:
    """Return the page of a report; equal documents give equal pages."""
    template = environment("training").get_template("report.html.j2")
    return template.render(document, draw=lambda name: svg(name, lambda: PLOTS[name](document)), most_bars=MOST_BARS)


def _precision_recall(document: Document) -> Figure:
    figure, axes = unit_square("recall", "precision")
    recall, precision = zip(*document["curves"]["precision_recall"], strict=True)
    # Between two recalls stands the precision of the higher one: the area below is the average precision.
    axes.plot(recall, precision, drawstyle="steps-pre", color=BLUE, label="model")
    axes.fill_between(recall, precision, step="pre", color=BLUE, alpha=0.08, linewidth=0)
    rate = document["rows"]["held_out"]["frauds"] / _measured(document)
    axes.axhline(rate, label=f"guessing: {number(rate)}", **GUESSING)
    counts = document["confusion"]
    if counts["true_positive"] + counts["false_positive"]:
        reached = document["figures"][document["measured_on"]]
        _mark(axes, reached["recall"]["value"], reached["precision"]["value"])
    legend(figure, axes, 3)
    return figure


def _roc(document: Document) -> Figure:
    figure, axes = unit_square("false positive rate", "true positive rate (recall)")
    false_rate, true_rate = zip(*document["curves"]["roc"], strict=True)
    axes.plot(false_rate, true_rate, color=BLUE, label="model")
    axes.fill_between(false_rate, true_rate, color=BLUE, alpha=0.08, linewidth=0)
    axes.plot([0, 1], [0, 1], label="guessing", **GUESSING)
    counts, rows = document["confusion"], document["rows"]["held_out"]
    _mark(axes, counts["false_positive"] / rows["honest"], counts["true_positive"] / rows["frauds"])
    legend(figure, axes, 3)
    return figure


def _mark(axes: Axes, x: float, y: float) -> None:
    axes.plot([x], [y], "o", color=ORANGE, markersize=8, markeredgecolor="white", label="the decision", **DOT)


def _measured(document: Document) -> int:
    return sum(document["rows"]["held_out"].values())


def _sweep(document: Document) -> Figure:
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES + 0.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.4))
    steps, chosen = document["sweep"], document["threshold"]
    x = [step["threshold"] for step in steps]
    for name, color, line in (("precision", BLUE, "-"), ("recall", GREEN, "--"), ("f1", INK, ":")):
        # Where nothing is flagged there is no precision, and the alert rate has no logarithm.
        y = [step[name] if step["alert_rate"] else nan for step in steps]
        upper.plot(x, y, line, color=color, label=name.replace("f1", "F1"))
    lower.plot(x, [step["alert_rate"] or nan for step in steps], color=RED)
    upper.set(ylim=(-0.03, 1.03))
    lower.set(xlabel="threshold", ylabel="alert rate", yscale="log", ylim=(0.5 / _measured(document), 1.5))
    plain_ticks(lower.yaxis)
    if chosen["amount_column"] is None:
        x.append(min(max(chosen["value"], LEAST_THRESHOLD), LARGEST_THRESHOLD))
        lower.axvline(x[-1], color=ORANGE, linewidth=1.4)
        upper.axvline(x[-1], color=ORANGE, linewidth=1.4, label=f"threshold {number(chosen['value'])}")
    # A logit axis gives room to both ends: small thresholds flag rare frauds, large ones keep precision.
    lower.set(xscale="logit", xticks=THRESHOLD_TICKS, xlim=(0.8 * min(x), 1 - 0.8 * (1 - max(x))))
    plain_ticks(lower.xaxis)
    lower.tick_params(axis="x", pad=7)  # clear of the lowest alert rate, in the same corner
    legend(figure, upper, 4)
    return figure


def _reliability(document: Document) -> Figure:
    figure, axes = plot("mean predicted probability", "observed fraud rate", HEIGHT_INCHES + 0.6)
    bins = [*_bins(document, "before"), *_bins(document, "after")]
    floor = max(min((value for row in bins for value in row[:2] if value > 0), default=1.0) / 2, LEAST_PROBABILITY)
    axes.plot([floor, 1], [floor, 1], label="as predicted", **GUESSING)
    for name, edge, face in (("before", ORANGE, "none"), ("after", BLUE, BLUE)):
        look: dict[str, Any] = {"edgecolor": edge, "facecolor": face, "linewidth": 1.5, "alpha": 0.85, **DOT}
        for marker, has_fraud in (("o", True), ("v", False)):
            rows = [row for row in _bins(document, name) if (row[1] > 0) == has_fraud]
            x, y = ([max(row[place], floor) for row in rows] for place in (0, 1))
            sizes = [35 + 25 * log10(row[2]) for row in rows]
            axes.scatter(x, y, sizes, marker=marker, label=f"{name} calibration" if has_fraud else None, **look)
    axes.set(xscale="log", yscale="log", xlim=(floor, 1.3), ylim=(floor, 1.3))
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis)
    legend(figure, axes, 3)
    return figure


def _bins(document: Document, which: str) -> list[tuple[float, float, float]]:
    """Return mean probability, fraud rate and rows of each bin."""
    return [(row["predicted"], row["observed"], row["rows"]) for row in document["calibration"][f"reliability_{which}"]]


def _importance(document: Document) -> Figure:
    largest = list(document["importance"].items())[:MOST_BARS]
    figure, axes = plot(f"share of {document['importance_of']}", "", 0.8 + 0.23 * len(largest))
    places = range(len(largest))  # not the names: two that are shortened alike keep a bar each
    bars = axes.barh(places, [gain for _, gain in largest], color=BLUE, height=0.66)
    axes.bar_label(bars, [share(gain) for _, gain in largest], padding=4, fontsize=9, color=MUTED)
    axes.set_yticks(places, [_label(name) for name, _ in largest], color=INK)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}\N{NO-BREAK SPACE}%"))
    axes.margins(x=0.2)
    return figure


def _label(name: str) -> str:
    """Shorten a name to what fits beside a bar; the table of columns has it whole."""
    printable = "".join(character if character.isprintable() else " " for character in name)
    return printable if len(printable) <= LONGEST_LABEL else printable[: LONGEST_LABEL - 1] + "\N{HORIZONTAL ELLIPSIS}"


PLOTS: Final[Mapping[str, Callable[[Document], Figure]]] = {
    "precision_recall": _precision_recall,
    "roc": _roc,
    "sweep": _sweep,
    "reliability": _reliability,
    "importance": _importance,
}
