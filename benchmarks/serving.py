"""Latency, throughput, start and memory of `serve` beside a bare Flask application, a tutorial's handler and MLflow.

Each has one worker and may use every core; all run at once and take turns, so that a busy moment of the machine falls
on all. `python benchmarks/serving.py [--requests N] [--bodies N] [--starts N]` prints a table for docs/04; after
`taskset -c 0`, of one core.
"""

import argparse
import os
import platform
import re
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from benchmarks import mlflow_peer, sample
from benchmarks.servers import BARE, OURS, Running, Server, running, servers

TURNS = 20
WARMING_REQUESTS = 200
CSV = {"Content-Type": "text/csv"}
JSON_LINES = {"Content-Type": "application/jsonlines"}
REASONS = {**CSV, "X-Amzn-SageMaker-Custom-Attributes": "output=probability,reasons;reasons=3"}

type Turns = list[list[float]]
type Line = tuple[str, dict[str, str]]


@dataclass(frozen=True)
class Case:
    """A request that is timed; `peers` are those that it is sent to, all where there are none."""

    name: str
    body: bytes
    rows: int = 1
    headers: dict[str, str] = field(default_factory=lambda: CSV)
    peers: tuple[str, ...] = ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000, help="of one row, to each server")
    parser.add_argument("--bodies", type=int, default=200, help="of 10,000 rows, to each server")
    parser.add_argument("--starts", type=int, default=7, help="of each server")
    parser.add_argument("--directory", type=Path, default=Path("build/benchmark/serving"))
    told = parser.parse_args()
    sample.train(told.directory)
    names, rows = sample.csv_lines()
    compared = servers(told.directory, names)
    table: list[Line] = []
    with ExitStack() as stack:
        alive = [stack.enter_context(running(server, told.directory)) for server in compared]
        memory = {each.server.name: f"{_warm(each, rows):.0f} MB" for each in alive}
        for case in _cases(rows):
            table += _lines(case, _take_turns(case, alive, told.requests if case.rows == 1 else told.bodies))
        has_reasons = _has_reasons(alive[0], names, rows)
    table.append(_starts(compared, told.starts, told.directory))
    table.append(("private memory of the worker", memory))
    _print(table, [server.name for server in compared])
    _print_notes(has_reasons=has_reasons)


def _cases(rows: bytes) -> list[Case]:
    one = sample.first_row(rows)
    json_lines = b"\n".join(b"[" + line + b"]" for line in rows.splitlines())
    return [
        Case("one CSV row", one),
        Case("one CSV row with three reasons", one, headers=REASONS, peers=(OURS, BARE)),
        Case("10,000 CSV rows in one body", rows, sample.ROWS),
        Case("10,000 JSON Lines in one body", json_lines, sample.ROWS, JSON_LINES, (OURS, BARE)),
    ]


def _warm(server: Running, rows: bytes) -> float:
    """Send 200 requests of one row and one of 10,000; return the memory that the worker then has."""
    names = server.server.names
    for _ in range(WARMING_REQUESTS):
        server.post(names + sample.first_row(rows), CSV)
    _, answer = server.post(names + rows, CSV)
    if server.server.name != BARE and len(re.findall(rb"\d\.\d|\de-\d", answer)) < sample.ROWS:
        sys.exit(f"{server.server.name} does not answer for every row: {answer[:200]!r}")
    return server.private_megabytes()


def _take_turns(case: Case, alive: Sequence[Running], count: int) -> dict[str, Turns]:
    """Time `count` requests to each server, a few at a time, in turns."""
    asked = [each for each in alive if not case.peers or each.server.name in case.peers]
    taken: dict[str, Turns] = {each.server.name: [] for each in asked}
    for _ in range(TURNS):
        for each in asked:
            body = each.server.names + case.body
            each.reconnect()
            times = [each.post(body, case.headers)[0] for _ in range(max(1, count // TURNS))]
            taken[each.server.name].append(times)
    return taken


def _lines(case: Case, taken: dict[str, Turns]) -> list[Line]:
    """Return rows/s at p50 for many rows; for one p50, and its ratio to bare Flask."""
    if case.rows > 1:
        return [
            (f"{case.name}, p50", {name: f"{case.rows / _p50(turns):,.0f} rows/s" for name, turns in taken.items()})
        ]
    times = {name: f"{_p50(turns) * 1000:.2f} ms" for name, turns in taken.items()}
    ratios = {name: _ratio(turns, taken[BARE]) for name, turns in taken.items()}
    return [(f"{case.name}, p50", times), (f"{case.name}, p50, ratio to bare Flask", ratios)]


def _p50(turns: Turns) -> float:
    return statistics.median(chain.from_iterable(turns))


def _ratio(turns: Turns, floor: Turns) -> str:
    """Return the ratio of the medians, and the quartiles of the ratio within each turn."""
    each = [statistics.median(times) / statistics.median(least) for times, least in zip(turns, floor, strict=True)]
    low, _, high = statistics.quantiles(each, n=4)
    return "1.00" if turns is floor else f"{_p50(turns) / _p50(floor):.2f} ({low:.2f} to {high:.2f})"


def _has_reasons(ours: Running, names: bytes, rows: bytes) -> bool:
    """Ask whether the answer to the request for three reasons names three columns."""
    _, answer = ours.post(sample.first_row(rows), REASONS)
    return len(set(re.findall(rb"\w+", answer)) & set(names.strip().split(b","))) == 3


def _starts(compared: Sequence[Server], count: int, logs: Path) -> Line:
    """Start each server alone, in turns; the first turn fills the file cache and is not counted."""
    seconds: dict[str, list[float]] = {server.name: [] for server in compared}
    for turn in range(count + 1):
        for server in compared:
            with running(server, logs) as alive:
                if turn:
                    seconds[server.name].append(alive.seconds_to_ping)
    medians = {name: f"{statistics.median(taken):.2f} s" for name, taken in seconds.items()}
    return f"start to the first 200 on /ping, median of {count}", medians


def _print(table: list[Line], names: list[str]) -> None:
    print("| " + " | ".join(["one worker, 200 trees of depth 6", *names]) + " |")
    print("| --- " * (len(names) + 1) + "|")
    for what, cells in table:
        print("| " + " | ".join([what, *(cells.get(name, "") for name in names)]) + " |")


def _print_notes(*, has_reasons: bool) -> None:
    cores = len(os.sched_getaffinity(0))
    peer = mlflow_peer.version()
    print(f"\n{cores} cores of {platform.machine()}, Python {platform.python_version()}, MLflow {peer or 'left out'}.")
    print(f"In brackets: the middle half of the ratios of {TURNS} turns. Memory: the pages of the worker that no other")
    print(
        "process shares, after 200 requests of one row and one of 10,000; MLflow's server is one process, all its own."
    )
    if not has_reasons:
        print("NO REASONS: `serve` ignored the request for three; that line times a plain row.")
    if peer is None:
        print("MLflow is left out as it is not installed; `make .venv/aws` installs it.")


if __name__ == "__main__":
    main()
