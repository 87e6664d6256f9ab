"""The tree that SageMaker gives to a container; the only file that knows its paths."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fraud.errors import ConfigError, FraudError, HostsError, InputModeError, OutputError

FAILURE_CHARACTERS = 1024
# What each file of the configuration should hold, and what JSON may hold instead.
RIGHT = {
    "hyperparameters": 'a JSON object of strings, such as {"num_round": "300"}',
    "inputdataconfig": 'a JSON object of channels, such as {"train": {"ContentType": "text/csv"}}',
    "resourceconfig": 'a JSON object, such as {"hosts": ["algo-1"]}',
}
KINDS = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}


@dataclass(frozen=True)
class OptMl:
    """`/opt/ml`, or a directory of the same shape."""

    base: Path

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        return self.base / "output" / "data"

    @property
    def failure(self) -> Path:
        return self.base / "output" / "failure"

    def channel(self, name: str) -> Path:
        return self.base / "input" / "data" / name

    def hyperparameters(self) -> dict[str, str]:
        """Return what the job was told, as strings; nothing when there is no file (T16)."""
        return {name: str(value) for name, value in self._config("hyperparameters").items()}

    def content_types(self) -> dict[str, str]:
        """Return the content type of each channel that states one; InputModeError for Pipe mode (T17, T25)."""
        stated = {}
        for channel, config in self._config("inputdataconfig").items():
            settings = config if isinstance(config, Mapping) else {}
            if settings.get("TrainingInputMode") == "Pipe":
                raise InputModeError(
                    f'channel "{channel}" has TrainingInputMode "Pipe"; start the job with "File" or "FastFile"'
                )
            if settings.get("ContentType"):
                stated[channel] = str(settings["ContentType"])
        return stated

    def require_one_host(self) -> None:
        """Raise HostsError where the job was given several hosts (T65)."""
        hosts = self._config("resourceconfig").get("hosts", [])
        if isinstance(hosts, list) and len(hosts) > 1:
            raise HostsError(f"the job has {len(hosts)} hosts and training runs on one; start it with InstanceCount=1")

    def require_writable(self) -> None:
        """Raise OutputError where the model or its report could not be written once they are made."""
        for directory in (self.model, self.output_data):
            there = next(path for path in (directory, *directory.parents) if path.exists())
            if not os.access(there, os.W_OK | os.X_OK):
                raise OutputError(f"{there} cannot be written; mount it writable, for the user that trains")

    def write_failure(self, error: FraudError) -> None:
        """Leave the cause where DescribeTrainingJob reads it, unless one is there already (T35, T36)."""
        self.failure.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.failure.open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{error.code}: {error.public}"[:FAILURE_CHARACTERS])
        except FileExistsError:
            return

    def _config(self, name: str) -> dict[str, object]:
        path = self.base / "input" / "config" / f"{name}.json"
        if not path.exists():
            return {}
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} holds bytes that are not UTF-8 text; it should hold {RIGHT[name]}") from error
        content, held = _content(text)
        if not isinstance(content, dict):
            raise ConfigError(f"{path} holds {held}; it should hold {RIGHT[name]}")
        return content


def _content(text: str) -> tuple[object, str]:
    """Return what a text holds as JSON, and that in words."""
    if not text.strip():
        return None, "nothing"
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        return None, f"text that is not JSON, from line {error.lineno}, column {error.colno} on"
    except (RecursionError, ValueError):
        return None, "JSON that nests too deeply, or a number of too many digits"
    return content, KINDS.get(type(content), "a JSON object")
