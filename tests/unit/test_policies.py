"""What the scripts ask of AWS is what the deployer's policy allows: noted from real runs, not from a list."""

import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from moto.sagemaker.models import sagemaker_backends

import batch_transform
import deploy
import teardown
import train_job
from aws.endpoint_shape import Capture, Endpoint, Placement, Rollout, Scaling, Variant
from aws.sessions import Problem
from aws.training_shape import Training
from iam.render import POLICIES, render
from tests.aws_world import ACCOUNT, BUCKET, IMAGE, MODEL_DATA, REGION, ROLE, Cloud, Request, refusal, run

VALUES = {
    "PARTITION": "aws",
    "ACCOUNT": ACCOUNT,
    "REGION": REGION,
    "BUCKET": BUCKET,
    "PREFIX": "fraud-detect",
    "REPOSITORY": "fraud-detect",
    "ROLE": "fraud-detect-execution",
    "NAME": "fraud-detect",
    "ENDPOINT": "fraud-detect",
    "KMS_KEY": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234",
}
# How S3 calls the permission for an operation, where it is not the operation's own name.
S3_ACTIONS = {
    "HeadObject": "s3:GetObject",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "DeleteObjects": "s3:DeleteObject",
}
# What an operation with tags asks for beside its own permission.
TAGGING = {
    "sagemaker": "sagemaker:AddTags",
    "cloudwatch": "cloudwatch:TagResource",
    "application-autoscaling": "application-autoscaling:TagResource",
}
SAGEMAKER = {
    "EndpointName": "endpoint",
    "EndpointConfigName": "endpoint-config",
    "ModelName": "model",
    "TrainingJobName": "training-job",
    "TransformJobName": "transform-job",
}
# AWS asks everybody, and nobody needs a permission for it.
FREE = {"sts:GetCallerIdentity"}
ONE = Variant("all", IMAGE, MODEL_DATA, instances=2)
FULL = Endpoint(
    "fraud-detect",
    "20261121-1200-abcd",
    [ONE],
    Placement(ROLE),
    capture=Capture(f"s3://{BUCKET}/fraud-detect/captured"),
    scaling=Scaling(1, 4, 1000),
    rollout=Rollout(errors_above=5, latency_ms_above=200),
)
needs_sdk = pytest.mark.skipif(importlib.util.find_spec("sagemaker") is None, reason="SageMaker's SDK is not installed")


