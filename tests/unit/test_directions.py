from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from fraud.model import boosting
from fraud.model.boosted import BoostedTrees
from fraud.model.boosting import directed
from fraud.model.learner import Labelled, Plan
from fraud.model.trees import Trees
from fraud.schema import Matrix
from tests.labelled import make_labelled, plan, with_categories, with_missing

TYPES = ("q", "c", "q", "q")
WHOLE = with_categories(make_labelled(400, 80), 6)
GAPS = with_missing(with_missing(with_missing(with_missing(WHOLE, 0), 1), 2), 3)
PLAN = replace(plan(TYPES), categories=(0, 8, 0, 0))


def trained(rows: Labelled, how: Plan[Any] = PLAN, rounds: int = 20) -> xgb.Booster:
    matrix = xgb.DMatrix(rows.X, rows.y, feature_types=list(how.feature_types), enable_categorical=True, nthread=1)
    return xgb.train({**how.parameters.booster(), "nthread": 1}, matrix, rounds)


def stump(cells: Matrix, y: Any, kind: str, **told: str) -> BoostedTrees:
    """Fit one split to one column, of three categories where it is of categories."""
    rows = Labelled(np.array(cells, dtype=np.float32)[:, None], np.array(y, dtype=np.uint8))
    how = plan((kind,), 1, max_depth="1", min_child_weight="0", **told)
    return BoostedTrees.fit(rows, {"tuning": rows}, replace(how, categories=(3,)), lambda _round, _figures: False)


def scored(learner: BoostedTrees, *cells: float) -> list[float]:
    return list(map(float, learner.raw_score(np.array(cells, dtype=np.float32)[:, None])))


@pytest.mark.parametrize("rows", [pytest.param(WHOLE, id="no missing cell"), pytest.param(GAPS, id="missing cells")])
def test_training_rows_score_as_before(rows: Labelled) -> None:
    """Rows like those of training have the scores and the reasons that they had, to the last bit."""
    booster = trained(rows)
    before, after = Trees(bytes(booster.save_raw("ubj")), 1), Trees(directed(booster, rows.X, PLAN), 1)

    assert np.array_equal(before.margins(rows.X), after.margins(rows.X))
    assert np.array_equal(before.contributions(rows.X), after.contributions(rows.X))


def test_what_was_learnt_stays() -> None:
    """Where each column had missing cells, and each category a row, the booster is the same, byte for byte."""
    booster = trained(GAPS)

    assert directed(booster, GAPS.X, replace(PLAN, categories=(0, 6, 0, 0))) == bytes(booster.save_raw("ubj"))


@pytest.mark.parametrize("kind", ["q", "c"])
@pytest.mark.parametrize("usual", [0, 1])
@pytest.mark.parametrize("told", [{}, {"scale_pos_weight": "1000"}], ids=["weighed alike", "frauds weigh more"])
def test_missing_cells_go_with_most_rows(kind: str, usual: int, told: dict[str, str]) -> None:
    """In a column without missing cells they go where most rows went, whichever side that is, whatever rows weigh."""
    cells = np.repeat([usual, 1 - usual], [80, 20])
    learner = stump(cells, np.repeat([0, 1], [80, 20]), kind, **told)
    missing, most, others = scored(learner, np.nan, usual, 1 - usual)

    assert missing == most < others


@pytest.mark.parametrize("lacking", [[0, 1], [1, 0]], ids=["frauds lack it", "honest rows lack it"])
def test_absent_category_goes_with_missing_cells(lacking: list[int]) -> None:
    """A category that no training row has goes the way that missing cells have learnt."""
    learner = stump(np.repeat([0, 1, np.nan], [40, 40, 20]), np.repeat([0, 1, lacking[1]], [40, 40, 20]), "c")
    absent, missing, honest, fraud = scored(learner, 2, np.nan, 0, 1)

    assert absent == missing == (fraud if lacking[1] else honest)


def test_rows_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are counted a few at a time count alike."""
    booster = trained(WHOLE)
    at_once = directed(booster, WHOLE.X, PLAN)
    monkeypatch.setattr(boosting, "MOST_LEAVES", 7 * 20)

    assert directed(booster, WHOLE.X, PLAN) == at_once
