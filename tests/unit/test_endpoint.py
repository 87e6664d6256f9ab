import csv
import io
import json
from collections.abc import Iterator

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fraud import codecs
from fraud.bundle import ModelBundle
from fraud.serving import app
from fraud.settings import OUTPUTS, ServingSettings
from tests.processes import ROOT

PAYLOADS = ROOT / "local_test"
ROW = (PAYLOADS / "payload.csv").read_bytes().splitlines()[0]
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
BODIES = {
    codecs.CSV: (PAYLOADS / "payload.csv").read_bytes(),
    codecs.JSON: (PAYLOADS / "payload.json").read_bytes(),
    codecs.JSON_LINES: (PAYLOADS / "payload.jsonl").read_bytes(),
}
BODIES["application/x-jsonlines"] = BODIES[codecs.JSON_LINES]
BODIES["application/octet-stream"] = BODIES[codecs.CSV]


@pytest.fixture
def client(bundle: ModelBundle) -> FlaskClient:
    return app.create_app(bundle, ServingSettings()).test_client()


def told(answer: TestResponse) -> dict[str, str]:
    """Return what an answer says was applied."""
    return dict(pair.split("=", 1) for pair in answer.headers[ATTRIBUTES].split(";"))


@pytest.mark.parametrize("accept", codecs.ENCODERS)
@pytest.mark.parametrize("content_type", codecs.DECODERS)
def test_reasons_are_told_in_every_format(client: FlaskClient, content_type: str, accept: str) -> None:
    """Whatever format comes and goes, a row gets the same score, decision and reasons (S23, S25, S31)."""
    asked = {ATTRIBUTES: "output=raw_score,decision,reasons;reasons=2", "Accept": accept}
    plain = client.post("/invocations", data=BODIES[codecs.CSV], headers={**asked, "Accept": "application/json"})

    answer = client.post("/invocations", data=BODIES[content_type], content_type=content_type, headers=asked)

    assert (answer.status_code, answer.content_type) == (200, accept)
    assert list(records(answer)) == list(records(plain))


def records(answer: TestResponse) -> Iterator[tuple[float, str, list[tuple[str, float]]]]:
    """Return score, decision and reasons of each row, the reasons to seven digits as CSV has them."""
    match answer.content_type:
        case "text/csv":
            for score, decision, cell in csv.reader(io.StringIO(answer.text)):
                reasons = [reason.rsplit(":", 1) for reason in cell.split(";")]
                yield float(score), decision, [(name, float(size)) for name, size in reasons]
        case "application/json":
            yield from map(record, json.loads(answer.data)["predictions"])
        case _:
            yield from map(record, map(json.loads, answer.data.splitlines()))


def record(found: dict[str, object]) -> tuple[float, str, list[tuple[str, float]]]:
    assert isinstance(found["raw_score"], float)
    assert isinstance(found["reasons"], list)
    reasons = [(reason["feature"], float(f"{reason['contribution']:+.7g}")) for reason in found["reasons"]]
    return found["raw_score"], str(found["decision"]), reasons


def test_reasons_add_up_to_the_score(client: FlaskClient, bundle: ModelBundle) -> None:
    """The base value and the contributions of all columns sum to the raw score, to 1e-5, on every row."""
    asked = "output=raw_score,base_value,reasons;reasons=30"

    answer = client.post("/invocations", data=many_rows(300), headers={ATTRIBUTES: asked, "Accept": "application/json"})

    assert answer.json is not None
    found = answer.json["predictions"]
    sums = [row["base_value"] + sum(reason["contribution"] for reason in row["reasons"]) for row in found]
    assert np.allclose(sums, [row["raw_score"] for row in found], rtol=0, atol=1e-5)
    assert {row["base_value"] for row in found} == {bundle.base_value}
    assert np.isclose(float(told(answer)["base_value"]), bundle.base_value)
    assert all(
        (reason["direction"] == "increases") == (reason["contribution"] > 0)
        for row in found
        for reason in row["reasons"]
    )


