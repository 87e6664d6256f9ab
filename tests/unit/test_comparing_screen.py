import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from fraud.comparing.plan import Pair
from fraud.comparing.progress import Progress
from fraud.comparing.screen import Lines, Terminal, ending, table
from fraud.comparing.store import Outcome
from fraud.model.algorithms import ALGORITHMS
from fraud.model.evaluation import Figure
from fraud.model.resampling import RESAMPLERS
from tests.unit.test_comparing_page import make_progress

# To the line above, and wipe it.
UP = "\x1b[1A\x1b[2K"


def make_real() -> Progress:
    """Return all pairs that there are, two of which were refused."""
    progress = make_progress(tuple(ALGORITHMS), tuple(RESAMPLERS))
    for pair in progress.plan.pairs[-2:]:
        del progress.summaries[pair]
        progress.outcomes[pair, 0] = Outcome(refused="no such thing")
    return progress


def printed(progress: Progress, width: int, most: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table(progress, width, most))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    return text.splitlines()


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        pytest.param(50, "", id="names alone"),
        pytest.param(60, "precision", id="narrow"),
        pytest.param(80, "precision recall F1 fit s", id="usual"),
        pytest.param(100, "precision 95 % interval recall F1 fit s", id="wide"),
        pytest.param(160, "precision 95 % interval ROC AUC precision recall F1 fit s", id="all"),
    ],
)
def test_table_of_each_width(width: int, headings: str) -> None:
    """A pair is a line that names it in full, and the width decides which figures stand behind it."""
    progress = make_real()
    shown = printed(progress, width, 99)
    rows = shown[-len(progress.summaries) :]

    assert all(len(line) <= width for line in shown)
    assert len(shown) == len(rows) + (3 if headings else 2)
    assert shown[-len(rows) - 2].split() == f"# learner resampling {headings}".split()
    assert [line.split()[1:3] for line in rows] == [[pair.learner, pair.resampling] for pair in progress.ranking()]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 50), (60, 8)])
def test_a_screen_holds_what_is_shown(width: int, height: int) -> None:
    """The bar is never pushed out, and what is shown leaves a line for the cursor, so that all of it can be wiped."""
    progress = make_real()
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    terminal = Terminal(console)
    with terminal.showing(progress):
        terminal.show(progress, Pair("svc", "none"))
    written = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    *_, live, final = [part for part in written.split(UP) if part.strip()]
    shown = Text.from_ansi(live).plain.strip("\n").split("\n")

    assert len(shown) == height - 1
    assert shown[0].strip().startswith("folds")
    assert shown[-1].strip() == f"{len(progress.summaries) - (height - 6)} more below; 2 refused"
    assert "folds" not in final
    assert final.strip("\n").count("\n") == len(progress.summaries) + 3


def test_screens(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines say what became of each pair; a terminal is left with the whole table."""
    progress = make_progress(("a",), ("none", "smote", "adasyn"))
    _, pair, failed = progress.plan.pairs
    progress.outcomes[pair, 0] = Outcome(refused="no such thing")
    del progress.summaries[failed]
    progress.failures[failed] = "a bug"
    lines = Lines()
    with lines.showing(progress):
        lines.show(progress, progress.plan.pairs[0])
        lines.show(progress, None)
        lines.show(progress, pair)
    told = capsys.readouterr().out.splitlines()
    console = Console(file=io.StringIO(), width=150, height=20, force_terminal=True)
    terminal = Terminal(console)
    with terminal.showing(progress):
        terminal.show(progress, Pair("a", "none"))

    assert told[0] == "9 of 9 folds are done"
    assert told[1].startswith("[3/3] a, none: average precision 0.9000 (0.8500 to 0.9500), ROC AUC 0.8900")
    assert told[2] == "[3/3] a, smote: refused: no such thing"
    assert len(told) == 3
    assert "1 refused; 1 failed" in console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above


def test_last_lines() -> None:
    """Who won, what is cheaper within noise, and the file for train stand last; before the end nothing is claimed."""
    progress = make_progress(("a", "b"), ("none",))
    other = progress.plan.pairs[1]
    for fold in range(3):
        progress.outcomes[other, fold] = replace(progress.outcomes[other, fold], seconds=1.0)
    before = ending(progress, Path("out"))
    progress.gains[other] = Figure(0.01, -0.02, 0.04)

    assert before == [
        "Best so far: a, none: average precision 0.9000, 60.00 s a fit",
        "The winner's hyperparameters, for train: out/hyperparameters.json",
        "What is done in out/compare.html",
    ]
    assert ending(progress, Path("out")) == [
        "Winner: a, none: average precision 0.9000, 60.00 s a fit",
        "Cheaper, within noise of it: b, none: average precision 0.8900, 1.00 s a fit",
        "The winner's hyperparameters, for train: out/hyperparameters.json",
        "Complete in out/compare.html",
    ]
    assert ending(Progress(progress.plan), Path("out")) == []
