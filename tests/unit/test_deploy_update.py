import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

import deploy
from aws import sessions
from aws.endpoint_shape import Rollout, Scaling
from aws.sessions import Problem
from deploy import main
from tests.aws_world import ACCOUNT, REGION, Cloud, refusal, run
from tests.endpoints import FULL, GUARDED, LAUNCHES, NOTHING, OPTIONS, PLAIN, becomes, later, loses, updating


def test_an_alarm_that_was_there_comes_back(cloud: Cloud) -> None:
    """A run that fails puts an alarm of that name back as it was."""
    deploy.deploy(PLAIN, cloud.session)
    mine = {"Namespace": "Mine", "MetricName": "m", "Period": 60, "EvaluationPeriods": 1, "Statistic": "Sum"}
    mine |= {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 7.0}
    cloud.client("cloudwatch").put_metric_alarm(AlarmName="fraud-detect-all-5xx", **mine)
    cloud.refuse("UpdateEndpoint", "ValidationException", "no")

    with pytest.raises(Problem, match="no"):
        deploy.deploy(later(FULL), cloud.session)

    alarms = cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert [(alarm["AlarmName"], alarm["Threshold"]) for alarm in alarms] == [("fraud-detect-all-5xx", 7.0)]


def test_an_alarm_that_was_there_wakes_whom_it_woke(cloud: Cloud) -> None:
    """An alarm that is made anew has the limit of the command line, and the actions that somebody gave it."""
    deploy.deploy(FULL, cloud.session)
    updating(cloud)
    cloudwatch = cloud.client("cloudwatch")
    actions = {
        "AlarmActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:page"],
        "OKActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:calm"],
        "InsufficientDataActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:look"],
        "ActionsEnabled": False,
    }
    cloudwatch.put_metric_alarm(**dict(cloud.asked("PutMetricAlarm")) | {"AlarmName": "fraud-detect-all-5xx"} | actions)

    deploy.deploy(later(PLAIN, rollout=Rollout(errors_above=9)), cloud.session)

    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["fraud-detect-all-5xx"])["MetricAlarms"]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("Invocation5XXErrors", 9)
    assert {name: alarm[name] for name in actions} == actions


def test_update_keeps_what_serves(cloud: Cloud) -> None:
    """An update makes new things, moves the endpoint to them, and deletes nothing."""
    deploy.deploy(PLAIN, cloud.session)
    updating(cloud)

    deploy.deploy(later(PLAIN, rollout=replace(GUARDED, traffic="canary")), cloud.session)

    assert len(cloud.names()["configs"]) == len(cloud.names()["models"]) == 2
    assert not [name for name in cloud.changes() if name.startswith("Delete")]
    policy = cloud.asked("UpdateEndpoint")["DeploymentConfig"]
    assert policy["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "CANARY"
    alarms = [alarm["AlarmName"] for alarm in policy["AutoRollbackConfiguration"]["Alarms"]]
    assert alarms == ["fraud-detect-all-5xx", "fraud-detect-all-latency"]


def test_update_of_a_scaled_endpoint_keeps_its_instances(cloud: Cloud) -> None:
    """Where AWS chooses the number of instances, an update does not set it back."""
    deploy.deploy(FULL, cloud.session)
    updating(cloud)

    deploy.deploy(later(PLAIN), cloud.session)

    asked = cloud.asked("UpdateEndpoint")
    assert asked["RetainAllVariantProperties"] is True
    kept = {told["VariantPropertyType"] for told in asked["ExcludeRetainedVariantProperties"]}
    assert kept == {"DesiredWeight", "DataCaptureConfig"}


def test_a_rolled_back_update_is_undone(cloud: Cloud) -> None:
    """Where AWS goes back to the old configuration, the new one goes, and the run fails with the reason."""
    deploy.deploy(PLAIN, cloud.session)
    before = cloud.names()
    updating(cloud, rolls_back=True)
    becomes(cloud, "Updating", "InService", reason="Alarm fraud-detect-all-5xx was in alarm")

    with pytest.raises(Problem, match="was rolled back to fraud-detect-20261121-1200-abcd: Alarm fraud-detect-all-5xx"):
        deploy.deploy(later(PLAIN, rollout=GUARDED), cloud.session)

    assert cloud.names() == before


@pytest.mark.parametrize("status", ["UpdateRollbackFailed", "Failed"])
def test_an_update_that_hangs_between_deletes_nothing(cloud: Cloud, status: str) -> None:
    """Where an endpoint may serve both configurations, none is deleted under it."""
    deploy.deploy(PLAIN, cloud.session)
    updating(cloud)
    becomes(cloud, "Updating", status, reason="no capacity")

    with pytest.raises(Problem, match=f"is {status}: no capacity"):
        deploy.deploy(later(PLAIN), cloud.session)

    assert len(cloud.names()["configs"]) == len(cloud.names()["models"]) == 2


def test_scaling_of_an_updated_endpoint_comes_back(cloud: Cloud) -> None:
    """Where scaling fails after an update, the endpoint serves what is new, and scales as it did."""
    deploy.deploy(FULL, cloud.session)
    updating(cloud)
    cloud.refuse("PutScalingPolicy", "ValidationException", "no")

    with pytest.raises(Problem, match="serves fraud-detect-20261122-0900-efgh, but its scaling is as it was"):
        deploy.deploy(later(FULL, scaling=Scaling(2, 9, 500)), cloud.session)

    scaling = cloud.client("application-autoscaling")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)


