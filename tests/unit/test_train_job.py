import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import train_job
from aws.calls import Call
from aws.endpoint_shape import Placement
from aws.sessions import Problem
from aws.training_shape import TIME, Training, metric_definitions, request
from tests.aws_world import BUCKET, IMAGE, KEYS, ROLE, Cloud, disagreements, run, shape_of
from train_job import main

needs_sdk = pytest.mark.skipif(importlib.util.find_spec("sagemaker") is None, reason="SageMaker's SDK is not installed")
# The SDK warns of what it imports itself.
of_the_sdk = pytest.mark.filterwarnings("ignore:sagemaker.train.configs has been moved:DeprecationWarning")

S3 = f"s3://{BUCKET}/fraud-detect"
ROWS = {"train": f"{S3}/rows/"}
PLAIN = Training(IMAGE, Placement(ROLE), ROWS, S3, "20261121-1200-abcd")
FULL = replace(
    PLAIN,
    placement=Placement(
        ROLE, {"OMP_NUM_THREADS": "4"}, ["subnet-1"], ["sg-1"], is_isolated=True, kms_key="alias/fraud"
    ),
    hyperparameters={"resampling": "smote", "num_round": "50"},
    max_wait_minutes=120,
    checkpoints=f"{S3}/checkpoints",
    tags={"project": "fraud-detect", "team": "risk"},
)
OPTIONS = ("--image", IMAGE, "--role", ROLE, "--s3", S3)


