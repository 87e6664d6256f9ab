"""An account of AWS for tests: moto's, with every request noted and held against the service's own model."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore import handlers, loaders
from botocore.session import get_session
from botocore.validate import ParamValidator
from click.testing import CliRunner, Result
from moto import mock_aws

from aws import calls as aws_calls
from aws import sessions

REGION, ACCOUNT, BUCKET = "eu-west-1", "123456789012", "fraud-bucket"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/fraud-detect:v1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/fraud-detect-execution"
MODEL_DATA = f"s3://{BUCKET}/fraud-detect/output/job/model.tar.gz"
READING = ("Describe", "List", "Get", "Head")
# Classes of characters that only Java knows, and a pattern for buckets of one letter that the service does not heed.
UNREAD = ("\\p{", "\\u", "([^/])/")
KEYS = ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")

# Every session would read the models of the services anew, which takes longer than the tests do.
one_loader = cache(loaders.create_loader)

type Answer = Callable[[Mapping[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True)
class Request:
    """What a script asked of AWS."""

    service: str
    operation: str
    parameters: Mapping[str, Any]


@dataclass
class Cloud:
    """What was asked, and what is answered instead of moto's answer, by operation."""

    requests: list[Request] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    @cached_property
    def session(self) -> boto3.Session:
        """A session whose requests are noted."""
        return boto3.Session(region_name=REGION)

    def client(self, service: str) -> Any:
        return sessions.client(self.session, service)

    def changes(self) -> list[str]:
        """Return the operations asked that change something, in order."""
        return [asked.operation for asked in self.requests if not asked.operation.startswith(READING)]

    def asked(self, operation: str) -> Mapping[str, Any]:
        """Return the parameters of the last such request."""
        return [asked.parameters for asked in self.requests if asked.operation == operation][-1]

    def names(self) -> dict[str, list[str]]:
        """Return what is there: endpoints, configurations, models, alarms and what is scaled."""
        sagemaker, scaling = self.client("sagemaker"), self.client("application-autoscaling")
        return {
            "endpoints": [told["EndpointName"] for told in sagemaker.list_endpoints()["Endpoints"]],
            "configs": [told["EndpointConfigName"] for told in sagemaker.list_endpoint_configs()["EndpointConfigs"]],
            "models": [told["ModelName"] for told in sagemaker.list_models()["Models"]],
            "alarms": [told["AlarmName"] for told in self.client("cloudwatch").describe_alarms()["MetricAlarms"]],
            "scaled": [
                told["ResourceId"]
                for told in scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
            ],
        }

    def refuse(self, operation: str, code: str, message: str) -> None:
        """Let AWS say no to an operation from now on."""
        self.answers[operation] = lambda _: refusal(code, message)

    def note(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        problems = list(disagreements(model.input_shape, params)) if model.input_shape else []
        assert not problems, f"{model.name}: {problems}"
        context["asked"] = dict(params)
        self.requests.append(Request(model.service_model.service_name, model.name, context["asked"]))

    def answer(self, model: Any, context: dict[str, Any], **_: Any) -> Any:
        told = self.answers[model.name](context["asked"]) if model.name in self.answers else None
        if told is None:
            return None
        status = told.get("ResponseMetadata", {}).get("HTTPStatusCode", 200)
        return SimpleNamespace(status_code=status, headers={}), told


def refusal(code: str, message: str, status: int = 400) -> dict[str, Any]:
    """Return an answer of AWS that says no."""
    return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}


def disagreements(shape: Any, value: Any) -> Iterator[str]:
    """Return where a request is not what the service's model says: types and ranges, and enumerations and patterns."""
    yield from (f"{report}" for report in [ParamValidator().validate(value, shape).generate_report()] if report)
    yield from _beyond(shape, value, shape.name)


def _beyond(shape: Any, value: Any, where: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name, part in value.items():
            yield from _beyond(shape.members[name], part, f"{where}.{name}")
    elif shape.type_name == "list":
        yield from _too_many(shape, value, where)
        for part in value:
            yield from _beyond(shape.member, part, where)
    elif shape.type_name == "string":
        yield from _wrong_text(shape, value, where)


def _too_many(shape: Any, value: Any, where: str) -> Iterator[str]:
    if len(value) > shape.metadata.get("max", len(value)):
        yield f"{where} has {len(value)} items"


def _wrong_text(shape: Any, value: str, where: str) -> Iterator[str]:
    limits = shape.metadata
    if limits.get("enum") and value not in limits["enum"]:
        yield f'{where} is "{value}"'
    if len(value) > limits.get("max", len(value)):
        yield f"{where} has {len(value)} characters"
    pattern = limits.get("pattern", "")
    if pattern and not any(part in pattern for part in UNREAD) and not re.fullmatch(pattern, value):
        yield f'{where} is "{value}", not {pattern}'


def shape_of(service: str, operation: str) -> Any:
    """Return what the model says of an operation's request, the operation as boto3 spells it."""
    model = get_session().get_service_model(service)
    name = "".join(part.title() for part in operation.split("_"))
    return model.operation_model(name).input_shape


@contextmanager
def cloud_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Return an account with an image, a role, a bucket and a model, and what is asked of it noted from here on."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    for key, value in {"AWS_ACCESS_KEY_ID": "dummy", "AWS_SECRET_ACCESS_KEY": "dummy", "AWS_REGION": REGION}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(aws_calls, "POLL_SECONDS", 0)
    monkeypatch.setattr("botocore.session.create_loader", one_loader)
    with mock_aws():
        cloud = Cloud()
        noted = [("before-parameter-build", cloud.note), ("before-call", cloud.answer)]
        monkeypatch.setattr(handlers, "BUILTIN_HANDLERS", [*handlers.BUILTIN_HANDLERS, *noted])
        _furnish(cloud)
        cloud.requests.clear()
        yield cloud


def _furnish(cloud: Cloud) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    cloud.client("iam").create_role(RoleName="fraud-detect-execution", AssumeRolePolicyDocument=json.dumps(trust))
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=BUCKET, Key="fraud-detect/output/job/model.tar.gz", Body=b"a model")
    s3.put_object(Bucket=BUCKET, Key="fraud-detect/rows/rows.csv", Body=b"1,2\n")
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName="fraud-detect")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
    manifest |= {"config": {"digest": "sha256:" + "0" * 64}, "layers": []}
    ecr.put_image(repositoryName="fraud-detect", imageManifest=json.dumps(manifest), imageTag="v1")


def run(command: Any, *arguments: str | Path) -> Result:
    """Run a script's command line; what it raised beside an exit fails the test."""
    done = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done
