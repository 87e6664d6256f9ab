import re

import pytest

from fraud.errors import ColumnError, RowError, RowWidthError
from fraud.schema import Column
from fraud.survey import MOST_CATEGORIES, survey
from fraud.table import Table


def column(*cells: str, force: bool = False) -> Column:
    """Survey one column, whose rows stand in a file from line 2 on."""
    table = Table([[cell] for cell in cells], ("a",), "train/a.csv", first=2)
    return survey([table], ["a"], ["A"] if force else [])["a"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param(["1", "", "2.5", "NA"], Column("a"), id="numbers and missing"),
        pytest.param(["", "nan"], Column("a"), id="nothing but missing"),
        pytest.param(["0", "1"], Column("a"), id="0 and 1 are numbers"),
        pytest.param(["true", "FALSE", ""], Column("a", "boolean"), id="booleans"),
        pytest.param(["yes", "1", "0", "no"], Column("a", "boolean"), id="booleans in both spellings"),
        pytest.param(["true", "NA", "false"], Column("a", "boolean"), id="booleans and missing words"),
        pytest.param(["visa", " amex", "visa"], Column("a", "category", ("amex", "visa")), id="words"),
        pytest.param(["x", "y", "7"], Column("a", "category", ("7", "x", "y")), id="words and a number"),
        pytest.param(["inf", "acme", "bolt"], Column("a", "category", ("acme", "bolt", "inf")), id="a firm called inf"),
    ],
)
def test_kind(cells: list[str], expected: Column) -> None:
    """The kind of a column is read off its cells."""
    assert column(*cells) == expected


def test_forced() -> None:
    """A column that is told to be a category is one, whatever its cells are, and its name may be in any case."""
    assert column("10", "9", "1e999", force=True) == Column("a", "category", ("10", "1e999", "9"))


def test_kinds_over_tables() -> None:
    """A column is judged over all tables, found in each by its name."""
    tables = [Table([["1", "x"]], ("a", "b")), Table([["y", "2"], ["z", "3"]], ("B", "A"))]
    found = survey(tables, ["b", "a"], [])

    assert found == {"b": Column("b", "category", ("x", "y", "z")), "a": Column("a")}
    assert list(found) == ["b", "a"]


@pytest.mark.parametrize("cells", [["1", "12h", "2"], ["1", "12h"]])
def test_mixed(cells: list[str]) -> None:
    """Words among at least as many numbers are refused; the message counts them and says where, and shows none."""
    message = rf'^column "a" holds {len(cells) - 1} numbers and 1 words, the first at train/a.csv, line 3; mend'
    with pytest.raises(ColumnError, match=message) as caught:
        column(*cells)

    assert "12h" not in caught.value.public


