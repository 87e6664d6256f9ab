"""The command line of `fraud compare`. What computes is imported when it runs, so that --help is there at once."""

import logging
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fraud.errors import FraudError, PlatformError, SettingError, StoppedError
from fraud.machine import SIGNAL_EXIT_CODE

if TYPE_CHECKING:
    from fraud.comparing.comparison import Stop
    from fraud.comparing.plan import Pair, Plan

TRIALS = 20
EPILOG = "All of it, and how the figures are made: docs/07-comparing.md."


@click.command(epilog=EPILOG, context_settings={"max_content_width": 100, "show_default": True})
@click.help_option("-h", "--help")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--learners", metavar="A,B", help="Which to compare, by the names that `algorithm` takes; default: all.")
@click.option("--resamplers", metavar="A,B", help="And by those that `resampling` takes, `auto` apart; default: all.")
@click.option("--folds", default=5, type=click.IntRange(2, 100), help="Parts that test in turn.")
@click.option(
    "--split",
    default="stratified",
    type=click.Choice(["stratified", "time"]),
    help="stratified: shuffled folds with equal shares of frauds. time: each fold tests rows later than those it "
    "trains on, as a model in use is tested; it needs a column of times, and never scores the earliest part.",
)
@click.option("--search", default="none", type=click.Choice(["none", "grid", "random"]), help="Try hyperparameters.")
@click.option("--trials", type=click.IntRange(1), help=f"Candidates of --search random.  [default: {TRIALS}]")
@click.option("--grids", type=click.Path(path_type=Path), metavar="DIR", help="LEARNER.json files to search instead.")
@click.option("--jobs", type=click.IntRange(1), help="Fits at once; the figures are the same.  [default: cores]")
@click.option("--threads", default=1, type=click.IntRange(1), help="Threads of a fit; last digits may follow them.")
@click.option("--out", default="comparison", type=click.Path(path_type=Path), metavar="DIR", help="Where it all goes.")
@click.option("--label", default="Class", help="Column that holds 0, or 1 for fraud.")
@click.option("--exclude", metavar="A,B", help="Columns that no model may read, such as ids.")
@click.option("--categories", metavar="A,B", help="Columns that are categories though their cells are numbers.")
@click.option("--time-column", metavar="NAME", help="Column that orders rows; `Time` where one is there.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="NAME=VALUE",
    help="A hyperparameter of every fit whose learner has it, such as smote_ratio=0.5 or max_depth=8; may be repeated.",
)
@click.option("--seed", default=0, type=click.IntRange(0, 2**31 - 1), help="Of every random choice.")
@click.option("--resume", is_flag=True, help="Go on with the comparison in --out.")
def main(**options: Any) -> None:
    """Compare learners and resamplings by cross-validation on the labelled rows of DATA.

    DATA is a CSV file, plain or gzip, or a directory of them. Every row that tests is scored by a model that has not
    seen it: resampling, scaling, calibration, thresholds and search stay inside the other rows of its fold.

    Leaves compare.html, compare.json, compare.csv and hyperparameters.json, the winner's, in --out. Ctrl-C keeps
    what is done.
    """
    from fraud.comparing.comparison import Stop  # noqa: PLC0415 - --help needs none of it

    logging.basicConfig(level="WARNING", stream=sys.stderr, format="%(levelname)s %(message)s")
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        code = _run(stop, options)
    except (StoppedError, KeyboardInterrupt) as error:
        _end(str(error) or "interrupted again; --resume goes on", SIGNAL_EXIT_CODE + stop.cause)
    except FraudError as error:
        _end(str(error))
    except MemoryError:
        _end("the memory of this machine is used up; fewer --jobs need less")
    except OSError as error:
        _end(f"--out {options['out']} cannot be written: {error.strerror or error}")
    except Exception as error:
        sys.stderr.write("".join(traceback.format_tb(error.__traceback__)))
        _end(f"an error inside fraud compare, {type(error).__name__}; the lines above say where")
    sys.exit(code)


