"""The programs of the image: `train` and `serve`, and `fraud` with all verbs."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable

import click

from fraud import __version__

# What `--help` says of each program.
HELP = {
    "train": """train: fit a fraud model on the CSV files in /opt/ml/input/data/train, and leave it in /opt/ml/model.
The report goes to /opt/ml/output/data, and why a job failed to /opt/ml/output/failure. There are no arguments:
/opt/ml/input/config/hyperparameters.json sets it (docs/06-hyperparameters.md), SAGEMAKER_BASE_DIR replaces /opt/ml.""",
    "serve": """serve: answer POST /invocations and GET /ping on port 8080 with the model in /opt/ml/model.
It writes no files but in /tmp, and there are no arguments: environment variables set it (docs/05-serving.md), such as
SAGEMAKER_BIND_TO_PORT for the port, MODEL_SERVER_WORKERS, and SAGEMAKER_BASE_DIR, which replaces /opt/ml.""",
}


def train() -> None:
    """Train on the channels below /opt/ml, and leave a model and its report there."""
    _heed_signals()
    _answer_help("train")
    # XGBoost's threads sleep while they wait: spinning, they take each other's time on a machine that is busy.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        tempfile.gettempdir()
    except FileNotFoundError:  # the library that draws the report does not even load without one
        sys.exit("ERROR TEMPORARY_DIRECTORY: no file can be written in /tmp; mount a directory there: --tmpfs /tmp")
    from fraud.training.job import main as run  # noqa: PLC0415 - only what a verb needs is imported, after the setting

    run()


def serve() -> None:
    """Serve the model in /opt/ml/model on port 8080."""
    _heed_signals()
    _answer_help("serve")
    from fraud.serving.server import main as run  # noqa: PLC0415 - only what a verb needs is imported

    run()


def compare() -> None:
    """Compare learners and resamplings by cross-validation on labelled rows."""
    _heed_signals()
    from fraud.comparing.command import main as run  # noqa: PLC0415 - only what a verb needs is imported

    run(prog_name="fraud compare")


def _heed_signals() -> None:
    """End on a signal already while libraries load: as process 1 of a container a program ignores it by default."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))


def _answer_help(verb: str) -> None:
    if {"-h", "--help"} & set(sys.argv[1:]):
        click.echo(HELP[verb])
        sys.exit()


VERBS: dict[str, Callable[[], None]] = {"train": train, "serve": serve, "compare": compare}


# What follows the verb is the verb's own, `--help` too.
@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="  ".join(f"{name}: {verb.__doc__}" for name, verb in VERBS.items()),
)
@click.help_option("-h", "--help")
@click.version_option(__version__, prog_name="fraud-detect")
@click.argument("verb", type=click.Choice(list(VERBS)))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def main(verb: str, arguments: tuple[str, ...]) -> None:
    """Train and serve card-fraud models by SageMaker's contract, and compare them."""
    sys.argv = [verb, *arguments]
    VERBS[verb]()


if __name__ == "__main__":
    main()
