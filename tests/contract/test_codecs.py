import csv
import gzip
import io
import json
import math
from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraud import codecs
from fraud.codecs import DECODERS, ENCODERS, Answer, answers, csv_tables, decode, encode, negotiate
from fraud.errors import AcceptError, BodyError, ColumnError, MediaTypeError, UserError
from fraud.model.scores import Scores
from fraud.schema import Column, Matrix, Schema
from fraud.settings import OUTPUTS, Output

NAMES = ("Time", "V1", "V2", "V3", "Amount")
SCHEMA = Schema(tuple(map(Column, NAMES)), "Class", ("id",))
MIXED = Schema((Column("Amount"), Column("card", "category", ("amex", "visa")), Column("web", "boolean")), "Class")
ROWS: list[list[float | None]] = [[0, -1.5, 2.25e-7, 3.0, 9.99], [1, None, 1e20, -0.0, 0.1], [2, 7, 8, 9, 1 / 3]]
MANY = ROWS * 200

type Cells = Sequence[Sequence[float | None]]

CSV_TYPES = [name for name, decoder in DECODERS.items() if decoder is csv_tables.decode_csv]
JSON_TYPES = [codecs.JSON]
LINE_TYPES = [name for name in DECODERS if name not in CSV_TYPES + JSON_TYPES]
# The same examples in every run: a failure is of the change at hand.
EXAMPLES = settings(
    max_examples=700, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def matrix(content_type: str, body: bytes, schema: Schema = SCHEMA) -> Matrix:
    return np.concatenate([schema.rows(table).X for table in decode(content_type, body, schema)])


def expected(rows: Cells) -> Matrix:
    return np.array(rows, dtype=np.float64).astype(np.float32)


def written(rows: Cells, end: str = "\n", quoting: int = csv.QUOTE_MINIMAL, missing: str = "") -> bytes:
    text = io.StringIO()
    cells = [[missing if cell is None else cell for cell in row] for row in rows]
    csv.writer(text, lineterminator=end, quoting=quoting).writerows(cells)  # type: ignore[arg-type]
    return text.getvalue().encode()


def header(*names: str) -> bytes:
    return ",".join(names).encode() + b"\n"


def sparse(row: Sequence[float | None]) -> dict[str, object]:
    return {"keys": [4, 3, 2, 1, 0], "shape": [5], "values": list(row)[::-1]}


def reordered(rows: Cells, order: Sequence[int]) -> list[list[float | None]]:
    return [[row[position] for position in order] for row in rows]


def by_name(row: Sequence[float | None], fold: Callable[[str], str] = str) -> dict[str, float | None]:
    return {fold(name): cell for name, cell in reversed(list(zip(NAMES, row, strict=True)))}


CSV_FORMS: dict[str, Callable[[Cells], bytes]] = {
    "bare": written,
    "no newline at the end": lambda rows: written(rows).rstrip(b"\n"),
    "CRLF": lambda rows: written(rows, end="\r\n"),
    "CR": lambda rows: written(rows, end="\r"),
    "quoted": lambda rows: written(rows, quoting=csv.QUOTE_ALL),
    "byte order mark": lambda rows: b"\xef\xbb\xbf" + written(rows),
    "missing as nan": lambda rows: written(rows, missing="nan"),
    "missing as NULL": lambda rows: written(rows, missing="NULL"),
    "header": lambda rows: header(*NAMES) + written(rows),
    "header, mark and CRLF": lambda rows: (
        b"\xef\xbb\xbf" + header(*NAMES).strip() + b"\r\n" + written(rows, end="\r\n")
    ),
    "header, quoted": lambda rows: b'"Time","V1","V2","V3","Amount"\n' + written(rows, quoting=csv.QUOTE_ALL),
    "header in another order and case": lambda rows: (
        header("AMOUNT", "v2", "V1", "time", "V3") + written(reordered(rows, [4, 2, 1, 0, 3]))
    ),
    "header with label and id": lambda rows: header("id", *NAMES, "class") + written([[7, *row, 1] for row in rows]),
}
JSON_FORMS: dict[str, Callable[[Cells], object]] = {
    "instances": lambda rows: {"instances": rows},
    "rows": lambda rows: rows,
    "features": lambda rows: {"instances": [{"features": row} for row in rows]},
    "data, features, values": lambda rows: {"instances": [{"data": {"features": {"values": row}}} for row in rows]},
    "sparse": lambda rows: [sparse(row) for row in rows],
    "records": lambda rows: [by_name(row) for row in rows],
    "records in upper case": lambda rows: {"instances": [by_name(row, str.upper) for row in rows]},
    "v, time, amount": lambda rows: [{"v": row[1:4], "time": row[0], "amount": row[4]} for row in rows],
    "words": lambda rows: [["" if cell is None else str(cell) for cell in row] for row in rows],
    "NaN": lambda rows: [[math.nan if cell is None else cell for cell in row] for row in rows],
    "extras": lambda rows: [{**by_name(row), "Class": 1, "ID": "x"} for row in rows],
}


@pytest.mark.parametrize("rows", [pytest.param(ROWS, id="few"), pytest.param(MANY, id="many")])
@pytest.mark.parametrize("form", CSV_FORMS)
@pytest.mark.parametrize("content_type", CSV_TYPES)
def test_csv_forms(content_type: str, form: str, rows: Cells) -> None:
    """The same rows give the same matrix however CSV is written."""
    np.testing.assert_array_equal(matrix(content_type, CSV_FORMS[form](rows)), expected(rows))


@pytest.mark.parametrize("rows", [pytest.param(ROWS, id="few"), pytest.param(MANY, id="many")])
@pytest.mark.parametrize("form", JSON_FORMS)
@pytest.mark.parametrize("content_type", JSON_TYPES)
def test_json_forms(content_type: str, form: str, rows: Cells) -> None:
    """The same rows give the same matrix in every shape of JSON (S36)."""
    body = json.dumps(JSON_FORMS[form](rows)).encode()

    np.testing.assert_array_equal(matrix(content_type, body), expected(rows))


@pytest.mark.parametrize("rows", [pytest.param(ROWS, id="few"), pytest.param(MANY, id="many")])
@pytest.mark.parametrize("form", [form for form in JSON_FORMS if isinstance(JSON_FORMS[form](ROWS), list)])
@pytest.mark.parametrize("content_type", LINE_TYPES)
def test_line_forms(content_type: str, form: str, rows: Cells) -> None:
    """The same rows give the same matrix in every shape of JSON Lines (S37)."""
    instances = JSON_FORMS[form](rows)
    assert isinstance(instances, list)
    body = "\n".join(map(json.dumps, instances)).encode()

    np.testing.assert_array_equal(matrix(content_type, body), expected(rows))


@pytest.mark.parametrize("rows", [pytest.param(ROWS, id="few"), pytest.param(MANY, id="many")])
@pytest.mark.parametrize("content_type", JSON_TYPES + LINE_TYPES)
def test_byte_order_mark(content_type: str, rows: Cells) -> None:
    """The mark that Windows writes before UTF-8 is no part of JSON either."""
    body = json.dumps(rows) if content_type in JSON_TYPES else "\n".join(map(json.dumps, rows))

    np.testing.assert_array_equal(matrix(content_type, b"\xef\xbb\xbf" + body.encode()), expected(rows))


def test_every_type_has_forms() -> None:
    """Each media type that is read is tried here, in its forms."""
    assert set(DECODERS) == {*CSV_TYPES, *JSON_TYPES, *LINE_TYPES}
    assert len(LINE_TYPES) == 2


@pytest.mark.parametrize("content_type", DECODERS)
@pytest.mark.parametrize("spelling", ["{}; charset=utf-8", "{} ; label_size=0", "{};", "  {}"])
def test_parameters(content_type: str, spelling: str) -> None:
    """A content type is heeded whatever its case, spaces and parameters (S23)."""
    body = written(ROWS) if content_type in CSV_TYPES else json.dumps(ROWS[0]).encode()

    assert len(matrix(spelling.format(content_type.upper()), body)) >= 1


@pytest.mark.parametrize("content_type", [None, ""])
def test_no_type(content_type: str | None) -> None:
    """A body without a content type is CSV (S24)."""
    [table] = decode(content_type, written(ROWS), SCHEMA)

    np.testing.assert_array_equal(SCHEMA.rows(table).X, expected(ROWS))


@pytest.mark.parametrize(
    "content_type", ["text/libsvm", "application/x-npy", "csv", ";", "text/csv, application/json", "\xff"]
)
def test_unknown_type(content_type: str) -> None:
    """A content type that is not read here is refused with those that are."""
    with pytest.raises(
        MediaTypeError, match="is not read here; send text/csv, application/json, application/jsonlines"
    ):
        decode(content_type, b"1", SCHEMA)


def test_kinds_in_every_format() -> None:
    """Categories, booleans and missing cells are read the same in CSV, JSON and JSON Lines."""
    records: list[dict[str, object]] = [
        {"Amount": 1.5, "card": "visa", "web": True},
        {"Amount": None, "card": "diners", "web": False},
    ]
    rows = [list(record.values()) for record in records]
    in_csv = matrix(codecs.CSV, b"1.5, visa ,true\n,diners,no\n", MIXED)
    in_json = [matrix(codecs.JSON, json.dumps(body).encode(), MIXED) for body in (records, rows)]
    in_lines = matrix(codecs.JSON_LINES, "\n".join(map(json.dumps, records)).encode(), MIXED)

    np.testing.assert_array_equal(in_csv, [[1.5, 1, 1], [np.nan, np.nan, 0]])
    for other in (*in_json, in_lines):
        np.testing.assert_array_equal(other, in_csv)


HOSTILE_CSV = [
    *(
        b"\n",
        b"\n1,2,3,4,5",
        b"\r\n1,2,3,4,5",
        b"\r",
        b"\x00",
        b"\x00,\x00,\x00,\x00,\x00",
        b"\xff",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"1",
        b"1,2,3,4",
        b"1,2,3,4,5,6",
        b"1,2,3,4,5,",
        b",",
        b"1;2;3;4;5",
        b"1 2 3 4 5",
        b"1\t2\t3\t4\t5",
        b"1,2,3,4,5\n\n1,2,3,4,5",
    ),
    *(
        b"1,2,3,4\n1,2,3,4,5,6",
        b"1,2,3,4,5\n1,2,3,4\n1,2,3,4,5,6",
        b'"1,2,3,4,5"',
        b'1,2,3,4,"5',
        b'1,2,3,4,"5\n',
        b'"',
        b'""',
        b'"1"2,2,3,4,5',
    ),
    *(
        b'1,2,3,4,"5" ',
        b"1,2,3,4,'5'",
        b'1,2,3,4,"5\n6"',
        b"1,2,3,4,x",
        b"1,2,3,4,1_000",
        b"1,2,3,4,0x10",
        b"1,2,3,4,1e",
        b"1,2,3,4,--5",
    ),
    *(
        b"1,2,3,4,inf",
        b"1,2,3,4,-inf",
        b"1,2,3,4,Infinity",
        b"1,2,3,4,1e39",
        b"1,2,3,4,-1e39",
        b"1,2,3,4,1e400",
        b"1,2,3,4,true",
        b"1,2,3,4,yes",
    ),
    *(
        b"1,2,3,4,1.2.3",
        b"1,2,3,4,12,5",
        b'1,2,3,4,"12,5"',
        b"1,2,3,4,\xd9\xa1",
        b"1,2,3,4,\xc2\xbd",
        b"1,2,3,4,5\x00",
        b"1,2,3,4,\xff",
        b"1,2,3,4,5\n\xff",
    ),
    *(
        b"1,2,3,4," + b"9" * 400,
        b"1,2,3,4," + b"9" * 200_000,
        b"1,2,3,4," + b"x" * 200_000,
        b"," * 100_000,
        b'"",' * 50_000,
    ),
    *(
        header(*NAMES),
        header(*NAMES) + b"\n\n",
        header(*NAMES) + b"1,2,3,4",
        header(*NAMES) + b"1,2,3,4,x",
        header(*NAMES[:4]) + b"1,2,3,4",
    ),
    *(
        header(*NAMES, "V4") + b"1,2,3,4,5,6",
        header(*NAMES, "V1") + b"1,2,3,4,5,6",
        header(*NAMES, "v1") + b"1,2,3,4,5,6",
    ),
    *(
        header(*NAMES, "") + b"1,2,3,4,5,6",
        b'"Time,V1,V2,V3,Amount\n1,2,3,4,5',
        b'"Ti\nme",V1,V2,V3,Amount\n1,2,3,4,5',
        b"a,b,c,d,e",
        b"nan",
    ),
    *(
        b"nan,nan",
        b"<html></html>",
        b"[[1,2,3,4,5]]",
        b'{"instances":[[1,2,3,4,5]]}',
        b"PK\x03\x04",
        b"\x1f\x8b\x08\x00",
        b"%PDF-1.7",
        b"=1+1,2,3,4,5",
    ),
]
HOSTILE_CSV += [
    written(MANY) + bad for bad in (b"1,2,3,4", b"1,2,3,4,5,6", b"1,2,3,4,x", b"1,2,3,4,1e39", b'1,2,3,4,"5', b"\xff")
]
HOSTILE_ROWS = [
    *(
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"[1,2,3,4,\xef\xbb\xbf5]",
        b"[1,2,3,4,5]".decode().encode("utf-16"),
        b"{",
        b"[",
        b"]",
        b"[[",
        b"nul",
        b"tru",
        b"NaN",
        b"Infinity",
    ),
    *(
        b"5",
        b"-1e5",
        b"true",
        b"null",
        b'"1,2,3,4,5"',
        b"1,2,3,4,5",
        b"'x'",
        b"{}",
        b"[]",
        b"[[]]",
        b"[{}]",
        b"[[],[]]",
        b"[null]",
        b"[[null]]",
    ),
    *(
        b"[1,2,3,4]",
        b"[1,2,3,4,5,6]",
        b"[1,2,3,4,5",
        b"[1,2,3,4,5]]",
        b"[1,2,3,4,5],",
        b"[1,2,3,4,]",
        b"[1,,3,4,5]",
        b"[01,2,3,4,5]",
        b"[.5,2,3,4,5]",
        b"[+1,2,3,4,5]",
    ),
    *(
        b"[1,2,3,4,true]",
        b'[1,2,3,4,"x"]',
        b'[1,2,3,4,"1_0"]',
        b'[1,2,3,4,"inf"]',
        b"[1,2,3,4,1e39]",
        b"[1,2,3,4,-1e39]",
        b"[1,2,3,4,1e400]",
        b"[1,2,3,4,Infinity]",
    ),
    *(
        b"[NaN,2,3,4,Infinity]",
        b"[NaN,2,3,4,-NaN]",
        b"[NaN,2,3,4,1e400]",
        b"[NaN,2,3,4," + b"9" * 5000 + b"]",
        b"[1,2,3,4," + b"9" * 400 + b"]",
        b"[1,2,3,4,1e39999999999]",
    ),
    *(
        b'[NaN,2,3,4,"\\ud800"]',
        b'{"\\ud800":1}',
        b'{"\\ud800":NaN}',
        b"[1,2,3,4,[5]]",
        b"[1,2,3,4,{}]",
        b"[" * 100_000,
        b"[NaN," + b"[" * 100_000,
        b"[1,2,3,4," + b"[" * 900 + b"]" * 900 + b"]",
    ),
    *(
        b'{"Time":1,"x":2}',
        b'{"Time":1,"time":2}',
        b'{"Class":1}',
        b'{"":1}',
        b'{"v":[1,2]}',
        b'{"v":[1,2,3,4]}',
        b'{"v":[]}',
        b'{"v":5}',
        b'{"v":[1,2,3],"V1":1}',
        b'{"Time":[1]}',
    ),
    *(
        b'{"Time":{}}',
        b'{"Time":"x"}',
        b'{"Time":true}',
        b'{"Time":1e39}',
        b'{"features":5}',
        b'{"features":null}',
        b'{"features":[1]}',
        b'{"features":{}}',
        b'{"data":"x"}',
        b'{"data":{"features":{"values":5}}}',
    ),
    *(
        b'{"values":[1]}',
        b'{"values":[1],"keys":[0]}',
        b'{"values":[1],"keys":[5],"shape":[5]}',
        b'{"values":[1],"keys":[0],"shape":[1e9]}',
        b'{"values":[1],"keys":[0],"shape":[999999999]}',
    ),
    *(
        b'{"values":[1],"keys":[-1],"shape":[5]}',
        b'{"values":[1],"keys":["a"],"shape":[5]}',
        b'{"values":[1],"keys":[[]],"shape":[5]}',
        b'{"values":[{}],"keys":[0],"shape":[5]}',
        b'{"values":[1,2],"keys":[0],"shape":[5]}',
    ),
]
HOSTILE_JSON = [
    *(
        b'{"instances":[]}',
        b'{"instances":5}',
        b'{"instances":null}',
        b'{"instances":{}}',
        b'{"instances":"x"}',
        b'{"instances":[5,[1,2,3,4,5]]}',
        b'{"instances":[[1,2,3,4,5],null]}',
        b'{"instances":[[1,2,3,4,5],[1]]}',
    ),
    *(
        b'{"instances":[[1,2,3,4,5]],}',
        b'{"Instances":[[1,2,3,4,5]]}',
        b'{"rows":[[1,2,3,4,5]]}',
        b"[[1,2,3,4,5],5]",
        b"[5,[1,2,3,4,5]]",
        b'[[1,2,3,4,5],{"x":1}]',
        b"[[[1,2,3,4,5]]]",
        b"[1,2,3,4,5] [1,2,3,4,5]",
    ),
    json.dumps([*MANY, [1, 2, 3, 4]]).encode(),
    json.dumps([*MANY, [1, 2, 3, 4, True]]).encode(),
    json.dumps([[1.0] * 5] * 20 + [[1e39] * 5]).encode(),
    json.dumps([[1.0] * 5] * 20 + [[10**200] * 5]).encode(),
    json.dumps([[1.0] * 4] * 20).encode(),
]
HOSTILE_LINES = [
    *(
        b"\n[1,2,3,4,5]",
        b"[1,2,3,4,5]\n\n[1,2,3,4,5]",
        b"[1,2,3,4,5]\n[1",
        b"[[1,2,3,4,5]]",
        b'{"instances":[[1,2,3,4,5]]}',
        b"[1,2,\n3,4,5]",
        b"[1,2,3,4,5]\n5",
    )
]
HOSTILE = {
    **dict.fromkeys(CSV_TYPES, HOSTILE_CSV),
    **dict.fromkeys(JSON_TYPES, HOSTILE_ROWS + HOSTILE_JSON),
    **dict.fromkeys(LINE_TYPES, HOSTILE_ROWS + HOSTILE_LINES),
}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param(content_type, body, id=f"{content_type}-{number}")
        for content_type in DECODERS
        for number, body in enumerate(HOSTILE[content_type])
    ],
)
def test_hostile_body(content_type: str, body: bytes) -> None:
    """A malformed body is refused as its sender's to mend, in a message that an answer can carry."""
    with pytest.raises(UserError, match=r".") as caught:
        matrix(content_type, body)

    assert len(json.dumps({"message": str(caught.value)}, ensure_ascii=False).encode()) < 1000


