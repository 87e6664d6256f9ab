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
    "roles",
    [
        pytest.param(Roles("fraud"), id="label"),
        pytest.param(Roles("Class", exclude=("fraud",)), id="exclude"),
        pytest.param(Roles("Class", time_column="fraud"), id="time"),
        pytest.param(Roles("Class", categories=("fraud",)), id="categories"),
    ],
)
def test_unknown_column(roles: Roles) -> None:
    """A role of a column that is not there is refused, with the names that are."""
    with pytest.raises(ColumnError, match=r'^there is no column "fraud" among "a", "Class"; correct label'):
        layout(named("a", "Class"), roles)


@pytest.mark.parametrize("names", [("a", "a", "Class"), ("A", "a", "Class")])
def test_named_twice(names: tuple[str, ...]) -> None:
    """Names that are equal but for their case are refused."""
    with pytest.raises(ColumnError, match=r'^column "[Aa]" is named more than once'):
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
