"""Options that several scripts share."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from click.core import ParameterSource

from aws.endpoint_shape import Placement

type Command = Callable[..., Any]
TAG = "project=fraud-detect"
IS_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Pair(click.ParamType[tuple[str, str]]):
    """`NAME=VALUE`."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Split at the first `=`."""
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not (name and equals):
            self.fail(f'"{value}": NAME=VALUE', param, ctx)
        return name, text


def apply(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator of many, `--help` in their order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


session_options = apply(
    click.option("--profile", metavar="NAME", help="Of the AWS configuration; else AWS_PROFILE, or what is there."),
    click.option("--region", metavar="REGION", help="Else AWS_REGION, or the profile's."),
)
run_options = apply(
    click.option("--tag", "tags", type=Pair(), multiple=True, help=f"Beside {TAG}, by which teardown.py finds things."),
    click.option("--dry-run", is_flag=True, help="Print each call of AWS with its parameters, and make none."),
    click.option("--wait/--no-wait", default=True, show_default=True, help="Until it is done."),
)
role_option = click.option(
    "--role", envvar="SAGEMAKER_ROLE", show_envvar=True, metavar="ARN", help="What SageMaker acts as."
)
image_option = click.option(
    "--image", envvar="FRAUD_IMAGE", show_envvar=True, metavar="URI", help="What ./build_and_push.sh printed."
)
network_options = apply(
    click.option("--subnet", "subnets", multiple=True, metavar="ID", help="Of your VPC; may be repeated."),
    click.option("--security-group", "security_groups", multiple=True, metavar="ID", help="May be repeated."),
    click.option("--network-isolation", "is_isolated", is_flag=True, help="No network at all for the container."),
    click.option("--kms-key", metavar="KEY", help="Encrypts volumes and what is written to S3."),
)


def check_companions(companions: Sequence[tuple[str, str]], strangers: Sequence[tuple[str, str]]) -> None:
    """Raise UsageError for each option on the command line whose companion is not there, or whose stranger is.

    Both pair the name of a parameter with that of another. An option counts as told even where it says the default, and
    another is there only where it says something else.
    """
    context = click.get_current_context()
    known = {str(parameter.name): parameter for parameter in context.command.params}
    flags = {name: parameter.opts[0] for name, parameter in known.items()}
    told = {name for name in known if context.get_parameter_source(name) == ParameterSource.COMMANDLINE}
    there = {name for name, value in context.params.items() if value and value != known[name].get_default(context)}
    alone = [f"{flags[a]} takes {flags[b]}" for a, b in companions if a in told and b not in there]
    clash = [f"{flags[a]} and {flags[b]} exclude each other" for a, b in strangers if a in told and b in there]
    if problems := [*alone, *clash]:
        raise click.UsageError("; ".join(problems))


def environment_option(what: str) -> Callable[[Command], Command]:
    """Return `--env` with an example of what to set."""
    return click.option("--env", "environment", type=Pair(), multiple=True, help=f"For the container: {what}.")


def once[T](what: str, pairs: Sequence[tuple[str, T]]) -> dict[str, T]:
    """Return pairs by name. Raises UsageError for a name that is there twice, as one would count and not the other."""
    names = [name for name, _ in pairs]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise click.UsageError(f'{what} "{twice[0]}" is there {names.count(twice[0])} times, and takes one value')
    return dict(pairs)


def environment(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the variables of a container. Raises UsageError for a name that is none, or is there twice."""
    for name, _ in pairs:
        if not IS_VARIABLE.fullmatch(name):
            raise click.UsageError(f'--env "{name}": letters, digits and _, no digit first')
    return once("--env", pairs)


def placement(options: dict[str, Any]) -> Placement:
    """Take a placement's options out of all options. Raises UsageError for a role that is missing."""
    role = options.pop("role")
    if not role:
        raise click.UsageError("--role ARN is needed, or SAGEMAKER_ROLE: what SageMaker acts as")
    variables = environment(options.pop("environment"))
    names = ("subnets", "security_groups", "is_isolated", "kms_key")
    return Placement(role=role, environment=variables, **{name: options.pop(name) for name in names})


def tags(pairs: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """Return the tags given, and the one by which teardown.py finds what is ours. Raises UsageError for another one."""
    key, _, value = TAG.partition("=")
    given = once("--tag", pairs)
    if key in given:
        raise click.UsageError(f"--tag {key}={given[key]}: everything has the tag {TAG}, by which teardown.py finds it")
    return {key: value} | given
