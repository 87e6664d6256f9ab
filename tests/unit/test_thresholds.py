from collections.abc import Callable

import numpy as np
import pytest

from fraud.model.boosted import BoostedTrees
from fraud.model.calibration import Platt
from fraud.model.scores import DECISIONS, Flags, Floats, Labels
from fraud.model.scoring import FraudModel
from fraud.model.thresholds import (
    EXAMPLES,
    FORMS,
    NEVER,
    THRESHOLD_RULES,
    Rule,
    Threshold,
    choose,
    choose_by_risk,
    choose_decline,
)
from fraud.schema import Matrix

type Objective = Callable[[Labels, Flags], float]


def f1(y: Labels, flagged: Flags) -> float:
    return float(2 * (flagged & (y == 1)).sum() / (flagged.sum() + y.sum()))


def precision(y: Labels, flagged: Flags) -> float:
    return float((flagged & (y == 1)).sum() / max(flagged.sum(), 1))


def recall(y: Labels, flagged: Flags) -> float:
    return float((flagged & (y == 1)).sum() / y.sum())


def cost(y: Labels, flagged: Flags) -> float:
    return float(7 * (~flagged & (y == 1)).sum() + 2 * (flagged & (y == 0)).sum())


def every_decision(probability: Floats) -> list[Flags]:
    """Return the decisions of every cut that can be made, fewest alerts first."""
    none = np.zeros(len(probability), dtype=bool)
    return [none, *(probability >= cut for cut in np.unique(probability)[::-1])]


def drawn(seed: int, *, ties: bool = True) -> tuple[Labels, Floats]:
    rng = np.random.default_rng(seed)
    y = (rng.random(60) < 0.3).astype(np.uint8)
    y[:2] = 0, 1
    probability = rng.random(60) * 0.6 + 0.3 * y
    return y, np.round(probability, 1) if ties else probability


@pytest.mark.parametrize("ties", [pytest.param(True, id="ties"), pytest.param(False, id="no ties")])
@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize(
    ("text", "best"),
    [
        pytest.param("max_f1", lambda y, cuts: max(f1(y, cut) for cut in cuts), id="max_f1"),
        pytest.param("cost:fn=7,fp=2", lambda y, cuts: min(cost(y, cut) for cut in cuts), id="cost"),
    ],
)
def test_optimum(text: str, best: Callable[[Labels, list[Flags]], float], seed: int, ties: bool) -> None:
    """The decisions are the best of all that a cut can make, and of equal ones those with the fewest alerts."""
    y, probability = drawn(seed, ties=ties)
    measure: Objective = f1 if text == "max_f1" else cost
    flagged = choose(Rule.parse(text), y, probability).flag(probability, None)
    cuts = every_decision(probability)

    assert measure(y, flagged) == pytest.approx(best(y, cuts))
    assert flagged.sum() == min(cut.sum() for cut in cuts if measure(y, cut) == pytest.approx(best(y, cuts)))


@pytest.mark.parametrize("ties", [pytest.param(True, id="ties"), pytest.param(False, id="no ties")])
@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("least", [0.25, 0.5, 0.7])
def test_precision(least: float, seed: int, ties: bool) -> None:
    """The rule flags as many rows as the precision allows."""
    y, probability = drawn(seed, ties=ties)
    threshold = choose(Rule.parse(f"precision>={least}"), y, probability)
    flagged = threshold.flag(probability, None)
    keeps = [cut for cut in every_decision(probability) if cut.any() and precision(y, cut) >= least]

    assert threshold.is_met == bool(keeps)
    if keeps:
        assert flagged.sum() == max(cut.sum() for cut in keeps)


@pytest.mark.parametrize("ties", [pytest.param(True, id="ties"), pytest.param(False, id="no ties")])
@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("least", [0.01, 0.5, 1.0])
def test_recall(least: float, seed: int, ties: bool) -> None:
    """The rule flags as few rows as the recall allows."""
    y, probability = drawn(seed, ties=ties)
    flagged = choose(Rule.parse(f"recall>={least}"), y, probability).flag(probability, None)

    assert flagged.sum() == min(cut.sum() for cut in every_decision(probability) if recall(y, cut) >= least)


