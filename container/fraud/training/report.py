"""What a job found, for machines (report.json), for people (report.html), and row by row (predictions.csv)."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from fraud.bundle import ModelBundle
from fraud.curves import curves
from fraud.fitting import Fitted
from fraud.model.evaluation import calibration_figures, confusion, reliability
from fraud.model.learner import Labelled
from fraud.model.scores import Floats, Labels
from fraud.model.splitting import Split
from fraud.training.page import render

SWEEP = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, *(step / 20 for step in range(2, 20)), 0.98, 0.99)


def describe(bundle: ModelBundle, fitted: Fitted, split: Split, notes: Sequence[str]) -> dict[str, Any]:
    """Return the report as plain values; everything is measured on the held-out rows unless it says otherwise."""
    card, y, scores = bundle.card, split.held_out.y, fitted.scores
    uncalibrated = expit(bundle.model.learner.link(scores.raw_score))
    parts = {"training": split.training, "tuning": split.tuning, "held_out": split.held_out}
    return {
        "model_id": card.model_id,
        "job_name": card.job_name,
        "measured_on": split.measured_on,
        "notes": list(notes),
        "rows": {name: _balance(rows) for name, rows in parts.items()},
        "resampling": [_plain(asdict(candidate)) for candidate in fitted.candidates],
        "figures": {name: {key: asdict(value) for key, value in of.items()} for name, of in fitted.figures.items()},
        "calibration": {
            **asdict(card.calibration),
            "before": calibration_figures(y, uncalibrated),
            "after": calibration_figures(y, scores.probability),
            "reliability_before": reliability(y, uncalibrated),
            "reliability_after": reliability(y, scores.probability),
        },
        "threshold": asdict(card.threshold),
        "confusion": confusion(y, scores.flagged),
        "decline": asdict(card.decline),
        "declined": _balance(split.held_out[np.flatnonzero(scores.declined)]),
        "sweep": [_at(threshold, y, scores.probability) for threshold in SWEEP],
        "curves": curves(y, scores.probability),
        "importance": bundle.model.learner.importance(bundle.schema.names),
        "is_supervised": bundle.model.learner.is_supervised,
        "importance_of": bundle.model.learner.importance_of,
        "rounds": bundle.model.learner.rounds,
        "columns": [{"name": column.name, "kind": column.kind} for column in bundle.schema.columns],
        "hyperparameters": dict(card.hyperparameters),
        "versions": dict(card.versions),
        "data_sha256": dict(card.data_sha256),
    }


def write(directory: Path, document: dict[str, Any], split: Split, fitted: Fitted) -> None:
    """Write the three files."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.json").write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
    scores = fitted.scores
    columns: list[NDArray[Any]] = [
        split.positions,
        split.held_out.y,
        scores.probability,
        scores.raw_score,
        scores.flagged,
    ]
    np.savetxt(
        directory / "predictions.csv",
        np.column_stack(columns),
        fmt=("%d", "%d", "%.9g", "%.9g", "%d"),
        delimiter=",",
        header="row,label,probability,raw_score,predicted_label",
        comments="",
    )
    (directory / "report.html").write_text(render(document), encoding="utf-8")


def _balance(rows: Labelled) -> dict[str, int]:
    return {"frauds": rows.frauds, "honest": len(rows) - rows.frauds}


def _plain(candidate: dict[str, Any]) -> dict[str, Any]:
    """Return a candidate without the figures that one that was refused does not have."""
    absent = {"average_precision", "frauds", "honest"} if candidate["refused"] else {"refused"}
    return {name: value for name, value in candidate.items() if name not in absent and value is not None}


def _at(threshold: float, y: Labels, probability: Floats) -> dict[str, float]:
    counts = confusion(y, probability >= threshold)
    alerts = counts["true_positive"] + counts["false_positive"]
    frauds = counts["true_positive"] + counts["false_negative"]
    return {
        "threshold": threshold,
        "precision": counts["true_positive"] / max(alerts, 1),
        "recall": counts["true_positive"] / frauds,
        "f1": 2 * counts["true_positive"] / (alerts + frauds),
        "alert_rate": alerts / len(y),
    }
