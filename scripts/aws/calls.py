"""Calls that change AWS: shown, or made and remembered so that they can be undone."""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from aws import sessions

LONGEST_NAME = 63
POLL_SECONDS = 10


@dataclass(frozen=True)
class Call:
    """A call of AWS that has yet to be made, as boto3 spells it, and the call that undoes it."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    undo: "Call | None" = None

    def __str__(self) -> str:
        return f"{self.service}.{self.operation}({json.dumps(self.parameters, indent=2, ensure_ascii=False)})"

    @property
    def subject(self) -> str:
        """What it is about, for people: `create_model fraud-all-...`."""
        names = ("TransformJobName", "AlarmName", "PolicyName", "ResourceId", "EndpointName", "EndpointConfigName")
        named = next((self.parameters[name] for name in names if name in self.parameters), None)
        named = named or self.parameters.get("ModelName") or next(iter(self.parameters.values()), "")
        return f"{self.operation} {' '.join(named) if isinstance(named, list) else named}"


@dataclass
class Journal:
    """What one run has made, and how to undo it, last first."""

    session: boto3.Session
    undos: list[Call] = field(default_factory=list)

    def make(self, call: Call) -> Any:
        """Make a call. What came to nothing for certain needs no undoing; what broke off in the middle does."""
        if call.undo:
            self.undos.append(call.undo)
        try:
            answer = send(self.session, call)
        except ClientError as error:
            if call.undo and sessions.is_refusal(error):
                self.undos.pop()
            raise
        click.echo(f"  {call.subject}", err=True)
        return answer

    def undo(self) -> list[str]:
        """Undo everything, last first, up to the first thing that cannot be undone; return what remains."""
        while self.undos:
            try:
                send(self.session, self.undos[-1])
                click.echo(f"  undone: {self.undos[-1].subject}", err=True)
            except (BotoCoreError, ClientError) as error:
                if not (isinstance(error, ClientError) and sessions.is_absent(error)):
                    click.echo(f"  not undone: {self.undos[-1].subject}: {sessions.explain(error)}", err=True)
                    break
            self.undos.pop()
        return [call.subject for call in reversed(self.undos)]

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Undo what was made where the block fails, and say what remains."""
        try:
            yield
        except (BotoCoreError, ClientError, click.ClickException, KeyboardInterrupt) as error:
            if self.undos:
                click.echo("undoing what this run made:", err=True)
            remains = self.undo()
            left = f"; still there, and not done: {', '.join(remains)}" if remains else ""
            if isinstance(error, KeyboardInterrupt):
                if left:
                    click.echo(f"stopped{left}", err=True)
                raise
            said = error.message if isinstance(error, click.ClickException) else sessions.explain(error)
            raise sessions.Problem(said + left) from error


def send(session: boto3.Session, call: Call) -> Any:
    """Make a call, and return AWS's answer."""
    return getattr(sessions.client(session, call.service), call.operation)(**call.parameters)


def show(calls: Iterable[object]) -> None:
    """Print calls in the order in which they would be made, each with its parameters."""
    for call in calls:
        click.echo(str(call))


def suffix() -> str:
    """Return what makes a name unique and still readable: `20261121-1642-k3f9`."""
    letters = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(4))
    return f"{datetime.now(UTC):%Y%m%d-%H%M}-{letters}"


def unique(stem: str, ending: str) -> str:
    """Return `stem-ending` within the 63 characters that SageMaker allows, its ending whole."""
    return f"{stem[: LONGEST_NAME - len(ending) - 1].rstrip('-')}-{ending}"


def wait(describe: Callable[[], Mapping[str, Any]], status: Callable[[Mapping[str, Any]], str], busy: set[str]) -> Any:
    """Ask until the status is none of `busy`, showing each new one and the time; return the last answer."""
    began, shown = time.monotonic(), ""
    with Console(stderr=True, force_jupyter=False).status("waiting") as line:
        while True:
            answer = describe()
            now, minutes = status(answer), (time.monotonic() - began) / 60
            line.update(f"{now}, {minutes:.0f} min")
            if now != shown:
                click.echo(f"  {now} after {minutes:.1f} min", err=True)
            shown = now
            if now.partition(":")[0] not in busy:
                return answer
            time.sleep(POLL_SECONDS)
