import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import MakeTree, table
from tests.processes import ROOT, environment, program, train, wait_until

FEW = {"num_round": "5", "resampling": "none"}


def test_leaves_a_model_and_its_report(trained: Path) -> None:
    """A job leaves the bundle, the report for machines and for people, and the held-out rows; no failure (T32, T34)."""
    report = json.loads((trained / "output/data/report.json").read_text())
    predictions = (trained / "output/data/predictions.csv").read_text().splitlines()
    bundle = json.loads((trained / "model/bundle.json").read_text())

    assert sorted(path.name for path in (trained / "model").iterdir()) == ["booster.ubj", "bundle.json"]
    assert report["model_id"] == bundle["model_id"]
    assert bundle["job_name"] == "sample-job"
    assert predictions[0] == "row,label,probability,raw_score,predicted_label"
    assert len(predictions) == 1 + report["rows"]["held_out"]["frauds"] + report["rows"]["held_out"]["honest"]
    assert "<html" in (trained / "output/data/report.html").read_text()
    assert not (trained / "output/failure").exists()


def test_prints_a_metric_line_each_round_and_the_saved_model_last(make_tree: MakeTree) -> None:
    """The objective stands on a line of its own every round, and the last is that of the model saved (T53, T56)."""
    base = make_tree(FEW, train=table())

    finished = train(base)

    lines = [line for line in finished.stdout.splitlines() if line.startswith("validation:average_precision=")]
    figures = json.loads((base / "model/bundle.json").read_text())["figures"]["validation"]
    assert finished.returncode == 0, finished.stderr
    assert len(lines) == 5 + 1
    assert lines[-1] == f"validation:average_precision={figures['average_precision']['value']:.6f};"


def test_the_same_job_makes_the_same_bundle(make_tree: MakeTree) -> None:
    """The same rows, settings and seed give the same bundle, bit for bit but for when it was made (T49)."""
    base = make_tree({"num_round": "10", "subsample": "0.8", "seed": "7"}, train=table())

    def files() -> dict[str, bytes]:
        found = {path.name: path.read_bytes() for path in (base / "model").iterdir()}
        return {name: re.sub(rb'"trained_at": ?"[^"]+"', b"", content) for name, content in found.items()}

    first = train(base)
    kept = files()

    second = train(base)

    assert first.returncode == second.returncode == 0, second.stderr
    assert files() == kept


def test_trains_with_defaults_where_nothing_is_configured(make_tree: MakeTree) -> None:
    """A tree with rows and no config at all trains (T16, T17, T19)."""
    base = make_tree(train=table())
    shutil.rmtree(base / "input/config")

    finished = train(base)

    assert finished.returncode == 0, finished.stderr
    assert len([line for line in finished.stderr.splitlines() if line.startswith("INFO")]) <= 10


def test_says_why_it_failed(make_tree: MakeTree) -> None:
    """A bad job exits 1 and leaves one short line, cause first, for DescribeTrainingJob (T35, T37)."""
    base = make_tree(FEW, train="Time,a,Class\n1,2,0\n")

    finished = train(base)

    assert finished.returncode == 1
    assert (base / "output/failure").read_text().startswith("DATA_NO_FRAUD: ")
    assert finished.stderr.splitlines()[-1] == f"ERROR {(base / 'output/failure').read_text()}"


def test_keeps_a_failure_file_that_is_there(make_tree: MakeTree) -> None:
    """A failure that something else has written stays (T36)."""
    base = make_tree()
    (base / "output").mkdir()
    (base / "output/failure").write_text("first cause")

    finished = train(base)

    assert finished.returncode == 1
    assert (base / "output/failure").read_text() == "first cause"


