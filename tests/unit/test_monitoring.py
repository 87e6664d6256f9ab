import re
from itertools import combinations
from typing import Any

import pytest

from fraud.bundle import ModelBundle
from fraud.serving.app import create_app
from fraud.settings import ServingSettings
from tests.container.dashboard import MONITORING, dashboard, families, panels, used_figures

COLUMNS = 24
ALERTS = re.findall(r"- alert: (\w+)", (MONITORING / "rules.yml").read_text())


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    """Tell whether two places on Grafana's grid share a cell."""
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


def test_panels_have_places_of_their_own() -> None:
    """No two panels share an id or a place, and none sticks out of Grafana's grid."""
    everything = dashboard()["panels"]
    places = [panel["gridPos"] for panel in everything]

    assert len({panel["id"] for panel in everything}) == len(everything)
    assert [pair for pair in combinations(places, 2) if overlap(*pair)] == []
    assert [place for place in places if place["x"] < 0 or place["x"] + place["w"] > COLUMNS] == []


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """A panel has a unit and one sentence, and asks the chosen data source for the chosen endpoint and instances."""
    targets = panel["targets"]

    assert panel["fieldConfig"]["defaults"]["unit"]
    assert re.fullmatch(r"[A-Z].*[^.]\.", panel["description"])
    assert ". " not in panel["description"]
    assert {source["datasource"]["uid"] for source in (panel, *targets)} == {"${datasource}"}
    assert len({target["refId"] for target in targets}) == len(targets)
    for target in targets:
        selectors = re.findall(r"\{(.*?)\}", target["expr"])
        assert selectors
        assert [text for text in selectors if 'job="$job", instance=~"$instance"' not in text] == []


def test_figures_are_those_that_the_application_has(bundle: ModelBundle) -> None:
    """Rules and dashboard name no figure that /metrics lacks, and leave none of its families out."""
    answer = create_app(bundle, ServingSettings()).test_client().get("/metrics")
    real, used = families(answer.text), used_figures()
    missing = {"fraud_feature_psi", "fraud_score_psi"}  # no row has been scored yet

    assert used - set().union(*real.values()) == missing
    assert {family for family, samples in real.items() if not samples & used} == missing


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_says_what_to_do_and_is_seen_firing(alert: str) -> None:
    """Each alert has a severity, a summary and what to do, and a case in which promtool sees it fire."""
    rule = (MONITORING / "rules.yml").read_text().split(f"- alert: {alert}\n")[1].split("- alert:")[0]
    cases = (MONITORING / "rules.test.yml").read_text().split(f"alertname: {alert}\n")[1:]

    assert re.search(r"severity: (critical|warning|info)\n", rule)
    assert re.search(r"summary: .+\n\s+description: ", rule)
    assert any("exp_labels" in case.split("alertname:")[0] for case in cases)
