import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fraud.comparing import comparison
from fraud.comparing.command import main
from tests.conftest import table

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Put the handlers and the environment back that a command sets for itself."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    variables = dict(os.environ)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    os.environ.clear()
    os.environ.update(variables)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(table(200))
    return path


def run(data: Path, *options: str) -> Result:
    return CliRunner().invoke(main, [str(data), "--out", str(data.parent / "out"), *options])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--learners", "xgbost"], "did you mean xgboost", id="unknown learner"),
        pytest.param(["--resamplers", "smot"], "did you mean smote", id="unknown resampler"),
        pytest.param(["--folds", "21"], "--folds 21 is more than the 20 frauds", id="more folds than frauds"),
        pytest.param(["--label", "klass"], 'no column "klass"', id="no label"),
        pytest.param(["--exclude", "zz"], 'no column "zz"', id="nothing to exclude"),
        pytest.param(["--exclude", "Time", "--split", "time", "--time-column", "b,"], 'no column "b,"', id="no time"),
        pytest.param(["--set", "smote_ratio"], "should be NAME=VALUE, such as smote_ratio=0.5", id="no value"),
        pytest.param(["--set", "seed=3"], "--set seed=3: --seed sets that", id="has an option"),
        pytest.param(
            ["--set", "top_k=1", "--set", "top_k=2"],
            "--set top_k=2: --set top_k=1 came before; give one of them",
            id="told twice",
        ),
        pytest.param(["--set", "smote_ratoi=1"], "did you mean smote_ratio", id="unknown hyperparameter"),
        pytest.param(["--set", "smote_ratio=7"], 'smote_ratio="7"', id="value out of range"),
        pytest.param(
            ["--learners", "k-neighbors,svc", "--set", "n_estimators=20"],
            "--set n_estimators=20: .*k-neighbors, svc have none of that name, random-forest, isolation-forest have",
            id="of learners that are not chosen",
        ),
        pytest.param(
            ["--learners", "k-neighbors,xgboost", "--set", "learning_rate=0.1"], "did you mean eta", id="a synonym"
        ),
        pytest.param(
            ["--learners", "random-forest,svc", "--set", "n_estimators=0"], 'n_estimators="0"', id="wrong for a learner"
        ),
        pytest.param(["--set", "n_jobs=4"], "--set n_jobs=4: --threads sets that", id="threads"),
        pytest.param(
            ["--search", "grid", "--learners", "svc,decision-tree", "--set", "max_depth=3"],
            "--set max_depth=3: the grid of decision-tree tries values of max_depth; leave one of them out",
            id="set and searched",
        ),
        pytest.param(["--grids", "/"], "--grids is for --search", id="grids and no search"),
        pytest.param(["--trials", "4"], "--trials 4 is for --search random, and --search is none", id="trials of none"),
        pytest.param(["--trials", "20", "--search", "grid"], "and --search is grid; give both", id="trials of a grid"),
        pytest.param(["--grids", "/nowhere", "--search", "grid"], "no directory /nowhere", id="no grids"),
        pytest.param(["--out", "/dev/null/x"], "--out /dev/null/x cannot be written: Not a dir", id="unwritable"),
    ],
)
def test_wrong_settings(data: Path, options: list[str], words: str) -> None:
    """What is wrong is one line and exit code 1, before anything is written."""
    result = run(data, *options)

    assert result.exit_code == 1
    assert re.fullmatch(f"Error: .*{words}.*\n", result.stderr)
    assert not (data.parent / "out").exists()


def test_grids_of_what_options_set(data: Path) -> None:
    """A grid cannot vary what an option sets, as one of both would be ignored."""
    grids = data.parent / "grids"
    grids.mkdir()
    (grids / "svc.json").write_text('{"C": [1, 10], "resampling": ["smote"]}')

    result = run(data, "--learners", "svc", "--search", "grid", "--grids", str(grids))

    assert result.exit_code == 1
    assert result.stderr == "Error: the grid of svc holds resampling, which --resamplers sets; leave it out there\n"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("absent.csv", "there is no file or directory {}", id="nothing"),
        pytest.param(
            "/dev/null", "{} is neither a file nor a directory; give a CSV file, or a directory of them", id="a device"
        ),
        pytest.param("empty.csv", "{} is empty", id="an empty file"),
        pytest.param("many", '{} is empty: 0 bytes are in "a.csv"', id="a directory of empty files"),
    ],
)
def test_no_data(tmp_path: Path, name: str, problem: str) -> None:
    """Rows that are not there are named, in no word of a training job."""
    (tmp_path / "many").mkdir()
    for empty in ("empty.csv", "many/a.csv"):
        (tmp_path / empty).write_text("")
    result = run(tmp_path / name, "--out", str(tmp_path / "out"))

    assert (result.exit_code, result.stderr) == (1, f"Error: {problem.format(tmp_path / name)}\n")


