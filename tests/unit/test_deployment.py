import ast
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from notebooks.deployment import calls, lines, local
from notebooks.deployment.cloud import push
from notebooks.deployment.fitted import figures
from notebooks.deployment.local import Local, Runtime
from notebooks.deployment.names import EXAMPLE_IMAGE, EXAMPLE_ROLE, EXAMPLE_S3, Names
from notebooks.deployment.platform import answered_by, open_platform

from aws.batch_shape import Transform
from aws.calls import Call
from aws.endpoint_shape import Capture, Endpoint, Placement, Scaling, Variant
from aws.sessions import Problem
from aws.training_shape import Training
from local_docker import LocalModeError, Place
from local_mode import Endpoint as Server
from tests.aws_world import BUCKET, IMAGE, REGION, ROLE, Cloud, disagreements, shape_of

NAMES = Names("trial", EXAMPLE_ROLE, EXAMPLE_S3)
REAL = Names("trial", ROLE, f"s3://{BUCKET}/fraud-detect")
CHAMPION = Variant("champion", "fraud-detect", "/home/x/build/trial-xgboost/model.tar.gz")
SHADOW = Variant("shadow", "fraud-detect", "/home/x/build/trial-logistic/model.tar.gz")
ENDPOINT = Endpoint("trial", "20261121-1200-abcd", [CHAMPION], Placement(EXAMPLE_ROLE), is_update=True)
BATCH = Transform(
    "trial", "trial", "s3://b/r.csv", "s3://b/o", join=True, input_filter="$[1:]", output_filter="$[0,-1]"
)


def test_join_puts_answers_behind_their_ids(tmp_path: Path) -> None:
    """Ids are cut off before the model and stand before its answers, quoted cells and errors whole."""
    path = lines.with_ids(['1,"a,b"', "2,c"], tmp_path / "new" / "rows.csv")
    ids, bare = lines.split_ids(path.read_text())

    assert (ids, bare) == (["tx-0001", "tx-0002"], '1,"a,b"\n2,c\n')
    assert lines.join(ids, '0.5\n\n"ERROR: has 2, not 3"\n') == ["tx-0001,0.5", 'tx-0002,"ERROR: has 2, not 3"']


@pytest.mark.parametrize("answers", ["0.5\n", "0.5\n0.5\n0.5\n"], ids=["too few", "too many"])
def test_join_of_what_does_not_fit(answers: str) -> None:
    """A file with more answers than rows, or fewer, is not joined."""
    with pytest.raises(ValueError, match="zip"):
        lines.join(["a", "b"], answers)


def test_figures_are_read_as_aws_reads_them() -> None:
    """The last of each figure in a log counts, and what else is printed does not."""
    log = "validation:f1=0.1;\nINFO f1\nvalidation:f1=0.25;\nvalidation:roc_auc=1e-3;\n"

    assert figures(log) == {"validation:f1": 0.25, "validation:roc_auc": 0.001}


