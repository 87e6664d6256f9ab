"""One comparison, in one straight line: rows, folds, fits in processes, and the pages over what is complete."""

import logging
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from fraud import channels
from fraud.channels import Channel
from fraud.comparing import report, wording, work
from fraud.comparing.folds import divide
from fraud.comparing.plan import Pair, Plan
from fraud.comparing.progress import Fold, Progress
from fraud.comparing.screen import Screen
from fraud.comparing.store import Store
from fraud.comparing.work import Bench
from fraud.comparing.workers import Submit, working
from fraud.errors import NoRowsError, PlatformError, SettingError, StoppedError, UserError
from fraud.layout import Roles
from fraud.model import leaks
from fraud.model.splitting import require_both_classes

log = logging.getLogger(__name__)

WORKERS_LOG = "workers.log"
# How long a signal may wait to be heeded.
HEED_SECONDS = 0.2


@dataclass(frozen=True)
class Request:
    """Where rows come from and results go, how many fits run at once, and whether to go on with what is there."""

    data: Path
    out: Path
    jobs: int
    resume: bool


@dataclass
class Stop:
    """A signal: while rows are read it ends the program; from then on it ends the fits, and what is done is kept."""

    is_requested: bool = False
    is_comparing: bool = False
    cause: signal.Signals = signal.SIGINT

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.is_requested = True
        self.cause = signal.Signals(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever presses Ctrl-C again waits for no page
        if not self.is_comparing:
            raise StoppedError(f"{self.cause.name} came before the first fit; nothing was compared")


@dataclass
class Line:
    """The work in hand: what each future was asked for."""

    submit: Submit
    bench: Bench
    jobs: int
    asked: dict[Future[str], tuple[Callable[..., None], tuple[Any, ...]]] = field(default_factory=dict)

    def ask(self, function: Callable[..., None], *arguments: object) -> None:
        self.asked[self.submit(work.guarded, function, self.bench, *arguments)] = function, arguments

    def heed(self) -> list[tuple[Callable[..., None], tuple[Any, ...], str]]:
        """Wait a little, and return what is done, with what went wrong in it."""
        done, _ = wait(self.asked, HEED_SECONDS, FIRST_COMPLETED)
        try:
            return [(*self.asked.pop(future), future.result()) for future in done]
        except BrokenProcessPool as error:
            raise PlatformError(
                "a worker process was killed, most likely as the memory of this machine is used up; "
                "--resume with fewer --jobs goes on"
            ) from error


def run(request: Request, plan: Plan, screen: Screen, stop: Stop) -> Progress:
    """Read, compare, report; return how far it came."""
    _require_apart(request)
    channel = _read(request.data, plan)
    notes = leaks.suspicions(channel.rows, channel.schema.columns)
    parts = divide(channel.rows, plan.folds, plan.split, plan.shared.seed)
    stated = {"data": _fingerprint(channel), **plan.stated()}
    store = Store.open(request.out, stated, resume=request.resume)
    progress = Progress.of(plan, store)
    stop.is_comparing = True
    with store.lent(channel.rows, parts) as rows:
        bench = Bench(plan, channel.schema, store, rows)
        with working(request.jobs, plan.threads, request.out / WORKERS_LOG) as submit, screen.showing(progress):
            _compare(Line(submit, bench, request.jobs), progress, screen, stop)
        for pair in progress.unsummarised:  # whose last fold came with the signal
            _take_in_summary(store, progress, pair, work.guarded(work.summarise, bench, pair))
    if progress.summaries or progress.failures or progress.is_complete:
        report.write(request.out, report.describe(progress, channel, parts, stated, notes))
    return progress


def _require_apart(request: Request) -> None:
    """Raise SettingError where results would lie among the rows: the next comparison would read them."""
    if request.out.resolve().is_relative_to(request.data.resolve()):
        inside = f"--out {request.out} lies inside DATA, {request.data}"
        raise SettingError(f"{inside}, which the next comparison reads whole; give an --out outside it")


def _compare(line: Line, progress: Progress, screen: Screen, stop: Stop) -> None:
    """Keep every worker busy until all is known or a signal came."""
    for pair in progress.unsummarised:
        line.ask(work.summarise, pair)
    while not stop.is_requested:
        _ask_folds(line, progress)
        if not line.asked:
            break
        for function, arguments, problem in line.heed():
            _take_in(line, progress, screen, (function, arguments, problem))
    _weigh(line, progress, stop)


def _ask_folds(line: Line, progress: Progress) -> None:
    while len(line.asked) < line.jobs and (fold := progress.next_fold()):
        progress.running.add(fold)
        line.ask(work.measure, *fold)


def _take_in(
    line: Line, progress: Progress, screen: Screen, done: tuple[Callable[..., None], tuple[Any, ...], str]
) -> None:
    function, arguments, problem = done
    pair = arguments[0]
    was_over = progress.is_over(pair)
    if function is work.measure:
        _take_in_fold(line, progress, arguments, problem)
    else:
        _take_in_summary(line.bench.store, progress, pair, problem)
    screen.show(progress, pair if progress.is_over(pair) and not was_over else None)


def _take_in_fold(line: Line, progress: Progress, fold: Any, problem: str) -> None:
    """Note the outcome of a fold; what nothing foresaw is not saved, and is tried again on --resume."""
    key: Fold = fold
    progress.running.discard(key)
    found = None if problem else line.bench.store.outcome(*key)
    if found:
        progress.outcomes[key] = found
    else:
        progress.failures[key[0]] = problem or "the outcome of a fold is gone from the directory"
    if progress.is_measured(key[0]):
        line.ask(work.summarise, key[0])


def _weigh(line: Line, progress: Progress, stop: Stop) -> None:
    """Learn by how much the winner leads those pairs that reach its interval."""
    if stop.is_requested or not progress.summaries:
        return
    winner, store = progress.ranking()[0], line.bench.store
    for pair in progress.near():
        if gain := store.gain(winner, pair):
            progress.gains[pair] = gain
        else:
            line.ask(work.weigh, winner, pair)
    while line.asked and not stop.is_requested:
        for _, (_, pair), problem in line.heed():
            gain = None if problem else store.gain(winner, pair)
            if gain:
                progress.gains[pair] = gain
            else:
                progress.unweighable[pair] = problem or "the file of it is gone from the directory"


def _take_in_summary(store: Store, progress: Progress, pair: Pair, problem: str) -> None:
    summary = None if problem else store.summary(pair)
    if summary:
        progress.summaries[pair] = summary
    else:
        progress.failures[pair] = problem or "its summary is gone from the directory"


def _read(data: Path, plan: Plan) -> Channel:
    told = plan.shared
    roles = Roles(told.label, told.exclude, told.time_column, told.categories)
    try:
        if not data.exists():
            raise NoRowsError(f"there is no file or directory {data}")
        if not data.is_file() and not data.is_dir():
            raise NoRowsError(f"{data} is neither a file nor a directory; give a CSV file, or a directory of them")
        channel = channels.read(data, roles)
        require_both_classes(channel.rows, "rows")
        leaks.require_no_copy(channel.rows, channel.schema.names, channel.schema.label)
    except UserError as error:
        raise SettingError(wording.of_command(str(error), data)) from error
    except OSError as error:
        raise NoRowsError(f"{error.filename or data} cannot be read: {error.strerror or error}") from error
    return channel


def _fingerprint(channel: Channel) -> Mapping[str, object]:
    return {"sha256": channel.fingerprint, "columns": list(channel.schema.names), "time": channel.layout.time}
