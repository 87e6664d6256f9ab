import math

import numpy as np
import pytest

from fraud.errors import ColumnError, RowError, RowWidthError, quoted
from fraud.schema import Column, Schema
from fraud.table import Row, Table

NUMBERS = Schema((Column("Time"), Column("V1"), Column("V2"), Column("V3"), Column("Amount")), "Class", ("id",))
KINDS = Schema((Column("Amount"), Column("card", "category", ("amex", "visa")), Column("web", "boolean")), "Class")


def table(*rows: Row, names: tuple[str, ...] | None = None, file: str | None = None) -> Table:
    return Table(list(rows), names, file)


def test_kinds() -> None:
    """A number is itself, a category its place in the list, a boolean 0 or 1."""
    rows = KINDS.rows(table(["1.5", " visa ", "yes"], [2, "amex", False]))

    np.testing.assert_array_equal(rows.X, np.array([[1.5, 1, 1], [2, 0, 0]], dtype=np.float32))
    assert rows.X.dtype == np.float32


def test_counts() -> None:
    """An unseen category is read as missing and counted apart from the cells that are missing."""
    rows = KINDS.rows(table(["", "visa", "1"], ["1", "diners", ""], ["1", None, "0"]))

    assert (rows.missing_cells, rows.unseen_categories) == (3, 1)
    assert np.isnan(rows.X).sum() == 4


def test_missing_numbers_counted() -> None:
    """Missing cells of a matrix are counted."""
    rows = NUMBERS.rows(Table(np.array([[1, 2, math.nan, 4, math.nan]])))

    assert (rows.missing_cells, rows.unseen_categories) == (2, 0)


@pytest.mark.parametrize(
    "names", [("amount", "V3", "v2", "V1", "TIME"), ("V3", "Class", "V2", "V1", "id", "Time", "Amount")]
)
def test_order_by_header(names: tuple[str, ...]) -> None:
    """Columns named by a header may come in any order and case; those the model does not read are passed over."""
    values = {"time": 1.0, "v1": 2.0, "v2": 3.0, "v3": 4.0, "amount": 5.0}
    row = [values.get(name.casefold(), 9.0) for name in names]
    expected = [[1, 2, 3, 4, 5]]

    np.testing.assert_array_equal(NUMBERS.rows(table(row, names=names)).X, expected)
    np.testing.assert_array_equal(NUMBERS.rows(Table(np.array([row]), names)).X, expected)


def test_list_of_v() -> None:
    """A list under a name fills the numbered columns of that name, whatever its case."""
    rows = NUMBERS.rows(table({"v": [2, 3, 4], "time": 1, "AMOUNT": 5}))

    np.testing.assert_array_equal(rows.X, [[1, 2, 3, 4, 5]])


