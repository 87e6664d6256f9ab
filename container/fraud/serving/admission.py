"""How many requests are scored at once, how many wait, and that one more is turned away at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore

from fraud.errors import OverloadError


class Admission:
    """Slots for scoring and for waiting, fewer than threads: one is always left to answer /ping (S15)."""

    def __init__(self, scoring: int, waiting: int) -> None:
        self._scoring = Semaphore(scoring)
        self._admitted = Semaphore(scoring + waiting)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot for scoring; OverloadError at once where no place to wait is left."""
        if not self._admitted.acquire(blocking=False):
            raise OverloadError("too many requests are waiting; try again in a second")
        try:
            with self._scoring:
                yield
        finally:
            self._admitted.release()
