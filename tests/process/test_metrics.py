import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from tests.processes import ROOT, Server, serving, wait_until

LINES = [
    line.rsplit(",", 1)[0]
    for line in (ROOT / "test_dir/input/data/train/transactions.csv").read_text().splitlines()[1:]
]
THREE_ROWS = "\n".join(LINES[:3]).encode()

type Figures = dict[tuple[str, ...], float]


@pytest.fixture
def server(trained: Path, tmp_path: Path) -> Iterator[Server]:
    with serving(trained, tmp_path / "log", MODEL_SERVER_WORKERS="3") as running:
        wait_until(lambda: len(running.workers()) == 3, running.process)
        yield running


def ask(server: Server, count: int) -> int:
    """Send requests of three rows from several threads; return how many were answered."""

    def once(_: int) -> bool:
        try:
            return server.invoke(THREE_ROWS).status == 200
        except OSError:
            return False

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(once, range(count)))


def totals(figures: Figures) -> Figures:
    """Return what only grows."""
    grows = ("_total", "_bucket", "_count", "_sum")
    return {name: value for name, value in figures.items() if name[0].endswith(grows)}


def is_grown(after: Figures, before: Figures) -> bool:
    return before.keys() == after.keys() and all(after[name] >= value for name, value in before.items())


def test_every_worker_tells_of_all(server: Server) -> None:
    """Whichever of three workers is scraped, it tells what all of them have answered (S68)."""
    assert ask(server, 200) == 200
    server.invoke(b"1,2")

    scrapes = [totals(server.figures()) for _ in range(20)]

    assert all(scrape == scrapes[0] for scrape in scrapes)
    assert scrapes[0]["fraud_requests_total", "200"] == 200
    assert scrapes[0]["fraud_requests_total", "400"] == 1
    assert scrapes[0]["fraud_refused_total", "ROW_WIDTH_INVALID"] == 1
    assert scrapes[0]["fraud_rows_total",] == scrapes[0]["fraud_probability_count",] == 600
    assert server.figures()["fraud_drift_rows",] == 600


def test_what_a_dead_worker_counted_stays(server: Server) -> None:
    """When workers are killed one after another every total only grows, and none is lost (S68)."""
    answered = ask(server, 60)
    scrapes = [totals(server.figures())]

    for _ in range(3):
        before = server.workers()
        os.kill(before[0], signal.SIGKILL)
        wait_until(
            lambda before=before: len(server.workers()) == 3 and before[0] not in server.workers(), server.process
        )
        scrapes.append(totals(server.figures()))
        answered += ask(server, 20)
        scrapes.append(totals(server.figures()))

    assert all(is_grown(after, before) for before, after in pairwise(scrapes))
    assert answered <= scrapes[-1]["fraud_requests_total", "200"] <= 120
    assert server.figures()["fraud_drift_rows",] == scrapes[-1]["fraud_rows_total",]


def test_a_reload_keeps_the_totals(server: Server) -> None:
    """After SIGHUP new workers go on from what the old ones counted, and measure drift on what they see."""
    ask(server, 30)
    before, workers = server.figures(), set(server.workers())

    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not workers & set(server.workers()), server.process)
    wait_until(lambda: server.figures()["fraud_drift_rows",] == 0, server.process)
    ask(server, 30)

    after = server.figures()
    assert is_grown(totals(after), totals(before))
    assert (before["fraud_rows_total",], after["fraud_rows_total",]) == (90, 180)
    assert (before["fraud_drift_rows",], after["fraud_drift_rows",]) == (90, 90)


def test_drift_is_of_all_workers(server: Server) -> None:
    """Rows whose amounts have moved, spread over the workers, move the index of that column alone (S68)."""
    moved = [line.rsplit(",", 1) for line in LINES[::4]]
    calm_bodies = ["\n".join(LINES[start::30]).encode() for start in range(30)]
    moved_bodies = [
        "\n".join(f"{rest},{float(amount) * 50 + 999}" for rest, amount in moved[start::30]).encode()
        for start in range(30)
    ]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(server.invoke, calm_bodies))
        calm = server.figures()
        list(pool.map(server.invoke, moved_bodies))
        after = server.figures()

    features = [name[1] for name in calm if name[0] == "fraud_feature_psi"]
    assert 3000 <= calm["fraud_drift_rows",] <= 6000
    assert all(calm["fraud_feature_psi", name] < 0.05 for name in features)
    assert after["fraud_feature_psi", "Amount"] > 0.25
    assert all(after["fraud_feature_psi", name] < 0.1 for name in features if name != "Amount")


def test_it_is_as_long_under_load(server: Server) -> None:
    """Scraped while requests of many kinds come, it has as many lines each time, and takes far less than a second."""
    server.invoke(THREE_ROWS)
    lengths, took = set(), []
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(server.invoke, THREE_ROWS + b"," * (number % 3), X_Own=str(number)) for number in range(300)
        ]
        while not all(answer.done() for answer in asked):
            started = time.monotonic()
            lengths.add(server.call("GET", "/metrics").body.count(b"\n"))
            took.append(time.monotonic() - started)

    assert len(lengths) == 1
    assert max(took) < 1
