"""docs/openapi.yaml holds for the real server: its examples, routes and codes, and whatever schemathesis makes up."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, DeserializationContext, Response, SerializationContext, checks
from schemathesis.schemas import BaseSchema

from fraud import codecs, errors
from fraud.bundle import ModelBundle
from fraud.serving.app import create_app
from fraud.settings import ServingSettings
from tests.documented import DOCUMENT, PATH, SCHEMA, Example, codes, operations
from tests.processes import Server, serving

MODEL_URL = "/opt/ml/models/a1b2c3/model"
LINES = ("application/jsonlines", "application/x-jsonlines")
# Of a job that trains, or of a server that does not start.
NEVER_ANSWERED = {
    *("HYPERPARAMETER_INVALID", "CONFIG_UNREADABLE", "INPUT_MODE_UNSUPPORTED", "HOSTS_UNSUPPORTED", "DATA_NO_ROWS"),
    *("DATA_NO_FRAUD", "DATA_ONLY_FRAUD", "DATA_LABEL_INVALID", "DATA_LABEL_LEAK", "RESAMPLING_IMPOSSIBLE"),
    *("THRESHOLD_IMPOSSIBLE", "OUTPUT_UNWRITABLE", "DEVICE_UNAVAILABLE", "STOPPED"),
}
# What Flask calls a path that is not there, another method, and a body over its limit.
FLASKS_CODES = {"NOT_FOUND", "METHOD_NOT_ALLOWED", "REQUEST_ENTITY_TOO_LARGE"}
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
BOUNDED = settings(
    max_examples=50,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[*HealthCheck],
)
EXAMPLES = [example for operation in operations() for example in operation.examples()]


@schemathesis.serializer(*LINES)
def write_lines(_context: SerializationContext, value: Any) -> bytes:
    """Write one JSON value a line; an example is text already."""
    return b"".join(map(written, value)) if isinstance(value, list) else written(value)


@schemathesis.serializer("text/csv", "application/octet-stream")
def write_text(_context: SerializationContext, value: Any) -> bytes:
    return written(value)


@schemathesis.deserializer(*LINES)
def read_lines(_context: DeserializationContext, response: Response) -> list[Any]:
    return [json.loads(line) for line in response.text.splitlines()]


@schemathesis.deserializer("text/csv")
def read_text(_context: DeserializationContext, response: Response) -> str:
    return response.text


def written(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode() + b"\n"


def narrowed() -> BaseSchema:
    """Return the document with the sample model's width and names, and with `Accept`, that OpenAPI leaves to a client.

    Rows that are made up fit the model then, as often as not.
    """
    told: dict[str, Any] = schemathesis.openapi.from_path(PATH).raw_schema
    schemas = told["components"]["schemas"]
    schemas["RowByPosition"] |= {"minItems": 30, "maxItems": 30}
    schemas["RowByName"] |= {"propertyNames": {"enum": ["Time", "amount", "V14", "v28", "Class"]}}
    schemas["ModelToLoad"]["properties"]["url"] |= {"enum": [MODEL_URL, "/nowhere"]}
    parameters = told["components"]["parameters"]
    parameters["ModelName"]["schema"] |= {"enum": ["a1b2c3", "d4e5f6"]}
    parameters["Accept"] = {
        "name": "Accept",
        "in": "header",
        "schema": {"enum": [*codecs.ENCODERS, "*/*", "image/png"]},
    }
    for path in ("/invocations", "/models/{name}/invoke"):
        told["paths"][path]["post"]["parameters"].append({"$ref": "#/components/parameters/Accept"})
    return schemathesis.openapi.from_dict(told)


@pytest.fixture(scope="module")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("openapi") / "log"
    with serving(trained, log, MODEL_SERVER_WORKERS="1") as running:
        yield running


@pytest.fixture(scope="module")
def models_server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("openapi") / "log"
    with serving(trained, log, SAGEMAKER_MULTI_MODEL="true") as running:
        yield running


def send(case: Case[Any], server: Server, model: Path) -> Response:
    """Send a request to a server, and hold the answer against the document."""
    if isinstance(case.body, dict) and case.body.get("url") == MODEL_URL:
        case.body = {**case.body, "url": str(model)}
    answer: Response = case.call_and_validate(base_url=f"http://127.0.0.1:{server.port}", checks=CHECKS)
    return answer


@narrowed().include(tag=["scoring", "watching"]).parametrize()
@BOUNDED
def test_one_model_answers_as_documented(case: Case[Any], server: Server, trained: Path) -> None:
    """Whatever schemathesis makes of the document, the server of one model answers as it says."""
    send(case, server, trained / "model")


@narrowed().exclude(tag="scoring").parametrize()
@BOUNDED
def test_many_models_answer_as_documented(case: Case[Any], models_server: Server, trained: Path) -> None:
    """The same for the server of many models, of which one is loaded."""
    told = {"model_name": "a1b2c3", "url": str(trained / "model")}
    models_server.call("POST", "/models", json.dumps(told).encode())

    send(case, models_server, trained / "model")


def shape(value: Any) -> Any:
    """Return a JSON value with its types in place of numbers and words."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if type(value) in (int, float) else type(value).__name__


