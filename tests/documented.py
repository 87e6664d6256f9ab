"""docs/openapi.yaml as tests read it: its operations, its codes, and its examples with their requests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis

from tests.processes import ROOT

PATH = ROOT / "docs" / "openapi.yaml"
SCHEMA = schemathesis.openapi.from_path(PATH)
DOCUMENT: Mapping[str, Any] = SCHEMA.raw_schema
METHODS = ("get", "post", "delete")


@dataclass(frozen=True)
class Example:
    """A request of the document, and what it says of the answer."""

    path: str
    method: str
    name: str
    status: int
    media_type: str
    answer: Any
    content_type: str | None
    body: Any
    headers: Mapping[str, str]
    parameters: Mapping[str, dict[str, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.name}"


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    path: str
    method: str
    told: Mapping[str, Any]
    parameters: list[Any]

    @property
    def tag(self) -> str:
        tag: str = self.told["tags"][0]
        return tag

    def examples(self) -> Iterator[Example]:
        """Return each example of an answer with the request of its name; those that need what no test has are left out.

        Fails where a request has no answer.
        """
        requests = self._requests()
        for status, response in self.told["responses"].items():
            for media_type, content in resolved(response).get("content", {}).items():
                for name, answer in content["examples"].items():
                    if "x-needs" not in answer:
                        sent = requests.pop(name) if requests else (None, None, {})
                        yield Example(
                            *(self.path, self.method, name, int(status), media_type, answer["value"]),
                            *(*sent, self._parameters(name)),
                        )
        assert not requests, f"{self.method} {self.path}: no answer to {sorted(requests)}"

    def _requests(self) -> dict[str, tuple[Any, Any, Any]]:
        return {
            name: (media_type, example["value"], example.get("x-headers", {}))
            for media_type, content in resolved(self.told.get("requestBody", {})).get("content", {}).items()
            for name, example in content["examples"].items()
        }

    def _parameters(self, name: str) -> dict[str, dict[str, str]]:
        """Return the values of path and query parameters: those of the example's name, else the first for a path."""
        found: dict[str, dict[str, str]] = {"path": {}, "query": {}}
        for parameter in self.parameters:
            values = parameter.get("examples", {})
            if name in values or parameter["in"] == "path":
                found[parameter["in"]][parameter["name"]] = (values.get(name) or next(iter(values.values())))["value"]
        return found


def resolved(node: Any) -> Any:
    """Follow a reference within the document."""
    while "$ref" in node:
        parts = node["$ref"].removeprefix("#/").split("/")
        node = DOCUMENT
        for part in parts:
            node = node[part]
    return node


def operations() -> Iterator[Operation]:
    """Return every operation, in the order of the document."""
    for path, item in DOCUMENT["paths"].items():
        for method in [key for key in item if key in METHODS]:
            parameters = [*item.get("parameters", []), *item[method].get("parameters", [])]
            yield Operation(path, method.upper(), item[method], [resolved(parameter) for parameter in parameters])


def codes(node: Any = DOCUMENT) -> Iterator[str]:
    """Return every code that the schemas of errors allow."""
    if isinstance(node, list):
        for item in node:
            yield from codes(item)
    elif isinstance(node, dict):
        code = node.get("code")
        if isinstance(code, dict):
            yield from [*code.get("enum", []), *([code["const"]] if "const" in code else [])]
        for item in node.values():
            yield from codes(item)
