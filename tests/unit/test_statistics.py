import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fraud.model.learner import Labelled
from fraud.schema import Column, Schema
from fraud.training import statistics
from tests.labelled import NUMBERS, make_labelled, with_missing

NAN = float("nan")
KINDS = Schema(
    (
        Column("amount"),
        Column("hour"),
        Column("is_abroad", "boolean"),
        Column("merchant", "category", ("fuel", "hotel", "toys")),
        Column("empty"),
        Column("blank", "category"),
    ),
    "Class",
)
KIND_ROWS = [
    [0.1, -3, 1, 2, NAN, NAN],
    [1.1, 7, 0, NAN, NAN, NAN],
    [NAN, 7, 1, 0, NAN, NAN],
    [0.3, 2, 1, 2, NAN, NAN],
]


def labelled(cells: list[list[float]]) -> Labelled:
    """Return these rows, the first of them a fraud."""
    X = np.array(cells, dtype=np.float32)
    return Labelled(X, np.eye(1, len(X), dtype=np.uint8)[0])


def described(values: list[float]) -> dict[str, Any]:
    """Return the numerical statistics of one column."""
    document = statistics.statistics(labelled([[value] for value in values]), Schema((Column("a"),), "Class"))
    found: dict[str, Any] = document["features"][0]["numerical_statistics"]
    return found


def kll(values: list[float]) -> dict[str, Any]:
    found: dict[str, Any] = described(values)["distribution"]["kll"]
    return found


def test_statistics_have_model_monitors_shape() -> None:
    """Numbers, whole numbers, booleans, words and empty columns each have the block that AWS documents (S70)."""
    document = statistics.statistics(labelled(KIND_ROWS), KINDS)
    amount, hour, is_abroad, merchant, empty, blank = document["features"]
    distribution = amount["numerical_statistics"].pop("distribution")

    assert document["version"] == 0
    assert document["dataset"] == {"item_count": 4}
    assert amount == {
        "name": "amount",
        "inferred_type": "Fractional",
        "numerical_statistics": {
            "common": {"num_present": 3, "num_missing": 1},
            "mean": pytest.approx(0.5),
            "sum": pytest.approx(1.5),
            "std_dev": pytest.approx((0.56 / 3) ** 0.5),
            "min": 0.1,
            "max": 1.1,
        },
    }
    assert list(distribution) == ["kll"]
    assert distribution["kll"]["sketch"] == {"parameters": {"c": 0.64, "k": 2048.0}, "data": [[0.1, 0.3, 1.1]]}
    assert (hour["inferred_type"], is_abroad["inferred_type"]) == ("Integral", "Integral")
    assert is_abroad["numerical_statistics"]["sum"] == 3
    assert merchant == {
        "name": "merchant",
        "inferred_type": "String",
        "string_statistics": {
            "common": {"num_present": 3, "num_missing": 1},
            "distinct_count": 2,
            "distribution": {
                "categorical": {"buckets": [{"value": "fuel", "count": 1}, {"value": "toys", "count": 2}]}
            },
        },
    }
    nothing = {"num_present": 0, "num_missing": 4}
    assert empty == {"name": "empty", "inferred_type": "Unknown", "numerical_statistics": {"common": nothing}}
    assert blank["inferred_type"] == "Unknown"
    assert blank["string_statistics"] == {
        "common": nothing,
        "distinct_count": 0,
        "distribution": {"categorical": {"buckets": []}},
    }


