import json
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from flask.testing import FlaskClient

from fraud.bundle import ModelBundle
from fraud.errors import OverloadError
from fraud.model.scores import Scores
from fraud.schema import Column
from fraud.serving import app, server
from fraud.serving.admission import Admission
from fraud.settings import ServingSettings
from tests.processes import ROOT

ROW = (ROOT / "local_test" / "payload.csv").read_bytes().splitlines()[0]
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


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/invocations", 405, id="GET where POST belongs"),
        pytest.param("GET", "/execution-parameters", 404, id="a path that is not there (S42)"),
    ],
)
def test_other_paths_and_methods_answer_json(client: FlaskClient, method: str, path: str, status: int) -> None:
    """What is not served is refused in the same form, and says what is allowed."""
    answer = client.open(path, method=method)

    assert answer.status_code == status
    assert answer.json is not None
    assert set(answer.json) == {"error"}
    assert ("Allow" in answer.headers) == (status == 405)


def test_default_accept_stands_where_any_will_do(bundle: ModelBundle) -> None:
    """In a pipeline the configured format answers a client that accepts anything (S25), and not one that asks."""
    told = ServingSettings(SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="application/jsonlines")
    client = app.create_app(bundle, told).test_client()

    any_will_do = client.post("/invocations", data=ROW, headers={"Accept": "*/*"})
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


def test_unseen_categories_are_counted_in_the_answer(bundle: ModelBundle) -> None:
    """A category that training never saw is read as missing, and the header says how many were."""
    columns = (Column("Time", "category", ("day", "night")), *bundle.schema.columns[1:])
    card = bundle.card.model_copy(update={"row_schema": replace(bundle.schema, columns=columns)})
    client = app.create_app(replace(bundle, card=card), ServingSettings()).test_client()
    rest = ROW.split(b",", 1)[1]

    answer = client.post("/invocations", data=b"day," + rest + b"\nnoon," + rest + b"\n," + rest)

    assert answer.status_code == 200
    assert answer.headers[ATTRIBUTES] == f"model_id={bundle.card.model_id};unseen_categories=1"


def test_an_error_of_ours_keeps_its_words_to_itself(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug answers 500 without a traceback, and neither answer nor log repeats what it said (S29)."""
    cell = "4111 1111 1111 1111"

    def fail(*arguments: object) -> None:
        raise RuntimeError(cell)

    monkeypatch.setattr(app, "score", fail)
    client = app.create_app(bundle, ServingSettings()).test_client()

    answer = client.post("/invocations", data=ROW)

    assert answer.status_code == 500
    assert answer.json == {"error": {"code": "INTERNAL", "message": "an error inside the image; its log says where"}}
    assert "RuntimeError" in caplog.text
    assert "4111" not in caplog.text


def test_ping_is_503_until_a_prediction_works(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that loads and cannot score is not healthy, and is asked again (S16)."""
    broken = [True]

    def score(self: ModelBundle, X: object) -> Scores:
        if broken:
            raise RuntimeError("no")
        return Scores(np.zeros(1), np.zeros(1), np.zeros(1, dtype=bool))

    monkeypatch.setattr(ModelBundle, "score", score)
    client = app.create_app(bundle, ServingSettings()).test_client()
    before = client.get("/ping").status_code
    broken.clear()

    after = client.get("/ping").status_code

    assert (before, after) == (503, 200)


def test_one_request_too_many_is_turned_away_at_once(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the places to wait a request gets 503 with Retry-After, and the others are answered."""
    go, entered = Event(), Event()
    score = app.score

    def wait(*arguments: object) -> object:
        entered.set()
        assert go.wait(30)
        return score(*arguments)  # type: ignore[arg-type] # it is called as score is

    monkeypatch.setattr(app, "score", wait)
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


def test_a_slot_is_given_back_after_an_error() -> None:
    """A request that fails holds its place no longer."""
    admission = Admission(scoring=1, waiting=0)

    for _ in range(3):
        with pytest.raises(ValueError, match="bad row"), admission.slot():
            raise ValueError("bad row")
    with admission.slot(), pytest.raises(OverloadError), admission.slot():
        pass


@pytest.fixture
def in_tree(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(trained))
    return trained


def test_a_row_scores_as_it_did_in_training(in_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server gives a held-out row the probability that the job wrote down for it."""
    monkeypatch.setattr("signal.signal", lambda _number, _handler: None)
    client = server.load().test_client()
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