@pytest.mark.parametrize("content_type", DECODERS)
def test_enough_hostile_bodies(content_type: str) -> None:
    """Each media type is tried with sixty different malformed bodies or more."""
    assert len(set(HOSTILE[content_type])) >= 60


@pytest.mark.parametrize("content_type", DECODERS)
@pytest.mark.parametrize("body", [b"", b" ", b"\n\r\n \t"])
def test_empty_body(content_type: str, body: bytes) -> None:
    """An empty body is refused (S30)."""
    with pytest.raises(UserError, match=r"^the body is empty; send at least one row$"):
        decode(content_type, body, SCHEMA)


def read_or_refuse(content_type: str, body: bytes, schema: Schema) -> None:
    """Read a body; what comes out fits the model, or a UserError says why not."""
    try:
        X = matrix(content_type, body, schema)
    except UserError as error:
        str(error).encode()
        return
    assert X.shape[1] == len(schema.columns)
    assert X.dtype == np.float32
    assert not np.isinf(X).any()


FRAGMENTS = [
    b"1",
    b"-2.5",
    b"nan",
    b"NaN",
    b"inf",
    b"x",
    b",",
    b",",
    b'"',
    b"\n",
    b"\r",
    b"[",
    b"]",
    b"{",
    b"}",
    b":",
    b"1e39",
    b"null",
    b"\xff",
]
FRAGMENTS += [
    b'"V1"',
    b'"v"',
    b"Time",
    b"[1,2,3,4,5]",
    b"1,2,3,4,5\n",
    b'{"instances":',
    b'{"features":',
    b"\\",
    b"\x00",
    b"\xef\xbb\xbf",
    b"visa",
    b"true",
]


