"""The second notebook, executed whole in local mode: the same image, the SDK itself, no AWS."""

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from notebooks.deployment import local
from notebooks.deployment.names import EXAMPLE_ROLE, EXAMPLE_S3, Names

from tests.container.engine import docker, new_name
from tests.container.sdk import NO_AWS, Sdk
from tests.notebooks.kernels import execute, read
from tests.processes import ROOT

PATH = ROOT / "notebooks" / "02_train_and_deploy.ipynb"
PAYLOAD = ROOT / "local_test" / "payload.csv"
CALL = re.compile(r"^[a-z-]+\.([a-z_]+)\(\*\*(.*?)\)$", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sagemaker") is None, reason="SageMaker's SDK is not installed: make .venv/aws"
)


@contextmanager
def leaving_nothing(image: str, home: Path) -> Iterator[dict[str, str]]:
    """Give the settings of a kernel, and see that it left no container, and no directory but build/."""
    sdk, before = Sdk(home, new_name()), set(ROOT.iterdir())
    own = {"HOME": str(home), "TMPDIR": str(home), "COMPOSE_PROJECT_NAME": sdk.project}
    yield {**own, **NO_AWS, "FRAUD_IMAGE": image}
    left = sdk.containers()
    for container in left:
        docker("rm", "--force", container)
    assert not left
    assert not list(home.rglob("local-mode-*"))
    assert set(ROOT.iterdir()) - before <= {ROOT / "build"}


