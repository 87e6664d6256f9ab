"""The programs of the image: `train` and `serve`, and `fraud` with both as verbs."""

import os
import signal
import sys
from collections.abc import Callable

import click

from fraud import __version__


def train() -> None:
    """Train on the channels below /opt/ml, and leave a model and its report there."""
    _heed_sigterm()
    # XGBoost's threads sleep while they wait: spinning, they take each other's time on a machine that is busy.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from fraud.training.job import main as run  # noqa: PLC0415 - only what a verb needs is imported, after the setting

    run()


def serve() -> None:
    """Serve the model in /opt/ml/model on port 8080."""
    _heed_sigterm()
    from fraud.serving.server import main as run  # noqa: PLC0415 - only what a verb needs is imported

    run()


def _heed_sigterm() -> None:
    """End on SIGTERM already while libraries load: as process 1 of a container a program ignores it by default."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


VERBS: dict[str, Callable[[], None]] = {"train": train, "serve": serve}


@click.command(epilog="  ".join(f"{name}: {verb.__doc__}" for name, verb in VERBS.items()))
@click.help_option("-h", "--help")
@click.version_option(__version__, prog_name="fraud-detect")
@click.argument("verb", type=click.Choice(list(VERBS)))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def main(verb: str, arguments: tuple[str, ...]) -> None:
    """Train and serve card-fraud models by SageMaker's contract."""
    sys.argv = [verb, *arguments]
    VERBS[verb]()


if __name__ == "__main__":
    main()
