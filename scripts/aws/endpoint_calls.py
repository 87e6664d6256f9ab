"""The calls of AWS that make the endpoint that is wanted: nothing is called here."""

from collections.abc import Mapping
from typing import Any

from aws.calls import Call
from aws.endpoint_shape import (
    TERMINATION_WAIT_SECONDS,
    Asynchronous,
    Capture,
    Endpoint,
    Placement,
    Scaling,
    Serverless,
    Variant,
)

VARIANT_DIMENSION = "sagemaker:variant:DesiredInstanceCount"


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in AWS's shape."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def given(told: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what nobody asked for, in what lies within too."""
    inner = {name: given(value) if isinstance(value, dict) else value for name, value in told.items()}
    return {name: value for name, value in inner.items() if value not in (None, {})}


def model_call(name: str, variant: Variant, placement: Placement, tags: Mapping[str, str]) -> Call:
    """Return the call that makes a SageMaker model of an image and an artefact."""
    container: dict[str, Any] = {"Image": variant.image, "ModelDataUrl": variant.model_data}
    if placement.environment:
        container["Environment"] = dict(placement.environment)
    parameters: dict[str, Any] = {
        "ModelName": name,
        "PrimaryContainer": container,
        "ExecutionRoleArn": placement.role,
        "Tags": tag_list(tags),
    }
    if placement.vpc:
        parameters["VpcConfig"] = placement.vpc
    if placement.is_isolated:
        parameters["EnableNetworkIsolation"] = True
    return Call("sagemaker", "create_model", parameters, Call("sagemaker", "delete_model", {"ModelName": name}))


def making(endpoint: Endpoint) -> list[Call]:
    """Return the calls that make the models and the configuration, in order."""
    models = [
        model_call(endpoint.model_name(variant), variant, endpoint.placement, endpoint.tags)
        for variant in endpoint.containers
    ]
    return [*models, _config(endpoint)]


def launch(endpoint: Endpoint, *, keep_counts: bool = False) -> Call:
    """Return the call that makes the endpoint, or updates it; `keep_counts` for what autoscaling has set."""
    names = {"EndpointName": endpoint.name, "EndpointConfigName": endpoint.config_name}
    if not endpoint.is_update:
        undo = Call("sagemaker", "delete_endpoint", {"EndpointName": endpoint.name})
        return Call("sagemaker", "create_endpoint", names | {"Tags": tag_list(endpoint.tags)}, undo)
    parameters: dict[str, Any] = dict(names)
    if keep_counts:
        kept = ["DesiredWeight", "DataCaptureConfig"]
        parameters["RetainAllVariantProperties"] = True
        parameters["ExcludeRetainedVariantProperties"] = [{"VariantPropertyType": name} for name in kept]
    if not isinstance(endpoint.kind, Serverless):
        parameters["DeploymentConfig"] = _deployment(endpoint)
    return Call("sagemaker", "update_endpoint", parameters)


def alarms(endpoint: Endpoint) -> list[Call]:
    """Return the calls that make the alarms on 5xx answers and on latency, for each variant that answers."""
    wanted = endpoint.rollout
    calls = []
    for variant in endpoint.variants:
        if wanted.errors_above is not None:
            measured: dict[str, Any] = {
                "MetricName": "Invocation5XXErrors",
                "Statistic": "Sum",
                "Threshold": wanted.errors_above,
            }
            calls.append(_alarm(endpoint, variant, "5xx", measured))
        if wanted.latency_ms_above is not None:
            microseconds = wanted.latency_ms_above * 1000
            measured = {"MetricName": "ModelLatency", "ExtendedStatistic": "p99", "Threshold": microseconds}
            calls.append(_alarm(endpoint, variant, "latency", measured))
    return calls


def scaling(endpoint: Endpoint) -> list[Call]:
    """Return the calls that let AWS choose the number of instances, for each variant that answers."""
    if not (wanted := endpoint.scaling):
        return []
    calls = []
    for variant in endpoint.variants:
        target = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{endpoint.name}/variant/{variant.name}",
            "ScalableDimension": VARIANT_DIMENSION,
        }
        limits = {"MinCapacity": wanted.least, "MaxCapacity": wanted.most}
        policy = {"PolicyName": f"{endpoint.name}-{variant.name}-load"}
        service = "application-autoscaling"
        undo = Call(service, "deregister_scalable_target", target)
        calls.append(Call(service, "register_scalable_target", target | limits | {"Tags": dict(endpoint.tags)}, undo))
        aim = {
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": _aim(endpoint, wanted),
        }
        forget = Call(service, "delete_scaling_policy", policy | target)
        calls.append(Call(service, "put_scaling_policy", policy | target | aim, forget))
    return calls