@pytest.mark.parametrize("ties", [pytest.param(True, id="ties"), pytest.param(False, id="no ties")])
@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("most", [0.001, 0.3, 1.0])
def test_alert_rate(most: float, seed: int, ties: bool) -> None:
    """The rule flags as many rows as the budget allows, which may be none."""
    y, probability = drawn(seed, ties=ties)
    flagged = choose(Rule.parse(f"alert_rate<={most}"), y, probability).flag(probability, None)

    assert flagged.sum() == max(cut.sum() for cut in every_decision(probability) if cut.mean() <= most)


@pytest.mark.parametrize("rule", ["alert_rate<=0.29", "recall>=0.07"])
def test_limit_itself(rule: str) -> None:
    """A limit that is met exactly is met: 29 alerts of 100 rows are a rate of 0.29."""
    probability = np.linspace(0.99, 0.01, 100)
    flagged = choose(Rule.parse(rule), np.ones(100, dtype=np.uint8), probability).flag(probability, None)

    assert flagged.sum() == {"alert_rate<=0.29": 29, "recall>=0.07": 7}[rule]


def test_unmet_precision() -> None:
    """Where no threshold reaches the precision, the most precise one is chosen and says so."""
    y, probability = np.array([0, 1, 1, 0, 0], dtype=np.uint8), np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    threshold = choose(Rule.parse("precision>=0.9"), y, probability)

    assert not threshold.is_met
    assert threshold.flag(probability, None).tolist() == [True, True, True, False, False]


def test_certain_rows() -> None:
    """A budget for no alert flags nothing, not even a row whose probability is 1."""
    y, probability = np.array([1, 0, 0], dtype=np.uint8), np.array([1.0, 1.0, 0.2])
    threshold = choose(Rule.parse("alert_rate<=0.5"), y, probability)

    assert not threshold.flag(probability, None).any()


def test_neighbouring_floats() -> None:
    """Probabilities that differ by a last bit only are told apart."""
    for value in np.linspace(0.1, 1.0, 37):
        lower = np.nextafter(value, 0)
        for pair in (np.array([value, lower]), np.array([lower, np.nextafter(lower, 0)])):
            threshold = choose(Rule.parse("max_f1"), np.array([1, 0], dtype=np.uint8), pair)

            assert threshold.flag(pair, None).tolist() == [True, False]


def test_between_rows() -> None:
    """A threshold lies halfway to the next row, so that no decision hangs on a last bit."""
    threshold = choose(Rule.parse("max_f1"), np.array([1, 0], dtype=np.uint8), np.array([0.8, 0.4]))

    assert threshold.value == pytest.approx(0.6)
    assert threshold.is_met


def test_risk() -> None:
    """A row is flagged where probability x amount exceeds the cost of an alert; the median stands for no amount."""
    rule = Rule.parse("risk: cost = 5")
    threshold = choose_by_risk(rule, "Amount", np.array([10.0, 30.0, np.nan, 20.0]))
    probability, amount = np.array([0.5, 0.51, 0.2, 0.3, 1.0]), np.array([10.0, 10.0, np.nan, np.nan, -40.0])

    assert threshold == Threshold("risk:cost=5", 5.0, amount_column="Amount", amount_if_missing=20.0)
    assert threshold.flag(probability, amount).tolist() == [False, True, False, True, False]


