"""CSV as clients and files hold it (RFC 4180): with a header or without, quoted or not, in bounded blocks."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud.cells import MISSING_WORDS, is_number
from fraud.errors import BodyError, MediaTypeError
from fraud.schema import Schema, Table

BLOCK_BYTES = 4 * 1024 * 1024
# Below this the csv module is faster than starting pandas' parser.
SMALL_BYTES = 4096
# Letters of true, false and infinity: pandas reads these words as numbers, and this product does not.
WORD_LETTERS = (b"t", b"T", b"f", b"F", b"i", b"I")
MISSING_SPELLINGS = sorted({*MISSING_WORDS, *map(str.upper, MISSING_WORDS), *map(str.title, MISSING_WORDS), "NaN"})

type IsHeader = Callable[[Sequence[str]], bool]


def decode_csv(body: bytes, schema: Schema, options: Mapping[str, str]) -> Iterator[Table]:
    """Read a request; `charset` and `header=present|absent` of its content type are heeded."""
    charset = options.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise MediaTypeError(f'charset "{charset[:60]}" is not read here; send utf-8')
    stated = {"present": _always, "absent": _never}.get(options.get("header", "").lower())
    return read_tables(io.BytesIO(body), stated or schema.is_header, all_numbers=schema.is_numeric)


def read_tables(
    stream: BinaryIO, is_header: IsHeader, *, all_numbers: bool, file: str | None = None
) -> Iterator[Table]:
    """Read CSV block by block; `all_numbers` allows the parser that keeps numbers only, exact to the last bit.

    Raises BodyError for bytes that are not CSV in UTF-8.
    """
    names: tuple[str, ...] | None = None
    first = 1
    for number, block in enumerate(_blocks(stream)):
        lines = block.count(b"\n")
        if number == 0:
            block = block.removeprefix(b"\xef\xbb\xbf")  # a byte order mark # noqa: PLW2901
            head, _, rest = block.partition(b"\n")
            cells = _parse(head, file, first)[0] if head.count(b'"') % 2 == 0 else [""]
            if is_header(cells):
                names, block = tuple(cell.strip() for cell in cells), rest  # noqa: PLW2901
                first, lines = (2, lines - 1) if file else (1, lines - 1)
        if block.strip(b"\r\n"):
            yield _table(block, names, file, first, all_numbers=all_numbers)
        first += lines


def is_header_by_itself(cells: Sequence[str]) -> bool:
    """Tell whether a first line names columns: no cell of it is a number or empty."""
    return not any(is_number(cell) for cell in cells)


def _table(block: bytes, names: tuple[str, ...] | None, file: str | None, first: int, *, all_numbers: bool) -> Table:
    numbers = _numbers(block) if all_numbers and len(block) > SMALL_BYTES else None
    if numbers is not None:
        return Table(numbers, names, file, first)
    return Table(list(_parse(block, file, first)), names, file, first)


def _numbers(block: bytes) -> NDArray[np.float64] | None:
    """Return the matrix of a block where each cell is a number or missing and rows are equally wide, else None."""
    if any(letter in block for letter in WORD_LETTERS):
        return None
    try:
        frame = pd.read_csv(
            io.BytesIO(block.rstrip(b"\r\n")),
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
    commas = np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == ord(","))
    return numbers if commas == len(numbers) * (numbers.shape[1] - 1) else None


def _parse(block: bytes, file: str | None, first: int) -> list[list[str]]:
    where = f"{file}, line " if file else "line "
    try:
        text = block.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise BodyError(f"{where}{first + block.count(b'\n', 0, error.start)} is not UTF-8 text") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        # an empty line is one empty cell, as in a table of one column
        return [row or [""] for row in reader]
    except csv.Error as error:
        raise BodyError(f"{where}{first + reader.line_num - 1} is not CSV: {error}") from error


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Cut a stream at line ends outside quotes, so that each block holds whole records."""
    rest = b""
    while chunk := stream.read(BLOCK_BYTES):
        chunk = rest + chunk
        end = _last_line_end(chunk)
        if not end and len(chunk) > BLOCK_BYTES:
            raise BodyError(f"a record is longer than {BLOCK_BYTES} bytes; is a quote left open?")
        if end:
            yield chunk[:end]
        rest = chunk[end:]
    if rest:
        yield rest


def _last_line_end(chunk: bytes) -> int:
    end = chunk.rfind(b"\n") + 1
    if chunk.count(b'"', 0, end) % 2 == 0:
        return end
    codes = np.frombuffer(chunk, dtype=np.uint8)
    is_quoted = np.cumsum(codes == ord('"')) % 2 == 1
    ends = np.flatnonzero((codes == ord("\n")) & ~is_quoted)
    return int(ends[-1]) + 1 if len(ends) else 0


def _always(cells: Sequence[str]) -> bool:  # noqa: ARG001
    return True


def _never(cells: Sequence[str]) -> bool:  # noqa: ARG001
    return False
