"""A small comparison inside one process, for tests: its plan, and the bench that a worker would find."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fraud.comparing.folds import divide
from fraud.comparing.plan import Plan
from fraud.comparing.store import Store
from fraud.comparing.work import Bench
from fraud.comparing.workers import Submit
from fraud.model.learner import Labelled
from tests.labelled import NUMBERS

FEW = {"num_round": "8", "max_bin": "64"}


def make_plan(**changes: Any) -> Plan:
    """Return a plan of two pairs and three folds, with few rounds."""
    told: dict[str, Any] = {
        "learners": ("xgboost",),
        "resamplings": ("none", "smote"),
        "folds": 3,
        "split": "stratified",
        "search": "none",
        "candidates": {"xgboost": (FEW,)},
        "told": {"seed": "0", "smote_ratio": "0.5"},
        **changes,
    }
    return Plan(**told)


@contextmanager
def at_bench(directory: Path, plan: Plan, rows: Labelled) -> Iterator[Bench]:
    """Lend the rows to this process as to a worker."""
    store = Store.open(directory, plan.stated(), resume=False)
    parts = divide(rows, plan.folds, plan.split, plan.shared.seed)
    with store.lent(rows, parts) as lent:
        yield Bench(plan, NUMBERS, store, lent)


def at_once(function: Callable[..., str], *arguments: object) -> Future[str]:
    """Submit to this process, where a test can say what goes wrong."""
    future: Future[str] = Future()
    future.set_result(function(*arguments))
    return future


@contextmanager
def in_process(_jobs: int, _threads: int, _log: Path) -> Iterator[Submit]:
    """Stand where worker processes are lent."""
    yield at_once
