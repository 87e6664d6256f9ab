"""What deploy/monitoring asks of Prometheus, read from its files."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.processes import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
# A name with a colon beside it is that of a recording rule.
FIGURE = re.compile(r"(?<![\w:])fraud_\w+\b(?!:)")


@dataclass(frozen=True)
class Query:
    """An expression as Grafana sends it; one that is not instant is asked for a range of time."""

    title: str
    expression: str
    is_instant: bool


def dashboard() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text())
    return content


def panels() -> list[dict[str, Any]]:
    """Return every panel that shows something; rows only hold others."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries(variables: Mapping[str, str]) -> list[Query]:
    """Return what panels and annotations ask, with a value in the place of each variable."""
    asked = [
        Query(f"{panel['title']} {target['refId']}", target["expr"], target.get("instant", False))
        for panel in panels()
        for target in panel["targets"]
    ]
    asked += [Query(note["name"], note["expr"], is_instant=False) for note in dashboard()["annotations"]["list"]]
    return [Query(query.title, substituted(query.expression, variables), query.is_instant) for query in asked]


def substituted(expression: str, variables: Mapping[str, str]) -> str:
    """Put values in the place of variables, and fail for one that nobody knows."""
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], expression)


def used_figures() -> set[str]:
    """Return the name of every figure in a rule, a panel or a variable of the dashboard."""
    return set(FIGURE.findall((MONITORING / "rules.yml").read_text() + json.dumps(dashboard())))


def families(metrics: str) -> dict[str, set[str]]:
    """Return the names of the samples of each family in Prometheus' text."""
    found: Iterable[Any] = text_string_to_metric_families(metrics)
    return {family.name: {sample.name for sample in family.samples} for family in found}
