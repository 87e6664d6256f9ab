import json
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from flask.testing import FlaskClient

from fraud.bundle import ModelBundle
from fraud.model.scores import Scores
from fraud.schema import Column
from fraud.serving import app, server
from fraud.serving.logs import JsonFormatter
from fraud.serving.scoring import Scored, Scorer
from fraud.settings import ServingSettings
from tests.processes import ROOT

PAYLOADS = ROOT / "local_test"
ROW = (PAYLOADS / "payload.csv").read_bytes().splitlines()[0]
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture
def client(bundle: ModelBundle) -> FlaskClient:
    return app.create_app(bundle, ServingSettings()).test_client()


REFUSALS = [
    pytest.param({"data": b""}, 400, "BODY_INVALID", "empty", id="empty body (S30)"),
    pytest.param({"data": b"1,2,3"}, 400, "ROW_WIDTH_INVALID", "row 1 has 3 cells; this model reads 30", id="width"),
    pytest.param({"data": ROW + b",5"}, 400, "ROW_WIDTH_INVALID", "row 1 has 31 cells", id="too many cells"),
    pytest.param(
        {"data": ROW + b"\n" + ROW.rsplit(b",", 1)[0] + b",twelve"},
        400,
        "ROW_INVALID",
        'row 2, column "Amount": "twelve" is not a number',
        id="a word",
    ),
    pytest.param(
        {"json": [{"Time": 1, "Amonut": 2}]}, 400, "DATA_COLUMN_INVALID", 'did you mean "Amount"', id="unknown name"
    ),
    pytest.param({"json": {"v": [1, 2]}}, 400, "DATA_COLUMN_INVALID", "list of 2", id="short list"),
    pytest.param({"json": "rows"}, 400, "BODY_INVALID", "instances", id="JSON that is no rows"),
    pytest.param({"data": b"[1,", "content_type": "application/json"}, 400, "BODY_INVALID", "not JSON", id="no JSON"),
    pytest.param({"data": ROW, "content_type": "image/png"}, 415, "MEDIA_TYPE_UNSUPPORTED", "text/csv", id="a picture"),
    pytest.param({"data": ROW, "headers": {"Accept": "image/png"}}, 406, "ACCEPT_UNSUPPORTED", "text/csv", id="accept"),
]


@pytest.mark.parametrize(("request_", "status", "code", "words"), REFUSALS)
def test_says_what_is_wrong_with_a_request(
    client: FlaskClient, request_: dict[str, object], status: int, code: str, words: str
) -> None:
    """A bad request gets its own status, and short JSON that names the thing and what would be right (S29, S30)."""
    answer = client.post("/invocations", **request_)

    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json["error"]["code"] == code
    assert words in answer.json["error"]["message"]
    assert ATTRIBUTES in answer.headers


def test_a_body_over_the_limit_is_too_large(bundle: ModelBundle) -> None:
    """A body over the limit is refused with the limit (S19)."""
    client = app.create_app(bundle, ServingSettings(MAX_CONTENT_LENGTH=100)).test_client()

    answer = client.post("/invocations", data=ROW)

    assert answer.status_code == 413
    assert b"larger than 100 bytes" in answer.data


