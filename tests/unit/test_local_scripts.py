"""What the scripts of local_test/ say where something is missing."""

import os
import subprocess
from pathlib import Path

import pytest

LOCAL_TEST = Path(__file__).parents[2] / "local_test"
NO_IMAGE = "Error response from daemon: No such image: fraud-detect:latest"
NO_ENGINE = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


def call(script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [str(LOCAL_TEST / script), *arguments]
    return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("payload", ["nothere", "/"], ids=["absent", "directory"])
def test_predict_without_a_file(payload: str) -> None:
    """A file that cannot be read is told, before a server is asked."""
    done = call("predict.sh", payload)

    assert done.returncode == 1
    assert done.stderr == f"predict.sh: there is no file {payload} to read\n"


@pytest.mark.parametrize("script", ["train_local.sh", "serve_local.sh", "batch_local.sh"])
@pytest.mark.parametrize(
    ("answer", "arguments", "said"),
    [
        pytest.param(
            NO_IMAGE, [], "this computer has no image fraud-detect: docker build --tag fraud-detect .", id="none"
        ),
        pytest.param(NO_IMAGE, ["x:v1"], "this computer has no image x:v1: docker build --tag x:v1 .", id="its own"),
        pytest.param(NO_ENGINE, [], NO_ENGINE, id="no engine"),
    ],
)
def test_no_image(tmp_path: Path, script: str, answer: str, arguments: list[str], said: str) -> None:
    """An image that is not there is told with how to build it, as Docker would look for it in a registry."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\n[ "$1" = image ] || echo "it ran $*"\necho "{answer}" >&2\nexit 1\n')
    docker.chmod(0o755)
    rows = [str(LOCAL_TEST / "payload.csv")] if script == "batch_local.sh" else []
    done = call(script, *rows, *arguments, PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"{script}: {said}\n"


@pytest.mark.parametrize("script", ["batch_local.sh", "predict.sh"])
@pytest.mark.parametrize(
    ("name", "content_type"),
    [("rows.csv", "text/csv"), ("rows.json", "application/json"), ("rows.jsonl", "application/jsonlines")],
)
def test_a_file_is_sent_as_what_its_name_says(script: str, name: str, content_type: str, tmp_path: Path) -> None:
    """Rows in JSON are not sent as CSV."""
    for program in ("docker", "curl"):  # stand-ins that tell what they were asked
        (tmp_path / program).write_text('#!/bin/sh\necho "$@"\n')
        (tmp_path / program).chmod(0o755)
    (tmp_path / name).write_text("1\n")
    done = call(script, str(tmp_path / name), PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert done.returncode == 0
    assert f"--header Content-Type: {content_type} " in done.stdout
