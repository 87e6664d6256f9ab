"""Fill in the placeholders of a policy in this folder, and print it: what `aws iam` takes."""

import json
import re
from pathlib import Path
from string import Template

import click

FOLDER = Path(__file__).parent
POLICIES = sorted(path.stem for path in FOLDER.glob("*.json"))
MOST_CHARACTERS = 6144
IS_ACCOUNT = re.compile(r"[0-9]{12}")
# Names that have to be right for the policy to mean what it says; `*` in one would open it.
IS_PLAIN = re.compile(r"[\w+=,.@/:-]+")


def render(policy: str, values: dict[str, str]) -> str:
    """Return a policy with its placeholders filled in. Raises ClickException for one that is missing or no name."""
    template = Template((FOLDER / f"{policy}.json").read_text(encoding="utf-8"))
    if missing := [name for name in template.get_identifiers() if not values.get(name)]:
        options = ", ".join(f"--{name.lower().replace('_', '-')}" for name in missing)
        raise click.ClickException(f"{policy} needs {options}")
    for name in template.get_identifiers():
        if not IS_PLAIN.fullmatch(values[name]):
            raise click.ClickException(f'--{name.lower().replace("_", "-")} "{values[name]}" is no name')
    if "ACCOUNT" in template.get_identifiers() and not IS_ACCOUNT.fullmatch(values["ACCOUNT"]):
        raise click.ClickException(f'--account "{values["ACCOUNT"]}": 12 digits')
    text = json.dumps(json.loads(template.substitute(values)), indent=2)
    if (length := len("".join(text.split()))) > MOST_CHARACTERS:
        raise click.ClickException(f"{policy} has {length} characters with these names: IAM takes {MOST_CHARACTERS}")
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
    click.echo(render(policy, {name.upper(): value or "" for name, value in values.items()}))


if __name__ == "__main__":
    main()
