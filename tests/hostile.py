"""Requests as no client should send them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from fraud import codecs
from fraud.bundle import ModelBundle
from fraud.schema import Column
from fraud.serving.attributes import CUSTOM_ATTRIBUTES

AS_WRITTEN = "as written"
# The columns of the sample rows, that strategies know before any model is trained.
NAMES = ("Time", *(f"V{number}" for number in range(1, 29)), "Amount")
KINDS = (Column("Time", "category", ("amex", "visa", "5411")), Column("V1", "boolean"))
# How often rows stand in a body: once, a few times, as often as a short body holds them, and more.
REPEATS = [1] * 20 + [4, 12, 150]
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

NUMBERS = ("0", "-1.5", "149.62", "2.25e-7", "7", "1e20", "", "-0.0", "3.4028235e38", "0.1")
CELLS = (
    *("nan", "NaN", "NULL", "n/a", "none", " ", "1e999", "-1e999", "1e-999", "-0", "0x1", "1_000", "1_0.5", "+1"),
    *("007", "1.", ".5", ".", "e5", "1e", "inf", "-Infinity", "true", "yes", "1,5", "1;5", "[1", "1],[2", "[[", "{"),
    *("}", "{}", "[]", '"', '""', "'", "\x00", "\ufeff1", "\x85", "\u2028", "\u0661\u0662", "\uff11", "\u00b2"),
    *("1\u00a0", "=1+1", "9" * 400, "0." + "0" * 400 + "1", "1" * 40, "3.4028235677973366e38", "1e39", "\\", "1 2"),
    *("\t1", "1\x0b", "visa", "amex", "5411", "5411.0", "Time", "V1", "x" * 3000, "\r", "\n", "1\r", "#", "--1"),
    *("1e+", "\u00e9", "\U0001f4b3"),
)
JSON_CELLS = (
    *("null", "true", "false", "NaN", "-NaN", "Infinity", "-Infinity", "1e999", "1e-999", "-0", "-0.0", "0x1"),
    *("1_000", "+1", "01", ".5", "1.", "9" * 400, str(2**63), str(2**64), str(-(2**63) - 1), "1e39"),
    *("3.4028235677973366e38", '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"nan"', '""', '"1e5"', '" 7 "'),
    *('"1_0"', '"\u0661"', '"NaN"', '"', "{}", "[]", "[[1]]", '{"a":1}', '{"values":[1]}', "'1'", "undefined", '"\\'),
    *("/**/1", "1 2", '"visa"', "5411.0", "[" * 300 + "]" * 300, "[" * 1000 + "]" * 1000),
    *('{"a":' * 300 + "1" + "}" * 300, "[" * 100_000, '"' + "x" * 3000 + '"'),
)
TOKENS = (
    *(b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", BYTE_ORDER_MARK),
    *(b"\\", b"[", b"]", b"{", b"}", b":", b"NaN", b"null", b" ", b"1", b"e", b"-", b"_", b".", b"'"),
    *(b"\xe2\x80\xa8", b"\t"),
)
CONTENT_TYPES = (
    *("text/csv", "text/csv; header=present", "text/csv; header=absent", "text/csv; charset=utf-8"),
    *("TEXT/CSV ;label_size=0", "text/csv; charset=latin-1", "application/json", "application/json; charset=utf-8"),
    *("application/jsonlines", None, "", "application/x-jsonlines", "application/octet-stream", ";"),
    *('text/csv; header="pre', "text/csv; header*=utf-8''%ff", "text/csv, application/json"),
    *("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "image/png"),
)
ACCEPTS = (
    *("*/*", "text/csv", "application/json", "application/jsonlines", "application/x-jsonlines", "text/csv;q=0, */*"),
    *("*", "image/png", "application/*", ";;;", "text/csv;q=nan", "application/json;q=9", ","),
    "text/csv; charset=utf-8",
)
ATTRIBUTES = (
    *("output=probability", "output=probability,reasons", "output=decision,labels,raw_scores", "output=base_value"),
    *("output=predicted_label,probabilities,raw_score", "output=", "output=all", "output=reasons,reasons"),
    *("OUTPUT = reasons", "reasons=2", "reasons=0", "reasons=9999", "reasons=-1", "reasons=\u00b2"),
    *("reasons_above=0.5", "reasons_above=nan", "reasons_above=1e-400", "reasons_above=2", "x=y", "", "=", "output"),
    *("reasons=1=2", "inference_id=7"),
)
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]), max_size=40)


@dataclass(frozen=True)
class Sent:
    """One request."""

    body: bytes
    content_type: str | None = None
    accept: str | None = None
    attributes: str | None = None

    def _repr_pretty_(self, printer: RepresentationPrinter, _cycle: bool) -> None:
        shown = repr(self.body) if len(self.body) < 2000 else f"{self.body[:300]!r}... of {len(self.body)} bytes"
        printer.text(f"Sent({shown}, {self.content_type!r}, {self.accept!r}, {self.attributes!r})")

    @property
    def headers(self) -> dict[str, str]:
        named = {"Content-Type": self.content_type, "Accept": self.accept, CUSTOM_ATTRIBUTES: self.attributes}
        return {name: value for name, value in named.items() if value is not None}


def _mutate(body: bytes, mutation: tuple[str, int, bytes]) -> bytes:
    how, place, token = mutation
    at = place * len(body) // 1000
    match how:
        case "insert":
            return body[:at] + token + body[at:]
        case "cut":
            return body[:at] + body[at + len(token) :]
        case "end":
            return body[:at] or body
    return body[:at] + body[at : at + 20] + body[at:]


MUTATIONS = st.tuples(
    st.sampled_from(["insert", "insert", "cut", "end", "twice"]),
    st.integers(0, 1000),
    st.one_of(st.sampled_from(TOKENS), st.binary(min_size=1, max_size=4)),
)


def with_kinds(bundle: ModelBundle) -> ModelBundle:
    """Return a model of the sample rows that reads a category, a boolean and numbers."""
    assert bundle.schema.names == NAMES
    schema = replace(bundle.schema, columns=(*KINDS, *bundle.schema.columns[len(KINDS) :]))
    return replace(bundle, card=bundle.card.model_copy(update={"row_schema": schema}))


def requests(names: Sequence[str] = NAMES, repeats: Sequence[int] = REPEATS) -> st.SearchStrategy[Sent]:
    """Return requests to a model of these columns."""
    valid = st.one_of(_csv(names, repeats), _json(names, repeats), _lines(names, repeats))
    mutations = _seldom(st.lists(MUTATIONS, min_size=1, max_size=3), [])
    noise = st.one_of(st.binary(max_size=200), st.text(max_size=60).map(str.encode))
    bodies = _seldom(st.tuples(noise, st.none()), st.tuples(valid, mutations).map(_mutated))
    return st.builds(
        lambda made, stated, *rest: Sent(made[0], made[1] if stated == AS_WRITTEN else stated, *rest),
        bodies,
        _seldom(st.one_of(st.sampled_from(CONTENT_TYPES), HEADER_TEXT), AS_WRITTEN),
        _seldom(st.one_of(st.sampled_from(ACCEPTS), HEADER_TEXT), None),
        _seldom(st.one_of(st.lists(st.sampled_from(ATTRIBUTES), max_size=3).map(";".join), HEADER_TEXT), None),
    )


def _seldom(rare: st.SearchStrategy[Any], usual: Any) -> st.SearchStrategy[Any]:
    """Return one example in five of `rare`."""
    mostly = usual if isinstance(usual, st.SearchStrategy) else st.just(usual)
    return st.sampled_from([mostly] * 4 + [rare]).flatmap(lambda chosen: chosen)


def _mutated(made: tuple[tuple[bytes, str], list[tuple[str, int, bytes]]]) -> tuple[bytes, str]:
    (body, content_type), mutations = made
    for mutation in mutations:
        body = _mutate(body, mutation)
    return body, content_type


def _rows(names: Sequence[str], cells: Sequence[str], repeats: Sequence[int]) -> st.SearchStrategy[list[list[str]]]:
    """Return rows of plain numbers in which a few cells are others, or a cell too many or too few."""
    width = len(names)
    edits = st.lists(st.tuples(st.integers(0, width - 1), st.sampled_from(cells)), max_size=3)
    widths = st.sampled_from([width] * 12 + [width - 1, width + 1, 0])

    def row(first: int, edited: list[tuple[int, str]], wide: int) -> list[str]:
        made = [NUMBERS[(first + position) % len(NUMBERS)] for position in range(wide)]
        for position, cell in edited:
            made[position : position + 1] = [cell] if wide else []
        return made

    some = st.lists(st.builds(row, st.integers(0, 9), edits, widths), min_size=1, max_size=3)
    return st.builds(lambda rows, count: rows * count, some, st.sampled_from(repeats))


def _csv(names: Sequence[str], repeats: Sequence[int]) -> st.SearchStrategy[tuple[bytes, str]]:
    heads = [None] * 6 + [names, [*names[1:], names[0]], [name.upper() for name in names], [*names[1:], "x"], names[1:]]

    def write(rows: list[list[str]], head: Sequence[str] | None, end: str, mark: bytes, *, quoted: bool) -> bytes:
        lines = [*([list(head)] if head else []), *rows]
        cells = ([f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] if quoted else row for row in lines)
        return mark + (end.join(map(",".join, cells)) + end).encode()

    return st.builds(
        lambda rows, head, end, mark, quoted: (write(rows, head, end, mark, quoted=quoted), codecs.CSV),
        _rows(names, CELLS, repeats),
        st.sampled_from(heads),
        st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"]),
        st.sampled_from([b"", b"", b"", BYTE_ORDER_MARK]),
        st.sampled_from([False, False, False, True]),
    )


def _sparse(names: Sequence[str], row: list[str]) -> str:
    keys = ",".join(map(str, range(len(row))))
    return f'{{"keys":[{keys}],"shape":[{len(names)}],"values":[{",".join(row)}]}}'


SHAPES: dict[str, Callable[[Sequence[str], list[str]], str]] = {
    "list": lambda _, row: f"[{','.join(row)}]",
    "features": lambda _, row: f'{{"features":[{",".join(row)}]}}',
    "data": lambda _, row: f'{{"data":{{"features":{{"values":[{",".join(row)}]}}}}}}',
    "sparse": _sparse,
    "names": lambda names, row: (
        "{" + ",".join(f'"{name}":{cell}' for name, cell in zip(names, row, strict=False)) + "}"
    ),
    "twice": lambda names, row: f'{{"{names[0]}":1,"{names[0].upper()}":{row[0] if row else 1}}}',
    "vector": lambda _, row: f'{{"v":[{",".join(row[1:-1])}],"time":1}}',
}
DOCUMENTS: tuple[str, ...] = ("[%s]", "[%s]", '{"instances":[%s]}', '{"instances":[%s]}', "%s", '{"instances":%s}')


def _instances(names: Sequence[str], repeats: Sequence[int]) -> st.SearchStrategy[list[str]]:
    def write(rows: list[list[str]], shape: str) -> list[str]:
        return [SHAPES[shape](names, [cell or "null" for cell in row]) for row in rows]

    return st.builds(write, _rows(names, JSON_CELLS, repeats), st.sampled_from(["list", "list", *SHAPES]))


def _json(names: Sequence[str], repeats: Sequence[int]) -> st.SearchStrategy[tuple[bytes, str]]:
    return st.builds(
        lambda rows, document: ((document % ",".join(rows)).encode(), codecs.JSON),
        _instances(names, repeats),
        st.sampled_from(DOCUMENTS),
    )


def _lines(names: Sequence[str], repeats: Sequence[int]) -> st.SearchStrategy[tuple[bytes, str]]:
    return st.builds(
        lambda rows, end: ((end.join(rows) + end).encode(), codecs.JSON_LINES),
        _instances(names, repeats),
        st.sampled_from(["\n", "\n", "\r\n", "\n\n"]),
    )
