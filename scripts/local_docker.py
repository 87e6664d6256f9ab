"""What SageMaker's local mode needs of this computer and leaves on it: Docker, compose, containers, files of root."""

import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from uuid import uuid4

SECONDS = 60
PROJECT = "COMPOSE_PROJECT_NAME"


class LocalModeError(Exception):
    """What is missing or went wrong, and what would be right."""


@dataclass(frozen=True)
class Place:
    """A directory of the SDK's own, and the compose project whose name its containers carry."""

    directory: Path
    project: str

    @property
    def _mine(self) -> tuple[str, str]:
        return "--filter", f"label=com.docker.compose.project={self.project}"

    def log(self) -> str:
        """Return what its containers printed; the SDK, which prints it too, may drop the last lines."""
        found = docker("ps", "--all", "--quiet", *self._mine).stdout.split()
        return "".join(docker("logs", container, merged=True).stdout for container in found)

    def clear(self, image: str) -> None:
        """Remove all that the SDK leaves behind; a network that another job still uses stays."""
        for container in docker("ps", "--all", "--quiet", *self._mine).stdout.split():
            docker("rm", "--force", "--volumes", container)
        for network in docker("network", "ls", "--quiet", *self._mine).stdout.split():
            docker("network", "rm", network)
        own(self.directory, image)
        shutil.rmtree(self.directory)


@contextmanager
def place(image: str, parent: Path | None = None) -> Iterator[Place]:
    """Give a place, in the directory for temporary files unless told otherwise, until the block ends."""
    before = os.environ.get(PROJECT)
    directory = Path(tempfile.mkdtemp(prefix="local-mode-", dir=parent))
    made = Place(directory, f"{before or 'local-mode'}-{uuid4().hex[:12]}")
    os.environ[PROJECT] = made.project
    try:
        yield made
    finally:
        os.environ.pop(PROJECT)
        os.environ |= {} if before is None else {PROJECT: before}
        made.clear(image)


@contextmanager
def heard(work: Place, what: str, failure: Path | None = None) -> Iterator[io.StringIO]:
    """Say of an error of the SDK, which tells an exit code at most, what the container said, or what was printed."""
    printed = io.StringIO()
    try:
        yield printed
    except LocalModeError:
        raise
    except Exception as error:
        said = failure.read_text() if failure is not None and failure.is_file() else work.log()
        last = (said.strip() or printed.getvalue().strip() or repr(error)).splitlines()[-1]
        raise LocalModeError(f"{what} failed: {_message(last)}") from error


def _message(line: str) -> str:
    """Return what a line of a log says: in batch and at endpoints it is JSON."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    return str(record.get("message", line)) if isinstance(record, dict) else line


def own(directory: Path, image: str) -> None:
    """Take over what a container wrote as root, by the only one who may: another container."""
    user, group = os.getuid(), os.getgid()
    if any(path.lstat().st_uid != user for path in directory.rglob("*")):
        volume = f"{directory.resolve()}:/taken"
        docker("run", "--rm", "--volume", volume, image, "chown", "-R", f"{user}:{group}", "/taken")


def docker(*arguments: str, merged: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a docker command to its end, whatever its exit code; `merged` puts stderr into stdout."""
    error = subprocess.STDOUT if merged else subprocess.PIPE
    command = ["docker", *arguments]
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=error, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as late:
        raise LocalModeError(f"`docker {arguments[0]}` gave no answer in {SECONDS} s: restart the engine") from late


def check(image: str) -> None:
    """Raise LocalModeError for the first thing that is missing here: a program, the engine, the image, the SDK."""
    for program in ("docker", "pgrep"):  # the SDK finds the processes that it ends by pgrep
        if shutil.which(program) is None:
            raise LocalModeError(f"{program} is not on the PATH: install it, local mode cannot do without")
    if (asked := docker("info")).returncode:
        said = (asked.stderr.strip() or "it says nothing").splitlines()[0]
        raise LocalModeError(f"no Docker engine answers `docker info`: {said}")
    if docker("compose", "version").returncode and shutil.which("docker-compose") is None:
        raise LocalModeError("neither `docker compose` nor docker-compose is here: install Docker's compose plugin")
    if docker("image", "inspect", image).returncode:
        raise LocalModeError(f"this computer has no image {image}: docker build --tag {image} .")
    _check_sdk()


def _check_sdk() -> None:
    try:
        version = metadata.version("sagemaker")
    except metadata.PackageNotFoundError as error:
        raise LocalModeError("SageMaker's SDK is not installed: make .venv/aws") from error
    if int(version.partition(".")[0]) < 3:
        raise LocalModeError(f"SageMaker's SDK is {version} here, and version 3 is needed: make .venv/aws")
