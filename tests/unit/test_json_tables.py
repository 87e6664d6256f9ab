import json
import math

import numpy as np
import pytest

from fraud.codecs.json_tables import FEW_ROWS, decode_json, decode_json_lines
from fraud.errors import BodyError, ColumnError, RowError, RowWidthError
from fraud.schema import Column, Schema

SCHEMA = Schema((Column("a"), Column("b")), "Class")
WORDS = Schema((Column("a"), Column("b", "category", ("NaN", 'say "NaN"', "x"))), "Class")


def decoded(body: bytes | str, schema: Schema = SCHEMA) -> list[list[float]]:
    text = body.encode() if isinstance(body, str) else body
    return [row for table in decode_json(text, schema, {}) for row in schema.rows(table).X.tolist()]


def decoded_lines(body: bytes, schema: Schema = SCHEMA) -> list[list[float]]:
    return [row for table in decode_json_lines(body, schema, {}) for row in schema.rows(table).X.tolist()]


@pytest.mark.parametrize(
    "instance",
    [
        "[1, 2]",
        '["1", " 2 "]',
        '{"features": [1, 2]}',
        '{"data": {"features": {"values": [1, 2]}}}',
        '{"data": {"features": [1, 2]}}',
        '{"data": [1, 2]}',
        '{"values": [1, 2]}',
        '{"keys": [1, 0], "shape": [2], "values": [2, 1]}',
        '{"a": 1, "b": 2}',
        '{"B": 2, "A": 1}',
        '{"features": {"b": 2, "a": 1}}',
        '{"b": "2", "a": 1, "Class": 0}',
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{{"instances": [{row}]}}', id="instances"),
        pytest.param('{{"instances": {row}}}', id="one instance"),
        pytest.param("[{row}]", id="list"),
        pytest.param("{row}", id="alone"),
    ],
)
def test_shapes(body: str, instance: str) -> None:
    """A row is read the same in every shape that SageMaker's clients send, as JSON and as a line (S36, S37)."""
    assert decoded(body.format(row=instance)) == [[1, 2]]
    assert decoded_lines(f"{instance}\r\n{instance}\n\n".encode()) == [[1, 2], [1, 2]]


def test_sparse_zero() -> None:
    """A cell that no key of a sparse row names is 0."""
    assert decoded('{"keys": [1], "shape": [2], "values": [5]}') == [[0, 5]]
    assert decoded('{"keys": [], "shape": [2], "values": []}') == [[0, 0]]


@pytest.mark.parametrize("count", [1, FEW_ROWS - 1, FEW_ROWS, 100])
def test_few_and_many(count: int) -> None:
    """Few rows and many are read alike, whole numbers beyond 64 bits included."""
    row = [2**54 + 2**30 + 1, 10**30]
    expected = np.array([row] * count, dtype=np.float64).astype(np.float32).tolist()

    assert decoded(json.dumps([row] * count)) == expected


def test_many_rows_are_a_matrix() -> None:
    """Many rows of numbers become a matrix at once; a boolean, a word or a missing cell among them does not."""
    many = [[1, 2.5]] * FEW_ROWS
    [numbers] = decode_json(json.dumps(many).encode(), SCHEMA, {})
    [mixed] = decode_json(json.dumps([*many, ["1", None]]).encode(), SCHEMA, {})

    assert isinstance(numbers.cells, np.ndarray)
    assert isinstance(mixed.cells, list)


@pytest.mark.parametrize("missing", ["NaN", "null", '""', '"NaN"', '"null"'])
def test_missing(missing: str) -> None:
    """A missing cell is read as one in each way that clients write it, NaN as Python writes it included (S33)."""
    [row] = decoded(f'{{"instances": [[{missing}, 2]]}}')
    [line, _] = decoded_lines(f"[{missing}, 2]\n[1, 2]".encode())

    assert math.isnan(row[0])
    assert math.isnan(line[0])
    assert row[1] == line[1] == 2


def test_nan_in_words() -> None:
    """The word NaN inside a string stays, whatever quotes stand around it."""
    body = json.dumps([[math.nan, "NaN"], [1, 'say "NaN"'], [2, "x"]])
    rows = decoded(body, WORDS)

    assert math.isnan(rows[0][0])
    assert [row[1] for row in rows] == [0, 1, 2]


@pytest.mark.parametrize(
    "body",
    [
        *('[[NaN, "', '[["\\', '{"a": NaN', "NaNNaN", "[-NaN, 1]", "[NaNs]", '"NaN', "{NaN: 1}", "[[NaN, Infinity]]"),
        *("[[NaN, 1e400]]", "[[NaN, -Infinity]]", '[[NaN, "\\ud800"]]', '{"\\ud800": NaN}', f"[[NaN, {'9' * 5000}]]"),
        "[NaN," + "[" * 100_000,
        '[NaN, "' + '\\"' * 100_000,
    ],
)
def test_broken_with_nan(body: str) -> None:
    """NaN is all that is allowed beyond JSON; what else is broken is refused, and at once."""
    with pytest.raises(BodyError, match=r"^the body is not JSON: "):
        decoded(body)


