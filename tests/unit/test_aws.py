import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore import handlers
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from aws import calls as aws_calls
from aws import checks, sessions
from aws.calls import Call, Journal
from aws.sessions import Problem, explain
from tests.aws_world import ACCOUNT, IMAGE, KEYS, REGION, ROLE, Cloud

DENIED = (
    f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: sagemaker:CreateModel on resource: "
    f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/x because no identity-based policy allows the action"
)
PASS_ROLE = f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: iam:PassRole on resource: {ROLE}"


def answer(code: str, message: str = "no", operation: str = "CreateModel") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(boto.NoCredentialsError(), "no AWS credentials: run `aws sso login`", id="no credentials"),
        pytest.param(
            boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "missing: AWS_SECRET_ACCESS_KEY: run",
            id="half of the credentials",
        ),
        pytest.param(boto.UnauthorizedSSOTokenError(), "run `aws sso login`", id="single sign-on has ended"),
        pytest.param(boto.TokenRetrievalError(provider="sso", error_msg="gone"), "run `aws sso login`", id="token"),
        pytest.param(boto.ProfileNotFound(profile="x"), "`aws configure list-profiles`", id="profile"),
        pytest.param(boto.NoRegionError(), "no AWS region: pass --region, or set AWS_REGION", id="region"),
        pytest.param(
            boto.EndpointConnectionError(endpoint_url="https://x"), '"https://x": is there a network', id="network"
        ),
        pytest.param(boto.ConnectTimeoutError(endpoint_url="https://x"), "is there a network", id="timeout"),
        pytest.param(boto.ReadTimeoutError(endpoint_url="https://x"), "is there a network", id="slow answer"),
        pytest.param(boto.SSLError(endpoint_url="https://x", error="e"), "a proxy in the way", id="certificate"),
        pytest.param(boto.ParamValidationError(report="Invalid\n  length"), "Invalid length", id="parameters"),
        pytest.param(answer("ExpiredToken"), "the AWS credentials have expired: run", id="expired"),
        pytest.param(answer("ExpiredTokenException"), "the AWS credentials have expired: run", id="expired too"),
        pytest.param(answer("InvalidClientTokenId"), "AWS does not take these credentials", id="unknown key"),
        pytest.param(answer("UnrecognizedClientException"), "does not take these credentials", id="unknown client"),
        pytest.param(
            answer("AccessDeniedException", DENIED),
            f"denies sagemaker:CreateModel on arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/x to arn:aws:iam::{ACCOUNT}:",
            id="denied",
        ),
        pytest.param(answer("AccessDenied", "Access Denied", "PutObject"), "AWS denies PutObject; scripts", id="S3"),
        pytest.param(
            answer("AccessDeniedException", PASS_ROLE),
            f"denies iam:PassRole on {ROLE} to arn:aws:iam::{ACCOUNT}:user/ann: you may not hand that role",
            id="pass role",
        ),
        pytest.param(
            answer("ResourceLimitExceeded", "The limit 'ml.m5.large for endpoint usage' is 0 Instances."),
            "'ml.m5.large for endpoint usage' is 0 Instances: ask for more at Service Quotas",
            id="quota",
        ),
        pytest.param(answer("ThrottlingException", "Rate exceeded"), "too many requests (CreateModel)", id="throttled"),
        pytest.param(
            ClientError({"Error": {"Code": "NoSuchBucket", "Message": "no", "BucketName": "b"}}, "ListObjectsV2"),
            'ListObjectsV2: bucket "b" does not exist; `aws s3 ls` lists yours',
            id="bucket",
        ),
        pytest.param(
            answer("ValidationException", f"Could not assume role {ROLE}. Please ensure that the role exists"),
            f"SageMaker cannot assume the role {ROLE}: it has to exist, and its trust policy",
            id="role",
        ),
        pytest.param(
            answer("ValidationException", 'Cannot create already existing endpoint "arn:aws:x:endpoint/fraud".'),
            'endpoint "arn:aws:x:endpoint/fraud" exists already: pass --update',
            id="name taken",
        ),
        pytest.param(
            answer("ValidationException", f"Requested image {IMAGE} not found."),
            f"Requested image {IMAGE} not found: ./build_and_push.sh pushes it",
            id="image",
        ),
        pytest.param(
            answer("ValidationException", "Cannot update in-progress endpoint arn:aws:x."),
            "Cannot update in-progress endpoint arn:aws:x: wait until",
            id="in progress",
        ),
        pytest.param(answer("Weird", "all\n wrong."), "AWS refused CreateModel: all wrong (Weird)", id="anything else"),
    ],
)
def test_every_error_is_a_line(error: Exception, said: str) -> None:
    """Each thing that goes wrong on AWS is one line that names it and what mends it."""
    line = explain(error)

    assert said in line
    assert "\n" not in line


