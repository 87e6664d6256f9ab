"""From probability to decision: THRESHOLD_RULES maps the name of a rule to how its threshold is chosen."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from fraud.model.scores import Flags, Floats, Labels


@dataclass(frozen=True)
class Rule:
    """A rule as a job states it: `max_f1`, `precision>=0.9`, `cost:fn=100,fp=1`, `risk:cost=5`."""

    text: str
    name: str
    limits: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rule; ValueError names what would be right."""
        compact = text.replace(" ", "")
        name = re.split(r">=|<=|:", compact)[0]
        form = FORMS.get(name)
        match = form and form.fullmatch(compact)
        if not match:
            raise ValueError(f"should be one of {', '.join(EXAMPLES)}")
        if not STATED.fullmatch(compact):
            raise ValueError("should have at most 100 characters")
        limits = {key: float(value) for key, value in match.groupdict().items()}
        if not all(map(math.isfinite, limits.values())):
            raise ValueError(f"should hold finite numbers, such as {EXAMPLES[list(FORMS).index(name)]}")
        if "least" in limits and not 0 < limits["least"] <= 1:
            raise ValueError(f"should compare {name} with a number above 0 and at most 1")
        return cls(compact, name, limits)


@dataclass(frozen=True)
class Threshold:
    """The decision that travels with a model.

    A row is flagged where its probability reaches `value`; with an `amount_column`, where probability x amount
    exceeds `value`, the cost of an alert. `is_met` is False where no threshold could keep the rule.
    """

    rule: str
    value: float
    is_met: bool = True
    amount_column: str | None = None
    amount_if_missing: float = 0.0

    def flag(self, probability: Floats, amount: Floats | None) -> Flags:
        """Decide each row; `amount` is needed with an amount column, NaN where it is missing."""
        if self.amount_column is None or amount is None:
            flagged: Flags = probability >= self.value
            return flagged
        known = np.where(np.isnan(amount), self.amount_if_missing, amount)
        exceeds: Flags = probability * known > self.value
        return exceeds


@dataclass(frozen=True)
class _Cuts:
    """Every place to cut the ranking, from flagging nothing down to flagging all."""

    thresholds: Floats
    alerts: Floats
    hits: Floats
    rows: int
    frauds: int

    @classmethod
    def of(cls, y: Labels, probability: Floats) -> Self:
        order = np.argsort(-probability, kind="stable")
        ranked = probability[order]
        ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        # Halfway to the next lower probability: the same decisions here, and none that hangs on a last bit.
        lower = np.append(ranked[ends[1:]], 0.0)
        between = (ranked[ends] + lower) / 2
        # Two neighbouring floats have nothing between them, and halfway may round down to the lower one.
        between = np.where(between > lower, between, ranked[ends])
        above = max((1.0 + ranked[0]) / 2, np.nextafter(ranked[0], 2.0))
        thresholds = np.concatenate([[above], between])
        hits = np.concatenate([[0.0], np.cumsum(y[order])[ends]])
        return cls(thresholds, np.concatenate([[0.0], ends + 1.0]), hits, len(y), int(y.sum()))

    def no_lower_than(self, lowest: float) -> Self:
        """Leave out the cuts below a threshold, but for the one that flags nothing."""
        kept = self.thresholds >= lowest
        kept[0] = True
        thresholds = np.maximum(self.thresholds[kept], lowest)
        return replace(self, thresholds=thresholds, alerts=self.alerts[kept], hits=self.hits[kept])

    @property
    def precision(self) -> Floats:
        return self.hits / np.maximum(self.alerts, 1)


def _max_f1(cuts: _Cuts, limits: Mapping[str, float]) -> tuple[int, bool]:  # noqa: ARG001 - every rule is called so
    return int(np.argmax(2 * cuts.hits / (cuts.alerts + cuts.frauds))), True


def _precision(cuts: _Cuts, limits: Mapping[str, float]) -> tuple[int, bool]:
    keeps = np.flatnonzero((cuts.precision >= limits["least"]) & (cuts.hits > 0))
    if len(keeps):
        return int(keeps[-1]), True
    return int(np.argmax(cuts.precision)), False


def _recall(cuts: _Cuts, limits: Mapping[str, float]) -> tuple[int, bool]:
    reaches = cuts.hits / cuts.frauds >= limits["least"]
    return int(np.argmax(reaches)), bool(reaches.any())


def _alert_rate(cuts: _Cuts, limits: Mapping[str, float]) -> tuple[int, bool]:
    return int(np.flatnonzero(cuts.alerts / cuts.rows <= limits["least"])[-1]), True


def _cost(cuts: _Cuts, limits: Mapping[str, float]) -> tuple[int, bool]:
    cost = limits["fn"] * (cuts.frauds - cuts.hits) + limits["fp"] * (cuts.alerts - cuts.hits)
    return int(np.argmin(cost)), True


NUMBER = r"[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+"
# A header of every answer may name a rule, among attributes that ";" parts.
STATED = re.compile(r"[!-:<-~]{1,100}")
FORMS = {
    "max_f1": re.compile("max_f1"),
    "precision": re.compile(f"precision>=(?P<least>{NUMBER})"),
    "recall": re.compile(f"recall>=(?P<least>{NUMBER})"),
    "alert_rate": re.compile(f"alert_rate<=(?P<least>{NUMBER})"),
    "cost": re.compile(f"cost:fn=(?P<fn>{NUMBER}),fp=(?P<fp>{NUMBER})"),
    "risk": re.compile(f"risk:cost=(?P<cost>{NUMBER})"),
}
EXAMPLES = ("max_f1", "precision>=0.9", "recall>=0.8", "alert_rate<=0.002", "cost:fn=100,fp=1", "risk:cost=5")

# `risk` compares money and chooses nothing: the cost of an alert is the threshold.
THRESHOLD_RULES: dict[str, Callable[[_Cuts, Mapping[str, float]], tuple[int, bool]]] = {
    "max_f1": _max_f1,
    "precision": _precision,
    "recall": _recall,
    "alert_rate": _alert_rate,
    "cost": _cost,
}

# The rule that declines nothing without a review.
NEVER = Rule("none", "none")


def choose(rule: Rule, y: Labels, probability: Floats) -> Threshold:
    """Choose the threshold that keeps a rule on these rows, which must be at their true class balance."""
    return _chosen(rule, _Cuts.of(y, probability))


def choose_decline(rule: Rule, y: Labels, probability: Floats, review: Threshold) -> Threshold:
    """Choose from which probability a flagged row is declined without a review.

    No lower than where review starts; where no such threshold keeps the rule, so high that nothing is declined.
    """
    lowest = review.value if review.amount_column is None else 0.0
    never = max(float(np.nextafter(1.0, 2.0)), lowest)
    if rule == NEVER:
        return Threshold(rule.text, never, is_met=False)
    chosen = _chosen(rule, _Cuts.of(y, probability).no_lower_than(lowest))
    return chosen if chosen.is_met else replace(chosen, value=never)


def _chosen(rule: Rule, cuts: _Cuts) -> Threshold:
    index, is_met = THRESHOLD_RULES[rule.name](cuts, rule.limits)
    return Threshold(rule.text, float(cuts.thresholds[index]), is_met)


def choose_by_risk(rule: Rule, amount_column: str, amount: Floats) -> Threshold:
    """Flag where probability x amount exceeds the cost of an alert; a missing amount counts as the median one."""
    known = amount[~np.isnan(amount)]
    median = float(np.median(known)) if len(known) else 0.0
    return Threshold(rule.text, rule.limits["cost"], amount_column=amount_column, amount_if_missing=median)
