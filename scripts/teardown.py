"""List what costs money and is ours in one region, and delete it where that is asked. For notebooks too."""

from collections.abc import Sequence
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError

from aws import checks, sessions, teardown_storage
from aws.calls import send
from aws.options import TAG, Pair, session_options
from aws.sessions import Problem
from aws.teardown_find import Found, find


def delete(things: Sequence[Found], session: boto3.Session) -> list[str]:
    """Delete things in their order, go on past what cannot be deleted, and return why in one line each."""
    problems = []
    for thing in things:
        for call in thing.calls:
            try:
                send(session, call)
                click.echo(f"  done: {call.subject}", err=True)
            except (BotoCoreError, ClientError) as error:
                if not (isinstance(error, ClientError) and sessions.is_absent(error)):
                    problems.append(f"{thing.kind} {thing.name}: {sessions.explain(error)}")
                    break
    return problems


def show(things: Sequence[Found]) -> None:
    """Print a table: what costs money first."""
    if not things:
        click.echo("nothing of ours is there that SageMaker, autoscaling or CloudWatch holds")
        return
    width = max(len(thing.name) for thing in things)
    for thing in sorted(things, key=lambda thing: not thing.costs):
        click.echo(f"{thing.kind:16}  {thing.name:{width}}  {thing.detail}")


@click.command(cls=sessions.Script)
@click.option("--tag", type=Pair(), default=TAG, show_default=True, help="What deploy.py and the others put on things.")
@click.option("--prefix", metavar="NAME", help="Or what names begin with, for things without the tag.")
@click.option("--s3", metavar="S3_URI", help="Count what lies in that folder too.")
@click.option("--repository", default="fraud-detect", show_default=True, help="Of images in ECR: count them.")
@click.option("--yes", is_flag=True, help="Delete what is listed, but for S3 and ECR.")
@click.option("--delete-s3", is_flag=True, help="With --yes and --s3: everything there too.")
@click.option("--delete-images", is_flag=True, help="With --yes: every image of the repository too.")
@session_options
def main(*, profile: str | None, region: str | None, yes: bool, **options: Any) -> None:
    """List what is ours in a region and what it costs for; with --yes, delete it.

    Prices are not told: they differ by region and contract, and stand at https://aws.amazon.com/sagemaker/pricing.
    """
    if options["delete_s3"] and not _key(options["s3"]):
        raise click.UsageError("--delete-s3 needs --s3 s3://bucket/prefix, with a prefix: a whole bucket is not ours")
    session = sessions.connect(profile, region)
    checks.check_account(session)
    things = find(session, options["tag"], options["prefix"])
    show(things)
    objects = teardown_storage.objects(session, options["s3"]) if options["s3"] else []
    images = teardown_storage.images(session, options["repository"])
    teardown_storage.show(options["s3"], objects, options["repository"], images)
    if not yes:
        click.echo("nothing was deleted: --yes deletes what is listed, but for S3 and ECR", err=True)
        return
    problems = delete(things, session)
    if options["delete_s3"]:
        problems += teardown_storage.delete_objects(session, options["s3"], objects)
    if options["delete_images"]:
        problems += teardown_storage.delete_images(session, options["repository"], images)
    if problems:
        raise Problem("\n".join(["some things are still there:", *problems]))


def _key(uri: str | None) -> str:
    return checks.bucket_and_key(uri)[1] if uri else ""


if __name__ == "__main__":
    main()
