"""CSV as clients and files hold it (RFC 4180): with a header or without, quoted or not, in bounded blocks."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from fraud.cells import MISSING_WORDS, is_number
from fraud.codecs.numbers import count, rectangle
from fraud.errors import BodyError, MediaTypeError
from fraud.schema import Schema
from fraud.table import Table

# A record is at most as long as a block.
BLOCK_BYTES = 512 * 1024
# Below this the csv module is faster than starting pandas' parser, and header lines are short.
SMALL_BYTES = 4096
# Above this pandas' cost for each column makes a short body slow.
MANY_COLUMNS = 10_000
# Letters of true, false and infinity: pandas reads these words as numbers, and this product does not.
WORD_LETTERS = (b"t", b"T", b"f", b"F", b"i", b"I")
# What would make cells read as JSON mean more than numbers.
JSON_MARKS = (b"[", b"{", b'"')
# Stands for an empty cell among numbers: 17 digits that nobody writes by chance, far beyond float32.
GAP = b"1.2345678901234567e308"
MISSING_SPELLINGS = sorted({*MISSING_WORDS, *map(str.upper, MISSING_WORDS), *map(str.title, MISSING_WORDS), "NaN"})
# How JSON begins that no category does, and what is JSON where no row of CSV is.
JSON_STARTS = (b'{"', b'["', b"[[", b"[{")
JSON_LIKE = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*(?:"|$)|\[\s*(?:["\[{\d-]|null|NaN|$))')
READS_AS_JSON = "the body reads as JSON; send it with Content-Type application/json, or application/jsonlines"
LINE_END = re.compile(rb"\r\n?|\n")
# More than one line end: the last lines are blank, and are no rows.
BLANK_ENDS = (b"\n\n", b"\n\r\n", b"\n\r", b"\r\r")
# pandas reads a number after a plus inexactly.
PLUS = re.compile(rb"(?<![eE])\+")
QUOTED_CELL = re.compile(rb'(?<![^,\r\n])"[^"\r\n]*"(?![^,\r\n])')

type IsHeader = Callable[[Sequence[str]], bool]


def decode_csv(body: bytes, schema: Schema, options: Mapping[str, str]) -> Iterator[Table]:
    """Read a request; `charset` and `header=present|absent` of its content type are heeded."""
    charset = options.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise MediaTypeError(f'charset "{charset[:60]}" is not read here; send utf-8')
    if len(body) <= SMALL_BYTES and schema.is_numeric and not schema.has_numbers_for_names and "header" not in options:
        numbers = _json_numbers(body)  # what a card payment sends: no block, no header to look for
        if numbers is not None:
            return iter([Table(numbers)])
    stated = {"present": _always, "absent": _never}.get(options.get("header", "").lower())
    if body.startswith(JSON_STARTS):
        raise BodyError(READS_AS_JSON)
    is_header, stream = stated or schema.is_header, io.BytesIO(body)
    tables = read_tables(stream, is_header, all_numbers=schema.is_numeric)
    first = next(tables, None)
    if first is None:
        raise BodyError("the first line reads as a header and no row follows it; send at least one row")
    return chain([first], tables)


def read_tables(
    stream: BinaryIO,
    is_header: IsHeader,
    *,
    all_numbers: bool,
    file: str | None = None,
) -> Iterator[Table]:
    """Read CSV block by block; `all_numbers` allows the parser that keeps numbers only, exact to the last bit.

    Raises BodyError for bytes that are not CSV in UTF-8.
    """
    names: tuple[str, ...] | None = None
    first = 1
    for number, block in enumerate(_blocks(stream, BLOCK_BYTES)):
        rows, passed = block, count(block, "\n")
        if number == 0:
            names, rows = _split_header(block.removeprefix(b"\xef\xbb\xbf"), is_header, file)  # a byte order mark
            first, passed = (2, passed - 1) if names and file else (1, passed)
        if not _is_blank(rows):
            table = _table(rows, names, file, first, all_numbers=all_numbers)
            yield table
            passed = passed if file else len(table.cells)
        first += passed


def is_header_by_itself(cells: Sequence[str]) -> bool:
    """Tell whether a first line names columns: no cell of it is a number or empty."""
    return not any(is_number(cell) for cell in cells)


def other_format(body: bytes, columns: int) -> str:
    """Say what a body is whose first line is not the CSV of so many columns, nothing where it might be."""
    if JSON_LIKE.match(body):
        return READS_AS_JSON
    head = body[: body.find(b"\n")] if b"\n" in body else body
    for separator, name in ((b";", "semicolons"), (b"\t", "tabs"), (b"|", "bars")):
        # beside so many of them a comma is a decimal one
        if columns > 1 and head.count(separator) >= (columns - 1 if b"," in head else 1):
            return f"the cells are separated by {name}; separate them with commas, and write decimals with a point"
    return ""


def _split_header(block: bytes, is_header: IsHeader, file: str | None) -> tuple[tuple[str, ...] | None, bytes]:
    end = LINE_END.search(block)
    head = block[: end.start()] if end else block
    cells = [""]
    if b'"' not in head and head.isascii() and len(head) <= SMALL_BYTES:
        cells = head.decode().split(",")
    elif head.count(b'"') % 2 == 0:
        cells = _parse(head, file, 1)[0]
    if not is_header(cells):
        return None, block
    return tuple(cell.strip() for cell in cells), block[end.end() :] if end else b""


def _table(block: bytes, names: tuple[str, ...] | None, file: str | None, first: int, *, all_numbers: bool) -> Table:
    numbers = None
    if all_numbers:
        numbers = _json_numbers(block)
        if numbers is None and len(block) > SMALL_BYTES:
            numbers = _pandas_numbers(block)
    if numbers is not None:
        return Table(numbers, names, file, first)
    return Table(list(_parse(block, file, first)), names, file, first)


def _json_numbers(block: bytes) -> NDArray[np.float64] | None:
    """Return the matrix of a block where each cell is a number as JSON spells it too, or empty, and rows are even.

    None where it is not. It takes half of pandas' time for many rows, and a twentieth for one.
    """
    if block.endswith(BLANK_ENDS) or any(mark in block for mark in JSON_MARKS):
        return None
    lines = block.rstrip(b"\r\n")
    if b"\r" in lines:
        lines = lines.replace(b"\r\n", b"\n")
        if b"\r" in lines:  # which JSON takes for a blank
            return None
    rows = b"[[%b]]" % lines.replace(b"\n", b"],[")
    numbers = rectangle(rows)
    if numbers is None and (b",," in rows or b",]" in rows or b"[," in rows):
        filled = _filled(rows)
        numbers = rectangle(filled)
        is_gap = numbers == float(GAP)
        if numbers is None or np.count_nonzero(is_gap) != filled.count(GAP) - rows.count(GAP):
            return None
        numbers = np.where(is_gap, np.nan, numbers)
    return numbers


def _filled(rows: bytes) -> bytes:
    """Write a number into every empty cell that no other cell holds."""
    twice = rows.replace(b",,", b",%b," % GAP).replace(b",,", b",%b," % GAP)
    return twice.replace(b"[,", b"[%b," % GAP).replace(b",]", b",%b]" % GAP)


def _pandas_numbers(block: bytes) -> NDArray[np.float64] | None:
    """Return the same where cells are quoted too, or words for missing ones, or numbers that JSON spells otherwise."""
    import pandas as pd  # noqa: PLC0415 - a server that is never sent such rows starts sooner

    if any(letter in block for letter in WORD_LETTERS) or not _is_plain(block):
        return None
    try:
        frame = pd.read_csv(
            io.BytesIO(block.rstrip(b"\r\n") if block.endswith(BLANK_ENDS) else block),
            header=None,
            dtype=np.float64,
            keep_default_na=False,
            na_values=MISSING_SPELLINGS,
            skip_blank_lines=False,
        )
    except (ValueError, OverflowError):
        return None
    numbers: NDArray[np.float64] = frame.to_numpy()
    # pandas fills short rows; no quoted cell can hold a comma here, as it would not have been a number.
    return numbers if count(block, ",") == len(numbers) * (numbers.shape[1] - 1) else None


def _is_blank(block: bytes) -> bool:
    return not block or (block[:1] in b"\r\n" and not block.strip(b"\r\n"))


def _is_plain(block: bytes) -> bool:
    """Tell whether pandas reads the block as the csv module does: few columns, and quotes around whole cells only."""
    if block.count(b",", 0, block.find(b"\n")) >= MANY_COLUMNS or PLUS.search(block):
        return False
    quotes = count(block, '"')
    return not quotes or quotes == 2 * len(QUOTED_CELL.findall(block))


def _parse(block: bytes, file: str | None, first: int) -> list[list[str]]:
    try:
        text = block.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        where = Table([], None, file, first).where(block.count(b"\n", 0, error.start))
        raise BodyError(f"{where} is not UTF-8 text") from error
    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        # the rows before the record that broke off are there
        raise BodyError(f"{Table(list(rows), None, file, first).where(len(rows))} is not CSV: {error}") from error
    # an empty line is one empty cell, as in a table of one column
    return [row or [""] for row in rows]


def _blocks(stream: BinaryIO, block_bytes: int) -> Iterator[bytes]:
    """Cut a stream at line ends outside quotes, so that each block holds whole records."""
    rest, chunk = b"", stream.read(block_bytes)
    while chunk:
        following = stream.read(block_bytes)
        block = rest + chunk
        end = _last_line_end(block) if following else len(block)
        if not end and len(block) > block_bytes:
            raise BodyError(f"a record is longer than {block_bytes} bytes; is a quote left open?")
        if end:
            yield block[:end]
        rest, chunk = block[end:], following


def _last_line_end(chunk: bytes) -> int:
    end = (chunk.rfind(b"\n") if b"\n" in chunk else chunk.rfind(b"\r", 0, -1)) + 1
    if b'"' not in chunk or chunk.count(b'"', 0, end) % 2 == 0:
        return end
    codes = np.frombuffer(chunk, dtype=np.uint8)
    is_quoted = np.cumsum(codes == ord('"')) % 2 == 1
    ends = np.flatnonzero((codes == ord("\n")) & ~is_quoted)
    return int(ends[-1]) + 1 if len(ends) else 0


def _always(cells: Sequence[str]) -> bool:  # noqa: ARG001
    return True


def _never(cells: Sequence[str]) -> bool:  # noqa: ARG001
    return False