@pytest.mark.parametrize("out", ["comparison", "."])
def test_results_among_the_rows(data: Path, monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    """Results are not written where the next comparison would read them as rows."""
    monkeypatch.chdir(data.parent)

    result = run(Path(), "--out", out)

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: --out {out} lies inside DATA, ., which the next comparison reads whole; give an --out outside it\n"
    )
    assert list(data.parent.iterdir()) == [data]


def test_unreadable_data() -> None:
    """Rows that cannot be read are named, and not the directory of the results."""
    result = run(Path("/proc/self/mem"), "--out", "/dev/null/x")

    assert (result.exit_code, result.stderr) == (1, "Error: /proc/self/mem cannot be read: Input/output error\n")


def test_copy_of_the_label(tmp_path: Path) -> None:
    """A column that tells the label is refused, as every pair would find it."""
    path = tmp_path / "rows.csv"
    path.write_text("a,b,Class\n" + "\n".join(f"{n},{n % 2},{n % 2}" for n in range(99)))

    result = run(path)

    assert result.exit_code == 1
    assert re.search('column "b" is a copy of the label "Class".*--exclude b', result.stderr)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        pytest.param(0, "the rows hold no fraud among 60 rows; at least one is needed", id="no fraud"),
        pytest.param(1, "the rows hold frauds only, 60 of them; honest rows are needed too", id="frauds only"),
    ],
)
def test_one_class(tmp_path: Path, label: int, words: str) -> None:
    """Rows of one class are refused in one line, before anything is asked of both."""
    path = tmp_path / "rows.csv"
    path.write_text("a,Class\n" + "\n".join(f"{n},{label}" for n in range(60)))

    result = run(path)

    assert (result.exit_code, result.stderr) == (1, f"Error: {words}\n")


def test_no_times(tmp_path: Path) -> None:
    """Rows without times cannot be split by time."""
    path = tmp_path / "rows.csv"
    path.write_text(table(200, "when,a,b,Class"))

    result = run(path, "--split", "time")

    assert result.exit_code == 1
    assert "name it with --time-column" in result.stderr


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        pytest.param(MemoryError(), "fewer --jobs", id="memory"),
        pytest.param(ValueError("4111"), "an error inside fraud compare, ValueError", id="a bug"),
        pytest.param(OSError(28, "No space left on device"), "cannot be written: No space left", id="disk full"),
    ],
)
def test_failures(data: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, words: str) -> None:
    """What breaks while it runs is one line at the end, without the values that a bug would show."""

    def fail(*arguments: object) -> None:
        raise raised

    monkeypatch.setattr(comparison, "divide", fail)

    result = run(data)

    assert result.exit_code == 1
    assert words in result.stderr.splitlines()[-1]
    assert "4111" not in result.stderr


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_rows_are_read(data: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """A signal before the first fit ends it at once, with nothing written."""

    def interrupt(*arguments: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr(comparison, "divide", interrupt)

    result = run(data)

    assert result.exit_code == 128 + number
    assert result.stderr == f"Error: {number.name} came before the first fit; nothing was compared\n"
    assert not (data.parent / "out").exists()


def test_a_second_interrupt(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses Ctrl-C twice waits for no page."""

    def interrupt(*arguments: object) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(comparison, "_compare", interrupt)

    result = run(data)

    assert result.exit_code == 130
    assert result.stderr == "Error: interrupted again; --resume goes on\n"


def test_compares_and_leaves_no_thread(data: Path) -> None:
    """Within a process that goes on nothing is left running."""
    before = threading.active_count()

    result = run(data, "--resamplers", "none,undersample", "--folds", "2", "--jobs", "1")

    assert result.exit_code == 0, result.output
    assert f"Complete in {data.parent / 'out/compare.html'}" in result.output
    assert threading.active_count() == before