def becomes(cloud: Cloud, *statuses: str, reason: str = "", **told: Any) -> None:
    """Let a job have one status after the other, once it has been started."""
    left: Iterator[str] = iter(statuses)
    asked_before = [False]

    def describe(asked: Mapping[str, Any]) -> dict[str, Any] | None:
        # The SDK looks once after it has started a job.
        if not asked_before[0]:
            asked_before[0] = True
            return None
        status = {"TrainingJobStatus": next(left), "SecondaryStatus": "Training", "FailureReason": reason}
        return status | {"ModelArtifacts": {"S3ModelArtifacts": f"{S3}/output/model.tar.gz"}} | told

    cloud.answers["DescribeTrainingJob"] = describe


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A channel's directory, with a file below a folder and one that is hidden."""
    for name in ("b.csv", "2026/a.csv", ".ipynb_checkpoints/b.csv"):
        (tmp_path / "rows" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rows" / name).write_text("1,2\n")
    return tmp_path / "rows"


@needs_sdk
@of_the_sdk
@pytest.mark.parametrize("job", [PLAIN, FULL], ids=["plain", "full"])
def test_the_sdk_asks_what_the_dry_run_prints(cloud: Cloud, job: Training) -> None:
    """What the SDK asks of AWS is what a dry run prints, but for the time in the name."""
    becomes(cloud, "Completed")

    train_job.train(job, cloud.session)

    asked, printed = dict(cloud.asked("CreateTrainingJob")), request(job)
    assert asked.pop("TrainingJobName").startswith(printed.pop("TrainingJobName").removesuffix(TIME))
    assert asked == printed


@pytest.mark.parametrize("job", [PLAIN, FULL], ids=["plain", "full"])
def test_the_request_is_what_aws_takes(job: Training) -> None:
    """The request agrees with the service's own model."""
    (call,) = train_job.plan(job)

    assert isinstance(call, Call)
    parameters = dict(call.parameters) | {"TrainingJobName": "fraud-detect-1"}
    assert not list(disagreements(shape_of("sagemaker", "create_training_job"), parameters))


def test_figures_are_those_of_the_image() -> None:
    """A job is told all figures of deploy/algorithm.json, and no more than SageMaker takes."""
    assert "validation:average_precision" in [told["Name"] for told in metric_definitions()]
    assert len(metric_definitions()) <= 40


@needs_sdk
@of_the_sdk
def test_train_from_a_directory(cloud: Cloud, rows: Path) -> None:
    """A directory is uploaded but for what is hidden, the job is waited for, and its model and figures are told."""
    figures = [{"MetricName": "validation:average_precision", "Value": 0.75}]
    becomes(cloud, "InProgress", "InProgress", "Completed", FinalMetricDataList=figures)

    done = run(main, *OPTIONS, "--channel", f"train={rows}", "--set", "num_round=50")

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["figures"] == {"validation:average_precision": 0.75}
    assert told["model_data"] == f"{S3}/output/model.tar.gz"
    (channel,) = cloud.asked("CreateTrainingJob")["InputDataConfig"]
    prefix = channel["DataSource"]["S3DataSource"]["S3Uri"].removeprefix(f"s3://{BUCKET}/")
    uploaded = cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
    assert [item["Key"].removeprefix(prefix) for item in uploaded] == ["2026/a.csv", "b.csv"]
    assert "InProgress: Training after" in done.stderr


@needs_sdk
@of_the_sdk
def test_a_job_that_fails(cloud: Cloud) -> None:
    """A job that fails tells AWS's reason, which is the image's own words."""
    becomes(cloud, "Failed", reason="AlgorithmError: DATA_NO_FRAUD: the training rows hold no fraud, exit code: 1")

    done = run(main, *OPTIONS, "--channel", f"train={ROWS['train']}")

    assert done.exit_code == 1
    assert "is Failed: AlgorithmError: DATA_NO_FRAUD: the training rows hold no fraud" in done.stderr
    assert "aws logs tail /aws/sagemaker/TrainingJobs --log-stream-name-prefix fraud-detect-" in done.stderr


@needs_sdk
@of_the_sdk
def test_a_job_that_aws_refuses(cloud: Cloud) -> None:
    """A quota is told in one line, though the SDK stands between."""
    cloud.refuse("CreateTrainingJob", "ResourceLimitExceeded", "The limit 'ml.m5.xlarge for training' is 0 Instances")

    done = run(main, *OPTIONS, "--channel", f"train={ROWS['train']}")

    assert done.exit_code == 1
    assert "Error: The limit 'ml.m5.xlarge for training' is 0 Instances: ask for more" in done.stderr
    assert "Traceback" not in done.output


@needs_sdk
@of_the_sdk
def test_ctrl_c_leaves_the_job(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while it waits leaves the job, says how to stop it, and ends with code 130."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("train_job.wait", interrupt)
    done = run(main, *OPTIONS, "--channel", f"train={ROWS['train']}")

    assert done.exit_code == 130
    assert f"--training-job-name {cloud.asked('CreateTrainingJob')['TrainingJobName']}" in done.stderr


@needs_sdk
@of_the_sdk
def test_nothing_is_reported(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's reports to its makers are off, and the role is not held to more than it needs."""
    reported: list[Any] = []
    monkeypatch.setattr("requests.get", lambda *asked, **_: reported.append(asked))

    train_job.train(PLAIN, cloud.session, is_waiting=False)

    assert reported == []
    assert "SimulatePrincipalPolicy" not in [asked.operation for asked in cloud.requests]


def test_dry_run_asks_nothing(cloud: Cloud, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run prints uploads and the call, and makes none, without credentials."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)

    done = run(main, *OPTIONS, "--channel", f"train={rows}", "--spot", "--checkpoints", f"{S3}/c", "--dry-run")

    assert done.exit_code == 0, done.output
    assert f"s3.upload_file({rows}/2026/a.csv -> {S3}/input/" in done.stdout
    told = json.loads(done.stdout.partition("create_training_job(")[2].rstrip().removesuffix(")"))
    assert told["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert told["CheckpointConfig"] == {"S3Uri": f"{S3}/c", "LocalPath": "/opt/ml/checkpoints"}
    assert cloud.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--channel", "test=x"], "no channel train: --channel train=DIRECTORY", id="no rows"),
        pytest.param(["--channel", "trian=x"], 'channel "trian": did you mean train?', id="misspelt channel"),
        pytest.param(["--channel", "rows=x"], 'channel "rows": one of train, validation, test', id="unknown channel"),
        pytest.param(["--name", "a b"], '--name "a b": letters, digits and hyphens', id="name"),
        pytest.param(["--instance-type", "foo"], 'instance type "foo": SageMaker\'s begin with ml.', id="type"),
        pytest.param(["--channel", "train=/no/where"], 'channel train: "/no/where" is no file', id="no directory"),
        pytest.param(["--set", "max_dept=3"], "max_depth", id="unknown hyperparameter"),
        pytest.param(["--set", "eta=7"], "eta", id="hyperparameter out of range"),
        pytest.param(["--spot", "--max-wait-minutes", "30"], "30 is less than --max-run-minutes 60", id="no wait"),
        pytest.param(["--subnet", "subnet-1"], "both --subnet and --security-group", id="half a network"),
        pytest.param(["--checkpoints", "c"], '"c" is not an S3 URI', id="checkpoints"),
        pytest.param(["--channel", "train=s3://B/y"], '"s3://B/y" is not an S3 URI', id="no bucket"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_what_would_fail_is_said_first(cloud: Cloud, options: list[str], dry: list[str], said: str) -> None:
    """What would fail is told in one line before anything is uploaded or paid for, in a dry run too."""
    channel = [] if "--channel" in options else ["--channel", f"train={ROWS['train']}"]

    done = run(main, *OPTIONS, *channel, *options, *dry)

    assert done.exit_code == 1, done.output
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert cloud.requests == []


def test_without_the_sdk(cloud: Cloud, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SageMaker's SDK is not installed, it says how to install it, before it uploads."""
    monkeypatch.setitem(sys.modules, "sagemaker.train", None)

    with pytest.raises(Problem, match=r"SDK v3 is missing .*: pip install -r requirements-aws.lock"):
        train_job.train(replace(PLAIN, channels={"train": str(rows)}), cloud.session)

    assert cloud.changes() == []


def test_rows_that_are_not_there(cloud: Cloud) -> None:
    """A channel in S3 without an object is told before a job is started."""
    with pytest.raises(Problem, match=f'nothing in S3 begins with "{S3}/none"'):
        train_job.train(replace(PLAIN, channels={"train": f"{S3}/none"}), cloud.session)

    assert cloud.changes() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--max-wait-minutes", "90"], "--max-wait-minutes goes with --spot", id="wait without spot"),
        pytest.param(["--set", "eta"], '"eta": NAME=VALUE', id="no value"),
        pytest.param(["--channel", "train=x"], '--channel "train" is there 2 times, and takes one value', id="channel"),
        pytest.param(["--set", "eta=0.1", "--set", "eta=0.2"], '--set "eta" is there 2 times', id="hyperparameter"),
        pytest.param(["--env", "A=1", "--env", "A=1"], '--env "A" is there 2 times', id="variable"),
        pytest.param(["--tag", "a=1", "--tag", "a=2"], '--tag "a" is there 2 times', id="tag"),
        pytest.param(["--tag", "project=x"], "--tag project=x: everything has the tag project=fraud-detect", id="ours"),
    ],
)
def test_usage(cloud: Cloud, options: list[str], said: str) -> None:
    """What the command line cannot mean ends it with code 2."""
    done = run(main, *OPTIONS, "--channel", f"train={ROWS['train']}", *options)

    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert cloud.requests == []
