import io
from collections.abc import Callable

import pytest
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

from fraud.errors import BodyError, OverloadError, TooLargeError
from fraud.serving import bodies
from fraud.serving.admission import Admission


def read(environ: dict[str, object], most_bytes: int = 1000, memory_bytes: int = 4000) -> bytes:
    with Admission(1, 1, 1, memory_bytes).visit() as visit:
        return bodies.read(environ, most_bytes, visit, 4)


def stated(body: bytes, length: int) -> dict[str, object]:
    return {"CONTENT_LENGTH": str(length), "wsgi.input": io.BytesIO(body)}


def chunked(body: bytes) -> dict[str, object]:
    return {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True}


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_a_body_is_read_whole(size: int) -> None:
    """With a length or in chunks, up to the limit, every byte is there (S20); what follows the body is left."""
    body = bytes(range(256)) * 4

    assert read(stated(body, size)) == body[:size]
    assert read(chunked(body[:size])) == body[:size]


def test_a_body_without_an_end_is_none() -> None:
    """A server that does not know where a body ends is not asked for one: it might never come."""
    assert read({"wsgi.input": io.BytesIO(b"1,2")}) == b""


@pytest.mark.parametrize(
    "environ", [stated(b"", 1001), chunked(b"x" * 1001), stated(b"x" * 2000, 2000)], ids=["stated", "chunked", "sent"]
)
def test_a_body_over_the_limit_is_too_large(environ: dict[str, object]) -> None:
    """Over the limit it is refused: by its stated length before a byte is read (S19)."""
    with pytest.raises(TooLargeError, match="larger than 1000 bytes"):
        read(environ)


@pytest.mark.parametrize("write", [lambda body: stated(body, len(body)), chunked], ids=["stated", "chunked"])
def test_a_body_claims_memory(write: Callable[[bytes], dict[str, object]]) -> None:
    """It claims what it takes while it is scored, and is refused where that is more than there is (S50)."""
    with pytest.raises(TooLargeError, match="more than the 0 MB of memory"):
        read(write(b"x" * 900), memory_bytes=3500)
    admission = Admission(2, 1, 1, 4000)
    with admission.visit() as other, admission.visit() as visit:
        other.claim(2000)
        with pytest.raises(OverloadError, match="fill the memory"):
            bodies.read(write(b"x" * 600), 1000, visit, 4)


def test_a_part_of_a_body_is_none() -> None:
    """A body that ends before its stated length is refused: its last row may be another than was meant (S31)."""
    with pytest.raises(BodyError, match="broke off after 10 of 20 bytes"):
        read(stated(b"1,2,149.62"[:10], 20))


@pytest.mark.parametrize("error", [ConnectionResetError(), NoMoreData(), InvalidChunkSize(b"4111")])
def test_a_stream_that_breaks_is_its_senders(error: Exception) -> None:
    """Whatever the server finds wrong with the bytes, it is told as a bad request, and not repeated (S29)."""

    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise error

    with pytest.raises(BodyError, match="broke off") as caught:
        read({"wsgi.input": Broken(), "wsgi.input_terminated": True})

    assert "4111" not in str(caught.value)


def test_the_worker_is_told() -> None:
    """Once a body is there the worker that watches slow clients is told, and not before."""
    told: list[int] = []
    stream = io.BytesIO(b"1,2")
    environ = {"CONTENT_LENGTH": "3", "wsgi.input": stream, "fraud.body_is_read": lambda: told.append(stream.tell())}

    read(environ)

    assert told == [3]