def test_a_dry_run_is_python() -> None:
    """A printed call is Python that holds every parameter."""
    call = Call("sagemaker", "create_model", {"ModelName": "m", "Tags": [{"Key": "k" * 80, "Value": "v" * 80}]})
    printed = calls.spelled(call)

    assert printed.startswith("sagemaker.create_model(**{")
    assert ast.literal_eval(printed.partition("(**")[2].removesuffix(")")) == call.parameters


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        pytest.param({"scaling": Scaling(1, 4, 1000)}, "put_scaling_policy", id="scaling"),
        pytest.param({"capture": Capture("s3://bucket/c", 20)}, "DataCaptureConfig", id="capture"),
        pytest.param({"variants": [CHAMPION, replace(SHADOW, name="challenger")]}, "'challenger'", id="variants"),
        pytest.param({"shadow": SHADOW}, "ShadowProductionVariants", id="shadow"),
    ],
)
def test_updates_are_dry_runs(changes: dict[str, Any], last: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What local mode lacks is printed as the calls that AWS would get, with names of AWS throughout."""
    Local(NAMES).update(replace(ENDPOINT, **changes))
    said = capsys.readouterr().out

    assert said.startswith("dry run: ")
    assert last in said
    assert f"{NAMES.folder}/output/trial-xgboost/output/model.tar.gz" in said
    assert "'Image': 'fraud-detect'" not in said
    assert "/home/x" not in said


def test_a_dry_run_is_refused_as_aws_would() -> None:
    """A dry run tells what AWS would refuse."""
    two = [CHAMPION, replace(SHADOW, name="challenger")]
    with pytest.raises(Problem, match="--shadow copies the traffic of one variant, and there are 2"):
        Local(NAMES).update(replace(ENDPOINT, variants=two, shadow=SHADOW))


def test_the_job_of_a_dry_run_is_what_aws_takes(tmp_path: Path) -> None:
    """The job that is shown in local mode agrees with the service's own model."""
    (tmp_path / "rows.csv").write_text("1,2\n")
    job = Training("fraud-detect", Placement(EXAMPLE_ROLE), {"train": str(tmp_path)}, NAMES.folder, "s")
    (call,) = Local(NAMES).plan(replace(job, max_wait_minutes=90, checkpoints=f"{NAMES.folder}/checkpoints"))

    assert isinstance(call, Call)
    assert call.parameters["AlgorithmSpecification"]["TrainingImage"] == EXAMPLE_IMAGE
    parameters = dict(call.parameters) | {"TrainingJobName": "trial-1"}
    assert not list(disagreements(shape_of("sagemaker", "create_training_job"), parameters))


def test_local_training_refuses_what_the_image_would(tmp_path: Path) -> None:
    """A hyperparameter that the image refuses is told before a container starts."""
    job = Training("fraud-detect", Placement(EXAMPLE_ROLE), {"train": str(tmp_path)}, NAMES.folder, "s")
    with pytest.raises(Problem, match="num_round"):
        Local(NAMES).train(replace(job, hyperparameters={"num_round": "many"}))


def test_local_batch_joins_in_one_way(tmp_path: Path) -> None:
    """Filters that are not done here are refused, not left out."""
    with pytest.raises(LocalModeError, match=r"not \{'output_filter': '\$'\}"):
        Local(NAMES).transform(replace(BATCH, output_filter="$"), CHAMPION, tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        pytest.param("", "docker is not on the PATH", id="no docker"),
        pytest.param("#!/bin/sh\necho 'no space left on device' >&2; exit 1\n", "no space left on device", id="fails"),
    ],
)
def test_builds_that_fail(program: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that cannot be says why."""
    if program:
        (tmp_path / "docker").write_text(program)
        (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LocalModeError, match=said):
        local.build("fraud-detect")


@dataclass(frozen=True)
class Client:
    """The SDK's stand-in for `sagemaker-runtime`, which hands on whatever the container says."""

    status: int
    body: str

    def invoke_endpoint(self, **asked: Any) -> Mapping[str, Any]:
        headers = {"X-Amzn-SageMaker-Custom-Attributes": asked.get("CustomAttributes", "")}
        told = {"HTTPStatusCode": self.status, "HTTPHeaders": headers}
        return {
            "Body": io.BytesIO(self.body.encode()),
            "ResponseMetadata": told,
            "InvokedProductionVariant": "AllTraffic",
        }


def runtime(status: int, body: str) -> Runtime:
    return Runtime(Server(Client(status, body), Place(Path(), "nothing")), "champion")


def test_local_answers_have_boto3s_shape() -> None:
    """An answer names its variant and its attributes, as boto3's does."""
    answer = runtime(200, "0.5\n").invoke_endpoint(EndpointName="trial", Body="1", CustomAttributes="output=decision")

    assert answer["Body"].read() == b"0.5\n"
    assert (answer["InvokedProductionVariant"], answer["CustomAttributes"]) == ("champion", "output=decision")
    assert answered_by(runtime(200, "0.5\n"), "trial", "1", 3) == {"champion": 3}


def test_local_refusals_are_boto3s() -> None:
    """A refusal raises what boto3 raises, with the container's status and words."""
    with pytest.raises(ClientError, match=r"ModelError.*client error \(400\)") as raised:
        runtime(400, '{"error":1}').invoke_endpoint(EndpointName="trial", Body="1")

    assert raised.value.response["OriginalMessage"] == '{"error":1}'


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param(NAMES, "SAGEMAKER_ROLE is not set", id="role"),
        pytest.param(replace(NAMES, role=ROLE), "FRAUD_S3 is not set", id="bucket"),
        pytest.param(replace(REAL, s3="s3://absent-bucket"), 'bucket "absent-bucket" does not exist', id="no bucket"),
        pytest.param(replace(REAL, role=f"{ROLE}-x"), "does not exist", id="no role"),
    ],
)
def test_aws_is_looked_at_first(cloud: Cloud, names: Names, said: str) -> None:
    """What is missing on AWS is told in one line before anything is made."""
    with pytest.raises(Problem, match=said):
        open_platform(names, is_local=False)

    assert cloud.changes() == []


