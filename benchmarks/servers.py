"""The servers that are compared: how each is started with one worker, asked, stopped, and how much memory it takes."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks import mlflow_peer
from benchmarks.sample import BOOSTER

from fraud.serving.server import GRACEFUL_SECONDS, KEEP_ALIVE_SECONDS
from fraud.settings import ServingSettings

HERE = "127.0.0.1"
OURS, BARE, TUTORIAL, MLFLOW = "ours", "bare Flask", "tutorial handler", "MLflow"
LONGEST_START_SECONDS = 60
POLL_SECONDS = 0.005


@dataclass(frozen=True)
class Server:
    """How to start one; `names` is the line of column names where its CSV must have one."""

    name: str
    port: int
    command: list[str]
    environment: dict[str, str]
    names: bytes = b""


class Running:
    """A server that answers, and how many seconds it took from its start to the first 200 on /ping."""

    def __init__(self, server: Server, process: subprocess.Popen[bytes], seconds_to_ping: float) -> None:
        self.server = server
        self.process = process
        self.seconds_to_ping = seconds_to_ping
        self.connection = HTTPConnection(HERE, server.port, timeout=60)

    def reconnect(self) -> None:
        """Open the connection anew, untimed: MLflow's server closes one that was idle for 5 s."""
        self.connection.close()
        self.connection.request("GET", "/ping")
        self.connection.getresponse().read()

    def post(self, body: bytes, headers: Mapping[str, str]) -> tuple[float, bytes]:
        """Send a body; return the seconds to the last byte of the answer, and the answer."""
        started = time.perf_counter()
        self.connection.request("POST", "/invocations", body, headers)
        response = self.connection.getresponse()
        answer = response.read()
        taken = time.perf_counter() - started
        if response.status != 200:
            sys.exit(f"{self.server.name} answers {response.status}: {answer[:500].decode(errors='replace')}")
        return taken, answer

    def private_megabytes(self) -> float:
        """Return the memory that the worker shares with no process, its parent above all: what one more would take."""
        parent = self.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        pages = Path(f"/proc/{children[0] if children else parent}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in pages if line.startswith("Private_")) / 1024


def servers(base: Path, names: bytes) -> list[Server]:
    """Describe ours and its peers, for the model in the tree `base`; MLflow where it is installed."""
    told = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), "MODEL_SERVER_WORKERS": "1"}
    port = _free_port()
    serve = Path(sys.executable).with_name("serve")
    return [
        Server(OURS, port, [str(serve)], {**told, "SAGEMAKER_BIND_TO_PORT": str(port)}),
        _under_gunicorn(BARE, "bare:app", told),
        _under_gunicorn(TUTORIAL, "tutorial:load()", told),
        *([_mlflow(base, names)] if mlflow_peer.version() else []),
    ]


def _under_gunicorn(name: str, application: str, told: dict[str, str]) -> Server:
    """Describe a Flask application under gunicorn's own threaded worker, with what `serve` sets of gunicorn."""
    port = _free_port()
    flags = {
        "bind": f"{HERE}:{port}",
        "workers": 1,
        "worker-class": "gthread",
        "threads": ServingSettings.model_validate({"MODEL_SERVER_WORKERS": 1}).threads,
        "graceful-timeout": GRACEFUL_SECONDS,
        "keep-alive": KEEP_ALIVE_SECONDS,
        "worker-tmp-dir": tempfile.gettempdir(),
    }
    stated = [f"--{flag}={value}" for flag, value in flags.items()]
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [told.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "gunicorn", "--preload", "--no-control-socket", *stated, application]
    return Server(name, port, command, {**told, "PYTHONPATH": path})


def _mlflow(base: Path, names: bytes) -> Server:
    directory, port = base / "mlflow", _free_port()
    mlflow_peer.save(base / BOOSTER, directory)
    return Server(MLFLOW, port, *mlflow_peer.command(directory, port), names)


@contextmanager
def running(server: Server, logs: Path) -> Iterator[Running]:
    """Start a server, wait for its first 200 on /ping, stop it in the end; what it says goes to a file."""
    log = logs / f"{server.name.replace(' ', '-')}.log"
    with log.open("wb") as file:
        started = time.perf_counter()
        process = subprocess.Popen(server.command, env=server.environment, stdout=file, stderr=file)
        try:
            while not _is_ready(server.port):
                if process.poll() is not None or time.perf_counter() - started > LONGEST_START_SECONDS:
                    sys.exit(f"{server.name} did not start; {log} says why")
                time.sleep(POLL_SECONDS)
            alive = Running(server, process, time.perf_counter() - started)
            yield alive
            alive.connection.close()
        finally:
            process.terminate()
            process.wait()


def _is_ready(port: int) -> bool:
    connection = HTTPConnection(HERE, port, timeout=LONGEST_START_SECONDS)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HERE, 0))
        return int(listener.getsockname()[1])
