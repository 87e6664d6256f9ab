"""What every server is given: one model of 200 trees of depth 6, trained by the real job, and 10,000 rows."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from make_rows import make_rows, write_csv

ROWS = 10_000
BOOSTER = Path("model") / "booster.ubj"
PARAMETERS = {"num_round": "200", "max_depth": "6", "resampling": "none"}


def train(directory: Path) -> None:
    """Fill a tree with the model, anew each time: what an older program left there may lack what this one reads."""
    shutil.rmtree(directory, ignore_errors=True)
    config, channel = directory / "input" / "config", directory / "input" / "data" / "train"
    config.mkdir(parents=True)
    channel.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(PARAMETERS))
    write_csv(make_rows(60_000, 0.01, seed=0), channel / "rows.csv", decimals=None)
    told = {**os.environ, "SAGEMAKER_BASE_DIR": str(directory)}
    job = subprocess.run([str(Path(sys.executable).with_name("train"))], env=told, check=False, capture_output=True)
    if job.returncode:
        sys.exit(f"train failed:\n{job.stderr.decode()}")


def csv_lines() -> tuple[bytes, bytes]:
    """Return the line of column names and the rows below it, every digit of them (5.6 MB)."""
    text = make_rows(ROWS, 0.01, seed=1).drop(columns="Class").to_csv(index=False, lineterminator="\n").encode()
    names, _, rows = text.partition(b"\n")
    return names + b"\n", rows


def first_row(rows: bytes) -> bytes:
    return rows.partition(b"\n")[0] + b"\n"
