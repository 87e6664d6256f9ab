"""What lies in S3 and ECR: counted, and deleted only where that is asked in so many words."""

from collections import Counter
from collections.abc import Sequence
from itertools import batched
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError

from aws import checks, sessions

S3_DELETES_AT_ONCE = 1000
ECR_DELETES_AT_ONCE = 100
MOST_SHOWN = 10


def objects(session: boto3.Session, uri: str) -> list[dict[str, Any]]:
    """Return every object in the folder that `uri` names, and none of a folder beside it. Raises Problem."""
    bucket, key = _folder(uri)
    with sessions.one_line():
        pages = sessions.client(session, "s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        return [told for page in pages for told in page.get("Contents", [])]


def images(session: boto3.Session, repository: str) -> list[dict[str, Any]]:
    """Return every image of a repository; none where there is no such repository. Raises Problem."""
    try:
        pages = sessions.client(session, "ecr").get_paginator("describe_images").paginate(repositoryName=repository)
        return [told for page in pages for told in page["imageDetails"]]
    except ClientError as error:
        if sessions.is_absent(error):
            return []
        raise sessions.Problem(sessions.explain(error)) from error


def show(uri: str | None, found: Sequence[dict[str, Any]], repository: str, pulled: Sequence[dict[str, Any]]) -> None:
    """Print what lies in the folder, and how much: both cost by the size and the month."""
    if uri:
        bucket, key = _folder(uri)
        click.echo(f"S3   s3://{bucket}/{key}: {len(found):,} objects, {_megabytes(told['Size'] for told in found)}")
        for line in _below(key, found):
            click.echo(f"       {line}")
    size = _megabytes(told.get("imageSizeInBytes", 0) for told in pulled)
    click.echo(f"ECR  {repository}: {len(pulled):,} images, {size}")


def delete_objects(session: boto3.Session, uri: str, found: Sequence[dict[str, Any]]) -> list[str]:
    """Delete objects, and return what could not be deleted; in a versioned bucket, older versions stay."""
    bucket, _ = checks.bucket_and_key(uri)
    problems: list[str] = []
    for page in batched(found, S3_DELETES_AT_ONCE):
        keys = {"Objects": [{"Key": told["Key"]} for told in page], "Quiet": True}
        try:
            answer = sessions.client(session, "s3").delete_objects(Bucket=bucket, Delete=keys)
        except (BotoCoreError, ClientError) as error:
            return [*problems, f"{uri}: {sessions.explain(error)}"]
        problems += [f"s3://{bucket}/{told['Key']}: {told['Message']}" for told in answer.get("Errors", [])]
    click.echo(f"  done: {len(found) - len(problems):,} objects of {uri}", err=True)
    return problems


def delete_images(session: boto3.Session, repository: str, found: Sequence[dict[str, Any]]) -> list[str]:
    """Delete images, and return what could not be deleted; the empty repository costs nothing and stays."""
    problems: list[str] = []
    for page in batched(found, ECR_DELETES_AT_ONCE):
        ids = [{"imageDigest": told["imageDigest"]} for told in page]
        try:
            answer = sessions.client(session, "ecr").batch_delete_image(repositoryName=repository, imageIds=ids)
        except (BotoCoreError, ClientError) as error:
            return [*problems, f"{repository}: {sessions.explain(error)}"]
        problems += [f"{repository}: {told.get('failureReason', told)}" for told in answer.get("failures", [])]
    click.echo(f"  done: {len(found) - len(problems):,} images of {repository}", err=True)
    return problems


def _folder(uri: str) -> tuple[str, str]:
    """Return bucket and prefix, the prefix with a slash at its end: S3 takes `fraud` for `fraud-team/` too."""
    bucket, key = checks.bucket_and_key(uri)
    return bucket, key if key.endswith("/") or not key else f"{key}/"


def _below(key: str, found: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each folder and file right below `key`, the first of them."""
    below = Counter("".join(told["Key"].removeprefix(key).partition("/")[:2]) for told in found)
    lines = [f"{key}{name}{f': {count:,} objects' if name.endswith('/') else ''}" for name, count in below.items()]
    left = len(lines) - MOST_SHOWN
    return [*lines[:MOST_SHOWN], *([f"and {left:,} more folders and files"] if left > 0 else [])]


def _megabytes(sizes: Any) -> str:
    return f"{sum(sizes) / 1e6:,.1f} MB"
