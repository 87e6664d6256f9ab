import threading
from dataclasses import dataclass

import pytest

from fraud.errors import LearnerError, StoppedError
from fraud.training.patience import wait_for


@dataclass
class Cause:
    is_requested: bool = False
    name: str = "SIGTERM"


def test_result() -> None:
    """What a fit returns is returned."""
    assert wait_for(lambda: 5, Cause()) == 5


@pytest.mark.parametrize("error", [LearnerError("it stopped"), MemoryError()], ids=lambda error: type(error).__name__)
def test_errors(error: BaseException) -> None:
    """What a fit raises is raised to who waits."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        wait_for(fail, Cause())

    assert caught.value is error


def test_a_fit_that_heeds_no_signal() -> None:
    """A fit that goes on is waited for as long as the grace, and not longer; then there is no model."""
    released = threading.Event()
    with pytest.raises(StoppedError, match=r"SIGTERM came in the middle of a fit .* within 0.1 s; there is no model"):
        wait_for(released.wait, Cause(is_requested=True), grace_seconds=0.1)
    released.set()


def test_a_fit_that_ends_within_the_grace() -> None:
    """A fit that ends soon after the signal leaves its model."""
    stop, begun = Cause(), threading.Event()

    def fit() -> str:
        begun.set()
        stop.is_requested = True
        return "a model"

    assert wait_for(fit, stop) == "a model"
    assert begun.is_set()
