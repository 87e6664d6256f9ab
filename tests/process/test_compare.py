import csv
import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fraud.model.resampling import RESAMPLERS
from tests.conftest import MakeTree, table
from tests.labelled import make_labelled
from tests.processes import SECONDS, environment, program, train, wait_until

CLOCKS = {"seconds", "search_seconds", "cheaper"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of 600 rows, 40 of them frauds, in which no column tells all of them."""
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    made = make_labelled(600, 40)
    lines = [
        ",".join([*(f"{cell:.6g}" for cell in row), str(label)]) for row, label in zip(made.X, made.y, strict=True)
    ]
    path.write_text("\n".join(["one,two,three,Amount,Class", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a comparison that nothing interrupted, of one worker."""
    out = tmp_path_factory.mktemp("compared") / "out"
    finished = compare(data, out, "--jobs", "1")
    assert finished.returncode == 0, finished.stderr
    (out.parent / "stdout").write_text(finished.stdout)
    return out


def command(data: Path, out: Path, *options: str) -> list[str]:
    told = ["--learners", "xgboost", "--folds", "3", "--jobs", "1", "--out", str(out)]
    return [program("fraud"), "compare", str(data), *told, *options]


def compare(data: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    told = environment(data.parent)
    return subprocess.run(
        command(data, out, *options), env=told, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def found(out: Path) -> Any:
    """Return what compare.json holds, without what a clock told."""
    return json.loads(
        (out / "compare.json").read_text(),
        object_hook=lambda node: {name: value for name, value in node.items() if name not in CLOCKS},
    )


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def with_missing_cells(data: Path, directory: Path) -> Path:
    """Return a file of the rows in which the first hundred lack their first cell."""
    lines = data.read_text().splitlines()
    path = directory / "missing.csv"
    path.write_text("\n".join([lines[0], *("," + line.partition(",")[2] for line in lines[1:101]), *lines[101:]]))
    return path


@contextmanager
def begun(data: Path, out: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a comparison, and let the block begin once the first fold is on disk."""
    log = out.parent / f"{out.name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command(data, out, *options), env=environment(data.parent), stdout=output, stderr=output, text=True
        )
    try:
        wait_until(lambda: list(out.glob("folds/*/*.json")), process)
        yield process, log
    finally:
        process.kill()
        process.wait(SECONDS)


def test_leaves_tables_and_a_page(whole: Path, data: Path) -> None:
    """Every pair is a row of each table, best first, measured on all rows; nothing of the rows is left behind."""
    document = found(whole)
    rows = list(csv.DictReader((whole / "compare.csv").read_text().splitlines()))
    precisions = [pair["figures"]["average_precision"]["value"] for pair in document["pairs"]]

    assert document["is_complete"]
    assert {pair["resampling"] for pair in (*document["pairs"], *document["refused"])} == set(RESAMPLERS)
    assert {"none", "smote"} <= {pair["resampling"] for pair in document["pairs"]}
    assert precisions == sorted(precisions, reverse=True)
    assert [float(row["average_precision"]) for row in rows if not row["refused"]] == precisions
    assert all(sum(pair["confusion"].values()) == 600 for pair in document["pairs"])
    assert document["tested"] == {"frauds": 40, "honest": 560}
    assert all(len(pair["folds"]) == 3 for pair in document["pairs"])
    assert "<html" in (whole / "compare.html").read_text()
    assert not list(whole.glob(".*"))
    assert {"compare.csv", "compare.html", "compare.json", "hyperparameters.json"} < {
        path.name for path in whole.iterdir()
    }


def test_says_a_line_a_pair(whole: Path) -> None:
    """On no terminal each pair is a line of plain text as it comes."""
    text = (whole.parent / "stdout").read_text()
    lines = [line for line in text.splitlines() if line.startswith("[")]

    assert [line.split("]")[0] for line in lines] == [f"[{n}/{len(RESAMPLERS)}" for n in range(1, len(RESAMPLERS) + 1)]
    assert all(re.search(r"xgboost, \S+: (average precision 0\.\d{4} \(0\.\d{4} to|refused: )", line) for line in lines)
    assert "\x1b" not in text


def test_same_figures_whatever_the_jobs(whole: Path, data: Path, tmp_path: Path) -> None:
    """As many workers as you like come to the same figures, bit for bit."""
    finished = compare(data, tmp_path / "out", "--jobs", "3")

    assert finished.returncode == 0, finished.stderr
    assert found(tmp_path / "out") == found(whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_resume(whole: Path, data: Path, tmp_path: Path, number: signal.Signals) -> None:
    """A signal keeps what is done and leaves no process; --resume does the rest, to the same figures bit for bit."""
    out = tmp_path / "out"
    with begun(data, out, "--jobs", "2") as (process, log):
        workers = children(process.pid)
        process.send_signal(number)
        code = process.wait(SECONDS)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("folds/*/[0-9].json")}
    wait_until(lambda: not any(map(is_running, workers)))

    resumed = compare(data, out, "--jobs", "2", "--resume")

    assert code == 128 + number, log.read_text()
    assert f"{number.name}: " in log.read_text()
    assert "--resume goes on" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert len(workers) >= 2
    assert 1 <= len(kept) < 3 * len(RESAMPLERS)
    assert resumed.returncode == 0, resumed.stderr
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert found(out) == found(whole)


def test_pages_over_what_is_complete(data: Path, tmp_path: Path) -> None:
    """After a signal the pages hold the pairs that are complete, and say that others are missing."""
    out = tmp_path / "out"
    with begun(data, out, "--jobs", "1") as (process, log):
        wait_until(lambda: "average precision" in log.read_text(), process)
        process.send_signal(signal.SIGINT)
        code = process.wait(SECONDS)
    document = found(out)

    assert code == 130
    assert not document["is_complete"]
    assert 1 <= len(document["pairs"]) < len(RESAMPLERS)
    assert sum(len(document[name]) for name in ("pairs", "refused", "unfinished")) == len(RESAMPLERS)
    assert "This comparison is not complete." in (out / "compare.html").read_text()


def test_a_worker_that_is_killed(whole: Path, data: Path, tmp_path: Path) -> None:
    """Where the machine kills a worker the command says what to do, keeps what is done, and --resume goes on."""
    out = tmp_path / "out"
    with begun(data, out) as (process, log):
        workers = children(process.pid)
        os.kill(workers[-1], signal.SIGKILL)
        code = process.wait(SECONDS)

    resumed = compare(data, out, "--resume")

    assert code == 1
    assert re.search("Error: a worker process was killed, .*--resume with fewer --jobs goes on", log.read_text())
    assert "Traceback" not in log.read_text()
    assert resumed.returncode == 0, resumed.stderr
    assert found(out) == found(whole)


def test_workers_leave_with_a_parent_that_is_killed(data: Path, tmp_path: Path) -> None:
    """Not even SIGKILL leaves a worker behind."""
    with begun(data, tmp_path / "out", "--jobs", "2") as (process, _):
        workers = children(process.pid)
        process.kill()
        process.wait(SECONDS)

    assert len(workers) >= 2
    wait_until(lambda: not any(map(is_running, workers)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param([], "is not empty; --resume goes on", id="a second run"),
        pytest.param(["--resume", "--seed", "4"], "--resume: --seed was .*another --out", id="another seed"),
    ],
)
def test_used_directory(whole: Path, data: Path, options: list[str], words: str) -> None:
    """A directory that is used is refused in one line with exit code 1, and nothing that is there is touched."""
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()}

    finished = compare(data, whole, *options)

    assert finished.returncode == 1
    assert re.fullmatch(f"Error: .*{words}.*\n", finished.stderr)
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()} == before


def test_refused_pairs_are_rows(data: Path, tmp_path: Path) -> None:
    """A pair that cannot be fitted is a row with its reason, and the others are compared."""
    finished = compare(with_missing_cells(data, tmp_path), tmp_path / "out", "--resamplers", "none,smote")

    document = found(tmp_path / "out")
    assert finished.returncode == 0, finished.stderr
    assert [pair["resampling"] for pair in document["pairs"]] == ["none"]
    assert [pair["resampling"] for pair in document["refused"]] == ["smote"]
    assert "xgboost, smote: refused: SMOTE cannot look between missing cells" in finished.stdout
    assert "missing cells" in (tmp_path / "out/compare.html").read_text()


def test_nothing_but_refused_pairs(data: Path, tmp_path: Path) -> None:
    """Where every pair is refused the command fails, and the page says why."""
    finished = compare(with_missing_cells(data, tmp_path), tmp_path / "out", "--resamplers", "smote")

    assert finished.returncode == 1
    assert "Error: every pair was refused" in finished.stderr
    assert "SMOTE cannot look" in (tmp_path / "out/compare.html").read_text()
    assert not (tmp_path / "out/hyperparameters.json").exists()


def test_train_takes_the_winner(data: Path, tmp_path: Path, make_tree: MakeTree) -> None:
    """The real job trains with hyperparameters.json as it is, and those that were searched are in the model."""
    grids = tmp_path / "grids"
    grids.mkdir()
    (grids / "xgboost.json").write_text('{"num_round": [4, 9], "max_depth": [2]}')
    told = ["--resamplers", "none,undersample", "--search", "grid", "--grids", str(grids), "--exclude", "two"]
    told += ["--set", "threshold_rule=recall>=0.8"]

    compared = compare(data, tmp_path / "out", *told)

    winner = json.loads((tmp_path / "out/hyperparameters.json").read_text())
    assert compared.returncode == 0, compared.stderr
    assert all(isinstance(value, str) for value in winner.values())
    base = make_tree(winner, train=data.read_text())

    trained = train(base)

    stated = json.loads((base / "model/bundle.json").read_text())["hyperparameters"]
    assert trained.returncode == 0, trained.stderr
    assert stated["max_depth"] == 2
    assert stated["num_round"] in (4, 9)
    assert stated["resampling"] == winner["resampling"]
    assert stated["exclude"] == ["two"]
    assert stated["threshold_rule"] == "recall>=0.8"


def test_forward_in_time(tmp_path: Path) -> None:
    """With --split time the earliest rows are never scored, and each fold tests later rows."""
    rows = tmp_path / "rows"
    rows.mkdir()
    (rows / "a.csv").write_text(table(400).replace(",5,", ",3,"))

    finished = compare(rows, tmp_path / "out", "--split", "time", "--resamplers", "none")

    document = found(tmp_path / "out")
    assert finished.returncode == 0, finished.stderr
    assert document["tested"] == {"frauds": 30, "honest": 270}
    assert [sum(part["test"].values()) for part in document["parts"]] == [100, 100, 100]


def test_terminal(data: Path, tmp_path: Path) -> None:
    """On a terminal there is a bar and a table that fills, and the table stays at the end."""
    here, there = pty.openpty()
    told = {**environment(data.parent), "TERM": "xterm", "COLUMNS": "150"}
    arguments = command(data, tmp_path / "out", "--resamplers", "none,smote")
    process = subprocess.Popen(arguments, env=told, stdin=there, stdout=there, stderr=there)
    os.close(there)
    seen = b""
    while True:
        try:
            seen += os.read(here, 65536)
        except OSError:  # the other end is closed
            break
    os.close(here)

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    last = text.rpartition("learner")[2]
    assert process.wait(SECONDS) == 0, text
    assert "6/6" in text
    assert re.search(r"1 .*xgboost.*none|1 .*xgboost.*smote", last)
    assert re.search(r"2 .*xgboost", last)


def test_help_is_quick_and_whole() -> None:
    """`fraud compare --help` names every option, and loads none of the libraries that compute."""
    script = "import sys; from fraud.__main__ import main\ntry: main()\nfinally: print(*sorted(sys.modules))"
    told = [program("python"), "-c", script, "compare", "--help"]

    finished = subprocess.run(told, capture_output=True, text=True, timeout=SECONDS, check=False)

    assert finished.returncode == 0, finished.stderr
    for option in ("--learners", "--resamplers", "--folds", "--jobs", "--out", "--search", "--resume", "--split"):
        assert option in finished.stdout
    assert "later than" in finished.stdout
    assert {"numpy", "sklearn", "xgboost", "rich"}.isdisjoint(finished.stdout.split())
