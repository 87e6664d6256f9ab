"""Batch transform: one record of output for each of input, whatever the input holds (S44-S46)."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import orjson

from fraud import codecs
from fraud.errors import BodyError, ColumnError, MediaTypeError, UserError, quoted
from fraud.schema import Schema
from fraud.serving.attributes import Wanted
from fraud.serving.scoring import Refusal, Scored, Scorer

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Into how many parts records are split that do not all fit: a few errors cost little, and many not much more.
PARTS = 16

type Score = Callable[[bytes], Scored]


def score(scorer: Scorer, content_type: str | None, body: bytes, wanted: Wanted, *, is_strict: bool) -> Scored:
    """Score each record of a body; one that is no row becomes an error in its place.

    `is_strict` raises UserError for it instead, as MediaTypeError is raised for a type that nothing here reads.
    """

    def whole(part: bytes, stated: str | None = content_type) -> Scored:
        return scorer.score(stated, part, wanted)

    media_type, options = codecs.media_type_of(content_type)
    decoder = codecs.DECODERS.get(media_type)
    if not decoder or not body:
        return whole(body)
    if decoder is codecs.DECODERS[codecs.CSV] and not body.isspace():
        return _score_csv(body, scorer.bundle.schema, options, whole, is_strict=is_strict)
    if media_type != codecs.JSON:
        return _score_lines(body, whole, is_strict=is_strict)
    return whole(body) if is_strict else _score_instances(body, whole)


def _score_csv(
    body: bytes,
    schema: Schema,
    options: Mapping[str, str],
    score: Callable[[bytes, str], Scored],
    *,
    is_strict: bool,
) -> Scored:
    header, charset = options.get("header", "").lower(), options.get("charset", "utf-8")
    head, rows = (b"", body) if header == "absent" else _without_header(body, schema, is_stated=header == "present")
    if not rows:
        return replace(Scored.nothing(), has_header=True)

    def with_names(lines: bytes) -> Scored:
        if b"\n" in lines and _has_lone_returns(lines):
            raise BodyError("a carriage return stands within a line")  # one line would be two rows
        if header == "present":
            return score(head + b"\n" + lines, f'{codecs.CSV}; header=present; charset="{charset}"')
        return score(lines, f'{codecs.CSV}; header=absent; charset="{charset}"')

    scored = _score_lines(rows, with_names, is_strict=is_strict)
    return replace(scored, has_header=bool(head) or header == "present")


def _score_lines(body: bytes, score: Score, *, is_strict: bool) -> Scored:
    """Score each line of a body.

    SageMaker cuts and joins at line ends alone, so that a quoted cell with one in it is two lines, and no row.
    """
    lines = body.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if not is_strict:
        return _salvaged(lines, b"\n".join, score)
    scored = score(b"\n".join(lines))
    if len(scored) != len(lines):
        raise BodyError(f"{len(lines)} lines hold {len(scored)} rows; a line is empty, or a quoted cell goes over two")
    return scored


def _has_lone_returns(lines: bytes) -> bool:
    return b"\r" in lines and lines.count(b"\r") > lines.count(b"\r\n") + lines.endswith(b"\r")


def _score_instances(body: bytes, score: Score) -> Scored:
    try:
        instances: list[Any] = codecs.instances(body)
    except UserError as error:
        if b"\n" in body.strip():
            raise BodyError(
                'the body is not one JSON document; for a row on each line send "application/jsonlines"'
            ) from error
        return replace(Scored.nothing(), errors={0: Refusal.of(error)})
    return _salvaged(instances, _document, score)


def _document(records: Sequence[Any]) -> bytes:
    try:
        return orjson.dumps(records)
    except orjson.JSONEncodeError as error:
        raise BodyError("has cells nested deeper than any row") from error


def _without_header(body: bytes, schema: Schema, *, is_stated: bool) -> tuple[bytes, bytes]:
    """Return the header line of a body, nothing where it has none, and the other lines.

    Only the first body of a file has the header (S45), and the others are read by position: one that names other
    columns, or in another order, would be no use to them. Raises ColumnError for it, unless the content type states
    that every body has one.
    """
    head, _, rest = body.removeprefix(BYTE_ORDER_MARK).partition(b"\n")
    names = _cells(head)
    if is_stated:
        schema.order(names)
        return head, rest
    if not schema.is_near_header(names):
        return b"", body
    ours, theirs = ([name.casefold() for name in side] for side in (names, schema.names))
    if ours != theirs:
        place = next(place for place, (one, other) in enumerate(zip_longest(ours, theirs)) if one != other)
        wrong, right = (quoted(side[place : place + 1]) or "no column" for side in (names, schema.names))
        raise ColumnError(
            f"the header has {wrong} where the model has {right}; it is in the first mini-batch only, so "
            "that it has to name the model's columns in their order, "
            f'{quoted(schema.names)}; or send "text/csv; header=present" where each body has one'
        )
    return head, rest


def _cells(line: bytes) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line.decode("utf-8", "replace").strip("\r")]), [])]
    except csv.Error:  # no header is like that
        return []


def _salvaged(records: Sequence[Any], join: Callable[[Sequence[Any]], bytes], score: Score) -> Scored:
    parts: list[Scored] = []
    errors: dict[int, Refusal] = {}
    for start, count, outcome in _salvage(0, records, join, score):
        if isinstance(outcome, Scored):
            parts.append(outcome)
        else:
            errors |= {start + position: outcome for position in range(count)}
    return replace(Scored.joined(parts), errors=errors)


def _salvage(
    start: int, records: Sequence[Any], join: Callable[[Sequence[Any]], bytes], score: Score
) -> Iterator[tuple[int, int, Scored | Refusal]]:
    """Score records together where they all fit, else one part after another; tell where each outcome starts."""
    outcome = _outcome(records, join, score)
    if isinstance(outcome, Scored) or len(records) == 1:
        yield start, len(records), outcome
        return
    size = -(-len(records) // PARTS)
    for first in range(0, len(records), size):
        yield from _salvage(start + first, records[first : first + size], join, score)


def _outcome(records: Sequence[Any], join: Callable[[Sequence[Any]], bytes], score: Score) -> Scored | Refusal:
    try:
        scored = score(join(records))
        if len(scored) == len(records):
            return scored
        error: UserError = BodyError(f"holds {len(scored)} rows where one belongs")
    except MediaTypeError:
        raise
    except UserError as problem:
        error = problem
    is_blank = isinstance(records[0], bytes) and not records[0].strip()
    return Refusal.of(BodyError("the line is empty") if is_blank and len(records) == 1 else error)
