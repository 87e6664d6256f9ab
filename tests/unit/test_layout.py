import numpy as np
import pytest

from fraud.errors import ColumnError
from fraud.layout import CARD_COLUMNS, Layout, Roles, layout
from fraud.table import Row, Table

ROLES = Roles("Class")


def named(*names: str, row: Row | None = None) -> Table:
    return Table([row or ["1"] * len(names)], names)


def test_roles_by_name() -> None:
    """Roles find their columns in any case, and the layout keeps the file's own spelling and order."""
    roles = Roles("CLASS", exclude=("ID",), time_column="WHEN", categories=("mcc",))
    found = layout(named("id", "Amount", "when", "class", "MCC"), roles)

    assert found == Layout(("id", "Amount", "when", "class", "MCC"), "class", ("Amount", "when", "MCC"), "when")
    assert found.ignored == ("id",)


@pytest.mark.parametrize(
    ("cell", "inputs"),
    [
        pytest.param("17", ("time", "a"), id="seconds"),
        pytest.param("", ("time", "a"), id="missing"),
        pytest.param("2026-01-31T12:00:00", ("a",), id="date"),
    ],
)
def test_time_column(cell: str, inputs: tuple[str, ...]) -> None:
    """A time column is found by itself; where it holds dates, it orders rows and is no input."""
    found = layout(named("time", "a", "Class", row=[cell, "1", "0"]), ROLES)

    assert (found.time, found.inputs) == ("time", inputs)


def test_no_time() -> None:
    """Without a time column the layout has none."""
    assert layout(named("a", "Class"), ROLES).time is None


def test_label_first() -> None:
    """Without a header the label comes first, as the built-in algorithm has it."""
    assert layout(Table([["0", "1.5", "2"]]), ROLES) == Layout(("Class", "f0", "f1"), "Class", ("f0", "f1"), None)


def card_rows(label: int, width: int = len(CARD_COLUMNS)) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return two rows of numbers that are no label, with a label at this place."""
    cells = np.full((2, width), 2.5)
    cells[:, label] = [0, 1]
    return cells


@pytest.mark.parametrize("as_text", [False, True])
def test_card_columns(as_text: bool) -> None:
    """Without a header, 31 columns of which only the last holds labels are the public card data's own."""
    cells = card_rows(-1)
    table = Table([[str(cell) for cell in row] for row in cells] if as_text else cells)
    found = layout(table, ROLES)

    assert found.names == CARD_COLUMNS
    assert (found.label, found.time, len(found.inputs)) == ("Class", "Time", 30)


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param(card_rows(0), id="label first"),
        pytest.param(np.ones((2, 31)), id="both ends binary"),
        pytest.param(card_rows(-1, width=30), id="another width"),
        pytest.param(np.full((2, 31), 2.5), id="neither end binary"),
    ],
)
def test_no_card_columns(cells: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    """Other tables without a header have the label first."""
    assert layout(Table(cells), ROLES).names[:2] == ("Class", "f0")


@pytest.mark.parametrize(
    ("roles", "right"),
    [
        pytest.param(Roles("fraud"), "set label to the column that holds 0, or 1 for fraud", id="label"),
        pytest.param(Roles("Clas"), 'set label to the column .* for fraud, perhaps to "Class"', id="label misspelt"),
        pytest.param(Roles("Class", exclude=("a", "fraud")), "exclude names it: correct exclude", id="exclude"),
        pytest.param(Roles("Class", time_column="fraud"), "time_column names it: correct time_column", id="time"),
        pytest.param(Roles("Class", categories=("fraud",)), "categories names it: correct categories", id="categories"),
    ],
)
def test_unknown_column(roles: Roles, right: str) -> None:
    """A role of a column that is not there is refused, with the names that are and the hyperparameter to correct."""
    with pytest.raises(ColumnError, match=rf'^there is no column "\w+" among "a", "Class"; {right}$'):
        layout(named("a", "Class"), roles)


def test_unknown_column_without_header() -> None:
    """Where there is no header, names that only a header could give are explained by its lack."""
    roles = Roles("Class", exclude=("id",))
    with pytest.raises(
        ColumnError, match=r'among "Class", "f0"; exclude names it: .*; the file has no header, as a ce'
    ):
        layout(Table([["0", "1.5"]]), roles)


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        pytest.param(Roles("Class", exclude=("a", "class")), "exclude", id="exclude"),
        pytest.param(Roles("Class", categories=("CLASS",)), "categories", id="categories"),
        pytest.param(Roles("Class", time_column="Class"), "time_column", id="time"),
    ],
)
def test_label_in_another_role(roles: Roles, role: str) -> None:
    """The label is nothing else beside: a hyperparameter that says so is named."""
    with pytest.raises(ColumnError, match=rf'^{role} names the label "\w+", .* take it out of {role}$'):
        layout(named("a", "b", "Class"), roles)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(("visa", "GB", "GB"), id="cell twice"),
        pytest.param(("visa", "2026-01-31T12:00:00"), id="date"),
        pytest.param(("visa", "31.12.2026"), id="date with points"),
        pytest.param(("visa", "12,50"), id="decimal comma"),
        pytest.param(("visa", "$12.50"), id="currency before"),
        pytest.param(("visa", "12.50 €"), id="currency behind"),
        pytest.param(("visa", "12 %"), id="percent"),
        pytest.param(("visa", "Yes"), id="truth value"),
    ],
)
def test_row_for_a_header(row: tuple[str, ...]) -> None:
    """A first line of words that is a row is said to be one, and no cell of it is shown."""
    with pytest.raises(ColumnError, match=r'^the first line does not name the label "Class", and seems') as caught:
        layout(named(*row), ROLES)

    assert [cell for cell in row if f'"{cell}"' in str(caught.value)] == []


