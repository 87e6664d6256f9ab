import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from batch_transform import main
from tests.aws_world import BUCKET, IMAGE, KEYS, MODEL_DATA, ROLE, Cloud, run

ROWS, SCORED = f"s3://{BUCKET}/fraud-detect/rows/", f"s3://{BUCKET}/fraud-detect/scored"
FILES = ("--input", ROWS, "--output", SCORED)
OWN_MODEL = ("--model-data", MODEL_DATA, "--image", IMAGE, "--role", ROLE)


@pytest.fixture
def model(cloud: Cloud) -> str:
    """A model that is there already."""
    cloud.client("sagemaker").create_model(ModelName="fraud-detect-there", ExecutionRoleArn=ROLE)
    cloud.requests.clear()
    return "fraud-detect-there"


def becomes(cloud: Cloud, *statuses: str, reason: str = "") -> None:
    """Let the job have one status after the other."""
    left: Iterator[str] = iter(statuses)

    def describe(_: Mapping[str, Any]) -> dict[str, Any]:
        return {"TransformJobStatus": next(left), "FailureReason": reason}

    cloud.answers["DescribeTransformJob"] = describe


def test_lines_of_a_model_that_is_there(cloud: Cloud, model: str) -> None:
    """A job cuts and joins at lines, leaves sizes to the image, waits, and says where the output is."""
    becomes(cloud, "InProgress", "InProgress", "Completed")

    done = run(main, "--model", model, *FILES)

    assert done.exit_code == 0, done.output
    asked = cloud.asked("CreateTransformJob")
    assert (asked["TransformInput"]["SplitType"], asked["TransformOutput"]["AssembleWith"]) == ("Line", "Line")
    assert asked["BatchStrategy"] == "MultiRecord"
    assert not {"MaxPayloadInMB", "MaxConcurrentTransforms", "Environment", "DataProcessing"} & set(asked)
    assert json.loads(done.stdout) == {"job": asked["TransformJobName"], "output": SCORED}
    assert cloud.names()["models"] == [model]
    assert "InProgress after" in done.stderr


def test_every_option(cloud: Cloud, model: str) -> None:
    """Each option reaches AWS, and the whole agrees with the service's model."""
    options = ["--join", "--input-filter", "$[1:]", "--output-filter", "$[0,-1]", "--compression", "Gzip"]
    options += ["--max-payload-mb", "10", "--max-concurrent", "4", "--timeout-seconds", "900", "--retries", "1"]
    options += ["--answer", "probability,decision", "--strict", "--env", "FRAUD_REASONS=2", "--kms-key", "alias/fraud"]

    done = run(main, "--model", model, *FILES, *options)

    assert done.exit_code == 0, done.output
    asked = cloud.asked("CreateTransformJob")
    joined = {"InputFilter": "$[1:]", "OutputFilter": "$[0,-1]", "JoinSource": "Input"}
    assert asked["DataProcessing"] == joined
    assert asked["Environment"] == {
        "SAGEMAKER_INFERENCE_OUTPUT": "probability,decision",
        "FRAUD_BATCH_STRICT": "true",
        "FRAUD_REASONS": "2",
    }
    assert (asked["MaxPayloadInMB"], asked["MaxConcurrentTransforms"]) == (10, 4)
    assert asked["ModelClientConfig"] == {"InvocationsTimeoutInSeconds": 900, "InvocationsMaxRetries": 1}
    assert asked["TransformOutput"]["KmsKeyId"] == asked["TransformResources"]["VolumeKmsKeyId"] == "alias/fraud"


def test_a_model_of_its_own(cloud: Cloud) -> None:
    """A model that is made for one job goes when the job has ended, and has the network that was asked for."""
    done = run(main, *OWN_MODEL, *FILES, "--network-isolation", "--name", "nightly")

    assert done.exit_code == 0, done.output
    assert cloud.changes() == ["CreateModel", "CreateTransformJob", "DeleteModel"]
    assert cloud.asked("CreateModel")["EnableNetworkIsolation"] is True
    assert cloud.asked("CreateModel")["ModelName"].startswith("nightly-")
    assert cloud.names()["models"] == []


def test_a_job_that_cannot_start_leaves_nothing(cloud: Cloud) -> None:
    """Where the job is refused, its own model is undone."""
    cloud.refuse("CreateTransformJob", "ResourceLimitExceeded", "The account-level service limit is 0")

    done = run(main, *OWN_MODEL, *FILES)

    assert done.exit_code == 1
    assert "service limit is 0: ask for more at Service Quotas" in done.stderr
    assert cloud.names()["models"] == []


@pytest.mark.parametrize("own", [False, True], ids=["model there", "model of its own"])
def test_a_job_that_fails(cloud: Cloud, model: str, own: bool) -> None:
    """A job that fails says AWS's reason and where the container's words are, and its own model goes."""
    becomes(cloud, "InProgress", "Failed", reason="ClientError: See job logs for more information")

    done = run(main, *(OWN_MODEL if own else ("--model", model)), *FILES)

    assert done.exit_code == 1
    assert "is Failed: ClientError: See job logs" in done.stderr
    assert "aws logs tail /aws/sagemaker/TransformJobs --log-stream-name-prefix fraud-detect-" in done.stderr
    assert cloud.names()["models"] == [model]


