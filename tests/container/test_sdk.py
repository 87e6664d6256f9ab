import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.container.engine import docker, new_name
from tests.processes import ROOT, free_port

SECONDS = 300
HERE = Path(__file__).parent
PAYLOAD = ROOT / "local_test" / "payload.csv"
# Ten lines that are no rows, each in its own way.
BAD_LINES = [
    "1,2,3",
    "word",
    ",".join(["word"] * 30),
    ",".join(["0"] * 31),
    '"' + ",".join(["0"] * 30),
    ",".join(["0"] * 29 + ["12;5"]),
    ",".join(["0"] * 29 + ["1e400"]),
    '{"Time": 1}',
    ",".join(["0"] * 29 + ["\u00bd"]),
    ";".join(["0"] * 30),
]
LABEL = "com.docker.compose.project"
# Credentials of nobody, and no way to the network: local mode needs neither.
OFFLINE = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "HTTPS_PROXY": "http://127.0.0.1:9",
}
OPT_OUT = "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n"


@dataclass(frozen=True)
class Sdk:
    """The SDK in a process of its own, since it warns; its containers carry the name of one compose project."""

    home: Path
    environment: Mapping[str, str]

    def run(self, script: str, *arguments: str, told: str = "") -> str:
        finished = subprocess.run(
            [sys.executable, str(HERE / script), *arguments],
            input=told,
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert finished.returncode == 0, f"{finished.stdout[-4000:]}{finished.stderr[-4000:]}"
        return finished.stdout


@pytest.fixture
def sdk(image: str, tree: Path) -> Iterator[Sdk]:
    if importlib.util.find_spec("sagemaker") is None:
        pytest.skip("SageMaker's SDK is not installed: make .venv/aws")
    if shutil.which("docker-compose") is None and docker("compose", "version", check=False).returncode:
        pytest.skip("neither `docker compose` nor docker-compose answers")
    home, project = tree / "home", new_name()
    home.mkdir()
    (home / "telemetry.yaml").write_text(OPT_OUT)
    kept = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}
    own = {"HOME": str(home), "COMPOSE_PROJECT_NAME": project}
    yield Sdk(home, {**kept, **own, **OFFLINE, "SAGEMAKER_USER_CONFIG_OVERRIDE": str(home / "telemetry.yaml")})
    for kind, options in (("container", ("--all",)), ("network", ())):
        listed = docker(kind, "ls", *options, "--quiet", "--filter", f"label={LABEL}={project}").stdout.split()
        if listed:
            docker(kind, "rm", *(["--force"] if kind == "container" else []), *listed)


def test_model_trainer_trains_in_the_image(image: str, tree: Path, sdk: Sdk) -> None:
    """SDK v3's ModelTrainer in local mode starts the image without a command, and packs the model (T6, T14, T32)."""
    told = json.dumps({"num_round": 20, "resampling": "none", "eta": 0.1, "refit": False})
    sdk.run("sdk_train.py", image, str(tree / "input" / "data" / "train"), str(sdk.home), told=told)

    with tarfile.open(sdk.home / "compressed_artifacts" / "model.tar.gz") as archive:
        assert {"bundle.json", "booster.ubj"} <= set(archive.getnames())
    with tarfile.open(sdk.home / "compressed_artifacts" / "output.tar.gz") as archive:
        assert "data/report.html" in archive.getnames()


def test_local_endpoint_answers(image: str, trained_tree: Path, sdk: Sdk) -> None:
    """SDK v3's local endpoint unpacks a job's archives beside each other, starts `serve` and gets answers (S1, S11)."""
    artifacts, answer = sdk.home / "artifacts", sdk.home / "answer.json"
    for name in ("model", "output"):
        shutil.make_archive(str(artifacts / name), "gztar", trained_tree / name)
    told = PAYLOAD.read_text()
    places = (str(artifacts), str(sdk.home), str(free_port()), str(answer))
    sdk.run("sdk_serve.py", image, *places, told=told)
    said = json.loads(answer.read_text())

    assert said["endpoint"] == "InService"
    assert said["status"] == 200
    assert len(said["body"].splitlines()) == len(told.splitlines())


@pytest.mark.parametrize(
    ("strategy", "count"),
    [pytest.param("MultiRecord", 100_000, id="many"), pytest.param("SingleRecord", 2_000, id="one")],
)
def test_local_batch_transform_answers_each_line(
    image: str, trained_tree: Path, sdk: Sdk, strategy: str, count: int
) -> None:
    """SDK v3's local batch transform gets a line for each of 100,000, ten bad ones among them (S41, S43-S46)."""
    good = PAYLOAD.read_text().splitlines()
    lines = [good[number % len(good)] for number in range(count)]
    for number, bad in enumerate(BAD_LINES):
        lines[count // 11 * (number + 1)] = bad
    rows, output = sdk.home / "rows", sdk.home / "scores"
    rows.mkdir()
    output.mkdir()
    (rows / "rows.csv").write_text("\n".join(lines) + "\n")
    places = (str(sdk.home), str(free_port()), str(rows), str(output))
    sdk.run("sdk_transform.py", image, str(trained_tree / "model"), *places, strategy)

    # local mode adds a line end of its own to each mini-batch
    answers = [line for line in (output / "rows.csv.out").read_text().splitlines() if line]
    is_error = [line.startswith(("ERROR: ", '"ERROR: ')) for line in answers]
    assert len(answers) == count
    assert is_error == [line in BAD_LINES for line in lines]
    assert all(0 <= float(line) <= 1 for line, wrong in zip(answers, is_error, strict=True) if not wrong)
