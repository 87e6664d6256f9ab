"""Where the time of a request goes: the steps that `serve` takes, on one thread of this process, beside bare Flask.

`serve` scores the blocks of a large body on several threads while it decodes the next; here they follow one another.
`python benchmarks/stages.py [--repeats N]` prints a table for docs/04.
"""

import argparse
import itertools
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np
from benchmarks import sample as made_rows
from benchmarks.servers import BARE, OURS, Running, running, servers

from fraud import codecs
from fraud.bundle import ModelBundle
from fraud.codecs.answers import Answer
from fraud.model.scores import Scores
from fraud.serving.metrics import Metrics
from fraud.serving.scoring import SAMPLE_ROWS, Scored
from fraud.settings import ServingSettings

TURNS = 20
CSV = "text/csv"
REASONS = "output=probability,reasons;reasons=3"
STEPS = ("decode", "schema", "predict", "reasons", "encode", "figures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=4000, help="of one row; a hundredth of them of 10,000")
    parser.add_argument("--directory", type=Path, default=Path("build/benchmark/stages"))
    told = parser.parse_args()
    made_rows.train(told.directory)
    bundle = ModelBundle.load(told.directory / "model")
    names, rows = made_rows.csv_lines()
    one = made_rows.first_row(rows)
    with ExitStack() as stack:
        chosen = [server for server in servers(told.directory, names) if server.name in (OURS, BARE)]
        alive = [stack.enter_context(running(server, told.directory)) for server in chosen]
        print("| " + " | ".join(["p50 in ms", "`serve`", "bare Flask", *STEPS, "bare Flask and steps"]) + " |")
        print("| --- " * (len(STEPS) + 4) + "|")
        _print("one CSV row", _measure(bundle, alive, one, 0, told.repeats))
        _print("one CSV row with three reasons", _measure(bundle, alive, one, 3, told.repeats))
        _print("10,000 CSV rows", _measure(bundle, alive, rows, 0, told.repeats // 100))


def _measure(bundle: ModelBundle, alive: list[Running], body: bytes, reasons: int, repeats: int) -> list[float]:
    """Return the median seconds of `serve`, of bare Flask and of each step, a few repeats at a time, in turns."""
    headers = {"Content-Type": CSV} | ({"X-Amzn-SageMaker-Custom-Attributes": REASONS} if reasons else {})
    served: list[list[float]] = [[] for _ in alive]
    steps: list[list[float]] = []
    metrics = Metrics(ServingSettings(), bundle)
    _time_steps(bundle, metrics, body, reasons)
    for _ in range(TURNS):
        repeated = range(max(1, repeats // TURNS))
        for each, taken in zip(alive, served, strict=True):
            each.reconnect()
            taken.extend(each.post(body, headers)[0] for _ in repeated)
        steps.extend(_time_steps(bundle, metrics, body, reasons) for _ in repeated)
    return [statistics.median(taken) for taken in [*served, *zip(*steps, strict=True)]]


def _time_steps(bundle: ModelBundle, metrics: Metrics, body: bytes, reasons: int) -> list[float]:
    """Return the seconds of each of STEPS."""
    marks = [time.perf_counter()]
    tables = list(codecs.decode(CSV, body, bundle.schema))
    marks.append(time.perf_counter())
    blocks = [bundle.schema.rows(table).X for table in tables]
    marks.append(time.perf_counter())
    scored = [bundle.score(X) for X in blocks]
    marks.append(time.perf_counter())
    found = [bundle.explain(X, scores, reasons, 0.0) for X, scores in zip(blocks, scored, strict=True) if reasons]
    marks.append(time.perf_counter())
    outputs = ("probability", "reasons") if reasons else ()
    joined, explained = Scores.joined(scored), list(itertools.chain.from_iterable(found))
    codecs.encode(CSV, Answer(joined, outputs, explained))
    marks.append(time.perf_counter())
    sample = np.concatenate([X[:SAMPLE_ROWS] for X in blocks])
    metrics.scored(Scored(joined, explained, sample, joined.probability[: len(sample)]), 0.0)
    marks.append(time.perf_counter())
    return [after - before for before, after in itertools.pairwise(marks)]


def _print(name: str, medians: list[float]) -> None:
    cells = [*medians, sum(medians[1:])]
    print("| " + " | ".join([name, *(f"{cell * 1000:.3f}" for cell in cells)]) + " |")


if __name__ == "__main__":
    main()
