"""Train on the sample data, serve the model, score a few rows, and show what came out; leaves nothing running."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).parents[1]
BASE = ROOT / "build" / "demo"
START_SECONDS = 60
SHOWN = 3


def main() -> None:
    shutil.rmtree(BASE, ignore_errors=True)
    shutil.copytree(ROOT / "test_dir" / "input", BASE / "input")
    step("train on test_dir's sample rows (6,000 card payments, 90 of them frauds)")
    _train()
    step("start the server and wait until /ping answers 200")
    with _serving() as port:
        payloads = ROOT / "local_test"
        step("score fifteen rows as CSV, ten of them frauds: one probability a line")
        print(_invoke(port, (payloads / "payload.csv").read_bytes(), "text/csv"))
        step("the first rows as JSON: probability and label")
        answer = _invoke(port, (payloads / "payload.json").read_bytes(), "application/json")
        print(*answer.split("},")[:SHOWN], "...", sep="},\n ")
        step("the same rows with the decision and its two strongest reasons, in log-odds")
        print(
            _invoke(
                port,
                (payloads / "payload.csv").read_bytes(),
                "text/csv",
                "output=probability,decision,reasons;reasons=2",
            )
        )
        step("a row with a word where a number belongs: refused with the reason")
        row = (payloads / "payload.csv").read_text().splitlines()[0].rsplit(",", 1)[0]
        print(_invoke(port, f"{row},twelve\n".encode(), "text/csv"))
        step("stop the server")
    report = json.loads((BASE / "output/data/report.json").read_text())
    found = report["figures"][report["measured_on"]]["average_precision"]
    print(f"\nmodel {report['model_id']}: average precision {found['value']:.3f}", end=" ")
    print(f"(95 % interval {found['low']:.3f} to {found['high']:.3f}) on rows it never saw")
    print(f"the report for a browser: {(BASE / 'output/data/report.html').relative_to(ROOT)}")


def step(text: str) -> None:
    print(f"\n==> {text}", flush=True)


def _train() -> None:
    told = {**os.environ, "SAGEMAKER_BASE_DIR": str(BASE)}
    finished = subprocess.run([_program("train")], env=told, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        sys.exit("training failed; the lines above say why")
    lines = finished.stdout.splitlines()
    print(f"{len(lines)} metric lines, the last of them:", *lines[-9:], sep="\n  ")


@contextmanager
def _serving() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    told = {**os.environ, "SAGEMAKER_BASE_DIR": str(BASE), "SAGEMAKER_BIND_TO_PORT": str(port)}
    log = BASE / "serve.log"
    with log.open("w") as output:
        server = subprocess.Popen([_program("serve")], env=told, stdout=output, stderr=output)
    try:
        _wait(port, server, log)
        yield port
    finally:
        server.terminate()
        server.wait()


def _wait(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if _call(port, "GET", "/ping")[0] == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.1)
    sys.exit(f"the server did not start:\n{log.read_text()}")


def _invoke(port: int, body: bytes, content_type: str, asked: str = "") -> str:
    headers = {"Content-Type": content_type, "X-Amzn-SageMaker-Custom-Attributes": asked}
    status, answer = _call(port, "POST", "/invocations", body, headers)
    return f"{status} {answer}".strip() if status != 200 else answer.strip()


def _call(
    port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.read().decode()
    connection.close()
    return response.status, answer


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


if __name__ == "__main__":
    main()
