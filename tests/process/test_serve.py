import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.processes import ROOT, Server, environment, is_up, program, serving, wait_until

PAYLOADS = ROOT / "local_test"
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture(scope="module")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("serve") / "log"
    with serving(trained, log, MODEL_SERVER_WORKERS="1") as running:
        yield running


def many_rows(count: int) -> bytes:
    """Return a CSV body that takes a worker a while."""
    lines = (PAYLOADS / "payload.csv").read_bytes().splitlines(keepends=True)
    return b"".join(islice(cycle(lines), count))


def test_answers_in_the_formats_that_clients_send(server: Server) -> None:
    """The sample payloads score, one record a row, and every format says the same (S31, S35-S38)."""
    lines = server.invoke((PAYLOADS / "payload.csv").read_bytes())
    document = server.invoke((PAYLOADS / "payload.json").read_bytes(), "application/json")
    records = server.invoke((PAYLOADS / "payload.jsonl").read_bytes(), "application/jsonlines")

    probabilities = [float(line) for line in lines.body.decode().splitlines()]
    assert [lines.status, document.status, records.status] == [200, 200, 200]
    assert lines.headers["Content-Type"] == "text/csv"
    assert len(probabilities) == 15
    assert [found["probability"] for found in json.loads(document.body)["predictions"]] == probabilities
    assert [json.loads(line)["probability"] for line in records.body.splitlines()] == probabilities


def test_names_the_model_in_every_answer(server: Server, trained: Path) -> None:
    """Health checks, scores and refusals carry the model id in the header that reaches the caller (S28, S64)."""
    card = json.loads((trained / "model/bundle.json").read_text())
    identity = (
        f"model_id={card['model_id']};threshold={card['threshold']['value']:.6g};"
        f"decline_threshold={card['decline']['value']:.6g}"
    )

    answers = [server.call("GET", "/ping"), server.invoke(b"1,2\n"), server.call("GET", "/nothing")]

    assert {answer.headers[ATTRIBUTES] for answer in answers} == {identity}


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
    assert len(answer.read().splitlines()) == 15
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
        wait_until(lambda: len(server.workers()) == 2, server.process)
        first = server.workers()

        os.kill(first[0], signal.SIGKILL)

        wait_until(lambda: len(set(server.workers()) - set(first)) == 1, server.process)
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


def logged(text: str) -> list[dict[str, object]]:
    """Return the lines of a log, each of which is a JSON object."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    return lines


def test_thresholds_in_the_wrong_order_end_in_one_line(trained: Path) -> None:
    """Rows that would be declined before they are reviewed: `serve` says so, ends with code 1 and serves nothing."""
    told = environment(trained, FRAUD_REVIEW_THRESHOLD="0.8", FRAUD_DECLINE_THRESHOLD="0.3")
    finished = subprocess.run([program("serve")], env=told, capture_output=True, text=True, timeout=60, check=False)

    [line] = logged(finished.stderr)
    assert finished.returncode == 1
    assert "SETTING_INVALID" in str(line["message"])
    assert "FRAUD_DECLINE_THRESHOLD should be no lower" in str(line["message"])


def test_thresholds_are_those_of_the_environment(trained: Path, tmp_path: Path) -> None:
    """FRAUD_REVIEW_THRESHOLD and FRAUD_DECLINE_THRESHOLD decide in place of the model's own, and are told."""
    settings = {"FRAUD_REVIEW_THRESHOLD": "0", "FRAUD_DECLINE_THRESHOLD": "1"}
    with serving(trained, tmp_path / "log", MODEL_SERVER_WORKERS="1", **settings) as server:
        answer = server.invoke(many_rows(5), **{ATTRIBUTES.replace("-", "_"): "output=decision"})

    assert answer.body.split() == [b"review"] * 5
    assert ";threshold=0;decline_threshold=1;" in answer.headers[ATTRIBUTES]


