import math

import numpy as np
import pytest

from fraud.model import scoring
from fraud.model.boosted import BoostedTrees
from fraud.model.calibration import Platt
from fraud.model.reasons import Reason, exact, strongest
from fraud.model.scoring import FraudModel
from fraud.model.thresholds import Threshold
from fraud.schema import Column, Matrix, Schema
from tests.labelled import NUMBERS, make_labelled, plan, with_missing

KINDS = (Column("Amount"), Column("card", "category", ("amex", "visa")), Column("web", "boolean"), Column("V1"))
ROWS = with_missing(make_labelled())
MODEL = FraudModel(
    BoostedTrees.fit(ROWS, {"tuning": ROWS}, plan(rounds=20), lambda _round, _figures: False),
    Platt(1.0, 0.0),
    Threshold("max_f1", 0.5),
    Threshold("precision>=0.95", 0.9),
)


def names(contributions: list[float], count: int) -> list[str]:
    (reasons,) = strongest(np.array([contributions]), np.zeros((1, 4), dtype=np.float32), KINDS, count)
    return [reason.feature for reason in reasons]


@pytest.mark.parametrize(
    ("contributions", "count", "expected"),
    [
        pytest.param([0.1, -0.4, 0.3, 0.2], 4, ["card", "web", "V1", "Amount"], id="by size, whatever the sign"),
        pytest.param([0.1, -0.4, 0.3, 0.2], 2, ["card", "web"], id="the strongest few"),
        pytest.param([0.2, -0.2, 0.2, -0.2], 3, ["Amount", "card", "web"], id="the first column first on ties"),
        pytest.param([0.0, -0.2, 0.0, 0.1], 4, ["card", "V1"], id="nothing is no reason"),
        pytest.param([0.0, -0.0, 0.0, 0.0], 4, [], id="no reason at all"),
        pytest.param([0.1, -0.4, 0.3, 0.2], 9999, ["card", "web", "V1", "Amount"], id="more than there are"),
    ],
)
def test_order(contributions: list[float], count: int, expected: list[str]) -> None:
    """The reasons of a row are its strongest columns, the largest contribution first."""
    assert names(contributions, count) == expected


def test_values() -> None:
    """A reason shows the cell as it was sent: a number short, a category by its text, a missing cell as none."""
    X = np.array([[149.62, 1, 1, -1.3598071336738], [math.nan, math.nan, 0, 1e-20]], dtype=np.float32)
    shown = strongest(np.array([[4.0, -3.0, 2.0, 1.0]] * 2), X, KINDS, 4)

    assert [[reason.value for reason in reasons] for reasons in shown] == [
        [149.62, "visa", True, -1.3598071],
        [None, None, False, 1e-20],
    ]
    assert {type(reason.value) for reasons in shown for reason in reasons} == {float, str, bool, type(None)}


def test_direction() -> None:
    """A contribution above 0 moves a row towards fraud."""
    assert [Reason("a", 1.0, amount).direction for amount in (0.1, -0.1)] == ["increases", "decreases"]


def test_no_rows() -> None:
    """No rows have no reasons."""
    assert strongest(np.empty((0, 4)), np.empty((0, 4), dtype=np.float32), KINDS, 3) == []


def test_exact() -> None:
    """Rounding goes to the largest contribution, so that contributions and base value sum to the margin."""
    found = exact(np.array([[0.1, -0.5, 0.2, -3.0], [0.1, 0.1, 0.0, -3.0]]), np.array([-3.20001, -2.79999]))

    assert found.sum(axis=1) == pytest.approx([-3.20001, -2.79999], abs=1e-15)
    assert found == pytest.approx(np.array([[0.1, -0.50001, 0.2, -3.0], [0.10001, 0.1, 0.0, -3.0]]))


def test_exact_without_reasons() -> None:
    """The rounding of a row that no column moves makes no reason of a column."""
    found = exact(np.array([[0.0, 0.0, -3.0]]), np.array([-3.0000002]))

    assert found.tolist() == [[0.0, 0.0, -3.0000002]]


def explained(X: Matrix, above: float = 0.0, count: int = 4) -> list[tuple[Reason, ...] | None]:
    return MODEL.explain(X, MODEL.score(X), NUMBERS, count, above)


def test_sum() -> None:
    """The base value and all reasons of a row sum to its raw score."""
    sums = [MODEL.base_value(4) + sum(reason.contribution for reason in reasons or ()) for reasons in explained(ROWS.X)]

    assert sums == pytest.approx(MODEL.score(ROWS.X).raw_score.tolist(), abs=1e-9)


def test_each_row_alone() -> None:
    """A row has the same reasons alone as among others."""
    together = explained(ROWS.X[:30])

    assert [explained(row[None, :])[0] for row in ROWS.X[:30]] == together


def test_above() -> None:
    """Rows below a probability are not explained, and the others have the reasons that they have anyway."""
    probability = MODEL.score(ROWS.X).probability
    above = float(np.median(probability))
    found, whole = explained(ROWS.X, above), explained(ROWS.X)

    assert 0 < found.count(None) < len(ROWS)
    assert [reasons is None for reasons in found] == (probability < above).tolist()
    assert all(one == all_of for one, all_of in zip(found, whole, strict=True) if one is not None)
    assert explained(ROWS.X, 1.0) == [None] * len(ROWS)
    assert explained(ROWS.X[:0]) == []


def test_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rows are explained block by block, as if they were one."""
    whole = explained(ROWS.X, 0.1)
    monkeypatch.setattr(scoring, "BLOCK_ROWS", 7)

    assert explained(ROWS.X, 0.1) == whole


def test_count() -> None:
    """Fewer reasons are the first of more."""
    whole = explained(ROWS.X)
    for count in (1, 2, 3):
        assert explained(ROWS.X, count=count) == [(reasons or ())[:count] for reasons in whole]


def test_a_missing_cell_is_a_reason() -> None:
    """Where frauds lack a cell, its absence is the first reason of theirs."""
    rows = make_labelled(shift=0)
    rows.X[rows.y == 1, 2] = np.nan
    learner = BoostedTrees.fit(rows, {"tuning": rows}, plan(), lambda _round, _figures: False)
    model = FraudModel(learner, Platt(1.0, 0.0), MODEL.threshold, MODEL.decline)
    frauds = rows.X[rows.y == 1]
    found = model.explain(frauds, model.score(frauds), NUMBERS, 1, 0.0)

    assert {(reason.feature, reason.value, reason.direction) for reasons in found for reason in reasons or ()} == {
        ("three", None, "increases")
    }


def test_an_unseen_category() -> None:
    """A category that training never saw is read as missing, and shown so."""
    schema = Schema(KINDS, "Class")
    shown: list[object] = [column.shown(np.float32(math.nan)) for column in schema.columns]

    assert shown == [None] * 4
    assert math.isnan(schema.columns[1].value("diners"))


def test_no_split() -> None:
    """A model without a split gives no reasons, whatever float32 rounds."""
    rows = make_labelled(60, 20)
    rows.X[:] = 1
    many = plan(rounds=50, base_score="0.3")
    learner = BoostedTrees.fit(rows, {"tuning": rows}, many, lambda _round, _figures: False)
    model = FraudModel(learner, Platt(1.0, 0.0), MODEL.threshold, MODEL.decline)
    scores = model.score(rows.X)

    assert learner.contributions(rows.X).sum(axis=1) != pytest.approx(scores.raw_score, abs=1e-12)
    assert set(model.explain(rows.X, scores, NUMBERS, 4, 0.0)) == {()}
