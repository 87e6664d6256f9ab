import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "build_and_push.sh"
HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
PASSWORD = "a-password-from-ecr"
CREATE = (
    "aws ecr create-repository --repository-name fraud-detect --region eu-west-1"
    " --image-scanning-configuration scanOnPush=true --image-tag-mutability IMMUTABLE"
)
DENIED = "An error occurred (AccessDeniedException) when calling the operation: not yours"

# Stands in for both aws and docker: notes the call, then fails as a file in errors/ says, or answers.
STUB = """\
#!/usr/bin/env bash
if [[ ${1-} == login ]]; then cat >"$WORLD/stdin"; fi
echo "${0##*/} $*" >>"$WORLD/calls"
for error in "$WORLD"/errors/*; do
  if [[ "$*" == *"${error##*/}"* ]]; then cat "$error" >&2; exit 254; fi
done
case "$*" in
  "sts get-caller-identity"*) echo 123456789012 ;;
  "configure get region") echo eu-west-1 ;;
  "ecr get-login-password"*) echo "$PASSWORD" ;;
  build\\ *) echo "${BUILDX_NO_DEFAULT_ATTESTATIONS-}" >"$WORLD/no_attestations"; echo "built" ;;
  *) echo "an answer on stdout" ;;
esac
"""


def environment(world: Path) -> dict[str, str]:
    person = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(world)}
    return person | settings | {"PATH": str(world / "bin"), "WORLD": str(world), "PASSWORD": PASSWORD}


def git(world: Path, *arguments: str) -> str:
    command = ["git", "-C", str(world / "checkout"), *arguments]
    done = subprocess.run(command, env=environment(world), capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A checkout with one commit, and a PATH with stubs and the few programs that the script uses."""
    for folder in ("bin", "errors", "checkout"):
        (tmp_path / folder).mkdir()
    for name in ("bash", "cat", "dirname", "env", "git", "head"):
        program = shutil.which(name)
        assert program, f"these tests need {name}"
        (tmp_path / "bin" / name).symlink_to(program)
    for name in ("aws", "docker"):
        (tmp_path / "bin" / name).write_text(STUB)
        (tmp_path / "bin" / name).chmod(0o755)
    shutil.copy(SCRIPT, tmp_path / "checkout")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    fail(tmp_path, "describe-images", "An error occurred (ImageNotFoundException) when calling the operation")
    return tmp_path


def fail(world: Path, call: str, error: str) -> None:
    (world / "errors" / call).write_text(f"\n{error}\n")


def push(world: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [str(world / "checkout" / "build_and_push.sh"), *arguments]
    variables = environment(world) | settings
    return subprocess.run(command, env=variables, cwd=world, capture_output=True, text=True, check=False)


def calls(world: Path) -> list[str]:
    made = world / "calls"
    return made.read_text().splitlines() if made.exists() else []


def changes(world: Path) -> list[str]:
    made = ("docker build ", "docker login", "docker push", "aws ecr create")
    return [call for call in calls(world) if call.startswith(made)]


def test_push(world: Path) -> None:
    """The image is built, then pushed, and its URI is all that stdout holds."""
    commit = git(world, "rev-parse", "HEAD")
    uri = f"{HOST}/fraud-detect:{commit[:12]}"

    done = push(world)

    assert done.stdout == f"{uri}\n", done.stderr
    assert done.returncode == 0
    assert calls(world) == [
        "aws configure get region",
        "aws sts get-caller-identity --query Account --output text --region eu-west-1",
        "aws ecr describe-repositories --repository-names fraud-detect --region eu-west-1",
        f"aws ecr describe-images --repository-name fraud-detect --image-ids imageTag={commit[:12]} --region eu-west-1",
        "docker buildx version",
        f"docker build --platform linux/amd64 --build-arg REVISION={commit} --build-arg VERSION={commit[:12]}"
        f" --tag {uri} --output type=docker,oci-mediatypes=false .",
        "aws ecr get-login-password --region eu-west-1",
        f"docker login --username AWS --password-stdin {HOST}",
        f"docker push {uri}",
    ]


def test_password(world: Path) -> None:
    """The registry's password reaches docker through stdin, and no argument or log holds it."""
    done = push(world)

    assert (world / "stdin").read_text().strip() == PASSWORD
    assert PASSWORD not in (world / "calls").read_text() + done.stdout + done.stderr


def test_no_attestations(world: Path) -> None:
    """The builder is told to attach no attestations, which SageMaker cannot read."""
    push(world)

    assert (world / "no_attestations").read_text() == "1\n"


def test_builder_without_buildx(world: Path) -> None:
    """A docker without buildx builds too, without the option that it does not know."""
    fail(world, "buildx", "docker: unknown command: docker buildx")

    done = push(world, "v1")

    assert done.returncode == 0, done.stderr
    assert "docker push" in changes(world)[-1]
    assert not any("--output type" in call for call in changes(world))


def test_repository_missing(world: Path) -> None:
    """A missing repository is created before the push, with scanning and immutable tags."""
    fail(world, "describe-repositories", "An error occurred (RepositoryNotFoundException) when calling it")

    done = push(world, "v1")

    assert done.stdout == f"{HOST}/fraud-detect:v1\n", done.stderr
    assert changes(world)[1] == CREATE
    assert changes(world)[-1] == f"docker push {HOST}/fraud-detect:v1"


def test_tag_taken(world: Path) -> None:
    """A tag that the repository has already stops the script before anything is built."""
    (world / "errors" / "describe-images").unlink()

    done = push(world, "v1")

    assert done.returncode == 1
    assert f"{HOST}/fraud-detect:v1 is already there" in done.stderr
    assert changes(world) == []


@pytest.mark.parametrize("call", ["describe-repositories", "describe-images"])
def test_access_denied(world: Path, call: str) -> None:
    """An error other than not found is shown as it came and stops the script."""
    fail(world, call, DENIED)

    done = push(world)

    assert done.returncode == 1
    assert done.stderr == f"build_and_push.sh: {DENIED}\n"
    assert done.stdout == ""
    assert changes(world) == []


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("build --platform", id="build"),
        pytest.param("get-login-password", id="password"),
        pytest.param("login --username", id="login"),
        pytest.param("push", id="push"),
        pytest.param("create-repository", id="create"),
    ],
)
def test_failing_step(world: Path, call: str) -> None:
    """A step that fails stops the script there, with its own words and no URI."""
    fail(world, "describe-repositories", "An error occurred (RepositoryNotFoundException) when calling it")
    fail(world, call, DENIED)

    done = push(world, "v1")

    assert done.returncode != 0
    assert DENIED in done.stderr
    assert done.stdout == ""
    assert call == "push" or not any(made.startswith("docker push") for made in calls(world))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("new.py", "?? new.py", id="untracked"),
        pytest.param("build_and_push.sh", " M build_and_push.sh", id="changed"),
    ],
)
def test_dirty_tree(world: Path, name: str, shown: str) -> None:
    """A tree that differs from its commit is refused, and the file that differs is named."""
    with (world / "checkout" / name).open("a") as file:
        file.write("# changed\n")

    done = push(world)

    assert done.returncode == 1
    assert shown in done.stderr.splitlines()
    assert calls(world) == []


