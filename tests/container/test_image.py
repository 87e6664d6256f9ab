import json
from typing import Any

import pytest

from tests.container.engine import docker, run

LARGEST_BYTES = 750 * 10**6
ABSENT = ("boto3", "hypothesis", "mypy", "nvidia.nccl", "pytest", "sagemaker")
FIND = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n.split('.')[0])])"
# World-writable files would let any uid change the program; unreadable ones would stop it (S60).
CLOSED = (
    "find / -xdev -path /proc -prune -o ( -path /opt/fraud/* ( -not -perm -o=r -o -perm -o=w -not -type l ) ) -print"
)


def inspected(image: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(docker("image", "inspect", image).stdout)[0]
    return config


def test_labels_say_what_the_image_is_and_that_its_port_can_be_chosen(image: str) -> None:
    """The labels name the port capability (S2), the licence, and the version and revision of the build."""
    labels = inspected(image)["Config"]["Labels"]

    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.version"] == "1.2.3"
    assert labels["org.opencontainers.image.revision"] == "0123abc"
    assert labels["org.opencontainers.image.title"]
    assert labels["org.opencontainers.image.description"]


def test_configuration_leaves_the_command_to_the_platform(image: str) -> None:
    """There is no entry point (T2, T5), the user is root (T9), and nothing needed lies below /opt/ml (T10)."""
    config = inspected(image)["Config"]

    assert not config["Entrypoint"]
    assert config["User"] in ("", "root", "0")
    assert not config["WorkingDir"].startswith("/opt/ml")
    assert "PYTHONUNBUFFERED=1" in config["Env"]
    assert run(image, "ls", "/opt/ml").returncode != 0


def test_image_stays_within_its_size(image: str) -> None:
    """The image takes 750 MB at most, uncompressed."""
    assert inspected(image)["Size"] <= LARGEST_BYTES


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        pytest.param(["bash", "-c", "echo $((6 * 7))"], "42", id="bash"),
        pytest.param(["/bin/bash", "-c", "cat /proc/1/comm"], "cat", id="cat by an absolute bash"),
        pytest.param(["python3", "-c", "import fraud; print('here')"], "here", id="python3"),
        pytest.param(["python", "-c", "print('here')"], "here", id="python"),
        pytest.param(["chmod", "-R", "777", "/tmp"], "", id="chmod"),
        pytest.param(["pip", "--version"], "/opt/fraud/", id="pip"),
        pytest.param(["pip3", "--version"], "/opt/fraud/", id="pip3"),
        pytest.param(["fraud", "--help"], "serve", id="fraud"),
    ],
)
def test_any_other_command_runs_as_it_is(image: str, command: list[str], answer: str) -> None:
    """A command that is not ours is executed, not refused (T5, T7), and what the SDK's scripts need is there (T8)."""
    finished = run(image, *command)

    assert finished.returncode == 0, finished.stderr
    assert answer in finished.stdout


def test_image_holds_only_what_its_jobs_need(image: str) -> None:
    """NCCL, the AWS SDK and the test tools are not in the image."""
    found = run(image, "python3", "-c", FIND, *ABSENT)

    assert found.stdout.strip() == "[]", found.stderr


def test_every_file_is_open_to_read_and_closed_to_write_for_other_users(image: str) -> None:
    """Whatever uid the platform chooses can read the program (S60), and only root can change it."""
    found = run(image, *CLOSED.split())

    assert found.returncode == 0, found.stderr
    assert found.stdout == ""


def test_bytecode_is_compiled_in_the_image(image: str) -> None:
    """Python finds its bytecode ready, since nothing may be written where the program lies."""
    code = "import fraud.schema, pathlib; print(pathlib.Path(fraud.schema.__cached__).exists())"

    assert run("--read-only", image, "python3", "-c", code).stdout.strip() == "True"