def test_absent_names() -> None:
    """A column that an object does not name is missing; the label and left-out columns may be named."""
    rows = NUMBERS.rows(table({"Amount": 5, "class": 1, "ID": "x"}))

    np.testing.assert_array_equal(rows.X, [[math.nan] * 4 + [5]])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({"Amuont": 1}, 'row 1: there is no column "Amuont"; did you mean "Amount"?', id="misspelt"),
        pytest.param({"zzz": 1}, 'there is no column "zzz"; this model reads 5: "Time", "V1"', id="unknown"),
        pytest.param({"x" * 999: 1}, f'no column "{"x" * 60}";', id="long name is cut"),
        pytest.param({}, 'row 1 names none of the columns; this model reads 5: "Time"', id="nothing"),
        pytest.param({"Class": 1}, "row 1 names none of the columns", id="only the label"),
        pytest.param({"V1": 1, "v1": 2}, 'row 1: column "v1" is named more than once', id="twice"),
        pytest.param({"V1": 1, "v": [1, 2, 3]}, 'row 1: column "v1" is named more than once', id="listed and named"),
        pytest.param(
            {"v": [1, 2]}, 'row 1: "v" is a list of 2 cells; this model has 3 columns named like "v1"', id="short"
        ),
        pytest.param({"v": [1, 2, 3, 4]}, 'row 1: "v" is a list of 4 cells; this model has 3', id="long list"),
        pytest.param({"v": []}, 'row 1: "v" is a list of 0 cells', id="empty list"),
        pytest.param({"Amount": [1]}, 'row 1: "Amount" is a list where one cell belongs', id="list for a cell"),
        pytest.param({"id": []}, 'row 1: "id" is a list where one cell belongs', id="list for an ignored cell"),
        pytest.param(
            {"inputs": [[1, 2]]},
            'row 1: there is no column "inputs"; send {"instances": [...]} as',
            id="other name of rows",
        ),
    ],
)
def test_wrong_names(row: Row, message: str) -> None:
    """A row whose names do not fit is refused; the message names the row and what would be right."""
    with pytest.raises(ColumnError) as caught:
        NUMBERS.rows(table(row))

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(("Time", "V1", "V2", "V3"), 'the header lacks "Amount"; this model reads 5', id="lacks one"),
        pytest.param(("Time", "V1", "v1", "V2"), 'column "V1" is named more than once', id="twice"),
        pytest.param(("Time", "V11"), 'there is no column "V11"; did you mean "V1"', id="unknown"),
        pytest.param(("Time", ""), 'there is no column ""', id="empty name"),
        pytest.param(("Class", "Class"), 'column "Class" is named more than once', id="label twice"),
    ],
)
def test_wrong_header(names: tuple[str, ...], message: str) -> None:
    """A header that does not fit is refused; where it stands in a file, the file is named."""
    with pytest.raises(ColumnError) as in_body:
        NUMBERS.rows(table([1] * len(names), names=names))
    with pytest.raises(ColumnError) as in_file:
        NUMBERS.rows(table([1] * len(names), names=names, file="train/b.csv"))

    assert str(in_body.value).startswith(message)
    assert str(in_file.value) == f"train/b.csv: {in_body.value}"


@pytest.mark.parametrize("width", [0, 4, 6])
def test_wrong_width(width: int) -> None:
    """A row with too few or too many cells is refused, in a list of rows and in a matrix alike."""
    message = f'row 1 has {width} cells; this model reads 5: "Time", "V1", "V2", "V3", "Amount"'
    with pytest.raises(RowWidthError, match=message):
        NUMBERS.rows(table([1] * width))
    with pytest.raises(RowWidthError, match=message):
        NUMBERS.rows(Table(np.ones((3, width))))


def test_width_by_header() -> None:
    """Under a header the width is the header's, and the row that differs is named by file and line."""
    names = ("Class", *NUMBERS.names)
    rows = Table([[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4]], names, "train/a.csv", first=2)
    with pytest.raises(RowWidthError, match=r"^train/a.csv, line 3 has 5 cells; 6 columns are named$"):
        NUMBERS.rows(rows)


@pytest.mark.parametrize(
    ("row", "message", "public"),
    [
        pytest.param(["12,5", "visa", 1], 'row 1, column "Amount": "12,5" is not a number', "the cell", id="number"),
        pytest.param([[1], "visa", 1], 'row 1, column "Amount": "[1]" is not a number', "the cell", id="list"),
        pytest.param(
            [1, ["visa"], 1], 'column "card": "["visa"]" is not a word or a number', "the cell", id="category"
        ),
        pytest.param([1, "visa", "maybe"], 'column "web": "maybe" is not true or false', "the cell", id="boolean"),
        pytest.param(["1e39", "visa", 1], 'column "Amount": "1e39" is not a finite number', "the cell", id="infinite"),
    ],
)
def test_wrong_cell(row: Row, message: str, public: str) -> None:
    """A cell that does not fit is shown to its sender and to nobody else."""
    with pytest.raises(RowError) as caught:
        KINDS.rows(table(row))

    assert message in str(caught.value)
    shown = str(caught.value).split('"')[-2]
    assert shown not in caught.value.public
    assert public in caught.value.public


