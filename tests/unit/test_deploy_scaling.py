"""Scaling that an update sets, and that fails half-way."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import deploy
from aws.endpoint_shape import Endpoint, Scaling
from aws.sessions import Problem
from tests.aws_world import Cloud, refusal
from tests.endpoints import ONE, PLAIN, later, updating

AIM: dict[str, Any] = {
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 50.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    },
}


@pytest.fixture
def twins(cloud: Cloud) -> Endpoint:
    """An endpoint of two variants that serves, and whose update AWS takes; the first is scaled by another's policy."""
    both = replace(PLAIN, variants=[ONE, replace(ONE, name="b")])
    deploy.deploy(both, cloud.session)
    updating(cloud)
    target = {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/fraud-detect/variant/all"}
    target |= {"ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
    scaling = cloud.client("application-autoscaling")
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
    scaling.put_scaling_policy(**target, PolicyName="night", **AIM)
    return later(both, scaling=Scaling(2, 9, 500))


def policies(cloud: Cloud) -> list[tuple[str, float]]:
    told = cloud.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="sagemaker")
    by_load = "TargetTrackingScalingPolicyConfiguration"
    return [(policy["PolicyName"], policy[by_load]["TargetValue"]) for policy in told["ScalingPolicies"]]


def fail_on_second(cloud: Cloud, operation: str) -> None:
    """Refuse an operation on the second variant."""

    def refuse(asked: Mapping[str, Any]) -> dict[str, Any] | None:
        return refusal("ValidationException", "no") if asked["ResourceId"].endswith("/b") else None

    cloud.answers[operation] = refuse


@pytest.mark.parametrize("operation", ["RegisterScalableTarget", "PutScalingPolicy"])
@pytest.mark.parametrize("is_there", [False, True], ids=["new policy", "policy that was there"])
def test_policies_of_an_updated_endpoint_come_back(
    cloud: Cloud, twins: Endpoint, operation: str, is_there: bool
) -> None:
    """Where a later step of scaling fails, a policy that this run made goes, and one that it changed is as it was."""
    if is_there:
        first = replace(twins, variants=[ONE], scaling=Scaling(1, 4, 100))
        deploy._scale_updated(first, cloud.session)
    before = policies(cloud)
    fail_on_second(cloud, operation)

    with pytest.raises(Problem, match="but its scaling is as it was: "):
        deploy.deploy(twins, cloud.session)

    assert policies(cloud) == before
    assert ("night", 50.0) in before
    assert cloud.names()["scaled"] == ["endpoint/fraud-detect/variant/all"]


def test_scaling_that_does_not_come_back_is_told(cloud: Cloud, twins: Endpoint) -> None:
    """Where what this run scaled cannot be undone, the run does not say that it was."""
    fail_on_second(cloud, "RegisterScalableTarget")
    cloud.refuse("DeleteScalingPolicy", "AccessDeniedException", "not authorized")

    with pytest.raises(Problem, match=r"only partly as it was: .*still there, and not done: delete_scaling_policy"):
        deploy.deploy(twins, cloud.session)