def outline(media_type: str, text: str) -> object:
    """Return what an answer keeps when its numbers are others."""
    if media_type == "application/json":
        return shape(json.loads(text))
    if media_type in LINES:
        return [shape(json.loads(line)) for line in text.splitlines()]
    return re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "0", text)


def assert_as_documented(example: Example, server: Server, model: Path) -> None:
    """Send an example: an error is the same to the letter, and any other answer of the same outline."""
    case = SCHEMA[example.path][example.method].Case(
        path_parameters=example.parameters["path"],
        query=example.parameters["query"],
        headers=dict(example.headers),
        **({} if example.content_type is None else {"body": example.body, "media_type": example.content_type}),
    )

    answer = send(case, server, model)

    text = answer.text.replace(str(model), MODEL_URL)
    assert answer.status_code == example.status, text
    assert answer.headers["content-type"][0].partition(";")[0] == example.media_type
    if example.status != 200:
        assert json.loads(text) == example.answer
    elif example.media_type == "text/plain":
        names = {line.split()[0] for line in text.splitlines()}
        assert names >= {line.split()[0] for line in example.answer.splitlines()}
    else:
        known = example.answer if isinstance(example.answer, str) else json.dumps(example.answer)
        assert outline(example.media_type, text) == outline(example.media_type, known)


@pytest.mark.parametrize("example", [item for item in EXAMPLES if not item.path.startswith("/models")], ids=str)
def test_examples_of_one_model(example: Example, server: Server, trained: Path) -> None:
    """Each example of the document is answered as it says."""
    assert_as_documented(example, server, trained / "model")


def test_examples_of_many_models(trained: Path, tmp_path: Path) -> None:
    """The same of the paths below /models, one after another: a model is loaded, asked and described."""
    with serving(trained, tmp_path / "log", SAGEMAKER_MULTI_MODEL="true") as server:
        for example in [item for item in EXAMPLES if item.path.startswith("/models")]:
            assert_as_documented(example, server, trained / "model")


def routes(app: Flask) -> set[tuple[str, str]]:
    """Return each path, as OpenAPI writes it, with each of its methods that Flask did not add."""
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_the_document_is_openapi() -> None:
    """The document is what OpenAPI 3.1 allows."""
    SCHEMA.validate()


def test_every_route_is_documented(bundle: ModelBundle) -> None:
    """The document has the routes of both kinds of server and no other; its tags say which."""
    one = routes(create_app(bundle, ServingSettings()))
    many = routes(create_app(None, ServingSettings.model_validate({"SAGEMAKER_MULTI_MODEL": "true"})))

    assert one == {(each.path, each.method) for each in operations() if each.tag != "models"}
    assert many == {(each.path, each.method) for each in operations() if each.tag != "scoring"}


def test_every_code_is_documented() -> None:
    """The document lists the code of every error that a request can get, and no other."""
    kinds = [errors.FraudError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    known = {kind.code for kind in kinds} | FLASKS_CODES

    assert {*codes(), *re.findall(r"40\d `([A-Z_]+)`", DOCUMENT["info"]["description"])} == known - NEVER_ANSWERED
