"""One cell of a row: how a word or a JSON value becomes the number that a model reads."""

import math

type Cell = str | float | int | bool | None

MISSING_WORDS = frozenset({"", "nan", "null", "na", "n/a", "none"})
BOOLEAN_WORDS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
# The largest that float32 holds once it is rounded: half a step further is infinite.
LARGEST_NUMBER = math.nextafter(2.0**128 - 2.0**103, 0.0)
NOT_FINITE = "is not a finite number"


def parse_number(cell: object) -> float:
    """Return the number, NaN for a missing cell; ValueError says what is wrong with it."""
    if isinstance(cell, str):
        if is_missing(cell):
            return math.nan
        if "_" in cell or not cell.isascii():
            raise ValueError("is not a number")
        try:
            value = float(cell)
        except ValueError:
            raise ValueError("is not a number") from None
    elif cell is None:
        return math.nan
    elif isinstance(cell, bool) or not isinstance(cell, int | float):
        raise ValueError("is not a number")
    else:
        value = math.inf if abs(cell) > LARGEST_NUMBER else float(cell)
    if abs(value) > LARGEST_NUMBER:
        raise ValueError(NOT_FINITE)
    return value


def parse_boolean(cell: object) -> float:
    """Return 1.0 or 0.0, NaN for a missing cell; ValueError says what is wrong with it."""
    if isinstance(cell, bool):
        return float(cell)
    if isinstance(cell, str) and cell.strip().casefold() in BOOLEAN_WORDS:
        return BOOLEAN_WORDS[cell.strip().casefold()]
    try:
        value = parse_number(cell)
    except ValueError:
        value = math.inf
    if value in (0.0, 1.0) or math.isnan(value):
        return value
    raise ValueError("is not true or false")


def category_text(cell: object) -> str | None:
    """Return the category a cell names, None for a missing cell; ValueError where it cannot name one."""
    if isinstance(cell, list | dict):
        raise ValueError("is not a word or a number")
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    text = str(cell).lower() if isinstance(cell, bool) else str(cell).strip()
    return text or None


def is_missing(word: str) -> bool:
    return word.strip().casefold() in MISSING_WORDS


def is_number(word: str) -> bool:
    """Tell whether a word stands in a column of numbers, as a number, an infinite one too, or as a missing cell."""
    try:
        parse_number(word)
    except ValueError as error:
        return str(error) == NOT_FINITE
    return True
