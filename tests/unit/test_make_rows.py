import json
from pathlib import Path

import pytest

from make_rows import make_rows, write_csv
from make_test_dir import DECIMALS, FRAUD_RATE, PAYLOAD_SEED, ROWS, make_test_dir

REPOSITORY = Path(__file__).parents[2]


def test_same_seed() -> None:
    """The same seed makes the same rows, another seed others."""
    rows = make_rows(500, 0.02, seed=7)

    assert rows.equals(make_rows(500, 0.02, seed=7))
    assert not rows.equals(make_rows(500, 0.02, seed=8))


@pytest.mark.parametrize(("rows", "fraud_rate"), [(3, 0.67), (1_000, 0.0074), (1_000, 0.9), (6_000, 0.015)])
def test_fraud_count(rows: int, fraud_rate: float) -> None:
    """The number of frauds is the rate times the rows, rounded."""
    label = make_rows(rows, fraud_rate, seed=0)["Class"]

    assert len(label) == rows
    assert label.sum() == round(rows * fraud_rate)


@pytest.mark.parametrize("seed", range(5))
def test_latest_rows(seed: int) -> None:
    """Rows come in order of time, and with seven frauds the latest 15 % holds one."""
    rows = make_rows(1_000, 0.007, seed)

    assert rows["Time"].is_monotonic_increasing
    assert rows["Time"].between(0, 172_792).all()
    assert rows["Class"].tail(150).sum() >= 1


@pytest.mark.parametrize(
    ("rows", "fraud_rate", "message"),
    [
        pytest.param(0, 0.1, "rows is 0", id="no rows"),
        pytest.param(100, 0.0, "fraud rate is 0.0", id="rate of zero"),
        pytest.param(100, 1.0, "fraud rate is 1.0", id="rate of one"),
        pytest.param(100, float("nan"), "fraud rate is nan", id="rate is no number"),
        pytest.param(100, 0.01, "frauds is 1 ", id="too few frauds"),
        pytest.param(3, 0.9, "frauds is 3 ", id="no honest row"),
    ],
)
def test_bad_arguments(rows: int, fraud_rate: float, message: str) -> None:
    """Arguments that make no usable rows are refused by name and value."""
    with pytest.raises(ValueError, match=message):
        make_rows(rows, fraud_rate, seed=0)


def test_gzip(tmp_path: Path) -> None:
    """A gzipped file carries neither a time nor a name."""
    rows = make_rows(100, 0.1, seed=0)
    for name in ("one.csv.gz", "two.csv.gz"):
        write_csv(rows, tmp_path / name, decimals=None)

    content = (tmp_path / "one.csv.gz").read_bytes()
    assert content[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
    assert content == (tmp_path / "two.csv.gz").read_bytes()


def test_sample_files(tmp_path: Path) -> None:
    """The sample tree and the payloads in the repository are what the script makes."""
    make_test_dir(tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    assert len(made) == 7
    for path, content in made.items():
        assert (REPOSITORY / path).read_bytes() == content, f"{path}: run scripts/make_test_dir.py"


def test_payloads() -> None:
    """The three payloads hold the same ten frauds and five honest rows, and none of them is a training row."""
    payloads = REPOSITORY / "local_test"
    lines = (payloads / "payload.csv").read_text().splitlines()
    rows = [[float(cell) for cell in line.split(",")] for line in lines]
    instances = json.loads((payloads / "payload.json").read_text())["instances"]
    features = [json.loads(line)["features"] for line in (payloads / "payload.jsonl").read_text().splitlines()]
    train = (REPOSITORY / "test_dir/input/data/train/transactions.csv").read_text()
    header, *train_lines = train.splitlines()
    made = make_rows(ROWS, FRAUD_RATE, PAYLOAD_SEED).round(DECIMALS)
    labels = [label for *cells, label in made.itertuples(index=False) if cells in rows]

    assert len(rows) == len(labels) == 15
    assert sum(labels) == 10
    assert features == rows
    assert [list(instance.values()) for instance in instances] == rows
    assert all([*instance, "Class"] == header.split(",") for instance in instances)
    assert not set(lines) & {line.rpartition(",")[0] for line in train_lines}