@pytest.fixture(scope="module")
def executed(image: str, tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    home = tmp_path_factory.mktemp("home")
    with leaving_nothing(image, home) as settings:
        return execute(read(PATH), PATH.parent, home, **settings)


def printed(notebook: NotebookNode, code: str) -> str:
    """Return what the one cell with this code printed, and the value of its last line."""
    (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and code in cell.source]
    return "".join(out.text if out.output_type == "stream" else out.data["text/plain"] for out in cell.outputs)


def calls(text: str) -> dict[str, Any]:
    """Return the calls of a dry run by their operations, in order; the last where there are several."""
    return {operation: ast.literal_eval(parameters) for operation, parameters in CALL.findall(text)}


def test_runs_whole_and_leaves_nothing(executed: NotebookNode) -> None:
    """Every cell runs without AWS, nothing warns, and the last says that no container is left."""
    streams = [out for cell in executed.cells for out in cell.get("outputs", []) if out.output_type == "stream"]

    assert [out.text for out in streams if out.name == "stderr"] == []
    assert printed(executed, "platform.delete()").startswith("no container is left; ")


def test_figures(executed: NotebookNode) -> None:
    """What the regular expressions find in the log is what the report has, and its intervals hold it."""
    _, *rows = printed(executed, "champion.figures").splitlines()
    last = {name.removeprefix("validation:"): float(value) for name, value in map(str.split, rows)}
    page, _, *rows = printed(executed, "report.html").splitlines()
    report = {name: [float(value) for value in values] for name, *values in map(str.split, rows)}

    assert Path(page).is_file()
    assert last.keys() == report.keys() >= {"average_precision", "recall"}
    for name, (value, low, high) in report.items():
        assert low <= value <= high
        assert value == pytest.approx(last[name], abs=0.001)


def test_two_learners_that_rows_cannot_tell_apart(executed: NotebookNode) -> None:
    """The challenger is another model, and its average precision is within the champion's interval, as it says."""
    _, precision, *_ = (line.split() for line in printed(executed, "pd.DataFrame(both)").splitlines())
    _, _, interval, *_ = (line.split() for line in printed(executed, "report.html").splitlines())
    name, champion, challenger = precision

    assert name == interval[0] == "average_precision"
    assert champion != challenger
    assert float(interval[2]) < float(challenger) < float(interval[3])


def test_answers(executed: NotebookNode) -> None:
    """CSV and JSON are answered by probabilities, decisions have two reasons each, and a refusal names the cell."""
    plain = printed(executed, "rows = ").split()
    explained = printed(executed, "reasons=2").splitlines()
    (prediction,) = json.loads(printed(executed, "application/json"))["predictions"]

    assert [0 < float(text) < 1 for text in plain] == [True] * 4
    assert [line.partition(",")[0] for line in explained[:4]] == plain
    assert all(
        re.fullmatch(r"[^,]+,(approve|review|decline),\"V\d+:[^;]+;V\d+:[^;]+\"", line) for line in explained[:4]
    )
    assert explained[-1].startswith("model_id=")
    assert set(prediction) == {"probability", "predicted_label"}
    assert printed(executed, "ClientError as error").startswith('400 {"error":{"code":"ROW_INVALID"')
    assert printed(executed, "answered_by(runtime") == "Counter({'champion': 50})"


def test_batch_is_joined(executed: NotebookNode) -> None:
    """Each line has its own id and its own answer, and the short row an error in its place."""
    lines = printed(executed, "platform.transform(").splitlines()
    plain = printed(executed, "rows = ").split()

    rows = len(PAYLOAD.read_text().splitlines())
    assert [line.partition(",")[0] for line in lines] == [f"tx-{number:04}" for number in range(1, rows + 2)]
    assert [line.partition(",")[2] for line in lines[:4]] == plain
    assert [number for number, line in enumerate(lines) if "ERROR" in line] == [rows]


def test_dry_runs(executed: NotebookNode) -> None:
    """What local mode lacks is printed as the calls of AWS: spot, checkpoints, scaling, capture, weights, a shadow."""
    job = calls(printed(executed, "platform.plan("))["create_training_job"]
    watched = calls(printed(executed, "scaling = "))
    tried = calls(printed(executed, "variants = [replace"))["create_endpoint_config"]
    shadowed = calls(printed(executed, "shadow = "))["create_endpoint_config"]

    assert job["EnableManagedSpotTraining"] is True
    assert job["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"
    assert list(watched) == [
        *("create_model", "create_endpoint_config", "update_endpoint"),
        *("register_scalable_target", "put_scaling_policy"),
    ]
    assert watched["create_endpoint_config"]["DataCaptureConfig"]["InitialSamplingPercentage"] == 20
    weights = {told["VariantName"]: told["InitialVariantWeight"] for told in tried["ProductionVariants"]}
    assert weights == {"champion": 9, "challenger": 1}
    assert [told["VariantName"] for told in shadowed["ShadowProductionVariants"]] == ["shadow"]


def test_a_kernel_that_ends_early_leaves_nothing(image: str, tmp_path: Path) -> None:
    """Whoever closes the notebook while the endpoint serves leaves no container, and it works from the root too."""
    notebook = read(PATH)
    (served,) = [place for place, cell in enumerate(notebook.cells) if "= platform.deploy(" in cell.source]
    notebook.cells = notebook.cells[: served + 1]

    with leaving_nothing(image, tmp_path) as settings:
        execute(notebook, ROOT, tmp_path, **settings)


def test_an_image_that_is_missing(image: str, tmp_path: Path) -> None:
    """A name that is no image of this computer is told in one line, and no traceback."""
    notebook = read(PATH)
    (asked,) = [place for place, cell in enumerate(notebook.cells) if "= platform.image()" in cell.source]
    notebook.cells = notebook.cells[: asked + 1]

    with leaving_nothing(f"{new_name()}-is-not-there", tmp_path) as settings, pytest.raises(CellExecutionError):
        execute(notebook, ROOT, tmp_path, **settings)

    (error,) = [out for out in notebook.cells[-1].outputs if out.output_type == "error"]
    assert len("".join(error.traceback).splitlines()) == 1
    assert "this computer has no image" in error.traceback[0]


def test_build(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no image is named, one is built from the checkout; Docker has every layer by now."""
    name = f"{new_name()}:latest"
    monkeypatch.setattr(local, "IMAGE", name)
    try:
        assert local.Local(Names("trial", EXAMPLE_ROLE, EXAMPLE_S3)).image() == name
        assert docker("image", "inspect", "--format", "{{.Config.Cmd}}", name).stdout == "[train]\n"
    finally:
        docker("rmi", "--no-prune", name, check=False)
