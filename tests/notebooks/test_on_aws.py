"""The second notebook's cells with LOCAL = False, in an account of moto's, with answers of a real server."""

import importlib.util
import io
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from moto.sagemaker.models import sagemaker_backends

from tests.aws_world import ACCOUNT, BUCKET, IMAGE, REGION, ROLE, Cloud, cloud_of, refusal
from tests.notebooks.kernels import read
from tests.processes import ROOT, Server, serving

PATH = ROOT / "notebooks" / "02_train_and_deploy.ipynb"
FOLDER = f"s3://{BUCKET}/fraud-detect/fraud-notebook"
JOINED = "tx-0001,0.5\ntx-0002,0.25\n"

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("sagemaker") is None, reason="SageMaker's SDK is not installed"),
    # The SDK warns of what it imports itself.
    pytest.mark.filterwarnings("ignore:sagemaker.train.configs has been moved:DeprecationWarning"),
]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, trained: Path, tmp_path: Path) -> Iterator[Cloud]:
    """An account in which jobs leave what the image leaves, and an endpoint answers as the image does."""
    archive = tmp_path / "output.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(trained / "output" / "data" / "report.json", "report.json")
    with cloud_of(monkeypatch) as cloud, serving(trained, tmp_path / "log") as server:
        cloud.answers |= {
            "CreateTrainingJob": lambda asked: _left(cloud, asked, archive),
            "CreateTransformJob": lambda _: _put(cloud, "scored/rows.csv.out", JOINED.encode()),
            "UpdateEndpoint": _update,
            "InvokeEndpoint": lambda asked: _invoke(server, asked),
        }
        yield cloud


def _put(cloud: Cloud, key: str, body: bytes) -> None:
    cloud.client("s3").put_object(Bucket=BUCKET, Key=f"fraud-detect/fraud-notebook/{key}", Body=body)


def _left(cloud: Cloud, asked: Mapping[str, Any], archive: Path) -> None:
    folder = f"output/{asked['TrainingJobName']}/output"
    _put(cloud, f"{folder}/model.tar.gz", b"a model")
    _put(cloud, f"{folder}/output.tar.gz", archive.read_bytes())


def _update(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Serve another configuration, which moto cannot."""
    endpoint = sagemaker_backends[ACCOUNT][REGION].endpoints[asked["EndpointName"]]
    endpoint.endpoint_config_name = asked["EndpointConfigName"]
    return {"EndpointArn": endpoint.arn}


def _invoke(server: Server, asked: Mapping[str, Any]) -> dict[str, Any]:
    headers = {"Accept": asked["Accept"]} if "Accept" in asked else {}
    headers |= {"X-Amzn-SageMaker-Custom-Attributes": asked.get("CustomAttributes", "")}
    answer = server.invoke(asked["Body"].encode(), asked["ContentType"], **headers)
    if answer.status != 200:
        told = {"OriginalStatusCode": answer.status, "OriginalMessage": answer.body.decode()}
        return refusal("ModelError", "Received client error") | told
    attributes = answer.headers["X-Amzn-SageMaker-Custom-Attributes"]
    return {"Body": io.BytesIO(answer.body), "InvokedProductionVariant": "champion", "CustomAttributes": attributes}


@pytest.fixture
def names(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    """Run every cell, and return the names that they made."""
    settings = {"SAGEMAKER_ROLE": ROLE, "FRAUD_S3": f"s3://{BUCKET}/fraud-detect", "FRAUD_IMAGE": IMAGE}
    for variable, text in settings.items():
        monkeypatch.setenv(variable, text)
    for module in ("names", "cloud"):
        monkeypatch.setattr(f"notebooks.deployment.{module}.BUILD", tmp_path / "build")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(PATH.parent)
    first, *others = (cell.source for cell in read(PATH).cells if cell.cell_type == "code")
    assert first.startswith("LOCAL = True ")
    made: dict[str, Any] = {}
    for source in [first.replace("True", "False", 1), *others]:
        code = "\n".join(line for line in source.splitlines() if not line.startswith("%"))
        exec(compile(code, PATH.name, "exec"), made)
    return made


def asked_of(cloud: Cloud, operation: str) -> list[Mapping[str, Any]]:
    return [asked.parameters for asked in cloud.requests if asked.operation == operation]


def test_every_cell_on_aws(cloud: Cloud, names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """All cells run on AWS as they do here: jobs, endpoint, batch, three updates, and nothing is left of them."""
    done = cloud.changes()

    assert done.count("CreateTrainingJob") == 2
    assert [name for name in done if name.endswith("Endpoint") and name != "InvokeEndpoint"] == [
        "CreateEndpoint",
        "UpdateEndpoint",
        "UpdateEndpoint",
        "UpdateEndpoint",
        "DeleteEndpoint",
    ]
    assert set(map(len, cloud.names().values())) == {0}
    left = cloud.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [told["Key"] for told in left if "fraud-notebook" in told["Key"]] == []
    assert len(left) == 2
    assert "the image in ECR stays" in capsys.readouterr().out


def test_jobs_on_aws(cloud: Cloud, names: dict[str, Any]) -> None:
    """Jobs run on spot instances with checkpoints of their own, and their reports are fetched."""
    jobs = asked_of(cloud, "CreateTrainingJob")

    assert [job["HyperParameters"].get("algorithm") for job in jobs] == [None, "logistic-regression"]
    assert all(job["EnableManagedSpotTraining"] for job in jobs)
    places = [job["CheckpointConfig"]["S3Uri"] for job in jobs]
    assert places == [f"{FOLDER}/checkpoints/xgboost", f"{FOLDER}/checkpoints/logistic"]
    channels = [job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] for job in jobs]
    assert channels[0] == channels[1] == f"{FOLDER}/input/{names['job'].suffix}/train/"
    assert "average_precision" in names["champion"].held_out().index


def test_batch_on_aws(cloud: Cloud, names: dict[str, Any]) -> None:
    """The batch job drops the id and joins it again, and the notebook shows its lines."""
    asked = cloud.asked("CreateTransformJob")

    assert asked["DataProcessing"] == {"InputFilter": "$[1:]", "OutputFilter": "$[0,-1]", "JoinSource": "Input"}
    assert names["scored"] == JOINED.splitlines()


def test_variants_on_aws(cloud: Cloud, names: dict[str, Any]) -> None:
    """One variant, the same with capture, two with weights, one with a shadow; scaling is set once."""
    told = asked_of(cloud, "CreateEndpointConfig")
    weights = [{v["VariantName"]: v["InitialVariantWeight"] for v in config["ProductionVariants"]} for config in told]

    assert weights == [{"champion": 1}, {"champion": 1}, {"champion": 9, "challenger": 1}, {"champion": 1}]
    assert ["DataCaptureConfig" in config for config in told] == [False, True, True, True]
    (shadow,) = told[-1]["ShadowProductionVariants"]
    assert shadow["VariantName"] == "shadow"
    assert cloud.changes().count("RegisterScalableTarget") == 1
    models = {model["PrimaryContainer"]["ModelDataUrl"] for model in asked_of(cloud, "CreateModel")}
    assert len(models) == 2


def test_answers_on_aws(cloud: Cloud, names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """boto3's answers are printed: CSV, JSON, decisions with reasons, and a refusal with its words."""
    said = capsys.readouterr().out

    assert '{"predictions":[{"probability":' in said
    assert ',decline,"V' in said
    assert "reasons=2" in said
    assert '400 {"error":{"code":"ROW_INVALID"' in said
