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
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        job.main()
    except SystemExit as error:
        return error.code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
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
        'column "b" is a copy of the label "Class": .*; set exclude=b$',
        id="copy of the label",
    ),
    pytest.param(
        {},
        {"train": "a,why,Class\n" + "\n".join(f"{n},{'stolen' * (n % 2)},{n % 2}" for n in range(99))},
        "DATA_LABEL_LEAK",
        'column "why" is a copy of the label "Class": .*which of them are empty, .*; set exclude=why$',
        id="word on frauds alone",
    ),
    pytest.param(
        {},
        {"train": "a,why,Class\n" + "\n".join(f"{n},{f'case {n}' * (n % 2)},{n % 2}" for n in range(99))},
        "DATA_LABEL_LEAK",
        "set exclude=why$",
        id="different words on frauds alone",
    ),
    pytest.param(
        {},
        {"train": "a,settled,Class\n" + "\n".join(f"{n},{'' if n % 2 else n},{n % 2}" for n in range(99))},
        "DATA_LABEL_LEAK",
        "set exclude=settled$",
        id="number on honest rows alone",
    ),
    pytest.param(
        {},
        {"train": "a,Amount,Class\n" + "\n".join(f'{n},"{n},50",{n % 2}' for n in range(2000))},
        "DATA_COLUMN_INVALID",
        'column "Amount" holds numbers written with a decimal comma, the first at train/rows.csv, line 2; write plain',
        id="decimal comma",
    ),
    pytest.param(
        {"exclude": "Class"},
        {"train": table()},
        "DATA_COLUMN_INVALID",
        'exclude names the label "Class"',
        id="label excluded",
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
        pytest.param("hyperparameters", [1], "CONFIG_UNREADABLE", "holds a list; it should hold a JSON obj", id="list"),
        pytest.param("resourceconfig", None, "CONFIG_UNREADABLE", "holds null; it should hold a JSON obj", id="null"),
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
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch, config: str, content: object, code: str, words: str
) -> None:
    """Several hosts, Pipe mode, other formats and broken configuration end the job with the remedy."""
    base = make_tree(train=table())
    (base / "input/config" / f"{config}.json").write_text(json.dumps(content))

    code_of_exit = run_job(base, monkeypatch)

    assert code_of_exit == 1
    assert re.search(words, (base / "output/failure").read_text())
    assert (base / "output/failure").read_text().startswith(code)


def test_a_leak_that_may_be_honest_is_reported_and_not_refused(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns that separate the classes, hold one value, or are filled on frauds only are notes in the report."""
    frauds = (
        f"{n},{1000 + n},7,{'stolen' * (n % 20 == 0)},1" if n % 10 == 0 else f"{n},{n % 50},7,,0" for n in range(400)
    )
    base = make_tree(FEW, train="Time,a,b,c,Class\n" + "\n".join(frauds) + "\n")

    code = run_job(base, monkeypatch)

    notes = json.loads((base / "output/data/report.json").read_text())["notes"]
    assert code == 0
    assert any(note.startswith("a alone tells") for note in notes)
    assert any(note.startswith("b holds one value") for note in notes)
    assert any(note.startswith("c is filled on half of the frauds or more, and on no honest row:") for note in notes)


@pytest.mark.parametrize(
    ("top_k", "channels", "notes"),
    [
        pytest.param("59", {}, [], id="fewer"),
        pytest.param("60", {}, ["top_k=60 takes in all the 60 validation rows"], id="as many"),
        pytest.param(
            "200",
            {"test": table(100)},
            ["top_k=200 takes in all the 100 test rows", "top_k=200 takes in all the 120 validation rows"],
            id="with a test channel",
        ),
    ],
)
def test_figures_at_k_that_tell_nothing_are_a_note(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch, top_k: str, channels: dict[str, str], notes: list[str]
) -> None:
    """Where k takes in every row that measures, precision and recall at k tell nothing: the report says so."""
    base = make_tree({**FEW, "top_k": top_k}, train=table(), **channels)

    code = run_job(base, monkeypatch)

    told = json.loads((base / "output/data/report.json").read_text())["notes"]
    assert code == 0
    assert [note.split(" that measure:")[0] for note in told if note.startswith("top_k")] == notes


@pytest.mark.parametrize(
    ("told", "notes"),
    [
        pytest.param(
            {"algorithm": "logistic-regression", "penalty": "l1", "C": "1e-06"},
            ["set penalty=l1, C=1e-06 nearer to the default, or choose another algorithm"],
            id="no weight is left",
        ),
        pytest.param(
            {"algorithm": "svc", "kernel_gamma": "1000"},
            ["set kernel_gamma=1000.0 nearer to the default, or choose another algorithm"],
            id="no row is like another",
        ),
        pytest.param({"algorithm": "svc"}, [], id="one that ranks"),
    ],
)
def test_a_model_that_ranks_nothing_is_a_note(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], notes: list[str]
) -> None:
    """Where every row has one probability the report says so, with what to change."""
    base = make_tree({**told, "resampling": "none"}, train=table())

    code = run_job(base, monkeypatch)

    found = json.loads((base / "output/data/report.json").read_text())["notes"]
    same = "the model ranks nothing: all the 60 validation rows have the same probability; "
    assert code == 0
    assert [note.removeprefix(same) for note in found if note.startswith("the model ranks")] == notes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_first_round_says_so(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """A signal while rows are still read ends the job with its reason: there is no model to save (T41)."""

    def interrupt(*arguments: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr("fraud.channels.read", interrupt)
    base = make_tree(FEW, train=table())

    code = run_job(base, monkeypatch)

    assert code == 128 + number
    assert (base / "output/failure").read_text() == (
        f"STOPPED: {number.name} came before the first fit; there is no model to save"
    )


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
