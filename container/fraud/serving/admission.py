"""How many bodies are read, how many requests are scored, how many wait, and how much memory their bodies may take."""

from threading import Lock, Semaphore
from types import TracebackType

from fraud.errors import OverloadError, TooLargeError


class Admission:
    """Places for reading, waiting and scoring, fewer than threads: one is always left to answer /ping (S15)."""

    def __init__(self, reading: int, scoring: int, waiting: int, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self.scoring = Semaphore(scoring)
        self.lock = Lock()
        self.readers_left = reading
        self.places_left = scoring + waiting
        self.bytes_left = memory_bytes

    def visit(self) -> "Visit":
        """Return a place for one request, which it takes as a context manager."""
        return Visit(self)


class Visit:
    """One request's way through: it reads, then waits for a slot, then scores, and leaves.

    Where no place is left, it is turned away at once with OverloadError.
    """

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._held_bytes = 0
        self._is_reading = self._is_admitted = self._is_scoring = False

    def __enter__(self) -> "Visit":
        with self._admission.lock:
            if not self._admission.readers_left:
                raise OverloadError("too many bodies are being sent; try again in a second")
            self._admission.readers_left -= 1
            self._is_reading = True
        return self

    def claim(self, count: int) -> None:
        """Hold more bytes of the memory for bodies; TooLargeError where there is not so much in all."""
        with self._admission.lock:
            if self._held_bytes + count > self._admission.memory_bytes:
                most = self._admission.memory_bytes // 1024**2
                raise TooLargeError(
                    f"the body would take more than the {most} MB of memory there are for bodies; send fewer rows"
                )
            if count > self._admission.bytes_left:
                raise OverloadError("the bodies of other requests fill the memory; try again in a second")
            self._admission.bytes_left -= count
            self._held_bytes += count

    def score(self) -> None:
        """Give up the place for reading, and wait for a slot where there is a place to wait."""
        with self._admission.lock:
            if not self._admission.places_left:
                raise OverloadError("too many requests are waiting; try again in a second")
            self._admission.places_left -= 1
            self._admission.readers_left += 1
            self._is_reading, self._is_admitted = False, True
        self._is_scoring = self._admission.scoring.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_scoring:
            self._admission.scoring.release()
        with self._admission.lock:
            self._admission.readers_left += self._is_reading
            self._admission.places_left += self._is_admitted
            self._admission.bytes_left += self._held_bytes