def test_one_host_and_unknown_channels_do_not_disturb(make_tree: MakeTree) -> None:
    """Configuration that the service adds, channels that nothing reads and other files change nothing (T18, T22)."""
    base = make_tree({**FEW, "sagemaker_program": "x.py"}, train=table(), code="import os\n")
    config = base / "input/config"
    (config / "resourceconfig.json").write_text('{"current_host": "algo-1-8j177", "hosts": ["algo-1-8j177"]}')
    (config / "inputdataconfig.json").write_text('{"train": {"TrainingInputMode": "FastFile"}, "code": {}}')
    (config / "init-config.json").write_text("not even JSON")

    finished = train(base)

    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_saves_the_model_so_far(make_tree: MakeTree, number: signal.Signals) -> None:
    """SIGTERM, or Ctrl-C, ends the round, saves a model that serves, and exits within seconds (T41, T42)."""
    base = make_tree({"num_round": "100000", "resampling": "none"}, train=table())
    command = [program("train")]
    with (base / "out").open("w") as output, (base / "err").open("w") as errors:
        process = subprocess.Popen(command, env=environment(base), stdout=output, stderr=errors, text=True)
    wait_until(lambda: "average_precision" in (base / "out").read_text(), process)

    process.send_signal(number)
    code = process.wait(30)

    report = json.loads((base / "output/data/report.json").read_text())
    assert code == 0, (base / "err").read_text()
    assert (base / "model/bundle.json").exists()
    assert 1 <= report["rounds"] < 100_000
    assert f"{number.name} ended the job" in (base / "err").read_text()


def test_a_second_interrupt_ends_the_job_at_once(make_tree: MakeTree) -> None:
    """Whoever presses Ctrl-C twice does not wait, and sees no traceback."""
    base = make_tree({"num_round": "100000", "resampling": "none"}, train=table())
    command = [program("train")]
    with (base / "out").open("w") as output, (base / "err").open("w") as errors:
        process = subprocess.Popen(command, env=environment(base), stdout=output, stderr=errors, text=True)
    wait_until(lambda: "average_precision" in (base / "out").read_text(), process)

    def interrupt_again() -> bool:
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    wait_until(interrupt_again)

    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in (base / "err").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_ends_a_job_that_still_loads(make_tree: MakeTree, number: signal.Signals) -> None:
    """SIGTERM, or Ctrl-C, ends the program as soon as it can be told: as process 1 it would ignore it until then."""
    base = make_tree(FEW, train=table())
    command = [program("train")]
    with (base / "err").open("w") as errors:
        process = subprocess.Popen(command, env=environment(base), stdout=subprocess.DEVNULL, stderr=errors, text=True)
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        process.kill()
        pytest.skip("only Linux shows when a process is ready for a signal")
    # Python itself catches SIGINT from its start, and SIGTERM is caught once `train` heeds both.
    bit = 1 << (signal.SIGTERM - 1)
    wait_until(lambda: int(status.read_text().split("SigCgt:")[1].split()[0], 16) & bit, process)

    process.send_signal(number)
    code = process.wait(30)

    assert code == 128 + number
    assert "Traceback" not in (base / "err").read_text()
    assert not (base / "model").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param(["train", "--help"], "/opt/ml/input/data/train", id="train"),
        pytest.param(["train", "-h"], "docs/06-hyperparameters.md", id="train, short"),
        pytest.param(["serve", "--help"], "environment variables", id="serve"),
        pytest.param(["serve", "-h"], "port 8080", id="serve, short"),
        pytest.param(["fraud", "train", "--help"], "/opt/ml/input/data/train", id="fraud train"),
        pytest.param(["fraud", "serve", "-h"], "port 8080", id="fraud serve"),
    ],
)
def test_help_is_no_error(tmp_path: Path, command: list[str], words: str) -> None:
    """Whoever asks for help gets a few lines, and nothing is written."""
    called = [program(command[0]), *command[1:]]
    finished = subprocess.run(
        called, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=False
    )

    assert (finished.returncode, finished.stderr) == (0, "")
    assert words in finished.stdout
    assert len(finished.stdout.splitlines()) <= 4
    assert list(tmp_path.iterdir()) == []


def test_sample_tree_holds_no_outputs() -> None:
    """The repository's sample tree holds inputs only, whatever was run over it: outputs are ignored by git."""
    listed = subprocess.run(["git", "ls-files", "test_dir"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert all(path.startswith("test_dir/input/") for path in listed.stdout.split())
