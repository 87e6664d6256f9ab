import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.processes import ROOT, Server, environment, is_up, program, serving, wait_until

PAYLOADS = ROOT / "local_test"


@pytest.fixture(scope="module")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("serve") / "log"
    with serving(trained, log, MODEL_SERVER_WORKERS="1") as running:
        yield running


def many_rows(count: int) -> bytes:
    """Return a CSV body that takes a worker a while."""
    return b"".join((PAYLOADS / "payload.csv").read_bytes() for _ in range(count // 5))


def worker_pids(server: Server) -> list[int]:
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def test_answers_in_the_formats_that_clients_send(server: Server) -> None:
    """The sample payloads score, one record a row, and every format says the same (S31, S35-S38)."""
    lines = server.invoke((PAYLOADS / "payload.csv").read_bytes())
    document = server.invoke((PAYLOADS / "payload.json").read_bytes(), "application/json")
    records = server.invoke((PAYLOADS / "payload.jsonl").read_bytes(), "application/jsonlines")

    probabilities = [float(line) for line in lines.body.decode().splitlines()]
    assert [lines.status, document.status, records.status] == [200, 200, 200]
    assert lines.headers["Content-Type"] == "text/csv"
    assert len(probabilities) == 5
    assert [found["probability"] for found in json.loads(document.body)["predictions"]] == probabilities
    assert [json.loads(line)["probability"] for line in records.body.splitlines()] == probabilities


def test_names_the_model_in_every_answer(server: Server, trained: Path) -> None:
    """Health checks, scores and refusals carry the model id in the header that reaches the caller (S28, S64)."""
    model_id = json.loads((trained / "model/bundle.json").read_text())["model_id"]

    answers = [server.call("GET", "/ping"), server.invoke(b"1,2\n"), server.call("GET", "/nothing")]

    assert {answer.headers["X-Amzn-SageMaker-Custom-Attributes"] for answer in answers} == {f"model_id={model_id}"}


def test_ping_logs_nothing(server: Server) -> None:
    """Health checks leave no line in the log (S18)."""
    before = server.log.read_text()

    for _ in range(20):
        server.call("GET", "/ping")

    assert server.log.read_text() == before


def test_reads_a_chunked_body(server: Server) -> None:
    """A body without a length is read to its end (S20)."""
    body = (PAYLOADS / "payload.csv").read_bytes()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    connection.request("POST", "/invocations", iter([body[:100], body[100:]]), {"Content-Type": "text/csv"})
    answer = connection.getresponse()

    assert answer.status == 200
    assert len(answer.read().splitlines()) == 5
    connection.close()


def test_ping_answers_while_every_worker_is_busy(server: Server) -> None:
    """Ten large bodies at once leave /ping its 2 seconds (S4, S15), and each is scored or turned away."""
    body = many_rows(20_000)

    with ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(server.invoke, body) for _ in range(40)]
        slowest = 0.0
        while not all(answer.done() for answer in answers):
            started = time.monotonic()
            assert server.call("GET", "/ping").status == 200
            slowest = max(slowest, time.monotonic() - started)

    statuses = {answer.result().status for answer in answers}
    assert slowest < 2
    assert 200 in statuses
    assert statuses <= {200, 503}


def test_a_killed_worker_is_replaced(trained: Path, tmp_path: Path) -> None:
    """After SIGKILL of one worker the others answer, and another takes its place (S6)."""
    with serving(trained, tmp_path / "log", MODEL_SERVER_WORKERS="2") as server:
        wait_until(lambda: len(worker_pids(server)) == 2, server.process)
        first = worker_pids(server)

        os.kill(first[0], signal.SIGKILL)

        wait_until(lambda: len(set(worker_pids(server)) - set(first)) == 1, server.process)
        wait_until(lambda: is_up(server), server.process)
        assert server.invoke((PAYLOADS / "payload.csv").read_bytes()).status == 200


def test_sigterm_finishes_what_is_in_flight(trained: Path, tmp_path: Path) -> None:
    """SIGTERM during a request: it is answered in full, and the server exits 0 within its 30 seconds (S5)."""
    with serving(trained, tmp_path / "log", MODEL_SERVER_WORKERS="1") as server:
        sent = threading.Event()
        body = many_rows(50_000)

        def parts() -> Iterator[bytes]:
            yield body[: len(body) // 2]
            sent.set()
            wait_until(lambda: "Handling signal: term" in server.log.read_text(), server.process)
            yield body[len(body) // 2 :]

        def ask() -> tuple[int, int]:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request("POST", "/invocations", parts(), {"Content-Type": "text/csv"}, encode_chunked=True)
            answer = connection.getresponse()
            lines = len(answer.read().splitlines())
            connection.close()
            return answer.status, lines

        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(ask)
            assert sent.wait(30)
            server.process.terminate()
            code = server.process.wait(30)

        assert answer.result() == (200, 50_000)
        assert code == 0


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param("missing", "there is no", id="no model"),
        pytest.param("truncated", "damaged", id="truncated"),
        pytest.param("swapped", "damaged", id="trees of another model"),
        pytest.param("newer", "format version 99", id="another format"),
    ],
)
def test_a_bad_model_ends_in_one_line(trained: Path, tmp_path: Path, damage: str, words: str) -> None:
    """A missing, damaged or newer model stops `serve` within seconds, with one clear line and code 1 (S12)."""
    model = tmp_path / "model"
    if damage != "missing":
        shutil.copytree(trained / "model", model)
    if damage == "truncated":
        (model / "bundle.json").write_bytes((model / "bundle.json").read_bytes()[:1000])
    if damage == "swapped":
        (model / "booster.ubj").write_bytes(b"{}")
    if damage == "newer":
        (model / "bundle.json").write_text('{"format_version": 99}')

    finished = subprocess.run(
        [program("serve")], env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=False
    )

    problems = [line for line in finished.stderr.splitlines() if not line.startswith("[")]
    assert finished.returncode == 1
    assert len(problems) == 1, finished.stderr
    assert words in problems[0]


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        pytest.param(
            [], {"MODEL_SERVER_WORKERS": "many", "SAGEMAKER_BIND_TO_PORT": "x"}, "BIND_TO_PORT", id="settings"
        ),
        pytest.param(["now"], {}, "takes no arguments", id="an argument (S8)"),
    ],
)
def test_a_wrong_setting_ends_in_one_line(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], words: str
) -> None:
    """Wrong settings are named, all in one line, and nothing starts."""
    finished = subprocess.run(
        [program("serve"), *arguments],
        env=environment(tmp_path, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert finished.returncode == 1
    assert words in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
