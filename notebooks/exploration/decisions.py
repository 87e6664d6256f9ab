"""From probabilities to decisions: what each threshold finds and costs, and what each threshold rule chooses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from notebooks.exploration.finding import CLASSES, Finding, panels, percent, plain_ticks
from notebooks.exploration.folds import Unseen
from notebooks.exploration.rows import drawn
from sklearn.model_selection import train_test_split

from fraud.drawing import BLUE, GREEN, GUESSING, RED
from fraud.model.evaluation import confusion
from fraud.model.scores import Flags, Floats, Labels
from fraud.model.thresholds import EXAMPLES, Rule, Threshold, choose, choose_by_risk

LEAST, MOST = 1e-4, 0.999
STEPS = 160
MOST_DOTS = 6000
FEWER_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99)
TICKS = (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
MEANINGS = {
    "max_f1": "the best balance of precision and recall (F1)",
    "precision": "the most frauds found while so many alerts are right",
    "recall": "the fewest alerts that find so many frauds",
    "alert_rate": "the most frauds found within what a team can look at",
    "cost": "the least cost where each missed fraud costs fn and each false alert fp",
    "risk": "an alert where probability x amount exceeds what it costs",
}


@dataclass(frozen=True)
class Payments:
    """What is known of rows when they are decided on, and what they turned out to be."""

    y: Labels
    probability: Floats
    amount: Floats

    @classmethod
    def halves(cls, scores: Unseen, amount: Floats) -> tuple[Self, Self]:
        """Return rows that choose a threshold, and as many others that measure it, with the same share of frauds."""
        parts = train_test_split(np.arange(len(amount)), test_size=0.5, stratify=scores.y, random_state=0)
        first, second = (cls(scores.y[rows], scores.probability[rows], amount[rows]) for rows in parts)
        return first, second

    def cost(self, flagged: Flags, alert: float) -> float:
        """Return the money that missed frauds and alerts cost: an alert costs the same for any amount."""
        missed = np.nansum(self.amount[(self.y == 1) & ~flagged])
        return float(missed + alert * np.count_nonzero(flagged))

    def measured(self, flagged: Flags) -> dict[str, float]:
        counts = confusion(self.y, flagged)
        alerts = counts["true_positive"] + counts["false_positive"]
        return {
            "precision": counts["true_positive"] / alerts if alerts else np.nan,
            "recall": counts["true_positive"] / max(int(self.y.sum()), 1),
            "alert rate": alerts / len(self.y),
        }


def steps() -> Floats:
    """Return thresholds with room at both ends, as odds have it."""
    odds = np.geomspace(LEAST / (1 - LEAST), MOST / (1 - MOST), STEPS)
    values: Floats = odds / (1 + odds)
    return values


def over_thresholds(payments: Payments) -> Finding:
    """Draw precision, recall and alert rate over the threshold."""
    table = pd.DataFrame([payments.measured(payments.probability >= step) for step in steps()], index=steps())
    figure, (upper, lower) = panels(2, 1, 4.6, ratios=(1.5, 1))
    for name, colour, line in (("precision", BLUE, "-"), ("recall", GREEN, "--")):
        upper.plot(table.index, table[name], line, color=colour, label=name)
    lower.plot(table.index, table["alert rate"].replace(0, np.nan), color=RED, label="alert rate")
    lower.axhline(float(payments.y.mean()), label="frauds among the rows", **GUESSING)
    upper.set(ylim=(-0.03, 1.03))
    lower.set(yscale="log", xlabel="threshold")
    plain_ticks(lower.yaxis)
    for axes in (upper, lower):
        _threshold_axis(axes, TICKS)
    upper.set_xticklabels([])
    upper.legend(loc="center left")
    lower.legend(loc="lower left")
    half = payments.measured(payments.probability >= 0.5)
    low = payments.measured(payments.probability >= 0.05)
    sentence = (
        f"At 0.5 the model finds {percent(half['recall'])} of the frauds and alerts on {percent(half['alert rate'])} "
        f"of the rows; at 0.05 it finds {percent(low['recall'])} and alerts on {percent(low['alert rate'])}. 0.5 is a "
        "habit and not a choice: what a missed fraud and a false alert cost decides."
    )
    numbers = {f"{name} at {at}": of[name] for at, of in (("0.5", half), ("0.05", low)) for name in of}
    return Finding(sentence, figure, numbers)


def _threshold_axis(axes: Axes, ticks: Sequence[float]) -> None:
    axes.set_xscale("logit")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(LEAST, MOST)


def rules(choosing: Payments, measuring: Payments, alert: float, texts: Sequence[str] = EXAMPLES) -> pd.DataFrame:
    """Return what each rule means, the threshold that it chooses on one half, and what that does on the other."""
    lines = []
    for rule in map(Rule.parse, texts):
        chosen = chosen_by(rule, choosing)
        flagged = chosen.flag(measuring.probability, measuring.amount)
        told = {"rule": rule.text, "means": MEANINGS[rule.name], "threshold": chosen.value, "kept": chosen.is_met}
        lines.append({**told, **measuring.measured(flagged), "cost": measuring.cost(flagged, alert)})
    return (
        pd.DataFrame(lines)
        .set_index("rule")
        .round({"threshold": 4, "precision": 3, "recall": 3, "alert rate": 4, "cost": 0})
    )


def chosen_by(rule: Rule, payments: Payments) -> Threshold:
    """Return the threshold that a job would choose by this rule on these rows."""
    if rule.name == "risk":
        return choose_by_risk(rule, "amount", payments.amount)
    return choose(rule, payments.y, payments.probability)


def costs(choosing: Payments, measuring: Payments, alert: float) -> Finding:
    """Draw what each threshold costs, and the two ways to decide over probability and amount."""
    spent = [choosing.cost(choosing.probability >= step, alert) for step in steps()]
    cheapest = float(steps()[int(np.argmin(spent))])
    risk = chosen_by(Rule.parse(f"risk:cost={alert:g}"), choosing)
    paid = {
        "nothing": measuring.cost(np.zeros(len(measuring.y), dtype=bool), alert),
        "0.5": measuring.cost(measuring.probability >= 0.5, alert),
        "threshold": measuring.cost(measuring.probability >= cheapest, alert),
        "risk": measuring.cost(risk.flag(measuring.probability, measuring.amount), alert),
    }
    figure, (money, plane) = panels(1, 2, 4.2)
    _draw_costs(money, measuring, alert, paid)
    _draw_decisions(plane, measuring, alert, cheapest)
    names = {"nothing": "flagging nothing", "0.5": "p >= 0.5", "risk": f"probability x amount > {alert:g}"}
    names["threshold"] = f"p >= {cheapest:.2g}, the cheapest threshold of the other half,"
    told = (f"{names[way]} costs {paid[way]:,.0f}" for way in sorted(paid, key=lambda way: paid[way]))
    sentence = f"On rows that chose nothing, from the cheapest: {'; '.join(told)}."
    return Finding(sentence, figure, {**paid, "cheapest threshold": cheapest})


def _draw_costs(axes: Axes, payments: Payments, alert: float, paid: Mapping[str, float]) -> None:
    spent = [payments.cost(payments.probability >= step, alert) for step in steps()]
    axes.plot(steps(), spent, color=BLUE, label="flag where p >= threshold")
    axes.axhline(paid["risk"], color=GREEN, linewidth=1.8, label=f"flag where p x amount > {alert:g}")
    axes.axhline(paid["nothing"], label="flag nothing", **GUESSING)
    axes.set(ylabel="cost of missed frauds and alerts", xlabel="threshold", ylim=(0, 1.5 * paid["nothing"]))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    _threshold_axis(axes, FEWER_TICKS)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def _draw_decisions(axes: Axes, payments: Payments, alert: float, threshold: float) -> None:
    shown = np.clip(payments.probability, LEAST, MOST), np.maximum(payments.amount, 0.01)
    crowd = drawn(payments.y, MOST_DOTS, MOST_DOTS // 2)
    for label, colour, name in CLASSES:
        size, alpha = (18, 0.9) if label else (5, 0.25)
        rows = crowd[payments.y[crowd] == label]
        axes.scatter(shown[0][rows], shown[1][rows], size, color=colour, alpha=alpha, linewidth=0, label=name)
    axes.plot(steps(), alert / steps(), color=GREEN, label=f"p x amount = {alert:g}")
    axes.axvline(threshold, color=BLUE, linewidth=1.8, label=f"p = {threshold:.2g}")
    axes.set(yscale="log", ylim=(0.008, 2 * float(np.nanmax(shown[1]))), ylabel="amount", xlabel="probability")
    plain_ticks(axes.yaxis)
    _threshold_axis(axes, FEWER_TICKS)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
