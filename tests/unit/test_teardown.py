from collections.abc import Mapping
from typing import Any

import pytest
from moto.sagemaker.models import sagemaker_backends

import deploy
from aws.endpoint_shape import Capture, Endpoint, Placement, Rollout, Scaling, Serverless, Variant
from aws.teardown_find import find
from teardown import main
from tests.aws_world import ACCOUNT, BUCKET, IMAGE, MODEL_DATA, REGION, ROLE, Cloud, run

ONE = Variant("all", IMAGE, MODEL_DATA, instances=2)
TAG = ("project", "fraud-detect")
OURS = Endpoint(
    "fraud-detect",
    "20261121-1200-abcd",
    [ONE],
    Placement(ROLE),
    capture=Capture(f"s3://{BUCKET}/captured"),
    scaling=Scaling(1, 4, 1000),
    rollout=Rollout(errors_above=5),
)
THEIRS = Endpoint("churn", "20261121-1200-abcd", [ONE], Placement(ROLE), tags={"project": "churn"})
LEFT = {
    "endpoints": ["churn"],
    "configs": ["churn-20261121-1200-abcd"],
    "models": ["churn-all-20261121-1200-abcd"],
    "alarms": [],
    "scaled": [],
}


@pytest.fixture
def busy(cloud: Cloud) -> Cloud:
    """An account with an endpoint of ours, one of others, and a job of each that runs."""
    for endpoint in (OURS, THEIRS):
        deploy.deploy(endpoint, cloud.session)
        start_jobs(cloud, endpoint.name, dict(endpoint.tags))
    cloud.requests.clear()
    return cloud


def start_jobs(cloud: Cloud, name: str, tags: Mapping[str, str]) -> None:
    """Start a training and a transform job that run for ever."""
    told = [{"Key": key, "Value": value} for key, value in tags.items()]
    sagemaker, backend = cloud.client("sagemaker"), sagemaker_backends[ACCOUNT][REGION]
    sagemaker.create_training_job(
        TrainingJobName=f"{name}-training",
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/o"},
        ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        Tags=told,
    )
    backend.training_jobs[f"{name}-training"].training_job_status = "InProgress"
    where = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/i"}}}
    sagemaker.create_transform_job(
        TransformJobName=f"{name}-transform",
        ModelName="m",
        TransformInput=where,
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/o"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 3},
        Tags=told,
    )
    backend.transform_jobs[f"{name}-transform"].transform_job_status = "InProgress"


def stopping(cloud: Cloud) -> list[str]:
    """Let jobs be stopped, which moto cannot; return the list that their names will be in."""
    stopped: list[str] = []

    def stop(asked: Mapping[str, Any]) -> dict[str, Any]:
        stopped.extend(asked.values())
        return {}

    cloud.answers |= {"StopTrainingJob": stop, "StopTransformJob": stop}
    return stopped


def test_list(busy: Cloud) -> None:
    """Without --yes it lists what is ours and what it costs for, and changes nothing."""
    done = run(main, "--s3", f"s3://{BUCKET}/fraud-detect")

    assert done.exit_code == 0, done.output
    assert busy.changes() == []
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "endpoint fraud-detect InService: all 2 x ml.m5.large, paid by the hour" in lines
    assert "scaling endpoint/fraud-detect/variant/all 1 to 4 instances; its alarms cost" in lines
    assert "alarm fraud-detect-all-5xx paid by the month" in lines
    assert "training job fraud-detect-training 1 x ml.m5.xlarge, paid by the second" in lines
    assert "transform job fraud-detect-transform 3 x ml.m5.large, paid by the second" in lines
    assert "model fraud-detect-all-20261121-1200-abcd costs nothing" in lines
    assert lines[-4:-1] == [
        f"S3 s3://{BUCKET}/fraud-detect/: 2 objects, 0.0 MB",
        "fraud-detect/output/: 1 objects",
        "fraud-detect/rows/: 1 objects",
    ]
    assert lines[-1].startswith("ECR fraud-detect: 1 images, ")
    assert "churn" not in done.stdout
    assert "nothing was deleted: --yes" in done.stderr


def test_delete(busy: Cloud) -> None:
    """With --yes all that is ours goes, what is scaled before its endpoint, and S3, ECR and others' things stay."""
    stopped = stopping(busy)

    done = run(main, "--yes", "--s3", f"s3://{BUCKET}/fraud-detect")

    assert done.exit_code == 0, done.output
    assert busy.names() == LEFT
    assert stopped == ["fraud-detect-training", "fraud-detect-transform"]
    assert busy.changes().index("DeregisterScalableTarget") < busy.changes().index("DeleteEndpoint")
    assert not {"DeleteObjects", "BatchDeleteImage"} & set(busy.changes())


