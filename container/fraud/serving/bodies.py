"""The bytes of a request's body, whole, within the limits of size and memory (S19, S20)."""

from typing import Any

from gunicorn.http.errors import ParseException

from fraud.errors import BodyError, TooLargeError
from fraud.serving.admission import Visit

# A body without a stated length is read in pieces of this size.
PIECE_BYTES = 1024 * 1024


def read(environ: dict[str, Any], most_bytes: int, visit: Visit, memory_factor: int) -> bytes:
    """Read a body, and claim the memory that it takes while it is scored, `memory_factor` times its size.

    Raises TooLargeError, OverloadError, or BodyError where its sender goes away in the middle.
    """
    try:
        body = _read(environ, most_bytes, visit, memory_factor)
    except (OSError, ParseException) as error:
        raise BodyError("the body broke off, or its chunks are not what HTTP/1.1 has") from error
    environ.get("fraud.body_is_read", _nobody_waits)()
    return body


def _read(environ: dict[str, Any], most_bytes: int, visit: Visit, memory_factor: int) -> bytes:
    stated = environ.get("CONTENT_LENGTH", "")
    stream = environ["wsgi.input"]
    if stated.isdecimal():
        length = int(stated)
        _require_size(length, most_bytes)
        visit.claim(memory_factor * length)
        body: bytes = stream.read(length)
        if len(body) < length:  # a part of the rows is other rows (S31)
            raise BodyError(f"the body broke off after {len(body)} of {length} bytes")
        return body
    if environ.get("wsgi.input_terminated"):
        return b"".join(_pieces(stream, most_bytes, visit, memory_factor))
    return b""


def _pieces(stream: Any, most_bytes: int, visit: Visit, memory_factor: int) -> list[bytes]:
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read(PIECE_BYTES):
        size += len(piece)
        _require_size(size, most_bytes)
        visit.claim(memory_factor * len(piece))
        pieces.append(piece)
    return pieces


def _require_size(size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise TooLargeError(f"the body is larger than {most_bytes} bytes; send fewer rows at a time")


def _nobody_waits() -> None:
    """Stand in for the worker where the application runs without gunicorn."""