def _config(endpoint: Endpoint) -> Call:
    name = endpoint.config_name
    parameters: dict[str, Any] = {
        "EndpointConfigName": name,
        "ProductionVariants": [_variant(endpoint, variant) for variant in endpoint.variants],
        "Tags": tag_list(endpoint.tags),
    }
    if endpoint.shadow:
        parameters["ShadowProductionVariants"] = [_variant(endpoint, endpoint.shadow)]
    if isinstance(endpoint.kind, Asynchronous):
        parameters["AsyncInferenceConfig"] = _asynchronous(endpoint.kind, endpoint.placement.kms_key)
    if endpoint.capture:
        parameters["DataCaptureConfig"] = _capture(endpoint.capture, endpoint.placement.kms_key)
    if endpoint.placement.kms_key and not isinstance(endpoint.kind, Serverless):
        parameters["KmsKeyId"] = endpoint.placement.kms_key
    undo = Call("sagemaker", "delete_endpoint_config", {"EndpointConfigName": name})
    return Call("sagemaker", "create_endpoint_config", parameters, undo)


def _variant(endpoint: Endpoint, variant: Variant) -> dict[str, Any]:
    told = {
        "VariantName": variant.name,
        "ModelName": endpoint.model_name(variant),
        "InitialVariantWeight": variant.weight,
    }
    if isinstance(endpoint.kind, Serverless):
        size = {"MemorySizeInMB": endpoint.kind.memory_mb, "MaxConcurrency": endpoint.kind.max_concurrency}
        return told | {"ServerlessConfig": size}
    return told | {"InstanceType": variant.instance_type, "InitialInstanceCount": variant.instances}


def _asynchronous(kind: Asynchronous, kms_key: str | None) -> dict[str, Any]:
    output = {"S3OutputPath": kind.output, "S3FailurePath": kind.failures, "KmsKeyId": kms_key}
    told: dict[str, Any] = {"OutputConfig": {name: text for name, text in output.items() if text}}
    if kind.concurrency:
        told["ClientConfig"] = {"MaxConcurrentInvocationsPerInstance": kind.concurrency}
    return told


def _capture(capture: Capture, kms_key: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "EnableCapture": True,
        "InitialSamplingPercentage": capture.percent,
        "DestinationS3Uri": capture.destination,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        # What is not listed is kept in base64 (S69).
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json", "application/jsonlines"],
        },
    }
    return told | ({"KmsKeyId": kms_key} if kms_key else {})


def _deployment(endpoint: Endpoint) -> dict[str, Any]:
    rollout = endpoint.rollout
    routing: dict[str, Any] = {
        "Type": rollout.traffic.replace("-", "_").upper(),
        "WaitIntervalInSeconds": rollout.wait_seconds,
    }
    step = {"Type": "CAPACITY_PERCENT", "Value": rollout.step_percent}
    if rollout.traffic != "all-at-once":
        routing["CanarySize" if rollout.traffic == "canary" else "LinearStepSize"] = step
    told: dict[str, Any] = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": TERMINATION_WAIT_SECONDS,
            "MaximumExecutionTimeoutInSeconds": rollout.longest_seconds,
        }
    }
    if names := [*rollout.alarms, *(call.parameters["AlarmName"] for call in alarms(endpoint))]:
        told["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in names]}
    return told


def _alarm(endpoint: Endpoint, variant: Variant, what: str, measured: dict[str, Any]) -> Call:
    name = f"{endpoint.name}-{variant.name}-{what}"
    dimensions = {"EndpointName": endpoint.name, "VariantName": variant.name}
    parameters: dict[str, Any] = {
        "AlarmName": name,
        "AlarmDescription": f"made by deploy.py: an update of endpoint {endpoint.name} rolls back on it",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        "Period": 60,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "Tags": tag_list(endpoint.tags),
    }
    return Call("cloudwatch", "put_metric_alarm", parameters | measured, _forget(name))


def _forget(alarm: str) -> Call:
    return Call("cloudwatch", "delete_alarms", {"AlarmNames": [alarm]})


def _aim(endpoint: Endpoint, wanted: Scaling) -> dict[str, Any]:
    told: dict[str, Any] = {
        "TargetValue": wanted.target,
        "ScaleInCooldown": wanted.scale_in_seconds,
        "ScaleOutCooldown": wanted.scale_out_seconds,
    }
    if not isinstance(endpoint.kind, Asynchronous):
        metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
        return told | {"PredefinedMetricSpecification": metric}
    waiting = {
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint.name}],
        "Statistic": "Average",
    }
    return told | {"CustomizedMetricSpecification": waiting}
