from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from fraud.bundle import ModelBundle
from fraud.errors import RowError, RowWidthError
from fraud.serving.attributes import Wanted
from fraud.serving.scoring import Refusal, Scored, Scorer
from tests.processes import ROOT

LINES = [
    line.rsplit(",", 1)[0]
    for line in (ROOT / "test_dir/input/data/train/transactions.csv").read_text().splitlines()[1:]
]
PLAIN, EXPLAINED = Wanted(("probability",)), Wanted(("reasons",), 2)


@pytest.fixture
def scorer(bundle: ModelBundle) -> Scorer:
    return Scorer(bundle, ThreadPoolExecutor(3))


def body(lines: list[str]) -> bytes:
    return "\n".join(lines).encode()


def test_blocks_are_as_one(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is scored in many blocks by several threads gives what it gives in one, in its order (S31)."""
    whole = scorer.score("text/csv", body(LINES[:1000]), EXPLAINED)
    monkeypatch.setattr("fraud.codecs.csv_tables.BLOCK_BYTES", 20_000)

    blocks = scorer.score("text/csv", body(LINES[:1000]), EXPLAINED)

    assert np.array_equal(blocks.scores.raw_score, whole.scores.raw_score)
    assert np.array_equal(blocks.scores.decisions, whole.scores.decisions)
    assert blocks.reasons == whole.reasons
    assert len(blocks) == len(blocks.reasons) == 1000
    assert np.array_equal(blocks.sample, whole.sample)


def test_an_error_in_a_later_block_is_told(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad row beyond the first block is refused by its number, while threads score those before it."""
    monkeypatch.setattr("fraud.codecs.csv_tables.BLOCK_BYTES", 20_000)
    lines = [*LINES[:900], LINES[900].replace(",", ",x", 1), *LINES[901:1000]]

    with pytest.raises(RowError, match=r'^row 901, column "V1": "x'):
        scorer.score("text/csv", body(lines), PLAIN)


class Unmoved(Executor):
    """Threads that never come to what they are given."""

    def __init__(self) -> None:
        self.given: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *_args: Any, **_kwargs: Any) -> Future[Any]:  # noqa: ARG002
        self.given.append(Future())
        return self.given[-1]


def test_nothing_goes_on_for_who_was_refused(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks before a bad row are left unscored: its sender has the answer already, and could send it for ever."""
    monkeypatch.setattr("fraud.codecs.csv_tables.BLOCK_BYTES", 20_000)
    threads = Unmoved()

    with pytest.raises(RowWidthError):
        Scorer(bundle, threads).score("text/csv", body([*LINES[:900], "1,2"]), PLAIN)

    assert len(threads.given) > 2
    assert all(future.cancelled() for future in threads.given)


def test_work_is_timed(scorer: Scorer) -> None:
    """Seconds of decoding, scoring and explaining are told apart; what was not asked took none."""
    explained = scorer.score("text/csv", body(LINES[:500]), EXPLAINED)
    plain = scorer.score("text/csv", body(LINES[:500]), PLAIN)

    assert min(explained.decode_seconds, explained.score_seconds, explained.reason_seconds) > 0
    assert plain.reason_seconds == 0
    assert plain.reasons == []


def test_missing_cells_are_counted(scorer: Scorer) -> None:
    """Cells that are empty, or a word for it, are counted over all blocks."""
    lines = [LINES[0], "," + LINES[1].split(",", 1)[1], LINES[2].rsplit(",", 1)[0] + ",NaN"]

    assert scorer.score("text/csv", body(lines), PLAIN).missing_cells == 2


def test_bodies_are_put_together(scorer: Scorer) -> None:
    """Several bodies put together are as one, with nothing among them or not."""
    parts = [
        scorer.score("text/csv", body(LINES[:3]), EXPLAINED),
        Scored.nothing(),
        scorer.score("text/csv", body(LINES[3:4]), EXPLAINED),
    ]

    joined = Scored.joined(parts)

    whole = scorer.score("text/csv", body(LINES[:4]), EXPLAINED)
    assert len(joined) == 4
    assert np.array_equal(joined.scores.raw_score, whole.scores.raw_score)
    assert joined.reasons == whole.reasons
    assert joined.sample.shape == (4, 30)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_nothing_put_together_is_nothing(count: int) -> None:
    """Bodies of which no record was scored can be put together too, and so can none."""
    joined = Scored.joined([Scored.nothing()] * count)

    assert len(joined) == len(joined.scores) == len(joined.sample) == 0


def test_a_refusal_says_it_in_its_line() -> None:
    """What is wrong with a record is told without the number of its row, which was alone."""
    refusals = [
        Refusal.of(RowWidthError("row 1 has 2 cells")),
        Refusal.of(RowError('row 1, column "Amount"', "is not a number", "x")),
    ]

    assert refusals == [
        ("ROW_WIDTH_INVALID", "has 2 cells"),
        ("ROW_INVALID", 'column "Amount": "x" is not a number'),
    ]


def test_a_small_body_starts_no_thread(bundle: ModelBundle) -> None:
    """One row is scored by the thread that read it: handing it over would take longer."""
    pool = ThreadPoolExecutor(1)

    Scorer(bundle, pool).score("text/csv", body(LINES[:1]), PLAIN)

    assert not pool._threads
