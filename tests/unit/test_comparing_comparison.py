import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fraud.comparing import comparison, work
from fraud.comparing.command import main
from fraud.comparing.plan import Pair
from fraud.comparing.work import Bench
from fraud.model.estimators import KNeighbors
from tests.comparisons import in_process
from tests.conftest import table


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process do what workers do, and put the handlers back that a command sets."""
    monkeypatch.setattr(comparison, "working", in_process)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(table(200))
    return path


def run(data: Path, *options: str) -> Result:
    told = ["--learners", "decision-tree,k-neighbors", "--resamplers", "none", "--folds", "2", "--jobs", "1"]
    return CliRunner().invoke(main, [str(data), *told, "--out", str(data.parent / "out"), *options])


def found(data: Path) -> Any:
    return json.loads((data.parent / "out/compare.json").read_text())


def interrupt(_bench: Bench, _winner: Pair, _other: Pair) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def fail(_bench: Bench, _winner: Pair, _other: Pair) -> None:
    raise ValueError("4111")


@pytest.mark.parametrize(
    ("weigh", "code", "words"),
    [
        pytest.param(interrupt, 130, "SIGINT: 4 of 4 folds are done", id="Ctrl-C"),
        pytest.param(
            fail, 1, "Error: the winner's lead is unknown over .* none .an error inside, ValueError", id="bug"
        ),
    ],
)
def test_leads_that_nobody_measured(
    data: Path, monkeypatch: pytest.MonkeyPatch, weigh: Any, code: int, words: str
) -> None:
    """Where the leads are not known the comparison is not complete, says so, and --resume measures them."""
    with monkeypatch.context() as patched:
        patched.setattr(work, "weigh", weigh)
        stopped = run(data)
    part = found(data)
    resumed = run(data, "--resume")

    assert stopped.exit_code == code
    assert re.search(words, stopped.stderr.splitlines()[-1])
    assert "What is done in" in stopped.stdout
    assert not part["is_complete"]
    assert len(part["unweighed"]) == 1
    assert (resumed.exit_code, resumed.stderr) == (0, "")
    assert found(data)["is_complete"]
    assert found(data)["pairs"][1]["behind"] is not None


def test_a_pair_that_fails(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nothing foresaw in a pair is no refusal: the others are compared, it ends with 1, and --resume tries again.

    Nothing of it is on disk.
    """

    def break_down(*_: object) -> None:
        raise ValueError("4111")

    with monkeypatch.context() as patched:
        patched.setattr(KNeighbors, "fit", break_down)
        failed = run(data)
    part = found(data)
    kept = {path.parent.name for path in data.parent.glob("out/folds/*/*.json")}
    resumed = run(data, "--resume")

    why = r"an error inside, ValueError at test_comparing_comparison.py:\d+"
    last = failed.stderr.splitlines()[-1]
    assert failed.exit_code == 1
    assert re.fullmatch(rf"Error: 1 of 2 pairs failed: k-neighbors none \({why}\); --resume tries again", last)
    assert "4111" not in last
    assert "Complete" not in failed.stdout
    assert re.search(rf"k-neighbors, none: failed: {why}", failed.stdout)
    assert [pair["learner"] for pair in part["pairs"]] == ["decision-tree"]
    assert [pair["learner"] for pair in part["failed"]] == ["k-neighbors"]
    assert (part["refused"], part["is_complete"]) == ([], False)
    assert kept == {"decision-tree_none"}
    assert (resumed.exit_code, found(data)["failed"], found(data)["is_complete"]) == (0, [], True)


def test_a_pair_that_cannot_be_summed_up(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does an error in the figures of one pair lose the others."""
    summarise = work.summarise

    def break_down(bench: Bench, pair: Pair) -> None:
        if pair.learner == "k-neighbors":
            raise ValueError
        summarise(bench, pair)

    monkeypatch.setattr(work, "summarise", break_down)
    failed = run(data)

    assert failed.exit_code == 1
    assert "1 of 2 pairs failed: k-neighbors none (an error inside, ValueError" in failed.stderr
    assert [pair["learner"] for pair in found(data)["pairs"]] == ["decision-tree"]


def test_sets_of_some_learners(data: Path) -> None:
    """What --set names is told to the chosen learners that have it, and refuses none of the others."""
    told = ["--set", "max_depth=3", "--set", "n_neighbors=5", "--set", "top_k=7"]

    result = run(data, *told)

    heard = {pair["learner"]: pair["hyperparameters"] for pair in found(data)["pairs"]}
    common = {"resampling": "none", "seed": "0", "label": "Class", "top_k": "7"}
    assert result.exit_code == 0, result.stderr
    assert heard["decision-tree"] == {"algorithm": "decision-tree", "max_depth": "3", **common}
    assert heard["k-neighbors"] == {"algorithm": "k-neighbors", "n_neighbors": "5", **common}
    resumed = run(data, *told[2:], "--resume").stderr
    assert "--resume: --set max_depth (of decision-tree) was 3, and is not given now; give the same" in resumed


def test_sets_beside_a_search(data: Path) -> None:
    """A search tries its grid beside what --set says of other names."""
    grids = data.parent / "grids"
    grids.mkdir()
    (grids / "decision-tree.json").write_text('{"max_depth": [2, 3]}')

    result = run(data, "--search", "grid", "--grids", str(grids), "--set", "min_samples_leaf=9")

    tree = next(pair for pair in found(data)["pairs"] if pair["learner"] == "decision-tree")
    assert result.exit_code == 0, result.stderr
    assert len(tree["folds"][0]["tried"]) == 2
    assert tree["hyperparameters"]["min_samples_leaf"] == "9"
    assert tree["hyperparameters"]["max_depth"] in ("2", "3")


def test_damaged_scores(data: Path) -> None:
    """Damaged scores fail their pair alone and name their file; without it --resume comes to the same figures."""
    first = run(data)
    before = {pair["learner"]: pair["figures"] for pair in found(data)["pairs"]}
    damaged = data.parent / "out/folds/k-neighbors_none/1.npy"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    damaged.with_name("summary.json").unlink()

    failed = run(data, "--resume")
    measured = [pair["learner"] for pair in found(data)["pairs"]]
    damaged.unlink()
    mended = run(data, "--resume")

    assert (first.exit_code, failed.exit_code, mended.exit_code) == (0, 1, 0)
    assert failed.stderr == (
        f"Error: 1 of 2 pairs failed: k-neighbors none ({damaged} is damaged: it is no array of numpy; delete it, and "
        "--resume makes it again); --resume tries again\n"
    )
    assert measured == ["decision-tree"]
    assert {pair["learner"]: pair["figures"] for pair in found(data)["pairs"]} == before
