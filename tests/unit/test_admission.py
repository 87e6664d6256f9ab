from threading import Event, Thread

import pytest

from fraud.errors import OverloadError, TooLargeError
from fraud.serving.admission import Admission


def small(**places: int) -> Admission:
    return Admission(**{"reading": 2, "scoring": 1, "waiting": 0, "memory_bytes": 100, **places})


def test_a_place_for_reading_is_given_up_for_a_slot() -> None:
    """A request that scores holds no place for reading, and one more reader is turned away at once."""
    admission = small(reading=1)

    with admission.visit() as first:
        with pytest.raises(OverloadError, match="too many bodies are being sent"), admission.visit():
            pass
        first.score()
        with admission.visit():
            pass


def test_who_finds_no_place_to_wait_is_turned_away() -> None:
    """One scores and none may wait: the second goes at once, and a third after the first has left."""
    admission = small()

    with admission.visit() as first:
        first.score()
        with pytest.raises(OverloadError, match="too many requests are waiting"), admission.visit() as second:
            second.score()
    with admission.visit() as third:
        third.score()


def test_who_finds_a_place_waits_for_the_slot() -> None:
    """With a place to wait, the second request scores once the first is done."""
    admission = small(waiting=1)
    scored = Event()

    def follow() -> None:
        with admission.visit() as second:
            second.score()
            scored.set()

    with admission.visit() as first:
        first.score()
        follower = Thread(target=follow)
        follower.start()
        was_scored = scored.wait(0.05)
    follower.join(30)

    assert not was_scored
    assert scored.is_set()


@pytest.mark.parametrize("steps", ["entered", "claimed", "scored"])
def test_all_is_given_back_after_an_error(steps: str) -> None:
    """However far a request came before it failed, its places and its memory are free again."""
    admission = small()

    def fail() -> None:
        with admission.visit() as visit:
            if steps != "entered":
                visit.claim(60)
            if steps == "scored":
                visit.score()
            raise ValueError("bad row")

    for _ in range(5):
        with pytest.raises(ValueError, match="bad row"):
            fail()

    with admission.visit() as visit:
        visit.claim(100)
        visit.score()
    assert (admission.readers_left, admission.places_left, admission.bytes_left) == (2, 1, 100)


def test_memory_is_shared() -> None:
    """What one request holds another cannot: it is told to try again, and finds it later (S50)."""
    admission = small()

    with admission.visit() as first, admission.visit() as second:
        first.claim(40)
        first.claim(30)
        with pytest.raises(OverloadError, match="fill the memory; try again"):
            second.claim(31)
        second.claim(30)
    with admission.visit() as third:
        third.claim(100)


def test_a_body_that_never_fits_is_too_large() -> None:
    """A request that would need more than there is in all is not told to try again."""
    admission = small(memory_bytes=5 * 1024**2)

    with admission.visit() as visit:
        visit.claim(4 * 1024**2)
        with pytest.raises(TooLargeError, match="more than the 5 MB of memory"):
            visit.claim(2 * 1024**2)
