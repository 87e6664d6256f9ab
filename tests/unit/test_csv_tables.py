import csv
import io
import math

import numpy as np
import pytest

from fraud import codecs
from fraud.codecs.csv_tables import (
    BLOCK_BYTES,
    MANY_COLUMNS,
    SMALL_BYTES,
    decode_csv,
    is_header_by_itself,
    read_tables,
)
from fraud.errors import BodyError, MediaTypeError, RowError, RowWidthError, UserError
from fraud.schema import Column, Schema
from fraud.table import Table

SCHEMA = Schema((Column("a"), Column("b"), Column("c")), "Class")
WORDS = Schema((Column("a"), Column("b", "category", ("x\ny", "z"))), "Class")


def decoded(body: bytes, schema: Schema = SCHEMA, **options: str) -> list[list[float]]:
    """Return every row of a body as the model would read it."""
    return [row for table in decode_csv(body, schema, options) for row in schema.rows(table).X.tolist()]


def lines(count: int, line: bytes = b"1,2,3") -> bytes:
    return b"\n".join([line] * count)


def tables(body: bytes, *, all_numbers: bool = True) -> list[Table]:
    return list(read_tables(io.BytesIO(body), is_header_by_itself, all_numbers=all_numbers, file="train/a.csv"))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"1,2,3", id="bare"),
        pytest.param(b"1,2,3\n", id="newline"),
        pytest.param(b"1,2,3\r\n\r\n", id="blank lines at the end"),
        pytest.param(b'"1","2","3"', id="quoted"),
        pytest.param(b"\xef\xbb\xbf1,2,3\n", id="byte order mark"),
        pytest.param(b"a,b,c\n1,2,3", id="header"),
        pytest.param(b'\xef\xbb\xbf"a","B", c \r\n1,2,3', id="header of every make"),
        pytest.param(b"C,Class,b,a\n3,1,2,1\n", id="header in another order"),
        pytest.param(b"a,b,c\r1,2,3\r", id="carriage returns"),
        pytest.param(b"a,b,c\r1,2,3\r\n", id="carriage return after the header only"),
    ],
)
def test_one_row(body: bytes) -> None:
    """A row is read the same however it is written (S35)."""
    assert decoded(body) == [[1, 2, 3]]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("head", [b"", b"a,b,c"])
def test_every_row(head: bytes, end: bytes) -> None:
    """No row is lost to a line end, with a header or without (S31)."""
    body = end.join([head] * bool(head) + [b"%d,0,0" % number for number in range(5)])

    assert [row[0] for row in decoded(body)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 2, 1000])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_one_table(count: int, end: bytes) -> None:
    """A body that fits one block is one table, so that it is scored at once."""
    assert len(list(decode_csv(lines(count) + end, SCHEMA, {}))) == 1


@pytest.mark.parametrize(
    ("stated", "rows"),
    [pytest.param("present", [[1, 2, 3]], id="present"), pytest.param("PRESENT", [[1, 2, 3]], id="upper case")],
)
def test_header_present(stated: str, rows: list[list[float]]) -> None:
    """A header that is stated is read."""
    assert decoded(b"a,b,c\n1,2,3", header=stated) == rows


def test_header_absent() -> None:
    """A header that is stated to be absent is read as a row."""
    with pytest.raises(RowError, match='row 1, column "a": "a" is not a number'):
        decoded(b"a,b,c\n1,2,3", header="absent")


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", "us-ascii"])
def test_charset(charset: str) -> None:
    """UTF-8 is read by each of its names."""
    assert decoded(b"1,2,3", charset=charset) == [[1, 2, 3]]


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", ""])
def test_other_charset(charset: str) -> None:
    """Another charset is refused by name."""
    with pytest.raises(MediaTypeError, match=f'charset "{charset}" is not read here; send utf-8'):
        decoded(b"1,2,3", charset=charset)