@pytest.mark.parametrize("schema", [pytest.param(SCHEMA, id="numbers"), pytest.param(MIXED, id="mixed")])
@EXAMPLES
@given(body=st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join)))
def test_arbitrary_bytes(schema: Schema, body: bytes) -> None:
    """No body at all makes a decoder fail in a way that its sender is not told of."""
    for content_type in DECODERS:
        read_or_refuse(content_type, body, schema)


VALID = [
    *((codecs.CSV, form(ROWS)) for form in CSV_FORMS.values()),
    *((codecs.JSON, json.dumps(form(ROWS)).encode()) for form in JSON_FORMS.values()),
    *(
        (
            codecs.JSON_LINES,
            b"\n".join(json.dumps(row).encode() for row in (ROWS[0], by_name(ROWS[1]))),
        )
        for _ in "x"
    ),
]


@EXAMPLES
@given(
    valid=st.sampled_from(VALID),
    place=st.floats(0, 1),
    removed=st.integers(0, 4),
    inserted=st.one_of(st.binary(max_size=3), st.sampled_from(FRAGMENTS)),
    is_large=st.booleans(),
)
def test_mutated_bodies(valid: tuple[str, bytes], place: float, removed: int, inserted: bytes, is_large: bool) -> None:
    """A valid body with a piece cut out or put in is read or refused, large or small."""
    content_type, body = valid
    at = int(place * len(body))
    mutated = body[:at] + inserted + body[at + removed :]
    if is_large and content_type == codecs.CSV:
        mutated += b"\n" + written(MANY)

    read_or_refuse(content_type, mutated, SCHEMA)


