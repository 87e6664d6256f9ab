import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.engine import QUICK, docker, run, tell
from tests.processes import ROOT, Server, free_port, is_up, wait_until

PAYLOADS = ("payload.csv", "payload.json", "payload.jsonl")


@pytest.fixture
def home(image: str, tmp_path: Path) -> Iterator[Path]:
    """Return a copy of what the scripts use, so that they write nothing in the checkout."""
    home = tmp_path / "home with a space"
    shutil.copytree(ROOT / "local_test", home / "local_test")
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


def test_scripts_leave_no_container(image: str) -> None:
    """After the scripts have ended no container of the image is left."""
    assert docker("ps", "--all", "--quiet", "--filter", f"ancestor={image}").stdout == ""
