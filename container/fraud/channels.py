"""A channel directory to labelled rows, through the decoder and the schema that serving uses."""

import gzip
import hashlib
import logging
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from fraud.cells import parse_boolean, parse_number
from fraud.codecs.csv_tables import is_header_by_itself, read_tables
from fraud.errors import BodyError, ColumnError, LabelError, MediaTypeError, NoRowsError, RowError, quoted
from fraud.layout import CARD_COLUMNS, Layout, Roles, layout
from fraud.model.learner import Labelled
from fraud.model.scores import Floats, Labels
from fraud.schema import Column, Matrix, Schema
from fraud.survey import survey
from fraud.table import Table

log = logging.getLogger(__name__)

DATA_SUFFIXES = ("", ".csv", ".txt", ".gz")
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Channel:
    """The labelled rows of a channel, and what its columns are."""

    layout: Layout
    schema: Schema
    rows: Labelled

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the rows and labels as a model reads them."""
        digest = hashlib.sha256(np.ascontiguousarray(self.rows.X))
        digest.update(np.ascontiguousarray(self.rows.y))
        return digest.hexdigest()


@dataclass(frozen=True)
class _Files:
    directory: Path
    paths: Sequence[Path]

    def tables(self, *, all_numbers: bool, found: Layout | None = None) -> Iterator[Table]:
        """Read every file block by block; `found` is what headers agree with, or stands for them."""
        for path in self.paths:
            file = str(path.relative_to(self.directory.parent))
            try:
                with _open(path) as stream:
                    for table in read_tables(stream, is_header_by_itself, all_numbers=all_numbers, file=file):
                        yield table if found is None else _named(table, found)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise BodyError(f"{file} is not a whole gzip file: {error}") from error


def read(directory: Path, roles: Roles, like: Channel | None = None, content_type: str = "text/csv") -> Channel:
    """Read every data file below a directory, in sorted order (T23-T31); `like` is a channel to agree with.

    A file is read as a directory that holds nothing else.

    Raises NoRowsError, ColumnError, RowWidthError, RowError or LabelError, naming the file and line to blame.
    """
    name = directory.name
    if content_type.partition(";")[0].strip().lower() not in ("text/csv", "csv"):
        raise MediaTypeError(f'channel "{name}" has ContentType "{content_type[:60]}"; this image reads text/csv')
    files = _Files(directory, data_files(directory))
    try:
        if like is not None:
            return _read_as(like.schema, files, like.layout)
        first = next(files.tables(all_numbers=True), None)
        if first is None:
            problem = "holds a header and no rows" if any(path.stat().st_size for path in files.paths) else "is empty"
            raise NoRowsError(f'channel "{name}" {problem}')
        return _read_new(files, first, roles)
    except ColumnError as error:
        raise ColumnError(f'channel "{name}": {error}') from None


def data_files(directory: Path) -> list[Path]:
    """Return the data files of a channel, sorted; hidden files, markers, manifests and empty files are none."""
    if directory.is_file():
        return [directory]
    if not directory.is_dir():
        raise NoRowsError(f'there is no channel "{directory.name}"; start the job with one that holds CSV files')
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    data = [path for path in files if _is_data(path.relative_to(directory)) and path.stat().st_size]
    skipped = quoted([path.name for path in files if path not in data and not _is_marker(path, directory)], 4)
    if not data:
        empty = quoted([path.name for path in files if _is_data(path.relative_to(directory))], 4)
        why = f"is empty: 0 bytes are in {empty}" if empty else "holds no CSV files"
        raise NoRowsError(f'channel "{directory.name}" {why}' + (f"; skipped {skipped}" if skipped else ""))
    if skipped:
        log.warning('channel "%s": skipped %s, no CSV by its name', directory.name, skipped)
    return data


def _is_data(path: Path) -> bool:
    return not _is_hidden(path) and path.suffix.lower() in DATA_SUFFIXES


def _is_marker(path: Path, directory: Path) -> bool:
    """Tell whether a file is one that platforms leave beside data, and nobody misses (T27)."""
    return _is_hidden(path.relative_to(directory)) or path.suffix == ".manifest" or not path.stat().st_size


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        is_gzip = stream.read(2) == GZIP_MAGIC
    return cast(BinaryIO, gzip.open(path, "rb")) if is_gzip else path.open("rb")


def _named(table: Table, found: Layout) -> Table:
    """Return the table with names; ColumnError where its header lacks or adds a column, the label before all."""
    if table.names is None:
        return replace(table, names=found.names)
    known, named = ({name.casefold() for name in names} for names in (found.names, table.names))
    if found.label.casefold() not in named:
        raise ColumnError(f'{table.file}: the header lacks the label "{found.label}"')
    those = f"the columns that were read first are {quoted(found.names)}"
    for name in table.names:
        if name.casefold() not in known:
            close = get_close_matches(name[:60], found.names, n=1)
            hint = f'did you mean "{close[0]}"?' if close else those
            raise ColumnError(f'{table.file}: there is no column "{name[:60]}"; {hint}')
    if absent := [name for name in found.inputs if name.casefold() not in named]:
        raise ColumnError(f"{table.file}: the header lacks {quoted(absent)}; {those}")
    return table


def _read_new(files: _Files, first: Table, roles: Roles) -> Channel:
    found = layout(first, roles)
    if first.names or found.names == CARD_COLUMNS:
        return _read_kinds(files, found, roles)
    by_place = f'the first file has no header, so that its first column is read as the label "{found.label}"'
    try:
        return _read_kinds(files, found, roles)
    except LabelError as error:
        raise LabelError(f"{error}; {by_place}") from None
    except ColumnError as error:
        raise ColumnError(f"{error}; {by_place} and the others are called f0, f1, ...") from None


def _read_kinds(files: _Files, found: Layout, roles: Roles) -> Channel:
    """Read the rows as numbers; where a word stands somewhere, learn the kinds of the columns and read again."""
    if not roles.categories:
        try:
            return _read_as(_schema([Column(name) for name in found.inputs], found), files, found)
        except RowError:
            pass
    columns = survey(files.tables(all_numbers=False, found=found), found.inputs, roles.categories)
    return _read_as(_schema(list(columns.values()), found), files, found)


def _schema(columns: Sequence[Column], found: Layout) -> Schema:
    return Schema(tuple(columns), found.label, found.ignored)


def _read_as(schema: Schema, files: _Files, found: Layout) -> Channel:
    parts: list[Matrix] = []
    labels: list[Labels] = []
    times: list[Floats] = []
    for table in files.tables(all_numbers=schema.is_numeric, found=found):
        parts.append(schema.rows(table).X)
        labels.append(_labels(table, found.label))
        if found.time:
            times.append(_times(table, found.time))
    if not parts:
        raise NoRowsError(f'channel "{files.directory.name}" holds a header and no rows')
    X = np.concatenate(parts)
    del parts
    rows = Labelled(X, np.concatenate(labels), np.concatenate(times) if times else None)
    return Channel(found, _with_ranges(schema, X), rows)


def _with_ranges(schema: Schema, X: Matrix) -> Schema:
    """Return the schema with the least and the largest number of each column."""
    columns = []
    for position, column in enumerate(schema.columns):
        values = X[:, position]
        known = values[~np.isnan(values)] if column.kind == "number" else values[:0]
        ranged = replace(column, minimum=float(known.min()), maximum=float(known.max())) if len(known) else column
        columns.append(ranged)
    return replace(schema, columns=tuple(columns))


def _cells(table: Table, name: str) -> Sequence[object] | Floats:
    names = [known.casefold() for known in table.names or ()]
    if name.casefold() not in names:
        raise ColumnError(f'{table.where(0)}: the header lacks "{name}"')
    position = names.index(name.casefold())
    if isinstance(table.cells, np.ndarray):
        return table.cells[:, position]
    return [cast(Sequence[object], row)[position] for row in table.cells]


def _labels(table: Table, name: str) -> Labels:
    cells = _cells(table, name)
    if isinstance(cells, np.ndarray):
        wrong = np.flatnonzero((cells != 0) & (cells != 1))
        values = cells
    else:
        values = np.array([_label(cell) for cell in cells])
        wrong = np.flatnonzero(np.isnan(values))
    if len(wrong):
        where = table.where(int(wrong[0]))
        differ = f"{len(wrong)} rows differ (no and yes, false and true are read too)"
        raise LabelError(f'{where}: the label in column "{name}" should be 0, or 1 for fraud; {differ}')
    return values.astype(np.uint8)


def _label(cell: object) -> float:
    try:
        return parse_boolean(cell)
    except ValueError:
        return np.nan


def _times(table: Table, name: str) -> Floats:
    """Return the time of each row: the number itself, or the seconds since 1970 of a date (ISO 8601)."""
    cells = _cells(table, name)
    if isinstance(cells, np.ndarray):
        return cells.copy()  # a view would keep its whole block
    return np.array([_time(cell, table, index, name) for index, cell in enumerate(cells)])


def _time(cell: object, table: Table, index: int, name: str) -> float:
    try:
        return parse_number(cell)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(str(cell).strip())
    except ValueError:
        where = f'{table.where(index)}, time column "{name}"'
        raise ColumnError(f"{where}: the cell is neither a number nor a date such as 2026-01-31T12:00:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