def test_ctrl_c_leaves_the_job(cloud: Cloud, model: str) -> None:
    """Ctrl-C while it waits leaves the job, says how to stop it, and ends with code 130."""

    def interrupt(_: Mapping[str, Any]) -> None:
        raise KeyboardInterrupt

    cloud.answers["DescribeTransformJob"] = interrupt
    done = run(main, "--model", model, *FILES)

    assert done.exit_code == 130
    name = cloud.asked("CreateTransformJob")["TransformJobName"]
    assert f"stop-transform-job --region eu-west-1 --transform-job-name {name}" in done.stderr


def test_dry_run_asks_nothing(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run prints the calls and makes none, without credentials."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)

    done = run(main, *OWN_MODEL, *FILES, "--dry-run")

    assert done.exit_code == 0, done.output
    assert done.stdout.index("sagemaker.create_model(") < done.stdout.index("sagemaker.create_transform_job(")
    assert cloud.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--max-payload-mb", "30", "--max-concurrent", "4"], "is 120 MB at once: at most 100", id="MB"),
        pytest.param(["--join", "--accept", "application/json"], "--join takes one type for both", id="join"),
        pytest.param(
            ["--join", "--split", "None"], "--join takes --split Line: with None a whole file", id="join file"
        ),
        pytest.param(["--answer", "foo"], 'answer "foo": one of probability, predicted_label,', id="answer"),
        pytest.param(["--answer", "probabilty,reasons"], 'answer "probabilty": did you mean probability?', id="nearly"),
        pytest.param(["--input-filter", "[1:]"], '--input-filter "[1:]": a JSONPath begins with $', id="seen"),
        pytest.param(["--output-filter", ""], '--output-filter "": a JSONPath begins with $', id="kept"),
        pytest.param(
            ["--instance-type", "t2.micro"], 'instance type "t2.micro": SageMaker\'s begin with ml.', id="type"
        ),
        pytest.param(["--name", "a b"], '--name "a b": letters, digits and hyphens', id="name"),
        pytest.param(["--input", "rows.csv"], '"rows.csv" is not an S3 URI', id="local"),
        pytest.param(["--input", f"s3://{BUCKET}/none"], f'nothing in S3 begins with "s3://{BUCKET}/none"', id="input"),
        pytest.param(["--output", "s3://absent-bucket/x"], 'bucket "absent-bucket" does not exist', id="output"),
        pytest.param(["--output", ROWS], f'--output "{ROWS}" begins with --input "{ROWS}"', id="output is input"),
        pytest.param(["--output", ROWS.rstrip("/")], "begins with --input", id="output is input but for a slash"),
        pytest.param(["--output", f"{ROWS}scored"], "begins with --input", id="output below input"),
        pytest.param(["--input", f"s3://{BUCKET}"], "begins with --input", id="input of a whole bucket"),
        pytest.param(
            ["--content-type", "txt/csv"], '--content-type "txt/csv": did you mean text/csv?', id="content type"
        ),
        pytest.param(["--accept", "image/png"], 'Accept "image/png" cannot be answered', id="answer's type"),
        pytest.param(["--input-filter", "$[1:"], '--input-filter "$[1:": each [ takes a ]', id="open bracket"),
        pytest.param([f"--env=A{n}=1" for n in range(17)], "17 environment variables: a batch job has", id="variables"),
    ],
)
def test_what_would_fail_is_said_first(cloud: Cloud, model: str, options: list[str], said: str) -> None:
    """What would fail is told in one line before a job is started."""
    done = run(main, "--model", model, *FILES, *options)

    assert done.exit_code == 1, done.output
    assert said in done.stderr
    assert cloud.changes() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--subnet", "subnet-1"], "a VPC takes both --subnet and --security-group", id="half a network"),
        pytest.param(["--model-data", f"s3://{BUCKET}/"], f'"s3://{BUCKET}/" is no model: it ends in', id="bucket"),
        pytest.param(["--model-data", f"s3://{BUCKET}/p/model"], "is no model: it ends in .tar.gz", id="folder"),
    ],
)
def test_a_model_that_could_not_be_made(cloud: Cloud, options: list[str], said: str) -> None:
    """What SageMaker would refuse of a model is told in a dry run, and nothing is asked."""
    done = run(main, *OWN_MODEL, *FILES, *options, "--dry-run")

    assert done.exit_code == 1, done.output
    assert done.stderr.startswith("Error: ")
    assert said in done.stderr
    assert cloud.requests == []


def test_a_model_that_is_not_there(cloud: Cloud) -> None:
    """A model's name that SageMaker does not know is told before a job is started."""
    done = run(main, "--model", "fraud-detect-gone", *FILES)

    assert done.exit_code == 1
    assert "Could not find model" in done.stderr
    assert cloud.changes() == []


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="no model"),
        pytest.param(["--model", "a", "--tag", "project=x"], id="tag of teardown.py"),
        pytest.param(["--model", "a", "--env", "A=1", "--env", "A=2"], id="variable twice"),
        pytest.param(["--model", "a", "--env", "A-B=1"], id="no variable"),
        pytest.param(["--model", "a", "--model-data", MODEL_DATA], id="two models"),
        pytest.param(["--model", "a", "--network-isolation"], id="network of another"),
        pytest.param(["--model-data", MODEL_DATA], id="no image"),
        pytest.param(["--model-data", MODEL_DATA, "--image", IMAGE], id="no role"),
    ],
)
def test_usage(cloud: Cloud, options: list[str]) -> None:
    """What the command line cannot mean ends it with code 2."""
    done = run(main, *options, *FILES)

    assert done.exit_code == 2, done.output
    assert cloud.requests == []
