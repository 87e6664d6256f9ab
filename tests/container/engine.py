"""The Docker engine by its command line, as a person uses it; it touches only containers that these tests named."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.processes import Server, is_up, wait_until

SECONDS = 180
# What a hardened platform takes away; /tmp is what is left to write in (S60).
LOCKED = ("--read-only", "--tmpfs", "/tmp", "--network", "none")
MOUNT_POINTS = ("/opt", "/opt/ml", "/opt/ml/model")
# Quick, and through every step of a job.
QUICK = {"num_round": "20", "resampling": "none"}
PING = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/ping', timeout=5).status)"
# The processes whose parent is process 1: the workers, as there is no other.
CHILDREN = "import pathlib as p; print(p.Path('/proc/1/task/1/children').read_text())"


def new_name() -> str:
    return f"fraud-test-{uuid4().hex[:12]}"


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a docker command to its end."""
    finished = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert not check or finished.returncode == 0, f"docker {' '.join(arguments)}\n{finished.stdout}{finished.stderr}"
    return finished


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a container to its end and remove it, whatever its exit code."""
    name = new_name()
    try:
        return docker("run", "--rm", "--name", name, *arguments, check=False)
    finally:
        docker("rm", "--force", "--volumes", name, check=False)


@dataclass(frozen=True)
class Container:
    """A container that was started; `process` is its `docker run`, which ends with the container's exit code."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def execute(self, *command: str, check: bool = True) -> str:
        return docker("exec", self.name, *command, check=check).stdout.strip()

    def python(self, code: str, check: bool = True) -> str:
        return self.execute("python3", "-c", code, check=check)

    def workers(self) -> set[int]:
        return {int(number) for number in self.python(CHILDREN).split()}

    def stop(self) -> int:
        """Stop it as `docker stop` does, SIGKILL after 10 s, and return its exit code."""
        docker("stop", "--time", "10", self.name)
        return self.process.wait(SECONDS)

    def changed(self) -> list[str]:
        """Return the paths that differ from the image's, but for /tmp and the mount points."""
        paths = [line.split(maxsplit=1)[1] for line in docker("diff", self.name).stdout.splitlines()]
        return [path for path in paths if path not in MOUNT_POINTS and not f"{path}/".startswith("/tmp/")]

    def says(self, text: str) -> bool:
        return text in self.log.read_text()

    def server(self, port: int = 8080) -> Server:
        """Return the server behind a published port, once it is up."""
        wait_until(lambda: docker("port", self.name, str(port), check=False).stdout, self.process)
        published = docker("port", self.name, str(port)).stdout.split()[0]
        server = Server(self.process, int(published.rpartition(":")[2]), self.log)
        wait_until(lambda: is_up(server), self.process)
        return server


@contextmanager
def started(log: Path, *arguments: str) -> Iterator[Container]:
    """Start a container, and remove it when the block ends; an ended one can be looked at until then."""
    name = new_name()
    with log.open("w") as output:
        process = subprocess.Popen(
            ["docker", "run", "--name", name, *arguments], stdout=output, stderr=output, text=True
        )
    try:
        yield Container(name, process, log)
    finally:
        docker("rm", "--force", "--volumes", name, check=False)
        process.wait(SECONDS)


def tell(tree: Path, **hyperparameters: str) -> None:
    """Replace the hyperparameters of a tree."""
    (tree / "input" / "config" / "hyperparameters.json").write_text(json.dumps(hyperparameters))
