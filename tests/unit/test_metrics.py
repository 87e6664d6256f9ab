import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from fraud.bundle import ModelBundle
from fraud.schema import Column
from fraud.serving import app
from fraud.serving.metrics import REFUSALS, STAGES, STATUSES
from fraud.settings import ServingSettings
from tests.processes import ROOT

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
LINES = [
    line.rsplit(",", 1)[0]
    for line in (ROOT / "test_dir/input/data/train/transactions.csv").read_text().splitlines()[1:]
]

type Sample = tuple[str, str]


@pytest.fixture
def served(bundle: ModelBundle) -> Flask:
    return app.create_app(bundle, ServingSettings())


@pytest.fixture
def client(served: Flask) -> FlaskClient:
    return served.test_client()


def figures(client: FlaskClient) -> dict[Sample, float]:
    """Return every sample by its name and the values of its labels."""
    text = client.get("/metrics").text
    return {
        (sample.name, ",".join(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def grown(client: FlaskClient, ask: Callable[[], object]) -> dict[Sample, float]:
    """Return by how much each sample grew, of those that did; a model always does."""
    before = figures(client)
    ask()
    after = figures(client)
    after.pop(("fraud_model_age_seconds", ""), None)
    return {name: value - before[name] for name, value in after.items() if value != before.get(name, value)}


def test_a_request_is_counted(client: FlaskClient) -> None:
    """Requests, rows, decisions, missing cells, scores and stages are counted, each once (S68)."""
    body = "\n".join([*LINES[:9], LINES[9].rsplit(",", 1)[0] + ","])

    found = grown(client, lambda: client.post("/invocations", data=body, headers={ATTRIBUTES: "output=reasons"}))

    assert found["fraud_requests_total", "200"] == 1
    assert found["fraud_rows_total", ""] == 10
    assert found["fraud_missing_cells_total", ""] == 1
    assert sum(count for (name, _), count in found.items() if name == "fraud_decisions_total") == 10
    assert found["fraud_probability_count", ""] == 10
    assert found["fraud_probability_bucket", "+Inf"] == 10
    assert found["fraud_request_seconds_count", ""] == 1
    assert {found["fraud_stage_seconds_count", stage] for stage in STAGES} == {1}
    assert ("fraud_refused_total", "ROW_INVALID") not in found


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        pytest.param({"data": "1,2"}, "400", "ROW_WIDTH_INVALID", id="width"),
        pytest.param({"data": "x" + LINES[0]}, "400", "ROW_INVALID", id="a word"),
        pytest.param({"data": "1", "content_type": "image/png"}, "415", "MEDIA_TYPE_UNSUPPORTED", id="a picture"),
        pytest.param({"data": "1", "headers": {"Accept": "image/png"}}, "406", "ACCEPT_UNSUPPORTED", id="accept"),
        pytest.param({"data": "1", "headers": {ATTRIBUTES: "reasons=0"}}, "400", "ATTRIBUTES_INVALID", id="attribute"),
    ],
)
def test_a_refusal_is_counted_by_its_reason(
    client: FlaskClient, request_: dict[str, str], status: str, reason: str
) -> None:
    """A request that is refused counts once by status and once by error code."""
    found = grown(client, lambda: client.post("/invocations", **request_))

    assert (found["fraud_requests_total", status], found["fraud_refused_total", reason]) == (1, 1)
    assert not [name for name, _ in found if name in ("fraud_rows_total", "fraud_probability_count")]


def test_paths_that_are_not_there_are_counted(client: FlaskClient) -> None:
    """Who asks for what is not served is seen; who watches is not counted, however often (S18)."""

    def ask() -> None:
        for path in ("/ping", "/metrics", "/execution-parameters", "/nothing", "/invocations"):
            client.get(path)

    found = grown(client, ask)

    assert found == {("fraud_requests_total", "404"): 1, ("fraud_requests_total", "405"): 1}


def test_unseen_categories_are_counted(bundle: ModelBundle) -> None:
    """A category that training never saw is counted apart from a missing cell."""
    columns = (Column("Time", "category", ("day", "night")), *bundle.schema.columns[1:])
    card = bundle.card.model_copy(update={"row_schema": replace(bundle.schema, columns=columns)})
    client = app.create_app(replace(bundle, card=card), ServingSettings()).test_client()
    rest = LINES[0].split(",", 1)[1]

    found = grown(client, lambda: client.post("/invocations", data=f"noon,{rest}\n,{rest}\nday,{rest}"))

    assert found["fraud_unseen_categories_total", ""] == 1
    assert found["fraud_missing_cells_total", ""] == 1


def test_decisions_are_counted_apart(client: FlaskClient, bundle: ModelBundle) -> None:
    """Approved, reviewed and declined rows are counted as the answer has them."""
    answers: list[str] = []
    asked = {ATTRIBUTES: "output=decision", "Accept": "text/csv"}
    body = "\n".join(LINES)

    found = grown(client, lambda: answers.append(client.post("/invocations", data=body, headers=asked).text))

    decisions = answers[0].split()
    assert {label: count for (name, label), count in found.items() if name == "fraud_decisions_total"} == {
        decision: decisions.count(decision) for decision in set(decisions)
    }
    assert {"approve", "decline"} <= set(decisions)


def test_every_family_is_there_from_the_start(client: FlaskClient, bundle: ModelBundle) -> None:
    """Before the first request each counter is 0 with each of its labels, and the model is named with its age."""
    found = figures(client)

    assert {label for name, label in found if name == "fraud_requests_total"} == {*STATUSES, "other"}
    assert {kind.code for kind in REFUSALS} <= {label for name, label in found if "refused" in name}
    assert {label for name, label in found if name == "fraud_decisions_total"} == {
        *("approve", "review", "decline", "other")
    }
    assert {label for name, label in found if name == "fraud_stage_seconds_count"} == set(STAGES)
    assert {value for (name, _), value in found.items() if name.endswith("_total")} == {0}
    assert found["fraud_model_info", f"sample-job,{bundle.card.model_id}"] == 1
    assert 0 < found["fraud_model_age_seconds", ""] < 3600
    assert found["fraud_drift_rows", ""] == 0


def test_it_stays_as_long_as_it_is(client: FlaskClient) -> None:
    """The text has as many lines after a thousand odd requests as after one (S68)."""
    client.post("/invocations", data="\n".join(LINES[:50]))
    before = client.get("/metrics").text.count("\n")

    for number in range(250):
        client.post("/invocations", data=f"{number},x")
        client.post("/invocations", data=LINES[number], headers={"Accept": f"image/{number}"})
        client.post("/invocations", data=LINES[number], headers={ATTRIBUTES: f"own={number};reasons={number + 1}"})
        client.get(f"/{number}")

    assert client.get("/metrics").text.count("\n") == before


def test_prometheus_can_read_it(client: FlaskClient) -> None:
    """It is Prometheus' text format 0.0.4: each family has help and a type, each name is good."""
    answer = client.get("/metrics")

    families = list(text_string_to_metric_families(answer.text))
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert all(family.documentation and family.type != "unknown" for family in families)
    assert all(re.fullmatch("fraud_[a-z_]+", family.name) for family in families)
    assert len({family.name for family in families}) == len(families)


def test_drift_moves_when_rows_do(client: FlaskClient, bundle: ModelBundle) -> None:
    """The index is small for rows like those of training, and large for the column that has moved, and no other."""
    client.post("/invocations", data="\n".join(LINES[::6]))
    calm = figures(client)
    shifted = [line.rsplit(",", 1) for line in LINES[::3]]

    for start in range(4):
        part = shifted[start::4]
        client.post("/invocations", data="\n".join(f"{rest},{float(amount) * 50 + 999}" for rest, amount in part))
    moved = figures(client)

    names = bundle.schema.names
    assert calm["fraud_drift_rows", ""] == 1000
    assert all(calm["fraud_feature_psi", name] < 0.1 for name in names)
    assert calm["fraud_score_psi", ""] < 0.25
    assert moved["fraud_feature_psi", "Amount"] > 0.5
    assert all(moved["fraud_feature_psi", name] < 0.1 for name in names if name != "Amount")


def test_drift_forgets(bundle: ModelBundle) -> None:
    """The window slides: rows of before are gone when enough others have come."""
    client = app.create_app(bundle, ServingSettings(MODEL_SERVER_WORKERS=32)).test_client()
    client.post("/invocations", data="\n".join([",".join(["999"] * 30)] * 200))
    moved = figures(client)

    client.post("/invocations", data="\n".join(LINES[:5888:23]))
    calm = figures(client)

    assert moved["fraud_feature_psi", "Amount"] > 1
    assert calm["fraud_drift_rows", ""] == 256
    assert calm["fraud_feature_psi", "Amount"] < 0.2


def test_a_large_body_is_sampled(client: FlaskClient) -> None:
    """Of each block of a large body the watch on drift looks at about a thousand rows, evenly spread."""
    client.post("/invocations", data="\n".join(LINES[:5000]))

    assert 500 <= figures(client)["fraud_drift_rows", ""] <= 2500


def test_threads_lose_no_count(served: Flask) -> None:
    """Requests that end at the same time are all counted."""

    def ask() -> None:
        client = served.test_client()
        for _ in range(50):
            client.post("/invocations", data=LINES[0])

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = figures(served.test_client())
    assert (found["fraud_requests_total", "200"], found["fraud_rows_total", ""]) == (400, 400)
    assert found["fraud_drift_rows", ""] == 400


def test_it_is_quick(client: FlaskClient) -> None:
    """With a full window it answers in far less than the second that a test may measure (S68)."""
    for start in range(0, 6000, 250):
        client.post("/invocations", data="\n".join(LINES[start : start + 250]))
    started = time.monotonic()

    found = figures(client)

    assert time.monotonic() - started < 1
    assert found["fraud_drift_rows", ""] >= 2000
    assert np.isfinite(list(found.values())).all()


def test_many_models_have_no_drift() -> None:
    """With many models there is none to measure drift against, and the rest is counted (S51, S55)."""
    client = app.create_app(None, ServingSettings(SAGEMAKER_MULTI_MODEL=True)).test_client()

    found = grown(client, lambda: client.post("/models/none/invoke", data=LINES[0]))

    assert found == {("fraud_requests_total", "404"): 1, ("fraud_refused_total", "MODEL_NOT_LOADED"): 1}
    assert not [name for name, _ in figures(client) if "psi" in name or "model_info" in name]


def test_a_load_is_refused_by_its_reason(trained: Path) -> None:
    """A model that the endpoint's thresholds do not fit is counted as the wrong setting that it meets."""
    settings = {"SAGEMAKER_MULTI_MODEL": True, "FRAUD_DECLINE_THRESHOLD": 0}
    client = app.create_app(None, ServingSettings.model_validate(settings)).test_client()

    found = grown(client, lambda: client.post("/models", json={"model_name": "one", "url": str(trained / "model")}))

    assert found == {("fraud_requests_total", "400"): 1, ("fraud_refused_total", "SETTING_INVALID"): 1}
