import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from local_docker import own
from tests.container.engine import run
from tests.container.sdk import Sdk
from tests.processes import ROOT

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


def test_model_trainer_trains_in_the_image(image: str, tree: Path, sdk: Sdk) -> None:
    """SDK v3's ModelTrainer in local mode starts the image without a command, and packs the model (T6, T14, T32)."""
    told = {"num_round": 20, "resampling": "none", "eta": 0.1, "refit": False}
    channels = {"train": tree / "input" / "data" / "train"}
    printed = sdk.run(f"print(train({image!r}, {channels}, {told}, {sdk.home / 'job'!r}).log)")

    assert "validation:average_precision=" in printed
    with tarfile.open(sdk.home / "job" / "model.tar.gz") as archive:
        assert {"bundle.json", "booster.ubj"} <= set(archive.getnames())
    with tarfile.open(sdk.home / "job" / "output.tar.gz") as archive:
        assert "data/report.html" in archive.getnames()


def test_failed_job_says_why(image: str, sdk: Sdk) -> None:
    """The error of a failed job is its failure file, which local mode does not read (T35)."""
    (sdk.home / "rows").mkdir()
    (sdk.home / "rows" / "rows.csv").write_text("a,Class\n" + "1,0\n" * 100)
    said = sdk.error(f"train({image!r}, {{'train': {sdk.home / 'rows'!r}}}, {{}}, {sdk.home / 'job'!r})")

    assert said.startswith("training failed: DATA_")


def test_local_endpoint_answers(image: str, trained_tree: Path, sdk: Sdk) -> None:
    """SDK v3's local endpoint unpacks a job's archives beside each other, starts `serve` and gets answers (S1, S11)."""
    artifacts = sdk.home / "artifacts"
    for name in ("model", "output"):
        shutil.make_archive(str(artifacts / name), "gztar", trained_tree / name)
    told = PAYLOAD.read_text()
    printed = sdk.run(
        f"with endpoint(Model({image!r}, {artifacts!r}, {{'FRAUD_REASONS': '1'}})) as server:\n"
        f"    answers = [server.invoke({told!r}), server.invoke({told!r}, attributes='output=reasons')]\n"
        "print(json.dumps([[answer.status, answer.headers['Content-Type'], answer.body] for answer in answers]))"
    )
    scored, explained = json.loads(printed)

    assert scored[:2] == explained[:2] == [200, "text/csv"]
    assert len(scored[2].splitlines()) == len(told.splitlines())
    assert all(line.count(":") == 1 for line in explained[2].splitlines())


def test_endpoint_that_does_not_start_says_why(image: str, sdk: Sdk) -> None:
    """The error of a server that ended is its last line (S12)."""
    (sdk.home / "model").mkdir()
    (sdk.home / "model" / "bundle.json").write_text("{")
    said = sdk.error(f"local_mode.SECONDS = 10\nwith endpoint(Model({image!r}, {sdk.home / 'model'!r})): pass")

    assert said.startswith("serving failed: MODEL_UNUSABLE: ")


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
    (rows / "rows.csv").write_text("\n".join(lines) + "\n")
    model = f"Model({image!r}, {trained_tree / 'model'!r})"
    sdk.run(f"transform({model}, {rows!r}, {output!r}, strategy={strategy!r})")

    answers = (output / "rows.csv.out").read_text().splitlines()
    is_error = [line.startswith(("ERROR: ", '"ERROR: ')) for line in answers]
    assert len(answers) == count
    assert is_error == [line in BAD_LINES for line in lines]
    assert all(0 <= float(line) <= 1 for line, wrong in zip(answers, is_error, strict=True) if not wrong)


def test_refused_transform_says_why(image: str, trained_tree: Path, sdk: Sdk) -> None:
    """A request that the server refuses whole ends the transform, as in the service, with its answer."""
    places = f"{PAYLOAD!r}, {sdk.home / 'scores'!r}"
    said = sdk.error(f"transform(Model({image!r}, {trained_tree / 'model'!r}), {places}, 'image/png')")

    assert said.startswith("the transform failed: the server says 406 ")
    assert not (sdk.home / "scores").exists()


def test_files_of_another_user_become_ours(image: str, tmp_path: Path) -> None:
    """What a container wrote as another user can be read and removed afterwards."""
    made = (
        f"mkdir /made/inner && touch /made/inner/file && chown -R {os.getuid() + 1} /made/inner && chmod -R 700 /made"
    )
    assert run("--volume", f"{tmp_path}:/made", image, "sh", "-c", made).returncode == 0
    own(tmp_path, image)

    assert (tmp_path / "inner" / "file").stat().st_uid == os.getuid()
    shutil.rmtree(tmp_path / "inner")
