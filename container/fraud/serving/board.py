"""Figures that all workers add to, in memory that they share: nothing is on disk, and no worker waits for another."""

import mmap
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fraud.model.scores import Floats

type Figures = memoryview[float]


class Board:
    """One row of figures for each place of a worker; who follows a worker that died goes on from its figures.

    Made before the workers are forked. A place is written by its worker only, under a lock of that worker's.
    """

    def __init__(self, width: int, places: int) -> None:
        self._memory = mmap.mmap(-1, 8 * width * places)
        self._rows = np.frombuffer(self._memory).reshape(places, width)
        self._width = width
        self.take(0)

    def take(self, place: int) -> None:
        """Write to this place from now on."""
        start = 8 * self._width * place
        self.own: Figures = memoryview(self._memory)[start : start + 8 * self._width].cast("d")

    def total(self) -> Floats:
        """Return the sum over all places."""
        total: Floats = self._rows.sum(axis=0)
        return total


class Window:
    """The latest rows that workers saw: float32 (places, rows, columns), as many for ever."""

    def __init__(self, places: int, rows: int, columns: int) -> None:
        self._memory = mmap.mmap(-1, 4 * places * rows * columns)
        self._rows = np.frombuffer(self._memory, dtype=np.float32).reshape(places, rows, columns)
        self._counts = np.frombuffer(mmap.mmap(-1, 8 * places), dtype=np.int64)
        self._place = 0

    def take(self, place: int) -> None:
        """Write to this place from now on, after what is there."""
        self._place = place

    def held(self, place: int) -> int:
        """Return how many rows are in the window from a place."""
        return min(int(self._counts[place]), self._rows.shape[1])

    def clear(self, place: int) -> None:
        """Forget the rows of a place that nobody writes to any more."""
        self._counts[place] = 0

    def add(self, X: NDArray[np.float32], last: Floats) -> None:
        """Write rows over the oldest ones; `last` is one more column beside them."""
        ring = self._rows[self._place]
        X, last = X[-len(ring) :], last[-len(ring) :]
        start = int(self._counts[self._place]) % len(ring)
        first = min(len(X), len(ring) - start)
        for begin, part in ((start, slice(0, first)), (0, slice(first, len(X)))):
            rows = ring[begin : begin + part.stop - part.start]
            rows[:, :-1], rows[:, -1] = X[part], last[part]
        self._counts[self._place] += len(X)

    def rows(self) -> NDArray[np.float32]:
        """Return every row in the window: float32 (rows, columns)."""
        held = np.minimum(self._counts, self._rows.shape[1])
        return np.concatenate([ring[:count] for ring, count in zip(self._rows, held, strict=True)])


@dataclass(frozen=True)
class Histogram:
    """Where a histogram stands on a board: a count for each bound, one beyond them, and the sum."""

    start: int
    bounds: tuple[float, ...]

    @property
    def width(self) -> int:
        return len(self.bounds) + 2

    def observe(self, own: Figures, value: float) -> None:
        own[self.start + bisect_left(self.bounds, value)] += 1
        own[self.start + self.width - 1] += value

    def observe_all(self, own: Figures, values: Floats) -> None:
        if len(values) == 1:
            self.observe(own, float(values[0]))
            return
        counts = np.bincount(np.searchsorted(self.bounds, values), minlength=len(self.bounds) + 1)
        for position, count in enumerate(counts.tolist(), start=self.start):
            own[position] += count
        own[self.start + self.width - 1] += float(values.sum())

    def read(self, total: Floats) -> tuple[list[tuple[str, float]], float]:
        """Return the counts up to each bound, and the sum, as Prometheus writes them."""
        counts = np.cumsum(total[self.start : self.start + self.width - 1]).tolist()
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        return list(zip(names, counts, strict=True)), float(total[self.start + self.width - 1])


@dataclass(frozen=True)
class Counts:
    """Where counters stand on a board, one for each name and one for every other."""

    start: int
    names: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.names) + 1

    def add(self, own: Figures, name: str, count: float = 1) -> None:
        position = self.names.index(name) if name in self.names else len(self.names)
        own[self.start + position] += count

    def read(self, total: Floats) -> Iterable[tuple[str, float]]:
        return zip((*self.names, "other"), total[self.start : self.start + self.width].tolist(), strict=True)


class Layout:
    """Where each figure stands on a board, one after another."""

    def __init__(self) -> None:
        self.width = 0

    def histogram(self, *bounds: float) -> Histogram:
        return self._placed(Histogram(self.width, bounds))

    def counts(self, *names: str) -> Counts:
        return self._placed(Counts(self.width, names))

    def _placed[F: Histogram | Counts](self, figure: F) -> F:
        self.width += figure.width
        return figure
