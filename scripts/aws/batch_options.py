"""The command line of batch_transform.py: its options, and the job that they describe."""

from typing import Any

import click

from aws import checks
from aws import options as aws_options
from aws.batch_shape import Transform
from aws.calls import Call, suffix, unique
from aws.endpoint_calls import model_call
from aws.endpoint_shape import Variant
from aws.sessions import Problem

OF_A_MODEL = {
    "subnets": "--subnet",
    "security_groups": "--security-group",
    "is_isolated": "--network-isolation",
}

transform_options = aws_options.apply(
    click.option("--name", metavar="NAME", help="Of the job; default: fraud-detect with a unique ending."),
    click.option("--model", metavar="NAME", help="A SageMaker model that is there, such as deploy.py made."),
    click.option("--model-data", metavar="S3_URI", help="Or make one of this model.tar.gz, for this job alone."),
    aws_options.image_option,
    aws_options.role_option,
    click.option("--input", "source", required=True, metavar="S3_URI", help="A file, or what files begin with."),
    click.option("--output", required=True, metavar="S3_URI", help="FILE gives OUTPUT/FILE.out."),
    click.option("--content-type", default="text/csv", show_default=True),
    click.option("--accept", help="Default: the content type."),
    click.option("--split", type=click.Choice(["Line", "None"]), default="Line", show_default=True),
    click.option("--assemble", type=click.Choice(["Line", "None"]), default="Line", show_default=True),
    click.option("--strategy", type=click.Choice(["MultiRecord", "SingleRecord"]), default="MultiRecord"),
    click.option("--join", is_flag=True, help="Put each answer behind the line that it answers."),
    click.option("--input-filter", metavar="JSONPATH", help="What the model sees: '$[1:]' leaves out an id."),
    click.option("--output-filter", metavar="JSONPATH", help="What is kept: '$[0,-1]' is the id and the answer."),
    click.option("--compression", type=click.Choice(["Gzip"]), help="Of the input."),
    click.option("--instance-type", default="ml.m5.large", show_default=True, metavar="TYPE"),
    click.option("--instances", type=click.IntRange(1), default=1, show_default=True, help="They share the files."),
    click.option("--max-payload-mb", type=click.IntRange(1, 100), help="Of a request; else the image says."),
    click.option("--max-concurrent", type=click.IntRange(1), help="Requests at once; else the image says."),
    click.option("--timeout-seconds", type=click.IntRange(1, 3600), help="Of a request."),
    click.option("--retries", type=click.IntRange(0, 3), help="Of a request."),
    click.option("--answer", metavar="WORDS", help="What a line holds, such as probability,decision,reasons."),
    click.option("--strict", is_flag=True, help="One bad line fails the job; else it gets an ERROR line."),
    aws_options.environment_option("FRAUD_REASONS=2"),
    aws_options.network_options,
    aws_options.run_options,
    aws_options.session_options,
)


def read(options: dict[str, Any]) -> tuple[Transform, Call | None]:
    """Return the job that the command line describes, and the call that makes its model. Raises UsageError."""
    if bool(options["model"]) == bool(options["model_data"]):
        raise click.UsageError("give either --model NAME, or --model-data S3_URI with --image and --role")
    ending = suffix()
    name = options.pop("name") or unique("fraud-detect", ending)
    options["tags"] = aws_options.tags(options["tags"])
    options["accept"] = options["accept"] or options["content_type"]
    told = {checks.ANSWER: options.pop("answer"), "FRAUD_BATCH_STRICT": options.pop("strict") and "true"}
    given = aws_options.environment(options.pop("environment"))
    environment = given | {variable: text for variable, text in told.items() if text}
    model = _model(name if name.endswith(ending) else unique(name, ending), options)
    if model:
        options["model"] = model.parameters["ModelName"]
    return Transform(name=name, environment=environment, **options), model


def _model(name: str, options: dict[str, Any]) -> Call | None:
    """Take the options of a model out of all options, and return the call that makes it."""
    own = {option: options.pop(option) for option in ("role", *OF_A_MODEL)}
    model_data, image = options.pop("model_data"), options.pop("image")
    if not model_data:
        if given := [flag for option, flag in OF_A_MODEL.items() if own[option]]:
            raise click.UsageError(f"{', '.join(given)}: --model has its own; they go with --model-data")
        return None
    if not image:
        raise click.UsageError("--image URI is needed, or FRAUD_IMAGE: ./build_and_push.sh prints it")
    placement = aws_options.placement(own | {"environment": (), "kms_key": None})
    checks.image_parts(image)
    checks.role_name(placement.role)
    checks.model_data(model_data)
    for problem in checks.network(placement.subnets, placement.security_groups):
        raise Problem(problem)
    return model_call(name, Variant("all", image, model_data), placement, options["tags"])