def test_first_wrong_cell() -> None:
    """Of several wrong cells the first is named, row by row, in lists and in a matrix alike."""
    rows: list[list[float]] = [[1, 2, 3, 4, 5], [1, 2, 3, 1e39, 5], [1e39, 2, 3, 4, 5]]
    for wrong in (table(*rows), Table(np.array(rows))):
        with pytest.raises(RowError, match=r'^row 2, column "V3": '):
            NUMBERS.rows(wrong)


def test_long_cell() -> None:
    """A long cell is cut in the message."""
    with pytest.raises(RowError, match=f'column "Amount": "{"x" * 58}" is not a number$'):
        KINDS.rows(table(["x" * 10_000, "visa", 1]))


def test_infinite_in_matrix() -> None:
    """A number beyond float32 in a matrix is refused by row and column, as the header orders them."""
    names = tuple(reversed(NUMBERS.names))
    cells = np.ones((3, 5))
    cells[2, 0] = 1e39
    with pytest.raises(RowError, match=r'^row 3, column "Amount": "1e\+39" is not a finite number$') as caught:
        NUMBERS.rows(Table(cells, names))

    assert caught.value.public == 'row 3, column "Amount": the cell is not a finite number'


def test_large_whole_number() -> None:
    """A whole number rounds once to float64 and then to float32, alone or among others, as CSV does."""
    number = 2**54 + 2**30 + 1
    alone = NUMBERS.rows(table([number] * 5)).X
    among = NUMBERS.rows(Table(np.array([[number] * 5], dtype=np.float64))).X

    np.testing.assert_array_equal(alone, among)
    np.testing.assert_array_equal(alone, NUMBERS.rows(table([str(number)] * 5)).X)


def test_line_of_a_row() -> None:
    """The line of a row counts the line breaks inside the cells before it."""
    rows = Table([["a\nb", "1"], ["c", "d\n\n"], ["e", "f"]], None, "train/a.csv", first=2)

    assert [rows.where(index) for index in range(3)] == [f"train/a.csv, line {line}" for line in (2, 4, 7)]
    assert Table(np.ones((3, 1)), None, "a.csv", 5).where(2) == "a.csv, line 7"
    assert Table([[1]], None, None, 5).where(0) == "row 5"


@pytest.mark.parametrize(
    ("cells", "is_header"),
    [
        pytest.param(["time", " V1 ", "CLASS", "id"], True, id="known names"),
        pytest.param(["a", "b"], True, id="words where numbers belong"),
        pytest.param(["a", "1"], False, id="a number"),
        pytest.param(["a", ""], False, id="an empty cell"),
        pytest.param(["a", "inf"], False, id="an infinite number"),
    ],
)
def test_is_header(cells: list[str], is_header: bool) -> None:
    """A first line names columns where all names are known, or where no cell could be a number."""
    assert NUMBERS.is_header(cells) is is_header


def test_is_header_without_numbers() -> None:
    """Among categories only, a line of unknown words is a row."""
    words = Schema((Column("card", "category", ("amex", "visa")),), "Class")

    assert not words.is_header(["visa"])
    assert words.is_header(["Card"])


WORDS = Schema(
    (
        Column("merchant", "category", ("A", "country")),
        Column("country", "category", ("DE", "5")),
        Column("new", "boolean"),
    ),
    "Class",
)


@pytest.mark.parametrize(
    ("cells", "is_header"),
    [
        pytest.param(["merchnt", "country", "new"], True, id="misspelt"),
        pytest.param(["merchant", " COUNTRY ", "old", "Class"], True, id="one too many"),
        pytest.param(["merchnt", "land", "new"], False, id="mostly unknown"),
        pytest.param(["country", "merchant", "no"], False, id="a category that is called like a column"),
        pytest.param(["new", "new", "1"], False, id="a number"),
        pytest.param(["merchant", "DE", "new"], False, id="a category in its place"),
        pytest.param(["A", "DE", "yes"], False, id="a row"),
        pytest.param([""], False, id="nothing"),
    ],
)
def test_is_near_header(cells: list[str], is_header: bool) -> None:
    """Among categories a first line of which half are names is a misspelt header, unless a cell of it is a value."""
    assert WORDS.is_header(cells) is is_header
    assert WORDS.is_near_header(cells) is is_header


