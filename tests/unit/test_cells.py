import math

import numpy as np
import pytest

from fraud.cells import LARGEST_NUMBER, category_text, is_missing, is_number, parse_boolean, parse_number


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        pytest.param("1", 1.0, id="integer"),
        pytest.param("-1.5", -1.5, id="negative"),
        pytest.param("+1e-3", 1e-3, id="exponent and plus"),
        pytest.param(" 2 ", 2.0, id="spaces around"),
        pytest.param(".5", 0.5, id="no digit before the point"),
        pytest.param("3.4028235e+38", 3.4028235e38, id="as numpy prints float32's largest"),
        pytest.param(3, 3.0, id="int"),
        pytest.param(-2.5, -2.5, id="float"),
        pytest.param(2**63 + 1, float(2**63 + 1), id="int beyond 64 bits"),
    ],
)
def test_number(cell: object, number: float) -> None:
    """A number is read from a word as from JSON, and is a float."""
    value = parse_number(cell)

    assert value == number
    assert type(value) is float


@pytest.mark.parametrize("cell", ["", "  ", "nan", "NaN", "NULL", "na", "N/A", " None ", "-nan", None, math.nan])
def test_missing_number(cell: object) -> None:
    """A missing cell is NaN in each spelling that clients use, NaN itself included (S33)."""
    assert math.isnan(parse_number(cell))


@pytest.mark.parametrize(
    "cell",
    [
        *("12,5", "abc", "1_000", "0x10", "1e", "1 2", "true", "--1", "$5", "5%", "1.2.3", "1\x00"),
        *("١٢", "½", "１", "1\u2009000", "−5"),  # noqa: RUF001 - digits and signs that are not ASCII
        *(True, False, [1], {"a": 1}, b"1"),
    ],
)
def test_no_number(cell: object) -> None:
    """What is no number is refused, even where Python's own float() would take it."""
    with pytest.raises(ValueError, match=r"^is not a number$"):
        parse_number(cell)


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e39", "1e400", "9" * 400, 1e39, math.inf, -math.inf, 10**400])
def test_infinite(cell: object) -> None:
    """A number that float32 cannot hold is refused as not finite."""
    with pytest.raises(ValueError, match=r"^is not a finite number$"):
        parse_number(cell)


def test_largest_number() -> None:
    """The largest number is the last that float32 does not round to infinity."""
    above = np.nextafter(LARGEST_NUMBER, math.inf)

    assert np.isfinite(np.array(LARGEST_NUMBER).astype(np.float32))
    with np.errstate(over="ignore"):
        assert np.isinf(np.array(above).astype(np.float32))
    assert not math.isinf(parse_number(repr(LARGEST_NUMBER)))
    with pytest.raises(ValueError, match="finite"):
        parse_number(float(above))


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *((true, 1.0) for true in ("true", "TRUE", " Yes ", "1", "1.0", "1e0", True, 1, 1.0)),
        *((false, 0.0) for false in ("false", "No", "0", "-0", "0.00", False, 0, 0.0)),
    ],
)
def test_boolean(cell: object, value: float) -> None:
    """Truth is read from words, numbers and JSON alike."""
    assert parse_boolean(cell) == value


@pytest.mark.parametrize("cell", ["", "NA", None, math.nan])
def test_missing_boolean(cell: object) -> None:
    """A missing cell is NaN in a column of booleans too."""
    assert math.isnan(parse_boolean(cell))


@pytest.mark.parametrize("cell", ["maybe", "2", "inf", "1_0", 2, 0.5, [True], "t"])
def test_no_boolean(cell: object) -> None:
    """What is neither true nor false is refused."""
    with pytest.raises(ValueError, match=r"^is not true or false$"):
        parse_boolean(cell)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        pytest.param(" visa ", "visa", id="spaces around"),
        pytest.param("NA", "NA", id="Namibia is a country"),
        pytest.param(7, "7", id="number"),
        pytest.param(True, "true", id="boolean"),
        pytest.param("", None, id="empty"),
        pytest.param("  ", None, id="blank"),
        pytest.param(None, None, id="null"),
        pytest.param(math.nan, None, id="NaN"),
    ],
)
def test_category(cell: object, text: str | None) -> None:
    """A category is the cell's text without the space around it, and nothing where there is none."""
    assert category_text(cell) == text


@pytest.mark.parametrize("cell", [["visa"], {"card": "visa"}])
def test_no_category(cell: object) -> None:
    """A list or an object names no category."""
    with pytest.raises(ValueError, match=r"^is not a word or a number$"):
        category_text(cell)


@pytest.mark.parametrize(("word", "is_one"), [("1", True), ("", True), ("NA", True), ("inf", True), ("Amount", False)])
def test_is_number(word: str, is_one: bool) -> None:
    """A missing cell and an infinite one stand among numbers, a name does not."""
    assert is_number(word) is is_one


@pytest.mark.parametrize(("word", "is_one"), [("N/a", True), (" ", True), ("0", False), ("nothing", False)])
def test_is_missing(word: str, is_one: bool) -> None:
    """Missing words are known in any case; a zero is not missing."""
    assert is_missing(word) is is_one