@pytest.mark.parametrize(
    "body", ["[]", '{"instances": []}', '{"instances": 5}', '{"instances": null}', '"x"', "5", "true"]
)
def test_no_rows(body: str) -> None:
    """A document without rows is refused with the shape that is wanted."""
    with pytest.raises(BodyError, match=r'^the body holds no rows; send \{"instances": \[\[...\], ...\]\}'):
        decoded(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("[[1, 2], 41115]", r'row 2: "41115" is no row; send a list of cells or an object', id="number"),
        pytest.param('[[1, 2], "41115"]', r'row 2: "41115" is no row', id="word"),
        pytest.param('{"features": 41115}', r'row 1: "41115" is no row', id="wrapped"),
        pytest.param("[[1, true]]", r'row 1, column "b": "true" is not a number', id="boolean"),
        pytest.param("[[1, [2]]]", r'row 1, column "b": "\[2\]" is not a number', id="list"),
        pytest.param("[[1, 2], null]", r'row 2: "null" is no row', id="null"),
        pytest.param('[[1, {"é": null}]]', r'row 1, column "b": "\{"é": null\}" is not a number', id="object of cells"),
        pytest.param("[[1, {}]]", r'row 1, column "b": "\{\}" is not a number', id="object"),
        pytest.param("[[1, 1e39]]", r'row 1, column "b": "1e\+39" is not a finite number', id="infinite"),
        pytest.param('[[1, "inf"]]', r'row 1, column "b": "inf" is not a finite number', id="infinite word"),
    ],
)
def test_wrong_rows(body: str, message: str) -> None:
    """A row or cell that does not fit is named to its sender, and its value to nobody else."""
    with pytest.raises(RowError, match=f"^{message}") as caught:
        decoded(body)

    assert str(caught.value).split('"')[-2] not in caught.value.public


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({"keys": [2], "shape": [2], "values": [1]}, "row 1: key 2 is not an index below 2", id="too far"),
        pytest.param({"keys": [-1], "shape": [2], "values": [1]}, "row 1: key -1 is not an index", id="negative"),
        pytest.param({"keys": [True], "shape": [2], "values": [1]}, "row 1: key true is not an index", id="boolean"),
        pytest.param({"keys": ["a"], "shape": [2], "values": [1]}, 'row 1: key "a" is not an index', id="name"),
        pytest.param({"keys": [0], "shape": [2], "values": [1, 2]}, r'needs as many "keys" as "values"', id="lengths"),
        pytest.param({"keys": [0], "shape": [3], "values": [1]}, r'and "shape": \[2\]$', id="another width"),
        pytest.param(
            {"keys": [0], "shape": [10**9], "values": [1]}, r'and "shape": \[2\]$', id="a width to fill memory"
        ),
        pytest.param({"keys": [0], "shape": [True], "values": [1]}, r'and "shape": \[2\]$', id="boolean width"),
        pytest.param({"keys": [0], "shape": 2, "values": [1]}, r'and "shape": \[2\]$', id="shape is no list"),
        pytest.param({"keys": [0], "values": [1]}, r'and "shape": \[2\]$', id="no shape"),
        pytest.param({"keys": {"a": 1}, "shape": [2], "values": [1]}, 'needs as many "keys"', id="keys are no list"),
    ],
)
def test_sparse(row: dict[str, object], message: str) -> None:
    """A sparse row that does not add up is refused with what would be right."""
    with pytest.raises(BodyError, match=message):
        decoded(json.dumps(row))


@pytest.mark.parametrize("count", [1, FEW_ROWS + 1])
def test_widths(count: int) -> None:
    """Rows of another width are refused by number, few or many."""
    for width in (0, 1, 3):
        with pytest.raises(RowWidthError, match=f"row {count} has {width} cells; this model reads 2"):
            decoded(json.dumps({"instances": [[1, 2]] * (count - 1) + [[1] * width]}))


def test_unknown_name() -> None:
    """A misspelt name is refused by row."""
    with pytest.raises(ColumnError, match='row 2: there is no column "c"'):
        decoded('[{"a": 1}, {"c": 1}]')


@pytest.mark.parametrize(
    ("body", "row"),
    [
        pytest.param(b"[1,2]\n[1,2", 2, id="cut off"),
        pytest.param(b"[1,2] [3,4]", 1, id="two on a line"),
        pytest.param(b"[1,2]\n\xff", 2, id="no text"),
    ],
)
def test_broken_line(body: bytes, row: int) -> None:
    """A line that is no JSON is refused by its number."""
    with pytest.raises(BodyError, match=f"^row {row} is not JSON: "):
        decoded_lines(body)


@pytest.mark.parametrize(
    ("body", "row"),
    [
        pytest.param(b"[1,2]\n\n[1,2]", 2, id="blank line"),
        pytest.param(b"[1,2]\n \r\n[1,2]", 2, id="line of spaces"),
        pytest.param(b"\n[1,2]", 1, id="first line blank"),
    ],
)
def test_empty_line(body: bytes, row: int) -> None:
    """An empty line is called so."""
    with pytest.raises(BodyError, match=f"^row {row} is empty$"):
        decoded_lines(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("[[1, 2],, [3, 4]]", "expected a JSON value, at character 9", id="a comma"),
        pytest.param('[["é", Infinity]]', "expected a JSON value, at character 8", id="after a letter of two bytes"),
        pytest.param('[[NaN, "é NaN", null, NaN, Infinity]]', "JSON value, at character 28", id="after NaN"),
        pytest.param("[[NaN, 1", "unexpected end of data, at character 9", id="cut off after NaN"),
        pytest.param(b'["\xff", 1]', "str is not valid UTF-8: surrogates not allowed", id="no text"),
    ],
)
def test_place_of_what_is_no_json(body: bytes | str, message: str) -> None:
    """The place where JSON breaks off is told in characters of what was sent, and nothing of what stands there."""
    with pytest.raises(BodyError, match=f"^the body is not JSON: [^(]*{message}$"):
        decoded(body)
