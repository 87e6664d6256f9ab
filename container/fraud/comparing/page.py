"""The comparison as one page that loads nothing: tables by a template, all curves in one picture each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fraud.drawing import GUESSING, HEIGHT_INCHES, environment, legend, number, plain_ticks, plot, svg, unit_square

type Document = Mapping[str, Any]

BRIGHT: Final = ("#2563eb", "#c2410c", "#0f766e", "#7c3aed", "#be123c")
DARK: Final = ("#65a30d", "#0891b2", "#a16207", "#db2777", "#374151")
COLORS: Final = (*BRIGHT, *DARK)
LINES: Final = ("-", "--", "-.")
OTHERS: Final[Mapping[str, Any]] = {"color": "#cbd5e1", "linewidth": 0.9, "zorder": 1}
# The legend stands below the axes, a curve a line.
LEGEND_LINE_INCHES = 0.19


def render(document: dict[str, Any]) -> str:
    """Return the page of a comparison; equal documents give equal pages."""
    template = environment("comparing").get_template("compare.html.j2")
    return template.render(document, by_reason=by_reason, draw=lambda name: svg(name, lambda: PLOTS[name](document)))


def best_of_learners(pairs: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the first pair of each learner with its rank."""
    first: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for rank, pair in enumerate(pairs, start=1):
        first.setdefault(pair["learner"], (rank, pair))
    return list(first.values())


def by_reason(pairs: Sequence[Mapping[str, str]]) -> list[tuple[str, str, str]]:
    """Return learners, resamplings and the reason that each of those has with each of these."""
    resamplings: dict[tuple[str, str], list[str]] = {}
    for pair in pairs:
        reason = pair["reason"].removeprefix(f'resampling="{pair["resampling"]}": ')
        resamplings.setdefault((pair["learner"], reason), []).append(pair["resampling"])
    learners: dict[tuple[str, str], list[str]] = {}
    for (learner, reason), of in resamplings.items():
        learners.setdefault((", ".join(of), reason), []).append(learner)
    return [(", ".join(of), names, reason) for (names, reason), of in learners.items()]


def _precision_recall(document: Document) -> Figure:
    figure, axes = unit_square("recall", "precision", _height(document))
    tested = document["tested"]
    rate = tested["frauds"] / (tested["frauds"] + tested["honest"])
    # Between two recalls stands the precision of the higher one: the area below is the average precision.
    _curves(axes, document, "precision_recall", "average_precision", "steps-pre")
    axes.axhline(rate, label=f"guessing: {number(rate)}", **GUESSING)
    legend(figure, axes)
    return figure


def _roc(document: Document) -> Figure:
    figure, axes = plot("false positive rate, logarithmic", "true positive rate (recall)", _height(document))
    # Where no honest row is flagged the rate has no logarithm: it stands at the left end.
    least = 0.5 / document["tested"]["honest"]
    _curves(axes, document, "roc", "roc_auc", "steps-post", least)
    steps = [least ** (1 - step / 100) for step in range(101)]
    axes.plot(steps, steps, label=f"guessing: {number(0.5)}", **GUESSING)
    axes.set(xscale="log", xlim=(least, 1.05), ylim=(-0.01, 1.03))
    plain_ticks(axes.xaxis)
    legend(figure, axes)
    return figure


def _curves(axes: Axes, document: Document, curve: str, measure: str, steps: str, least: float = 0.0) -> None:
    """Draw the best resampling of each learner in a colour of its own, and all others in grey."""
    best = best_of_learners(document["pairs"])
    shown = {rank for rank, _ in best}
    for rank, pair in enumerate(document["pairs"], start=1):
        if rank not in shown:
            axes.plot(*_points(pair, curve, least), drawstyle=steps, **OTHERS)
    for place, (rank, pair) in enumerate(best):
        look: dict[str, Any] = {
            "color": COLORS[place % len(COLORS)],
            "linestyle": LINES[place // len(COLORS) % len(LINES)],
        }
        label = f"{rank}. {pair['learner']}, {pair['resampling']}: {number(pair['figures'][measure]['value'])}"
        axes.plot(
            *_points(pair, curve, least), drawstyle=steps, label=label, linewidth=1.5, zorder=3 - place / 100, **look
        )


def _points(pair: Mapping[str, Any], curve: str, least: float) -> tuple[list[float], list[float]]:
    points = pair["curves"][curve]
    return [max(x, least) for x, _ in points], [y for _, y in points]


def _height(document: Document) -> float:
    return HEIGHT_INCHES + LEGEND_LINE_INCHES * (len(best_of_learners(document["pairs"])) + 1)


PLOTS: Final[Mapping[str, Callable[[Document], Figure]]] = {"precision_recall": _precision_recall, "roc": _roc}
