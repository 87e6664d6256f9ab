"""The image, built once, and trees for it: copies of test_dir."""

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.engine import QUICK, docker, new_name, run, tell
from tests.container.sdk import Sdk
from tests.processes import ROOT

BUILD_SECONDS = 1800


def why_no_engine() -> str:
    """Return why no Docker engine can be used here, or nothing."""
    if shutil.which("docker") is None:
        return "docker is not on the PATH"
    if docker("info", check=False).returncode:
        return "no Docker engine answers `docker info`"
    return ""


@pytest.fixture(scope="session")
def image() -> Iterator[str]:
    """Build the image under a name of its own, and remove that name at the end; the layers stay, as a cache."""
    if reason := why_no_engine():
        pytest.skip(reason)
    name = f"{new_name()}:latest"
    told = ("--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=0123abc")
    built = subprocess.run(
        ["docker", "build", *told, "--tag", name, str(ROOT)],
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert built.returncode == 0, f"docker build failed\n{built.stdout[-4000:]}{built.stderr[-4000:]}"
    yield name
    docker("rmi", "--no-prune", name)


@pytest.fixture
def tree(image: str, tmp_path: Path) -> Iterator[Path]:
    """Return a copy of test_dir with quick hyperparameters, of which the test may do as it likes."""
    yield from copied(image, tmp_path / "ml")


@pytest.fixture(scope="session")
def trained_tree(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a tree in which the documented command has trained; a test reads it and changes nothing."""
    for base in copied(image, tmp_path_factory.mktemp("trained") / "ml"):
        finished = run("--volume", f"{base}:/opt/ml", image, "train")
        assert finished.returncode == 0, finished.stderr
        yield base


@pytest.fixture
def sdk(image: str, tmp_path: Path) -> Iterator[Sdk]:
    """Return SageMaker's SDK, and see that it left no container and no directory of its own."""
    if importlib.util.find_spec("sagemaker") is None:
        pytest.skip("SageMaker's SDK is not installed: make .venv/aws")
    if shutil.which("docker-compose") is None and docker("compose", "version", check=False).returncode:
        pytest.skip("neither `docker compose` nor docker-compose answers")
    sdk = Sdk(tmp_path / "home", new_name())
    sdk.home.mkdir()
    yield sdk
    left = sdk.containers()
    for container in left:
        docker("rm", "--force", container)
    assert not left
    assert not list(sdk.home.rglob("local-mode-*"))


def copied(image: str, base: Path) -> Iterator[Path]:
    """Copy test_dir's input; at the end open what a container wrote there as root, so that pytest can remove it."""
    shutil.copytree(ROOT / "test_dir" / "input", base / "input")
    tell(base, **QUICK)
    yield base
    run("--volume", f"{base}:/opt/ml", image, "chmod", "-R", "777", "/opt/ml")