def test_no_amount_known() -> None:
    """Where no amount is known at all, nothing is at risk."""
    threshold = choose_by_risk(Rule.parse("risk:cost=0"), "Amount", np.array([np.nan, np.nan]))

    assert not threshold.flag(np.ones(2), np.array([np.nan, np.nan])).any()


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        pytest.param("max_f1", {}, id="max_f1"),
        pytest.param(" precision >= 0.9 ", {"least": 0.9}, id="precision"),
        pytest.param("recall>=1", {"least": 1.0}, id="recall"),
        pytest.param("alert_rate<=2e-3", {"least": 0.002}, id="exponent"),
        pytest.param("alert_rate<=.002", {"least": 0.002}, id="no leading zero"),
        pytest.param("cost:fn=100, fp=1", {"fn": 100.0, "fp": 1.0}, id="cost"),
        pytest.param("risk:cost=5.", {"cost": 5.0}, id="risk"),
    ],
)
def test_parse(text: str, limits: dict[str, float]) -> None:
    """A rule is read with its limits, whatever its spaces."""
    rule = Rule.parse(text)

    assert rule.limits == limits
    assert Rule.parse(rule.text) == rule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "should be one of max_f1, precision>=0.9", id="nothing"),
        pytest.param("f1", "should be one of", id="unknown rule"),
        pytest.param("max_f1>=0.9", "should be one of", id="limit for max_f1"),
        pytest.param("precision", "should be one of", id="no limit"),
        pytest.param("precision<=0.9", "should be one of", id="wrong way round"),
        pytest.param("precision>=-1", "should be one of", id="negative"),
        pytest.param("cost:fp=1,fn=100", "should be one of", id="wrong order"),
        pytest.param("recall>=nan", "should be one of", id="nan"),
        pytest.param("recall>=inf", "should be one of", id="inf"),
        pytest.param("recall>=1.1", "compare recall with a number above 0 and at most 1", id="above one"),
        pytest.param("precision>=0", "compare precision with a number above 0", id="zero"),
        pytest.param("risk:cost=1e999", "finite numbers, such as risk:cost=5", id="too large"),
        pytest.param("cost:fn=1e999,fp=1", "finite numbers, such as cost:fn=100,fp=1", id="cost too large"),
        pytest.param("precision>=0.\u0669", "should be one of", id="digits that no header carries"),
        pytest.param("recall>=0." + "9" * 100, "should have at most 100 characters", id="endless digits"),
    ],
)
def test_parse_errors(text: str, message: str) -> None:
    """A rule that is none is refused with what would be right."""
    with pytest.raises(ValueError, match=message):
        Rule.parse(text)


def test_examples() -> None:
    """There is one example for each rule, and each rule but `risk` chooses a threshold."""
    assert [Rule.parse(example).name for example in EXAMPLES] == list(FORMS)
    assert set(FORMS) == {*THRESHOLD_RULES, "risk"}


REVIEWS = [
    Threshold("max_f1", 0.0),
    Threshold("max_f1", 0.55),
    Threshold("recall>=0.8", 0.85),
    Threshold("alert_rate<=0.002", 1.5),
    Threshold("risk:cost=5", 5.0, amount_column="Amount"),
]


@pytest.mark.parametrize("review", REVIEWS, ids=lambda review: f"{review.rule} {review.value}")
@pytest.mark.parametrize("text", [example for example in EXAMPLES if not example.startswith("risk")])
@pytest.mark.parametrize("seed", range(5))
def test_decline_keeps_its_rule(text: str, review: Threshold, seed: int) -> None:
    """Declining starts no lower than review, and where it says that it keeps its rule, it does."""
    y, probability = drawn(seed)
    rule = Rule.parse(text)
    decline = choose_decline(rule, y, probability, review)
    declined = decline.flag(probability, None)

    assert decline.rule == text
    assert review.amount_column or decline.value >= review.value
    assert decline.is_met or not declined.any()
    keeps = {
        "precision": precision(y, declined) >= rule.limits.get("least", 0),
        "recall": recall(y, declined) >= rule.limits.get("least", 0),
        "alert_rate": declined.mean() <= rule.limits.get("least", 0),
    }
    assert keeps.get(rule.name, True) or not decline.is_met


