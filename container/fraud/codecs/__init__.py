"""Bytes to tables and scores to bytes, one entry for each media type."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from fraud.codecs.answers import Answer, encode_csv, encode_json, encode_json_lines
from fraud.codecs.csv_tables import decode_csv, other_format
from fraud.codecs.json_tables import decode_json, decode_json_lines, instances
from fraud.errors import AcceptError, BodyError, ColumnError, MediaTypeError, RowError, RowWidthError
from fraud.schema import Rows, Schema
from fraud.table import Table

__all__ = ["DECODERS", "ENCODERS", "Answer", "decode", "encode", "instances", "media_type_of", "negotiate", "rows"]

type Options = Mapping[str, str]

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"

# How gzip, zip, zstd and UTF-16 begin, and no row does.
NO_TEXT = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xfe\xff")
# A message of a row after the first: categories before it may hold anything, and no other format is seen by them.
LATER_ROW = re.compile(r"row (?!1\b)")

DECODERS: dict[str, Callable[[bytes, Schema, Options], Iterator[Table]]] = {
    CSV: decode_csv,
    JSON: decode_json,
    JSON_LINES: decode_json_lines,
    "application/x-jsonlines": decode_json_lines,
    "application/octet-stream": decode_csv,  # what the SDK's own default serializer says of CSV (S24)
}

ENCODERS: dict[str, Callable[[Answer], bytes]] = {
    CSV: encode_csv,
    JSON: encode_json,
    JSON_LINES: encode_json_lines,
    "application/x-jsonlines": encode_json_lines,
}


def decode(content_type: str | None, body: bytes, schema: Schema) -> Iterator[Table]:
    """Return the rows of a body, block by block; CSV where no content type is stated (S24).

    Raises MediaTypeError for a type that nothing here reads, BodyError for a body that is not of its type.
    """
    media_type, options = media_type_of(content_type)
    decoder = DECODERS.get(media_type)
    if decoder is None:
        raise MediaTypeError(f'Content-Type "{media_type[:60]}" is not read here; send {_listed(DECODERS)}')
    if not body or body.isspace():
        raise BodyError("the body is empty; send at least one row")
    if body.startswith(NO_TEXT):
        raise BodyError("the body is compressed, or text in UTF-16; send it uncompressed, in UTF-8")
    return decoder(body, schema, options)


def rows(content_type: str | None, body: bytes, schema: Schema) -> Iterator[Rows]:
    """Return the rows of a body as the model reads them, block by block.

    Raises what `decode` and `Schema.rows` raise, and BodyError for CSV that is another format from its first line on.
    """
    try:
        yield from map(schema.rows, decode(content_type, body, schema))
    except (BodyError, ColumnError, RowError, RowWidthError) as error:
        is_csv = DECODERS[media_type_of(content_type)[0]] is decode_csv
        is_doubtful = schema.is_numeric or not LATER_ROW.match(str(error))
        other = other_format(body, len(schema.columns)) if is_csv and is_doubtful else ""
        if other:
            raise BodyError(other) from error
        raise


@lru_cache(maxsize=256)
def negotiate(accept: str, content_type: str | None, default: str = "") -> str:
    """Return the media type to answer with (RFC 9110, 12.5.1): of equals the default, then that of the request.

    Raises AcceptError where nothing acceptable is written here.
    """
    media_type, _ = media_type_of(content_type)
    first = negotiate(default, content_type) if default else media_type
    offered = sorted(ENCODERS, key=lambda name: (name != first, name != media_type, name != CSV))
    # Java's own client writes "*; q=.2, */*; q=.2": "*" for "*/*", and a weight without its zero
    stated = parse_accept_header((accept or "*/*").replace("q=.", "q=0."), MIMEAccept)
    bare = [(value.partition(";")[0], q) for value, q in stated]  # "text/csv; charset=utf-8" asks for CSV
    plain = [("*/*" if value == "*" else value, q) for value, q in bare]
    chosen = MIMEAccept(plain).best_match(offered)
    if chosen is None:
        raise AcceptError(f'Accept "{accept[:60]}" cannot be answered; accept {_listed(ENCODERS)}')
    return chosen


def encode(media_type: str, answer: Answer) -> bytes:
    """Write one record for each row, in the order of the rows (S31)."""
    return ENCODERS[media_type](answer)


@lru_cache(maxsize=256)
def media_type_of(content_type: str | None) -> tuple[str, Options]:
    """Return the media type, and the parameters that came with it (S23)."""
    media_type, options = parse_options_header(content_type or CSV)
    return media_type.lower(), options


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(names)