@pytest.mark.parametrize("folder", ["fraud-detect", "fraud-detect/"])
def test_delete_files_and_images(busy: Cloud, folder: str) -> None:
    """S3 and ECR are emptied only where that is asked in so many words, and only in that folder, not in its like."""
    stopping(busy)
    theirs = ["churn/rows.csv", "fraud-detect-prod/rows.csv", "fraud-detect.csv", "fraud-detection-team/rows.csv"]
    for key in theirs:
        busy.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"1")

    done = run(main, "--yes", "--s3", f"s3://{BUCKET}/{folder}", "--delete-s3", "--delete-images")

    assert done.exit_code == 0, done.output
    keys = [told["Key"] for told in busy.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == theirs
    assert busy.client("ecr").describe_images(repositoryName="fraud-detect")["imageDetails"] == []


def test_the_first_of_many_files_are_named(cloud: Cloud) -> None:
    """Of a folder that holds much, the first folders and files are named, and the rest is counted."""
    for number in range(14):
        cloud.client("s3").put_object(Bucket=BUCKET, Key=f"many/{number:02}.csv", Body=b"1")

    lines = run(main, "--s3", f"s3://{BUCKET}/many").stdout.split("S3 ")[1].splitlines()

    assert [line.strip() for line in lines[1:11]] == [f"many/{number:02}.csv" for number in range(10)]
    assert lines[11].strip() == "and 4 more folders and files"


def test_many_pages(cloud: Cloud) -> None:
    """What lies on later pages of a list is found too."""
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE)
    variant = {"VariantName": "all", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    for number in range(150):
        tags = [{"Key": "project", "Value": "fraud-detect" if number % 2 else "other"}]
        sagemaker.create_endpoint_config(EndpointConfigName=f"config-{number}", ProductionVariants=[variant], Tags=tags)

    found = [thing.name for thing in find(cloud.session, TAG)]

    assert sorted(found) == sorted(f"config-{number}" for number in range(1, 150, 2))
    assert sum(asked.operation == "ListEndpointConfigs" for asked in cloud.requests) > 1


def test_by_name(cloud: Cloud) -> None:
    """Things without the tag are found by what their names begin with, what is scaled of a lost endpoint too."""
    deploy.deploy(THEIRS, cloud.session)
    cloud.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId="endpoint/churn-old/variant/all",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=2,
    )

    assert find(cloud.session, TAG) == []
    kinds = [thing.kind for thing in find(cloud.session, TAG, prefix="churn")]
    assert kinds == ["scaling", "endpoint", "configuration", "model"]


def test_serverless(cloud: Cloud) -> None:
    """A serverless endpoint is told with its memory."""
    deploy.deploy(Endpoint("s", "1", [ONE], Placement(ROLE), kind=Serverless(2048)), cloud.session)

    done = run(main)

    assert "InService: all serverless, 2048 MB, paid by request" in done.stdout


def test_what_stays_is_told(busy: Cloud) -> None:
    """What cannot be deleted is told in a line each, does not keep the rest from going, and ends with code 1."""
    stopping(busy)
    busy.refuse("DeleteEndpoint", "ValidationException", "Cannot delete in-progress endpoint x")
    busy.refuse("DeleteAlarms", "AccessDenied", "not authorized to perform: cloudwatch:DeleteAlarms on resource: a")

    done = run(main, "--yes")

    assert done.exit_code == 1
    assert "endpoint fraud-detect: Cannot delete in-progress endpoint x: wait until" in done.stderr
    assert "alarm fraud-detect-all-5xx: AWS denies cloudwatch:DeleteAlarms on a" in done.stderr
    assert busy.names()["models"] == LEFT["models"]


def test_files_that_stay_are_told(cloud: Cloud) -> None:
    """Objects and images that AWS does not delete are told, and end with code 1."""
    error = {"Key": "fraud-detect/x", "Code": "AccessDenied", "Message": "Access Denied"}
    cloud.answers["DeleteObjects"] = lambda _: {"Errors": [error]}
    cloud.refuse("BatchDeleteImage", "AccessDeniedException", "not authorized to perform: ecr:BatchDeleteImage")

    done = run(main, "--yes", "--s3", f"s3://{BUCKET}/fraud-detect/", "--delete-s3", "--delete-images")

    assert done.exit_code == 1
    assert f"s3://{BUCKET}/fraud-detect/x: Access Denied" in done.stderr
    assert "fraud-detect: AWS denies ecr:BatchDeleteImage" in done.stderr


@pytest.mark.parametrize("given", [[], ["--s3", f"s3://{BUCKET}"]], ids=["none", "a whole bucket"])
def test_a_whole_bucket_is_never_emptied(cloud: Cloud, given: list[str]) -> None:
    """--delete-s3 takes a prefix, whose things are ours."""
    done = run(main, "--yes", "--delete-s3", *given)

    assert done.exit_code == 2
    assert "a whole bucket is not ours" in done.stderr
    assert cloud.requests == []


def test_nothing(cloud: Cloud) -> None:
    """Where nothing is ours, it says so, a repository that is not there included."""
    done = run(main, "--repository", "absent")

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("nothing of ours is there")
    assert "ECR  absent: 0 images" in done.stdout
