"""Make or update a SageMaker endpoint. The functions here are for notebooks too; `--help` tells the command line."""

import json
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError

from aws import checks, deploy_options, endpoint_calls, endpoint_rules, sessions
from aws.calls import Call, Journal, show, wait
from aws.endpoint_shape import Asynchronous, Endpoint
from aws.restore import READERS, restoring
from aws.sessions import Problem

BUSY = {"Creating", "Updating", "SystemUpdating", "RollingBack"}


def plan(endpoint: Endpoint, *, is_waiting: bool = True) -> list[Call]:
    """Return every call that would change AWS, in order. Raises Problem for what SageMaker would refuse."""
    endpoint_rules.check(endpoint, is_waiting=is_waiting)
    before = [*endpoint_calls.making(endpoint), *endpoint_calls.alarms(endpoint)]
    return [*before, endpoint_calls.launch(endpoint), *endpoint_calls.scaling(endpoint)]


def deploy(endpoint: Endpoint, session: boto3.Session, *, is_waiting: bool = True) -> None:
    """Make or update the endpoint, and wait until it is in service.

    Where a step fails, what this run made is undone and Problem raised; an update that has begun is left to AWS.
    """
    endpoint_rules.check(endpoint, is_waiting=is_waiting)
    check_world(endpoint, session)
    (update if endpoint.is_update else create)(endpoint, session, is_waiting=is_waiting)


def check_world(endpoint: Endpoint, session: boto3.Session) -> None:
    """Raise Problem where credentials, image, role, a model or a bucket is missing, before anything is made."""
    account = checks.check_account(session)
    for image in dict.fromkeys(variant.image for variant in endpoint.containers):
        checks.check_image(session, image)
    checks.check_role(session, endpoint.placement.role, account)
    for uri in dict.fromkeys(variant.model_data for variant in endpoint.containers):
        checks.check_object(session, uri)
    for uri in endpoint.destinations:
        checks.check_bucket(session, uri)


def create(endpoint: Endpoint, session: boto3.Session, *, is_waiting: bool) -> None:
    """Make an endpoint; undo all of it where a step fails."""
    if described := describe(session, endpoint.name):
        raise Problem(
            f'endpoint "{endpoint.name}" exists already ({described["EndpointStatus"]}): '
            "pass --update to change what it serves, or another --endpoint"
        )
    journal = Journal(session)
    with journal.undone_on_failure():
        calls = [*endpoint_calls.making(endpoint), *endpoint_calls.alarms(endpoint), endpoint_calls.launch(endpoint)]
        _make(calls, journal)
        if is_waiting:
            _await(endpoint, session)
            _make(endpoint_calls.scaling(endpoint), journal)


def update(endpoint: Endpoint, session: boto3.Session, *, is_waiting: bool) -> None:
    """Let an endpoint serve something else; undo this run's models and alarms where AWS rolls the update back."""
    _check_update(endpoint, session)
    journal = Journal(session)
    with journal.undone_on_failure():
        _make([*endpoint_calls.making(endpoint), *endpoint_calls.alarms(endpoint)], journal)
        made = _begin_update(endpoint, journal)
        if not is_waiting:
            return
        try:
            _await(endpoint, session)
        except RolledBackError:
            journal.undos = made
            raise
        except KeyboardInterrupt:
            click.echo(f"the update of {endpoint.name} goes on in AWS; nothing of it is undone", err=True)
            raise
    _scale_updated(endpoint, session)


class RolledBackError(Problem):
    """AWS has gone back to what the endpoint served before."""


