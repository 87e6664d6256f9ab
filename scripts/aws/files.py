"""Files of this computer on their way to S3."""

from dataclasses import dataclass
from pathlib import Path

import boto3
import click
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from aws import checks, sessions
from aws.sessions import Problem


@dataclass(frozen=True)
class Upload:
    """A file, and where it goes."""

    file: Path
    uri: str

    def __str__(self) -> str:
        return f"s3.upload_file({self.file} -> {self.uri}, {self.file.stat().st_size:,} bytes)"


def upload(session: boto3.Session, upload: Upload, kms_key: str | None = None) -> None:
    """Upload a file, encrypted with `kms_key` where one is given. Raises Problem."""
    bucket, key = checks.bucket_and_key(upload.uri)
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    try:
        sessions.client(session, "s3").upload_file(str(upload.file), bucket, key, ExtraArgs=extra)
    except Boto3Error as error:
        cause = error.__context__
        known = cause if isinstance(cause, ClientError | BotoCoreError) else None
        raise Problem(f"{upload.file} was not uploaded: {sessions.explain(known or error)}") from error
    click.echo(f"  {upload.uri}", err=True)
