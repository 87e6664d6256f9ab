"""Endpoints that tests deploy, and AWS's part in it that moto lacks."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import handlers
from botocore.awsrequest import AWSResponse
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from aws.endpoint_shape import Endpoint, Placement, Rollout, Scaling, Variant
from tests.aws_world import ACCOUNT, IMAGE, MODEL_DATA, REGION, ROLE, Cloud

ONE = Variant("all", IMAGE, MODEL_DATA, instances=2)
PLAIN = Endpoint("fraud-detect", "20261121-1200-abcd", [ONE], Placement(ROLE))
GUARDED = Rollout(errors_above=5, latency_ms_above=200)
FULL = replace(PLAIN, rollout=GUARDED, scaling=Scaling(1, 4, 1000))
OPTIONS = ("--endpoint", "fraud-detect", "--image", IMAGE, "--role", ROLE, "--model-data", MODEL_DATA)
LAUNCHES = ("CreateEndpoint", "UpdateEndpoint")
NOTHING: dict[str, list[str]] = {"endpoints": [], "configs": [], "models": [], "alarms": [], "scaled": []}


def later(endpoint: Endpoint, **changes: Any) -> Endpoint:
    """Return the same endpoint for an update, whose names are new."""
    return replace(endpoint, suffix="20261122-0900-efgh", is_update=True, **changes)


def updating(cloud: Cloud, *, rolls_back: bool = False) -> None:
    """Let AWS update endpoints, which moto cannot: to the configuration asked for, or back to the old one."""

    def update(asked: Mapping[str, Any]) -> dict[str, Any]:
        endpoint = sagemaker_backends[ACCOUNT][REGION].endpoints[asked["EndpointName"]]
        if not rolls_back:
            endpoint.endpoint_config_name = asked["EndpointConfigName"]
        return {"EndpointArn": endpoint.arn}

    cloud.answers["UpdateEndpoint"] = update


def becomes(cloud: Cloud, *statuses: str, reason: str = "") -> None:
    """Let the endpoint of a run have one status after the other, the last for ever; before, there is none."""
    left: Iterator[str] = iter(statuses)
    now, before = [""], len(cloud.requests)

    def describe(asked: Mapping[str, Any]) -> dict[str, Any] | None:
        endpoint = sagemaker_backends[ACCOUNT][REGION].endpoints.get(asked["EndpointName"])
        if not endpoint or not any(asked.operation in LAUNCHES for asked in cloud.requests[before:]):
            return None
        now[0] = next(left, now[0])
        told = {"EndpointStatus": now[0], "EndpointConfigName": endpoint.endpoint_config_name}
        return told | {"FailureReason": reason, "EndpointName": asked["EndpointName"]}

    cloud.answers["DescribeEndpoint"] = describe


def loses(monkeypatch: pytest.MonkeyPatch, operation: str, refusal: str) -> None:
    """Let SageMaker do an operation and answer 500, and refuse what boto3 then sends again; for sessions from now."""
    answers = [(500, "InternalFailure", "oh"), (400, "ValidationException", refusal)]

    def lose(request: Any, **_: Any) -> AWSResponse:
        status, code, message = answers.pop(0)
        body = json.dumps({"__type": code, "message": message}).encode()
        return AWSResponse(request.url, status, {}, SimpleNamespace(stream=lambda: iter([body])))

    losing = (f"before-send.sagemaker.{operation}", lose)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(SageMakerResponse, "update_endpoint", lambda _: "{}", raising=False)
    # All of the handlers are asked, moto's too, and the first one's answer counts.
    monkeypatch.setattr(handlers, "BUILTIN_HANDLERS", [losing, *handlers.BUILTIN_HANDLERS])
