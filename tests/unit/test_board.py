import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.serving.board import Board, Counts, Histogram, Layout, Window


def test_figures_are_summed_over_places() -> None:
    """Each place has its own row, and the total is of all."""
    board = Board(2, 3)
    for place in (0, 2):
        board.take(place)
        board.own[0] += 1
        board.own[1] += place

    assert board.total().tolist() == [2, 2]


def test_who_takes_a_place_goes_on_from_its_figures() -> None:
    """A worker that follows one which died adds to what that one counted (S68)."""
    board = Board(1, 2)
    board.take(1)
    board.own[0] += 5

    board.take(0)
    board.take(1)
    board.own[0] += 1

    assert board.total().tolist() == [6]


def test_another_process_is_counted() -> None:
    """What a forked worker writes is there for the others, after its end too."""
    board, window = Board(1, 2), Window(2, 4, 2)
    child = os.fork()
    if not child:
        board.take(1)
        window.take(1)
        board.own[0] += 3
        window.add(np.ones((2, 1), dtype=np.float32), np.zeros(2))
        os._exit(0)
    os.waitpid(child, 0)

    assert board.total().tolist() == [3]
    assert window.rows().tolist() == [[1, 0], [1, 0]]


@given(st.lists(st.lists(st.integers(0, 999), max_size=12), max_size=12))
def test_a_window_holds_the_latest_rows(batches: list[list[int]]) -> None:
    """However rows come, the latest that fit are in the window and no others."""
    window = Window(1, 5, 2)
    seen: list[int] = []
    for batch in batches:
        values = np.array(batch, dtype=np.float32)
        window.add(values[:, None], values.astype(np.float64) * 2)
        seen += batch

    assert sorted(window.rows().tolist()) == sorted([value, 2 * value] for value in seen[-5:])
    assert window.held(0) == min(5, len(seen))


def test_a_place_of_a_window_is_forgotten() -> None:
    """Rows of a place that is cleared are gone, and those of the others stay."""
    window = Window(2, 4, 2)
    for place in (0, 1):
        window.take(place)
        window.add(np.full((3, 1), place, dtype=np.float32), np.zeros(3))

    window.clear(0)

    assert (window.held(0), window.held(1)) == (0, 3)
    assert window.rows()[:, 0].tolist() == [1, 1, 1]


@given(st.lists(st.floats(0, 2), max_size=30))
def test_values_are_counted_alike_one_by_one_and_together(values: list[float]) -> None:
    """A histogram counts each value at or below its bound, whether they come one at a time or all at once."""
    histogram = Histogram(1, (0.1, 0.5, 1.0))
    singly, together = np.zeros(6), np.zeros(6)
    for value in values:
        histogram.observe(memoryview(singly).cast("B").cast("d"), value)
    if values:
        histogram.observe_all(memoryview(together).cast("B").cast("d"), np.array(values))

    buckets, total = histogram.read(together)
    expected = [sum(value <= bound for value in values) for bound in (0.1, 0.5, 1.0)]
    assert histogram.read(singly)[0] == buckets
    assert buckets == list(zip(["0.1", "0.5", "1", "+Inf"], [*expected, len(values)], strict=True))
    assert total == pytest.approx(sum(values))
    assert (together[0], together[-1]) == (0, pytest.approx(sum(values)))


def test_a_name_that_is_not_known_counts_as_other() -> None:
    """There are as many counters for ever, whatever happens (S68)."""
    counts, board = Counts(1, ("a", "b")), Board(4, 1)

    for name in ("a", "c", "d", "a"):
        counts.add(board.own, name)

    assert dict(counts.read(board.total())) == {"a": 2, "b": 0, "other": 2}


def test_figures_stand_one_after_another() -> None:
    """No two figures share a place on the board."""
    layout = Layout()
    first, second, third = layout.counts("a", "b"), layout.histogram(1.0, 2.0), layout.counts("c")

    assert [first.start, second.start, third.start] == [0, 3, 7]
    assert layout.width == 9
