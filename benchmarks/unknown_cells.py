"""What becomes of honest rows whose merchant is new, or a number missing, with and without the way that `train` sets.

`python benchmarks/unknown_cells.py` prints the table of docs/06: 4,000 made-up rows to learn from, in which no cell is
missing and 70 % of the frauds have a merchant that no honest row has, and 4,000 others to score.
"""

from unittest.mock import patch

import numpy as np
from sklearn.metrics import average_precision_score

from fraud.fitting import Trainer
from fraud.hyperparameters import read
from fraud.model.learner import Labelled
from fraud.model.scoring import FraudModel
from fraud.model.splitting import split
from fraud.schema import Column, Schema

ROWS = 4000
NUMBERS, MERCHANT = 6, 6
MERCHANTS, COUNTRIES = tuple("abcdefghijkl"), tuple("uvwxyz")
CATEGORIES = (Column("merchant", "category", MERCHANTS), Column("country", "category", COUNTRIES))
SCHEMA = Schema((*(Column(f"n{number}") for number in range(NUMBERS)), *CATEGORIES), "Class")


def main() -> None:
    payments = _payments(1)
    print(f"{int((payments.y == 0).sum())} honest rows, {payments.frauds} frauds")
    print("| `xgboost` | approved | reviewed | declined | average precision |\n| --- | --- | --- | --- | --- |")
    with patch("fraud.model.boosting.direct", lambda *_: None):
        left = _fitted()
    ours = _fitted()
    for way, model in (("as XGBoost leaves it", left), ("as `train` sets it", ours)):
        _print(f"rows as they are, {way}", model, payments)
        _print(f"merchant missing or new, {way}", model, _without(payments, MERCHANT))
        for number in range(3):
            _print(f"number {number + 1} missing, {way}", model, _without(payments, number))


def _payments(seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    y = (rng.random(ROWS) < 0.05).astype(np.uint8)
    X = rng.normal(size=(ROWS, NUMBERS + 2))
    X[:, :3] += 1.2 * y[:, None]
    X[:, NUMBERS - 1] = rng.lognormal(3, 1, ROWS)
    usual, gives_away = rng.integers(0, 9, ROWS), rng.random(ROWS) < 0.7
    X[:, MERCHANT] = np.where((y == 1) & gives_away, 9 + rng.integers(0, 3, ROWS), usual)
    X[:, MERCHANT + 1] = np.where((y == 1) & (rng.random(ROWS) < 0.3), 5, rng.integers(0, 5, ROWS))
    return Labelled(X.astype(np.float32), y)


def _fitted() -> FraudModel:
    told = read({"resampling": "none"})
    trainer = Trainer(told, SCHEMA, "cpu", 1, lambda _round, _figures: False, lambda: False)
    return trainer.fit(split(_payments(0), None, None, 0.3, 0)).model


def _without(rows: Labelled, column: int) -> Labelled:
    X = rows.X.copy()
    X[:, column] = np.nan
    return Labelled(X, rows.y)


def _print(name: str, model: FraudModel, rows: Labelled) -> None:
    scores = model.score(rows.X)
    flagged, declined = (np.count_nonzero(which[rows.y == 0]) for which in (scores.flagged, scores.declined))
    counts = (len(rows) - rows.frauds - flagged, flagged - declined, declined)
    precision = average_precision_score(rows.y, scores.probability)
    print(f"| {name} | " + " | ".join(f"{count:,}" for count in counts) + f" | {precision:.3f} |")


if __name__ == "__main__":
    main()
