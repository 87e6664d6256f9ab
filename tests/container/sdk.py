"""SageMaker's SDK in a process of its own, since it warns: without credentials, region, settings or network."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.container.engine import docker
from tests.processes import ROOT

SECONDS = 300
NO_AWS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "HTTPS_PROXY": "http://127.0.0.1:9",
}
PRELUDE = "import json\nfrom pathlib import PosixPath\nimport local_mode\nfrom local_mode import *\n"


@dataclass(frozen=True)
class Sdk:
    """Local mode as a person has it, with a home of its own; its containers carry the name of one compose project."""

    home: Path
    project: str

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env=self._environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def run(self, code: str) -> str:
        """Run code that uses local_mode's names, and return what it printed."""
        finished = self.python("-c", PRELUDE + code)
        assert finished.returncode == 0, f"{finished.stdout[-4000:]}{finished.stderr[-4000:]}"
        return finished.stdout

    def error(self, code: str) -> str:
        """Run code that fails, and return what the LocalModeError said."""
        finished = self.python("-c", PRELUDE + code)
        kind, _, said = finished.stderr.splitlines()[-1].partition(": ")
        assert kind == "local_docker.LocalModeError", finished.stderr[-4000:]
        return said

    def containers(self) -> list[str]:
        """Return the containers that its runs left; the network of local mode belongs to all who use it."""
        listed = docker("ps", "--all", "--format", "{{.ID}} {{.Labels}}").stdout.splitlines()
        return [line.split()[0] for line in listed if f"com.docker.compose.project={self.project}" in line]

    def _environment(self) -> Mapping[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}
        own = {"HOME": str(self.home), "TMPDIR": str(self.home), "COMPOSE_PROJECT_NAME": self.project}
        return {**kept, **own, **NO_AWS, "PYTHONPATH": str(ROOT / "scripts")}
