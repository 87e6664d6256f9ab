"""Make the sample /opt/ml tree `test_dir/` and the payloads in `local_test/`, out of synthetic rows."""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from make_rows import make_rows, write_csv

CONFIG: dict[str, dict[str, Any]] = {
    "hyperparameters.json": {"num_round": "100", "seed": "0"},
    "inputdataconfig.json": {
        "train": {
            "ContentType": "text/csv",
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
    },
    "resourceconfig.json": {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"},
}
ROWS = 6_000
FRAUD_RATE = 0.015
DECIMALS = 4
TRAIN_SEED = 0
PAYLOAD_SEED = 1
PAYLOAD_FRAUDS = 10


def make_test_dir(root: Path) -> None:
    """Write `test_dir/input` and `local_test/payload.*` under `root`, the same bytes each time."""
    texts = {f"test_dir/input/config/{name}": json.dumps(content, indent=2) for name, content in CONFIG.items()}
    texts |= {f"local_test/{name}": text for name, text in _payloads().items()}
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{text.rstrip()}\n".encode())

    train = root / "test_dir/input/data/train"
    train.mkdir(parents=True, exist_ok=True)
    write_csv(make_rows(ROWS, FRAUD_RATE, TRAIN_SEED), train / "transactions.csv", decimals=DECIMALS)


def _payloads() -> dict[str, str]:
    """Give the same rows, without a label, in three formats."""
    rows = _payload_rows()
    instances: list[dict[Any, Any]] = rows.to_dict("records")
    return {
        "payload.csv": rows.to_csv(index=False, header=False, lineterminator="\n"),
        "payload.json": json.dumps({"instances": instances}),
        "payload.jsonl": "\n".join(json.dumps({"features": list(row.values())}) for row in instances),
    }


def _payload_rows() -> pd.DataFrame:
    """Ten frauds, and the row before every second of them, honest; the training file holds none of them."""
    rows = make_rows(ROWS, FRAUD_RATE, PAYLOAD_SEED).round(DECIMALS)
    frauds = rows.index[rows["Class"] == 1][:PAYLOAD_FRAUDS]
    chosen = rows.loc[sorted({*frauds, *(frauds[::2] - 1)})]
    return chosen.drop(columns="Class")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    make_test_dir(parser.parse_args().root)


if __name__ == "__main__":
    main()