@EXAMPLES
@given(
    content_type=st.one_of(
        st.text(max_size=30), st.text("textcsv/; =\"'*-_charset utf8header", max_size=30).map("text/csv;".__add__)
    )
)
def test_arbitrary_types(content_type: str) -> None:
    """No content type and no Accept makes the negotiation fail in a way that its sender is not told of."""
    try:
        read_or_refuse(content_type, b"1,2,3,4,5", SCHEMA)
        answered = negotiate(content_type, content_type)
    except UserError:
        return
    assert answered in ENCODERS


# Rows of `1,2,3` that make a body large.
CONTINUED = csv_tables.SMALL_BYTES // 6 + 1

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"[+-]?[0-9]{1,20}\.[0-9]{0,25}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(
        ["", "nan", "NaN", "NULL", "NA", "n/a", "-0", " 1 ", "1.", ".5", '"7"', '""', "3.4028235e38", "1e39"]
    ),
    st.text("0123456789.eE+-_ \"'\tnaxX\x00", max_size=6),
)


@EXAMPLES
@given(
    rows=st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_paths_agree(rows: list[list[str]], end: str) -> None:
    """The parser for large bodies gives what the csv module gives, bit for bit but for the sign of 0, or leaves it."""
    schema = Schema((Column("a"), Column("b"), Column("c")), "Class")
    small = end.join(map(",".join, rows)).encode()
    large = small + (end + "1,2,3").encode() * CONTINUED

    assert outcome(large, schema) == outcome(small, schema)


def outcome(body: bytes, schema: Schema) -> tuple[str, bytes]:
    """Return the error, or the first rows; a large body continues with rows of `1,2,3`."""
    continued = np.array([[1, 2, 3]] * CONTINUED, dtype=np.float32)
    try:
        X = np.concatenate(
            [schema.rows(table).X for table in csv_tables.decode_csv(body, schema, {"header": "absent"})]
        )
    except UserError as error:
        return error.public.partition(":")[0], b""
    if len(X) > len(continued):
        np.testing.assert_array_equal(X[-len(continued) :], continued)
        X = X[: -len(continued)]
    return "", (X + 0).tobytes()  # which 0 it is, no tree sees


ALERTS = np.array([False, False, True])
SCORES = Scores(np.array([-7.25, 0.0, 3.5]), np.array([1e-9, 1 / 3, 0.97]), ALERTS, ALERTS)
# The words whose cells are JSON in CSV too; how CSV writes the others is in test_answers.
NUMERIC = tuple(name for name in answers.OUTPUTS if name not in ("decision", "reasons"))
OUTPUT_LISTS = [(), *((name,) for name in NUMERIC), NUMERIC]


def records(media_type: str, body: bytes, names: Sequence[str]) -> list[dict[str, object]]:
    """Read an answer back as a strict client would."""
    if media_type == codecs.JSON:
        document = strict(body)
        assert isinstance(document, dict)
        assert list(document) == ["predictions"]
        return list(document["predictions"])
    assert body.endswith(b"\n")
    if media_type == codecs.CSV:
        rows = csv.reader(io.StringIO(body.decode(), newline=""), strict=True)
        return [dict(zip(names, map(strict, row), strict=True)) for row in rows]
    return [dict(strict(line)) for line in body.splitlines()]  # type: ignore[call-overload]


def strict(text: str | bytes) -> object:
    def refuse(word: str) -> object:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("names", OUTPUT_LISTS)
@pytest.mark.parametrize("media_type", ENCODERS)
def test_answers_agree(media_type: str, names: tuple[str, ...]) -> None:
    """Every format answers as many records as rows, in their order, with the same numbers (S31, S32)."""
    told = names or (answers.DEFAULT_CSV if media_type == codecs.CSV else answers.DEFAULT_JSON)
    answer = Answer(SCORES, names, base_value=-4.5)
    found = records(media_type, encode(media_type, answer), told)
    columns = [answers.OUTPUTS[name](answer) for name in told]

    assert found == [dict(zip(told, cells, strict=True)) for cells in zip(*columns, strict=True)]
    assert len(found) == len(SCORES)


@pytest.mark.parametrize("media_type", ENCODERS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_in_answer(media_type: str, value: float) -> None:
    """A score that is no number is never written as a word that JSON does not have (S32)."""
    scores = Scores(np.array([value]), np.array([value]), np.array([False]), np.array([False]))
    [record] = records(media_type, encode(media_type, Answer(scores, ("probability",))), ("probability",))

    assert record == {"probability": None}


def test_outputs() -> None:
    """The words that the setting allows are those that the codecs write, in the same order."""
    assert tuple(answers.OUTPUTS) == OUTPUTS == get_args(Output.__value__)


# What HttpURLConnection sends where a client states nothing.
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.mark.parametrize(
    ("accept", "content_type", "answer"),
    [
        pytest.param("", None, codecs.CSV, id="nothing stated"),
        pytest.param("*/*", codecs.JSON, codecs.JSON, id="any, as asked"),
        pytest.param("*", codecs.JSON, codecs.JSON, id="any, in one star"),
        pytest.param(JAVA, codecs.JSON, codecs.JSON, id="any, as Java writes it"),
        pytest.param("*/*; q=.2", codecs.CSV, codecs.CSV, id="any, weighed without a zero"),
        pytest.param("text/csv;q=.5, application/json;q=.6", codecs.CSV, codecs.JSON, id="weighed without zeros"),
        pytest.param(
            "*/*", "application/x-jsonlines; charset=utf-8", "application/x-jsonlines", id="any, with parameters"
        ),
        pytest.param("*/*", "application/octet-stream", codecs.CSV, id="any, for bytes"),
        pytest.param("application/json", codecs.CSV, codecs.JSON, id="another"),
        pytest.param("Application/JSON", codecs.CSV, codecs.JSON, id="upper case"),
        pytest.param("application/json; charset=utf-8", codecs.CSV, codecs.JSON, id="with parameters"),
        pytest.param("text/csv;q=0.1, application/json;q=0.9", codecs.CSV, codecs.JSON, id="weighed"),
        pytest.param("text/csv, application/json", codecs.JSON, codecs.JSON, id="either, as asked"),
        pytest.param("text/csv, application/json", codecs.JSON_LINES, codecs.CSV, id="either"),
        pytest.param("image/png, */*;q=0.1", codecs.JSON, codecs.JSON, id="any at last"),
        pytest.param("text/csv;q=0, */*", codecs.CSV, codecs.JSON, id="all but one"),
        pytest.param("application/*", codecs.CSV, codecs.JSON, id="any of a kind"),
    ],
)
def test_negotiation(accept: str, content_type: str | None, answer: str) -> None:
    """The answer is of a type that the client takes, that of its request where any will do (S25)."""
    assert negotiate(accept, content_type) == answer


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        pytest.param("", codecs.JSON, id="nothing stated"),
        pytest.param("*/*", codecs.JSON, id="any"),
        pytest.param("*", codecs.JSON, id="any, as Java writes it"),
        pytest.param("*/*;q=0.5", codecs.JSON, id="any, weighed"),
        pytest.param("text/html, */*;q=0.1", codecs.JSON, id="any at last"),
        pytest.param("application/*", codecs.JSON, id="any of a kind"),
        pytest.param("application/jsonlines, application/json", codecs.JSON, id="either"),
        pytest.param("text/csv, application/x-jsonlines", "application/x-jsonlines", id="neither, as asked"),
        pytest.param("text/csv, */*;q=0.9", codecs.CSV, id="another before any"),
        pytest.param("application/json;q=0, */*", "application/x-jsonlines", id="any other"),
    ],
)
def test_default_among_equals(accept: str, answer: str) -> None:
    """The configured type is answered wherever the client takes no other more gladly."""
    assert negotiate(accept, "application/x-jsonlines", "application/json; charset=utf-8") == answer


