import json
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from urllib.parse import quote

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from fraud import codecs
from fraud.bundle import ModelBundle
from fraud.errors import UserError
from fraud.machine import memory_used_bytes
from fraud.model.calibration import Platt
from fraud.model.estimators import KNeighbors
from fraud.model.scoring import FraudModel
from fraud.model.thresholds import Threshold
from fraud.serving import app
from fraud.serving.models import Models
from fraud.serving.scoring import Scorer
from fraud.settings import ServingSettings
from tests.labelled import content, make_labelled, plan_of
from tests.processes import ROOT

PAYLOADS = ROOT / "local_test"
ROW = (PAYLOADS / "payload.csv").read_bytes().splitlines()[0]
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
MANY = ServingSettings(SAGEMAKER_MULTI_MODEL=True)


@pytest.fixture
def served() -> Flask:
    return app.create_app(None, MANY)


@pytest.fixture
def client(served: Flask) -> FlaskClient:
    return served.test_client()


@pytest.fixture
def url(trained: Path) -> str:
    return str(trained / "model")


def load(client: FlaskClient, name: str, url: str) -> int:
    return client.post("/models", json={"model_name": name, "url": url}).status_code


def test_ping_needs_no_model(client: FlaskClient) -> None:
    """Before any model is loaded the container is healthy (S51)."""
    assert client.get("/ping").status_code == 200
    assert client.get("/models").json == {"models": []}
    assert client.post("/invocations", data=ROW).status_code == 404


def test_a_model_comes_and_goes(client: FlaskClient, url: str, bundle: ModelBundle) -> None:
    """Loaded, a model is listed, described and invoked; unloaded, it is 404 for all of it (S52, S53)."""
    loaded = client.post("/models", json={"model_name": "a1b2", "url": url})
    described = client.get("/models/a1b2")
    listed = client.get("/models")
    answer = client.post("/models/a1b2/invoke", data=ROW)
    unloaded = client.delete("/models/a1b2")
    gone = [
        client.get("/models/a1b2"),
        client.delete("/models/a1b2"),
        client.post("/models/a1b2/invoke", data=ROW),
    ]

    assert (loaded.status_code, unloaded.status_code) == (200, 200)
    assert described.json == {"modelName": "a1b2", "modelUrl": url}
    assert listed.json == {"models": [described.json]}
    assert (answer.status_code, answer.text.count("\n")) == (200, 1)
    assert f"model_id={bundle.card.model_id};" in answer.headers[ATTRIBUTES]
    assert [answer.status_code for answer in gone] == [404, 404, 404]
    assert all("MODEL_NOT_LOADED" in answer.text for answer in gone)
    assert client.get("/models").json == {"models": []}


@pytest.mark.parametrize("accept", codecs.ENCODERS)
@pytest.mark.parametrize(
    ("content_type", "file"),
    [("text/csv", "payload.csv"), ("application/json", "payload.json"), ("application/jsonlines", "payload.jsonl")],
)
def test_a_model_is_invoked_as_any_other(
    client: FlaskClient, bundle: ModelBundle, url: str, content_type: str, file: str, accept: str
) -> None:
    """Every format, the same headers and the same answers as /invocations of that model alone (S53)."""
    load(client, "one", url)
    alone = app.create_app(bundle, ServingSettings()).test_client()
    headers = {
        "Accept": accept,
        ATTRIBUTES: "output=probability,decision,reasons",
        "X-Amzn-SageMaker-Target-Model": "one.tar.gz",
        "X-Amzn-SageMaker-Inference-Id": "7",
    }
    body = (PAYLOADS / file).read_bytes()

    here, there = (
        asked.post(path, data=body, content_type=content_type, headers=headers)
        for asked, path in ((client, "/models/one/invoke"), (alone, "/invocations"))
    )

    assert (here.status_code, here.data) == (200, there.data)
    assert dict(here.headers) == dict(there.headers)