@pytest.mark.parametrize("is_update", [False, True], ids=["create", "update"])
def test_ctrl_c(cloud: Cloud, is_update: bool) -> None:
    """Ctrl-C undoes a creation, leaves an update to AWS, and ends with code 130 and no traceback."""
    if is_update:
        deploy.deploy(PLAIN, cloud.session)
    updating(cloud)

    def interrupt(asked: Mapping[str, Any]) -> None:
        if any(asked.operation in LAUNCHES for asked in cloud.requests):
            raise KeyboardInterrupt

    cloud.requests.clear()
    cloud.answers["DescribeEndpoint"] = interrupt
    done = run(main, *OPTIONS, *(["--update"] if is_update else []))

    assert done.exit_code == 130
    assert done.stderr.splitlines()[-1] == "stopped"
    assert ("goes on in AWS" in done.stderr) == is_update
    assert (cloud.names() == NOTHING) == (not is_update)


def test_ctrl_c_names_an_endpoint_in_the_making(cloud: Cloud) -> None:
    """Where AWS deletes no endpoint in the making, Ctrl-C deletes nothing under it, and names all that stays."""

    def interrupt(asked: Mapping[str, Any]) -> None:
        if any(asked.operation == "CreateEndpoint" for asked in cloud.requests):
            raise KeyboardInterrupt

    cloud.answers["DescribeEndpoint"] = interrupt
    cloud.refuse("DeleteEndpoint", "ValidationException", "Cannot delete in-progress endpoint arn:x")
    done = run(main, *OPTIONS)

    assert done.exit_code == 130
    assert "not undone: delete_endpoint fraud-detect: Cannot delete in-progress endpoint" in done.stderr
    stays = r"stopped; still there, and not done: delete_endpoint \S+, delete_endpoint_config \S+, delete_model \S+\n"
    assert re.search(stays, done.stderr)
    assert all(len(cloud.names()[kind]) == 1 for kind in ("endpoints", "configs", "models"))


@pytest.mark.parametrize("silence", [True, False], ids=["no answer", "5xx"])
def test_an_update_that_may_have_begun_deletes_nothing(cloud: Cloud, silence: bool) -> None:
    """Where AWS does not say whether it has begun, what it may be serving by now is not deleted."""
    deploy.deploy(PLAIN, cloud.session)

    def break_off(_: Mapping[str, Any]) -> dict[str, Any]:
        if silence:
            raise ReadTimeoutError(endpoint_url="https://x")
        return refusal("InternalFailure", "oh", status=500)

    cloud.answers["UpdateEndpoint"] = break_off
    with pytest.raises(Problem, match="the update may have begun, and nothing is undone: aws sagemaker describe"):
        deploy.deploy(later(PLAIN), cloud.session)

    assert len(cloud.names()["configs"]) == len(cloud.names()["models"]) == 2


def test_an_update_that_is_refused_when_sent_again_deletes_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where AWS began an update and its answer was lost, boto3's second try is refused, and nothing is deleted."""
    deploy.deploy(PLAIN, cloud.session)
    loses(monkeypatch, "UpdateEndpoint", "Cannot update in-progress endpoint arn:x")

    with pytest.raises(
        Problem, match=r"Cannot update in-progress .*; the update may have begun, and nothing is undone"
    ):
        deploy.deploy(later(PLAIN), sessions.connect(region=REGION))

    assert len(cloud.names()["configs"]) == len(cloud.names()["models"]) == 2


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"])
def test_what_is_refused_when_sent_again_is_undone(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """Where AWS made a thing and its answer was lost, boto3's second try is refused, and the thing goes."""
    loses(monkeypatch, operation, 'Cannot create already existing thing "arn:x"')

    with pytest.raises(Problem, match='thing "arn:x" exists already'):
        deploy.deploy(PLAIN, sessions.connect(region=REGION))

    assert cloud.names() == NOTHING


def test_an_update_that_is_refused_is_undone(cloud: Cloud) -> None:
    """Where AWS refuses an update, what the run made goes, and what serves stays."""
    deploy.deploy(PLAIN, cloud.session)
    before = cloud.names()
    cloud.refuse("UpdateEndpoint", "ResourceLimitExceeded", "The account-level service limit is 1")

    with pytest.raises(Problem, match="service limit is 1: ask for more"):
        deploy.deploy(later(PLAIN), cloud.session)

    assert cloud.names() == before
