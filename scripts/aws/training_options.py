"""The command line of train_job.py: its options, and the job that they describe."""

from typing import Any

import click

from aws import options as aws_options
from aws.calls import suffix
from aws.options import Pair
from aws.training_shape import Training

training_options = aws_options.apply(
    click.option("--name", default="fraud-detect", show_default=True, help="What the job's name begins with."),
    aws_options.image_option,
    aws_options.role_option,
    click.option(
        *("--channel", "channels"),
        type=Pair(),
        multiple=True,
        help="train=DIRECTORY, which is uploaded, or train=s3://bucket/prefix; validation and test likewise.",
    ),
    click.option(
        *("--s3", "s3"),
        required=True,
        envvar="FRAUD_S3",
        show_envvar=True,
        metavar="S3_URI",
        help="Uploads go to input/ below it, models and reports to output/.",
    ),
    click.option("--set", "hyperparameters", type=Pair(), multiple=True, help="A hyperparameter: resampling=smote."),
    click.option("--instance-type", default="ml.m5.xlarge", show_default=True, metavar="TYPE"),
    click.option("--volume-gb", type=click.IntRange(1), default=30, show_default=True, help="For the rows."),
    click.option("--max-run-minutes", type=click.IntRange(1), default=60, show_default=True, help="Then it stops."),
    click.option("--spot", is_flag=True, help="On spot instances: cheaper, and may be interrupted."),
    click.option("--max-wait-minutes", type=click.IntRange(1), help="Spot: to wait and to run; default twice the run."),
    click.option(
        "--checkpoints",
        metavar="S3_URI",
        help="Where /opt/ml/checkpoints is kept; docs/02-contract.md says what the image does there.",
    ),
    aws_options.environment_option("OMP_NUM_THREADS=4"),
    aws_options.network_options,
    aws_options.run_options,
    aws_options.session_options,
)


def read(options: dict[str, Any]) -> Training:
    """Return the job that the command line describes. Raises UsageError."""
    if not options["image"]:
        raise click.UsageError("--image URI is needed, or FRAUD_IMAGE: ./build_and_push.sh prints it")
    if options["max_wait_minutes"] and not options["spot"]:
        raise click.UsageError("--max-wait-minutes goes with --spot")
    if options.pop("spot"):
        options["max_wait_minutes"] = options["max_wait_minutes"] or 2 * options["max_run_minutes"]
    placement = aws_options.placement(options)
    for name, flag in (("channels", "--channel"), ("hyperparameters", "--set")):
        options[name] = aws_options.once(flag, options[name])
    options["tags"] = aws_options.tags(options["tags"])
    return Training(placement=placement, suffix=suffix(), **options)