def describe(session: boto3.Session, name: str) -> dict[str, Any] | None:
    """Return what AWS says of an endpoint, or None where there is none."""
    try:
        told: dict[str, Any] = sessions.client(session, "sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        if sessions.is_absent(error):
            return None
        raise
    return told


def _check_update(endpoint: Endpoint, session: boto3.Session) -> None:
    if not (described := describe(session, endpoint.name)):
        raise Problem(f'endpoint "{endpoint.name}" does not exist in {session.region_name}: leave out --update')
    if (status := described["EndpointStatus"]) != "InService":
        remedy = "delete it with teardown.py" if status == "Failed" else "wait until it is InService"
        raise Problem(f'endpoint "{endpoint.name}" is {status}: {remedy}')
    old = {variant["VariantName"] for variant in described.get("ProductionVariants", [])}
    new = {variant.name for variant in endpoint.variants}
    if old != new and (endpoint.rollout.traffic != "all-at-once" or endpoint.rollout.alarms):
        raise Problem(
            f"--traffic {endpoint.rollout.traffic} needs the variants that serve now, {', '.join(sorted(old))}; "
            f"these are {', '.join(sorted(new))}"
        )


def _begin_update(endpoint: Endpoint, journal: Journal) -> list[Call]:
    """Let AWS begin, and return what would undo this run: nothing may be deleted under an update."""
    launch = endpoint_calls.launch(endpoint, keep_counts=_is_scaled(endpoint, journal.session))
    made, journal.undos = journal.undos, []
    try:
        journal.make(launch)
    except (BotoCoreError, ClientError) as error:
        if sessions.is_refusal(error):
            journal.undos = made
            raise
        look = f"aws sagemaker describe-endpoint --endpoint-name {endpoint.name}"
        raise Problem(f"{sessions.explain(error)}; the update may have begun, and nothing is undone: {look}") from error
    return made


def _await(endpoint: Endpoint, session: boto3.Session) -> None:
    """Wait for the endpoint. Raises Problem where it fails, RolledBackError where it serves the old configuration."""
    sagemaker = sessions.client(session, "sagemaker")
    described = wait(lambda: sagemaker.describe_endpoint(EndpointName=endpoint.name), _stage, BUSY)
    reason = described.get("FailureReason") or "AWS gives no reason"
    logs = f"the container's words: aws logs tail /aws/sagemaker/Endpoints/{endpoint.name}"
    if described["EndpointStatus"] != "InService":
        raise Problem(f'endpoint "{endpoint.name}" is {described["EndpointStatus"]}: {reason}; {logs}')
    if described["EndpointConfigName"] != endpoint.config_name:
        serving = described["EndpointConfigName"]
        raise RolledBackError(f'the update of "{endpoint.name}" was rolled back to {serving}: {reason}; {logs}')


def _stage(described: Any) -> str:
    """Return the status, and in an update the stage of each variant: `Updating: all Baking`."""
    stages = [
        f"{variant['VariantName']} {stage['Status']}"
        for variant in described.get("ProductionVariants", [])
        for stage in variant.get("VariantStatus", [])
    ]
    return f"{described['EndpointStatus']}: {', '.join(stages)}" if stages else str(described["EndpointStatus"])


def _is_scaled(endpoint: Endpoint, session: boto3.Session) -> bool:
    """Tell whether AWS chooses the number of instances already, which an update then must keep."""
    ids = [f"endpoint/{endpoint.name}/variant/{variant.name}" for variant in endpoint.variants]
    scaling = sessions.client(session, "application-autoscaling")
    return bool(scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=ids)["ScalableTargets"])


def _scale_updated(endpoint: Endpoint, session: boto3.Session) -> None:
    """Set the scaling of an endpoint that serves its new configuration already: a failure takes none of that back."""
    journal = Journal(session)
    try:
        with journal.undone_on_failure():
            _make(endpoint_calls.scaling(endpoint), journal)
    except Problem as problem:
        state = "only partly as it was" if journal.undos else "as it was"
        raise Problem(
            f'endpoint "{endpoint.name}" serves {endpoint.config_name}, but its scaling is {state}: {problem.message}'
        ) from problem


def _make(calls: list[Call], journal: Journal) -> None:
    for call in calls:
        journal.make(restoring(call, journal.session) if call.operation in READERS else call)


def invoke_line(endpoint: Endpoint, region: str) -> str:
    """Return a command that asks the endpoint."""
    ask = f"aws sagemaker-runtime invoke-endpoint --region {region} --endpoint-name {endpoint.name}"
    if isinstance(endpoint.kind, Asynchronous):
        ask = ask.replace("invoke-endpoint", "invoke-endpoint-async")
        return f"{ask} --content-type text/csv --input-location s3://BUCKET/rows.csv"
    return f"{ask} --content-type text/csv --body fileb://local_test/payload.csv /dev/stdout"


@click.command(cls=sessions.Script)
@deploy_options.deploy_options
def main(*, dry_run: bool, wait: bool, profile: str | None, region: str | None, **options: Any) -> None:
    """Make a SageMaker endpoint from an image and a model, or update one; nothing is made where a check fails.

    A first endpoint:  deploy.py --endpoint fraud --image URI --role ARN --model-data s3://.../model.tar.gz
    """
    endpoint = deploy_options.read(options)
    calls = plan(endpoint, is_waiting=wait)
    if dry_run:
        show(calls)
        return
    session = sessions.connect(profile, region)
    deploy(endpoint, session, is_waiting=wait)
    click.echo(f"ask it: {invoke_line(endpoint, session.region_name)}", err=True)
    click.echo(json.dumps({"endpoint": endpoint.name, "config": endpoint.config_name}))


if __name__ == "__main__":
    main()