def _end(problem: str, code: int = 1) -> None:
    click.echo(f"Error: {problem}", err=True)
    sys.exit(code)


def _run(stop: "Stop", options: dict[str, Any]) -> int:
    from fraud.comparing import comparison, screen  # noqa: PLC0415 - --help needs none of it
    from fraud.machine import cores  # noqa: PLC0415 - --help needs none of it

    out: Path = options["out"]
    plan = _plan(options)
    jobs = options["jobs"] or max(1, cores() // plan.threads)
    request = comparison.Request(options["data"], out, jobs, options["resume"])
    progress = comparison.run(request, plan, screen.choose(), stop)
    for line in screen.ending(progress, out):
        click.echo(line)
    if stop.is_requested:
        done = f"{progress.folds_done} of {len(plan.pairs) * plan.folds} folds are done"
        click.echo(f"{stop.cause.name}: {done} and kept in {out}; the same command with --resume goes on", err=True)
        return SIGNAL_EXIT_CODE + stop.cause
    if progress.failed:
        raise PlatformError(_say_which(f"{len(progress.failed)} of {len(plan.pairs)} pairs failed:", progress.failed))
    if not progress.summaries:
        raise PlatformError(f"every pair was refused; {out / 'compare.html'} says why")
    if progress.unweighable:
        raise PlatformError(_say_which("the winner's lead is unknown over", progress.unweighable))
    return 0


def _say_which(what: str, problems: "Mapping[Pair, str]") -> str:
    """Say in one line which pairs lack something, by the reason."""
    reasons = dict.fromkeys(problems.values())
    parts = [f"{', '.join(pair.name for pair in problems if problems[pair] == why)} ({why})" for why in reasons]
    return f"{what} {'; '.join(parts)}; --resume tries again"


def _plan(options: dict[str, Any]) -> "Plan":
    """Check every option, and read the grids."""
    from fraud.comparing import grids, sets  # noqa: PLC0415 - --help needs none of it
    from fraud.comparing.plan import Plan, chosen  # noqa: PLC0415 - --help needs none of it
    from fraud.model.algorithms import ALGORITHMS  # noqa: PLC0415 - --help needs none of it
    from fraud.model.resampling import RESAMPLERS  # noqa: PLC0415 - --help needs none of it

    seed, search, own = options["seed"], options["search"], options["grids"]
    learners = chosen("--learners", options["learners"], list(ALGORITHMS))
    _require_search(options)
    if own is not None:
        grids.require_known(own, list(ALGORITHMS))
    directory = grids.packaged() if own is None else own
    candidates = {
        name: grids.candidates(search, name, directory, options["trials"] or TRIALS, seed) for name in learners
    }
    told = _told(options)
    sets.require_free(told, candidates)
    shared, of_learners = sets.share_out(told, learners)
    return Plan(
        learners,
        chosen("--resamplers", options["resamplers"], list(RESAMPLERS)),
        options["folds"],
        options["split"],
        search,
        candidates,
        shared,
        options["threads"],
        of_learners,
    )


def _require_search(options: dict[str, Any]) -> None:
    """Raise SettingError for an option of a search that is not asked for."""
    search = options["search"]
    if options["grids"] is not None and search == "none":
        raise SettingError("--grids is for --search grid or --search random; name one of them")
    if options["trials"] is not None and search != "random":
        raise SettingError(f"--trials {options['trials']} is for --search random, and --search is {search}; give both")


def _told(options: dict[str, Any]) -> dict[str, str]:
    """Return the hyperparameters that options and --set tell, as strings."""
    from fraud.comparing import sets  # noqa: PLC0415 - --help needs none of it

    told = {name: options[name] for name in ("label", "exclude", "categories", "time_column") if options[name]}
    return {**told, "seed": str(options["seed"]), **sets.read(options["sets"])}
