"""What SageMaker refuses of an endpoint, known before anything is made."""

import math
import re
from collections.abc import Callable, Iterator, Mapping

from aws import checks
from aws.endpoint_shape import START_SECONDS, TERMINATION_WAIT_SECONDS, Asynchronous, Endpoint, Rollout, Serverless
from aws.sessions import Problem

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
LONGEST_ENDPOINT_NAME = 63
MOST_ALARMS = 10
LONGEST_UPDATE_SECONDS = 28_800
ENVIRONMENT_ENTRIES = 100


def check(endpoint: Endpoint, *, is_waiting: bool = True) -> None:
    """Raise Problem that names everything which is wrong with the endpoint that is wanted."""
    problems = [problem for rule in RULES for problem in rule(endpoint)]
    if endpoint.scaling and not is_waiting:
        problems.append("--scale takes --wait: AWS scales an endpoint only once it is in service")
    if problems:
        raise Problem("; ".join(problems))
    checks.role_name(endpoint.placement.role)
    for variant in endpoint.containers:
        checks.image_parts(variant.image)
        checks.model_data(variant.model_data)
    for uri in endpoint.destinations:
        checks.bucket_and_key(uri)


def _names(endpoint: Endpoint) -> Iterator[str]:
    for name in [endpoint.name, *(variant.name for variant in endpoint.containers)]:
        if not NAME.fullmatch(name) or len(name) > LONGEST_ENDPOINT_NAME:
            yield f'name "{name}": letters, digits and hyphens between them, at most {LONGEST_ENDPOINT_NAME}'
    names = [variant.name for variant in endpoint.containers]
    if not endpoint.variants:
        yield "no variant: give --model-data, or --variant NAME=s3://.../model.tar.gz"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f'variant "{name}" is there twice'
    models = {name: endpoint.model_name(variant) for name, variant in zip(names, endpoint.containers, strict=True)}
    for model, alike in _alike(models).items():
        yield f'variants {" and ".join(alike)} would both have model "{model}": rename one'


def _alike(models: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the models that more than one variant would have, with those variants."""
    named: dict[str, list[str]] = {}
    for variant, model in models.items():
        named.setdefault(model, []).append(variant)
    return {model: variants for model, variants in named.items() if len(variants) > 1}


def _sizes(endpoint: Endpoint) -> Iterator[str]:
    for variant in endpoint.containers:
        if not 0 <= variant.weight < math.inf:
            yield f'variant "{variant.name}": weight={variant.weight:g}: a number from 0 on'
        if variant.instances < 1:
            yield f'variant "{variant.name}": instances={variant.instances}: 1 or more'
    for name in dict.fromkeys(variant.instance_type for variant in endpoint.containers):
        yield from checks.instance_type(name)


def _serverless(endpoint: Endpoint) -> Iterator[str]:
    """What serverless endpoints lack (S59), and deployment guardrails that leave them out."""
    if not isinstance(kind := endpoint.kind, Serverless):
        return
    has = {
        "--subnet": bool(endpoint.placement.subnets),
        "--network-isolation": endpoint.placement.is_isolated,
        "--capture": bool(endpoint.capture),
        "--scale": bool(endpoint.scaling),
        "--shadow": bool(endpoint.shadow),
        "--traffic": endpoint.rollout.traffic != "all-at-once",
        "--alarm": bool(endpoint.rollout.alarms),
        "--alarm-5xx": endpoint.rollout.errors_above is not None,
        "--alarm-latency-ms": endpoint.rollout.latency_ms_above is not None,
        "a second --variant": len(endpoint.variants) > 1,
    }
    if refused := [option for option, is_given in has.items() if is_given]:
        yield f"a serverless endpoint has no {', '.join(refused)}"
    if kind.memory_mb not in range(1024, 6145, 1024):
        yield f"--serverless {kind.memory_mb}: 1024, 2048, ... 6144 MB"
    if not 1 <= kind.max_concurrency <= 200:
        yield f"--max-concurrency {kind.max_concurrency}: 1 to 200"


def _asynchronous(endpoint: Endpoint) -> Iterator[str]:
    if isinstance(endpoint.kind, Asynchronous) and endpoint.shadow:
        yield "an asynchronous endpoint has no --shadow"


def _shadow(endpoint: Endpoint) -> Iterator[str]:
    if endpoint.shadow and len(endpoint.variants) > 1:
        yield f"--shadow copies the traffic of one variant, and there are {len(endpoint.variants)}"


def _placement(endpoint: Endpoint) -> Iterator[str]:
    placement = endpoint.placement
    yield from checks.network(placement.subnets, placement.security_groups)
    yield from checks.answer_words(placement.environment)
    if len(placement.environment) > ENVIRONMENT_ENTRIES:
        yield f"{len(placement.environment)} environment variables: at most {ENVIRONMENT_ENTRIES}"


def _scaling(endpoint: Endpoint) -> Iterator[str]:
    if not (wanted := endpoint.scaling):
        return
    lowest = 0 if isinstance(endpoint.kind, Asynchronous) else 1
    if not lowest <= wanted.least <= wanted.most:
        yield f"--scale {wanted.least}:{wanted.most}: from {lowest} on, the lower number first"
    if not 0 < wanted.target < math.inf:
        yield f"--scale-target {wanted.target}: more than 0"


def _rollout(endpoint: Endpoint) -> Iterator[str]:
    rollout = endpoint.rollout
    made = (rollout.errors_above is not None) + (rollout.latency_ms_above is not None)
    if (count := len(rollout.alarms) + made * len(endpoint.variants)) > MOST_ALARMS:
        yield f"{count} alarms: at most {MOST_ALARMS}"
    if rollout.traffic == "all-at-once" or isinstance(endpoint.kind, Serverless):
        return
    least = {"canary": 1, "linear": 10}[rollout.traffic]
    if not least <= rollout.step_percent <= 50:
        yield f"--step {rollout.step_percent}: {least} to 50 per cent for --traffic {rollout.traffic}"
    elif rollout.longest_seconds > LONGEST_UPDATE_SECONDS:
        yield _too_long(rollout)
    if alone := [variant.name for variant in endpoint.variants if variant.instances < 2]:
        yield f"--traffic {rollout.traffic} moves at most half of a fleet at once: 2 instances for {', '.join(alone)}"
    if not endpoint.is_update:
        yield f"--traffic {rollout.traffic} is for an --update: a new endpoint has no traffic to move"


def _too_long(rollout: Rollout) -> str:
    around = START_SECONDS + TERMINATION_WAIT_SECONDS
    asked = f"--traffic {rollout.traffic} --step {rollout.step_percent} --bake {rollout.wait_seconds}"
    return (
        f"{asked}: {rollout.steps} times {rollout.wait_seconds} s, and {around} s to start and end instances, are "
        f"{rollout.longest_seconds} s, and AWS ends an update after {LONGEST_UPDATE_SECONDS}: "
        f"--bake {(LONGEST_UPDATE_SECONDS - around) // rollout.steps} at most, or a larger --step"
    )


RULES: tuple[Callable[[Endpoint], Iterator[str]], ...] = (
    *(_names, _sizes, _serverless, _asynchronous, _shadow),
    *(_placement, _scaling, _rollout),
)
