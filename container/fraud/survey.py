"""The kind of each column of a table that holds more than numbers: number, boolean or category."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from fraud.cells import BOOLEAN_WORDS, NOT_FINITE, category_text, is_missing, parse_number
from fraud.errors import ColumnError, RowError, RowWidthError
from fraud.schema import Column
from fraud.table import Table

MOST_CATEGORIES = 1000
# Of the filled cells: where so many are numbers, however they are written, none is meant as a word.
NUMBERS_SHARE = 0.9
LONGEST_NUMBER = 40

# A sign, with the letters of US$ or R$ before it, or the code of a currency that is traded much.
CURRENCY = (
    r"(?:[A-Z]{0,3}[$\u00a2-\u00a5\u0e3f\u20a0-\u20cf]"
    r"|(?:AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|INR|JPY|MXN|NOK|NZD|PLN|SEK|SGD|USD|ZAR)(?![A-Z]))"
)
WRITTEN = re.compile(
    rf"[-+]?\s?(?P<before>{CURRENCY})?\s?[-+]?(?P<digits>[.,]?\d[\d.,'\u2019\s]*?)"
    rf"\s?(?:(?P<after>{CURRENCY})|(?P<share>%))?"
)
EITHER_COMMA = "a comma that is decimal or between thousands"
# The ways to write digits, by what a person would call them; the first that fits is the one.
DIGITS = {
    "": re.compile(r"\d+\.?\d*|\.\d+"),
    EITHER_COMMA: re.compile(r"[1-9]\d{0,2},\d{3}"),
    "separators between thousands": re.compile(
        r"[1-9]\d{0,2}(?:(?:,\d{2,3})*,\d{3}(?:\.\d*)?|(?:['\u2019\s]\d{3})+(?:\.\d*)?|(?:\.\d{3}){2,})"
    ),
    "a decimal comma": re.compile(r"\d*,\d+|[1-9]\d{0,2}(?:[.'\u2019\s]\d{3})+,\d+"),
}


@dataclass
class _Seen:
    """What the cells of one column were so far; `texts` are the different ones, up to one more than are allowed."""

    numbers: int = 0
    words: int = 0
    first_word: str = ""
    written: int = 0
    writings: set[str] = field(default_factory=set)
    first_written: str = ""
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
                self._add_writing(text, count, cells, table)
            if len(self.texts) <= MOST_CATEGORIES:
                self.texts.add(text)

    def _add_writing(self, text: str, count: int, cells: Sequence[object], table: Table) -> None:
        if found := _writings(text):
            self.written += count
            self.writings |= found
            self.first_written = self.first_written or _where(text, cells, table)

    @property
    def are_numbers(self) -> bool:
        """Whether the cells are numbers, and most of those that could not be read are written in another way."""
        filled = self.numbers + self.words
        return 2 * self.written > self.words and self.numbers + self.written >= NUMBERS_SHARE * filled


def survey(tables: Iterable[Table], inputs: Iterable[str], categories: Iterable[str]) -> dict[str, Column]:
    """Look at every cell of the inputs and return a column for each, in their order.

    Columns named in `categories` are categories even where every cell is a number. Raises ColumnError for a
    column that mixes numbers with words, holds too many words, or holds numbers written as people write them
    ("with a decimal comma"); RowError for an infinite number.
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
        if seen.are_numbers:
            raise ColumnError(
                f'column "{name}" holds numbers written with {_named(seen.writings)}, the first at '
                f"{seen.first_written}; write plain numbers such as 1234.5, or set categories={name} or exclude={name}"
            )
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


def _writings(text: str) -> set[str]:
    """Return what keeps a text from being read as the number that a person sees in it; nothing where it is none."""
    found = WRITTEN.fullmatch(text) if len(text) <= LONGEST_NUMBER else None
    way = next((way for way, digits in DIGITS.items() if found and digits.fullmatch(found["digits"])), None)
    if found is None or way is None:
        return set()
    signs = {"a currency sign": found["before"] or found["after"], "a percent sign": found["share"]}
    return {way, *(sign for sign, is_there in signs.items() if is_there)} - {""}


def _named(writings: set[str]) -> str:
    """List the ways of writing; a comma that may be either is explained by one that can be one only."""
    is_explained = len(writings & DIGITS.keys()) > 1
    return " and with ".join(sorted(writings - ({EITHER_COMMA} if is_explained else set())))


def _problem(text: str) -> str:
    try:
        parse_number(text)
    except ValueError as error:
        return str(error)
    return ""


def _where(text: str, cells: Sequence[object], table: Table) -> str:
    return table.where(next(index for index, cell in enumerate(cells) if category_text(cell) == text))
