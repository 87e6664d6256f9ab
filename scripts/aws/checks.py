"""What can be known before anything is made: who asks, and whether the image, the role and the files are there."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import boto3
import click
from botocore.exceptions import ClientError

from aws import sessions
from aws.sessions import Problem
from fraud.settings import OUTPUTS

IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/"
    r"(?P<name>[a-z0-9._/-]+)(?::(?P<tag>[\w.-]+)|@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
ROLE = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):role/(?P<path>[\w+=,.@/-]+)$")
S3_URI = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<key>.*))?$", re.DOTALL)

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")
ANSWER = "SAGEMAKER_INFERENCE_OUTPUT"


def job_name(name: str) -> Iterator[str]:
    """Tell what SageMaker refuses of a job's name."""
    if not NAME.fullmatch(name):
        yield f'--name "{name}": letters, digits and hyphens between them, at most 63'


def instance_type(name: str) -> Iterator[str]:
    """Tell where a name is none of an instance type of SageMaker; which of them there are, a region says."""
    if not INSTANCE_TYPE.fullmatch(name):
        yield f'instance type "{name}": SageMaker\'s begin with ml., such as ml.m5.large'


def network(subnets: Sequence[str], security_groups: Sequence[str]) -> Iterator[str]:
    """Tell half a VPC."""
    if bool(subnets) != bool(security_groups):
        yield "a VPC takes both --subnet and --security-group"


def answer_words(environment: Mapping[str, str]) -> Iterator[str]:
    """Tell the words that are no part of an answer, with those that were meant."""
    words = [word.strip() for word in environment.get(ANSWER, "").split(",")]
    for word in words:
        if word and word not in OUTPUTS:
            yield f'answer "{word}": {meant(word, OUTPUTS)}'


def meant(name: str, known: Sequence[str]) -> str:
    """Return what was meant by a name that is none of those known."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}"


def image_parts(uri: str) -> dict[str, str]:
    """Return the parts of an ECR image's URI. Raises Problem where it is none."""
    if match := IMAGE.match(uri):
        return {name: text for name, text in match.groupdict().items() if text}
    raise Problem(
        f'image "{uri}" is not in ECR, the only registry that SageMaker pulls from: '
        "./build_and_push.sh prints the URI of what it pushed, ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG"
    )


def role_name(arn: str) -> str:
    """Return the name at the end of a role's ARN. Raises Problem where it is no ARN of a role."""
    if match := ROLE.match(arn):
        return match["path"].rpartition("/")[2]
    raise Problem(
        f'role "{arn}" is not the ARN of a role, such as arn:aws:iam::123456789012:role/NAME: '
        "`aws iam get-role --role-name NAME --query Role.Arn --output text` tells it"
    )


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Return both parts of an S3 URI. Raises Problem where it is none."""
    if match := S3_URI.match(uri):
        return match["bucket"], match["key"] or ""
    raise Problem(f'"{uri}" is not an S3 URI, such as s3://bucket/prefix; a bucket has 3 to 63 of a-z 0-9 . -')


def model_data(uri: str) -> None:
    """Raise Problem where a URI is none of a model's archive."""
    _, key = bucket_and_key(uri)
    if not key.endswith(".tar.gz"):
        raise Problem(f'"{uri}" is no model: it ends in .tar.gz, and train_job.py prints it as "model_data"')


def check_account(session: boto3.Session) -> str:
    """Return the account of the credentials; fails first and clearest where there are none."""
    with sessions.one_line():
        return str(sessions.client(session, "sts").get_caller_identity()["Account"])


def check_image(session: boto3.Session, uri: str) -> None:
    """Raise Problem where ECR in the session's region has no such image."""
    parts = image_parts(uri)
    if parts["region"] != session.region_name:
        raise Problem(
            f'image "{uri}" is in {parts["region"]}, and SageMaker in {session.region_name} pulls from its own region '
            f"only: AWS_REGION={session.region_name} ./build_and_push.sh, or pass --region {parts['region']}"
        )
    wanted = {"imageDigest": parts["digest"]} if "digest" in parts else {"imageTag": parts.get("tag", "latest")}
    try:
        sessions.client(session, "ecr").describe_images(
            registryId=parts["account"], repositoryName=parts["name"], imageIds=[wanted]
        )
    except ClientError as error:
        if sessions.is_absent(error):
            raise Problem(f'image "{uri}" is not in ECR: ./build_and_push.sh pushes it') from error
        _pass_over(error, f"image {uri}")


def check_role(session: boto3.Session, arn: str, account: str) -> None:
    """Raise Problem where the role is absent, or SageMaker may not assume it."""
    name = role_name(arn)
    if f"::{account}:" not in arn:
        raise Problem(f'role "{arn}" is of another account than your credentials ({account}): SageMaker refuses it')
    try:
        role = sessions.client(session, "iam").get_role(RoleName=name)["Role"]
    except ClientError as error:
        if sessions.is_absent(error):
            raise Problem(f'role "{arn}" does not exist: scripts/iam/README.md says how to make it') from error
        _pass_over(error, f"role {arn}")
        return
    if "sagemaker.amazonaws.com" not in str(role["AssumeRolePolicyDocument"]):
        raise Problem(f"SageMaker cannot assume the role {arn}: {sessions.TRUST}")


def check_object(session: boto3.Session, uri: str) -> None:
    """Raise Problem where S3 has no such object."""
    bucket, key = bucket_and_key(uri)
    try:
        sessions.client(session, "s3").head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if sessions.code(error) in ("404", "NoSuchKey"):
            raise Problem(f'"{uri}" is not in S3; `aws s3 ls {uri.rpartition("/")[0]}/` lists what is') from error
        _explain_bucket(error, uri)


def check_bucket(session: boto3.Session, uri: str) -> None:
    """Raise Problem where the bucket of `uri` is absent."""
    bucket, _ = bucket_and_key(uri)
    try:
        sessions.client(session, "s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        if sessions.code(error) == "404":
            raise Problem(f'bucket "{bucket}" does not exist: aws s3 mb s3://{bucket}') from error
        _explain_bucket(error, uri)


def check_prefix(session: boto3.Session, uri: str) -> None:
    """Raise Problem where nothing in S3 begins with `uri`."""
    bucket, key = bucket_and_key(uri)
    with sessions.one_line():
        found: dict[str, Any] = sessions.client(session, "s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    if not found.get("KeyCount"):
        raise Problem(f'nothing in S3 begins with "{uri}": `aws s3 ls s3://{bucket}/` lists what is there')


def _explain_bucket(error: ClientError, uri: str) -> None:
    if sessions.code(error) in ("301", "PermanentRedirect"):
        raise Problem(f'"{uri}" is in a bucket of another region: use a bucket of the endpoint\'s region') from error
    if sessions.code(error) == "403":
        raise Problem(f'S3 denies you "{uri}": s3:GetObject and s3:ListBucket are needed, or it is absent') from error
    raise Problem(sessions.explain(error)) from error


def _pass_over(error: ClientError, what: str) -> None:
    """Go on where only the looking is denied: SageMaker looks again. Raises Problem for any other error."""
    if sessions.code(error) not in sessions.DENIED:
        raise Problem(sessions.explain(error)) from error
    click.echo(f"  not checked: {what}: {sessions.explain(error)}", err=True)