def test_a_model_is_loaded_once(client: FlaskClient, url: str) -> None:
    """A second load of the same name is 409, and the first goes on (S52)."""
    assert load(client, "one", url) == 200

    second = client.post("/models", json={"model_name": "one", "url": url})

    assert second.status_code == 409
    assert second.json is not None
    assert second.json["error"] == {
        "code": "MODEL_LOADED",
        "message": 'model "one" is loaded already; unload it first',
    }
    assert client.post("/models/one/invoke", data=ROW).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b'"x"', b"null", b"\xff", b"{}", b'{"model_name": "a"}', b'{"url": "/x"}'),
        *(b'{"model_name": 5, "url": "/x"}', b'{"model_name": "a", "url": null}', b'{"model_name": "", "url": "/x"}'),
        *(b'{"model_name": "a", "url": ""}', b'{"model_name": "a", "url": "/x\\u0000"}', b"[" * 10_000),
    ],
)
def test_a_body_that_names_no_model_is_refused(client: FlaskClient, body: bytes) -> None:
    """What is no request to load is 400, with what would be right."""
    answer = client.post("/models", data=body)

    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]["code"] == "BODY_INVALID"
    assert '{"model_name": "...", "url": "/opt/ml/models/.../model"}' in answer.json["error"]["message"]


def cut(model: Path) -> None:
    (model / "bundle.json").write_bytes((model / "bundle.json").read_bytes()[:1000])


def swap(model: Path) -> None:
    (model / "booster.ubj").write_bytes(b"{}")


def age(model: Path) -> None:
    (model / "bundle.json").write_text('{"format_version": 99}')


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(shutil.rmtree, "there is no", id="none there"),
        pytest.param(cut, "damaged", id="cut off"),
        pytest.param(swap, "damaged", id="other trees"),
        pytest.param(age, "format version 99", id="another format"),
    ],
)
def test_a_bad_bundle_is_refused(
    client: FlaskClient, url: str, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    """A missing or damaged model is 400 with the reason, is not listed, and the next one loads (S12)."""
    model = Path(shutil.copytree(url, tmp_path / "model"))
    damage(model)

    answer = client.post("/models", json={"model_name": "bad", "url": str(model)})

    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]["code"] == "MODEL_UNUSABLE"
    assert words in answer.json["error"]["message"]
    assert client.get("/models").json == {"models": []}
    assert load(client, "bad", url) == 200


@pytest.mark.parametrize("url", ["relative", "/" + "x" * 5000, "/etc/passwd", "/dev/null", "/proc/self/mem", "/"])
def test_a_url_that_is_no_bundle_is_refused(client: FlaskClient, url: str) -> None:
    """Whatever a url names, the answer is 400 and never 500."""
    assert load(client, "bad", url) == 400


@pytest.mark.parametrize(
    "name", ["a b", "ü€", "100%", "a+b", "x?y=1", "#", "a/b", "..", "x/invoke", "\x00", "'\"", "a" * 500]
)
def test_a_name_is_opaque(client: FlaskClient, url: str, name: str) -> None:
    """Any name goes that a client can quote: it is listed, described, invoked and unloaded (S53)."""
    path = "/models/" + quote(name, safe="")

    assert load(client, name, url) == 200
    listed = client.get("/models").json
    described = client.get(path).json
    answer = client.post(path + "/invoke", data=ROW)

    assert listed == {"models": [{"modelName": name, "modelUrl": url}]}
    assert described == {"modelName": name, "modelUrl": url}
    assert answer.status_code == 200
    assert client.delete(path).status_code == 200
    assert client.get("/models").json == {"models": []}


