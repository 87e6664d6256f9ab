"""What each learner costs on made-up rows: seconds to fit and measure, size, and time to score one row and 10,000.

One thread scores, as in a worker of the server. `python benchmarks/learners.py [--rows N] [--algorithms a,b]`.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from fraud.fitting import Trainer
from fraud.hyperparameters import read
from fraud.machine import cores
from fraud.model.algorithms import ALGORITHMS
from fraud.model.learner import Labelled
from fraud.model.scoring import FraudModel
from fraud.model.splitting import split
from fraud.schema import Column, Schema
from make_rows import make_rows

FRAUD_RATE = 0.00172
SCORED_ROWS, TURNS = 10_000, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=284_807)
    parser.add_argument("--algorithms", default=",".join(ALGORITHMS))
    told = parser.parse_args()
    frame = make_rows(told.rows, FRAUD_RATE, seed=0)
    y = frame.pop("Class").to_numpy(dtype=np.uint8)
    schema = Schema(tuple(Column(name) for name in frame.columns), "Class")
    parts = split(Labelled(frame.to_numpy(dtype=np.float32), y), None, None, 0.3, 0)
    print(f"{told.rows} rows of {len(schema.columns)} columns, {int(y.sum())} frauds; {cores()} cores fit")
    print(f"{'':20} {'fit s':>8} {'MB':>8} {'one row ms':>11} {'rows/s':>10}")
    for algorithm in told.algorithms.split(","):
        parameters = read({"algorithm": algorithm, "resampling": "none"})
        trainer = Trainer(parameters, schema, "cpu", cores(), lambda _round, _figures: False, lambda: False)
        started = time.perf_counter()
        model = trainer.fit(parts).model
        seconds = time.perf_counter() - started
        content = model.learner.dump()
        model = replace(model, learner=ALGORITHMS[algorithm].load(content, schema.feature_types, 1))
        X = parts.held_out.X[:SCORED_ROWS]
        one, many = _fastest(model, X[:1], TURNS), _fastest(model, X, 3)
        print(f"{algorithm:20} {seconds:8.1f} {len(content) / 1e6:8.2f} {1000 * one:11.3f} {len(X) / many:10,.0f}")


def _fastest(model: FraudModel, X: NDArray[np.float32], turns: int) -> float:
    taken = []
    for _ in range(turns):
        started = time.perf_counter()
        model.score(X)
        taken.append(time.perf_counter() - started)
    return min(taken)


if __name__ == "__main__":
    main()
