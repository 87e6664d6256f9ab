"""What a person sees while it runs: a table that fills, or on no terminal a line for each pair that is done."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from fraud.comparing.plan import Pair
from fraud.comparing.progress import Progress

MEASURES = {"roc_auc": "ROC AUC", "precision": "precision", "recall": "recall", "f1": "F1"}
# Lines of the terminal that are not rows of the table: the bar, its headings, the counts below, and the cursor's own.
FRAME = 6
GAP = 2


@dataclass(frozen=True)
class Column:
    """A figure of a pair; of those that a terminal cannot hold the ones with the highest `place` are left out."""

    heading: str
    width: int
    place: int
    cell: Callable[[Progress, Pair], str]


def _seconds(progress: Progress, pair: Pair) -> str:
    seconds = progress.seconds(pair)
    return f"{seconds:.2f}" if seconds < 1000 else f"{seconds:.0f}"


def _interval(progress: Progress, pair: Pair) -> str:
    precision = progress.summaries[pair]["figures"]["average_precision"]
    return f"{precision['low']:.4f} to {precision['high']:.4f}"


def _measure(name: str) -> Callable[[Progress, Pair], str]:
    return lambda progress, pair: f"{progress.summaries[pair]['figures'][name]['value']:.4f}"


COLUMNS = (
    Column("average\nprecision", 9, 0, _measure("average_precision")),
    Column("95 % interval", 16, 4, _interval),
    Column("ROC AUC", 7, 5, _measure("roc_auc")),
    Column("precision", 9, 6, _measure("precision")),
    Column("recall", 6, 2, _measure("recall")),
    Column("F1", 6, 3, _measure("f1")),
    Column("fit s", 6, 1, _seconds),
)


class Screen(Protocol):
    @contextmanager
    def showing(self, progress: Progress) -> Iterator[None]:
        """Show until the block ends."""

    def show(self, progress: Progress, done: Pair | None) -> None:
        """Show what is known now; `done` is a pair of which nothing more is to come."""


class Lines:
    """A line a pair, as plain text."""

    @contextmanager
    def showing(self, progress: Progress) -> Iterator[None]:
        _say(f"{progress.folds_done} of {_folds(progress)} folds are done")
        yield

    def show(self, progress: Progress, done: Pair | None) -> None:
        if done is not None:
            over = sum(map(progress.is_over, progress.plan.pairs))
            _say(f"[{over}/{len(progress.plan.pairs)}] {done.learner}, {done.resampling}: {_told(progress, done)}")


class Terminal:
    """A bar, and below it the table of the pairs that are measured, best first: what does not fit is cut below."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(TextColumn("folds"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)
        self._live = Live(console=console, transient=True)

    @contextmanager
    def showing(self, progress: Progress) -> Iterator[None]:
        self._bar.add_task("folds", total=_folds(progress), completed=progress.folds_done)
        with self._live:
            self.show(progress, None)
            yield
        if progress.summaries:
            self._console.print(*_shown(progress, self._console.width, len(progress.plan.pairs)), sep="\n")

    def show(self, progress: Progress, done: Pair | None) -> None:  # noqa: ARG002 - the table shows every pair
        self._bar.update(self._bar.task_ids[0], completed=progress.folds_done)
        width, height = self._console.size
        self._live.update(Group(self._bar, *_shown(progress, width, max(1, height - FRAME))))


def choose() -> Screen:
    """Return what suits the standard output."""
    return Terminal(Console()) if sys.stdout.isatty() else Lines()


def ending(progress: Progress, out: Path) -> list[str]:
    """Return the lines that a person reads last: who won, which pair does about as well in less time, and the files."""
    if not progress.summaries:
        return []
    winner, cheaper = progress.ranking()[0], progress.cheaper()
    lines = [f"{'Winner' if progress.is_complete else 'Best so far'}: {_scored(progress, winner)}"]
    if cheaper:
        lines.append(f"Cheaper, within noise of it: {_scored(progress, cheaper)}")
    lines.append(f"The winner's hyperparameters, for train: {out / 'hyperparameters.json'}")
    return [*lines, f"{'Complete' if progress.is_complete else 'What is done'} in {out / 'compare.html'}"]


def _scored(progress: Progress, pair: Pair) -> str:
    precision = progress.average_precision(pair)
    return f"{pair.learner}, {pair.resampling}: average precision {precision:.4f}, {_seconds(progress, pair)} s a fit"


def table(progress: Progress, width: int, most: int) -> Table:
    """Return the pairs that are measured, a line each, in at most so many rows and in the columns that a width holds.

    No name is cut: where a terminal is narrower than rank, learner and resampling, it cuts on the right.
    """
    plan = progress.plan
    names = {
        "#": len(str(len(plan.pairs))),
        "learner": max(map(len, ("learner", *plan.learners))),
        "resampling": max(map(len, ("resampling", *plan.resamplings))),
    }
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for name, wide in names.items():
        made.add_column(name, min_width=wide, no_wrap=True, justify="right" if name == "#" else "left")
    columns = _held(width - sum(names.values()) - GAP * (len(names) - 1))
    for column in columns:
        made.add_column(column.heading, min_width=column.width, no_wrap=True, justify="right")
    for place, pair in enumerate(progress.ranking()[:most], start=1):
        cells = [column.cell(progress, pair) for column in columns]
        made.add_row(str(place), pair.learner, pair.resampling, *cells)
    return made


def _held(width: int) -> list[Column]:
    """Return the columns that matter most of those that the width holds, in their order in the table."""
    kept: list[Column] = []
    for column in sorted(COLUMNS, key=lambda column: column.place):
        width -= GAP + column.width
        if width < 0:
            break
        kept.append(column)
    return [column for column in COLUMNS if column in kept]


def _shown(progress: Progress, width: int, most: int) -> list[RenderableType]:
    """Return the table, and a line of what is not in it."""
    counts = {
        "more below": max(len(progress.summaries) - most, 0),
        "refused": sum(bool(progress.refusal(pair)) for pair in progress.plan.pairs),
        "failed": len(progress.failed),
    }
    told = "; ".join(f"{count} {what}" for what, count in counts.items() if count)
    return [table(progress, width, most), *([Text(told, "dim", no_wrap=True)] if told else [])]


def _told(progress: Progress, pair: Pair) -> str:
    if reason := progress.refusal(pair):
        return f"refused: {reason}"
    if reason := progress.failure(pair):
        return f"failed: {reason}"
    figures = progress.summaries[pair]["figures"]
    others = ", ".join(f"{words} {figures[name]['value']:.4f}" for name, words in MEASURES.items())
    precision = f"average precision {figures['average_precision']['value']:.4f} ({_interval(progress, pair)})"
    return f"{precision}, {others}, {_seconds(progress, pair)} s a fit"


def _folds(progress: Progress) -> int:
    return len(progress.plan.pairs) * progress.plan.folds


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