@pytest.mark.parametrize("seed", range(15))
def test_decline_as_many_as_the_rule_allows(seed: int) -> None:
    """Of the thresholds no lower than review, the lowest that keeps the precision is chosen."""
    y, probability = drawn(seed, ties=False)
    review = choose(Rule.parse("max_f1"), y, probability)
    decline = choose_decline(Rule.parse("precision>=0.8"), y, probability, review)
    keeps = [
        cut
        for cut in every_decision(probability)
        if cut.any() and precision(y, cut) >= 0.8 and cut.sum() <= review.flag(probability, None).sum()
    ]

    assert decline.is_met == bool(keeps)
    assert decline.flag(probability, None).sum() == max((cut.sum() for cut in keeps), default=0)


def test_decline_like_choose_where_review_is_lower() -> None:
    """Where review starts lower anyway, it changes nothing."""
    y, probability = drawn(3)
    rule = Rule.parse("precision>=0.8")

    assert choose_decline(rule, y, probability, Threshold("max_f1", 0.0)) == choose(rule, y, probability)


def test_unmet_rule_declines_nothing() -> None:
    """Where no threshold keeps the rule, not even a certain row is declined."""
    y, probability = np.array([0, 1, 1], dtype=np.uint8), np.array([1.0, 0.8, 0.7])
    decline = choose_decline(Rule.parse("precision>=0.9"), y, probability, Threshold("max_f1", 0.5))

    assert not decline.is_met
    assert decline.value > 1
    assert not decline.flag(np.ones(3), None).any()


class AsTold(BoostedTrees):
    """A learner whose margin is the first column."""

    def __init__(self) -> None:
        """Hold no trees."""

    def raw_score(self, X: Matrix) -> Floats:
        return X[:, 0].astype(np.float64)


def decided(probability: list[float], review: Threshold, decline: float, amount: float = 1.0) -> list[str]:
    """Return what a model with these thresholds decides of rows with these probabilities."""
    margin = np.log(np.array(probability) / (1 - np.array(probability)))
    X = np.column_stack([margin, np.full(len(margin), amount)]).astype(np.float32)
    model = FraudModel(AsTold(), Platt(1.0, 0.0), review, Threshold("precision>=0.95", decline), 1)
    return [DECISIONS[number] for number in model.score(X).decisions]


@pytest.mark.parametrize(
    ("review", "decline", "amount", "expected"),
    [
        pytest.param(Threshold("a", 0.3), 0.7, 1, ["approve", "review", "review", "decline"], id="three bands"),
        pytest.param(Threshold("a", 0.3), 0.3, 1, ["approve", "decline", "decline", "decline"], id="no review"),
        pytest.param(Threshold("a", 0.3), 1.01, 1, ["approve", "review", "review", "review"], id="no decline"),
        pytest.param(Threshold("a", 0.7), 0.3, 1, ["approve", "approve", "approve", "decline"], id="decline is lower"),
        pytest.param(
            Threshold("risk:cost=5", 5, amount_column="b"),
            0.4,
            10,
            ["approve", "approve", "decline", "decline"],
            id="risk decides what is flagged, probability what is declined",
        ),
        pytest.param(Threshold("risk:cost=5", 5, amount_column="b"), 0.4, 1, ["approve"] * 4, id="no risk, no decline"),
        pytest.param(
            Threshold("risk:cost=5", 5, amount_column="b"),
            0.9,
            1e6,
            ["review", "review", "review", "decline"],
            id="a large amount is reviewed",
        ),
    ],
)
def test_decisions(review: Threshold, decline: float, amount: float, expected: list[str]) -> None:
    """A row is approved, reviewed or declined; only a row that is flagged is ever declined."""
    assert decided([0.1, 0.45, 0.55, 0.95], review, decline, amount) == expected


def test_decline_nothing() -> None:
    """The rule `none` leaves every flagged row to a person, whatever its probability."""
    probability = np.array([0.1, 0.9, 1.0])
    review = Threshold("max_f1", 0.5)

    decline = choose_decline(NEVER, np.array([0, 1, 1], dtype=np.uint8), probability, review)

    assert not (probability >= decline.value).any()
    assert (decline.rule, decline.is_met) == ("none", False)