@pytest.mark.parametrize(
    "accept", ["image/png", "text/csv;q=0", "application/x-recordio, text/html", ";;;", "a" * 9999]
)
def test_no_answer(accept: str) -> None:
    """A client that takes nothing written here is told what is, and in few words."""
    with pytest.raises(AcceptError, match="cannot be answered; accept text/csv, application/json,") as caught:
        negotiate(accept, codecs.CSV)

    assert len(str(caught.value)) < 250


def test_a_misspelt_header_is_no_row() -> None:
    """Among categories, where any word is a cell, the first line is held for the header that it nearly is."""
    words = Schema((Column("merchant", "category", ("A",)), Column("country", "category", ("DE",))), "Class")

    with pytest.raises(ColumnError, match='there is no column "merchnt"; did you mean "merchant"'):
        matrix(codecs.CSV, b"merchnt,country\nA,DE\n", words)


@pytest.mark.parametrize("content_type", DECODERS)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(gzip.compress(b"1,2,3", mtime=0), id="gzip"),
        pytest.param("1,2,3".encode("utf-16"), id="UTF-16"),
        pytest.param(b"PK\x03\x04rest", id="zip"),
    ],
)
def test_says_that_a_body_is_no_text(content_type: str, body: bytes) -> None:
    """A compressed body, or one in UTF-16, is told so whatever its type."""
    with pytest.raises(BodyError, match="compressed, or text in UTF-16; send it uncompressed, in UTF-8"):
        decode(content_type, body, MIXED)