def many_rows(count: int) -> bytes:
    """Return rows of the sample as CSV without their label, frauds among them."""
    lines = (ROOT / "test_dir/input/data/train/transactions.csv").read_text().splitlines()[1:]
    frauds = [line for line in lines if line.endswith(",1")][: count // 4]
    chosen = frauds + lines[: count - len(frauds)]
    return "\n".join(line.rsplit(",", 1)[0] for line in chosen).encode()


def test_a_reason_names_the_cell(client: FlaskClient) -> None:
    """A reason holds what was in its cell; of a missing one, null."""
    cells = ROW.split(b",")
    missing = b",".join([*cells[:-1], b""])
    asked = {ATTRIBUTES: "output=reasons;reasons=30", "Accept": "application/json"}

    answer = client.post("/invocations", data=ROW + b"\n" + missing, headers=asked)

    assert answer.json is not None
    whole, without = (
        {reason["feature"]: reason["value"] for reason in row["reasons"]} for row in answer.json["predictions"]
    )
    assert whole["Amount"] == float(cells[-1])
    assert without["Amount"] is None


def test_reasons_only_where_the_probability_reaches(client: FlaskClient) -> None:
    """`reasons_above` leaves the rows below it without, and says so."""
    asked = {ATTRIBUTES: "output=probability,reasons;reasons_above=0.5", "Accept": "application/json"}

    answer = client.post("/invocations", data=many_rows(400), headers=asked)

    assert answer.json is not None
    found = answer.json["predictions"]
    assert told(answer)["reasons_above"] == "0.5"
    assert {row["reasons"] is not None for row in found} == {True, False}
    assert all((row["reasons"] is not None) == (row["probability"] >= 0.5) for row in found)


@pytest.mark.parametrize(
    ("settings", "asked", "applied"),
    [
        pytest.param({}, "", {"output": "probability,predicted_label"}, id="as JSON always is"),
        pytest.param(
            {"SAGEMAKER_INFERENCE_OUTPUT": "decision,reasons"},
            "",
            {"output": "decision,reasons", "reasons": "3"},
            id="set for the endpoint",
        ),
        pytest.param(
            {"SAGEMAKER_INFERENCE_OUTPUT": "reasons", "FRAUD_REASONS": "5", "FRAUD_REASONS_ABOVE": "0.25"},
            "",
            {"output": "reasons", "reasons": "5", "reasons_above": "0.25"},
            id="how many, and where",
        ),
        pytest.param(
            {"SAGEMAKER_INFERENCE_OUTPUT": "reasons", "FRAUD_REASONS": "5", "FRAUD_REASONS_ABOVE": "0.25"},
            "output=decision;reasons=1;reasons_above=0",
            {"output": "decision,reasons", "reasons": "1"},
            id="asked for otherwise",
        ),
        pytest.param(
            {},
            "trace=1;output=probability,reasons",
            {"output": "probability,reasons", "reasons": "3"},
            id="and a trace",
        ),
        pytest.param({}, "trace=1;flag", {"output": "probability,predicted_label"}, id="the client's own alone"),
    ],
)
def test_what_was_applied_is_told(
    bundle: ModelBundle, settings: dict[str, object], asked: str, applied: dict[str, str]
) -> None:
    """The answer names the model, its thresholds and what it holds, in the one header a caller gets (S27, S28, S64)."""
    client = app.create_app(bundle, ServingSettings.model_validate(settings)).test_client()
    headers = {"Accept": "application/json", **({ATTRIBUTES: asked} if asked else {})}

    answer = client.post("/invocations", data=ROW, headers=headers)

    assert answer.json is not None
    found = told(answer)
    identity = {name: found.pop(name) for name in ("model_id", "threshold", "decline_threshold")}
    base_value = found.pop("base_value", None)
    assert identity == {
        "model_id": bundle.card.model_id,
        "threshold": f"{bundle.model.threshold.value:.6g}",
        "decline_threshold": f"{bundle.model.decline.value:.6g}",
    }
    assert found == applied
    assert (base_value is not None) == ("reasons" in applied)
    assert list(answer.json["predictions"][0]) == applied["output"].split(",")


def test_what_is_told_fits_its_header(client: FlaskClient) -> None:
    """However much is asked, what was applied is at most 1024 visible ASCII characters (S27)."""
    asked = f"output={','.join(OUTPUTS)};reasons=9999;reasons_above=0.123456789;trace={'x' * 800}"

    answer = client.post("/invocations", data=ROW, headers={ATTRIBUTES: asked, INFERENCE_ID: "i" * 64})

    assert answer.status_code == 200
    assert len(answer.headers[ATTRIBUTES]) <= 1024
    assert all("!" <= character <= "~" for character in answer.headers[ATTRIBUTES])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param("output=score", ["output=", '"score"', "probability", "reasons"], id="no such output"),
        pytest.param("reasons=some", ["reasons=", '"some"', "1 to 9999"], id="no number"),
        pytest.param("reasons_above=2", ["reasons_above=", '"2"', "from 0 to 1"], id="no probability"),
    ],
)
def test_a_wrong_attribute_is_refused(client: FlaskClient, asked: str, words: list[str]) -> None:
    """A value that means nothing is refused with what would be right, and not passed over (S27)."""
    answer = client.post("/invocations", data=ROW, headers={ATTRIBUTES: asked})

    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]["code"] == "ATTRIBUTES_INVALID"
    assert all(word in answer.json["error"]["message"] for word in words)


