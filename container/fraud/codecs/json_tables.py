"""JSON and JSON Lines in the shapes that clients send: lists of cells, or objects that name them (S36, S37)."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain

import numpy as np
import orjson

from fraud.errors import BodyError
from fraud.schema import Row, Schema, Table

# Below this the check of every type costs more than the matrix saves.
FEW_ROWS = 8


def decode_json(body: bytes, schema: Schema, options: Mapping[str, str]) -> Iterator[Table]:  # noqa: ARG001
    """Read `{"instances": [...]}`, a list of rows, one row as a list, or one row as an object."""
    document = _load(body, "the body")
    if isinstance(document, dict) and "instances" in document:
        document = document["instances"]
    if isinstance(document, dict) or _is_one_row(document):
        document = [document]
    if not isinstance(document, list) or not document:
        raise BodyError('the body holds no rows; send {"instances": [[...], ...]} or [{"column": value}, ...]')
    yield _table(document, schema)


def decode_json_lines(body: bytes, schema: Schema, options: Mapping[str, str]) -> Iterator[Table]:  # noqa: ARG001
    """Read one row for each line."""
    lines = body.rstrip(b"\r\n").split(b"\n")
    try:
        rows = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        rows = [_load(line, f"row {number}") for number, line in enumerate(lines, start=1)]
    yield _table(rows, schema)


def _load(text: bytes, where: str) -> object:
    try:
        # Python's own clients write NaN, which is no JSON, for a missing cell (S33)
        return json.loads(text) if b"NaN" in text else orjson.loads(text)
    except (ValueError, RecursionError) as error:
        problem = str(error).partition(": line")[0] if isinstance(error, ValueError) else "it is nested too deeply"
        raise BodyError(f"{where} is not JSON: {problem}") from error


def _is_one_row(document: object) -> bool:
    return isinstance(document, list) and not any(isinstance(item, list | dict) for item in document)


def _table(instances: list[object], schema: Schema) -> Table:
    rows = [_row(instance, number) for number, instance in enumerate(instances, start=1)]
    if schema.is_numeric and len(rows) >= FEW_ROWS and all(type(row) is list for row in rows):
        is_even = len(set(map(len, rows))) == 1
        if is_even and set(map(type, chain.from_iterable(rows))) <= {float, int}:
            try:
                return Table(np.array(rows, dtype=np.float64))
            except OverflowError:
                return Table(rows)
    return Table(rows)


def _row(instance: object, number: int) -> Row:
    """Return the cells of one instance, out of the wrappings that SageMaker's formats put around them."""
    cells = instance
    for wrapping in ("data", "features"):
        if isinstance(cells, dict) and len(cells) == 1 and wrapping in cells:
            cells = cells[wrapping]
    if isinstance(cells, dict) and isinstance(cells.get("values"), list):
        cells = _dense(cells, number)
    if isinstance(cells, list | dict):
        return cells
    raise BodyError(f"row {number} is {json.dumps(cells)[:60]}; a row is a list of cells or an object that names them")


def _dense(sparse: dict[str, object], number: int) -> list[object]:
    """Spell out `{"keys": [...], "shape": [n], "values": [...]}`; a cell that no key names is 0."""
    values, keys, shape = sparse["values"], sparse.get("keys"), sparse.get("shape")
    assert isinstance(values, list)  # noqa: S101 - the caller looked
    if keys is None:
        return values
    match keys, shape:
        case list(), [int(width)] if len(keys) == len(values) and 0 < width <= 100_000:
            cells: list[object] = [0.0] * width
            for key, value in zip(keys, values, strict=True):
                if type(key) is not int or not 0 <= key < width:
                    raise BodyError(f"row {number}: key {json.dumps(key)[:60]} is not an index below {width}")
                cells[key] = value
            return cells
    raise BodyError(f'row {number}: a sparse row needs as many "keys" as "values", and "shape": [columns]')