def test_throttling_is_waited_out(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that AWS throttles is made again, and one that it throttles for long ends in a line."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    left = [3]

    def throttle(request: Any, **_: Any) -> AWSResponse | None:
        if not left[0]:
            return None
        left[0] -= 1
        body = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()
        return AWSResponse(request.url, 400, {}, SimpleNamespace(stream=lambda: iter([body]), read=lambda: body))

    monkeypatch.setattr(handlers, "BUILTIN_HANDLERS", [("before-send", throttle), *handlers.BUILTIN_HANDLERS])
    session = sessions.connect(region=REGION)
    made = Call("sagemaker", "create_model", {"ModelName": "m", "ExecutionRoleArn": ROLE})
    Journal(session).make(made)
    left[0] = 100

    with pytest.raises(Problem, match="too many requests"), sessions.one_line():
        Journal(session).make(made)

    assert cloud.names()["models"] == ["m"]
    assert 100 - left[0] == 6


@pytest.mark.parametrize(
    ("region", "said"),
    [
        pytest.param(None, "no AWS region", id="none"),
        pytest.param("eu-wst-1", "did you mean eu-west-1?", id="misspelt"),
        pytest.param("moon", 'knows no SageMaker in region "moon"', id="no region"),
    ],
)
def test_region(monkeypatch: pytest.MonkeyPatch, region: str | None, said: str) -> None:
    """A region that is missing or misspelt is told before AWS is asked."""
    for key in (*KEYS, "AWS_CONFIG_FILE"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(Problem, match=said):
        sessions.connect(region=region)


def test_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is not there is told."""
    with pytest.raises(Problem, match=r"\(nobody\) could not be found; `aws configure list-profiles`"):
        sessions.connect(profile="nobody", region=REGION)


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the first question ends in a line."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    for key in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(key, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(Problem, match="no AWS credentials"):
        checks.check_account(sessions.connect(region=REGION))


def test_names_fit() -> None:
    """A name has 63 characters at most, ends with what makes it unique, and no two are the same."""
    names = {aws_calls.unique("fraud-detect-" + "x" * 60, aws_calls.suffix()) for _ in range(50)}

    assert len(names) == 50
    assert all(len(name) <= 63 and name.startswith("fraud-detect-x") for name in names)


def test_a_call_that_broke_off_is_undone(cloud: Cloud) -> None:
    """A call whose answer never came may have worked, so that its undoing is tried."""

    def break_off(_: Any) -> None:
        raise boto.ReadTimeoutError(endpoint_url="https://x")

    cloud.answers["CreateModel"] = break_off
    journal = Journal(cloud.session)
    undo = Call("sagemaker", "delete_model", {"ModelName": "m"})

    with pytest.raises(Problem, match="is there a network"), journal.undone_on_failure():
        journal.make(Call("sagemaker", "create_model", {"ModelName": "m", "ExecutionRoleArn": ROLE}, undo))

    assert cloud.changes() == ["CreateModel", "DeleteModel"]
