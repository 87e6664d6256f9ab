"""`serve`: gunicorn, with the bundle loaded before the workers are forked."""

import gc
import logging
import os
import signal
import sys
import tempfile
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from fraud import settings
from fraud.errors import FraudError
from fraud.opt_ml import OptMl
from fraud.serving import logs
from fraud.serving.workers import PatientWorker, admit_no_more
from fraud.settings import ServingSettings

log = logging.getLogger(__name__)

# Within the 30 s that SageMaker gives (S5).
GRACEFUL_SECONDS = 25
# Longer than load balancers keep an idle connection, so that it is never this side that closes one in use.
KEEP_ALIVE_SECONDS = 75


def main() -> None:
    """Run gunicorn in this process, the one that SageMaker signals; a wrong setting ends in one line and code 1."""
    if len(sys.argv) > 1:
        sys.exit(f"serve takes no arguments, and got {sys.argv[1]!r}; its settings are environment variables")
    try:
        told = settings.read(ServingSettings)
    except FraudError as error:
        sys.exit(f"ERROR {error.code}: {error}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    logs.configure(told.log_level)
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        sys.exit("ERROR TEMPORARY_DIRECTORY: no file can be written in /tmp; mount a directory there: --tmpfs /tmp")
    Server(told).run()


def options(told: ServingSettings) -> dict[str, Any]:
    """Return gunicorn's settings."""
    return {
        "bind": f"0.0.0.0:{told.port}",
        "workers": told.processes,
        "worker_class": "fraud.serving.workers.PatientWorker",
        "threads": told.threads,
        "timeout": told.timeout_seconds,
        "graceful_timeout": GRACEFUL_SECONDS,
        "keepalive": KEEP_ALIVE_SECONDS,
        "worker_tmp_dir": tempfile.gettempdir(),
        "loglevel": told.log_level.lower(),
        "logger_class": "fraud.serving.logs.GunicornLogger",
        "preload_app": True,
        "control_socket_disable": True,
    }


class _Master(Arbiter):  # type: ignore[misc] # gunicorn has no types
    def handle_term(self) -> None:
        """End, once the workers have answered all clients that the system has accepted (S5)."""
        if not self.reexec_pid and not self.master_pid:  # no other master listens on the same sockets
            for listener in self.LISTENERS:
                admit_no_more(listener)
        super().handle_term()

    def spawn_worker(self) -> Any:
        """Start a worker; signals wait until it listens to them, as before then they would only reach our copy."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, PatientWorker.SIGNALS)
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn with our settings; each worker records its figures in a place of its own."""

    def __init__(self, told: ServingSettings) -> None:
        self._told = told
        super().__init__()

    def load_config(self) -> None:
        hooks = {"pre_fork": self._assign, "post_fork": _take, "child_exit": self._leave}
        for name, value in {**options(self._told), **hooks}.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        _Master(self).run()

    def load(self) -> Flask:
        app = load(self._told)
        gc.freeze()  # no worker looks through what is loaded by now, or copies its pages
        return app

    def _assign(self, arbiter: Any, worker: Any) -> None:
        """Give a new worker a place that no living one has; in the master, one worker at a time.

        It is that of a worker which died, where there is one: the watch on drift goes on from its rows.
        """
        metrics = worker.metrics = self.callable.extensions["metrics"]
        taken = {other.place for other in arbiter.WORKERS.values()}
        free = [place for place in range(metrics.places) if place not in taken]
        worker.place = max(free, key=metrics.latest_rows, default=metrics.places - 1)

    def _leave(self, arbiter: Any, worker: Any) -> None:
        """Forget the rows of a worker that others have replaced already.

        The one worker of many models took them with it: the platform has to know that none is loaded (S6).
        """
        if self._told.is_multi_model and arbiter.LISTENERS:
            log.error("the worker that held the models died; ending, so that they are loaded again")
            sys.exit(1)
        if len(arbiter.WORKERS) >= self._told.processes:
            worker.metrics.leave(worker.place)


def _take(_arbiter: Any, worker: Any) -> None:
    worker.metrics.take(worker.place)


def load(told: ServingSettings) -> Flask:
    """Load the bundle and build the application, once, in gunicorn's master; a bad model ends it with code 1."""
    # Process 1 ignores SIGTERM until a handler is there, and gunicorn sets its own only after this.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    from fraud.bundle import ModelBundle  # noqa: PLC0415 - NumPy must not load before OMP_NUM_THREADS is set
    from fraud.serving.app import create_app, prove_scoring  # noqa: PLC0415

    for hint in settings.unknown(os.environ):
        log.warning(hint)
    try:
        if told.is_multi_model:
            log.info("serving models on port %d as they are loaded", told.port)
            return create_app(None, told)
        bundle = ModelBundle.load(OptMl(settings.base_directory(os.environ)).model)
        bundle = bundle.deciding(told.review_threshold, told.decline_threshold)
        bundle.require_reasons(told.output or ())
        app = create_app(bundle, told)
    except FraudError as error:
        log.error("%s: %s", error.code, error)
        sys.exit(1)
    prove_scoring(bundle)
    model, seen = bundle.model, (bundle.card.model_id, told.port, told.processes)
    log.info("serving model %s on port %d with %d workers", *seen)
    log.info("reviewed by %s, declined by %s", model.threshold.rule, model.decline.rule)
    return app
