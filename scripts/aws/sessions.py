"""AWS as the scripts meet it: one session, and one clear line for whatever goes wrong there."""

import difflib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import boto3
import click
from botocore import exceptions as boto
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

RENEW = "run `aws sso login` or `aws configure`, or set AWS_PROFILE; `aws sts get-caller-identity` tells who you are"
QUOTAS = "ask for more at Service Quotas in the AWS console (service: Amazon SageMaker), or take another instance type"
TRUST = "it has to exist, and its trust policy to let sagemaker.amazonaws.com assume it (scripts/iam/README.md)"
WAY_TO_AWS = "is there a network, a proxy in the way, the right region, or in a VPC an endpoint for the service?"

# What boto3 raises by itself, the more special first.
OURS: list[tuple[tuple[type[Exception], ...], str]] = [
    ((boto.NoCredentialsError,), f"no AWS credentials: {RENEW}"),
    ((boto.PartialCredentialsError,), f"{{error}}: {RENEW}"),
    ((boto.SSOError, boto.LoginError, boto.TokenRetrievalError, boto.NoAuthTokenError), f"{{error}}: {RENEW}"),
    ((boto.CredentialRetrievalError,), f"{{error}}: {RENEW}"),
    ((boto.ProfileNotFound,), "{error}; `aws configure list-profiles` shows those that are there"),
    ((boto.NoRegionError,), "no AWS region: pass --region, or set AWS_REGION"),
    ((boto.ConnectionError, boto.HTTPClientError), f"{{error}}: {WAY_TO_AWS}"),
]
# What AWS answers, by its code.
ANSWERS: dict[tuple[str, ...], str] = {
    ("ExpiredToken", "ExpiredTokenException", "RequestExpired"): f"the AWS credentials have expired: {RENEW}",
    (
        *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"),
        *("SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"),
    ): f"AWS does not take these credentials ({{code}}; a wrong clock does that too): {RENEW}",
    ("ResourceLimitExceeded", "LimitExceededException"): f"{{message}}: {QUOTAS}",
    ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"): (
        "AWS says there are too many requests ({operation}), after several tries: run this again in a minute"
    ),
    ("NoSuchBucket",): '{operation}: bucket "{bucket}" does not exist; `aws s3 ls` lists yours',
}
# What AWS says where its code says no more than ValidationException.
SAYINGS = {
    r"Could not assume role (?P<what>\S+?)\.?( |$)": f"SageMaker cannot assume the role {{what}}: {TRUST}",
    r'Cannot create already existing (?P<what>[\w -]+ "\S+")': (
        "{what} exists already: pass --update to change what an endpoint serves, or take another name"
    ),
    r"(?P<what>Requested image \S+ not found)": (
        "{what}: ./build_and_push.sh pushes it, and SageMaker takes images of its own region's ECR only"
    ),
    r"(?P<what>Could not (?:find|access) model data.*)": "{what}",
    r"(?P<what>Cannot (?:update|delete) in-progress endpoint.*)": "{what}: wait until it is InService, or Failed",
}
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403"}


class Problem(click.ClickException):
    """What a person has to mend, in one line; exit code 1."""


def connect(profile: str | None = None, region: str | None = None) -> boto3.Session:
    """Return a session for a region that SageMaker is in. Raises Problem for an unknown profile or region."""
    with one_line():
        session = boto3.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION"))
    if not session.region_name:
        raise Problem(explain(boto.NoRegionError()))
    check_region(session.region_name, session)
    return session


def check_region(region: str, session: boto3.Session) -> None:
    """Raise Problem where boto3 knows of no SageMaker in `region`, with the name that was meant."""
    partitions = session.get_available_partitions()
    known = [name for part in partitions for name in session.get_available_regions("sagemaker", partition_name=part)]
    if region not in known:
        near = difflib.get_close_matches(region, known, n=1)
        meant = f"did you mean {near[0]}?" if near else "eu-west-1 is one"
        raise Problem(f'boto3 {boto3.__version__} knows no SageMaker in region "{region}": {meant}')


@lru_cache(maxsize=32)
def client(session: boto3.Session, service: str) -> Any:
    """Return a session's client, the same each time, that tries again when it is throttled."""
    return session.client(service, config=Config(retries={"mode": "standard", "total_max_attempts": 6}))


@contextmanager
def one_line() -> Iterator[None]:
    """Turn what boto3 raises into a Problem."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Problem(explain(error)) from error


def explain(error: Exception) -> str:
    """Say in one line what is wrong, and what mends it."""
    if isinstance(error, ClientError):
        return _explain_answer(error)
    said = " ".join(str(error).split())
    return next((line.format(error=said) for kinds, line in OURS if isinstance(error, kinds)), said)


def code(error: ClientError) -> str:
    """Return the code of AWS's answer, such as `ValidationException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_refusal(error: Exception) -> bool:
    """Tell whether AWS surely did nothing; after a 5xx or a silence it may have, and a retry is then told no."""
    if not isinstance(error, ClientError):
        return False
    told = error.response["ResponseMetadata"]
    return bool(told["HTTPStatusCode"] < 500 and not told.get("RetryAttempts"))


def is_absent(error: ClientError) -> bool:
    """Tell whether AWS says that there is no such thing."""
    said = str(error)
    return "Could not find" in said or "NotFound" in code(error) or code(error) in ("NoSuchEntity", "404")


def _explain_answer(error: ClientError) -> str:
    told = error.response.get("Error", {})
    said = " ".join(told.get("Message", "").split())
    words = {"code": code(error), "message": said.rstrip("."), "operation": error.operation_name}
    words["bucket"] = told.get("BucketName", "")
    if code(error) in DENIED:
        return _explain_denial(said, error.operation_name)
    for codes, line in ANSWERS.items():
        if code(error) in codes:
            return line.format(**words)
    for pattern, line in SAYINGS.items():
        if match := re.search(pattern, said):
            return line.format(what=match["what"].rstrip("."))
    return "AWS refused {operation}: {message} ({code})".format(**words)


def _explain_denial(said: str, operation: str) -> str:
    action = re.search(r"not authorized to perform: (\S+?)[.,]?(?: |$)", said)
    resource = re.search(r"on resource: (\S+?)[.,]?(?: |$)", said)
    who = re.search(r"User: (\S+)", said)
    what = action[1] if action else operation
    on = f" on {resource[1]}" if resource else ""
    whose = f" to {who[1]}" if who else ""
    told = "scripts/iam/README.md has the policy that these scripts need"
    if what == "iam:PassRole":
        return f"AWS denies {what}{on}{whose}: you may not hand that role to SageMaker; {told}"
    return f"AWS denies {what}{on}{whose}; {told}"


class Script(click.Command):
    """A command that says in one line what AWS says, and ends cleanly on Ctrl-C."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings.setdefault("max_content_width", 110)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; exit code 130 where Ctrl-C ended it."""
        try:
            with one_line():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(130)
