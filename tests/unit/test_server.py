import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from fraud.bundle import ModelBundle
from fraud.serving import app, server
from fraud.serving.metrics import Metrics
from fraud.serving.server import Server
from fraud.settings import ServingSettings
from tests.processes import ROOT

TWO = ServingSettings(MODEL_SERVER_WORKERS=2)
LINES = [
    line.rsplit(",", 1)[0]
    for line in (ROOT / "test_dir/input/data/train/transactions.csv").read_text().splitlines()[1:]
]


@dataclass
class Arbiter:
    """gunicorn's master, as far as our hooks see it."""

    WORKERS: dict[int, Any] = field(default_factory=dict)


@dataclass
class World:
    """A server with its master, and what its workers would do: take a place, score rows, die."""

    server: Server
    arbiter: Arbiter = field(default_factory=Arbiter)

    @property
    def metrics(self) -> Metrics:
        metrics: Metrics = self.server.callable.extensions["metrics"]
        return metrics

    def start(self, pid: int) -> None:
        worker = SimpleNamespace()
        self.server.cfg.pre_fork(self.arbiter, worker)
        self.arbiter.WORKERS[pid] = worker

    def score(self, pid: int, rows: int) -> None:
        self.server.cfg.post_fork(self.arbiter, self.arbiter.WORKERS[pid])
        self.server.callable.test_client().post("/invocations", data="\n".join(LINES[:rows]))

    def end(self, pid: int) -> None:
        self.server.cfg.child_exit(self.arbiter, self.arbiter.WORKERS.pop(pid))

    def seen(self) -> tuple[float, float]:
        """Return rows scored, and rows in the window on drift."""
        samples = [sample for metric in self.metrics.collect() for sample in metric.samples]
        found = {sample.name: sample.value for sample in samples}
        return found["fraud_rows_total"], found["fraud_drift_rows"]


@pytest.fixture
def world(bundle: ModelBundle) -> World:
    running = Server(TWO)
    running.callable = app.create_app(bundle, TWO)
    return World(running)


def test_each_worker_has_its_own_place(world: World) -> None:
    """No two that live write to the same figures, in a rolling replacement either."""
    for pid in (1, 2, 3, 4):
        world.start(pid)

    assert sorted(worker.place for worker in world.arbiter.WORKERS.values()) == [0, 1, 2, 3]


def test_a_crash_loses_nothing(world: World) -> None:
    """Who replaces a worker that died goes on from its counts and its rows (S68)."""
    world.start(1)
    world.start(2)
    world.score(1, 10)
    world.score(2, 20)
    world.end(2)
    world.start(3)
    world.score(3, 5)

    assert world.seen() == (35, 35)
    assert world.arbiter.WORKERS[3].place == 1


def test_a_rolling_replacement_keeps_counts_and_forgets_rows(world: World) -> None:
    """After SIGHUP all counts are there, and drift is measured on what the new workers see, not on what once was."""
    for pid in (1, 2):
        world.start(pid)
        world.score(pid, 10)
    for pid in (3, 4):
        world.start(pid)
        world.score(pid, 7)
    for pid in (1, 2):
        world.end(pid)

    assert world.seen() == (34, 14)


def test_a_crash_after_a_replacement_loses_nothing(world: World) -> None:
    """Also when the workers that live have the later places, one that follows finds the rows of the one before."""
    for pid in (1, 2, 3, 4):
        world.start(pid)
        world.score(pid, 10)
    for pid in (1, 2):
        world.end(pid)
    world.end(3)
    world.start(5)
    world.score(5, 1)

    assert world.seen() == (41, 21)


def test_more_workers_than_places(world: World) -> None:
    """Should gunicorn run more workers than there are places, they share one rather than fail."""
    for pid in range(6):
        world.start(pid)

    assert {worker.place for worker in world.arbiter.WORKERS.values()} == {0, 1, 2, 3}


def test_gunicorn_takes_every_option() -> None:
    """Each setting is one that gunicorn knows, and it listens where it was told (S2)."""
    told = ServingSettings(SAGEMAKER_BIND_TO_PORT=9090, MODEL_SERVER_WORKERS=3, MODEL_SERVER_TIMEOUT=7)
    config = Config()
    for name, value in server.options(told).items():
        config.set(name, value)

    assert config.address == [("0.0.0.0", 9090)]
    assert (config.workers, config.timeout, config.preload_app) == (3, 7, True)
    assert config.threads > told.reading_slots + told.scoring_slots + told.waiting_slots
    assert 25 <= config.graceful_timeout < 30


def test_many_models_are_one_process() -> None:
    """However many workers are asked for, each must see what is loaded: one process, with room for all (S54)."""
    told = ServingSettings(SAGEMAKER_MULTI_MODEL=True, MODEL_SERVER_WORKERS=8)

    assert server.options(told)["workers"] == 1
    assert told.scoring_slots == 16


def test_no_argument_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """`serve now` says that there are no arguments (S8)."""
    monkeypatch.setattr(sys, "argv", ["serve", "now"])
    with pytest.raises(SystemExit, match="takes no arguments, and got 'now'"):
        server.main()