@pytest.mark.parametrize("body", [b"a,b,c", b"a,b,c\n\n", b"\xef\xbb\xbf", b"x", b"a,b,c\r"])
def test_header_only(body: bytes) -> None:
    """A body without rows is refused, not answered with nothing."""
    with pytest.raises(BodyError, match="the first line reads as a header and no row follows it"):
        decoded(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"\n1,2,3", "row 1 is empty; this model reads 3", id="first line blank"),
        pytest.param(b"\r\n1,2,3", "row 1 is empty", id="first line blank, CRLF"),
        pytest.param(b"1,2,3\n\n1,2,3", "row 2 is empty", id="a line blank"),
        pytest.param(b"1,2,3\n \t\n1,2,3", "row 2 is empty", id="a line of spaces"),
        pytest.param(b"1,2,3\n0\n1,2,3", "row 2 has 1 cells", id="a line of one cell"),
        pytest.param(b"a,b,c\n1,2,3\n1,2", "row 2 has 2 cells; 3 columns are named", id="short under a header"),
        pytest.param(b"1,2,3\n1,2\n1,2,3,4", "row 2 has 2 cells; this model reads 3", id="counts cancel out"),
        pytest.param(b'1,"2,3",4', None, id="comma in quotes is no separator"),
    ],
)
def test_width(body: bytes, message: str | None) -> None:
    """A row of another width is refused by its number, in a small body and in a large one."""
    for large in (b"", b"\n" + lines(SMALL_BYTES)):
        with pytest.raises((RowWidthError, RowError), match=message or '"2,3" is not a number'):
            decoded(body + large)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b'1,2,3\n1,"2,3', "row 2 is not CSV: unexpected end of data", id="quote left open"),
        pytest.param(b'1,2,3\n"1,2,3\n1,2,3\n1,2,3', "row 2 is not CSV: unexpected end", id="quote left open long ago"),
        pytest.param(b'a,b,c\n"1"2,2,3', "row 1 is not CSV: ',' expected", id="text after a quote"),
        pytest.param(b"a,b,c\n1,2,3\n1,\xff,3", "row 2 is not UTF-8 text", id="no text"),
        pytest.param(b"\xff\xfe1\x00", "row 1 is not UTF-8 text", id="UTF-16"),
        pytest.param(b"1,2," + b"3" * 200_000, "row 1 is not CSV: field larger than", id="endless cell"),
    ],
)
def test_no_csv(body: bytes, message: str) -> None:
    """What is no CSV is refused by row."""
    with pytest.raises(BodyError, match=message):
        decoded(body)


@pytest.mark.parametrize("cell", [b"true", b"inf", b"1_0", b"0x1", b'"1"2', b'"1" ', b"1\x00", b"\xd9\xa1", b"1e400"])
def test_large_as_small(cell: bytes) -> None:
    """What the csv path refuses, the fast path for large bodies refuses too, and by the same row."""
    for padding in (1, SMALL_BYTES):
        with pytest.raises((RowError, BodyError), match=rf"row {padding + 1}\b"):
            decoded(lines(padding) + b"\n1," + cell + b",3\n" + lines(padding))


@pytest.mark.parametrize(
    "cell", ["", '""', "NA", "n/a", "NULL", " 7 ", "7.", "1E5", "-0", '"1e-3"', "3.4028235e38", "1e-400"]
)
def test_fast_as_slow(cell: str) -> None:
    """The parsers for large bodies read a cell as the csv module does, to the last bit but the sign of 0."""
    body = b"\n".join([f"1,{cell},3".encode()] * SMALL_BYTES)
    [fast], [slow] = tables(body), tables(body, all_numbers=False)

    assert isinstance(fast.cells, np.ndarray)
    assert isinstance(slow.cells, list)
    assert (SCHEMA.rows(fast).X + 0).tobytes() == (SCHEMA.rows(slow).X + 0).tobytes()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(b",,", [math.nan] * 3, id="all"),
        pytest.param(b",2,", [math.nan, 2, math.nan], id="both ends"),
        pytest.param(b"1,,3", [1, math.nan, 3], id="the middle"),
    ],
)
def test_empty_cells_of_a_large_body(row: bytes, expected: list[float]) -> None:
    """Empty cells among numbers are missing, wherever they stand."""
    [table] = tables(b"\r\n".join([b"1,2,3", row] * SMALL_BYTES))

    assert isinstance(table.cells, np.ndarray)
    np.testing.assert_array_equal(table.cells, [[1, 2, 3], expected] * SMALL_BYTES)


@pytest.mark.parametrize(
    "row",
    [
        b"1],[2,3",
        b"[1,2,3",
        b"1,2,3]",
        b"{},2,3",
        b"1,[2],3",
        b"1,1.2345678901234567e308,",
        b"1,,1e308",
        b"1,2",
        b"1,2,3,4",
    ],
)
def test_a_large_body_is_read_as_csv_alone(row: bytes) -> None:
    """A cell that means more in JSON, or the number that stands for a gap, is refused as in a small body."""
    body = b"\n".join([b"1,2,3", row] + [b"1,,3"] * SMALL_BYTES)

    with pytest.raises((RowError, RowWidthError), match="row 2"):
        decoded(body)


