import json
import math
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.container.conftest import BUILD_SECONDS, why_no_engine
from tests.container.dashboard import MONITORING, Query, dashboard, families, queries, substituted, used_figures
from tests.container.engine import Container, docker, new_name, run, started
from tests.processes import ROOT, Server, wait_until

DOCKERFILE = Path(__file__).with_name("prometheus.Dockerfile")
PAYLOAD = (ROOT / "local_test" / "payload.csv").read_bytes()
PUBLISH = ("--publish", "127.0.0.1::8080")
# Grafana chooses the last two by the width of the screen; here a figure is scraped each second.
VARIABLES = {"job": "fraud-detect", "instance": ".+", "__rate_interval": "10s", "__range": "30s"}
MAY_BE_EMPTY = {"Firing alerts": "no alert fires within seconds"}
CUSTOM = "X_Amzn_SageMaker_Custom_Attributes"
# Each with the status of its answer: rows that score, that lack a cell, that want reasons, and what is refused.
LOAD: tuple[tuple[bytes, dict[str, str], int], ...] = (
    (PAYLOAD * 200, {}, 200),
    (PAYLOAD, {CUSTOM: "output=probability,reasons"}, 200),
    (PAYLOAD.splitlines()[0].rpartition(b",")[0] + b",\n", {}, 200),
    (PAYLOAD.splitlines()[0].rpartition(b",")[0] + b",many\n", {}, 400),
    (PAYLOAD, {"Accept": "application/xml"}, 406),
)
CHECKS = (
    pytest.param(["check", "config", "--lint=all", "--lint-fatal", "prometheus.yml"], id="check config"),
    pytest.param(["check", "rules", "--lint=all", "--lint-fatal", "rules.yml"], id="check rules"),
    pytest.param(["test", "rules", "rules.test.yml"], id="test rules"),
)


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that scrapes a server, and that server."""

    api: Server
    server: Server

    def ask(self, path: str, **parameters: str) -> Any:
        answer = self.api.call("GET", f"/api/v1/{path}?{urlencode(parameters)}")
        content = json.loads(answer.body)
        assert content["status"] == "success", f"{parameters}: {content}"
        return content["data"]

    def numbers(self, query: Query) -> list[float]:
        """Return every finite number in the answer to a query."""
        now = time.time()
        if query.is_instant:
            result = self.ask("query", query=query.expression, time=str(now))["result"]
            values = [series["value"] for series in result]
        else:
            times = {"start": str(now - 20), "end": str(now), "step": "2"}
            result = self.ask("query_range", query=query.expression, **times)["result"]
            values = [value for series in result for value in series["values"]]
        return [float(text) for _, text in values if math.isfinite(float(text))]


@pytest.fixture(scope="module")
def prometheus_image() -> Iterator[str]:
    """Build Prometheus' image under a name of its own; the layers stay, as a cache."""
    if reason := why_no_engine():
        pytest.skip(reason)
    name = f"{new_name()}:latest"
    built = subprocess.run(
        ["docker", "build", "--tag", name, "--file", str(DOCKERFILE), str(DOCKERFILE.parent)],
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert built.returncode == 0, f"docker build failed\n{built.stdout[-4000:]}{built.stderr[-4000:]}"
    yield name
    docker("rmi", "--no-prune", name)


@pytest.fixture(scope="module")
def network(prometheus_image: str) -> Iterator[str]:
    name = new_name()
    docker("network", "create", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture(scope="module")
def prometheus(
    image: str, prometheus_image: str, trained: Path, network: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Start the documented `serve` and a Prometheus beside it, as README.md does, and keep the server busy."""
    home = tmp_path_factory.mktemp("prometheus")
    _hurry(home / "etc")
    beside = ("--network", network, "--network-alias", "fraud-detect", "--env", "MODEL_SERVER_WORKERS=2")
    model = f"{trained / 'model'}:/opt/ml/model:ro"
    ours = (*PUBLISH, *beside, "--volume", model, image, "serve")
    told = f"{home / 'etc'}:/etc/prometheus:ro"
    theirs = ("--publish", "127.0.0.1::9090", "--network", network, "--volume", told, prometheus_image)
    with started(home / "serve.log", *ours) as serving, started(home / "log", *theirs) as watching:
        server = serving.server()
        found = Prometheus(_published(watching, 9090), server)
        with _busy(server):
            wait_until(lambda: _has_seen_enough(found), watching.process)
            yield found


def _hurry(directory: Path) -> None:
    """Copy the files of deploy/monitoring, but scrape and evaluate each second."""
    directory.mkdir()
    for name, slow in (("prometheus.yml", "15s"), ("rules.yml", "interval: 1m")):
        text = (MONITORING / name).read_text()
        assert slow in text
        (directory / name).write_text(text.replace(slow, slow.replace("15s", "1s").replace("1m", "1s")))


def _published(container: Container, port: int) -> Server:
    """Return what is behind a published port, once it says that it is ready."""
    wait_until(lambda: docker("port", container.name, str(port), check=False).stdout, container.process)
    published = docker("port", container.name, str(port)).stdout.split()[0]
    api = Server(container.process, int(published.rpartition(":")[2]), container.log)

    def is_ready() -> bool:
        try:
            return api.call("GET", "/-/ready").status == 200
        except OSError:
            return False

    wait_until(is_ready, container.process)
    return api


@contextmanager
def _busy(server: Server) -> Iterator[None]:
    """Send requests until the block ends; each must be answered as it should be."""
    done = Event()

    def send() -> None:
        while not done.is_set():
            for body, headers, status in LOAD:
                assert server.invoke(body, **headers).status == status

    with ThreadPoolExecutor(2) as pool:
        sending = [pool.submit(send) for _ in range(2)]
        try:
            yield
        finally:
            done.set()
        for one in sending:
            one.result()


def _has_seen_enough(found: Prometheus) -> bool:
    seen = found.ask("query", query='min_over_time(up{job="fraud-detect"}[1s]) and count_over_time(up[10s]) > 5')
    drift = found.ask("query", query="fraud_drift_rows > 1000")
    return bool(seen["result"] and drift["result"])


@pytest.mark.parametrize("arguments", CHECKS)
def test_promtool_finds_nothing_wrong(prometheus_image: str, arguments: list[str]) -> None:
    """The configuration and the rules are sound, and each alert fires when it should and not otherwise."""
    files = ("--volume", f"{MONITORING}:/etc/prometheus:ro", "--workdir", "/etc/prometheus")
    finished = run(*files, prometheus_image, "promtool", *arguments)

    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_every_rule_is_evaluated(prometheus: Prometheus) -> None:
    """A Prometheus that scrapes the server evaluates every rule without an error."""

    def all_rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]

    wait_until(lambda: all(rule["health"] != "unknown" for rule in all_rules()))

    assert len(all_rules()) > 20
    assert [rule for rule in all_rules() if rule["health"] != "ok"] == []


@pytest.mark.parametrize("query", queries(VARIABLES), ids=lambda query: query.title)
def test_every_query_of_the_dashboard_finds_something(prometheus: Prometheus, query: Query) -> None:
    """Prometheus answers each query of the dashboard with numbers, but for those that are named above."""
    numbers = prometheus.numbers(query)

    assert numbers or query.title in MAY_BE_EMPTY, query.expression


@pytest.mark.parametrize(
    ("label", "found"),
    [pytest.param("job", ["fraud-detect"], id="job"), pytest.param("instance", ["fraud-detect:8080"], id="instance")],
)
def test_every_variable_has_values(prometheus: Prometheus, label: str, found: list[str]) -> None:
    """The lists to choose an endpoint and an instance from hold those that are scraped."""
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
    asked = variables[label]["query"]["query"].removeprefix("label_values(").removesuffix(f", {label})")

    assert prometheus.ask(f"label/{label}/values", **{"match[]": substituted(asked, VARIABLES)}) == found


def test_training_job_is_told_from_the_scrape_job(prometheus: Prometheus) -> None:
    """Prometheus' own `job` is the endpoint; the job that trained the model has a label of its own."""
    labels = prometheus.ask("query", query="fraud_model_info")["result"][0]["metric"]

    assert (labels["job"], labels["job_name"]) == ("fraud-detect", "sample-job")
    assert "exported_job" not in labels


def test_figures_are_those_that_the_server_has(prometheus: Prometheus) -> None:
    """Rules and dashboard name no figure that /metrics lacks, and leave none of its families out."""
    real = families(prometheus.server.call("GET", "/metrics").body.decode())
    used = used_figures()

    assert used - set().union(*real.values()) == set()
    assert [family for family, samples in real.items() if not samples & used] == []
