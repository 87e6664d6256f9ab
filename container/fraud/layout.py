"""What the columns of a channel are called and which of them a model reads."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import cast

from fraud.cells import BOOLEAN_WORDS, is_number
from fraud.errors import ColumnError, quoted
from fraud.table import Table

CARD_COLUMNS = ("Time", *(f"V{number}" for number in range(1, 29)), "Amount", "Class")
# A date, a price, a percentage: what a row holds, and no name of a column.
CELL = re.compile(r"[-+]?\d+([-/.:,]\d.*|\s?%)|[$\u00a2-\u00a5\u20a0-\u20cf].*|.*\d\s?[$\u00a2-\u00a5\u20a0-\u20cf]")


@dataclass(frozen=True)
class Roles:
    """Which columns are not plain inputs: the label, the ones left out, and the one that orders rows in time.

    `categories` are categories even where their cells are numbers.
    """

    label: str
    exclude: tuple[str, ...] = ()
    time_column: str | None = None
    categories: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[tuple[str, str], ...]:
        """Return each column but the label, after the hyperparameter that names it."""
        named = {"exclude": self.exclude, "categories": self.categories}
        pairs = [(role, name) for role, names in named.items() for name in names]
        return (*pairs, *([("time_column", self.time_column)] if self.time_column else []))


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
    exact = {name.casefold(): name for name in names}
    _check_header(names, roles.label)
    _check_roles(first, names, roles)
    label, time = exact[roles.label.casefold()], exact.get((roles.time_column or "time").casefold())
    left_out = {label, *(exact[name.casefold()] for name in roles.exclude)}
    if time and not all(is_number(str(cell)) for cell in _rows(first)[0][names.index(time) :][:1]):
        left_out.add(time)  # a date orders rows, and is no quantity that a model could compare
    inputs = tuple(name for name in names if name not in left_out)
    if not inputs:
        raise ColumnError("no column is left for the model to read")
    return Layout(names, label, inputs, time)


def _check_header(names: Sequence[str], label: str) -> None:
    """Refuse a first line that is no whole header; where it seems to be a row, its cells are not shown."""
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise ColumnError("the first line is one cell that holds semicolons or tabs; separate cells with commas")
    folded = [name.casefold() for name in names]
    twice = next((name for name in names if folded.count(name.casefold()) > 1), None)
    if label.casefold() not in folded and (twice is not None or any(map(_is_cell, names))):
        raise ColumnError(
            f'the first line does not name the label "{label}", and seems to be a row, as it repeats a cell or holds a '
            "date, a price, yes or no; put a header above it, or set label to the column that holds 0, or 1 for fraud"
        )
    if twice is not None:
        other = next((name for name in names if name != twice and name.casefold() == twice.casefold()), None)
        because = "" if other is None else f', as "{other}" differs from it by upper and lower case only'
        raise ColumnError(f'column "{twice}" is named more than once{because}; give every column a name of its own')


def _check_roles(first: Table, names: Sequence[str], roles: Roles) -> None:
    """Refuse a hyperparameter that names no column, or that names the label as something else."""
    folded = {name.casefold() for name in names}
    without_header = "" if first.names else "; the file has no header, as a cell of its first line is a number or empty"
    for role, name in (("label", roles.label), *roles.others):
        if name.casefold() not in folded:
            raise ColumnError(
                f'there is no column "{name}" among {quoted(names)}; {_right(role, name, names)}{without_header}'
            )
        if role != "label" and name.casefold() == roles.label.casefold():
            raise ColumnError(f'{role} names the label "{name}", which a model never reads; take it out of {role}')


def _right(role: str, name: str, names: Sequence[str]) -> str:
    close = get_close_matches(name, names, n=1)
    hint = f', perhaps to "{close[0]}"' if close else ""
    if role == "label":
        return f"set label to the column that holds 0, or 1 for fraud{hint}"
    return f"{role} names it: correct {role}{hint}"


def _is_cell(name: str) -> bool:
    return name.casefold() in BOOLEAN_WORDS or CELL.fullmatch(name) is not None


def _names_by_position(first: Table, label: str) -> tuple[str, ...]:
    cells = _rows(first)[0]
    if not is_number(label) and label.casefold() in (str(cell).strip().casefold() for cell in cells):
        raise ColumnError(
            f'the first line holds "{label}" and cannot be a header, as another cell of it is empty or a number; '
            "give every column a name that is a word (in pandas: to_csv(..., index=False))"
        )
    width = len(cells)
    if width == len(CARD_COLUMNS) and not _is_binary(first, 0) and _is_binary(first, width - 1):
        return CARD_COLUMNS
    return (label, *(f"f{number}" for number in range(width - 1)))


def _is_binary(table: Table, position: int) -> bool:
    return all(str(row[position]).strip() in ("0", "1", "0.0", "1.0") for row in _rows(table) if len(row) > position)


def _rows(table: Table) -> Sequence[Sequence[object]]:
    """Return the rows of a table out of a file, which are always by position."""
    return cast(Sequence[Sequence[object]], table.cells)
