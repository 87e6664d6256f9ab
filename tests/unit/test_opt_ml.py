import json
from pathlib import Path

import pytest

from fraud.errors import ConfigError, HostsError, InputModeError, NoFraudError, OutputError, RowError
from fraud.opt_ml import OptMl


@pytest.fixture
def tree(tmp_path: Path) -> OptMl:
    (tmp_path / "input" / "config").mkdir(parents=True)
    return OptMl(tmp_path)


def configure(tree: OptMl, name: str, content: object) -> None:
    (tree.base / "input" / "config" / f"{name}.json").write_text(json.dumps(content))


def test_paths() -> None:
    """The tree has SageMaker's own paths."""
    tree = OptMl(Path("/opt/ml"))

    assert [str(path) for path in (tree.model, tree.output_data, tree.failure, tree.channel("train"))] == [
        "/opt/ml/model",
        "/opt/ml/output/data",
        "/opt/ml/output/failure",
        "/opt/ml/input/data/train",
    ]


def test_nothing_configured(tmp_path: Path) -> None:
    """Without any configuration file there is nothing to heed (T16, T22)."""
    tree = OptMl(tmp_path)
    tree.require_one_host()

    assert tree.hyperparameters() == {}
    assert tree.content_types() == {}


def test_hyperparameters(tree: OptMl) -> None:
    """Hyperparameters are strings, whatever a client wrote (T13, T14)."""
    configure(tree, "hyperparameters", {"eta": "0.2", "seed": 7, "refit": True})

    assert tree.hyperparameters() == {"eta": "0.2", "seed": "7", "refit": "True"}


def test_content_types(tree: OptMl) -> None:
    """Only channels that state a content type are named; every key is optional (T17)."""
    channels = {
        "train": {"ContentType": "text/csv", "TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"},
        "validation": {"TrainingInputMode": "FastFile"},
        "test": {"ContentType": ""},
        "code": None,
    }
    configure(tree, "inputdataconfig", channels)

    assert tree.content_types() == {"train": "text/csv"}


def test_pipe_mode(tree: OptMl) -> None:
    """Pipe mode is refused at once, with the channel and the remedy (T25)."""
    configure(tree, "inputdataconfig", {"train": {"TrainingInputMode": "Pipe"}})
    with pytest.raises(InputModeError, match=r'^channel "train" has TrainingInputMode "Pipe"; start .* "FastFile"$'):
        tree.content_types()


@pytest.mark.parametrize("config", [{"hosts": ["algo-1-8j177"]}, {}, {"hosts": None}, {"current_host": "algo-1"}])
def test_one_host(tree: OptMl, config: dict[str, object]) -> None:
    """One host may train, whatever it is called (T19, T20)."""
    configure(tree, "resourceconfig", config)

    tree.require_one_host()


def test_several_hosts(tree: OptMl) -> None:
    """Several hosts are refused with the remedy."""
    configure(tree, "resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]})
    with pytest.raises(HostsError, match=r"^the job has 2 hosts .* InstanceCount=1$"):
        tree.require_one_host()


DAMAGED = [
    pytest.param(b"{a", "text that is not JSON, from line 1, column 2 on", id="no JSON"),
    pytest.param(b"\xff\xfe", "bytes that are not UTF-8 text", id="no text"),
    pytest.param(b"", "nothing", id="empty"),
    pytest.param(b" \n", "nothing", id="blank"),
    pytest.param(b"[1]", "a list", id="list"),
    pytest.param(b"null", "null", id="null"),
    pytest.param(b'"eta"', "a string", id="string"),
    pytest.param(b"true", "a boolean", id="boolean"),
    pytest.param(b"1.5", "a number", id="number"),
    pytest.param(b"[" * 100_000, "JSON that nests too deeply, or a number of too many digits", id="deep"),
    pytest.param(b"1" * 5000, "JSON that nests too deeply, or a number of too many digits", id="long number"),
]


@pytest.mark.parametrize(("content", "held"), DAMAGED)
@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("hyperparameters", 'a JSON object of strings, such as {"num_round": "300"}'),
        ("inputdataconfig", 'a JSON object of channels, such as {"train": {"ContentType": "text/csv"}}'),
        ("resourceconfig", 'a JSON object, such as {"hosts": ["algo-1"]}'),
    ],
)
def test_damaged_file(tree: OptMl, name: str, right: str, content: bytes, held: str) -> None:
    """A configuration file that is damaged is named, with what it holds and what it should hold, in plain words."""
    read = {
        "hyperparameters": tree.hyperparameters,
        "inputdataconfig": tree.content_types,
        "resourceconfig": tree.require_one_host,
    }
    path = tree.base / "input" / "config" / f"{name}.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read[name]()

    assert str(caught.value) == f"{path} holds {held}; it should hold {right}"
    assert caught.value.code == "CONFIG_UNREADABLE"


def test_unreadable_file(tree: OptMl) -> None:
    """A configuration file that is no file is named, with the system's own reason."""
    (tree.base / "input" / "config" / "hyperparameters.json").mkdir()
    with pytest.raises(ConfigError, match=r"hyperparameters.json cannot be read: Is a directory$"):
        tree.hyperparameters()


def test_byte_order_mark(tree: OptMl) -> None:
    """A file that an editor began with a byte order mark is read."""
    (tree.base / "input" / "config" / "hyperparameters.json").write_bytes(b'\xef\xbb\xbf{"eta": "0.2"}')

    assert tree.hyperparameters() == {"eta": "0.2"}


def test_failure(tree: OptMl) -> None:
    """The failure file says code and cause first, and never a cell (T35, T38)."""
    tree.write_failure(RowError("train/a.csv, line 3", "is not a number", "4111 1111"))

    assert tree.failure.read_text() == "ROW_INVALID: train/a.csv, line 3: the cell is not a number"


def test_long_failure(tree: OptMl) -> None:
    """The failure file holds what DescribeTrainingJob shows and no more (T35)."""
    tree.write_failure(NoFraudError("x" * 5000))

    assert tree.failure.read_text() == f"DATA_NO_FRAUD: {'x' * 5000}"[:1024]


def test_first_failure(tree: OptMl) -> None:
    """A failure file that is there is kept (T36)."""
    tree.write_failure(NoFraudError("first"))
    tree.write_failure(NoFraudError("second"))

    assert tree.failure.read_text() == "DATA_NO_FRAUD: first"


def test_unwritable_text(tree: OptMl) -> None:
    """A file name that is no UTF-8 does not keep a failure from being written."""
    tree.write_failure(NoFraudError("train/\udcff.csv"))

    assert tree.failure.read_text() == "DATA_NO_FRAUD: train/\\udcff.csv"


@pytest.mark.parametrize("closed", ["model", "output"])
def test_an_output_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    """What could not be written after hours of training is refused before, by the nearest directory that is there."""
    (tmp_path / closed).mkdir()
    monkeypatch.setattr("os.access", lambda path, _mode: path != tmp_path / closed)
    with pytest.raises(OutputError, match=rf"/{closed} cannot be written; mount it writable"):
        OptMl(tmp_path).require_writable()


def test_an_output_that_is_not_there_yet(tmp_path: Path) -> None:
    """Directories that a job makes itself need not be there, and none is made to find out."""
    OptMl(tmp_path / "not" / "yet").require_writable()

    assert list(tmp_path.iterdir()) == []
