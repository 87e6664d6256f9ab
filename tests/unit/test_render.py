"""What scripts/iam/render.py prints is what `aws iam` takes."""

import json
import re
from pathlib import Path

import pytest

from iam.render import MOST_CHARACTERS, POLICIES, main
from tests.aws_world import ACCOUNT, BUCKET, REGION, ROLE, run

ROOT = Path(__file__).parents[2]
PLACE = ("--account", ACCOUNT, "--region", REGION)
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ALL = (*PLACE, "--bucket", BUCKET, "--endpoint", "fraud", "--kms-key", KEY)
# IAM's quotas for what a command gives, white space not counted.
ROOMS = {"create-policy": 6144, "create-role": 2048, "put-role-policy": 10_240, "put-user-policy": 2048}


def size(policy: str) -> int:
    return len("".join(run(main, policy, *ALL).stdout.split()))


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_is_whole(policy: str) -> None:
    """No placeholder is left in a policy, and it fits into a managed one."""
    text = run(main, policy, *ALL).stdout

    assert json.loads(text)["Statement"]
    assert "${" not in text
    assert size(policy) < MOST_CHARACTERS


@pytest.mark.parametrize("page", ["scripts/iam/README.md", "docs/03-aws.md"])
def test_policies_are_given_where_they_fit(page: str) -> None:
    """A command of the docs gives a policy in a way that has room for it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    given = re.findall(r'aws iam ([a-z-]+) .*"\$\(render ([a-z-]+)\)"', text)

    assert {how for how, _ in given} >= {"create-role", "put-role-policy"}
    assert [(how, policy) for how, policy in given if size(policy) > ROOMS[how]] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["deployer", *PLACE], "deployer needs --bucket", id="missing"),
        pytest.param(["caller", *PLACE, "--endpoint", "*"], '--endpoint "*": a name alone', id="everything"),
        pytest.param(["caller", *ALL, "--account", "12"], '--account "12": 12 digits', id="account"),
        pytest.param(["execution", *ALL, "--bucket", "s3://b"], '--bucket "s3://b": the bucket\'s name', id="URI"),
        pytest.param(["execution", *ALL, "--bucket", "rows/x"], '--bucket "rows/x": the bucket\'s name', id="folder"),
        pytest.param(["execution", *ALL, "--prefix", "/"], "execution needs --prefix", id="no prefix"),
        pytest.param(["execution-kms", "--kms-key", "alias/foo"], '--kms-key "alias/foo": arn:aws:kms:', id="alias"),
        pytest.param(["deployer", *ALL, "--role", ROLE], f'--role "{ROLE}": a name alone', id="ARN"),
    ],
)
def test_render_refuses(arguments: list[str], said: str) -> None:
    """What is missing, would open the policy, or would let it match nothing is told in one line."""
    done = run(main, *arguments)

    assert done.exit_code == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_render() -> None:
    """A placeholder becomes the name that was given."""
    done = run(main, "caller", *PLACE, "--endpoint", "fraud")

    (statement,) = json.loads(done.stdout)["Statement"]
    assert statement["Resource"] == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/fraud"


def test_render_of_a_folder() -> None:
    """A slash at either end of a prefix is no part of it."""
    done = run(main, "execution", *ALL, "--prefix", "/fraud-detect/")

    assert f'"arn:aws:s3:::{BUCKET}/fraud-detect/*"' in done.stdout
    assert "//" not in done.stdout
