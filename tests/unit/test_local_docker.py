import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_docker import LocalModeError, Place, check, heard

# Stands in for docker: knows one image, and fails where a file in errors/ carries the first word.
DOCKER = """\
#!/bin/sh
case "$1 $2 $3" in "image inspect "*) [ "$3" = fraud-detect ] || exit 1 ;; esac
[ "$1" != logs ] || cat "${0%/*}/log"
[ "$1" != ps ] || echo 0123abc
[ ! -e "${0%/*}/errors/$1" ] || { echo "ERROR: cannot connect" >&2; echo "and more" >&2; exit 1; }
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that is the PATH, with a docker and a pgrep, and an SDK of version 3 beside it."""
    programs = tmp_path / "bin"
    (programs / "errors").mkdir(parents=True)
    for name in ("docker", "pgrep"):
        (programs / name).write_text(DOCKER)
        (programs / name).chmod(0o755)
    (programs / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.syspath_prepend(str(install(tmp_path / "site", "3.27.0")))
    return programs


def install(site: Path, version: str) -> Path:
    """Make what an installed SDK of a version is known by."""
    directory = site / f"sagemaker-{version}.dist-info"
    directory.mkdir(parents=True)
    (directory / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sagemaker\nVersion: {version}\n")
    return site


def test_nothing_is_missing(programs: Path) -> None:
    """Where all is there the check passes."""
    check("fraud-detect")


@pytest.mark.parametrize("program", ["docker", "pgrep"])
def test_a_program_is_missing(programs: Path, program: str) -> None:
    """A program that local mode runs and that is not there is named."""
    (programs / program).unlink()

    with pytest.raises(LocalModeError, match=f"^{program} is not on the PATH: install it"):
        check("fraud-detect")


def test_no_engine_answers(programs: Path) -> None:
    """An engine that does not answer is told with its first words."""
    (programs / "errors" / "info").touch()

    with pytest.raises(LocalModeError, match=r"^no Docker engine answers `docker info`: ERROR: cannot connect$"):
        check("fraud-detect")


def test_compose_is_a_plugin_or_a_program(programs: Path) -> None:
    """Compose may be docker's plugin or docker-compose, and one of them has to be there."""
    (programs / "errors" / "compose").touch()

    with pytest.raises(LocalModeError, match=r"^neither `docker compose` nor docker-compose is here"):
        check("fraud-detect")
    (programs / "docker-compose").symlink_to(programs / "docker")
    check("fraud-detect")


def test_image_is_missing(programs: Path) -> None:
    """An image that is not there is named, with the command that makes it."""
    with pytest.raises(LocalModeError, match=r"^this computer has no image other:1: docker build --tag other:1 .$"):
        check("other:1")


def test_sdk_is_missing(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without SageMaker's SDK the error says how it is installed."""
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(LocalModeError, match=r"^SageMaker's SDK is not installed: make .venv/aws$"):
        check("fraud-detect")


def test_sdk_is_too_old(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SDK v2, which has no ModelTrainer, is told apart."""
    monkeypatch.syspath_prepend(str(install(tmp_path / "old", "2.257.7")))

    with pytest.raises(LocalModeError, match=r"^SageMaker's SDK is 2\.257\.7 here, and version 3 is needed"):
        check("fraud-detect")


@pytest.mark.parametrize(
    ("log", "said"),
    [
        pytest.param("first\nlast\n", "last", id="text"),
        pytest.param('{"level": "ERROR", "message": "MODEL_UNUSABLE: no"}\n', "MODEL_UNUSABLE: no", id="json"),
        pytest.param("{broken\n", "{broken", id="not json"),
        pytest.param("", "pool exhausted", id="no container"),
    ],
)
def test_error_is_the_last_line_of_the_log(programs: Path, tmp_path: Path, log: str, said: str) -> None:
    """An error of the SDK is told in the last words of its container, or of what was printed where it has none."""
    (programs / "log").write_text(log)

    with pytest.raises(LocalModeError, match=f"^serving failed: {said}$"):
        fail(Place(tmp_path, "x"))


def fail(place: Place) -> None:
    with heard(place, "serving") as printed:
        printed.write("ERROR: of compose\npool exhausted\n")
        raise RuntimeError("exit code 1")


def test_failure_file_comes_first(programs: Path, tmp_path: Path) -> None:
    """An error of a job is its failure file, whatever was logged."""
    (programs / "log").write_text("something else\n")
    (tmp_path / "failure").write_text("DATA_NO_FRAUD: none\n")

    with (
        pytest.raises(LocalModeError, match=r"^training failed: DATA_NO_FRAUD: none$"),
        heard(Place(tmp_path, "x"), "training", tmp_path / "failure"),
    ):
        raise RuntimeError("exit code 1")


def test_script_ends_with_one_line(tmp_path: Path) -> None:
    """sdk_local.py without docker says so in one line, and needs no SDK for it."""
    script = Path(__file__).parents[2] / "local_test" / "sdk_local.py"
    command = [sys.executable, str(script)]
    told = {**os.environ, "PATH": str(tmp_path)}
    finished = subprocess.run(command, env=told, capture_output=True, text=True, timeout=60, check=False)

    assert finished.returncode == 1
    assert finished.stderr == "sdk_local.py: docker is not on the PATH: install it, local mode cannot do without\n"
