"""What a comparison found: compare.json, compare.csv, compare.html, and the winner's hyperparameters for `train`."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fraud.channels import Channel
from fraud.comparing import store
from fraud.comparing.folds import NAMES, TESTS, Parts
from fraud.comparing.page import render
from fraud.comparing.plan import Pair
from fraud.comparing.progress import Progress
from fraud.comparing.store import Outcome
from fraud.model.scores import Labels

MEASURES = ("average_precision", "roc_auc", "precision", "recall", "f1", "brier_skill")
COUNTS = ("true_positive", "false_positive", "false_negative", "true_negative")


def describe(
    progress: Progress, channel: Channel, parts: Parts, stated: Mapping[str, Any], notes: Sequence[str]
) -> dict[str, Any]:
    """Return the comparison as plain values."""
    ranking, pairs, unweighed = progress.ranking(), progress.plan.pairs, progress.unweighed
    tested = channel.rows.y[(parts == TESTS).any(axis=0)]
    return {
        "is_complete": progress.is_complete,
        "notes": list(notes),
        "rows": _balance(channel.rows.y),
        "tested": _balance(tested),
        "parts": [{name: _balance(channel.rows.y[part == does]) for does, name in NAMES.items()} for part in parts],
        "winner": _winner(progress, ranking) if ranking else None,
        "pairs": [_entry(progress, pair) for pair in ranking],
        "refused": [{**_named(pair), "reason": why} for pair in pairs if (why := progress.refusal(pair))],
        "failed": [{**_named(pair), "reason": why} for pair, why in progress.failed.items()],
        "unfinished": [
            {**_named(pair), "folds_done": len(progress.of_pair(pair))} for pair in pairs if not progress.is_over(pair)
        ],
        "unweighed": [
            {**_named(pair), "reason": progress.unweighable.get(pair, "")} for pair in ranking if pair in unweighed
        ],
        "settings": dict(stated),
    }


def write(directory: Path, document: dict[str, Any]) -> None:
    """Write every file, each in one step."""
    store.write(directory / "compare.json", json.dumps(document, indent=1, allow_nan=False))
    store.write(directory / "compare.csv", _table(document))
    if document["winner"]:
        told = document["winner"]["hyperparameters"]
        store.write(directory / "hyperparameters.json", json.dumps(told, indent=1))
    store.write(directory / "compare.html", render(document))


def best_candidate(outcomes: Sequence[Outcome]) -> int:
    """Return the candidate that ranked the rows that tune best in the mean of the folds, the first of equals.

    One that a fold refused is none.
    """
    tried = [[seen.get("average_precision", -np.inf) for seen in outcome.tried] for outcome in outcomes]
    return int(np.argmax(np.mean(tried, axis=0)))


def _winner(progress: Progress, ranking: Sequence[Pair]) -> dict[str, Any]:
    """Describe the pair with the highest average precision, and the cheapest of those within noise of it.

    Until all is known nothing is said of the others. A pair that makes the same scores, or takes about the same
    time, is not worth a word.
    """
    winner = ranking[0]
    described: dict[str, Any] = {**_named(winner), "hyperparameters": _hyperparameters(progress, winner)}
    if not progress.is_complete:
        return {**described, "within_noise": None, "same_scores": None, "cheaper": None}
    described |= {"within_noise": len(progress.within_noise), "same_scores": len(progress.same_scores)}
    cheaper = progress.cheaper()
    if cheaper is None:
        return {**described, "cheaper": None}
    gain, seconds = asdict(progress.gains[cheaper]), progress.seconds(cheaper)
    told = _hyperparameters(progress, cheaper)
    return {**described, "cheaper": {**_named(cheaper), "gain": gain, "seconds": seconds, "hyperparameters": told}}


def _named(pair: Pair) -> dict[str, str]:
    return {"learner": pair.learner, "resampling": pair.resampling}


def _hyperparameters(progress: Progress, pair: Pair) -> dict[str, str]:
    candidate = progress.plan.candidates[pair.learner][best_candidate(progress.of_pair(pair))]
    return progress.plan.told_to(pair, candidate)


def _entry(progress: Progress, pair: Pair) -> dict[str, Any]:
    outcomes = progress.of_pair(pair)
    gain = progress.gains.get(pair)
    is_known = pair not in progress.unweighed
    has_same_scores = pair in progress.same_scores
    return {
        **_named(pair),
        **progress.summaries[pair],
        "seconds": progress.seconds(pair),
        "search_seconds": sum(outcome.search_seconds for outcome in outcomes),
        "hyperparameters": _hyperparameters(progress, pair),
        "behind": gain and asdict(gain),
        "is_within_noise": gain is not None and gain.low <= 0 if is_known else None,
        "has_same_scores": has_same_scores if is_known else None,
        "folds": [_fold(progress, pair, outcome) for outcome in outcomes],
    }


def _fold(progress: Progress, pair: Pair, outcome: Outcome) -> dict[str, Any]:
    return {
        "figures": outcome.figures,
        "threshold": outcome.threshold,
        "seconds": outcome.seconds,
        "chosen": dict(progress.plan.candidates[pair.learner][outcome.candidate]),
        "tried": list(outcome.tried),
    }


def _balance(y: Labels) -> dict[str, int]:
    frauds = int(np.count_nonzero(y))
    return {"frauds": frauds, "honest": len(y) - frauds}


def _table(document: Mapping[str, Any]) -> str:
    """Return a line for each pair, best first, then those that were refused and those that failed."""
    text = io.StringIO()
    intervals = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    columns = ["rank", "learner", "resampling", *intervals, *COUNTS, "fit_seconds", "search_seconds"]
    writer = csv.DictWriter(text, [*columns, "refused", "failed"], restval="", lineterminator="\n")
    writer.writeheader()
    for rank, entry in enumerate(document["pairs"], start=1):
        figures = [entry["figures"][name][part] for name in MEASURES for part in ("value", "low", "high")]
        values = [rank, entry["learner"], entry["resampling"], *figures, *map(entry["confusion"].get, COUNTS)]
        writer.writerow(dict(zip(columns, [*values, entry["seconds"], entry["search_seconds"]], strict=True)))
    for column in ("refused", "failed"):
        for entry in document[column]:
            names = {name: entry[name] for name in ("learner", "resampling")}
            writer.writerow({**names, column: entry["reason"]})
    return text.getvalue()