def test_an_answer_that_would_not_fit_is_not_begun(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short rows with many reasons take hundreds of times their bytes: what that would fill is refused (S50)."""
    monkeypatch.setattr("fraud.settings.memory_bytes", lambda: 64 * 1024**2)
    client = app.create_app(bundle, ServingSettings(MODEL_SERVER_WORKERS=1)).test_client()
    body = (b"," * 29 + b"\n") * 10_000

    plain = client.post("/invocations", data=body)
    explained = client.post("/invocations", data=body, headers={ATTRIBUTES: "reasons=30"})

    assert plain.status_code == 200
    assert explained.status_code == 413
    assert b"more than the 32 MB of memory" in explained.data


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/invocations", 405, id="GET where POST belongs"),
        pytest.param("DELETE", "/ping", 405, id="nothing to delete"),
        pytest.param("GET", "/models", 404, id="a path of multi-model endpoints (S51)"),
    ],
)
def test_other_paths_and_methods_answer_json(client: FlaskClient, method: str, path: str, status: int) -> None:
    """What is not served is refused in the same form, and says what is allowed."""
    answer = client.open(path, method=method)

    assert answer.status_code == status
    assert answer.json is not None
    assert set(answer.json) == {"error"}
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("is_multi_model", "path", "right"),
    [(False, "/models/x/invoke", "/invocations"), (True, "/invocations", "/models/NAME/invoke")],
)
def test_a_path_of_the_other_kind_of_server_says_where_rows_go(
    bundle: ModelBundle, is_multi_model: bool, path: str, right: str
) -> None:
    """Who asks one model as if there were many, or many as if there were one, is told the path that is there."""
    served = app.create_app(None if is_multi_model else bundle, ServingSettings(SAGEMAKER_MULTI_MODEL=is_multi_model))

    answer = served.test_client().post(path, data=ROW)

    assert answer.status_code == 404
    assert answer.json == {
        "error": {"code": "NOT_FOUND", "message": f'there is nothing at "{path}"; send rows to {right}'}
    }


@pytest.mark.parametrize("accept", ["*/*", "*/*;q=0.5", "text/html, */*;q=0.1"])
def test_default_accept_stands_where_any_will_do(bundle: ModelBundle, accept: str) -> None:
    """In a pipeline the configured format answers a client that accepts anything (S25), and not one that asks."""
    told = ServingSettings(SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="application/jsonlines")
    client = app.create_app(bundle, told).test_client()

    any_will_do = client.post("/invocations", data=ROW, headers={"Accept": accept})
    asked = client.post("/invocations", data=ROW, headers={"Accept": "text/csv"})

    assert any_will_do.content_type == "application/jsonlines"
    assert asked.content_type == "text/csv"


def test_the_output_setting_chooses_what_is_told(bundle: ModelBundle) -> None:
    """SAGEMAKER_INFERENCE_OUTPUT names the columns of the answer, in its order."""
    told = ServingSettings(SAGEMAKER_INFERENCE_OUTPUT="predicted_label, raw_score")
    client = app.create_app(bundle, told).test_client()

    answer = client.post("/invocations", data=ROW, headers={"Accept": "application/json"})

    assert answer.json is not None
    assert list(answer.json["predictions"][0]) == ["predicted_label", "raw_score"]


def test_what_rows_lack_is_counted_in_the_answer(bundle: ModelBundle) -> None:
    """A category that training never saw is read as missing; the header says how many were, and how many cells."""
    columns = (Column("Time", "category", ("day", "night")), *bundle.schema.columns[1:])
    card = bundle.card.model_copy(update={"row_schema": replace(bundle.schema, columns=columns)})
    client = app.create_app(replace(bundle, card=card), ServingSettings()).test_client()
    rest = ROW.split(b",", 1)[1]

    answer = client.post("/invocations", data=b"day," + rest + b"\nnoon," + rest + b"\n," + rest)

    assert answer.status_code == 200
    assert f"model_id={bundle.card.model_id};" in answer.headers[ATTRIBUTES]
    assert answer.headers[ATTRIBUTES].endswith(";missing_cells=1;unseen_categories=1")


def test_an_error_of_ours_keeps_its_words_to_itself(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug answers 500 without a traceback, and neither answer nor log repeats what it said (S29)."""
    cell = "4111 1111 1111 1111"

    def fail(*arguments: object) -> None:
        raise RuntimeError(cell)

    monkeypatch.setattr(Scorer, "score", fail)
    client = app.create_app(bundle, ServingSettings()).test_client()

    answer = client.post("/invocations", data=ROW)

    assert answer.status_code == 500
    assert answer.json == {"error": {"code": "INTERNAL", "message": "an error inside the image; its log says where"}}
    logged = "".join(map(JsonFormatter().format, caplog.records))
    assert "RuntimeError" in logged
    assert "4111" not in logged


def test_ping_is_503_until_a_prediction_works(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that loads and cannot score is not healthy, and is asked again (S16)."""
    broken = [True]

    def score(self: ModelBundle, X: object) -> Scores:
        if broken:
            raise RuntimeError("no")
        return Scores(np.zeros(1), np.zeros(1), np.zeros(1, dtype=bool), np.zeros(1, dtype=bool))

    monkeypatch.setattr(ModelBundle, "score", score)
    client = app.create_app(bundle, ServingSettings()).test_client()
    before = client.get("/ping").status_code
    broken.clear()

    after = client.get("/ping").status_code

    assert (before, after) == (503, 200)


def test_one_request_too_many_is_turned_away_at_once(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the places to wait a request gets 503 with Retry-After, and the others are answered."""
    go, entered = Event(), Event()
    score = Scorer.score

    def wait(*arguments: object) -> Scored:
        entered.set()
        assert go.wait(30)
        return score(*arguments)  # type: ignore[arg-type] # it is called as score is

    monkeypatch.setattr(Scorer, "score", wait)
    monkeypatch.setattr(ServingSettings, "scoring_slots", 1)
    monkeypatch.setattr(ServingSettings, "waiting_slots", 0)
    served = app.create_app(bundle, ServingSettings())
    statuses: list[int] = []
    first = Thread(target=lambda: statuses.append(served.test_client().post("/invocations", data=ROW).status_code))
    first.start()
    assert entered.wait(30)

    second = served.test_client().post("/invocations", data=ROW)
    go.set()
    first.join()

    assert second.status_code == 503
    assert second.headers["Retry-After"] == "1"
    assert statuses == [200]


@pytest.fixture
def in_tree(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(trained))
    return trained


def test_a_row_scores_as_it_did_in_training(in_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server gives a held-out row the probability that the job wrote down for it."""
    monkeypatch.setattr("signal.signal", lambda _number, _handler: None)
    client = server.load(ServingSettings()).test_client()
    rows = (in_tree / "input/data/train/transactions.csv").read_text().splitlines()[1:]
    kept = [line.split(",") for line in (in_tree / "output/data/predictions.csv").read_text().splitlines()[1:]]
    body = "\n".join(rows[int(line[0])].rsplit(",", 1)[0] for line in kept)

    answer = client.post("/invocations", data=body.encode(), headers={"Accept": "application/json"})

    assert answer.json is not None
    found = answer.json["predictions"]
    assert [row["predicted_label"] for row in found] == [int(line[4]) for line in kept]
    assert np.allclose([row["probability"] for row in found], [float(line[2]) for line in kept], rtol=1e-8)
    assert json.loads((in_tree / "output/data/report.json").read_text())["confusion"]["true_positive"] == sum(
        row["predicted_label"] and line[1] == "1" for row, line in zip(found, kept, strict=True)
    )


MEGABYTE = 1024**2


@pytest.mark.parametrize(
    ("settings", "cores", "memory", "parameters"),
    [
        pytest.param({}, 4, 16_000, (8, 6), id="two a core"),
        pytest.param({}, 64, 256_000, (16, 6), id="a hundred megabytes in all"),
        pytest.param({}, 4, 2000, (2, 6), id="as memory of one worker allows"),
        pytest.param({}, 4, 300, (1, 1), id="smaller where none is large enough"),
        pytest.param({"SAGEMAKER_INFERENCE_OUTPUT": "reasons"}, 4, 2000, (1, 6), id="with reasons"),
        pytest.param({}, 4, 10, (1, 1), id="one at least"),
        pytest.param({"SAGEMAKER_MAX_PAYLOAD_IN_MB": 1}, 4, 16_000, (8, 1), id="a payload set"),
        pytest.param({"SAGEMAKER_MAX_PAYLOAD_IN_MB": 50}, 64, 256_000, (2, 50), id="a large one"),
        pytest.param({"SAGEMAKER_MAX_PAYLOAD_IN_MB": 0}, 64, 256_000, (1, 100), id="chunked"),
        pytest.param({"MAX_CONTENT_LENGTH": 1000}, 4, 16_000, (8, 1), id="less than a megabyte"),
        pytest.param({"MODEL_SERVER_WORKERS": 1}, 4, 16_000, (2, 6), id="one worker"),
        pytest.param({"MODEL_SERVER_WORKERS": 2, "SAGEMAKER_MULTI_MODEL": True}, 4, 16_000, (4, 6), id="many models"),
    ],
)
def test_batch_jobs_are_told_what_fits(
    monkeypatch: pytest.MonkeyPatch,
    bundle: ModelBundle,
    settings: dict[str, int],
    cores: int,
    memory: int,
    parameters: tuple[int, int],
) -> None:
    """How many bodies at once, and how large, follows cores, memory and settings: 100 MB in all (S42, S50)."""
    monkeypatch.setattr("fraud.settings.memory_bytes", lambda: memory * MEGABYTE)
    client = app.create_app(
        bundle, ServingSettings.model_validate({"MODEL_SERVER_WORKERS": cores, **settings})
    ).test_client()

    answer = client.get("/execution-parameters")

    assert answer.json is not None
    at_once, megabytes = answer.json["MaxConcurrentTransforms"], answer.json["MaxPayloadInMB"]
    assert answer.json["BatchStrategy"] == "MULTI_RECORD"
    assert (at_once, megabytes) == parameters
    assert at_once * megabytes <= 100


@pytest.mark.parametrize("output", ["probability", "probability,decision,reasons"])
def test_what_batch_jobs_are_told_is_taken_in(
    monkeypatch: pytest.MonkeyPatch, bundle: ModelBundle, output: str
) -> None:
    """A body of the advised size is scored, in little memory and with rows of three letters a cell (S42)."""
    monkeypatch.setattr("fraud.settings.memory_bytes", lambda: 200 * MEGABYTE)
    told = {"MODEL_SERVER_WORKERS": 1, "SAGEMAKER_INFERENCE_OUTPUT": output, "FRAUD_REASONS_ABOVE": 1}
    client = app.create_app(bundle, ServingSettings.model_validate(told)).test_client()
    advised = client.get("/execution-parameters").json
    assert advised is not None
    row = b",".join([b"1.5"] * 30) + b"\n"

    answer = client.post("/invocations", data=row * (advised["MaxPayloadInMB"] * MEGABYTE // len(row)))

    assert answer.status_code == 200