def test_names_with_numbers_in_them() -> None:
    """Names that begin with a number, as some do, are no cells."""
    with pytest.raises(
        ColumnError, match=r'^there is no column "Class" among "3ds_used", "24h_count", "V1"; set label'
    ):
        layout(named("3ds_used", "24h_count", "V1"), ROLES)


@pytest.mark.parametrize("first", ["", "0"])
def test_half_a_header(first: str) -> None:
    """A first line that names the label but also has an empty cell or a number is told what a header is."""
    with pytest.raises(ColumnError, match=r'^the first line holds "Class" and cannot be a header, .*index=False'):
        layout(Table([[first, "a", "class"], ["1", "2", "0"]]), ROLES)


def test_label_that_is_a_number() -> None:
    """A label called by a number does not make a header of the first row."""
    assert layout(Table([["1", "x", "2"]]), Roles("1")).names == ("1", "f0", "f1")


@pytest.mark.parametrize("names", [("a", "a", "Class"), ("A", "a", "Class")])
def test_named_twice(names: tuple[str, ...]) -> None:
    """Names that are equal but for their case are refused, and the case is named where it is the difference."""
    because = ', as "a" differs from it by upper and lower case only' if "A" in names else ""
    with pytest.raises(
        ColumnError, match=rf'^column "[Aa]" is named more than once{because}; give every column a name'
    ):
        layout(named(*names), ROLES)


def test_no_inputs() -> None:
    """A table of nothing but label and left-out columns is refused."""
    with pytest.raises(ColumnError, match="no column is left for the model to read"):
        layout(named("id", "Class"), Roles("Class", exclude=("id",)))


@pytest.mark.parametrize("separator", [";", "\t"])
def test_another_separator_is_named(separator: str) -> None:
    """A file that separates its cells otherwise is told to use commas."""
    with pytest.raises(
        ColumnError, match=r"^the first line is one cell that holds semicolons or tabs; separate cells with commas$"
    ):
        layout(Table([["x"]], (f"a{separator}Class",)), Roles("Class"))


def test_a_first_row_too_short_for_the_time_is_left_to_the_schema() -> None:
    """A short first row is no error inside the image: the schema names its line and width."""
    found = layout(Table([["5"]], ("Amount", "Time", "Class")), Roles("Class"))

    assert found.inputs == ("Amount", "Time")
