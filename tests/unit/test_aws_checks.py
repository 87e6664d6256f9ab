import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aws import checks
from aws.files import Upload, upload
from aws.sessions import Problem
from tests.aws_world import ACCOUNT, BUCKET, IMAGE, MODEL_DATA, REGION, ROLE, Cloud

OTHER_ROLE = ROLE.replace(ACCOUNT, "999999999999")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        pytest.param("fraud-detect", "is not in ECR, the only registry", id="no registry"),
        pytest.param(IMAGE.replace(REGION, "us-east-1"), "is in us-east-1, and SageMaker in eu-west-1", id="region"),
        pytest.param(IMAGE.replace(":v1", ":v2"), "is not in ECR: ./build_and_push.sh pushes it", id="tag"),
        pytest.param(IMAGE.replace("fraud-detect", "other"), "is not in ECR: ./build_and_push.sh", id="repository"),
    ],
)
def test_image(cloud: Cloud, image: str, said: str) -> None:
    """An image that SageMaker could not pull is told before anything is made."""
    with pytest.raises(Problem, match=said):
        checks.check_image(cloud.session, image)


def test_image_by_its_digest(cloud: Cloud) -> None:
    """An image that is named by its digest is found."""
    (told,) = cloud.client("ecr").describe_images(repositoryName="fraud-detect")["imageDetails"]

    checks.check_image(cloud.session, IMAGE.replace(":v1", f"@{told['imageDigest']}"))

    assert cloud.asked("DescribeImages")["imageIds"] == [{"imageDigest": told["imageDigest"]}]


@pytest.mark.parametrize(
    ("role", "said"),
    [
        pytest.param("fraud", "is not the ARN of a role", id="name"),
        pytest.param(f"{ROLE}-2", "does not exist: scripts/iam/README.md", id="absent"),
        pytest.param(OTHER_ROLE, "is of another account than your credentials", id="account"),
        pytest.param(ROLE.replace("fraud-detect-execution", "lambda"), "SageMaker cannot assume the role", id="trust"),
    ],
)
def test_role(cloud: Cloud, role: str, said: str) -> None:
    """A role that SageMaker could not assume is told before anything is made."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}],
    }
    trust["Statement"][0]["Action"] = "sts:AssumeRole"  # type: ignore[index] # a literal of two kinds
    cloud.client("iam").create_role(RoleName="lambda", AssumeRolePolicyDocument=json.dumps(trust))

    with pytest.raises(Problem, match=said):
        checks.check_role(cloud.session, role, ACCOUNT)


def test_looking_may_be_denied(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    """Who may not look at roles and images goes on, and is told that they were not checked."""
    for operation in ("GetRole", "DescribeImages"):
        cloud.refuse(operation, "AccessDeniedException", "not authorized to perform: iam:GetRole")

    checks.check_role(cloud.session, ROLE, ACCOUNT)
    checks.check_image(cloud.session, IMAGE)

    assert capsys.readouterr().err.count("not checked: ") == 2


@pytest.mark.parametrize("operation", ["GetRole", "DescribeImages", "HeadObject", "HeadBucket"])
def test_looking_may_fail(cloud: Cloud, operation: str) -> None:
    """Any other error of a check ends the run."""
    looks: dict[str, Callable[[], None]] = {
        "GetRole": lambda: checks.check_role(cloud.session, ROLE, ACCOUNT),
        "DescribeImages": lambda: checks.check_image(cloud.session, IMAGE),
        "HeadObject": lambda: checks.check_object(cloud.session, MODEL_DATA),
        "HeadBucket": lambda: checks.check_bucket(cloud.session, MODEL_DATA),
    }
    cloud.refuse(operation, "ExpiredToken", "expired")

    with pytest.raises(Problem, match="the AWS credentials have expired"):
        looks[operation]()


def test_files(cloud: Cloud) -> None:
    """An object, a prefix and a bucket that are not there are told, each with what tells more."""
    checks.check_object(cloud.session, MODEL_DATA)
    with pytest.raises(Problem, match=r'm.tar.gz" is not in S3; `aws s3 ls s3://fraud-bucket/`'):
        checks.check_object(cloud.session, f"s3://{BUCKET}/m.tar.gz")
    with pytest.raises(Problem, match='nothing in S3 begins with "s3://fraud-bucket/none"'):
        checks.check_prefix(cloud.session, f"s3://{BUCKET}/none")
    with pytest.raises(Problem, match='bucket "no-such-bucket" does not exist; `aws s3 ls` lists yours'):
        checks.check_prefix(cloud.session, "s3://no-such-bucket/x")
    with pytest.raises(Problem, match='bucket "no-such-bucket" does not exist: aws s3 mb'):
        checks.check_bucket(cloud.session, "s3://no-such-bucket/x")
    with pytest.raises(Problem, match=r'"/data/m.tar.gz" is not an S3 URI'):
        checks.check_object(cloud.session, "/data/m.tar.gz")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param("403", "S3 denies you", id="denied"),
        pytest.param("301", "a bucket of another region", id="region"),
        pytest.param("ExpiredToken", "credentials have expired", id="expired"),
    ],
)
def test_bucket_refuses(cloud: Cloud, code: str, said: str) -> None:
    """A bucket that does not answer is told as what it is."""
    cloud.refuse("HeadBucket", code, "no")

    with pytest.raises(Problem, match=said):
        checks.check_bucket(cloud.session, f"s3://{BUCKET}/x")


def test_upload_that_fails(cloud: Cloud, tmp_path: Path) -> None:
    """An upload that S3 refuses is told with its file and the reason."""
    file = tmp_path / "rows.csv"
    file.write_text("1,2\n")

    with pytest.raises(Problem, match=r'rows.csv was not uploaded: PutObject: bucket "no-such-bucket" does not exist'):
        upload(cloud.session, Upload(file, "s3://no-such-bucket/rows.csv"))