def test_fast_path_leaves_words() -> None:
    """A large table with a word in it is a list of its cells."""
    [table] = tables(lines(SMALL_BYTES) + b"\nword,2,3")

    assert isinstance(table.cells, list)
    assert table.cells[-1] == ["word", "2", "3"]


def test_many_columns() -> None:
    """A row of very many quoted cells is left to the csv module, whose time does not grow with columns."""
    [table] = tables(b'"1",' * MANY_COLUMNS + b"1\n")

    assert isinstance(table.cells, list)
    assert len(table.cells[0]) == MANY_COLUMNS + 1


@pytest.mark.parametrize("head", [b"", b"a,b,c\n"])
@pytest.mark.parametrize(
    ("bad", "message"),
    [(b"1,x,3", '"b": "x" is not'), (b"1,1e39,3", '"b": "1e.?39" is not a fin'), (b"1,2", "has 2 cells")],
)
def test_row_across_blocks(monkeypatch: pytest.MonkeyPatch, head: bytes, bad: bytes, message: str) -> None:
    """The row of an error near the end of a body of several blocks is right."""
    count = 5_000_000 // len(b"1,2,3.000000000\n")
    body = head + lines(count, b"1,2,3.000000000") + b"\n" + bad + b"\n1,2,3\n"

    assert len(body) > 2 * BLOCK_BYTES
    with pytest.raises((RowError, RowWidthError), match=rf"^row {count + 1}\b.*{message}"):
        decoded(body)


@pytest.mark.parametrize("block_bytes", range(15, 45))
def test_quoted_newlines_across_blocks(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    """A record whose cell holds line breaks is never cut, wherever a block ends, and rows are counted as records."""
    monkeypatch.setattr("fraud.codecs.csv_tables.BLOCK_BYTES", block_bytes)
    body = b'7,"x\ny"\r\n8,z\n' * 20

    assert decoded(body, WORDS) == [[7, 0], [8, 1]] * 20
    with pytest.raises(RowError, match=r'^row 41, column "a": "bad" is not a number$'):
        decoded(body + b"bad,z\n", WORDS)


@pytest.mark.parametrize("block_bytes", range(15, 45))
def test_lines_across_blocks(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    """In a file, lines are counted as an editor counts them: the header, and the line breaks in cells."""
    monkeypatch.setattr("fraud.codecs.csv_tables.BLOCK_BYTES", block_bytes)
    found = tables(b"a,b\n" + b'7,"x\ny"\n' * 20 + b"8,z\n", all_numbers=False)
    last = found[-1]

    assert len(found) > 2
    assert sum(len(table.cells) for table in found) == 21
    assert last.where(len(last.cells) - 1) == "train/a.csv, line 42"


def test_quote_never_closed() -> None:
    """A quote left open in a large body is refused before the whole body is one record."""
    with pytest.raises(BodyError, match=f"a record is longer than {BLOCK_BYTES} bytes; is a quote left open?"):
        decoded(b'1,2,"' + lines(BLOCK_BYTES // 2))


def test_blank_block() -> None:
    """Blank lines that fill whole blocks are no rows, and count as lines of a file."""
    found = tables(b"\n" * (BLOCK_BYTES + 10) + b"1,2,3\n")

    assert found[-1].where(len(found[-1].cells) - 1) == f"train/a.csv, line {BLOCK_BYTES + 11}"


@pytest.mark.parametrize(
    ("cells", "is_header"),
    [(["Time", "V1"], True), (["0", "visa"], False), (["", "V1"], False), (["inf", "V1"], False)],
)
def test_is_header_by_itself(cells: list[str], is_header: bool) -> None:
    """A first line with a number or an empty cell is a row."""
    assert is_header_by_itself(cells) is is_header


def test_header_of_several_lines() -> None:
    """A first line that ends inside quotes is no header."""
    with pytest.raises(RowError, match=r'row 1, column "a": "a\nb" is not a number'):
        decoded(b'"a\nb",2,3\n')


def test_numbers_to_the_last_bit() -> None:
    """Numbers written with all their digits come back exactly, from a large body too."""
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=(500, 3)) * 10.0 ** rng.integers(-30, 30, size=(500, 3))
    text = io.StringIO()
    csv.writer(text).writerows(numbers.tolist())
    [table] = tables(text.getvalue().encode())

    assert isinstance(table.cells, np.ndarray)
    np.testing.assert_array_equal(table.cells, numbers)
    assert not math.isnan(table.cells.sum())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"1;2;3", "the cells are separated by semicolons; separate them with commas", id="semicolons"),
        pytest.param(b"1\t2\t3\n4\t5\t6\n", "separated by tabs", id="tabs"),
        pytest.param(b"a|b|c\n1|2|3\n", "separated by bars", id="bars"),
        pytest.param(b'{"a": 1, "b": 2, "c": 3}', "reads as JSON; send it with Content-Type", id="an object"),
        pytest.param(b'[{"a": 1, "b": 2}]\n', "reads as JSON", id="a list of objects"),
        pytest.param(b'{"a": 0.5, "b": 2, "c": 3}\n{"a": 1, "b": 2, "c": 3}\n', "reads as JSON", id="objects on lines"),
        pytest.param(b"[1, 2, 3]\n[-4, 5, 6]\n", "application/jsonlines", id="lists on lines"),
        pytest.param(b'{\n  "instances": [\n    [1, 2, 3]\n  ]\n}\n', "reads as JSON", id="an object over lines"),
        pytest.param(b"\xef\xbb\xbf\n[\n  [1, 2, 3]\n]\n", "reads as JSON", id="a list over lines, with a mark"),
        pytest.param(b"{", "reads as JSON", id="an object cut off"),
        pytest.param(
            b"0;0,9123;1,33\n1;2,5;3\n", "separated by semicolons; .* decimals with a point", id="decimal commas"
        ),
        pytest.param(b"a;b;c\n0;0,9123;1,33\n", "separated by semicolons", id="decimal commas under a header"),
        pytest.param(b"0\t0,9\t1,3\r\n", "separated by tabs", id="tabs and decimal commas"),
    ],
)
def test_says_which_other_format_it_is(body: bytes, message: str) -> None:
    """A body of another format is called by its name."""
    with pytest.raises(BodyError, match=message):
        list(codecs.rows(codecs.CSV, body, SCHEMA))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"1,z\n1,2,3", "row 2 has 3 cells", id="a later row"),
        pytest.param(b"1,a;b;c\nx,z", 'row 2, column "a": "x" is not', id="semicolons in a category"),
        pytest.param(b"[a],b\n1,z", r'there is no column "\[a\]"', id="a name in brackets"),
    ],
)
def test_says_what_is_wrong_in_csv(body: bytes, message: str) -> None:
    """What is CSV in its first line is told what is wrong with it as CSV."""
    with pytest.raises(UserError, match=message):
        list(codecs.rows(codecs.CSV, body, WORDS))


