"""A fit in a thread of its own, so that signals are heeded while a library computes in C and heeds none."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from fraud.errors import StoppedError

# Of the 120 s that SageMaker gives (T41): a learner that goes in rounds ends in far less, and then its model is saved.
GRACE_SECONDS = 60.0
HEED_SECONDS = 0.5


class Cause(Protocol):
    """A signal that may come, and its name."""

    @property
    def is_requested(self) -> bool: ...

    @property
    def name(self) -> str: ...


def wait_for[T](fit: Callable[[], T], stop: Cause, grace_seconds: float = GRACE_SECONDS) -> T:
    """Return what `fit` returns, or raise what it raises.

    Raises StoppedError where a signal came and the fit does not end within the grace.
    """
    found: list[T] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            found.append(fit())
        except BaseException as error:  # raised again below, in the thread that waits
            problems.append(error)

    thread = threading.Thread(target=run, daemon=True)  # a fit that does not end must not keep the process
    thread.start()
    deadline = None
    while thread.is_alive():
        thread.join(HEED_SECONDS)
        if stop.is_requested and deadline is None:
            deadline = time.monotonic() + grace_seconds
        if deadline is not None and time.monotonic() > deadline:
            raise StoppedError(
                f"{stop.name} came in the middle of a fit that did not end within {grace_seconds:g} s; "
                "there is no model to save"
            )
    if problems:
        raise problems[0]
    return found[0]