def test_an_image_that_is_in_ecr_is_not_built(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image of this commit is found by its tag, one that is given by its URI, and one that is nowhere is told."""
    monkeypatch.setattr("notebooks.deployment.cloud.commit", lambda: "v1")

    assert open_platform(REAL, is_local=False).image() == IMAGE
    assert open_platform(replace(REAL, image=IMAGE), is_local=False).image() == IMAGE
    with pytest.raises(Problem, match="is not in ECR"):
        open_platform(replace(REAL, image=IMAGE + "0"), is_local=False).image()


def test_an_image_that_is_not_in_ecr_is_pushed(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an image of this commit build_and_push.sh runs for the session's region, and what it says is shown."""
    program = tmp_path / "build_and_push.sh"
    program.write_text('#!/bin/sh\necho "building for $AWS_REGION" >&2\necho HOST/$IMAGE_NAME:tag\n')
    program.chmod(0o755)
    monkeypatch.setattr("notebooks.deployment.cloud.PUSH", program)

    assert open_platform(REAL, is_local=False).image() == "HOST/fraud-detect:tag"
    assert f"building for {REGION}" in capsys.readouterr().err


def test_nothing_to_build(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a git checkout the image has to be named."""
    monkeypatch.setattr("notebooks.deployment.cloud.ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with pytest.raises(Problem, match="FRAUD_IMAGE is not set: fatal: not a git repository"):
        open_platform(REAL, is_local=False).image()


def test_a_push_that_fails(tmp_path: Path) -> None:
    """A push that fails tells the script's last line."""
    program = tmp_path / "build_and_push.sh"
    program.write_text("#!/bin/sh\necho begun >&2\necho 'commit these first' >&2\nexit 1\n")
    program.chmod(0o755)

    with pytest.raises(Problem, match=r"^commit these first$"):
        push(program, REGION)


def test_what_cannot_be_deleted_is_told(cloud: Cloud) -> None:
    """Deleting goes on past what AWS refuses, and tells it at the end."""
    sagemaker = cloud.client("sagemaker")
    for name in ("trial-a", "trial-b"):
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, Tags=[{"Key": "notebook", "Value": "trial"}])
    cloud.refuse("DeleteModel", "ThrottlingException", "Rate exceeded")

    with pytest.raises(Problem, match=r"(?s)still there:.*model trial-a: .*model trial-b: "):
        open_platform(REAL, is_local=False).delete()


def test_delete_leaves_what_is_not_the_notebooks(cloud: Cloud) -> None:
    """Only what has the notebook's tag goes, and only its folder in S3."""
    sagemaker = cloud.client("sagemaker")
    for name in ("mine", "production"):
        tags = {"Key": "notebook", "Value": "trial"} if name == "mine" else {"Key": "project", "Value": "fraud-detect"}
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, Tags=[tags])
    for key in ("trial/a", "trial-2/a"):
        cloud.client("s3").put_object(Bucket=BUCKET, Key=f"fraud-detect/{key}", Body=b"")

    open_platform(REAL, is_local=False).delete()

    assert cloud.names()["models"] == ["production"]
    keys = [told["Key"] for told in cloud.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert "fraud-detect/trial-2/a" in keys
    assert "fraud-detect/trial/a" not in keys
