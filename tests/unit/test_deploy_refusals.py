"""What `deploy.py` refuses before it makes anything."""

import pytest

import deploy
from deploy import main
from tests.aws_world import BUCKET, MODEL_DATA, Cloud, run
from tests.endpoints import OPTIONS, PLAIN


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--endpoint", "fraud_1"], 'name "fraud_1": letters, digits and hyphens', id="name"),
        pytest.param(
            ["--instance-type", "t2.micro"], 'instance type "t2.micro": SageMaker\'s begin with ml.', id="type"
        ),
        pytest.param(["--env", "SAGEMAKER_INFERENCE_OUTPUT=foo"], 'answer "foo": one of probability', id="answer"),
        pytest.param(["--serverless", "0"], "--serverless 0: 1024, 2048", id="no memory"),
        pytest.param(["--serverless", "3000"], "--serverless 3000: 1024, 2048", id="memory"),
        pytest.param(
            ["--serverless", "2048", "--capture", f"s3://{BUCKET}/c", "--scale", "1:2", "--network-isolation"],
            "a serverless endpoint has no --network-isolation, --capture, --scale",
            id="serverless lacks it",
        ),
        pytest.param(["--subnet", "subnet-1"], "both --subnet and --security-group", id="half a network"),
        pytest.param(["--scale", "4:1"], "--scale 4:1: from 1 on, the lower number first", id="scale"),
        pytest.param(["--scale", "0:1"], "--scale 0:1: from 1 on", id="scale to none"),
        pytest.param(["--traffic", "canary"], "2 instances for all", id="canary of one"),
        pytest.param(["--traffic", "linear", "--step", "60"], "--step 60: 10 to 50 per cent", id="step"),
        pytest.param(["--scale", "1:4", "--scale-target", "nan"], "--scale-target nan: more than 0", id="target"),
        pytest.param(["--shadow", f"b={MODEL_DATA},weight=-1"], 'variant "b": weight=-1: a number from 0', id="less"),
        pytest.param(["--shadow", f"b={MODEL_DATA},weight=nan"], 'variant "b": weight=nan: a number from 0', id="nan"),
        pytest.param(["--shadow", f"b={MODEL_DATA},weight=inf"], 'variant "b": weight=inf: a number from 0', id="all"),
        pytest.param(["--shadow", f"b={MODEL_DATA},instances=0"], 'variant "b": instances=0: 1 or more', id="none"),
        pytest.param(
            ["--update", "--instances", "2", "--traffic", "linear", "--step", "10", "--bake", "3600"],
            "--traffic linear --step 10 --bake 3600: 10 times 3600 s, and 1920 s to start and end instances, "
            "are 37920 s, and AWS ends an update after 28800: --bake 2688 at most, or a larger --step",
            id="longer than an update may take",
        ),
        pytest.param(["--traffic", "linear", "--step", "0"], "--step 0: 10 to 50 per cent", id="no step"),
        pytest.param(["--image", "xgboost:latest"], 'image "xgboost:latest" is not in ECR', id="image"),
        pytest.param(["--role", "fraud"], 'role "fraud" is not the ARN of a role', id="role"),
        pytest.param(["--model-data", "model.tar.gz"], '"model.tar.gz" is not an S3 URI', id="model"),
        pytest.param(["--shadow", f"all={MODEL_DATA}"], 'variant "all" is there twice', id="shadow of itself"),
        pytest.param(
            ["--shadow", f"a-all={MODEL_DATA}", "--endpoint", f"{'n' * 38}-a-{'n' * 20}"],
            'variants all and a-all would both have model "',
            id="shadow that is called alike",
        ),
        pytest.param(["--no-wait", "--scale", "1:2"], "--scale takes --wait", id="scale unseen"),
        pytest.param(["--model-data", f"s3://{BUCKET}/"], f'"s3://{BUCKET}/" is no model: it ends in', id="no key"),
        pytest.param(["--model-data", f"s3://{BUCKET}/p/model"], "is no model: it ends in .tar.gz", id="no archive"),
        pytest.param(["--capture", "xx"], '"xx" is not an S3 URI', id="capture"),
        pytest.param(["--async-output", "answers"], '"answers" is not an S3 URI', id="answers"),
        pytest.param(
            ["--async-output", f"s3://{BUCKET}/a", "--async-failures", "s3://F"], '"s3://F" is not', id="failures"
        ),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_what_aws_would_refuse_is_said_first(cloud: Cloud, options: list[str], dry: list[str], said: str) -> None:
    """What SageMaker would refuse is told in one line before anything is made, in a dry run too."""
    done = run(main, *OPTIONS, *options, *dry)

    assert done.exit_code == 1, done.output
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert cloud.requests == []


