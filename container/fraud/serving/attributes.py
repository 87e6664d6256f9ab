"""Custom attributes: the only header that a client controls, and the only one it gets back (S27, S28)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from fraud.codecs.answers import DEFAULT_CSV, DEFAULT_JSON
from fraud.errors import AttributesError
from fraud.settings import OUTPUTS, ServingSettings

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@dataclass(frozen=True)
class Wanted:
    """What an answer is to hold; `reasons` is how many a row gets, where its probability reaches `reasons_above`."""

    outputs: tuple[str, ...]
    reasons: int = 3
    reasons_above: float = 0.0

    @cached_property
    def has_reasons(self) -> bool:
        return "reasons" in self.outputs

    @cached_property
    def has_base_value(self) -> bool:
        """Whether the base value is told: beside reasons always, in the header."""
        return self.has_reasons or "base_value" in self.outputs

    @cached_property
    def echo(self) -> str:
        """Say what is applied, in the words of a request."""
        above = f";reasons_above={self.reasons_above:g}" if self.reasons_above else ""
        return f"output={','.join(self.outputs)}" + (f";reasons={self.reasons}{above}" if self.has_reasons else "")


def wanted(told: ServingSettings, attributes: str, media_type: str) -> Wanted:
    """Return what the endpoint answers with, changed by what one request asks for.

    Names that READERS lacks are the client's own, and are left alone. Raises AttributesError for a value that means
    nothing.
    """
    default = told.output or (DEFAULT_CSV if media_type == "text/csv" else DEFAULT_JSON)
    standing = Wanted(default, told.reasons, told.reasons_above)
    pairs = [pair.partition("=") for pair in attributes.split(";")]
    asked = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if "output" in asked:
        standing = replace(standing, outputs=_read("output", asked))
    if "reasons" in asked:
        standing = replace(standing, reasons=_read("reasons", asked))
    if "reasons_above" in asked:
        standing = replace(standing, reasons_above=_read("reasons_above", asked))
    if {"reasons", "reasons_above"} & asked.keys() and not standing.has_reasons:
        standing = replace(standing, outputs=(*standing.outputs, "reasons"))  # who asks how many asks for them
    return standing


def _read(name: str, asked: Mapping[str, str]) -> Any:
    read, right = READERS[name]
    try:
        return read(asked[name])
    except ValueError:
        raise AttributesError(f'{CUSTOM_ATTRIBUTES}: {name}="{asked[name][:60]}" should be {right}') from None


def _outputs(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names or set(names) - set(OUTPUTS) or len(set(names)) < len(names):
        raise ValueError
    return names


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and int(text)):
        raise ValueError
    return int(text)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "output": (_outputs, f"names among {', '.join(OUTPUTS)}, each once"),
    "reasons": (_count, "a whole number from 1 to 9999"),
    "reasons_above": (_share, "a probability from 0 to 1"),
}
