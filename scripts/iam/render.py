"""Fill in the placeholders of a policy in this folder, and print it: what `aws iam` takes."""

import json
import re
from pathlib import Path
from string import Template

import click

FOLDER = Path(__file__).parent
POLICIES = sorted(path.stem for path in FOLDER.glob("*.json"))
# Of a managed policy, white space not counted; inline, a role takes 10,240 in all, a user 2,048, a group 5,120.
MOST_CHARACTERS = 6144
# Names that have to be right for the policy to mean what it says: `*` in one would open it, `s3://` match nothing.
NAME = re.compile(r"[\w+=,.@/-]+"), "a name alone: letters, digits and + = , . @ / _ -"
SHAPES = {
    "ACCOUNT": (re.compile(r"[0-9]{12}"), "12 digits"),
    "BUCKET": (re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), "the bucket's name alone, such as my-fraud-bucket"),
    "KMS_KEY": (
        re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+"),
        "arn:aws:kms:REGION:ACCOUNT:key/ID; `aws kms describe-key --key-id alias/NAME` tells it",
    ),
}


def render(policy: str, values: dict[str, str]) -> str:
    """Return a policy with its placeholders filled in. Raises ClickException for a value that is missing or wrong."""
    template = Template((FOLDER / f"{policy}.json").read_text(encoding="utf-8"))
    if missing := [name for name in template.get_identifiers() if not values.get(name)]:
        options = ", ".join(f"--{name.lower().replace('_', '-')}" for name in missing)
        raise click.ClickException(f"{policy} needs {options}")
    for name in template.get_identifiers():
        pattern, right = SHAPES.get(name, NAME)
        if not pattern.fullmatch(values[name]):
            raise click.ClickException(f'--{name.lower().replace("_", "-")} "{values[name]}": {right}')
    text = json.dumps(json.loads(template.substitute(values)), indent=2)
    if (length := len("".join(text.split()))) > MOST_CHARACTERS:
        most = f"a managed policy has {MOST_CHARACTERS} at most"
        raise click.ClickException(f"{policy} has {length} characters with these names: {most}")
    return text


@click.command()
@click.argument("policy", type=click.Choice(POLICIES))
@click.option("--account", help="Twelve digits: aws sts get-caller-identity --query Account --output text")
@click.option("--region", envvar="AWS_REGION", show_envvar=True)
@click.option("--bucket", help="Where rows, models and reports lie.")
@click.option("--prefix", default="fraud-detect", show_default=True, help="Below which in the bucket.")
@click.option("--repository", default="fraud-detect", show_default=True, help="In ECR.")
@click.option("--role", default="fraud-detect-execution", show_default=True, help="What SageMaker acts as.")
@click.option("--name", default="fraud-detect", show_default=True, help="What names of endpoints and jobs begin with.")
@click.option("--endpoint", help="That a caller may ask.")
@click.option("--kms-key", help="ARN of a key.")
@click.option("--partition", default="aws", show_default=True, help="aws-cn, aws-us-gov, ...")
def main(policy: str, **values: str | None) -> None:
    """Print POLICY for your account; README.md in this folder says which is for whom."""
    values["prefix"] = (values["prefix"] or "").strip("/")
    click.echo(render(policy, {name.upper(): value or "" for name, value in values.items()}))


if __name__ == "__main__":
    main()
