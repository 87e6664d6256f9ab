"""Calls of AWS, printed for reading: as boto3 spells them, on as few lines as that takes."""

from collections.abc import Iterable

import click
from rich.pretty import pretty_repr

from aws.calls import Call

WIDTH = 110


def show(calls: Iterable[object]) -> None:
    """Print calls, and files to upload, in the order in which they would be made."""
    for call in calls:
        click.echo(spelled(call) if isinstance(call, Call) else str(call))


def spelled(call: Call) -> str:
    """Return a call with all its parameters, as Python."""
    parameters = pretty_repr(dict(call.parameters), max_width=WIDTH)
    return f"{call.service}.{call.operation}(**{parameters})"
