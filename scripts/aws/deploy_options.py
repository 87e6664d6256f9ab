"""The command line of deploy.py: its options, and the endpoint that they describe."""

from typing import Any

import click

from aws import calls as aws_calls
from aws import options as aws_options
from aws.endpoint_shape import Asynchronous, Capture, Endpoint, Rollout, Scaling, Serverless, Variant
from aws.options import Pair

VARIANT_HELP = (
    "NAME=s3://.../model.tar.gz, and after commas what differs from the others: weight=9, instances=2, "
    "type=ml.c5.xlarge, image=URI. Repeat it for an A/B test."
)
SIZES = {"weight": float, "instances": int, "type": str, "image": str}
# What means nothing without another option, and what means nothing beside one.
COMPANIONS = (
    ("async_failures", "async_output"),
    ("async_concurrency", "async_output"),
    ("scale_target", "scale"),
    ("capture_percent", "capture"),
    ("max_concurrency", "serverless"),
    ("is_update", "name"),
    ("step_percent", "traffic"),
    ("wait_seconds", "is_update"),
    ("alarms", "is_update"),
)
STRANGERS = (("instances", "serverless"), ("instance_type", "serverless"), ("wait_seconds", "serverless"))


class Range(click.ParamType[tuple[int, int]]):
    """`LEAST:MOST`."""

    name = "LEAST:MOST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Split at the colon."""
        if isinstance(value, tuple):
            return value
        try:
            least, most = (int(part) for part in str(value).split(":"))
        except ValueError:
            self.fail(f'"{value}": two numbers, such as 1:4', param, ctx)
        return least, most


deploy_options = aws_options.apply(
    click.option("--endpoint", "name", metavar="NAME", help="Default: fraud-detect with a unique ending."),
    click.option("--update", "is_update", is_flag=True, help="Change what an endpoint that is there serves."),
    aws_options.image_option,
    aws_options.role_option,
    click.option("--model-data", metavar="S3_URI", help="The model.tar.gz of a training job: one variant, `all`."),
    click.option("--variant", "variants", type=Pair(), multiple=True, help=VARIANT_HELP),
    click.option(
        "--shadow",
        type=Pair(),
        default=("", ""),
        help="The same for a variant that gets a copy of requests and answers none.",
    ),
    click.option("--instance-type", default="ml.m5.large", show_default=True, metavar="TYPE"),
    click.option("--instances", type=click.IntRange(1), default=1, show_default=True, help="Of each variant."),
    click.option("--serverless", type=int, metavar="MB", help="No instances: 1024, 2048, ... 6144 MB of memory."),
    click.option("--max-concurrency", type=int, default=5, show_default=True, help="Requests at once, serverless."),
    click.option("--async-output", metavar="S3_URI", help="Answer asynchronously, to there."),
    click.option("--async-failures", metavar="S3_URI", help="Where errors go."),
    click.option("--async-concurrency", type=click.IntRange(1, 1000), help="Requests at once on an instance."),
    aws_options.environment_option("SAGEMAKER_INFERENCE_OUTPUT=probability,decision"),
    aws_options.network_options,
    click.option("--capture", metavar="S3_URI", help="Keep requests and answers there."),
    click.option("--capture-percent", type=click.IntRange(0, 100), default=100, show_default=True),
    click.option("--scale", type=Range(), help="Let AWS choose the number of instances of each variant."),
    click.option(
        *("--scale-target", "scale_target"),
        type=float,
        default=1000,
        show_default=True,
        help="Invocations a minute for an instance; where it is asynchronous, requests that wait.",
    ),
    click.option(
        "--traffic",
        type=click.Choice(["all-at-once", "canary", "linear"]),
        default="all-at-once",
        show_default=True,
        help="How an update moves traffic to its new instances.",
    ),
    click.option("--step", "step_percent", type=int, default=10, show_default=True, help="Per cent, 50 at most."),
    click.option(
        *("--bake", "wait_seconds"),
        type=click.IntRange(0, 3600),
        default=300,
        show_default=True,
        help="Seconds between steps.",
    ),
    click.option("--alarm", "alarms", multiple=True, metavar="NAME", help="Of CloudWatch: it rolls an update back."),
    click.option("--alarm-5xx", "errors_above", type=click.IntRange(0), help="Make one: more 5xx in a minute."),
    click.option("--alarm-latency-ms", "latency_ms_above", type=click.IntRange(1), help="Make one: p99 of a minute."),
    aws_options.run_options,
    aws_options.session_options,
)


def read(options: dict[str, Any]) -> Endpoint:
    """Return the endpoint that the command line describes. Raises UsageError."""
    aws_options.check_companions(COMPANIONS, STRANGERS)
    suffix = aws_calls.suffix()
    variants = list(options["variants"])
    if bool(options["model_data"]) == bool(variants):
        raise click.UsageError("give either --model-data S3_URI, or --variant NAME=S3_URI once or more")
    if options["model_data"]:
        variants = [("all", options["model_data"])]
    rollout = ("traffic", "step_percent", "wait_seconds", "alarms", "errors_above", "latency_ms_above")
    return Endpoint(
        name=options["name"] or f"fraud-detect-{suffix}",
        suffix=suffix,
        variants=[_variant(name, text, options) for name, text in variants],
        shadow=next((_variant(name, text, options) for name, text in [options["shadow"]] if name), None),
        placement=aws_options.placement(options),
        kind=_kind(options),
        capture=Capture(options["capture"], options["capture_percent"]) if options["capture"] else None,
        scaling=_scaling(options),
        rollout=Rollout(**{name: options[name] for name in rollout}),
        tags=aws_options.tags(options["tags"]),
        is_update=options["is_update"],
    )


def _variant(name: str, text: str, options: dict[str, Any]) -> Variant:
    model_data, *sizes = text.split(",")
    told = aws_options.once(f'variant "{name}":', [_size(name, size) for size in sizes])
    if options["serverless"] is not None and (refused := [f"{key}=" for key in ("instances", "type") if key in told]):
        raise click.UsageError(f'variant "{name}": {" and ".join(refused)} and --serverless exclude each other')
    image = told.get("image", options["image"])
    if not image:
        raise click.UsageError("--image URI is needed, or FRAUD_IMAGE: ./build_and_push.sh prints it")
    return Variant(
        name=name,
        image=image,
        model_data=model_data,
        instance_type=told.get("type", options["instance_type"]),
        instances=told.get("instances", options["instances"]),
        weight=told.get("weight", 1.0),
    )


def _size(variant: str, text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    if key not in SIZES:
        raise click.UsageError(f'variant "{variant}": "{text}" is none of weight=, instances=, type=, image=')
    kind = SIZES[key]
    try:
        return key, kind(value)
    except ValueError as error:
        number = "a whole number" if kind is int else "a number"
        raise click.UsageError(f'variant "{variant}": {key}="{value}" is not {number}') from error


def _kind(options: dict[str, Any]) -> Serverless | Asynchronous | None:
    if options["serverless"] is not None and options["async_output"]:
        raise click.UsageError("--serverless and --async-output exclude each other")
    if options["serverless"] is not None:
        return Serverless(options["serverless"], options["max_concurrency"])
    if options["async_output"]:
        return Asynchronous(options["async_output"], options["async_failures"], options["async_concurrency"])
    return None


def _scaling(options: dict[str, Any]) -> Scaling | None:
    if not options["scale"]:
        return None
    least, most = options["scale"]
    return Scaling(least, most, options["scale_target"])
