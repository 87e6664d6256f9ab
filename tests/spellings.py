"""The same numbers in every spelling that clients use, as CSV, JSON and JSON Lines."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from fraud import codecs
from fraud.cells import LARGEST_NUMBER
from fraud.schema import Matrix
from tests.hostile import NAMES

type Spell = Callable[[float], str]

# All of these are the same float64.
PLAIN: dict[str, Spell] = {
    "shortest": repr,
    "17 digits": lambda value: f"{value:.17g}",
    "exponent": lambda value: f"{value:.17e}",
    "upper case": lambda value: repr(value).upper(),
    "no exponent": lambda value: f"{Decimal(repr(value)):f}",
    "trailing zeros": lambda value: _with_zeros(repr(value)),
    "as integer": lambda value: str(int(value)) if value.is_integer() and abs(value) < 2**53 and value else repr(value),
}
CSV_ONLY: dict[str, Spell] = {
    **PLAIN,
    "plus": lambda value: repr(value) if math.copysign(1, value) < 0 else f"+{value!r}",
    "spaces": lambda value: f"  {value!r} ",
    "quoted": lambda value: f'"{value!r}"',
    "quoted, plus, spaces": lambda value: f'" {value:+.17g}  "',
    "tab, plus, zeros": lambda value: repr(value) if math.copysign(1, value) < 0 else f"\t+00{value!r}\t",
    "leading zeros": lambda value: repr(value) if value < 0 or math.copysign(1, value) < 0 else f"00{value!r}",
    "bare point": lambda value: repr(value).removesuffix("0") if repr(value).endswith(".0") else repr(value),
    "no zero": lambda value: repr(value).removeprefix("0") if repr(value).startswith("0.") else repr(value),
    "long exponent": lambda value: f"{value:.17e}".replace("e+", "e+00").replace("e-", "e-00"),
}
JSON_ONLY: dict[str, Spell] = {
    **PLAIN,
    "spaces": lambda value: f" {value!r}\t",
    "word": lambda value: f'"{value!r}"',
    "word, plus, spaces": lambda value: f'" {value:+.17g}  "',
}
CSV_MISSING = (
    "",
    "nan",
    "NaN",
    "NAN",
    "null",
    "NULL",
    "Null",
    "na",
    "NA",
    "n/a",
    "N/A",
    "none",
    "None",
    " ",
    '""',
    '" nan"',
)
JSON_MISSING = ("null", "NaN", '""', '"nan"', '" NULL "', '"n/a"', '"None"', " null ")


def _with_zeros(text: str) -> str:
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa}{'000' if '.' in mantissa else '.000'}{mark}{exponent}"


@dataclass(frozen=True)
class Spelled:
    """A matrix, and the bodies that hold it, by content type."""

    X: Matrix
    bodies: Mapping[str, bytes]

    def _repr_pretty_(self, printer: RepresentationPrinter, _cycle: bool) -> None:
        printer.text(f"Spelled({ ({name: body[:600] for name, body in self.bodies.items()}) })")


@dataclass(frozen=True)
class Style:
    """How one body is written."""

    csv: Sequence[str]
    json: Sequence[str]
    csv_missing: Sequence[str]
    json_missing: Sequence[str]
    end: str
    ending: str
    shape: str
    document: str
    head: str


STYLES = st.builds(
    Style,
    st.one_of(st.sampled_from([[name] for name in CSV_ONLY]), st.lists(st.sampled_from([*CSV_ONLY]), min_size=1)),
    st.one_of(st.sampled_from([[name] for name in JSON_ONLY]), st.lists(st.sampled_from([*JSON_ONLY]), min_size=1)),
    st.one_of(st.sampled_from([[word] for word in CSV_MISSING]), st.just(CSV_MISSING)),
    st.one_of(st.sampled_from([[word] for word in JSON_MISSING]), st.just(JSON_MISSING)),
    st.sampled_from(["\n", "\n", "\r\n", "\r"]),
    st.sampled_from(["", "\n", "\n", "\r\n", "\n\n"]),
    st.sampled_from(["list", "list", "list", "features", "data", "sparse", "names", "mixed"]),
    st.sampled_from(["[%s]", '{"instances":[%s]}', '\n{ "instances" : [ %s ] }\n']),
    st.sampled_from(["", "", "", "same", "upper", "turned"]),
)


def midpoint(value: float, steps: int = 0) -> float:
    """Return what lies between two neighbours in float32, or steps of float64 beside it."""
    low = np.float32(value)
    middle = (float(low) + float(np.nextafter(low, np.float32(np.inf)))) / 2
    return middle + steps * math.ulp(middle)


VALUES = st.one_of(
    st.builds(midpoint, st.floats(-(2.0**126), 2.0**126, width=32), st.integers(-1, 1)),
    st.floats(-LARGEST_NUMBER, LARGEST_NUMBER),
    st.floats(-1e6, 1e6, width=32),
    st.integers(-(10**9), 10**9).map(float),
    st.integers(-(10**7), 10**7).map(lambda cents: cents / 100),
    st.sampled_from(
        [0.0, -0.0, 5e-324, 1e-45, 1.4e-45, LARGEST_NUMBER, 1 / 3, 2.0**24 + 1, 1e22, 1e23, 9007199254740993.0]
    ),
)


def spelled(rows: st.SearchStrategy[int], names: Sequence[str] = NAMES) -> st.SearchStrategy[Spelled]:
    """Return matrices of these columns; the values are few and repeat, in an order drawn by NumPy."""
    values = st.lists(st.one_of(VALUES, VALUES, VALUES, st.just(math.nan)), min_size=1, max_size=30)
    told = st.tuples(values, rows, STYLES, st.integers(0, 2**32 - 1))
    return told.map(lambda each: _spell(names, *each))


def _spell(names: Sequence[str], values: list[float], rows: int, style: Style, seed: int) -> Spelled:
    draw = np.random.default_rng(seed)
    order = draw.integers(0, len(values), (rows, len(names)))
    ways = draw.integers(0, 1000, (rows, len(names)))
    csv_cells = _texts(values, [CSV_ONLY[name] for name in style.csv], style.csv_missing)
    json_cells = _texts(values, [JSON_ONLY[name] for name in style.json], style.json_missing)
    cells = list(zip(order.tolist(), ways.tolist(), strict=True))
    in_csv = [[csv_cells[value][way % len(csv_cells[value])] for value, way in zip(*row, strict=True)] for row in cells]
    in_json = [
        _shaped(
            names,
            style.shape,
            number,
            [json_cells[value][way % len(json_cells[value])] for value, way in zip(*row, strict=True)],
        )
        for number, row in enumerate(cells)
    ]
    lines = [*_head(names, style.head), *(",".join(_turned(row, style.head)) for row in in_csv)]
    X = np.array(values)[order].astype(np.float32)
    return Spelled(
        X,
        {
            codecs.CSV: (style.end.join(lines) + style.ending).encode(),
            codecs.JSON: (style.document % ",".join(in_json)).encode(),
            codecs.JSON_LINES: ("\r\n" if style.end == "\r\n" else "\n").join(in_json).encode() + style.ending.encode(),
        },
    )


def _texts(values: list[float], ways: Sequence[Spell], missing: Sequence[str]) -> list[Sequence[str]]:
    return [missing if math.isnan(value) else [way(value) for way in ways] for value in values]


def _head(names: Sequence[str], head: str) -> list[str]:
    named = {"": "", "same": ",".join(names), "upper": ",".join(names).upper(), "turned": ",".join(reversed(names))}
    return [named[head]] if head else []


def _turned(row: list[str], head: str) -> list[str]:
    return row[::-1] if head == "turned" else row


def _shaped(names: Sequence[str], shape: str, number: int, row: list[str]) -> str:
    if shape == "mixed":
        shape = ("list", "features", "data", "sparse", "names")[number % 5]
    cells = ",".join(row)
    match shape:
        case "features":
            return f'{{"features":[{cells}]}}'
        case "data":
            return f'{{"data": {{"features": {{"values": [{cells}]}}}}}}'
        case "sparse":
            keys = json.dumps([*range(len(row))][::-1])
            return f'{{"keys":{keys},"shape":[{len(names)}],"values":[{",".join(row[::-1])}]}}'
        case "names":
            return "{" + ",".join(f'"{name}": {cell}' for name, cell in zip(names, row, strict=True)) + "}"
    return f"[{cells}]"
