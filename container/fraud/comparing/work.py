"""What a worker process does: measure a fold of a pair, sum a pair up, compare two pairs. Results go to the store."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from fraud import hyperparameters
from fraud.comparing.folds import TESTS, TRAINS, TUNES, Parts
from fraud.comparing.grids import Told
from fraud.comparing.plan import Pair, Plan
from fraud.comparing.store import Outcome, Store
from fraud.curves import curves
from fraud.errors import FraudError
from fraud.fitting import Fitted, Trainer
from fraud.model.evaluation import average_precision, average_precision_gain, confusion, evaluate
from fraud.model.learner import Labelled
from fraud.model.scores import Floats, Labels, Scores
from fraud.model.splitting import Split
from fraud.schema import Schema


@dataclass(frozen=True)
class Bench:
    """Where a worker finds everything; `rows` is the directory that lends the rows."""

    plan: Plan
    schema: Schema
    store: Store
    rows: Path


def guarded(function: Callable[..., None], *arguments: object) -> str:
    """Call, and return what went wrong that nothing foresaw; never a value of a row."""
    try:
        function(*arguments)
    except FraudError as error:
        return str(error)
    except MemoryError:
        return "the memory of this machine is used up; fewer --jobs need less"
    except OSError as error:
        return f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}"
    except Exception as error:
        traceback.print_exc()
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"an error inside, {type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
    return ""


def measure(bench: Bench, pair: Pair, fold: int) -> None:
    """Fit on the rows of a fold that train and tune, then score those that test, and save the outcome."""
    rows, parts = _lent(bench.rows)
    training, tuning, tests = (rows[np.flatnonzero(parts[fold] == does)] for does in (TRAINS, TUNES, TESTS))
    best, outcome = _search(bench, pair, shown(training, tuning))
    if best is None:
        bench.store.save(pair, fold, outcome, None)
        return
    try:
        scores = best.model.score(tests.X)
    except FraudError as error:
        bench.store.save(pair, fold, replace(outcome, refused=str(error)), None)
        return
    measured = Outcome(
        candidate=outcome.candidate,
        seconds=outcome.seconds,
        search_seconds=outcome.search_seconds,
        threshold=best.model.threshold.value,
        figures=fold_figures(tests.y, scores),
        tried=outcome.tried,
    )
    bench.store.save(pair, fold, measured, np.vstack([scores.probability, scores.flagged]))


def shown(training: Labelled, tuning: Labelled) -> Split:
    """Return what a trainer is shown of a fold.

    Nothing of the rows that test: a fraud and an honest row that tune stand where a job has those that measure.
    """
    witnesses = np.array([np.argmax(tuning.y == label) for label in (0, 1)], dtype=np.intp)
    return Split(training, tuning, tuning[witnesses], witnesses, has_test=False)


def _search(bench: Bench, pair: Pair, split: Split) -> tuple[Fitted | None, Outcome]:
    """Fit each candidate and return the one that ranks the rows that tune best, the first of equals."""
    best: Fitted | None = None
    chosen, seconds, reached, begun = 0, 0.0, -1.0, perf_counter()
    tried: list[Mapping[str, Any]] = []
    for number, candidate in enumerate(bench.plan.candidates[pair.learner]):
        start = perf_counter()
        try:
            fitted = _fit(bench, pair, candidate, split)
        except FraudError as error:
            tried.append({"refused": str(error)})
            continue
        tuned = next(seen.average_precision for seen in fitted.candidates if seen.is_chosen)
        tried.append({"average_precision": tuned})
        if tuned > reached:
            best, chosen, seconds, reached = fitted, number, perf_counter() - start, tuned
    refused = "" if best else str(tried[0]["refused"])
    return best, Outcome(refused, chosen, seconds, perf_counter() - begun, tried=tried)


def _fit(bench: Bench, pair: Pair, candidate: Told, split: Split) -> Fitted:
    parameters = hyperparameters.read(bench.plan.told_to(pair, candidate))
    trainer = Trainer(parameters, bench.schema, "cpu", bench.plan.threads, _go_on, lambda: False)
    return trainer.fit(split)


def _go_on(_round: int, _figures: Mapping[str, float]) -> bool:
    return False


def fold_figures(y: Labels, scores: Scores) -> dict[str, float]:
    """Measure the rows that a fold tests, without intervals."""
    counts = confusion(y, scores.flagged)
    hits, alerts = counts["true_positive"], counts["true_positive"] + counts["false_positive"]
    frauds = int(np.count_nonzero(y))
    return {
        "average_precision": average_precision(y, scores.probability),
        "roc_auc": float(roc_auc_score(y, scores.probability)),
        "precision": hits / max(alerts, 1),
        "recall": hits / frauds,
        "f1": 2 * hits / (alerts + frauds),
    }


def summarise(bench: Bench, pair: Pair) -> None:
    """Measure all rows that the folds tested, each scored by the model that has not seen it, and save that."""
    y, scores = _pooled(bench, pair)
    told = bench.plan.shared
    figures = {name: asdict(figure) for name, figure in evaluate(y, scores, told.top_k, told.seed).items()}
    summary = {
        "figures": {**figures, "brier_skill": _skill(y, figures["brier"])},
        "confusion": confusion(y, scores.flagged),
        "curves": curves(y, scores.probability),
    }
    bench.store.save_summary(pair, summary)


def weigh(bench: Bench, winner: Pair, other: Pair) -> None:
    """Save how much average precision the winner has over another pair, by a bootstrap over the same rows."""
    y, better = _pooled(bench, winner)
    _, worse = _pooled(bench, other)
    gain = average_precision_gain(y, worse.probability, better.probability, bench.plan.shared.seed)
    bench.store.save_gain(winner, other, gain)


def _skill(y: Labels, brier: Mapping[str, float]) -> dict[str, float]:
    """Return the share of the Brier score of stating the fraud rate for every row that is removed."""
    rate = float(np.mean(y))
    stated = rate * (1 - rate)
    return {name: 1 - brier[of] / stated for name, of in (("value", "value"), ("low", "high"), ("high", "low"))}


def _pooled(bench: Bench, pair: Pair) -> tuple[Labels, Scores]:
    rows, parts = _lent(bench.rows)
    labels = [rows.y[part == TESTS] for part in parts]
    y: Labels = np.concatenate(labels)
    found = [bench.store.scores(pair, fold, len(tested)) for fold, tested in enumerate(labels)]
    probability: Floats = np.concatenate([scores[0] for scores in found])
    flagged = np.concatenate([scores[1] for scores in found]).astype(np.bool_)
    return y, Scores(probability, probability, flagged, np.zeros_like(flagged))


@cache
def _lent(directory: Path) -> tuple[Labelled, Parts]:
    """Map the rows into memory that all workers share."""
    X, y, parts = (np.asarray(np.load(directory / f"{name}.npy", mmap_mode="r")) for name in ("X", "y", "parts"))
    return Labelled(X, y), parts
