"""The long run of the fuzz tests: requests as no client should send them, and matrices in every spelling.

`python benchmarks/fuzz.py [--inputs 200000] [--seed N]` makes inputs in one process and answers them in another, and
exits 1 where an answer is wrong or takes over a second, or memory grows. Bodies that found something are kept in
build/fuzz/.
"""

import argparse
import ctypes
import gc
import logging
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.hostile import Sent, requests, with_kinds
from tests.processes import ROOT, train
from tests.spellings import Spelled, spelled
from tests.verdicts import judge, mismatch

from fraud.bundle import ModelBundle
from fraud.serving.app import create_app
from fraud.settings import ServingSettings

DIRECTORY = ROOT / "build" / "fuzz"
# Memory is compared between the second fifth of a run, once caches are full, and the last: the least of each, as a body
# of 30 MB leaves pieces behind that later ones take.
PARTS = 5
# What fragments and caches may still take; a leak of 100 bytes an input would be as much in a long run.
GROWTH_MEGABYTES = 16

type Verdict = tuple[str, float]


@dataclass(frozen=True)
class Source:
    """Where inputs come from, so many at a time, and which server they go to."""

    server: str
    strategy: st.SearchStrategy[Sent] | st.SearchStrategy[Spelled]
    chunk: int

    def draw(self, number: int) -> list[Sent | Spelled]:
        """Return inputs that no other number gives."""
        drawn: list[Sent | Spelled] = []

        @seed(number)
        @settings(
            max_examples=self.chunk,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[*HealthCheck],
        )
        @given(each=self.strategy)
        def collect(each: Sent | Spelled) -> None:
            drawn.append(each)

        collect()
        return drawn


SOURCES = [
    Source("live", requests(), 500),
    Source("batch", requests(), 500),
    Source("live, of several kinds", requests(), 300),
    Source("batch, of several kinds", requests(), 300),
    Source("live", spelled(st.just(1)), 30),
    Source("live", spelled(st.integers(2, 12)), 20),
    Source("live", spelled(st.integers(30, 120)), 10),
    Source("live", spelled(st.just(6000)), 1),
]


@dataclass
class Seen:
    """What the answers were so far."""

    inputs: int = 0
    slowest: tuple[float, str] = (0.0, "")
    megabytes: list[float] = field(default_factory=list)
    findings: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)

    def take(self, source: Source, inputs: Sequence[Sent | Spelled], verdicts: Sequence[Verdict]) -> None:
        """Count inputs; of equal faults the shortest body is kept."""
        for sent, (fault, seconds) in zip(inputs, verdicts, strict=True):
            body = sent.body if isinstance(sent, Sent) else sent.bodies.get(fault.partition(" ")[0], b"")
            told = f"{source.server}: {sent.headers if isinstance(sent, Sent) else 'spelled'}, {len(body)} bytes"
            self.inputs += 1 if isinstance(sent, Sent) else len(sent.bodies)
            self.slowest = max(self.slowest, (seconds, told))
            if fault:
                kind = re.sub(r"\d+", "0", fault)[:120]
                times, known, shortest = self.findings.get(kind, (0, told, body))
                kept = (told, body) if len(body) < len(shortest) else (known, shortest)
                self.findings[kind] = (times + 1, *kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    shutil.copytree(ROOT / "test_dir" / "input", DIRECTORY / "input")
    job = train(DIRECTORY)
    if job.returncode:
        sys.exit(f"train failed:\n{job.stderr}")
    ours, theirs = Pipe()
    process = Process(target=answer_all, args=(theirs,), daemon=True)
    process.start()
    started = perf_counter()
    seen = drive(ours, told.inputs, told.seed)
    seconds = perf_counter() - started
    print(f"{seen.inputs:,} inputs in {seconds:.0f} s, {seen.inputs / seconds:.0f}/s, seed {told.seed}")
    sys.exit(report(seen))


def drive(server: Connection, inputs: int, first: int) -> Seen:
    """Make inputs, chunk after chunk, while those before are answered."""
    seen = Seen()
    waiting: tuple[Source, list[Sent | Spelled]] | None = None
    for number, source in zip(count(first * 1_000_000), cycle(SOURCES), strict=False):
        drawn = source.draw(number)
        if waiting:
            verdicts, megabytes = server.recv()
            seen.take(*waiting, verdicts)
            seen.megabytes.append(megabytes)
            if seen.inputs >= inputs:
                return seen
        server.send((source.server, drawn))
        waiting = source, drawn
    return seen


def answer_all(asked: Connection) -> None:
    """Answer chunk after chunk, by four servers in this process."""
    logging.disable(logging.CRITICAL)
    bundle = ModelBundle.load(DIRECTORY / "model")
    servers: dict[str, Callable[[Any], Verdict]] = {}
    for kinds, model in (("", bundle), (", of several kinds", with_kinds(bundle))):
        for mode in ("live", "batch"):
            servers[mode + kinds] = answering(model, is_batch=mode == "batch")
    while True:
        name, inputs = asked.recv()
        verdicts = [servers[name](sent) for sent in inputs]
        asked.send((verdicts, resident_megabytes()))


def answering(bundle: ModelBundle, *, is_batch: bool) -> Callable[[Sent | Spelled], Verdict]:
    """Return what tells the fault of an answer, and how long it took."""
    client = create_app(bundle, ServingSettings.model_validate({"SAGEMAKER_BATCH": str(is_batch)})).test_client()

    def answer(sent: Sent | Spelled) -> Verdict:
        if isinstance(sent, Sent):
            return judge(client, bundle.schema, sent, is_batch=is_batch)
        return mismatch(client, bundle, sent), 0.0

    return answer


def resident_megabytes() -> float:
    """Return what this process holds once everything free is given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def report(seen: Seen) -> int:
    """Print what was seen; return 1 where it is not as it should be."""
    part = -(-len(seen.megabytes) // PARTS)
    after = min(seen.megabytes[-part:])
    before = min(seen.megabytes[part : 2 * part], default=after)
    growth = after - before
    tenths = [seen.megabytes[-1 - step * len(seen.megabytes) // 10] for step in range(9, -1, -1)]
    print(f"slowest: {seen.slowest[0] * 1000:.0f} ms ({seen.slowest[1]})")
    print(f"resident, at least: {before:.1f} MB in the second fifth, {after:.1f} MB in the last, {growth:+.1f} MB")
    print("resident, by tenths: " + " ".join(f"{megabytes:.0f}" for megabytes in tenths))
    for number, (kind, (times, told, body)) in enumerate(seen.findings.items()):
        path = DIRECTORY / f"finding-{number}.body"
        path.write_bytes(body)
        print(f"FINDING, {times} times: {kind}\n  {told}\n  --data-binary @{path.relative_to(ROOT)} {body[:120]!r}")
    if growth > GROWTH_MEGABYTES:
        print(f"FINDING: memory grew by {growth:.0f} MB")
    return int(bool(seen.findings) or growth > GROWTH_MEGABYTES)


if __name__ == "__main__":
    main()
