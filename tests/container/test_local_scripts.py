import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.engine import QUICK, docker, run, tell
from tests.container.sdk import Sdk
from tests.processes import ROOT, Server, free_port, is_up, wait_until

PAYLOADS = ("payload.csv", "payload.json", "payload.jsonl")


@pytest.fixture
def home(image: str, tmp_path: Path) -> Iterator[Path]:
    """Return a copy of what the scripts use, so that they write nothing in the checkout."""
    home = tmp_path / "home with a space"
    for name in ("local_test", "scripts"):
        shutil.copytree(ROOT / name, home / name)
    shutil.copytree(ROOT / "test_dir" / "input", home / "test_dir" / "input")
    tell(home / "test_dir", **QUICK)
    yield home
    run("--volume", f"{home / 'test_dir'}:/opt/ml", image, "chmod", "-R", "777", "/opt/ml")


def script(name: str, home: Path) -> str:
    return str(home / "local_test" / name)


def test_scripts_train_serve_and_predict_from_any_directory(image: str, home: Path, tmp_path: Path) -> None:
    """train_local.sh, serve_local.sh and predict.sh work one after the other, wherever they are called from."""
    environment = {**os.environ, "PORT": str(free_port())}
    subprocess.run([script("train_local.sh", home), image], cwd="/", check=True, capture_output=True)
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [script("serve_local.sh", home), image], cwd="/", env=environment, stdout=output, stderr=output, text=True
        )
    try:
        server = Server(process, int(environment["PORT"]), log)
        wait_until(lambda: is_up(server), process)
        answers = [predict(home, environment, script(name, home)) for name in PAYLOADS]
        unnamed = predict(home, environment)
        refused = predict(home, environment, script("payload.csv", home), "image/png")
    finally:
        process.terminate()
        code = process.wait(30)

    assert [answer.returncode for answer in answers] == [0, 0, 0], answers
    assert unnamed.stdout == answers[0].stdout
    assert "predictions" in answers[1].stdout
    assert refused.returncode != 0
    assert "MEDIA_TYPE_UNSUPPORTED" in refused.stdout
    assert code == 0


def predict(home: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [script("predict.sh", home), *arguments]
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_batch_script_answers_each_line(image: str, home: Path, tmp_path: Path) -> None:
    """batch_local.sh prints a line for each line, an error in the place of a bad one."""
    subprocess.run([script("train_local.sh", home), image], cwd="/", check=True, capture_output=True)
    rows = Path(script("payload.csv", home)).read_text().splitlines()
    (tmp_path / "rows.csv").write_text("\n".join([rows[0], "1,2", *rows[1:]]) + "\n")
    finished = batch(home, str(tmp_path / "rows.csv"), image)
    lines = finished.stdout.splitlines()

    assert finished.returncode == 0, finished.stderr
    assert len(lines) == len(rows) + 1
    assert [number for number, line in enumerate(lines) if line.startswith('"ERROR: ')] == [1]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [pytest.param("", "MODEL_UNUSABLE", id="no model"), pytest.param("/nothing.csv", "/nothing.csv", id="no rows")],
)
def test_batch_script_says_what_is_missing(image: str, home: Path, rows: str, complaint: str) -> None:
    """batch_local.sh ends with one line and not zero where there is no model, or no file."""
    finished = batch(home, rows, image)

    assert finished.returncode != 0
    assert [complaint in line for line in finished.stderr.splitlines()] == [True]


def batch(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [script("batch_local.sh", home), *arguments]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=60, check=False)


def test_sdk_script_trains_serves_and_transforms(image: str, home: Path, sdk: Sdk) -> None:
    """sdk_local.py goes through all its steps from any directory, and shows what came out and nothing else."""
    finished = sdk.python(script("sdk_local.py", home), image)
    steps = [line for line in finished.stdout.splitlines() if line.startswith("==> ")]

    assert finished.returncode == 0, finished.stderr
    assert len(steps) == 7
    assert finished.stdout.count("... 15 records") == 3
    assert "... 15 lines in " in finished.stdout
    assert finished.stderr == ""


def test_sdk_script_says_what_is_missing(image: str, home: Path, sdk: Sdk) -> None:
    """sdk_local.py ends with one line where the image is not there."""
    finished = sdk.python(script("sdk_local.py", home), f"{sdk.project}-is-not-there")

    assert finished.returncode == 1
    assert finished.stderr.startswith(f"sdk_local.py: this computer has no image {sdk.project}-is-not-there: ")
    assert len(finished.stderr.splitlines()) == 1


def test_scripts_leave_no_container(image: str) -> None:
    """After the scripts have ended no container of the image is left."""
    assert docker("ps", "--all", "--quiet", "--filter", f"ancestor={image}").stdout == ""
