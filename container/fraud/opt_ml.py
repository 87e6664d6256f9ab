"""The tree that SageMaker gives to a container; the only file that knows its paths."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fraud.errors import FraudError, HostsError, InputModeError, PlatformError

FAILURE_CHARACTERS = 1024


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
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise PlatformError(f"{path} cannot be read as JSON: {error}") from error
        if not isinstance(content, dict):
            raise PlatformError(f"{path} holds {type(content).__name__}, not an object")
        return content
