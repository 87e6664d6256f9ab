"""JSON and JSON Lines in the shapes that clients send: lists of cells, or objects that name them (S36, S37)."""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from itertools import chain

import numpy as np
import orjson

from fraud.codecs.numbers import count, rectangle
from fraud.errors import BodyError, RowError
from fraud.schema import Schema
from fraud.table import Row, Table

# Of JSON Lines, about what is read at once.
BLOCK_BYTES = 512 * 1024
# Below this a second parser costs more than it saves.
SMALL_BYTES = 4096
# Below this the check of every type costs more than the matrix saves.
FEW_ROWS = 8
# A string, whole or cut off, or the word that Python's own clients write for a missing cell (S33).
STRING_OR_NAN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|NaN', re.DOTALL)


def decode_json(body: bytes, schema: Schema, options: Mapping[str, str]) -> Iterator[Table]:  # noqa: ARG001
    """Read `{"instances": [...]}`, a list of rows, one row as a list, or one row as an object."""
    numbers = rectangle(body, "instances") if len(body) > SMALL_BYTES and schema.is_numeric else None
    yield _table(instances(body), schema) if numbers is None else Table(numbers)


def instances(body: bytes) -> list[object]:
    """Return the rows of a document as they stand in it; BodyError where it holds none."""
    document = _load(body.removeprefix(BOM_UTF8), "the body")
    if isinstance(document, dict) and "instances" in document:
        document = document["instances"]
    if isinstance(document, dict) or _is_one_row(document):
        document = [document]
    if not isinstance(document, list) or not document:
        raise BodyError('the body holds no rows; send {"instances": [[...], ...]} or [{"column": value}, ...]')
    return document


def decode_json_lines(body: bytes, schema: Schema, options: Mapping[str, str]) -> Iterator[Table]:  # noqa: ARG001
    """Read one row for each line."""
    first = 1
    for block in _blocks(body.removeprefix(BOM_UTF8).rstrip(b"\r\n")):
        lines = count(block, "\n") + 1
        numbers = None
        # every line end between two lists, so that each line holds whole ones
        if len(block) > SMALL_BYTES and schema.is_numeric and block.count(b"]\n[") == lines - 1:
            numbers = rectangle(b"[%b]" % block.replace(b"\n", b","))
        if numbers is not None and len(numbers) == lines:
            yield Table(numbers, first=first)
        else:
            yield _table(_lines(block, first), schema, first)
        first += lines


def _blocks(body: bytes) -> Iterator[bytes]:
    """Cut a body at line ends into blocks, whose objects are not all in memory at once."""
    start = 0
    while start <= len(body):
        end = body.find(b"\n", start + BLOCK_BYTES)
        end = len(body) if end < 0 else end
        yield body[start:end]
        start = end + 1


def _lines(block: bytes, first: int) -> list[object]:
    lines = block.split(b"\n")
    try:
        return list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return [_load(line, f"row {number}") for number, line in enumerate(lines, start=first)]


def _load(text: bytes, where: str) -> object:
    try:
        return orjson.loads(STRING_OR_NAN.sub(_null, text) if b"NaN" in text else text)
    except orjson.JSONDecodeError as error:
        if not text.strip():
            raise BodyError(f"{where} is empty") from error
        place = f", at character {_place(text, error)}" if error.doc else ""  # where it is no UTF-8 there is none
        raise BodyError(f"{where} is not JSON: {error.msg}{place}") from error


def _place(text: bytes, error: orjson.JSONDecodeError) -> int:
    """Count the characters up to an error as they were sent, before each NaN became a null."""
    if b"NaN" not in text:
        return error.pos + 1
    read = len(error.doc[: error.pos].encode())
    starts = (match.start() for match in STRING_OR_NAN.finditer(text) if match[0] == b"NaN")
    return error.pos + 1 - sum(start + grown < read for grown, start in enumerate(starts))


def _null(match: re.Match[bytes]) -> bytes:
    return b"null" if match[0] == b"NaN" else match[0]


def _is_one_row(document: object) -> bool:
    return isinstance(document, list) and bool(document) and not any(isinstance(item, list | dict) for item in document)


def _table(instances: list[object], schema: Schema, first: int = 1) -> Table:
    width = len(schema.columns)
    rows = [_row(instance, number, width) for number, instance in enumerate(instances, start=first)]
    if schema.is_numeric and len(rows) >= FEW_ROWS and all(type(row) is list for row in rows):
        is_even = len(set(map(len, rows))) == 1
        if is_even and set(map(type, chain.from_iterable(rows))) <= {float, int}:
            return Table(np.array(rows, dtype=np.float64), first=first)
    return Table(rows, first=first)


def _row(instance: object, number: int, width: int) -> Row:
    """Return the cells of one instance, out of the wrappings that SageMaker's formats put around them."""
    cells = instance
    for wrapping in ("data", "features"):
        if isinstance(cells, dict) and len(cells) == 1 and wrapping in cells:
            cells = cells[wrapping]
    if isinstance(cells, dict) and isinstance(cells.get("values"), list):
        cells = _dense(cells, number, width)
    if isinstance(cells, list | dict):
        return cells
    raise RowError(f"row {number}", "is no row; send a list of cells or an object that names them", cells)


def _dense(sparse: dict[str, object], number: int, width: int) -> list[object]:
    """Spell out `{"keys": [...], "shape": [n], "values": [...]}`; a cell that no key names is 0."""
    values, keys, shape = sparse["values"], sparse.get("keys"), sparse.get("shape")
    assert isinstance(values, list)  # noqa: S101 - the caller looked
    if keys is None:
        return values
    match keys, shape:
        case list(), [int(stated)] if stated == width and len(keys) == len(values):
            cells: list[object] = [0.0] * width
            for key, value in zip(keys, values, strict=True):
                if type(key) is not int or not 0 <= key < width:
                    raise BodyError(f"row {number}: key {json.dumps(key)[:60]} is not an index below {width}")
                cells[key] = value
            return cells
    raise BodyError(f'row {number}: a sparse row needs as many "keys" as "values", and "shape": [{width}]')
