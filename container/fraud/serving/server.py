"""`serve`: become gunicorn, with the bundle loaded before the workers are forked."""

import logging
import os
import signal
import sys
import tempfile

from flask import Flask

from fraud import settings
from fraud.errors import FraudError
from fraud.opt_ml import OptMl
from fraud.settings import ServingSettings

log = logging.getLogger(__name__)

# Within the 30 s that SageMaker gives (S5).
GRACEFUL_SECONDS = 25
# Longer than load balancers keep an idle connection, so that it is never this side that closes one in use.
KEEP_ALIVE_SECONDS = 75


def main() -> None:
    """Become gunicorn (PID 1 stays the one that SageMaker signals); a wrong setting ends in one line and code 1."""
    if len(sys.argv) > 1:
        sys.exit(f"serve takes no arguments, and got {sys.argv[1]!r}; its settings are environment variables")
    try:
        told = settings.read(ServingSettings)
    except FraudError as error:
        sys.exit(f"ERROR {error.code}: {error}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.execv(sys.executable, [sys.executable, *arguments(told)])  # noqa: S606 - no shell is the point


def arguments(told: ServingSettings) -> list[str]:
    """Return the command line of gunicorn, all but the interpreter."""
    flags = {
        "bind": f"0.0.0.0:{told.port}",
        "workers": told.workers,
        "worker-class": "gthread",
        "threads": told.threads,
        "timeout": told.timeout_seconds,
        "graceful-timeout": GRACEFUL_SECONDS,
        "keep-alive": KEEP_ALIVE_SECONDS,
        "worker-tmp-dir": tempfile.gettempdir(),
        "log-level": told.log_level.lower(),
    }
    switches = ["--preload", "--no-control-socket"]
    stated = [f"--{name}={value}" for name, value in flags.items()]
    return ["-m", "gunicorn", *switches, *stated, f"{__name__}:load()"]


def load() -> Flask:
    """Load the bundle and build the application, once, in gunicorn's master; a bad model ends it with code 1."""
    # Process 1 ignores SIGTERM until a handler is there, and gunicorn sets its own only after this.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    from fraud.bundle import ModelBundle  # noqa: PLC0415 - `serve` itself loads no XGBoost before it becomes gunicorn
    from fraud.serving.app import create_app, prove_scoring  # noqa: PLC0415

    told = settings.read(ServingSettings)
    logging.basicConfig(level=told.log_level, stream=sys.stderr, format="%(levelname)s %(message)s")
    try:
        bundle = ModelBundle.load(OptMl(settings.base_directory(os.environ)).model)
    except FraudError as error:
        log.error("%s: %s", error.code, error)
        sys.exit(1)
    prove_scoring(bundle)
    log.info("serving model %s on port %d with %d workers", bundle.card.model_id, told.port, told.workers)
    return create_app(bundle, told)
