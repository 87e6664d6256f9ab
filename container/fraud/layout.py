"""What the columns of a channel are called and which of them a model reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from fraud.cells import is_number
from fraud.errors import ColumnError
from fraud.schema import quoted
from fraud.table import Table

CARD_COLUMNS = ("Time", *(f"V{number}" for number in range(1, 29)), "Amount", "Class")


@dataclass(frozen=True)
class Roles:
    """Which columns are not plain inputs: the label, the ones left out, and the one that orders rows in time.

    `categories` are categories even where their cells are numbers.
    """

    label: str
    exclude: tuple[str, ...] = ()
    time_column: str | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """The columns in the order of the file, by their exact names."""

    names: tuple[str, ...]
    label: str
    inputs: tuple[str, ...]
    time: str | None

    @property
    def ignored(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name not in self.inputs and name != self.label)


def layout(first: Table, roles: Roles) -> Layout:
    """Read the layout off a channel's first table; ColumnError for a column that is not there.

    Without a header the label comes first, as the built-in algorithm has it, or the columns are the public
    credit-card data set's own. A `Time` column orders rows where no other is named.
    """
    names = first.names or _names_by_position(first, roles.label)
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise ColumnError("the first line is one cell that holds semicolons or tabs; separate cells with commas")
    exact = {name.casefold(): name for name in names}
    if len(exact) < len(names):
        twice = next(name for name in names if exact[name.casefold()] != name or names.count(name) > 1)
        raise ColumnError(f'column "{twice}" is named more than once (names differ by more than their case)')
    time = roles.time_column or exact.get("time")
    for name in (roles.label, *roles.exclude, *roles.categories, *([time] if time else [])):
        if name.casefold() not in exact:
            raise ColumnError(f'there is no column "{name}" among {quoted(names)}; correct label, exclude, ... to fit')
    label, time = exact[roles.label.casefold()], exact[time.casefold()] if time else None
    left_out = {label, *(exact[name.casefold()] for name in roles.exclude)}
    if time and not all(is_number(str(cell)) for cell in _rows(first)[0][names.index(time) :][:1]):
        left_out.add(time)  # a date orders rows, and is no quantity that a model could compare
    inputs = tuple(name for name in names if name not in left_out)
    if not inputs:
        raise ColumnError("no column is left for the model to read")
    return Layout(names, label, inputs, time)


def _names_by_position(first: Table, label: str) -> tuple[str, ...]:
    width = len(_rows(first)[0])
    if width == len(CARD_COLUMNS) and not _is_binary(first, 0) and _is_binary(first, width - 1):
        return CARD_COLUMNS
    return (label, *(f"f{number}" for number in range(width - 1)))


def _is_binary(table: Table, position: int) -> bool:
    return all(str(row[position]).strip() in ("0", "1", "0.0", "1.0") for row in _rows(table) if len(row) > position)


def _rows(table: Table) -> Sequence[Sequence[object]]:
    """Return the rows of a table out of a file, which are always by position."""
    return cast(Sequence[Sequence[object]], table.cells)
