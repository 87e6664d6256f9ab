"""Score files in S3 by a batch transform job. The functions here are for notebooks too."""

import json
from collections.abc import Mapping
from typing import Any

import boto3
import click

from aws import batch_options, batch_rules, checks, sessions
from aws.batch_shape import Transform
from aws.calls import Call, Journal, show, wait
from aws.endpoint_calls import given, tag_list
from aws.sessions import Problem


def job_call(job: Transform) -> Call:
    """Return the call that starts the job. Raises Problem for what SageMaker would refuse."""
    batch_rules.check(job)
    client = {"InvocationsTimeoutInSeconds": job.timeout_seconds, "InvocationsMaxRetries": job.retries}
    machines = {"InstanceType": job.instance_type, "InstanceCount": job.instances, "VolumeKmsKeyId": job.kms_key}
    parameters = {
        "TransformJobName": job.name,
        "ModelName": job.model,
        "BatchStrategy": job.strategy,
        "MaxPayloadInMB": job.max_payload_mb,
        "MaxConcurrentTransforms": job.max_concurrent,
        "ModelClientConfig": client,
        "Environment": dict(job.environment),
        "TransformResources": machines,
        "Tags": tag_list(job.tags),
    }
    return Call("sagemaker", "create_transform_job", given(parameters | _files(job)))


def _files(job: Transform) -> dict[str, Any]:
    joined = "Input" if job.join else None
    return {
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": job.source}},
            "ContentType": job.content_type,
            "CompressionType": job.compression,
            "SplitType": job.split,
        },
        "TransformOutput": {
            "S3OutputPath": job.output,
            "Accept": job.accept,
            "AssembleWith": job.assemble,
            "KmsKeyId": job.kms_key,
        },
        "DataProcessing": {
            "InputFilter": job.input_filter,
            "OutputFilter": job.output_filter,
            "JoinSource": joined,
        },
    }


def transform(job: Transform, session: boto3.Session, *, model: Call | None = None, is_waiting: bool = True) -> str:
    """Run the job, and return where its output is. Raises Problem with SageMaker's reason where it fails.

    `model` makes the model first; it is removed again once the job has ended.
    """
    call = job_call(job)
    check_world(job, session, model)
    journal = Journal(session)
    with journal.undone_on_failure():
        if model:
            journal.make(model)
        journal.make(call)
    if not is_waiting:
        return job.output
    try:
        described = _await(job, session)
    except KeyboardInterrupt:
        stop = f"aws sagemaker stop-transform-job --region {session.region_name} --transform-job-name {job.name}"
        click.echo(f"the job goes on in AWS; this ends it: {stop}", err=True)
        raise
    journal.undo()
    _check_end(job, described)
    return job.output


def check_world(job: Transform, session: boto3.Session, model: Call | None) -> None:
    """Raise Problem where credentials, model, image, role or input is missing, before anything is made."""
    account = checks.check_account(session)
    if model:
        container = model.parameters["PrimaryContainer"]
        checks.check_image(session, container["Image"])
        checks.check_role(session, model.parameters["ExecutionRoleArn"], account)
        checks.check_object(session, container["ModelDataUrl"])
    else:
        with sessions.one_line():
            sessions.client(session, "sagemaker").describe_model(ModelName=job.model)
    checks.check_prefix(session, job.source)
    checks.check_bucket(session, job.output)


def _check_end(job: Transform, described: Mapping[str, Any]) -> None:
    if (status := described["TransformJobStatus"]) != "Completed":
        reason = described.get("FailureReason") or "AWS gives no reason"
        logs = f"aws logs tail /aws/sagemaker/TransformJobs --log-stream-name-prefix {job.name}"
        raise Problem(f"job {job.name} is {status}: {reason}; the container's words: {logs}")


def _await(job: Transform, session: boto3.Session) -> dict[str, Any]:
    sagemaker = sessions.client(session, "sagemaker")
    with sessions.one_line():
        described: dict[str, Any] = wait(
            lambda: sagemaker.describe_transform_job(TransformJobName=job.name),
            lambda told: str(told["TransformJobStatus"]),
            {"InProgress", "Stopping"},
        )
    return described


@click.command(cls=sessions.Script)
@batch_options.transform_options
def main(*, dry_run: bool, wait: bool, profile: str | None, region: str | None, **options: Any) -> None:
    """Score files in S3 by a SageMaker batch transform job, one line of output for each line of input.

    For example:  batch_transform.py --model NAME --input s3://b/rows.csv --output s3://b/scored --join
    """
    job, model = batch_options.read(options)
    if dry_run:
        show([*([model] if model else []), job_call(job)])
        return
    session = sessions.connect(profile, region)
    output = transform(job, session, model=model, is_waiting=wait)
    click.echo(f"the output: aws s3 ls {output.rstrip('/')}/", err=True)
    click.echo(json.dumps({"job": job.name, "output": output}))


if __name__ == "__main__":
    main()