def test_constraints_have_model_monitors_shape() -> None:
    """Completeness, sign and domain are what the rows held; the thresholds are AWS's defaults (S70)."""
    document = statistics.constraints(labelled(KIND_ROWS), KINDS)

    assert document == {
        "version": 0,
        "features": [
            {
                "name": "amount",
                "inferred_type": "Fractional",
                "completeness": 0.75,
                "num_constraints": {"is_non_negative": True},
            },
            {
                "name": "hour",
                "inferred_type": "Integral",
                "completeness": 1.0,
                "num_constraints": {"is_non_negative": False},
            },
            {
                "name": "is_abroad",
                "inferred_type": "Integral",
                "completeness": 1.0,
                "num_constraints": {"is_non_negative": True},
            },
            {
                "name": "merchant",
                "inferred_type": "String",
                "completeness": 0.75,
                "string_constraints": {"domains": ["fuel", "toys"]},
            },
            {"name": "empty", "inferred_type": "Unknown", "completeness": 0.0},
            {"name": "blank", "inferred_type": "Unknown", "completeness": 0.0},
        ],
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 0.1,
            "domain_content_threshold": 0.1,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": 0.1,
                "comparison_method": "Robust",
            },
        },
    }


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        pytest.param([*range(11)], [1] * 9 + [2], id="the last bucket holds the maximum too"),
        pytest.param(
            [n / 10 for n in range(1, 12)], [1] * 9 + [2], id="a bound is the cell, whatever float32 makes of it"
        ),
        pytest.param([7.5, 7.5, 7.5], [0] * 9 + [3], id="one value"),
        pytest.param([-3.4e38, 3.4e38], [1] + [0] * 8 + [1], id="the widest range"),
    ],
)
def test_ten_buckets_of_one_width_hold_every_value(values: list[float], counts: list[int]) -> None:
    """A bucket holds its lower bound and not its upper one, as in Deequ."""
    buckets = kll(values)["buckets"]

    assert [bucket["count"] for bucket in buckets] == counts
    assert (buckets[0]["lower_bound"], buckets[-1]["upper_bound"]) == (min(values), max(values))
    assert [bucket["upper_bound"] for bucket in buckets[:-1]] == [bucket["lower_bound"] for bucket in buckets[1:]]


@pytest.mark.parametrize("rows", [1, 2, 2047, 2048, 2049, 4095, 4096, 4097, 10_007, 131_072])
def test_a_sketch_weighs_what_the_column_holds(rows: int) -> None:
    """An item of level i is the middle of 2**i values, and 2**i is a thousandth of all at most."""
    values = np.random.default_rng(rows).permutation(rows).astype(float)

    data = kll(values.tolist())["sketch"]["data"]

    items = np.array([item for level in data for item in level])
    weights = np.array([2**level for level, items in enumerate(data) for _ in items])
    order = np.argsort(items)
    ranks = np.cumsum(weights[order]) - weights[order] / 2
    assert weights.sum() == rows
    assert len(items) < 2048 + len(data)
    assert len(np.unique(items)) == len(items)
    assert np.abs(ranks - items[order]).max() <= 0.5
    assert weights.max() <= max(1, rows / 1000)
    assert rows > 2048 or data == [sorted(values)]


def test_the_label_is_no_feature() -> None:
    """Captured requests have no label, so the baseline has none either."""
    rows = with_missing(make_labelled())

    documents = [statistics.statistics(rows, NUMBERS), statistics.constraints(rows, NUMBERS)]

    assert [[feature["name"] for feature in document["features"]] for document in documents] == [[*NUMBERS.names]] * 2


def test_a_job_leaves_a_baseline(trained: Path) -> None:
    """The files lie beside the report, in strict JSON, and describe the rows of the training channel."""
    directory = trained / "output" / "data"
    with (trained / "input/data/train/transactions.csv").open(newline="") as file:
        amounts = [float(row["Amount"]) for row in csv.DictReader(file)]

    found, wanted = (json.loads((directory / f"{name}.json").read_text()) for name in ("statistics", "constraints"))

    amount = next(feature for feature in found["features"] if feature["name"] == "Amount")["numerical_statistics"]
    assert found["dataset"]["item_count"] == len(amounts)
    assert amount["sum"] == pytest.approx(sum(amounts))
    assert (amount["min"], amount["max"]) == (min(amounts), max(amounts))
    assert {item for level in amount["distribution"]["kll"]["sketch"]["data"] for item in level} <= set(amounts)
    assert [feature["name"] for feature in wanted["features"]] == [feature["name"] for feature in found["features"]]
    assert all("NaN" not in path.read_text() for path in directory.glob("*.json"))
