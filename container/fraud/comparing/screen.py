"""What a person sees while it runs: a table that fills, or on no terminal a line for each pair that is done."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from fraud.comparing.plan import Pair
from fraud.comparing.progress import Progress

MEASURES = {"roc_auc": "ROC AUC", "precision": "precision", "recall": "recall", "f1": "F1"}
# Lines of the terminal that are not rows of the table: its frame, the bar, and what is left out.
FRAME = 8


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
    """A bar, and the table of all pairs that are measured, best first."""

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
            self._console.print(table(progress, len(progress.plan.pairs)))

    def show(self, progress: Progress, done: Pair | None) -> None:  # noqa: ARG002 - the table shows every pair
        self._bar.update(self._bar.task_ids[0], completed=progress.folds_done)
        self._live.update(Group(table(progress, max(3, self._console.height - FRAME)), self._bar))


def choose() -> Screen:
    """Return what suits the standard output."""
    return Terminal(Console()) if sys.stdout.isatty() else Lines()


def table(progress: Progress, most: int) -> Table:
    """Return the pairs that are measured as a table of at most so many rows, and how many are none below it."""
    ranking = progress.ranking()
    made = Table("#", "learner", "resampling", caption=_caption(progress, max(len(ranking) - most, 0)))
    for name in ("average precision", "95 % interval", *MEASURES.values(), "fit s"):
        made.add_column(name, justify="right")
    for place, pair in enumerate(ranking[:most], start=1):
        figures = progress.summaries[pair]["figures"]
        precision = figures["average_precision"]
        cells = [f"{precision['value']:.4f}", f"{precision['low']:.4f} to {precision['high']:.4f}"]
        cells += [f"{figures[name]['value']:.4f}" for name in MEASURES]
        made.add_row(str(place), pair.learner, pair.resampling, *cells, f"{progress.seconds(pair):.2f}")
    return made


def _caption(progress: Progress, hidden: int) -> str | None:
    refused = [pair for pair in progress.plan.pairs if progress.refusal(pair)]
    counts = {"more below": hidden, "refused": len(refused), "failed": len(progress.failed)}
    return "; ".join(f"{count} {what}" for what, count in counts.items() if count) or None


def _told(progress: Progress, pair: Pair) -> str:
    if reason := progress.refusal(pair):
        return f"refused: {reason}"
    if reason := progress.failure(pair):
        return f"failed: {reason}"
    figures = progress.summaries[pair]["figures"]
    precision = figures["average_precision"]
    interval = f"{precision['low']:.4f} to {precision['high']:.4f}"
    others = ", ".join(f"{words} {figures[name]['value']:.4f}" for name, words in MEASURES.items())
    return f"average precision {precision['value']:.4f} ({interval}), {others}, {progress.seconds(pair):.2f} s a fit"


def _folds(progress: Progress) -> int:
    return len(progress.plan.pairs) * progress.plan.folds


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
