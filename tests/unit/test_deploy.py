import json
from dataclasses import replace

import pytest

import deploy
from aws.endpoint_shape import Asynchronous, Capture, Endpoint, Placement, Rollout, Scaling, Serverless
from aws.sessions import Problem
from deploy import main
from tests.aws_world import (
    ACCOUNT,
    BUCKET,
    IMAGE,
    KEYS,
    MODEL_DATA,
    REGION,
    ROLE,
    Cloud,
    disagreements,
    run,
    shape_of,
)
from tests.endpoints import FULL, GUARDED, NOTHING, ONE, OPTIONS, PLAIN, becomes, later


def test_make(cloud: Cloud) -> None:
    """A new endpoint is made in order, is waited for, and scales once it is in service."""
    becomes(cloud, "Creating", "Creating", "InService")

    done = run(main, *OPTIONS, "--scale", "1:4", "--alarm-5xx", "5")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["endpoint"] == "fraud-detect"
    assert cloud.changes() == [
        "CreateModel",
        "CreateEndpointConfig",
        "PutMetricAlarm",
        "CreateEndpoint",
        "RegisterScalableTarget",
        "PutScalingPolicy",
    ]
    assert "Creating after" in done.stderr
    assert "--endpoint-name fraud-detect" in done.stderr


def test_dry_run_asks_nothing(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run prints every call with its parameters, makes none, and needs neither credentials nor region."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)

    done = run(main, *OPTIONS, "--scale", "1:4", "--dry-run")

    assert done.exit_code == 0, done.output
    assert cloud.requests == []
    assert f'"ModelDataUrl": "{MODEL_DATA}"' in done.stdout
    assert "application-autoscaling.put_scaling_policy(" in done.stdout


@pytest.mark.parametrize("endpoint", [PLAIN, FULL], ids=["plain", "full"])
def test_dry_run_tells_the_truth(cloud: Cloud, endpoint: Endpoint) -> None:
    """What a run changes is what its plan says, parameter by parameter."""
    deploy.deploy(endpoint, cloud.session)

    changed = [asked for asked in cloud.requests if asked.operation in cloud.changes()]
    assert [dict(asked.parameters) for asked in changed] == [dict(call.parameters) for call in deploy.plan(endpoint)]


SHAPES = [
    pytest.param(replace(PLAIN, variants=[ONE, replace(ONE, name="b", weight=0.1)]), id="two variants"),
    pytest.param(replace(PLAIN, shadow=replace(ONE, name="shadow")), id="shadow"),
    pytest.param(replace(PLAIN, kind=Serverless(2048, 20)), id="serverless"),
    pytest.param(later(replace(PLAIN, kind=Serverless(2048, 20))), id="serverless update"),
    pytest.param(
        replace(
            PLAIN,
            kind=Asynchronous(f"s3://{BUCKET}/out", f"s3://{BUCKET}/failed", 4),
            scaling=Scaling(0, 4, 10),
            placement=Placement(ROLE, kms_key="alias/fraud"),
        ),
        id="asynchronous",
    ),
    pytest.param(replace(PLAIN, capture=Capture(f"s3://{BUCKET}/captured", 20)), id="capture"),
    pytest.param(
        replace(
            PLAIN,
            placement=Placement(
                *(ROLE, {"SAGEMAKER_INFERENCE_OUTPUT": "probability"}, ["subnet-1", "subnet-2"], ["sg-1"], True),
                kms_key=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234",
            ),
            capture=Capture(f"s3://{BUCKET}/captured"),
        ),
        id="private and encrypted",
    ),
    pytest.param(later(FULL, rollout=replace(GUARDED, traffic="canary", alarms=["mine"])), id="canary"),
    pytest.param(later(FULL, rollout=replace(GUARDED, traffic="linear", step_percent=25)), id="linear"),
    pytest.param(later(FULL, rollout=Rollout("linear", 10, 2688)), id="linear, for as long as AWS lets it"),
    pytest.param(later(FULL), id="all at once"),
    pytest.param(later(FULL, rollout=Rollout(step_percent=0)), id="all at once, whatever a step were"),
    pytest.param(replace(PLAIN, name="n" * 63, variants=[replace(ONE, name="v" * 63)]), id="long names"),
]


@pytest.mark.parametrize("endpoint", SHAPES)
def test_calls_are_what_aws_takes(endpoint: Endpoint) -> None:
    """Every call agrees with the service's own model: names, types, enumerations, patterns and lengths."""
    for call in deploy.plan(endpoint):
        assert not list(disagreements(shape_of(call.service, call.operation), call.parameters)), call.operation


def test_variants_of_the_command_line(cloud: Cloud) -> None:
    """Variants share what the options say, and differ in what stands behind their commas."""
    variants = [
        "--variant",
        f"old={MODEL_DATA},weight=9,instances=3",
        "--variant",
        f"new={MODEL_DATA},type=ml.c5.xlarge",
    ]

    done = run(main, "--endpoint", "fraud-detect", "--image", IMAGE, "--role", ROLE, *variants)

    assert done.exit_code == 0, done.output
    old, new = cloud.asked("CreateEndpointConfig")["ProductionVariants"]
    assert (old["InitialVariantWeight"], old["InitialInstanceCount"], old["InstanceType"]) == (9, 3, "ml.m5.large")
    assert (new["InitialVariantWeight"], new["InitialInstanceCount"], new["InstanceType"]) == (1, 1, "ml.c5.xlarge")
    assert old["ModelName"] != new["ModelName"]


def test_names_of_an_endpoint_that_nobody_named(cloud: Cloud) -> None:
    """Without a name the time stands once in the names of endpoint, configuration and model."""
    done = run(main, *OPTIONS[2:])

    assert done.exit_code == 0, done.output
    name = json.loads(done.stdout)["endpoint"]
    ending = name.removeprefix("fraud-detect-")
    assert (len(ending), cloud.asked("CreateEndpoint")["EndpointConfigName"]) == (len("20261121-1642-k3f9"), name)
    assert cloud.asked("CreateModel")["ModelName"] == f"fraud-detect-all-{ending}"


NAMES = [
    pytest.param(["champion", "challenger"], id="short variants"),
    pytest.param(["v" * 62 + "a", "v" * 62 + "b", "v" * 42, "v" * 21], id="long variants"),
]


@pytest.mark.parametrize("endpoint", ["f", "fraud-detect", "fraud-" + "n" * 37, "fraud-" + "n" * 57])
@pytest.mark.parametrize("names", NAMES)
def test_every_variant_has_a_model_of_its_own(endpoint: str, names: list[str]) -> None:
    """However long the names are, each variant's model has one of its own that begins as the endpoint's does."""
    long = replace(PLAIN, name=endpoint, variants=[replace(ONE, name=name) for name in names])

    deploy.plan(long)

    models = [long.model_name(variant) for variant in long.variants]
    assert len(set(models)) == len(names)
    assert all(len(model) <= 63 and model.startswith(endpoint[:20]) for model in models)
    assert all(f"-{name}-" in model for name, model in zip(names, models, strict=True) if len(name) < 24)


def test_a_failed_endpoint_is_undone(cloud: Cloud) -> None:
    """Where the endpoint fails, AWS's reason is told and everything that the run made is gone."""
    becomes(cloud, "Creating", "Failed", reason="The primary container did not pass the ping health check.")

    done = run(main, *OPTIONS, "--alarm-5xx", "5")

    assert done.exit_code == 1
    assert "is Failed: The primary container did not pass the ping health check." in done.stderr
    assert "Traceback" not in done.output
    assert "undone: delete_endpoint fraud-detect" in done.stderr
    assert cloud.names() == NOTHING


STEPS = ["CreateModel", "CreateEndpointConfig", "PutMetricAlarm", "CreateEndpoint"]


@pytest.mark.parametrize("step", [*STEPS, "RegisterScalableTarget", "PutScalingPolicy"])
def test_any_step_that_fails_is_undone(cloud: Cloud, step: str) -> None:
    """Whichever step fails, nothing is left."""
    cloud.refuse(step, "ResourceLimitExceeded", "The account-level service limit is 0")

    with pytest.raises(Problem, match="service limit is 0: ask for more at Service Quotas"):
        deploy.deploy(FULL, cloud.session)

    assert cloud.names() == NOTHING


def test_what_cannot_be_undone_is_told(cloud: Cloud) -> None:
    """Where an endpoint cannot be deleted yet, what it uses stays too, and all of it is named."""
    becomes(cloud, "Failed", reason="no capacity")
    cloud.refuse("DeleteEndpoint", "ValidationException", "Cannot delete in-progress endpoint")

    with pytest.raises(Problem, match=r"no capacity.*still there, and not done: delete_endpoint fraud-detect"):
        deploy.deploy(PLAIN, cloud.session)

    assert len(cloud.names()["configs"]) == len(cloud.names()["models"]) == 1
