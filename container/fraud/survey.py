"""The kind of each column of a table that holds more than numbers: number, boolean or category."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from fraud.cells import BOOLEAN_WORDS, NOT_FINITE, category_text, is_missing, parse_number
from fraud.errors import ColumnError, RowError, RowWidthError
from fraud.schema import Column
from fraud.table import Table

MOST_CATEGORIES = 1000


@dataclass
class _Seen:
    """What the cells of one column were so far; `texts` are the different ones, up to one more than are allowed."""

    numbers: int = 0
    words: int = 0
    first_word: str = ""
    first_infinite: tuple[str, str] | None = None
    all_boolean: bool = True
    texts: set[str] = field(default_factory=set)

    def add(self, cells: Sequence[object], table: Table) -> None:
        counts = Counter(text for text in map(category_text, cells) if text is not None)
        for text, count in counts.items():
            self.all_boolean &= is_missing(text) or text.casefold() in BOOLEAN_WORDS or text in ("0", "1")
            problem = _problem(text)
            if problem == NOT_FINITE:
                self.first_infinite = self.first_infinite or (_where(text, cells, table), text)
            if problem in ("", NOT_FINITE):
                self.numbers += 0 if is_missing(text) else count
            else:
                self.words += count
                self.first_word = self.first_word or _where(text, cells, table)
            if len(self.texts) <= MOST_CATEGORIES:
                self.texts.add(text)


def survey(tables: Iterable[Table], inputs: Iterable[str], categories: Iterable[str]) -> dict[str, Column]:
    """Look at every cell of the inputs and return a column for each, in their order.

    Columns named in `categories` are categories even where every cell is a number. Raises ColumnError for a
    column that mixes numbers with words or holds too many words, RowError for an infinite number.
    """
    seen = {name: _Seen() for name in inputs}
    for table in tables:
        names = [name.casefold() for name in table.names or ()]
        rows = [cast(Sequence[object], row) for row in table.cells]
        for index, row in enumerate(rows):
            if len(row) != len(names):
                raise RowWidthError(f"{table.where(index)} has {len(row)} cells; {len(names)} columns are named")
        for name, column in seen.items():
            if name.casefold() not in names:
                raise ColumnError(f'{table.where(0)}: the header lacks "{name}"')
            position = names.index(name.casefold())
            column.add([row[position] for row in rows], table)
    forced = {name.casefold() for name in categories}
    return {name: _column(name, column, is_forced=name.casefold() in forced) for name, column in seen.items()}


def _column(name: str, seen: _Seen, *, is_forced: bool) -> Column:
    if not is_forced:
        if seen.first_infinite and seen.numbers >= seen.words:
            where, text = seen.first_infinite
            raise RowError(f'{where}, column "{name}"', NOT_FINITE, text)
        if not seen.words:
            return Column(name)
        if seen.all_boolean:
            return Column(name, "boolean")
        if seen.numbers >= seen.words:
            raise ColumnError(
                f'column "{name}" holds {seen.numbers} numbers and {seen.words} words, the first at '
                f"{seen.first_word}; mend the cells, or set categories={name} or exclude={name}"
            )
    if len(seen.texts) > MOST_CATEGORIES:
        raise ColumnError(
            f'column "{name}" holds more than {MOST_CATEGORIES} different words: an identifier is no category; '
            f"set exclude={name}"
        )
    return Column(name, "category", tuple(sorted(seen.texts)))


def _problem(text: str) -> str:
    try:
        parse_number(text)
    except ValueError as error:
        return str(error)
    return ""


def _where(text: str, cells: Sequence[object], table: Table) -> str:
    return table.where(next(index for index, cell in enumerate(cells) if category_text(cell) == text))