def test_a_request_is_one_line_of_the_log(server: Server) -> None:
    """A request that came with an id has one line with it, its status, rows and seconds, and no cell (S27)."""
    before = len(server.log.read_text().splitlines())
    for body in (many_rows(5), many_rows(5) + b"4111111111111111"):
        answer = server.invoke(body, X_Amzn_SageMaker_Inference_Id=f"id-{len(body)}")
        assert answer.headers["X-Amzn-SageMaker-Inference-Id"] == f"id-{len(body)}"
        assert answer.headers[ATTRIBUTES].endswith(f";inference_id=id-{len(body)}")

    written = server.log.read_text()
    lines = logged(written)[before:]
    assert [(line["message"], line["status"], line["rows"]) for line in lines] == [
        ("request", 200, 5),
        ("request", 400, 0),
    ]
    assert all(isinstance(line["seconds"], float) and 0 < line["seconds"] < 30 for line in lines)
    assert "4111" not in written
    assert "33.28" not in written


BROKEN = [
    pytest.param(b"68,0.3891,4111111111111111\r\n\r\n", b"400", id="no HTTP"),
    pytest.param(b"GET / HTTP/9.9\r\n\r\n", b"400", id="a version to come"),
    pytest.param(b"GET / HTTP/1.1\r\n4111111111111111 : x\r\n\r\n", b"400", id="a bad header"),
    pytest.param(b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n", b"414", id="a long line"),
    pytest.param(b"POST /invocations HTTP/1.1\r\nContent-Length: 4111111111111111\r\n\r\n", b"413", id="a length"),
    pytest.param(b"POST /invocations HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"400", id="a negative length"),
    pytest.param(
        b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4111x\r\n", b"400", id="a bad chunk"
    ),
    pytest.param(
        b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n4111", b"400", id="a long chunk"
    ),
    pytest.param(b"POST /invocations HTTP/1.1\r\nContent-Length: 99\r\n\r\n4111111111111111", b"400", id="a cut body"),
    pytest.param(
        b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n4111", b"400", id="a cut chunk"
    ),
]


@pytest.mark.parametrize(("sent", "status"), BROKEN)
def test_what_is_no_request_is_refused(server: Server, sent: bytes, status: bytes) -> None:
    """Bytes that are no whole request are their sender's to mend: no 500, no score of a part, nothing logged (S30)."""
    with server.connect(sent) as client:
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))

    assert answer.split(b" ", 2)[1] == status
    assert server.figures()["fraud_requests_total", "500"] == 0
    assert "4111" not in server.log.read_text()
    assert not [line for line in logged(server.log.read_text()) if line["level"] == "ERROR"]


@pytest.fixture(scope="module")
def limited(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("limited") / "log"
    with serving(trained, log, MODEL_SERVER_WORKERS="1", SAGEMAKER_MAX_PAYLOAD_IN_MB="1") as running:
        yield running


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("accept", ["*/*", "image/png"])
def test_who_is_refused_is_told_so(limited: Server, accept: str, *, is_chunked: bool) -> None:
    """A client that is still sending megabytes when it is refused gets the answer, and may ask again (S19, S20)."""
    body = many_rows(100_000)
    connection = http.client.HTTPConnection("127.0.0.1", limited.port, timeout=30)
    pieces = iter([body[start : start + 100_000] for start in range(0, len(body), 100_000)])
    headers = {"Content-Type": "text/csv", "Accept": accept}

    connection.request("POST", "/invocations", pieces if is_chunked else body, headers, encode_chunked=is_chunked)
    refused = connection.getresponse()
    message = json.loads(refused.read())["error"]["message"]
    connection.request("POST", "/invocations", many_rows(5), {"Content-Type": "text/csv"})
    following = connection.getresponse()
    connection.close()

    assert len(body) > 10 * 1024**2
    assert refused.status == (413 if accept == "*/*" else 406)
    assert accept != "*/*" or message == "the body is larger than 1048576 bytes; send fewer rows at a time"
    assert following.status == 200


def test_needs_no_directory_of_its_own(trained: Path, tmp_path: Path) -> None:
    """In a working directory where nobody may write it serves, and leaves no file but in the temporary one (S60)."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    before = sorted(trained.rglob("*"))
    settings = {"MODEL_SERVER_WORKERS": "2", "TMPDIR": str(temporary)}
    with contextlib.chdir("/proc"), serving(trained, tmp_path / "log", **settings) as server:
        answer = server.invoke(many_rows(5))

    assert answer.status == 200
    assert sorted(trained.rglob("*")) == before
    assert list(temporary.iterdir()) == []
