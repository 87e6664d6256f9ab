import os
from pathlib import Path

import pytest

from tests.container.engine import LOCKED, run, started, tell
from tests.processes import wait_until

LEFT = ("model/bundle.json", "model/booster.ubj", "output/data/report.html", "output/data/report.json")


def missing(tree: Path) -> list[str]:
    return [name for name in LEFT if not (tree / name).is_file()]


def test_documented_command_trains(trained_tree: Path) -> None:
    """`docker run --rm -v tree:/opt/ml image train` leaves a model and its report (T1, T32, T34)."""
    assert missing(trained_tree) == []
    assert not (trained_tree / "output" / "failure").exists()


def test_image_without_a_command_trains(image: str, tree: Path) -> None:
    """The default command trains, as SDK v3's local mode needs (T6)."""
    finished = run("--volume", f"{tree}:/opt/ml", image)

    assert finished.returncode == 0, finished.stderr
    assert missing(tree) == []


@pytest.mark.parametrize("user", [pytest.param("0:0", id="root"), pytest.param("1234:1234", id="a uid nobody knows")])
def test_train_works_in_a_locked_container(image: str, tree: Path, user: str) -> None:
    """`train` needs no network, no user of a name and no file system but its mounts and /tmp (T9, S60)."""
    for path in (tree / "model", tree / "output"):
        path.mkdir()
        path.chmod(0o777)
    mounts = [f"--volume={tree / part}:/opt/ml/{part}" for part in ("model", "output")]

    finished = run(*LOCKED, "--user", user, *mounts, f"--volume={tree / 'input'}:/opt/ml/input:ro", image, "train")

    assert finished.returncode == 0, finished.stderr
    assert missing(tree) == []
    assert "WARNING" not in finished.stderr


def test_train_writes_nothing_outside_its_mounts_and_tmp(image: str, tree: Path, tmp_path: Path) -> None:
    """After a job in a writable container its layer holds nothing but the mount point and /tmp."""
    with started(tmp_path / "log", "--volume", f"{tree}:/opt/ml", image, "train") as container:
        assert container.process.wait(180) == 0, container.log.read_text()
        assert container.changed() == []


@pytest.mark.parametrize("resampling", ["none", "auto"])
def test_stopped_job_saves_what_it_has(image: str, tree: Path, tmp_path: Path, resampling: str) -> None:
    """On SIGTERM `train` saves the model so far and exits 0 long before SIGKILL (T41, T42)."""
    tell(tree, num_round="100000", resampling=resampling)
    with started(tmp_path / "log", "--volume", f"{tree}:/opt/ml", image, "train") as container:
        wait_until(lambda: container.says("INFO training on"), container.process)
        code = container.stop()

        assert code == 0, container.log.read_text()[-2000:]
    assert missing(tree) == []


def test_bad_data_is_named_in_a_failure_file_on_the_host(image: str, tree: Path) -> None:
    """A job that fails exits 1, and every user of the host can read why, cause first, with no row (T35, T37, T38)."""
    (tree / "input" / "data" / "train" / "transactions.csv").write_text("Class,V1,V2\n0,1.25,2\n0,3,4\n")

    finished = run("--volume", f"{tree}:/opt/ml", image, "train")
    failure = tree / "output" / "failure"

    assert finished.returncode == 1
    assert failure.stat().st_mode & 0o444 == 0o444
    assert len(failure.read_text()) <= 1024
    assert failure.read_text().startswith("DATA_NO_FRAUD")
    assert "1.25" not in failure.read_text()
    assert "Traceback" not in finished.stderr
    assert not (tree / "model" / "bundle.json").exists()


def test_files_of_a_job_are_readable_by_all(trained_tree: Path) -> None:
    """What `train` leaves as root, a platform's uploader or another uid's `serve` can read."""
    for directory, _, names in os.walk(trained_tree / "model"):
        assert Path(directory).stat().st_mode & 0o555 == 0o555
        for name in names:
            assert (Path(directory) / name).stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(("--user", "12345:54321"), "OUTPUT_UNWRITABLE: /opt/ml/", id="another user's tree"),
        pytest.param(("--read-only",), "ERROR TEMPORARY_DIRECTORY: no file can be written in /tmp", id="no /tmp"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_fit(
    image: str, tree: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    """A job that could not save its model, or not even load its libraries, ends at once with one clear line."""
    (tree / "model").mkdir(mode=0o755)
    finished = run(*arguments, "--volume", f"{tree}:/opt/ml", image, "train")

    assert finished.returncode == 1
    assert complaint in finished.stderr
    assert "Traceback" not in finished.stderr
