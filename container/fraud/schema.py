"""What a row is: its columns in order, their kinds, and how cells become the numbers that a model reads."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fraud.cells import NOT_FINITE, category_text, is_number, parse_boolean, parse_number
from fraud.errors import ColumnError, RowError, RowWidthError, quoted
from fraud.table import Row, Table

type Matrix = NDArray[np.float32]
type Kind = Literal["number", "boolean", "category"]


@dataclass(frozen=True)
class Column:
    """One input of the model; `minimum` and `maximum` are what training rows held."""

    name: str
    kind: Kind = "number"
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @cached_property
    def codes(self) -> dict[str, float]:
        return {category: float(code) for code, category in enumerate(self.categories)}

    @cached_property
    def codes_or_missing(self) -> frozenset[str | None]:
        return frozenset({None, *self.categories})

    def value(self, cell: object) -> float:
        """Return the number a model reads, NaN for a missing cell; ValueError says what is wrong with it."""
        if self.kind == "number":
            return parse_number(cell)
        if self.kind == "boolean":
            return parse_boolean(cell)
        text = self.category(cell)
        return math.nan if text is None else self.codes.get(text, math.nan)

    def category(self, cell: object) -> str | None:
        """Return the category that a cell names, None for a missing cell; 5411.0, as pandas writes it, names 5411."""
        text = category_text(cell)
        whole = text[:-2] if text and text.endswith(".0") else text
        return whole if whole in self.codes and text not in self.codes else text

    def shown(self, value: np.float32) -> float | bool | str | None:
        """Return what a person reads for a number that `value` returned; None for a missing cell."""
        if np.isnan(value):
            return None
        if self.kind == "category":
            return self.categories[int(value)]
        # the shortest text that float32 rounds back from, so that 149.62 stays 149.62
        return bool(value) if self.kind == "boolean" else float(str(value))


@dataclass(frozen=True)
class Rows:
    """Rows that fit the schema, and what had to be read as missing."""

    X: Matrix
    missing_cells: int
    unseen_categories: int


@dataclass(frozen=True)
class Schema:
    """The columns that a model was trained on, in order, and the known ones that it does not read."""

    columns: tuple[Column, ...]
    label: str
    ignored: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def is_numeric(self) -> bool:
        """Whether every column is a number, so that no cell needs its text."""
        return all(column.kind == "number" for column in self.columns)

    @cached_property
    def has_numbers_for_names(self) -> bool:
        """Whether a column's name could be read as a cell of it."""
        return any(map(is_number, self.names))

    @property
    def feature_types(self) -> list[str]:
        """Return XGBoost's type of each column: `c` for categories, `q` for quantities."""
        return ["c" if column.kind == "category" else "q" for column in self.columns]

    def index(self, name: str) -> int | None:
        """Return the position of a column, or None where the model does not read it."""
        return self._positions.get(name.casefold())

    def is_header(self, cells: Sequence[str]) -> bool:
        """Tell whether the first line of a body names columns, known ones or, where numbers belong, any at all."""
        unknown = next((cell for cell in cells if not self.knows(cell.strip())), None)
        if unknown is None or is_number(unknown):  # on a row of numbers the first cell decides
            return unknown is None
        if any(column.kind == "number" for column in self.columns):
            return not any(map(is_number, cells))
        return self.is_near_header(cells)

    def is_near_header(self, cells: Sequence[str]) -> bool:
        """Tell whether all cells are names known here, or half of them and none is a number or a category."""
        words = [cell.strip() for cell in cells]
        known = sum(map(self.knows, words))
        if not known or known * 2 < len(words):
            return False
        are_categories = (word in column.codes for word, column in zip(words, self.columns, strict=False))
        return known == len(words) or not (any(are_categories) or any(word and is_number(word) for word in words))

    def rows(self, table: Table) -> Rows:
        """Check and place every cell: float32 (rows, columns).

        Raises ColumnError for a wrong header, RowWidthError or RowError for the first row that does not fit.
        """
        order = None if table.names is None else self.order(table.names, table.file)
        width = len(self.columns) if table.names is None else len(table.names)
        if isinstance(table.cells, np.ndarray):
            return self._from_numbers(table, table.cells, width, order)
        placed = [self._place(table, index, row, width, order) for index, row in enumerate(table.cells)]
        X = np.empty((len(placed), len(self.columns)), dtype=np.float32)
        unseen = 0
        for position, column in enumerate(self.columns):
            cells = [row[position] for row in placed]
            try:
                X[:, position] = [column.value(cell) for cell in cells]
            except ValueError:
                raise next(_wrong_cells(self.columns, placed, table)) from None
            if column.kind == "category":
                unseen += sum(column.category(cell) not in column.codes_or_missing for cell in cells)
        return Rows(X, missing_cells=int(np.isnan(X).sum()) - unseen, unseen_categories=unseen)

    def _from_numbers(self, table: Table, cells: NDArray[np.float64], width: int, order: list[int] | None) -> Rows:
        if cells.shape[1] != width:
            raise RowWidthError(f"{table.where(0)} has {cells.shape[1]} cells; {self._width_expected(table)}")
        cells = cells if order is None else cells[:, order]
        with np.errstate(over="ignore"):
            X = cells.astype(np.float32, order="C")
        outside = np.isinf(X)
        if np.count_nonzero(outside):
            row, position = np.argwhere(outside)[0]
            where = f'{table.where(int(row))}, column "{self.columns[position].name}"'
            raise RowError(where, NOT_FINITE, cells[row, position])
        return Rows(X, missing_cells=int(np.count_nonzero(np.isnan(X))), unseen_categories=0)

    def _place(self, table: Table, index: int, row: Row, width: int, order: list[int] | None) -> Sequence[object]:
        if isinstance(row, Mapping):
            return self._place_by_name(table, index, row)
        if len(row) != width:
            held = "is empty" if len(row) == 1 and not str(row[0]).strip() else f"has {len(row)} cells"
            raise RowWidthError(f"{table.where(index)} {held}; {self._width_expected(table)}")
        return row if order is None else [row[position] for position in order]

    def _place_by_name(self, table: Table, index: int, row: Mapping[str, object]) -> Sequence[object]:
        placed: list[object] = [None] * len(self.columns)
        named: set[int] = set()
        for name, cell in row.items():
            for key, value in self._spread(table, index, name, cell):
                position = self._positions.get(key.casefold())
                if position is None and key.casefold() not in self._ignored:
                    raise ColumnError(f"{table.where(index)}: {self._unknown(key)}")
                if position in named:
                    raise ColumnError(f'{table.where(index)}: column "{key[:60]}" is named more than once')
                if position is not None:
                    placed[position] = value
                    named.add(position)
        if not named:
            raise ColumnError(f"{table.where(index)} names none of the columns; {self._expected}")
        return placed

    def _spread(self, table: Table, index: int, name: str, cell: object) -> list[tuple[str, object]]:
        """Let `"v": [...]` fill V1..Vn."""
        if not isinstance(cell, list):
            return [(name, cell)]
        last = f"{name}{len(cell) + 1}".casefold()
        if not cell or last in self._positions or f"{name}{len(cell)}".casefold() not in self._positions:
            raise ColumnError(f"{table.where(index)}: {self._no_list(name, len(cell))}")
        return [(f"{name}{number}", value) for number, value in enumerate(cell, start=1)]

    def _no_list(self, name: str, cells: int) -> str:
        shown, numbers = name[:60], range(1, len(self.columns) + 1)
        known = sum(f"{name}{number}".casefold() in self._positions for number in numbers)
        if known:
            return f'"{shown}" is a list of {cells} cells; this model has {known} columns named like "{shown}1"'
        if self.knows(name):
            return f'"{shown}" is a list where one cell belongs'
        wanted = 'send {"instances": [...]} as application/json, or a row on each line as application/jsonlines'
        return f'there is no column "{shown}"; {wanted}'

    def order(self, names: Sequence[str], file: str | None = None) -> list[int]:
        """Return, for each column of the schema, its position in a header; ColumnError where they do not match."""
        folded = [name.casefold() for name in names]
        where = f"{file}: " if file else ""
        for name, key in zip(names, folded, strict=True):
            if folded.count(key) > 1:
                raise ColumnError(f'{where}column "{name[:60]}" is named more than once')
            if not self.knows(key):
                raise ColumnError(where + self._unknown(name))
        absent = [name for name in self.names if name.casefold() not in folded]
        if absent:
            raise ColumnError(f"{where}the header lacks {quoted(absent)}; {self._expected}")
        return [folded.index(name.casefold()) for name in self.names]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name.casefold(): position for position, name in enumerate(self.names)}

    @cached_property
    def _ignored(self) -> frozenset[str]:
        return frozenset(name.casefold() for name in (self.label, *self.ignored))

    def knows(self, name: str) -> bool:
        """Tell whether a column of that name was in the training rows, whether or not the model reads it."""
        folded = name.casefold()
        return folded in self._positions or folded in self._ignored

    @property
    def _expected(self) -> str:
        return f"this model reads {len(self.columns)}: {quoted(self.names)}"

    def _width_expected(self, table: Table) -> str:
        return self._expected if table.names is None else f"{len(table.names)} columns are named"

    def _unknown(self, name: str) -> str:
        close = get_close_matches(name[:60], self.names, n=1)
        hint = f'did you mean "{close[0]}"?' if close else self._expected
        return f'there is no column "{name[:60]}"; {hint}'


def _wrong_cells(columns: Sequence[Column], placed: Sequence[Sequence[object]], table: Table) -> Iterator[RowError]:
    for index, row in enumerate(placed):
        for column, cell in zip(columns, row, strict=True):
            try:
                column.value(cell)
            except ValueError as error:
                yield RowError(f'{table.where(index)}, column "{column.name}"', str(error), cell)
