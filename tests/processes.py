"""The real programs as a platform runs them: `train` to its end, `serve` until it is told to stop."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[1]
SECONDS = 120
KEPT = ("PATH", "HOME", "PYTHONPATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Server:
    """A `serve` that answers; every call is a connection of its own."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def invoke(self, body: bytes, content_type: str = "text/csv", **headers: str) -> Answer:
        return self.call("POST", "/invocations", body, Content_Type=content_type, **headers)

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Open a connection and send bytes, whatever they are."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        client.sendall(sent)
        return client

    def workers(self) -> list[int]:
        """Return the processes that answer."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def figures(self) -> dict[tuple[str, ...], float]:
        """Return every sample of /metrics by its name and the values of its labels."""
        text = self.call("GET", "/metrics").body.decode()
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def program(name: str) -> str:
    """Return the path of an installed program of this environment."""
    return str(Path(sys.executable).with_name(name))


def environment(base: Path, **settings: str) -> dict[str, str]:
    """Return what a container would see: this tree, these settings, and the path."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "SAGEMAKER_BASE_DIR": str(base), "PYTHONUNBUFFERED": "1", **settings}


def train(base: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the real `train` over a tree."""
    command = [program("train")]
    told = environment(base, **settings)
    return subprocess.run(command, env=told, capture_output=True, text=True, timeout=SECONDS, check=False)


@contextmanager
def serving(base: Path, log: Path, **settings: str) -> Iterator[Server]:
    """Run the real `serve` over a tree on a free port until the block ends."""
    port = free_port()
    told = environment(base, SAGEMAKER_BIND_TO_PORT=str(port), **settings)
    with log.open("w") as output:
        process = subprocess.Popen([program("serve")], env=told, stdout=output, stderr=output, text=True)
    server = Server(process, port, log)
    try:
        wait_until(lambda: is_up(server), process)
        yield server
    finally:
        process.terminate()
        process.wait(SECONDS)


def is_up(server: Server) -> bool:
    try:
        return server.call("GET", "/ping").status == 200
    except OSError:
        return False


def wait_until(condition: object, process: subprocess.Popen[str] | None = None, seconds: float = SECONDS) -> None:
    """Wait for a condition; fail at once when the process has died, and at the deadline."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, f"the process died with code {process.returncode}"
        assert time.monotonic() < deadline, f"nothing came of it in {seconds} s"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