def test_json_is_no_row_of_categories() -> None:
    """JSON as CSV is refused where each of its pieces could be a category."""
    words = Schema((Column("a", "category", ("x",)), Column("b", "category", ("z",))), "Class")

    with pytest.raises(BodyError, match="reads as JSON"):
        decoded(b'{"a": "x", "b": "z"}\n{"a": "x", "b": "z"}\n', words)
    assert decoded(b"[24]7,z\n", words) == [[pytest.approx(math.nan, nan_ok=True), 0]]


@pytest.mark.parametrize("body", [b"1,2,\r3,4,", b"1,\r2,3", b"1,2\r,3"])
def test_a_carriage_return_is_no_space(body: bytes) -> None:
    """A line end beside an empty cell ends the row, though JSON has it for a space."""
    small = [row.split(",") for row in body.decode().split("\r")]
    schema = Schema(tuple(Column(f"c{number}") for number in range(len(small[0]))), "Class")

    if len({len(row) for row in small}) == 1:
        assert len(decoded(body, schema)) == 2
    else:
        with pytest.raises(RowWidthError):
            decoded(body, schema)


def test_carriage_returns_alone_across_blocks() -> None:
    """A large body whose lines end in carriage returns is cut at them."""
    count = BLOCK_BYTES // 6 * 3

    assert decoded(b"\r".join([b"1,2,3"] * count)) == [[1, 2, 3]] * count


def test_a_plus_is_exact() -> None:
    """A number after a plus and a space is read to the last bit in a large body too."""
    cell = b" +0.00010000000111176631"

    assert decoded(lines(SMALL_BYTES, b"1,%b,3" % cell))[0] == decoded(b"1,%b,3" % cell)[0]
