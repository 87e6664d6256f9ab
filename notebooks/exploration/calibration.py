"""What each resampler does to probabilities and to the ranking, on rows that it never touched."""

from collections.abc import Sequence
from math import log10

from matplotlib.axes import Axes
from notebooks.exploration.finding import Finding, grid, listed, mark, name_rows, panels, plain_ticks
from notebooks.exploration.folds import interval, predicted_to_observed, ranking
from notebooks.exploration.resampled import Resampled
from scipy.special import expit

from fraud.drawing import BLUE, GUESSING, ORANGE
from fraud.model.evaluation import Figure, reliability
from fraud.model.scores import Floats, Labels

LOOKS = (("before Platt scaling", ORANGE, -0.14), ("after", BLUE, 0.14))
LEAST_PROBABILITY = 1e-4
PROBABILITY_TICKS = (0.0001, 0.01, 1.0)


def ratios(done: Sequence[Resampled]) -> Finding:
    """Draw the frauds announced for each one observed, before calibration and after."""
    figure, (axes,) = panels(1, 1, 1.1 + 0.5 * len(done))
    found: dict[str, list[Figure]] = {}
    for place, one in enumerate(done):
        both = (expit(one.scores.margin), one.scores.probability)
        found[one.name] = [interval(one.scores.y, values, predicted_to_observed) for values in both]
        for figures, (label, colour, shift) in zip(found[one.name], LOOKS, strict=True):
            mark(axes, figures, place + shift, colour, None if place else label)
    axes.axvline(1, label="as observed", **GUESSING)
    name_rows(axes, (one.name for one in done))
    ends = [end for both in found.values() for one in both for end in (one.low, one.high)]
    axes.set(xscale="log", xlim=(min(0.5, *ends) / 1.1, max(2.0, *ends) * 1.4))
    axes.set_xlabel("predicted : observed frauds, with its 95 % interval")
    plain_ticks(axes.xaxis, steps=(1.0, 2.0, 5.0))
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    worst = max(found, key=lambda name: _off(found[name][0]))
    after = max((two[1] for two in found.values()), key=_off)
    sentence = (
        f"Before calibration {worst} announces {found[worst][0].value:.2f} frauds for each one that is there. After "
        f"Platt scaling, fitted on other rows that nobody resampled, the ratio furthest from 1 is {after.value:.2f}."
    )
    numbers = {f"{name} before": two[0].value for name, two in found.items()}
    return Finding(sentence, figure, numbers | {f"{name} after": two[1].value for name, two in found.items()})


def _off(ratio: Figure) -> float:
    return abs(log10(ratio.value))


def curves(done: Sequence[Resampled]) -> Finding:
    """Draw observed over predicted fraud rate in bins of probability, before calibration and after."""
    figure, axes = grid(len(done), 2.8)
    gaps = {}
    for one, resampled in zip(axes, done, strict=True):
        y, scores = resampled.scores.y, resampled.scores
        gaps[resampled.name] = [_curve(one, y, expit(scores.margin), 0), _curve(one, y, scores.probability, 1)]
        one.plot([LEAST_PROBABILITY, 1], [LEAST_PROBABILITY, 1], label="as predicted", **GUESSING)
        one.set_title(resampled.name, fontsize=11)
        one.set(xscale="log", yscale="log", xlim=(LEAST_PROBABILITY / 1.5, 1.5), ylim=(LEAST_PROBABILITY / 1.5, 1.5))
        for axis in (one.xaxis, one.yaxis):
            axis.set_ticks(PROBABILITY_TICKS, [f"{tick:g}" for tick in PROBABILITY_TICKS])
            axis.set_ticks([], minor=True)
    figure.supxlabel("mean predicted probability", fontsize=10)
    figure.supylabel("observed fraud rate", fontsize=10)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    better = [name for name, (before, after) in gaps.items() if after < before]
    sentence = (
        "Dots on the dashed line say what happens; below it they overstate, and at the bottom no fraud was there. "
        f"Platt scaling brings the bins nearer to the line for {len(better)} of {len(done)} resamplers."
    )
    return Finding(sentence, figure, {f"{name} gap": after - before for name, (before, after) in gaps.items()})


def _curve(axes: Axes, y: Labels, probability: Floats, which: int) -> float:
    """Draw the bins, larger dots for more rows, and return the expected calibration error."""
    label, colour, _ = LOOKS[which]
    bins = reliability(y, probability)
    x, observed = ([max(one[key], LEAST_PROBABILITY) for one in bins] for key in ("predicted", "observed"))
    sizes = [6 + 10 * log10(one["rows"]) for one in bins]
    axes.plot(x, observed, color=colour, linewidth=1, alpha=0.6)
    axes.scatter(x, observed, sizes, color=colour, label=label, alpha=0.85, linewidth=0)
    return sum(one["rows"] * abs(one["predicted"] - one["observed"]) for one in bins) / len(y)


def rankings(done: Sequence[Resampled]) -> Finding:
    """Draw the average precision after each resampler."""
    figure, (axes,) = panels(1, 1, 0.9 + 0.32 * len(done))
    found = {one.name: one.scores.figure(ranking) for one in done}
    for place, figures in enumerate(found.values()):
        mark(axes, figures, place, BLUE)
    name_rows(axes, (one.name for one in done))
    axes.set(xlabel="average precision, with its 95 % interval")
    axes.margins(x=0.12)
    base = found["none"]
    best, worst = (edge(found, key=lambda name: found[name].value) for edge in (max, min))
    apart = [name for name, one in found.items() if not base.low <= one.value <= base.high]
    sentence = (
        f"Without resampling the average precision is {base.value:.3f}, and lies between {base.low:.3f} and "
        f"{base.high:.3f}. The highest is {found[best].value:.3f} ({best}), the lowest "
        f"{found[worst].value:.3f} ({worst}); outside that interval: {listed(apart)}."
    )
    return Finding(sentence, figure, {name: one.value for name, one in found.items()})