def test_thresholds_decide(bundle: ModelBundle) -> None:
    """A row is approved below the review threshold, reviewed from there, and declined from the other."""
    deciding = bundle.deciding(0.2, 0.6)
    client = app.create_app(deciding, ServingSettings()).test_client()
    asked = {ATTRIBUTES: "output=probability,predicted_label,decision", "Accept": "application/json"}

    answer = client.post("/invocations", data=many_rows(2000), headers=asked)

    assert answer.json is not None
    found = [tuple(row.values()) for row in answer.json["predictions"]]
    assert {decision for _, _, decision in found} == {"approve", "review", "decline"}
    assert all(
        (label, decision)
        == ((0, "approve") if probability < 0.2 else (1, "review" if probability < 0.6 else "decline"))
        for probability, label, decision in found
    )
    assert (told(answer)["threshold"], told(answer)["decline_threshold"]) == ("0.2", "0.6")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param({"data": ROW}, 200, id="scored"),
        pytest.param({"data": b"1,2"}, 400, id="refused"),
        pytest.param({"data": ROW, "headers": {"Accept": "image/png"}}, 406, id="refused before it is read"),
    ],
)
def test_an_inference_id_comes_back(
    client: FlaskClient,
    bundle: ModelBundle,
    caplog: pytest.LogCaptureFixture,
    request_: dict[str, dict[str, str]],
    status: int,
) -> None:
    """A request's id is in its answer, beside the model's, and in one line of the log without any cell (S27, S28)."""
    caplog.set_level("INFO")
    headers = {**request_.get("headers", {}), INFERENCE_ID: "order-77"}

    answer = client.post("/invocations", **{**request_, "headers": headers})

    [line] = [found for found in caplog.records if found.message == "request"]
    assert answer.status_code == status
    assert answer.headers[INFERENCE_ID] == "order-77"
    assert (told(answer)["inference_id"], told(answer)["model_id"]) == ("order-77", bundle.card.model_id)
    seconds = line.fields.pop("seconds")  # type: ignore[attr-defined] # what was given as extra
    assert line.fields == {"inference_id": "order-77", "status": status, "rows": int(status == 200)}  # type: ignore[attr-defined]
    assert 0 <= seconds < 5


@pytest.mark.parametrize("stated", ["two words", "semi;colon", "i" * 65])
def test_an_id_that_is_none_is_left_alone(client: FlaskClient, stated: str, caplog: pytest.LogCaptureFixture) -> None:
    """What SageMaker would not have sent as an id goes into no header and no log."""
    caplog.set_level("INFO")

    answer = client.post("/invocations", data=ROW, headers={INFERENCE_ID: stated})

    assert answer.status_code == 200
    assert INFERENCE_ID not in answer.headers
    assert "inference_id" not in told(answer)
    assert not caplog.records
