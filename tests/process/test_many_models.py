import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes import ROOT, SECONDS, Server, serving

PAYLOADS = ROOT / "local_test"
ROWS = (PAYLOADS / "payload.csv").read_bytes()
MEGABYTE = 1024**2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of many models that was asked for two workers, over a tree without a model."""
    base = tmp_path_factory.mktemp("many")
    with serving(base, base / "log", SAGEMAKER_MULTI_MODEL="true", MODEL_SERVER_WORKERS="2") as running:
        yield running


def load(server: Server, name: str, model: Path) -> int:
    return server.call("POST", "/models", json.dumps({"model_name": name, "url": str(model)}).encode()).status


def invoke(server: Server, name: str, body: bytes = ROWS, content_type: str = "text/csv") -> tuple[int, int]:
    """Return the status, and how many lines came."""
    answer = server.call("POST", f"/models/{name}/invoke", body, Content_Type=content_type)
    return answer.status, answer.body.count(b"\n")


def listed(server: Server) -> list[str]:
    return [model["modelName"] for model in json.loads(server.call("GET", "/models").body)["models"]]


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def test_there_is_one_process(server: Server, trained: Path) -> None:
    """Though two workers were asked for one answers, so that each request finds what was loaded (S51, S54)."""
    assert len(server.workers()) == 1
    assert listed(server) == []
    assert load(server, "one", trained / "model") == 200

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: invoke(server, "one"), range(80)))

    assert set(found) == {(200, 15)}
    assert server.call("DELETE", "/models/one").status == 200


def test_memory_of_many_models_comes_back(server: Server, trained: Path) -> None:
    """Sixty models at once take memory, which most of is given back when they are unloaded (S53)."""
    [worker] = server.workers()
    before = resident_bytes(worker)
    for number in range(60):
        assert load(server, f"m{number}", trained / "model") == 200
        assert invoke(server, f"m{number}") == (200, 15)
    loaded = resident_bytes(worker)

    for number in range(60):
        server.call("DELETE", f"/models/m{number}")

    assert loaded - before > 4 * MEGABYTE
    assert resident_bytes(worker) - before < (loaded - before) / 2


def test_models_are_unloaded_while_they_score(server: Server, trained: Path) -> None:
    """Requests that run while their model comes and goes are answered whole, or told that it is not there."""
    body = ROWS * 1500
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(invoke, server, "busy", body) for _ in range(24)]
        while not all(answer.done() for answer in asked):
            assert load(server, "busy", trained / "model") == 200
            assert server.call("DELETE", "/models/busy").status == 200

    found = {answer.result() for answer in asked}
    assert found <= {(200, 22_500), (404, 0), (503, 0)}
    assert server.figures()["fraud_requests_total", "500"] == 0


def test_a_bad_bundle_harms_no_other(server: Server, trained: Path, tmp_path: Path) -> None:
    """A model that cannot be loaded is refused with 400, and those that are loaded answer on (S12, S52)."""
    bad = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    (bad / "booster.ubj").write_bytes((bad / "booster.ubj").read_bytes()[:-1])
    assert load(server, "good", trained / "model") == 200

    statuses = [load(server, "bad", bad), load(server, "bad", tmp_path / "none"), load(server, "good", bad)]

    assert statuses == [400, 400, 409]
    assert listed(server) == ["good"]
    assert invoke(server, "good") == (200, 15)
    assert server.call("GET", "/ping").status == 200
    server.call("DELETE", "/models/good")


def test_a_dead_worker_ends_the_server(trained: Path, tmp_path: Path) -> None:
    """With the worker the models are gone: the server ends with code 1, and the platform loads them again (S6)."""
    with serving(trained, tmp_path / "log", SAGEMAKER_MULTI_MODEL="true") as running:
        assert load(running, "m", trained / "model") == 200
        os.kill(running.workers()[0], signal.SIGKILL)

        assert running.process.wait(SECONDS) == 1
        assert "the worker that held the models died" in (tmp_path / "log").read_text()


def test_it_ends_as_any_other_server(trained: Path, tmp_path: Path) -> None:
    """SIGTERM ends a server of many models with code 0 (S5)."""
    with serving(trained, tmp_path / "log", SAGEMAKER_MULTI_MODEL="true") as running:
        running.process.terminate()

        assert running.process.wait(SECONDS) == 0


def test_slow_loads_hold_up_nobody(trained: Path, tmp_path: Path) -> None:
    """Clients that ask for a model and send half of it leave /ping its thread (S15)."""
    half = b"POST /models HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n{"
    with serving(trained, tmp_path / "log", SAGEMAKER_MULTI_MODEL="true") as running, ExitStack() as stack:
        for _ in range(200):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=SECONDS))
            client.sendall(half)

        assert running.call("GET", "/ping").status == 200
        assert load(running, "m", trained / "model") in (200, 503)
