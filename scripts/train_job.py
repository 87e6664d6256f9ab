"""Train on AWS by SageMaker's SDK v3. The functions here are for notebooks too."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import click

from aws import checks, sessions, training_options
from aws.calls import Call, show, wait
from aws.files import Upload, upload
from aws.sessions import Problem
from aws.training_shape import Training, request, uploads
from aws.training_start import make_trainer, start
from fraud.errors import FraudError

CHANNELS = ("train", "validation", "test")
BUSY = {"InProgress", "Stopping"}


def plan(job: Training) -> list[Upload | Call]:
    """Return what would be uploaded, and the call that starts the job. Raises Problem for what would fail."""
    check(job)
    return [*uploads(job), Call("sagemaker", "create_training_job", request(job))]


def train(job: Training, session: boto3.Session, *, is_waiting: bool = True) -> dict[str, Any]:
    """Upload local channels, start the job, and wait for it; return its name, its model and its last figures.

    Raises Problem with SageMaker's reason where it fails, which begins with the image's own.
    """
    check(job)
    check_world(job, session)
    trainer = make_trainer(job, session)
    for file in uploads(job):
        upload(session, file, job.placement.kms_key)
    name = start(trainer, job)
    click.echo(f"  {name}", err=True)
    if not is_waiting:
        return {"job": name}
    try:
        described = _await(name, session)
    except KeyboardInterrupt:
        stop = f"aws sagemaker stop-training-job --region {session.region_name} --training-job-name {name}"
        click.echo(f"the job goes on in AWS; this ends it, and keeps the model so far: {stop}", err=True)
        raise
    figures = {figure["MetricName"]: figure["Value"] for figure in described.get("FinalMetricDataList", [])}
    return {"job": name, "model_data": described["ModelArtifacts"]["S3ModelArtifacts"], "figures": figures}


def check(job: Training) -> None:
    """Raise Problem for what would fail later, at a price: settings that the image refuses, names that are none."""
    checks.image_parts(job.image)
    checks.role_name(job.placement.role)
    for uri in (job.s3, *([job.checkpoints] if job.checkpoints else []), *_rows_in_s3(job)):
        checks.bucket_and_key(uri)
    names = [*checks.job_name(job.name), *checks.instance_type(job.instance_type), *_unknown_channels(job)]
    if problems := [*names, *checks.network(job.placement.subnets, job.placement.security_groups)]:
        raise Problem("; ".join(problems))
    if "train" not in job.channels:
        raise Problem("no channel train: --channel train=DIRECTORY, or train=s3://bucket/prefix")
    if job.max_wait_minutes and job.max_wait_minutes < job.max_run_minutes:
        shorter = f"--max-wait-minutes {job.max_wait_minutes} is less than --max-run-minutes {job.max_run_minutes}"
        raise Problem(f"{shorter}: it is the time to wait for a spot instance and to run")
    from fraud.hyperparameters import read  # noqa: PLC0415 - it brings the learners, and `--help` needs none

    try:
        read(dict(job.hyperparameters))
    except FraudError as error:
        raise Problem(str(error)) from error


def _rows_in_s3(job: Training) -> Iterator[str]:
    return (source for source in job.channels.values() if source.startswith("s3://"))


def _unknown_channels(job: Training) -> Iterator[str]:
    for name in job.channels:
        if name not in CHANNELS:
            yield f'channel "{name}": {checks.meant(name, CHANNELS)}'


def check_world(job: Training, session: boto3.Session) -> None:
    """Raise Problem where credentials, image, role, a bucket or a channel is missing, before anything is made."""
    account = checks.check_account(session)
    checks.check_image(session, job.image)
    checks.check_role(session, job.placement.role, account)
    checks.check_bucket(session, job.s3)
    if job.checkpoints:
        checks.check_bucket(session, job.checkpoints)
    for source in _rows_in_s3(job):
        checks.check_prefix(session, source)


def _await(name: str, session: boto3.Session) -> dict[str, Any]:
    sagemaker = sessions.client(session, "sagemaker")
    with sessions.one_line():
        described: dict[str, Any] = wait(
            lambda: sagemaker.describe_training_job(TrainingJobName=name),
            lambda told: f"{told['TrainingJobStatus']}: {told.get('SecondaryStatus', '')}",
            BUSY,
        )
    if described["TrainingJobStatus"] == "Failed":
        reason = described.get("FailureReason") or "AWS gives no reason"
        logs = f"aws logs tail /aws/sagemaker/TrainingJobs --log-stream-name-prefix {name}"
        raise Problem(f"job {name} is Failed: {reason}; the container's words: {logs}")
    return described


@click.command(cls=sessions.Script)
@training_options.training_options
def main(*, dry_run: bool, wait: bool, profile: str | None, region: str | None, **options: Any) -> None:
    """Train a fraud model on AWS from the image, and print where the model is.

    For example:  train_job.py --channel train=test_dir/input/data/train --s3 s3://BUCKET/fraud-detect
    """
    job = training_options.read(options)
    calls = plan(job)
    if dry_run:
        show(calls)
        return
    click.echo(json.dumps(train(job, sessions.connect(profile, region), is_waiting=wait)))


if __name__ == "__main__":
    main()
