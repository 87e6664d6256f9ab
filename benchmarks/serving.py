"""Latency of one row and throughput of 10,000 rows over HTTP with keep-alive, against a bare Flask application.

Both run under gunicorn with the same settings, one worker each, and take turns in the same run. The model has 200
trees of depth 6. `python benchmarks/serving.py [--requests N] [--bodies N]`.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from fraud import settings
from fraud.serving.server import arguments
from fraud.settings import ServingSettings
from make_rows import make_rows, write_csv

TURNS = 20
ROWS = 10_000
FEATURES = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000, help="of one row, to each server")
    parser.add_argument("--bodies", type=int, default=40, help="of 10,000 rows")
    parser.add_argument("--directory", type=Path, default=Path("build/benchmark/serving"))
    told = parser.parse_args()
    base, body = _trained(told.directory), _body()
    one = body.split(b"\n", 1)[0] + b"\n"
    with _server("fraud.serving.server:load()", base) as ours, _server("bare:app", base) as bare:
        mine, floor = _take_turns([ours, bare], one, told.requests)
        print(f"one CSV row: p50 {_ms(mine, 50)}, p99 {_ms(mine, 99)}")
        print(f"bare Flask:  p50 {_ms(floor, 50)}, p99 {_ms(floor, 99)}")
        print(f"one CSV row: {statistics.median(mine) / statistics.median(floor):.2f} x bare Flask at p50")
        seconds = [_time(ours, body, "text/csv") for _ in range(told.bodies)]
        print(f"10,000 CSV rows in one body, one worker: {_rows_per_second(seconds)}")
        lines = [b"[" + line + b"]" for line in body.splitlines()]
        seconds = [_time(ours, b"\n".join(lines), "application/jsonlines") for _ in range(told.bodies)]
        print(f"10,000 JSON Lines in one body, one worker: {_rows_per_second(seconds)}")


def _trained(directory: Path) -> Path:
    """Return a tree with a model of 200 trees of depth 6, trained by the real job where it is not there yet."""
    if not (directory / "model" / "bundle.json").exists():
        shutil.rmtree(directory, ignore_errors=True)
        (directory / "input" / "config").mkdir(parents=True)
        (directory / "input" / "data" / "train").mkdir(parents=True)
        parameters = {"num_round": "200", "max_depth": "6", "resampling": "none"}
        (directory / "input" / "config" / "hyperparameters.json").write_text(json.dumps(parameters))
        write_csv(make_rows(60_000, 0.01, seed=0), directory / "input" / "data" / "train" / "rows.csv", decimals=None)
        told = {**os.environ, "SAGEMAKER_BASE_DIR": str(directory)}
        subprocess.run([str(Path(sys.executable).with_name("train"))], env=told, check=True, capture_output=True)
    return directory


def _body() -> bytes:
    frame = make_rows(ROWS, 0.01, seed=1).drop(columns="Class")
    return frame.to_csv(index=False, header=False).encode()


@contextmanager
def _server(application: str, base: Path) -> Iterator[HTTPConnection]:
    """Run an application under the gunicorn settings of `serve`, and connect once it listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    os.environ.update(SAGEMAKER_BIND_TO_PORT=str(port), MODEL_SERVER_WORKERS="1", SAGEMAKER_BASE_DIR=str(base))
    flags = arguments(settings.read(ServingSettings))[:-1]
    told = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen([sys.executable, *flags, application], env=told, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{application} did not start")
                time.sleep(0.1)
        yield HTTPConnection("127.0.0.1", port, timeout=60)
    finally:
        process.terminate()
        process.wait()


def _take_turns(servers: list[HTTPConnection], body: bytes, requests: int) -> list[list[float]]:
    """Time requests to each server, in turns, so that a busy moment of the machine falls on both."""
    for server in servers:
        for _ in range(200):
            _time(server, body, "text/csv")
    times: list[list[float]] = [[] for _ in servers]
    for _ in range(TURNS):
        for server, taken in zip(servers, times, strict=True):
            taken.extend(_time(server, body, "text/csv") for _ in range(requests // TURNS))
    return times


def _time(server: HTTPConnection, body: bytes, content_type: str) -> float:
    started = time.perf_counter()
    server.request("POST", "/invocations", body, {"Content-Type": content_type})
    answer = server.getresponse()
    read = answer.read()
    taken = time.perf_counter() - started
    if answer.status != 200:
        sys.exit(f"{answer.status}: {read.decode()}")
    return taken


def _ms(times: list[float], percentile: int) -> str:
    return f"{statistics.quantiles(times, n=100)[percentile - 1] * 1000:.2f} ms"


def _rows_per_second(seconds: list[float]) -> str:
    return f"{ROWS / statistics.median(seconds):,.0f} rows/s at p50, {ROWS / min(seconds):,.0f} at best"


if __name__ == "__main__":
    main()