def test_dirty_tree_names_five(world: Path) -> None:
    """Of many files that differ, five are named."""
    for number in range(7):
        (world / "checkout" / f"new{number}").touch()

    done = push(world)

    assert done.stderr.splitlines()[1:] == [f"?? new{number}" for number in range(5)]


def test_ignored_file(world: Path) -> None:
    """A file that git ignores does not make the tree dirty."""
    (world / "checkout" / ".git" / "info" / "exclude").write_text("model/\n")
    (world / "checkout" / "model").mkdir()
    (world / "checkout" / "model" / "bundle.json").touch()

    done = push(world)

    assert done.returncode == 0, done.stderr


def test_not_a_checkout(world: Path) -> None:
    """Outside a git checkout the script says so in one line."""
    shutil.rmtree(world / "checkout" / ".git")

    done = push(world, GIT_CEILING_DIRECTORIES=str(world))

    assert done.returncode == 1
    assert done.stderr.startswith("build_and_push.sh: no git commit to build: fatal: not a git repository")
    assert len(done.stderr.splitlines()) == 1


def test_dry_run(world: Path) -> None:
    """A dry run prints every command that would change something, and runs none of them."""
    fail(world, "describe-repositories", "An error occurred (RepositoryNotFoundException) when calling it")
    commit = git(world, "rev-parse", "HEAD")
    uri = f"{HOST}/fraud-detect:v1"

    done = push(world, "--dry-run", "v1")

    assert done.stdout == f"{uri}\n", done.stderr
    assert done.stderr.replace("\\", "").splitlines() == [
        "+ env BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build --platform linux/amd64"
        f" --build-arg REVISION={commit} --build-arg VERSION=v1 --tag {uri}"
        " --output type=docker,oci-mediatypes=false .",
        f"+ {CREATE}",
        f"+ aws ecr get-login-password --region eu-west-1 | docker login --username AWS --password-stdin {HOST}",
        f"+ docker push {uri}",
    ]
    assert [call for call in calls(world) if call != "docker buildx version"] == [
        "aws configure get region",
        "aws sts get-caller-identity --query Account --output text --region eu-west-1",
        "aws ecr describe-repositories --repository-names fraud-detect --region eu-west-1",
    ]


def test_dry_run_without_docker(world: Path) -> None:
    """A dry run needs no docker."""
    (world / "bin" / "docker").unlink()

    done = push(world, "--dry-run", "v1")

    assert done.stdout == f"{HOST}/fraud-detect:v1\n", done.stderr
    assert done.returncode == 0


