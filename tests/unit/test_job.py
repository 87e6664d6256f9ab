import json
import re
import signal
import sys
from pathlib import Path

import pytest

from fraud.training import devices, job
from tests.conftest import MakeTree, table

FEW = {"num_round": "5", "resampling": "none"}


def run_job(base: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run the job of `train` inside this process, and return what it exits with."""
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    monkeypatch.setattr(sys, "argv", ["train"])
    before = signal.getsignal(signal.SIGTERM)
    try:
        job.main()
    except SystemExit as error:
        return error.code
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


BAD = [
    pytest.param({}, {}, "DATA_NO_ROWS", 'no channel "train"', id="no train channel"),
    pytest.param({}, {"train": "Time,a,Class\n"}, "DATA_NO_ROWS", "holds a header and no rows", id="no rows"),
    pytest.param({}, {"train": "a,Class\n1,0\n2,0\n"}, "DATA_NO_FRAUD", "no fraud among 2 rows", id="no fraud"),
    pytest.param({}, {"train": "a,Class\n1,1\n2,1\n"}, "DATA_ONLY_FRAUD", "frauds only", id="only fraud"),
    pytest.param({}, {"train": "a,Class\n1,2\n2,1\n"}, "DATA_LABEL_INVALID", "line 2", id="label not 0 or 1"),
    pytest.param({}, {"train": "a,a,Class\n1,1,0\n"}, "DATA_COLUMN_INVALID", "more than once", id="column twice"),
    pytest.param({}, {"train": "a,b\n1,0\n"}, "DATA_COLUMN_INVALID", '"Class"', id="no label column"),
    pytest.param({}, {"train": "a,Class\n1,0\n1e999,1\n"}, "ROW_INVALID", "not a finite number", id="infinite"),
    pytest.param({}, {"train": "a,Class\n1,0\n2\n"}, "ROW_WIDTH_INVALID", "train/rows.csv, line 3", id="short row"),
    pytest.param({}, {"train": table() + "1,2\n"}, "ROW_WIDTH_INVALID", "line 402", id="short row at the end"),
    pytest.param(
        {},
        {"train": "a,b,Class\n" + "\n".join(f"{n},{n % 2},{n % 2}" for n in range(99))},
        "DATA_LABEL_LEAK",
        "exclude=b",
        id="copy of the label",
    ),
    pytest.param(
        FEW,
        {"train": table(), "validation": table(header="Time,a,c,Class")},
        "DATA_COLUMN_INVALID",
        'channel "validation".*"c"',
        id="unknown column in validation",
    ),
    pytest.param(
        FEW,
        {"train": table(), "validation": "Time,a,b,Class\n1,2,3,0\n"},
        "DATA_NO_FRAUD",
        "validation rows",
        id="no fraud in validation",
    ),
    pytest.param({"num_rounds": "5", "eta": "7"}, {}, "HYPERPARAMETER_INVALID", "num_round.*|eta", id="two settings"),
    pytest.param({"device": "cuda"}, {"train": table()}, "DEVICE_UNAVAILABLE", "device=auto", id="no GPU"),
    pytest.param(
        {"threshold_rule": "risk:cost=5"}, {"train": table()}, "DATA_COLUMN_INVALID", "Amount", id="no amount"
    ),
]


@pytest.mark.parametrize(("hyperparameters", "channels", "code", "words"), BAD)
def test_says_why_it_failed(
    make_tree: MakeTree,
    monkeypatch: pytest.MonkeyPatch,
    hyperparameters: dict[str, str],
    channels: dict[str, str],
    code: str,
    words: str,
) -> None:
    """A bad job exits 1 and leaves one short line, cause first, for DescribeTrainingJob (T35, T37, T38)."""
    base = make_tree(hyperparameters, **channels)

    code_of_exit = run_job(base, monkeypatch)

    failure = (base / "output/failure").read_text()
    assert code_of_exit == 1
    assert failure.startswith(f"{code}: ")
    assert re.search(words, failure), failure
    assert len(failure) <= 1024
    assert not (base / "model").exists()


@pytest.mark.parametrize(
    ("config", "content", "code", "words"),
    [
        pytest.param(
            "resourceconfig",
            {"current_host": "b", "hosts": ["a", "b"]},
            "HOSTS_UNSUPPORTED",
            "InstanceCount=1",
            id="two hosts (T65)",
        ),
        pytest.param(
            "inputdataconfig",
            {"train": {"TrainingInputMode": "Pipe"}},
            "INPUT_MODE_UNSUPPORTED",
            'channel "train".*"FastFile"',
            id="Pipe mode (T25)",
        ),
        pytest.param(
            "inputdataconfig",
            {"train": {"ContentType": "application/x-parquet"}},
            "MEDIA_TYPE_UNSUPPORTED",
            "text/csv",
            id="parquet",
        ),
    ],
)
def test_refuses_what_it_cannot_do_at_once(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch, config: str, content: dict[str, object], code: str, words: str
) -> None:
    """Several hosts, Pipe mode and other formats end the job with the remedy."""
    base = make_tree(train=table())
    (base / "input/config" / f"{config}.json").write_text(json.dumps(content))

    code_of_exit = run_job(base, monkeypatch)

    assert code_of_exit == 1
    assert re.search(words, (base / "output/failure").read_text())
    assert (base / "output/failure").read_text().startswith(code)


def test_a_leak_that_may_be_honest_is_reported_and_not_refused(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column that separates the classes and a column of one value are notes in the report."""
    rows = "\n".join(f"{n},{1000 + n if n % 10 == 0 else n % 50},7,{int(n % 10 == 0)}" for n in range(400))
    base = make_tree(FEW, train=f"Time,a,b,Class\n{rows}\n")

    code = run_job(base, monkeypatch)

    notes = json.loads((base / "output/data/report.json").read_text())["notes"]
    assert code == 0
    assert any(note.startswith("a alone tells") for note in notes)
    assert any(note.startswith("b holds one value") for note in notes)


def test_sigterm_before_the_first_round_says_so(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM while rows are still read ends the job with its reason: there is no model to save (T41)."""

    def interrupt(*arguments: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("fraud.channels.read", interrupt)
    base = make_tree(FEW, train=table())

    code = run_job(base, monkeypatch)

    assert code == 128 + signal.SIGTERM
    assert (base / "output/failure").read_text().startswith("STOPPED: ")


def test_a_failure_of_ours_is_named_without_its_words(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception that nothing foresaw leaves its type and place; what it said may hold a row, and is kept back."""
    cell = "4111 1111 1111 1111"

    def fail(*arguments: object) -> None:
        raise RuntimeError(cell)

    monkeypatch.setattr(job, "run", fail)
    base = make_tree(FEW, train=table())

    code = run_job(base, monkeypatch)

    failure = (base / "output/failure").read_text()
    assert code == 1
    assert failure == "INTERNAL: an error inside the image, RuntimeError; the log says where"
    assert "4111" not in caplog.text


def test_running_out_of_memory_names_the_remedy(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that the machine cannot hold says so."""

    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(job, "run", fail)
    base = make_tree(FEW, train=table())

    code = run_job(base, monkeypatch)

    assert code == 1
    assert "larger" in (base / "output/failure").read_text()


def test_a_failure_that_cannot_be_written_still_ends_the_job(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `output` is no directory the exit code alone tells."""
    base = make_tree(FEW)
    (base / "output").write_text("")

    code = run_job(base, monkeypatch)

    assert code == 1


@pytest.mark.parametrize(
    ("wanted", "gpus", "device"),
    [
        pytest.param("auto", 0, "cpu", id="auto without a GPU"),
        pytest.param("auto", 1, "cuda", id="auto with a GPU"),
        pytest.param("cpu", 1, "cpu", id="cpu in spite of a GPU"),
        pytest.param("cuda", 1, "cuda", id="cuda"),
    ],
)
def test_the_device_follows_the_wish_and_the_machine(
    monkeypatch: pytest.MonkeyPatch, wanted: str, gpus: int, device: str
) -> None:
    """`auto` takes a GPU where one answers."""
    monkeypatch.setattr(devices, "visible_gpus", lambda: gpus)

    assert devices.resolve(wanted) == device
