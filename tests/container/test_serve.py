import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.container.engine import LOCKED, PING, Container, docker, run, started
from tests.processes import ROOT, Server, wait_until

PAYLOAD = (ROOT / "local_test" / "payload.csv").read_bytes()
PUBLISH = ("--publish", "127.0.0.1::8080")


@contextmanager
def serving(image: str, tree: Path, log: Path, *options: str) -> Iterator[Container]:
    """Run the documented `serve` over a trained tree."""
    volume = f"{tree / 'model'}:/opt/ml/model:ro"
    with started(log, *PUBLISH, "--volume", volume, *options, image, "serve") as container:
        yield container


def begin_request(server: Server) -> socket.socket:
    """Send all of a request but its body, and return when a worker has taken it up and asks for the rest."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    head = (
        "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
        f"Content-Length: {len(PAYLOAD)}\r\nExpect: 100-continue\r\n\r\n"
    )
    connection.sendall(head.encode())
    assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    return connection


def test_documented_command_serves(image: str, trained_tree: Path, tmp_path: Path) -> None:
    """`docker run -p 8080 -v model:/opt/ml/model:ro image serve` answers a line a row and writes nothing (S1)."""
    with serving(image, trained_tree, tmp_path / "log") as container:
        answer = container.server().invoke(PAYLOAD)

        assert answer.status == 200
        assert len(answer.body.splitlines()) == len(PAYLOAD.splitlines())
        assert container.changed() == []


def test_server_listens_where_it_is_told(image: str, trained_tree: Path, tmp_path: Path) -> None:
    """SAGEMAKER_BIND_TO_PORT moves the server to another port (S2)."""
    told = ("--env", "SAGEMAKER_BIND_TO_PORT=9321", "--publish", "127.0.0.1::9321")
    with serving(image, trained_tree, tmp_path / "log", *told) as container:
        assert container.server(9321).invoke(PAYLOAD).status == 200


@pytest.mark.parametrize("user", [pytest.param("0:0", id="root"), pytest.param("1234:1234", id="a uid nobody knows")])
def test_serve_works_in_a_locked_container(image: str, trained_tree: Path, tmp_path: Path, user: str) -> None:
    """`serve` needs no network, no user of a name, and writes to /tmp alone (S10, S60)."""
    options = (*LOCKED, "--user", user, "--volume", f"{trained_tree / 'model'}:/opt/ml/model:ro")
    with started(tmp_path / "log", *options, image, "serve") as container:
        wait_until(lambda: container.python(PING, check=False) == "200", container.process)

    assert "WARNING" not in container.log.read_text()


def test_stop_ends_an_idle_server(image: str, trained_tree: Path, tmp_path: Path) -> None:
    """`docker stop` ends process 1 by SIGTERM with exit code 0, before its SIGKILL after 10 s (S5)."""
    with serving(image, trained_tree, tmp_path / "log") as container:
        container.server()
        code = container.stop()

        assert code == 0, container.log.read_text()


def test_stop_lets_a_request_finish(image: str, trained_tree: Path, tmp_path: Path) -> None:
    """A request in flight at SIGTERM is answered, and the exit code is 0 all the same (S5)."""
    with serving(image, trained_tree, tmp_path / "log") as container, ThreadPoolExecutor(1) as pool:
        server = container.server()
        with begin_request(server) as connection:
            stopping = pool.submit(container.stop)
            wait_until(lambda: container.says("Handling signal: term"), container.process)
            connection.sendall(PAYLOAD)
            response = HTTPResponse(connection)
            response.begin()
            body = response.read()

        assert response.status == 200
        assert len(body.splitlines()) == len(PAYLOAD.splitlines())
        assert stopping.result() == 0


def test_killed_worker_is_replaced(image: str, trained_tree: Path, tmp_path: Path) -> None:
    """When the kernel kills a worker another takes its place, and process 1 goes on (S6)."""
    with serving(image, trained_tree, tmp_path / "log", "--env", "MODEL_SERVER_WORKERS=2") as container:
        server = container.server()
        wait_until(lambda: len(container.workers()) == 2, container.process)  # one answers before the other is there
        before = container.workers()
        victim = min(before)
        container.python(f"import os; os.kill({victim}, 9)")
        wait_until(lambda: len(container.workers() - before) == 1, container.process)

        assert victim not in container.workers()
        assert server.invoke(PAYLOAD).status == 200


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param({}, "there is no /opt/ml/model/bundle.json", id="missing"),
        pytest.param({"bundle.json": "{"}, "/opt/ml/model/bundle.json is damaged", id="damaged"),
        pytest.param({"bundle.json": '{"format_version": 99}'}, "has format version 99", id="too new"),
    ],
)
def test_unusable_model_ends_the_server_with_one_line(
    image: str, tmp_path: Path, content: dict[str, str], complaint: str
) -> None:
    """A model that cannot be served ends `serve` with exit code 1 within seconds and one clear line (S6, S12)."""
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    began = time.monotonic()
    finished = run("--volume", f"{tmp_path}:/opt/ml/model:ro", image, "serve")

    assert time.monotonic() - began < 20
    assert finished.returncode == 1
    assert [line for line in finished.stderr.splitlines() if complaint in line] == finished.stderr.splitlines()


def test_one_cpu_gives_one_worker(image: str, trained_tree: Path, tmp_path: Path) -> None:
    """The workers are as many as the cores of the container, not of the machine (S57)."""
    with serving(image, trained_tree, tmp_path / "log", "--cpus", "1") as container:
        container.server()

        assert len(container.workers()) == 1


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="this machine has one core")
def test_two_cpus_give_two_workers(image: str, trained_tree: Path, tmp_path: Path) -> None:
    """Where there are more cores, there are more workers (S57)."""
    with serving(image, trained_tree, tmp_path / "log", "--cpus", "2") as container:
        container.server()

        assert len(container.workers()) == 2


def test_health_checks_leave_no_line_in_the_log(image: str, trained_tree: Path, tmp_path: Path) -> None:
    """/ping is called for ever and logs nothing (S18)."""
    with serving(image, trained_tree, tmp_path / "log", "--env", "MODEL_SERVER_WORKERS=1") as container:
        server = container.server()
        before = docker("logs", container.name).stderr
        for _ in range(5):
            server.call("GET", "/ping")

        assert docker("logs", container.name).stderr == before
