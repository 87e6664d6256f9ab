"""Calls that overwrite what may be there already: undone, they put it back instead of deleting it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import boto3

from aws import sessions
from aws.calls import Call

type Parameters = Mapping[str, Any]

# How to read what a call would overwrite: operation, its arguments from the call's, and the list in its answer.
READERS: dict[str, tuple[str, Callable[[Parameters], Parameters], str]] = {
    "put_metric_alarm": ("describe_alarms", lambda p: {"AlarmNames": [p["AlarmName"]]}, "MetricAlarms"),
    "register_scalable_target": (
        "describe_scalable_targets",
        lambda p: {"ServiceNamespace": p["ServiceNamespace"], "ResourceIds": [p["ResourceId"]]},
        "ScalableTargets",
    ),
    "put_scaling_policy": (
        "describe_scaling_policies",
        lambda p: {name: p[name] for name in ("ServiceNamespace", "ResourceId")} | {"PolicyNames": [p["PolicyName"]]},
        "ScalingPolicies",
    ),
}
# What tells one thing from another in a list.
NAMES = ("AlarmName", "PolicyName", "ResourceId", "ScalableDimension")
# What a person has set on an alarm that is made anew, and no option says: whom it wakes.
KEPT = {
    "put_metric_alarm": (
        *("ActionsEnabled", "AlarmActions", "OKActions"),
        *("InsufficientDataActions", "ActionConfiguration"),
    )
}
# A scaled variant has a role of AWS's own, that nobody may pass.
LEFT_OUT = {"RoleARN"}


def restoring(call: Call, session: boto3.Session) -> Call:
    """Return the call with what it keeps of what is there, and with an undo that restores it, where something is."""
    operation, arguments, name = READERS[call.operation]
    client = sessions.client(session, call.service)
    own = {key: call.parameters[key] for key in NAMES if key in call.parameters}
    listed = getattr(client, operation)(**arguments(call.parameters))[name]
    found = [told for told in listed if own.items() <= told.items()]
    if not found:
        return call
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[call.operation])
    members = set(model.input_shape.members) - LEFT_OUT
    was = {key: value for key, value in found[0].items() if key in members}
    kept = {key: was[key] for key in KEPT.get(call.operation, ()) if key in was}
    return replace(call, parameters={**call.parameters, **kept}, undo=Call(call.service, call.operation, was))
