"""What of an account is ours, found by tag or by the beginning of its name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import boto3

from aws import sessions
from aws.calls import Call
from aws.endpoint_calls import VARIANT_DIMENSION

FREE = "costs nothing"


@dataclass(frozen=True)
class Found:
    """Something that is ours, what it costs for, and the calls that end it."""

    kind: str
    name: str
    detail: str
    calls: Sequence[Call]

    @property
    def costs(self) -> bool:
        """Tell whether it costs while it is there."""
        return self.detail != FREE


@dataclass(frozen=True)
class Ours:
    """How to tell what is ours: a tag, or what a name begins with."""

    session: boto3.Session
    tag: tuple[str, str]
    prefix: str | None

    def is_(self, name: str, arn: str) -> bool:
        """Tell it of something that SageMaker holds."""
        if self.prefix and name.startswith(self.prefix):
            return True
        pages = sessions.client(self.session, "sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
        return any((tag["Key"], tag["Value"]) == self.tag for page in pages for tag in page["Tags"])

    def is_alarm(self, name: str, arn: str) -> bool:
        """Tell it of an alarm."""
        if self.prefix and name.startswith(self.prefix):
            return True
        tags = sessions.client(self.session, "cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"]
        return self.tag in [(tag["Key"], tag["Value"]) for tag in tags]


def find(session: boto3.Session, tag: tuple[str, str], prefix: str | None = None) -> list[Found]:
    """Return what is ours, in the order in which it is to be deleted. Raises Problem."""
    ours = Ours(session, tag, prefix)
    with sessions.one_line():
        endpoints = list(_endpoints(ours))
        names = {endpoint.name for endpoint in endpoints}
        first = [*_targets(ours, names), *_alarms(ours), *endpoints]
        return [*first, *_jobs(ours), *_free(ours)]


def _listed(session: boto3.Session, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    """Return everything that an operation of SageMaker lists, over all pages."""
    for page in sessions.client(session, "sagemaker").get_paginator(operation).paginate(**arguments):
        yield from page[key]


def _endpoints(ours: Ours) -> Iterator[Found]:
    for told in _listed(ours.session, "list_endpoints", "Endpoints"):
        name = told["EndpointName"]
        if ours.is_(name, told["EndpointArn"]):
            call = Call("sagemaker", "delete_endpoint", {"EndpointName": name})
            yield Found("endpoint", name, f"{told['EndpointStatus']}: {_instances(ours.session, name)}", [call])


def _instances(session: boto3.Session, name: str) -> str:
    """Return what each variant runs on: `all 2 x ml.m5.large`."""
    sagemaker = sessions.client(session, "sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName=name)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    both = ("ProductionVariants", "ShadowProductionVariants")
    now = {variant["VariantName"]: variant for key in both for variant in endpoint.get(key, [])}
    parts = []
    for variant in (variant for key in both for variant in config.get(key, [])):
        if size := variant.get("ServerlessConfig"):
            parts.append(f"{variant['VariantName']} serverless, {size['MemorySizeInMB']} MB, paid by request")
            continue
        count = now.get(variant["VariantName"], {}).get("CurrentInstanceCount", variant["InitialInstanceCount"])
        parts.append(f"{variant['VariantName']} {count} x {variant['InstanceType']}, paid by the hour")
    return "; ".join(parts)


def _targets(ours: Ours, endpoints: set[str]) -> Iterator[Found]:
    """What is scaled goes first: deleting an endpoint leaves it behind, for the next one of that name."""
    pages = sessions.client(ours.session, "application-autoscaling").get_paginator("describe_scalable_targets")
    for page in pages.paginate(ServiceNamespace="sagemaker", ScalableDimension=VARIANT_DIMENSION):
        for told in page["ScalableTargets"]:
            name = told["ResourceId"].split("/")[1]
            if name in endpoints or (ours.prefix and name.startswith(ours.prefix)):
                keys = ("ServiceNamespace", "ResourceId", "ScalableDimension")
                call = Call("application-autoscaling", "deregister_scalable_target", {key: told[key] for key in keys})
                detail = f"{told['MinCapacity']} to {told['MaxCapacity']} instances; its alarms cost"
                yield Found("scaling", told["ResourceId"], detail, [call])


def _alarms(ours: Ours) -> Iterator[Found]:
    for page in sessions.client(ours.session, "cloudwatch").get_paginator("describe_alarms").paginate():
        for told in page["MetricAlarms"]:
            name = told["AlarmName"]
            # Alarms of autoscaling go with what is scaled.
            if told.get("Namespace") != "AWS/SageMaker" or name.startswith("TargetTracking-"):
                continue
            if ours.is_alarm(name, told["AlarmArn"]):
                yield Found(
                    "alarm", name, "paid by the month", [Call("cloudwatch", "delete_alarms", {"AlarmNames": [name]})]
                )


def _jobs(ours: Ours) -> Iterator[Found]:
    """Jobs that run: those that have ended cost nothing, and cannot be deleted."""
    for kind, instances in (("training", _training), ("transform", _transform)):
        key = f"{kind.title()}Job"
        for told in _listed(ours.session, f"list_{kind}_jobs", f"{key}Summaries", StatusEquals="InProgress"):
            name = told[f"{key}Name"]
            if ours.is_(name, told[f"{key}Arn"]):
                call = Call("sagemaker", f"stop_{kind}_job", {f"{key}Name": name})
                yield Found(f"{kind} job", name, f"{instances(ours.session, name)}, paid by the second", [call])


def _training(session: boto3.Session, name: str) -> str:
    size = sessions.client(session, "sagemaker").describe_training_job(TrainingJobName=name)["ResourceConfig"]
    return f"{size['InstanceCount']} x {size['InstanceType']}"


def _transform(session: boto3.Session, name: str) -> str:
    size = sessions.client(session, "sagemaker").describe_transform_job(TransformJobName=name)["TransformResources"]
    return f"{size['InstanceCount']} x {size['InstanceType']}"


def _free(ours: Ours) -> Iterator[Found]:
    kinds: list[tuple[str, str, str, Callable[[str], Call]]] = [
        ("configuration", "EndpointConfig", "list_endpoint_configs", _delete("endpoint_config", "EndpointConfigName")),
        ("model", "Model", "list_models", _delete("model", "ModelName")),
    ]
    for kind, key, operation, call in kinds:
        for told in _listed(ours.session, operation, f"{key}s"):
            name = told[f"{key}Name"]
            if ours.is_(name, told[f"{key}Arn"]):
                yield Found(kind, name, FREE, [call(name)])


def _delete(what: str, key: str) -> Callable[[str], Call]:
    return lambda name: Call("sagemaker", f"delete_{what}", {key: name})
