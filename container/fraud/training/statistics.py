"""The training rows as a baseline of Amazon SageMaker Model Monitor: statistics.json and constraints.json (S70).

The label is in neither: captured requests and batches have none, and Model Monitor would find it missing from each.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fraud.model.learner import Labelled
from fraud.model.scores import Floats
from fraud.schema import Column, Matrix, Schema

BUCKETS = 10
MOST_ITEMS = 2048
SKETCH_PARAMETERS = {"c": 0.64, "k": float(MOST_ITEMS)}
# AWS's defaults, with the comparison that allows for few rows; whoever runs the monitor may edit them in the file.
MONITORING_CONFIG = {
    "evaluate_constraints": "Enabled",
    "emit_metrics": "Enabled",
    "datatype_check_threshold": 0.1,
    "domain_content_threshold": 0.1,
    "distribution_constraints": {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.1,
        "comparison_method": "Robust",
    },
}


def write(directory: Path, rows: Labelled, schema: Schema) -> None:
    """Write the two files."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        "statistics.json": json.dumps(statistics(rows, schema), allow_nan=False),
        "constraints.json": json.dumps(constraints(rows, schema), allow_nan=False, indent=1),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")


def statistics(rows: Labelled, schema: Schema) -> dict[str, Any]:
    """Return what each column holds; a column without a value has its counts only, as in Deequ, which AWS runs."""
    features = [_feature_statistics(column, cells) for column, cells in zip(schema.columns, rows.X.T, strict=True)]
    return {"version": 0, "dataset": {"item_count": len(rows)}, "features": features}


def constraints(rows: Labelled, schema: Schema) -> dict[str, Any]:
    """Return what each column of later rows should be like; a column without a value sets its completeness only."""
    features = [_feature_constraints(column, cells) for column, cells in zip(schema.columns, rows.X.T, strict=True)]
    return {"version": 0, "features": features, "monitoring_config": MONITORING_CONFIG}


def _feature_statistics(column: Column, cells: Matrix) -> dict[str, Any]:
    present = cells[~np.isnan(cells)]
    common = {"common": {"num_present": len(present), "num_missing": len(cells) - len(present)}}
    feature = {"name": column.name, "inferred_type": _inferred_type(column, present)}
    if column.kind == "category":
        return {**feature, "string_statistics": {**common, **_words(column, present)}}
    return {**feature, "numerical_statistics": {**common, **(_numbers(present) if len(present) else {})}}


def _feature_constraints(column: Column, cells: Matrix) -> dict[str, Any]:
    present = cells[~np.isnan(cells)]
    feature = {
        "name": column.name,
        "inferred_type": _inferred_type(column, present),
        "completeness": len(present) / len(cells),
    }
    if not len(present):
        return feature
    if column.kind == "category":
        return {**feature, "string_constraints": {"domains": list(_counts(column, present))}}
    return {**feature, "num_constraints": {"is_non_negative": bool(present.min() >= 0)}}


def _inferred_type(column: Column, present: Matrix) -> str:
    if not len(present):
        return "Unknown"
    if column.kind == "category":
        return "String"
    return "Integral" if np.array_equal(present, np.floor(present)) else "Fractional"


def _counts(column: Column, codes: Matrix) -> dict[str, int]:
    """Return how many rows hold each category, without those that none holds."""
    counts = np.bincount(codes.astype(np.intp), minlength=len(column.categories))
    return {word: int(count) for word, count in zip(column.categories, counts, strict=True) if count}


def _words(column: Column, codes: Matrix) -> dict[str, Any]:
    counts = _counts(column, codes)
    buckets = [{"value": word, "count": count} for word, count in counts.items()]
    return {"distinct_count": len(counts), "distribution": {"categorical": {"buckets": buckets}}}


def _numbers(present: Matrix) -> dict[str, Any]:
    ordered = np.sort(present)
    minimum, maximum = _as_written(ordered[[0, -1]])
    return {
        "mean": float(ordered.mean(dtype=np.float64)),
        "sum": float(ordered.sum(dtype=np.float64)),
        "std_dev": float(ordered.std(dtype=np.float64)),
        "min": minimum,
        "max": maximum,
        "distribution": {
            "kll": {
                "buckets": _buckets(ordered, np.linspace(minimum, maximum, BUCKETS + 1)),
                "sketch": {"parameters": SKETCH_PARAMETERS, "data": _compactors(ordered)},
            }
        },
    }


def _buckets(ordered: Matrix, bounds: Floats) -> list[dict[str, float]]:
    """Count what lies from each bound up to the next; the last bucket holds the maximum too."""
    inner = np.searchsorted(ordered, bounds[1:-1].astype(np.float32))
    counts = np.diff(inner, prepend=0, append=len(ordered))
    return [
        {"lower_bound": float(lower), "upper_bound": float(upper), "count": int(count)}
        for lower, upper, count in zip(bounds[:-1], bounds[1:], counts, strict=True)
    ]


def _compactors(ordered: Matrix) -> list[list[float]]:
    """Return a sketch as KLL keeps it: an item of level `i` stands for 2**i values (Karnin, Lang and Liberty 2016).

    KLL tosses coins over a stream. Here all values lie sorted, so each item is the middle of a run of 2**i of them.
    The top level cuts the values into at most 2048 runs; what is left over is one run at most on each level below,
    by its length in binary. The weights add up to the number of values, and up to 2048 values are kept as they are.
    """
    values = len(ordered)
    top = max(0, (values - 1).bit_length() - (MOST_ITEMS - 1).bit_length())
    levels = []
    for level in range(top + 1):
        run = 2**level
        start = 0 if level == top else values - values % (2 * run)
        middles = ordered[start + run // 2 :: run][: (values - start) // run]
        levels.append(_as_written(middles))
    return levels


def _as_written(values: Matrix) -> list[float]:
    """Return the shortest decimals that read as these values: 0.1, where float64 would see 0.10000000149.

    Model Monitor compares them with the cells of requests, where one value in two spellings looks like drift.
    """
    return [float(text) for text in values.astype(str)]