def statements(policy: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(render(policy, VALUES))["Statement"]
    return told


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def allows(policies: list[str], action: str, resource: str) -> bool:
    """Tell whether a statement of the policies allows an action on a resource."""
    return any(
        any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        and any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        for policy in policies
        for statement in statements(policy)
    )


def needs(asked: Request) -> Iterator[tuple[str, str]]:
    """Return the permissions that a request takes, each with its resource."""
    own = f"{asked.service}:{asked.operation}"
    action = S3_ACTIONS.get(asked.operation, own) if asked.service == "s3" else own
    places = list(resources(asked.service, action, asked.parameters))
    for place in places:
        yield action, place
    if asked.parameters.get("Tags"):
        yield TAGGING[asked.service], places[0]
    for role in (asked.parameters.get("ExecutionRoleArn"), asked.parameters.get("RoleArn")):
        if role:
            yield "iam:PassRole", role


def resources(service: str, action: str, told: Mapping[str, Any]) -> Iterator[str]:
    """Return the ARNs that AWS holds a request against; `*` for what has none."""
    if service == "s3":
        key = "" if action == "s3:ListBucket" else f"/{told.get('Key') or told['Delete']['Objects'][0]['Key']}"
        yield f"arn:aws:s3:::{told['Bucket']}{key}"
    elif service == "ecr":
        yield f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{told['repositoryName']}"
    elif service == "iam":
        yield f"arn:aws:iam::{ACCOUNT}:role/{told['RoleName']}"
    elif names := [f"{kind}/{told[key]}" for key, kind in SAGEMAKER.items() if service == "sagemaker" and key in told]:
        yield from (f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{name}" for name in names)
    elif service == "cloudwatch" and "Describe" not in action and "List" not in action:
        for name in [*told.get("AlarmNames", []), *([told["AlarmName"]] if "AlarmName" in told else [])]:
            yield f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"
    elif service == "application-autoscaling" and "Describe" not in action:
        yield f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/0ec5example"
    else:
        yield "*"


def denied(cloud: Cloud, policies: list[str]) -> set[tuple[str, str]]:
    """Return what the scripts asked for and the policies do not allow."""
    asked = {need for request in cloud.requests for need in needs(request)}
    return {
        (action, place) for action, place in asked - {(one, "*") for one in FREE} if not allows(policies, action, place)
    }


def deploy_everything(cloud: Cloud) -> None:
    """Make, update, undo and delete an endpoint with all there is to one, and score a file."""
    session = cloud.session
    deploy.deploy(FULL, session)

    def update(asked: Mapping[str, Any]) -> dict[str, Any]:
        endpoint = sagemaker_backends[ACCOUNT][REGION].endpoints[asked["EndpointName"]]
        endpoint.endpoint_config_name = asked["EndpointConfigName"]
        return {"EndpointArn": endpoint.arn}

    cloud.answers["UpdateEndpoint"] = update
    deploy.deploy(replace(FULL, suffix="20261122-1200-abcd", is_update=True), session)
    failing = replace(FULL, name="fraud-detect-2", suffix="20261123-1200-abcd")
    failing = replace(failing, variants=[ONE, replace(ONE, name="b")])

    def refuse(asked: Mapping[str, Any]) -> dict[str, Any] | None:
        return refusal("ValidationException", "no") if asked["ResourceId"].endswith("/b") else None

    cloud.answers["PutScalingPolicy"] = refuse
    with pytest.raises(Problem, match="no"):
        deploy.deploy(failing, session)
    own = ["--model-data", MODEL_DATA, "--image", IMAGE, "--role", ROLE]
    files = ["--input", f"s3://{BUCKET}/fraud-detect/rows/", "--output", f"s3://{BUCKET}/fraud-detect/scored"]
    for model in (own, ["--model", "fraud-detect-all-20261121-1200-abcd"]):
        assert run(batch_transform.main, *model, *files).exit_code == 0
    for job in sagemaker_backends[ACCOUNT][REGION].transform_jobs.values():
        job.transform_job_status = "InProgress"
    cloud.answers["StopTransformJob"] = lambda _: {}


def test_the_deployer_may_do_what_the_scripts_do(cloud: Cloud) -> None:
    """Making, updating, undoing, scoring, listing and deleting take no permission that the policy lacks."""
    deploy_everything(cloud)
    assert run(teardown.main, "--yes", "--s3", f"s3://{BUCKET}/fraud-detect/").exit_code == 0

    assert denied(cloud, ["deployer"]) == set()
    ends = {"DeleteScalingPolicy", "DeregisterScalableTarget", "StopTransformJob", "DeleteAlarms"}
    assert {"UpdateEndpoint", *ends} <= set(cloud.changes())


def test_deleting_files_and_images_takes_more(cloud: Cloud) -> None:
    """What a deployer keeps is emptied only by who has the policy for that beside."""
    done = run(teardown.main, "--yes", "--s3", f"s3://{BUCKET}/fraud-detect/", "--delete-s3", "--delete-images")

    assert done.exit_code == 0, done.output
    assert {action for action, _ in denied(cloud, ["deployer"])} == {"s3:DeleteObject", "ecr:BatchDeleteImage"}
    assert denied(cloud, ["deployer", "deployer-cleanup"]) == set()


@needs_sdk
@pytest.mark.filterwarnings("ignore:sagemaker.train.configs has been moved:DeprecationWarning")
def test_the_deployer_may_train(cloud: Cloud, tmp_path: Path) -> None:
    """Training takes no permission that the policy lacks, with what SageMaker's SDK asks by itself."""
    (tmp_path / "rows.csv").write_text("1,2\n")
    prefix = f"s3://{BUCKET}/fraud-detect"
    channels = {"train": str(tmp_path), "test": f"{prefix}/rows/"}
    job = Training(IMAGE, Placement(ROLE), channels, prefix, "20261121-1200-abcd", checkpoints=f"{prefix}/checkpoints")

    train_job.train(job, cloud.session)

    assert denied(cloud, ["deployer"]) == set()
    assert {"PutObject", "CreateTrainingJob"} <= set(cloud.changes())


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        pytest.param("sagemaker:DeleteEndpoint", f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/churn", id="others"),
        pytest.param("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", id="another role"),
        pytest.param("s3:GetObject", f"arn:aws:s3:::{BUCKET}/payroll/2026.csv", id="another prefix"),
        pytest.param("s3:PutObject", "arn:aws:s3:::other/fraud-detect/x", id="another bucket"),
        pytest.param("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/x", id="a role of its own"),
    ],
)
def test_the_deployer_may_do_no_more(action: str, resource: str) -> None:
    """What is not ours stays out of reach."""
    policies = ["deployer", "deployer-push", "deployer-cleanup", "execution", "caller", "caller-async"]

    assert not allows(policies, action, resource)


def test_the_caller_may_ask_one_endpoint() -> None:
    """A caller has one permission, on one endpoint."""
    place = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/fraud-detect"

    assert allows(["caller"], "sagemaker:InvokeEndpoint", place)
    assert not allows(["caller"], "sagemaker:InvokeEndpoint", f"{place}-2")
    assert not allows(["caller"], "sagemaker:DescribeEndpoint", place)


def test_who_may_ask_an_asynchronous_endpoint() -> None:
    """A deployer and the caller of one put a file where it is asked of, ask, and read the answer."""
    files = f"arn:aws:s3:::{BUCKET}/fraud-detect"
    needed = [
        ("sagemaker:InvokeEndpointAsync", f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/fraud-detect"),
        ("s3:PutObject", f"{files}/requests/rows.csv"),
        *(("s3:GetObject", f"{files}/{folder}/x.out") for folder in ("answers", "failures")),
    ]

    assert [need for need in needed for who in ("deployer", "caller-async") if not allows([who], *need)] == []
    assert not any(allows(["caller-async"], f"s3:{what}Object", f"{files}/rows/rows.csv") for what in ("Get", "Put"))


@pytest.mark.parametrize("policy", POLICIES)
def test_policy(policy: str) -> None:
    """Every policy opens nothing wholly, and names operations that there are."""
    for action in (action for statement in statements(policy) for action in listed(statement["Action"])):
        assert "*" not in action
        assert action in ("iam:PassRole", "sts:AssumeRole") or is_operation(action), action


def is_operation(action: str) -> bool:
    """Tell whether boto3 knows the operation of a permission."""
    service, _, operation = action.partition(":")
    if service == "sagemaker" and operation.startswith("InvokeEndpoint"):
        service = "sagemaker-runtime"
    name = {"s3:ListBucket": "ListObjectsV2"}.get(action, operation)
    return name in get_session().get_service_model(service).operation_names
