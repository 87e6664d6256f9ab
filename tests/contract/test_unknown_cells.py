"""What every entry of ALGORITHMS makes of cells that its training rows never showed."""

from functools import cache

import numpy as np
import pytest

from fraud.fitting import Trainer
from fraud.hyperparameters import read
from fraud.model.algorithms import ALGORITHMS
from fraud.model.learner import Labelled
from fraud.model.scoring import FraudModel
from fraud.model.splitting import Split, split
from fraud.schema import Column, Schema

MERCHANTS = tuple("abcdefghijkl")
NUMBERS = ("speed", "distance", "Amount")
CATEGORIES = (Column("merchant", "category", MERCHANTS), Column("country", "category", tuple("uvwxyz")))
SCHEMA = Schema((*(Column(name) for name in NUMBERS), *CATEGORIES), "Class")
SPEED, MERCHANT, COUNTRY = 0, 3, 4
# The last of these is in the schema, as a row that was held out may have it, and in no row here.
ONLY_FRAUDS, NOWHERE = (8, 9, 10), 11
every = pytest.mark.parametrize("name", ALGORITHMS)
cells = pytest.mark.parametrize(
    ("column", "cell"),
    [
        pytest.param(MERCHANT, np.nan, id="missing or unseen merchant"),
        pytest.param(MERCHANT, NOWHERE, id="merchant of held-out rows alone"),
        pytest.param(COUNTRY, np.nan, id="missing country"),
        pytest.param(SPEED, np.nan, id="missing number"),
    ],
)


def payments(rows: int, seed: int) -> Labelled:
    """Return rows without a missing cell: two frauds in three name merchants that no honest row does."""
    rng = np.random.default_rng(seed)
    y = (np.arange(rows) % 20 == 0).astype(np.uint8)
    numbers = rng.normal(size=(rows, 3)) + y[:, None] * [1.5, 1.5, 0]
    merchant = np.where(y * (rng.random(rows) < 0.7), rng.choice(ONLY_FRAUDS, rows), rng.integers(0, 8, rows))
    country = np.where(y * (rng.random(rows) < 0.3), 5, rng.integers(0, 5, rows))
    return Labelled(np.column_stack([numbers, merchant, country]).astype(np.float32), y)


PARTS: Split = split(payments(3000, 0), None, None, 0.3, 0)
HONEST = payments(2000, 1).X[payments(2000, 1).y == 0]


@cache
def fitted(name: str) -> FraudModel:
    trainer = Trainer(
        read({"algorithm": name, "resampling": "none"}), SCHEMA, "cpu", 1, lambda _round, _figures: False, lambda: False
    )
    return trainer.fit(PARTS).model


@every
@cells
def test_honest_rows_are_not_flagged_for_them(name: str, column: int, cell: float) -> None:
    """A cell that training rows never showed flags, or declines, few honest rows more than their own cells do."""
    X = HONEST.copy()
    X[:, column] = cell
    scores, usual = fitted(name).score(X), fitted(name).score(HONEST)

    assert scores.flagged.mean() <= usual.flagged.mean() + 0.03
    assert scores.declined.mean() <= usual.declined.mean() + 0.03


@every
@cells
def test_reasons_stay_exact(name: str, column: int, cell: float) -> None:
    """Base value and contributions of such rows sum to their raw scores."""
    learner = fitted(name).learner
    if learner.explains:
        X = HONEST[:50].copy()
        X[:, column] = cell
        raw_score = learner.raw_score(X)

        assert learner.contributions(X).sum(axis=1) == pytest.approx(raw_score, abs=1e-4 * max(1, np.ptp(raw_score)))