@pytest.mark.parametrize(
    ("is_there", "options", "said"),
    [
        pytest.param(True, [], '"fraud-detect" exists already (InService): pass --update', id="taken"),
        pytest.param(
            False, ["--update"], '"fraud-detect" does not exist in eu-west-1: leave out --update', id="absent"
        ),
        pytest.param(
            True,
            ["--update", "--traffic", "canary", "--variant", f"b={MODEL_DATA},instances=2"],
            "needs the variants that serve now, all; these are b",
            id="other variants",
        ),
    ],
)
def test_name(cloud: Cloud, is_there: bool, options: list[str], said: str) -> None:
    """A name that is taken, or is not there to be updated, is told before anything is made."""
    if is_there:
        deploy.deploy(PLAIN, cloud.session)
    cloud.requests.clear()
    given = OPTIONS[:-2] if "--variant" in options else OPTIONS

    done = run(main, *given, *options)

    assert done.exit_code == 1
    assert said in done.stderr
    assert cloud.changes() == []


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--variant", f"b={MODEL_DATA}"], id="two ways"),
        pytest.param(["--scale", "many"], id="no range"),
        pytest.param(["--env", "A-B=1"], id="no variable"),
        pytest.param(["--env", "A=1", "--env", "A=2"], id="variable twice"),
        pytest.param(["--tag", "alone"], id="no pair"),
        pytest.param(["--tag", "project=x"], id="tag of teardown.py"),
        pytest.param(["--tag", "a=1", "--tag", "a=2"], id="tag twice"),
        pytest.param(["--serverless", "2048", "--async-output", f"s3://{BUCKET}/o"], id="two kinds"),
        pytest.param(["--shadow", f"s={MODEL_DATA},weihgt=1"], id="unknown size"),
    ],
)
def test_usage(cloud: Cloud, options: list[str]) -> None:
    """What the command line cannot mean ends it with code 2 and a line on what it takes."""
    done = run(main, *OPTIONS, *options)

    assert done.exit_code == 2
    assert "Error: " in done.stderr
    assert cloud.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--async-failures", f"s3://{BUCKET}/f"], "--async-failures takes --async-output", id="failures"),
        pytest.param(["--async-concurrency", "4"], "--async-concurrency takes --async-output", id="async concurrency"),
        pytest.param(["--scale-target", "1000"], "--scale-target takes --scale", id="target"),
        pytest.param(["--capture-percent", "20"], "--capture-percent takes --capture", id="percent"),
        pytest.param(["--max-concurrency", "5"], "--max-concurrency takes --serverless", id="concurrency"),
        pytest.param(["--step", "10"], "--step takes --traffic", id="step"),
        pytest.param(["--update", "--step", "20"], "--step takes --traffic", id="step of an update at once"),
        pytest.param(["--bake", "0"], "--bake takes --update", id="bake"),
        pytest.param(["--alarm", "night"], "--alarm takes --update", id="alarm"),
        pytest.param(
            ["--step", "10", "--capture-percent", "20"],
            "--capture-percent takes --capture; --step takes --traffic",
            id="two at once",
        ),
        pytest.param(
            ["--serverless", "2048", "--instances", "1"],
            "--instances and --serverless exclude each other",
            id="instances of none",
        ),
        pytest.param(
            ["--serverless", "2048", "--instance-type", "ml.m5.large"],
            "--instance-type and --serverless exclude each other",
            id="type of none",
        ),
        pytest.param(
            ["--serverless", "2048", "--update", "--bake", "60"],
            "--bake and --serverless exclude each other",
            id="serverless update",
        ),
    ],
)
def test_an_option_that_would_change_nothing(cloud: Cloud, options: list[str], said: str) -> None:
    """An option that would be ignored is refused, even where it says the default."""
    done = run(main, *OPTIONS, *options, "--dry-run")

    assert done.exit_code == 2, done.output
    assert done.stderr.splitlines()[-1] == f"Error: {said}"
    assert cloud.requests == []


@pytest.mark.parametrize(
    ("size", "said"),
    [
        pytest.param("weight=x", 'weight="x" is not a number', id="weight"),
        pytest.param("instances=1.5", 'instances="1.5" is not a whole number', id="instances"),
        pytest.param("weihgt=1", '"weihgt=1" is none of weight=, instances=, type=, image=', id="unknown"),
        pytest.param("weight=1,weight=2", '"weight" is there 2 times, and takes one value', id="twice"),
    ],
)
def test_a_size_of_a_variant(cloud: Cloud, size: str, said: str) -> None:
    """A size that is no number is told as such, and one that is unknown with those that are known."""
    done = run(main, *OPTIONS, "--shadow", f"s={MODEL_DATA},{size}", "--dry-run")

    assert done.exit_code == 2, done.output
    assert done.stderr.splitlines()[-1] == f'Error: variant "s": {said}'


def test_a_size_of_no_instances(cloud: Cloud) -> None:
    """A variant without instances of its own is not told their number and type."""
    variant = f"a={MODEL_DATA},instances=3,type=ml.c5.large"
    done = run(main, *OPTIONS[:-2], "--serverless", "1024", "--variant", variant, "--dry-run")

    assert done.exit_code == 2, done.output
    refused = 'Error: variant "a": instances= and type= and --serverless exclude each other'
    assert done.stderr.splitlines()[-1] == refused


def test_an_update_of_no_endpoint(cloud: Cloud) -> None:
    """An update says which endpoint: a new name would be none that is there."""
    done = run(main, *OPTIONS[2:], "--update", "--dry-run")

    assert done.exit_code == 2, done.output
    assert done.stderr.splitlines()[-1] == "Error: --update takes --endpoint"
    assert cloud.requests == []