def test_a_category_called_like_a_column_makes_no_header() -> None:
    """A number beside a category that is called like a column is a row, live and in batch."""
    model = Schema((Column("Amount"), Column("channel", "category", ("app", "channel"))), "Class")

    assert not model.is_header(["5", "channel"])
    assert not model.is_near_header(["5", "channel"])
    assert not model.is_near_header(["", "channel"])
    assert model.is_near_header(["Amount", ""])


def test_positions_and_types() -> None:
    """A column is found by its name in any case, and XGBoost is told which are categories."""
    assert NUMBERS.index("amount") == 4
    assert NUMBERS.index("id") is None
    assert KINDS.feature_types == ["q", "c", "q"]
    assert (NUMBERS.is_numeric, KINDS.is_numeric) == (True, False)


def test_quoted() -> None:
    """Many names are listed by their first and last few, each cut to 60 characters."""
    names = [f"V{number}" for number in range(100)]

    assert quoted(names) == '"V0", "V1", "V2", "V3", "V4", "V5", ..., "V94", "V95", "V96", "V97", "V98", "V99"'
    assert quoted(names[:12]).count("V") == 12
    assert len(quoted(["x" * 500])) == 62


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        pytest.param("5411", 0, id="CSV"),
        pytest.param(5411, 0, id="JSON"),
        pytest.param(5411.0, 0, id="JSON by pandas"),
        pytest.param(5812.0, 1, id="learnt with its point"),
    ],
)
def test_a_number_names_its_category_however_it_is_written(cell: object, code: float) -> None:
    """A merchant code sent as a float is the category that CSV taught without a point."""
    column = Column("merchant_code", "category", ("5411", "5812.0"))

    assert column.value(cell) == code


@pytest.mark.parametrize(
    ("column", "cell", "shown"),
    [
        pytest.param(Column("a"), "149.62", 149.62, id="number, short"),
        pytest.param(Column("a"), 0.1 + 0.2, 0.3, id="number, rounded to what float32 holds"),
        pytest.param(Column("a"), -1.3598071336738, -1.3598071, id="number of many digits"),
        pytest.param(Column("a"), 5411, 5411.0, id="whole number"),
        pytest.param(Column("a"), 1e20, 1e20, id="large number"),
        pytest.param(Column("a"), "3.4028235e38", 3.4028235e38, id="largest number"),
        pytest.param(Column("a"), "", None, id="no number"),
        pytest.param(KINDS.columns[1], " visa ", "visa", id="category"),
        pytest.param(KINDS.columns[1], "diners", None, id="unseen category"),
        pytest.param(KINDS.columns[1], None, None, id="no category"),
        pytest.param(KINDS.columns[2], "yes", True, id="boolean"),
        pytest.param(KINDS.columns[2], 0, False, id="boolean as a number"),
        pytest.param(KINDS.columns[2], None, None, id="no boolean"),
    ],
)
def test_shown(column: Column, cell: object, shown: object) -> None:
    """What a model reads is shown as a person would write it, and read back it is the same number."""
    value = np.float32(column.value(cell))
    found = column.shown(value)

    assert found == shown
    assert type(found) is type(shown)
    assert np.float32(column.value(found)) == value or (found is None and np.isnan(value))


def test_knows() -> None:
    """Every column of the training rows is known in any case: inputs, label, and those that were left out."""
    known = ("time", "V1", "aMoUnT", "CLASS", "ID")

    assert [name for name in (*known, "V4", "", "id ") if NUMBERS.knows(name)] == list(known)
