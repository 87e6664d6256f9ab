"""A batch job as the platform runs it: the file cut at line ends, mini-batches at once, the answers put together."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.processes import ROOT, Server, serving

TABLE = (ROOT / "test_dir/input/data/train/transactions.csv").read_text().splitlines()
HEADER = TABLE[0].rsplit(",", 1)[0].encode()
ROWS = [line.rsplit(",", 1)[0].encode() for line in TABLE[1:]]
MEGABYTE = 1024**2
BAD = (b"1,2", b"", b"a,word", b"\xff\xfe", b'"open', HEADER, b"\x00", b"1,2,3\r4", b"x" * 200_000, b"[1]")

type Write = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("batch") / "log"
    with serving(trained, log, SAGEMAKER_BATCH="True", MODEL_SERVER_WORKERS="2") as running:
        yield running


def transform(server: Server, lines: list[bytes], content_type: str, most_bytes: int, at_once: int) -> list[bytes]:
    """Send whole lines, as many at a time as fit, and return the lines of all answers in order (S44)."""
    batches: list[list[bytes]] = [[]]
    size = 0
    for line in lines:
        if batches[-1] and size + len(line) + 1 > most_bytes:
            batches.append([])
            size = 0
        batches[-1].append(line)
        size += len(line) + 1
    with ThreadPoolExecutor(at_once) as pool:
        answers = list(pool.map(lambda batch: server.invoke(b"\n".join(batch) + b"\n", content_type), batches))

    assert {answer.status for answer in answers} == {200}
    return b"".join(answer.body for answer in answers).split(b"\n")[:-1]


def spoilt(count: int, write: Write) -> tuple[list[bytes], set[int]]:
    """Return lines with ten bad ones among them, and where these are."""
    lines = [write(ROWS[number % len(ROWS)]) for number in range(count)]
    places = {(number * 2 + 1) * count // 20 for number in range(len(BAD))}
    for place, bad in zip(sorted(places), BAD, strict=True):
        lines[place] = bad
    return lines, places


@pytest.mark.parametrize(
    ("content_type", "write"),
    [
        pytest.param("text/csv", lambda row: row, id="CSV"),
        pytest.param("application/jsonlines", lambda row: b"[" + row + b"]", id="JSON Lines"),
    ],
)
def test_a_large_file_with_ten_bad_lines(server: Server, content_type: str, write: Write) -> None:
    """Of 100,000 lines, sent as the server advises, each has its own line of output, and ten are errors (S42-S46)."""
    parameters = json.loads(server.call("GET", "/execution-parameters").body)
    most_bytes, at_once = parameters["MaxPayloadInMB"] * MEGABYTE, parameters["MaxConcurrentTransforms"]
    lines, bad = spoilt(100_000, write)
    before = server.figures()["fraud_rows_total",]

    found = transform(server, lines, content_type, most_bytes, at_once)

    whole = transform(server, lines[:1] + lines[-1:], content_type, most_bytes, at_once)
    assert len(found) == 100_000
    assert {place for place, line in enumerate(found) if b"ERROR: " in line or b'"error"' in line} == bad
    assert [found[0], found[-1]] == whole
    assert server.figures()["fraud_rows_total",] - before == 99_992


def test_one_record_at_a_time(server: Server) -> None:
    """With SingleRecord each line is a request, and what comes back is the same (S44)."""
    lines = [line for line in spoilt(200, lambda row: row)[0] if line != HEADER]
    together = transform(server, lines, "text/csv", 6 * MEGABYTE, 1)

    assert transform(server, lines, "text/csv", 1, 4) == together


def test_a_header_is_in_the_first_mini_batch(server: Server) -> None:
    """Of a file with a header the first answer has one, the others none, and lines stand beside theirs (S45)."""
    plain = transform(server, ROWS[:3000], "text/csv", 100_000, 4)

    found = transform(server, [HEADER, *ROWS[:3000]], "text/csv", 100_000, 4)

    assert found == [b"probability", *plain]


def test_a_file_of_nothing_but_errors(server: Server) -> None:
    """A file whose every line is wrong is answered too, line by line, and the server is well after it (S46)."""
    found = transform(server, [b"1,2"] * 20_000, "text/csv", 6 * MEGABYTE, 1)

    assert len(found) == 20_000
    assert all(line.startswith(b'"ERROR: has 2 cells') for line in found)
    assert server.call("GET", "/ping").status == 200