def test_dry_run_without_credentials(world: Path) -> None:
    """Without credentials a dry run prints every command, a word for the account, and asks ECR nothing."""
    fail(world, "get-caller-identity", "Unable to locate credentials")
    host = HOST.replace("123456789012", "<account>")

    done = push(world, "--dry-run", "v1")

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{host}/fraud-detect:v1\n"
    said, build, *others = done.stderr.splitlines()
    assert said.startswith("build_and_push.sh: no valid AWS credentials: <account> stands for yours, and ECR was not")
    assert f" --tag {host}/fraud-detect:v1 " in build
    assert others == [
        f"+ {CREATE}",
        f"+ aws ecr get-login-password --region eu-west-1 | docker login --username AWS --password-stdin {host}",
        f"+ docker push {host}/fraud-detect:v1",
    ]
    assert not any(call.startswith("aws ecr") for call in calls(world))


def test_no_credentials(world: Path) -> None:
    """Without credentials one line says what to set."""
    fail(world, "get-caller-identity", "Traceback (most recent call last):\nUnable to locate credentials")

    done = push(world)

    assert done.returncode == 1
    assert done.stderr.startswith("build_and_push.sh: no valid AWS credentials; set ")
    assert len(done.stderr.splitlines()) == 1
    assert changes(world) == []


def test_no_region(world: Path) -> None:
    """Without a region one line says what to set."""
    fail(world, "configure get region", "")

    done = push(world)

    assert done.returncode == 1
    assert done.stderr.startswith("build_and_push.sh: no AWS region; set AWS_REGION")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        pytest.param({"AWS_REGION": "us-east-1"}, "us-east-1.amazonaws.com", id="AWS_REGION"),
        pytest.param({"AWS_DEFAULT_REGION": "us-east-2"}, "us-east-2.amazonaws.com", id="AWS_DEFAULT_REGION"),
        pytest.param(
            {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-2"},
            "us-east-1.amazonaws.com",
            id="both",
        ),
        pytest.param({"AWS_REGION": "cn-north-1"}, "cn-north-1.amazonaws.com.cn", id="China"),
    ],
)
def test_region(world: Path, settings: dict[str, str], host: str) -> None:
    """The environment names the region, and the regions in China have a host of their own."""
    done = push(world, "v1", **settings)

    assert done.stdout == f"123456789012.dkr.ecr.{host}/fraud-detect:v1\n", done.stderr


def test_image_name(world: Path) -> None:
    """IMAGE_NAME names the repository and the image."""
    done = push(world, "v1", IMAGE_NAME="team/fraud")

    assert done.stdout == f"{HOST}/team/fraud:v1\n", done.stderr
    assert any("--repository-names team/fraud " in call for call in calls(world))


@pytest.mark.parametrize("program", ["git", "aws", "docker"])
def test_missing_program(world: Path, program: str) -> None:
    """A program that is not there is named in one line, with where to get it."""
    (world / "bin" / program).unlink()

    done = push(world)

    assert done.returncode == 1
    assert done.stderr.startswith(f"build_and_push.sh: {program} is not on the PATH; install it: https://")
    assert len(done.stderr.splitlines()) == 1
    assert calls(world) == []


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        pytest.param("v1.0_rc-1", 0, id="every kind of character"),
        pytest.param("_", 0, id="underscore first"),
        pytest.param("a" * 128, 0, id="longest"),
        pytest.param("a" * 129, 2, id="too long"),
        pytest.param(".v1", 2, id="dot first"),
        pytest.param("v1/2", 2, id="slash"),
        pytest.param("v1 ", 2, id="space"),
        pytest.param("v1\nv2", 2, id="two lines"),
        pytest.param("", 2, id="empty"),
    ],
)
def test_tag(world: Path, tag: str, code: int) -> None:
    """A tag that Docker's grammar does not allow is refused before AWS is asked."""
    done = push(world, tag)

    assert done.returncode == code, done.stderr
    assert (f'tag "{tag}"' in done.stderr) == (code == 2)
    assert bool(calls(world)) == (code == 0)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(["--force"], "--force", id="unknown option"),
        pytest.param(["-n"], "-n", id="unknown short option"),
        pytest.param(["v1", "v2"], "v2", id="two tags"),
    ],
)
def test_usage(world: Path, arguments: list[str], named: str) -> None:
    """Arguments that it does not know end the script with the usage on stderr."""
    done = push(world, *arguments)

    assert done.returncode == 2
    assert done.stderr.splitlines()[0].endswith(named)
    assert "Usage: ./build_and_push.sh" in done.stderr
    assert done.stdout == ""
    assert calls(world) == []


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(world: Path, option: str) -> None:
    """Help goes to stdout and does nothing else."""
    done = push(world, option)

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ./build_and_push.sh [--dry-run] [tag]\n")
    assert done.stderr == ""
    assert calls(world) == []