def test_the_log_says_which_model_came_and_went(
    client: FlaskClient, bundle: ModelBundle, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A load, an unload and a load that failed leave a line each, with name and model id or why, and no path."""
    caplog.set_level("INFO", "fraud")
    load(client, "one", url)
    load(client, "one", url)
    client.delete("/models/one")
    load(client, "x" * 100, f"{tmp_path}/secret/")

    name = "x" * 60
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", f'loaded model "one": {bundle.card.model_id}'),
        ("WARNING", 'did not load model "one": MODEL_LOADED: model "one" is loaded already; unload it first'),
        ("INFO", f'unloaded model "one": {bundle.card.model_id}'),
        (
            "WARNING",
            f'did not load model "{name}": MODEL_UNUSABLE: there is no bundle.json; train first, or mount the model '
            "directory there",
        ),
    ]


def test_the_list_has_pages(
    client: FlaskClient, url: str, bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 250 models each is on one page of three, in the order of names (S53)."""
    monkeypatch.setattr(ModelBundle, "load", lambda _directory: bundle)
    names = [f"model {number:03} é&" for number in range(250)]
    for name in reversed(names):
        assert load(client, name, url) == 200

    pages = [orjson.loads(client.get("/models").data)]
    while token := pages[-1].get("nextPageToken"):
        pages.append(orjson.loads(client.get("/models", query_string={"next_page_token": token}).data))

    assert [len(page["models"]) for page in pages] == [100, 100, 50]
    assert [model["modelName"] for page in pages for model in page["models"]] == names


def test_paging_goes_on_after_an_unload(
    client: FlaskClient, url: str, bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is good after the model that it named is gone, and one beyond the last gives no models."""
    monkeypatch.setattr(ModelBundle, "load", lambda _directory: bundle)
    for number in range(150):
        load(client, f"{number:03}", url)
    token = orjson.loads(client.get("/models").data)["nextPageToken"]
    client.delete(f"/models/{token}")

    page = orjson.loads(client.get("/models", query_string={"next_page_token": token}).data)
    beyond = client.get("/models", query_string={"next_page_token": "zzz"}).json

    assert [model["modelName"] for model in page["models"]] == [f"{number:03}" for number in range(101, 150)]
    assert beyond == {"models": []}


def test_short_memory_is_507(client: FlaskClient, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a model would leave too little for requests the platform is told to unload others, and may (S52)."""
    used = memory_used_bytes()
    monkeypatch.setattr("fraud.serving.models.memory_used_bytes", lambda: used)
    available = [used]
    for module in ("fraud.serving.models", "fraud.settings"):
        monkeypatch.setattr(f"{module}.memory_bytes", lambda: available[0])
    refused = client.post("/models", json={"model_name": "one", "url": url})
    available[0] = 10 * used

    assert refused.status_code == 507
    assert refused.json is not None
    assert refused.json["error"]["code"] == "MEMORY_SHORT"
    assert "unload other models" in refused.json["error"]["message"]
    assert client.get("/models").json == {"models": []}
    assert load(client, "one", url) == 200


def test_thresholds_hold_for_every_model(url: str) -> None:
    """Thresholds set for the endpoint decide for each model that is loaded; in the wrong order none is."""
    settings = {"SAGEMAKER_MULTI_MODEL": True, "FRAUD_REVIEW_THRESHOLD": 0.25}
    client = app.create_app(None, ServingSettings.model_validate(settings)).test_client()
    wrong = app.create_app(
        None, ServingSettings.model_validate({"FRAUD_DECLINE_THRESHOLD": 0, **settings})
    ).test_client()
    load(client, "one", url)

    answer = client.post("/models/one/invoke", data=ROW)
    refused = wrong.post("/models", json={"model_name": "one", "url": url})

    assert ";threshold=0.25;" in answer.headers[ATTRIBUTES]
    assert refused.status_code == 400
    assert "FRAUD_DECLINE_THRESHOLD should be no lower" in refused.text


def test_a_model_that_cannot_answer_so_is_not_loaded(tmp_path: Path, url: str) -> None:
    """Where every answer is to hold reasons, a model without exact ones is refused when it is loaded (S12, S52)."""
    rows = make_labelled()
    learner = KNeighbors.fit(rows, {}, plan_of("k-neighbors"), lambda _round, _figures: False)
    threshold = Threshold("max_f1", 0.5)
    model = FraudModel(learner, Platt(1.0, 0.0), threshold, Threshold("none", 2.0))
    ModelBundle.of(model, "k-neighbors", **content()).save(tmp_path / "model")
    settings = {"SAGEMAKER_MULTI_MODEL": True, "SAGEMAKER_INFERENCE_OUTPUT": "probability,reasons"}
    client = app.create_app(None, ServingSettings.model_validate(settings)).test_client()

    assert [load(client, "neighbours", str(tmp_path / "model")), load(client, "trees", url)] == [400, 200]


def test_a_model_is_unloaded_while_it_scores(
    served: Flask, client: FlaskClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that a model is answering is answered in full, though it is unloaded meanwhile (S53)."""
    body = (ROW + b"\n") * 20_000  # several blocks, for other threads
    go, entered = Event(), Event()
    score = Scorer.score

    def wait(*arguments: object) -> object:
        entered.set()
        assert go.wait(30)
        return score(*arguments)  # type: ignore[arg-type] # it is called as score is

    monkeypatch.setattr(Scorer, "score", wait)
    load(client, "one", url)
    answers: list[tuple[int, int]] = []

    def ask() -> None:
        answer = served.test_client().post("/models/one/invoke", data=body)
        answers.append((answer.status_code, answer.data.count(b"\n")))

    asking = Thread(target=ask)
    asking.start()
    assert entered.wait(30)

    unloaded = client.delete("/models/one").status_code
    go.set()
    asking.join(30)

    assert unloaded == 200
    assert answers == [(200, 20_000)]
    assert client.post("/models/one/invoke", data=ROW).status_code == 404


def test_loading_holds_up_nobody(served: Flask, client: FlaskClient, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a model is being loaded the others are listed, described and invoked, and /ping answers (S15)."""
    load(client, "one", url)
    go, entered = Event(), Event()
    read = ModelBundle.load

    def wait(directory: Path) -> ModelBundle:
        entered.set()
        assert go.wait(30)
        return read(directory)

    monkeypatch.setattr(ModelBundle, "load", wait)
    loading = Thread(target=lambda: load(served.test_client(), "two", url))
    loading.start()
    assert entered.wait(30)

    statuses = [
        client.get("/ping").status_code,
        client.get("/models").status_code,
        client.get("/models/one").status_code,
        client.post("/models/one/invoke", data=ROW).status_code,
        client.get("/models/two").status_code,
    ]
    go.set()
    loading.join(30)

    assert statuses == [200, 200, 200, 200, 404]
    assert client.get("/models/two").status_code == 200


def test_a_name_is_loaded_once_by_many(served: Flask, url: str) -> None:
    """Of eight that load the same name at the same time one is told 200 and the others 409."""
    statuses: list[int] = []
    threads = [Thread(target=lambda: statuses.append(load(served.test_client(), "one", url))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [409] * 7


def test_models_are_their_own(tmp_path: Path, bundle: ModelBundle, url: str) -> None:
    """Two models of different content answer with their own ids, one after the other."""
    other = bundle.card.model_copy(update={"hyperparameters": {"seed": 9}})
    other = other.model_copy(update={"model_id": other.content_id()})
    ModelBundle(other, bundle.model).save(tmp_path / "other")
    models = Models(MANY)
    models.load("one", url)
    models.load("two", str(tmp_path / "other"))

    ids = [models.scorer(name).bundle.card.model_id for name in ("one", "two", "one")]

    assert ids == [bundle.card.model_id, other.model_id, bundle.card.model_id]
    with pytest.raises(UserError, match='model "three" is not loaded'):
        models.scorer("three")


def test_errors_are_json(client: FlaskClient) -> None:
    """A path or a method that is not there is refused in the same form as ever."""
    answers = [client.get("/models/a/b/invoke"), client.put("/models"), client.post("/models/a")]

    assert [answer.status_code for answer in answers] == [404, 405, 405]
    assert all(set(json.loads(answer.data)) == {"error"} for answer in answers)
