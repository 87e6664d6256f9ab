"""Time and peak memory of `train` on 284,807 x 30 rows against the least any such job must do.

The floor, in the same run: pandas reads the same file, imbalanced-learn's SMOTE resamples the same training rows,
XGBoost fits them with the same parameters. `python benchmarks/training.py [--rows N] [--repeats N]`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from make_rows import make_rows, write_csv

FRAUD_RATE = 0.00172
FLOOR = """
import sys
import numpy as np, pandas as pd, xgboost as xgb
from imblearn.over_sampling import SMOTE
frame = pd.read_csv(sys.argv[1])
y = frame.pop("Class").to_numpy()
X = frame.to_numpy(dtype=np.float32)
del frame
kept = round(len(X) * 0.7)
X, y = SMOTE(sampling_strategy=0.1, random_state=0).fit_resample(X[:kept], y[:kept])
told = {"eta": 0.05, "max_depth": 4, "max_bin": 4096, "base_score": 0.5, "objective": "binary:logistic"}
xgb.train(told, xgb.QuantileDMatrix(X, y, max_bin=4096), 300)
"""
IMPORTS = "import numpy, pandas, xgboost, imblearn.over_sampling, fraud.training.job, matplotlib.figure"


@dataclass(frozen=True)
class Run:
    """What one process took: seconds of wall clock, megabytes of resident memory at its peak."""

    seconds: float
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=284_807)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--directory", type=Path, default=Path("build/benchmark"))
    told = parser.parse_args()
    base = told.directory / "ml"
    data = _rows(base / "input" / "data" / "train" / "rows.csv", told.rows)
    matrix = told.rows * 30 * 4 / 1e6
    print(f"{told.rows} x 30 rows; the float32 matrix has {matrix:.1f} MB; best of {told.repeats} turns")
    train = [str(Path(sys.executable).with_name("train"))]
    runs: dict[str, list[Run]] = {}
    for _ in range(told.repeats):  # in turns, so that a busy moment of the machine falls on all
        runs.setdefault("imports", []).append(_run([sys.executable, "-c", IMPORTS], base))
        runs.setdefault("floor", []).append(_run([sys.executable, "-c", FLOOR, str(data)], base))
        for resampling in ("smote", "none", "auto"):
            _configure(base, resampling)
            runs.setdefault(f"train, resampling={resampling}", []).append(_run(train, base))
    imports, floor = _best(runs["imports"]), _best(runs["floor"])
    for name, taken in runs.items():
        run = _best(taken)
        ratio, above = run.seconds / floor.seconds, (run.megabytes - imports.megabytes) / matrix
        print(f"{name:28} {run.seconds:6.1f} s {run.megabytes:7.0f} MB   {ratio:.2f} x the floor's time,", end=" ")
        print(f"{above:.1f} x the matrix above the imports")


def _rows(path: Path, rows: int) -> Path:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_csv(make_rows(rows, FRAUD_RATE, seed=0), path, decimals=None)
    return path


def _configure(base: Path, resampling: str) -> None:
    for made in ("model", "output"):
        shutil.rmtree(base / made, ignore_errors=True)
    config = base / "input" / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "hyperparameters.json").write_text(json.dumps({"resampling": resampling}))


def _best(runs: list[Run]) -> Run:
    return Run(min(run.seconds for run in runs), min(run.megabytes for run in runs))


def _run(command: list[str], base: Path) -> Run:
    started = time.perf_counter()
    told = {**os.environ, "SAGEMAKER_BASE_DIR": str(base)}
    process = subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed:\n{errors.decode()}")
    return Run(time.perf_counter() - started, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