@pytest.mark.parametrize(
    ("cells", "writing"),
    [
        pytest.param(["12,50", "3", "", "-7,1"], "a decimal comma", id="decimal comma"),
        pytest.param(["0,125", "0,250"], "a decimal comma", id="decimal comma before three digits"),
        pytest.param([",5"], "a decimal comma", id="nothing before the comma"),
        pytest.param(["8.812,50", "3,999"], "a decimal comma", id="points between thousands"),
        pytest.param(["8\u00a0812,50"], "a decimal comma", id="spaces between thousands"),
        pytest.param(["8,812.50", "3,999"], "separators between thousands", id="commas between thousands"),
        pytest.param(["8,81,245", "8'812", "8.812.450", "8\u202f812"], "separators between thousands", id="thousands"),
        pytest.param(["3,999", "8,812"], "a comma that is decimal or between thousands", id="either comma"),
        pytest.param(
            ["$3.20", "-$8", "$-7", "US$ 3", "3 \u20ac", "\u20b9 3", "EUR 3"], "a currency sign", id="currency"
        ),
        pytest.param(["88%", "3.5 %"], "a percent sign", id="percent"),
        pytest.param(["3,20 \u20ac"], "a currency sign and with a decimal comma", id="both"),
        pytest.param(["88,1%"] * 9 + ["unknown"], "a decimal comma and with a percent sign", id="nine in ten"),
        pytest.param(["88.1"] * 9 + ["88,1"], "a decimal comma", id="one among numbers"),
        pytest.param([f"{number},5" for number in range(9000)], "a decimal comma", id="more than categories may be"),
    ],
)
def test_written_otherwise(cells: list[str], writing: str) -> None:
    """A column of numbers that are written as people write them is refused with the way, and shows no cell."""
    with pytest.raises(ColumnError) as caught:
        column("NA", *cells)

    first = 3 + next(index for index, cell in enumerate(cells) if re.search("[^0-9.]", cell))
    assert str(caught.value) == (
        f'column "a" holds numbers written with {writing}, the first at train/a.csv, line {first}; '
        "write plain numbers such as 1234.5, or set categories=a or exclude=a"
    )


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param(["12,50"] * 8 + ["fast", "slow"], id="fewer than nine in ten"),
        pytest.param(["10-20", "20-50"], id="ranges"),
        pytest.param(["2026-01-31", "31.12.2026"], id="dates"),
        pytest.param(["10.0.0.1", "1.2.3"], id="addresses and versions"),
        pytest.param(["SKU 12", "AB12", "US5"], id="codes"),
        pytest.param(["$", "%", "1,2,3", "12,", "- 5", "1" * 50 + ",5"], id="not quite"),
    ],
)
def test_words_with_digits(cells: list[str]) -> None:
    """Words that hold digits stay categories."""
    assert column(*cells).kind == "category"


def test_written_otherwise_by_order() -> None:
    """Whoever says that such cells are categories is heeded."""
    assert column("10%", "20%", force=True).categories == ("10%", "20%")


def test_words_among_numbers_stay_words() -> None:
    """A stray decimal comma does not explain other words among numbers."""
    with pytest.raises(ColumnError, match=r"holds 97 numbers and 3 words, the first at train/a.csv, line 2;"):
        column("fast", "slow", "12,5", *["1"] * 97)


@pytest.mark.parametrize("cells", [["1", "inf"], ["inf", "1e400"], ["1", "1e39", "word"], ["1e39"] * 2])
def test_infinite(cells: list[str]) -> None:
    """An infinite number in a column of numbers is refused by file and line."""
    first = next(cell for cell in cells if cell != "1")
    line = 2 + cells.index(first)
    with pytest.raises(RowError, match=rf'^train/a.csv, line {line}, column "a": "{first}" is not a finite') as caught:
        column(*cells)

    assert caught.value.public == f'train/a.csv, line {line}, column "a": the cell is not a finite number'


@pytest.mark.parametrize("force", [pytest.param(False, id="words"), pytest.param(True, id="forced")])
def test_identifier(force: bool) -> None:
    """As many words as an identifier has are refused, and as many as are allowed are not."""
    words = [f"w{number}" for number in range(MOST_CATEGORIES + 1)]

    assert len(column(*words[:-1], force=force).categories) == MOST_CATEGORIES
    with pytest.raises(ColumnError, match=r'^column "a" holds more than 1000 different words: .* set exclude=a$'):
        column(*words, "one more", force=force)


def test_ragged() -> None:
    """A row of another width is refused by file and line."""
    table = Table([["1", "2"], ["1"]], ("a", "b"), "train/a.csv", first=2)
    with pytest.raises(RowWidthError, match=r"^train/a.csv, line 3 has 1 cells; 2 columns are named$"):
        survey([table], ["a"], [])


def test_absent() -> None:
    """A table whose header lacks an input is refused by file."""
    with pytest.raises(ColumnError, match=r'^train/b.csv, line 2: the header lacks "a"$'):
        survey([Table([["1"]], ("b",), "train/b.csv", first=2)], ["a"], [])
