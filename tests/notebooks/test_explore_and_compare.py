"""The first notebook, executed whole on the sample rows: each section draws, and its sentences are true."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from fraud.model.resampling import RESAMPLERS
from make_rows import make_rows, write_csv
from tests.notebooks.kernels import execute, read
from tests.processes import ROOT

PATH = ROOT / "notebooks" / "01_explore_and_compare.ipynb"
# The cells that find the repository, import, and load.
OPENING = 3
TELL = """
import json
from notebooks.exploration.finding import Finding
print(json.dumps({name: dict(value.numbers) for name, value in globals().items() if isinstance(value, Finding)}))
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    notebook = read(PATH)
    notebook.cells.append(new_code_cell(TELL))
    home = tmp_path_factory.mktemp("home")
    return execute(notebook, PATH.parent, home, TMPDIR=str(home))


@pytest.fixture(scope="module")
def told(executed: NotebookNode) -> dict[str, dict[str, float]]:
    """Return the numbers of every finding, by its name in the notebook."""
    found: dict[str, dict[str, float]] = json.loads(executed.cells[-1].outputs[0].text)
    return found


def shown(notebook: NotebookNode, kind: str) -> list[Any]:
    """Return what the cells displayed of one media type, in their order."""
    displayed = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    return [output.data[kind] for output in displayed if kind in output.data]


def sections(notebook: NotebookNode) -> dict[str, list[str]]:
    """Return the media types that each section displayed."""
    found: dict[str, list[str]] = {}
    title = ""
    for cell in notebook.cells:
        heading = re.match(r"## (.*)", cell.source) if cell.cell_type == "markdown" else None
        title = heading[1] if heading else title
        kinds = (kind for output in cell.get("outputs", []) for kind in output.get("data", {}))
        found.setdefault(title, []).extend(kinds)
    return {title: kinds for title, kinds in found.items() if title}


def test_quiet(executed: NotebookNode) -> None:
    """No cell warns or writes to standard error."""
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]

    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


def test_sections(executed: NotebookNode) -> None:
    """Every section but the one that loads shows a picture, with its sentence; that one shows a table."""
    found = sections(executed)
    load, *others = found.values()

    assert len(found) == 11
    assert "text/html" in load
    assert all(kinds.count("text/markdown") == kinds.count("image/png") > 0 for kinds in others)


def test_pictures(executed: NotebookNode) -> None:
    """Every picture is as wide as a page and has something drawn on it, in more than one colour."""
    pictures = [imread(io.BytesIO(base64.b64decode(text))) for text in shown(executed, "image/png")]

    assert len(pictures) == len({picture.tobytes() for picture in pictures})
    for picture in pictures:
        colours = np.unique((5 * picture[..., :3]).astype(int) @ [36, 6, 1])
        assert picture.shape[1] > 900
        assert len(colours) > 10


def test_sentences(executed: NotebookNode) -> None:
    """A sentence for each picture, with numbers in it, and none that could not be computed."""
    sentences = shown(executed, "text/markdown")

    assert all(re.search(r"\d", sentence) for sentence in sentences)
    assert not [sentence for sentence in sentences if re.search(r"\bnan\b|\binf\b", sentence)]
    assert any("90 of the 6,000 rows are frauds, one in 67" in sentence for sentence in sentences)


def test_balance_colours_correlation(told: dict[str, dict[str, float]]) -> None:
    """On balanced rows a pair of columns goes together that does not among honest rows."""
    pair, strength = told["matrices"], told["with_label"]

    assert abs(pair["balanced"]) > 0.5
    assert abs(pair["honest"]) < 0.1
    assert strength["balanced"] > strength["all"]


def test_outliers_are_fraud(told: dict[str, dict[str, float]]) -> None:
    """Outliers are most of the frauds, and a model that never saw them ranks worse."""
    trap = told["trap"]

    assert told["fenced"]["frauds"] > 45
    assert trap["outliers dropped"] < trap["nothing dropped"] - 0.1


def test_every_resampler(told: dict[str, dict[str, float]]) -> None:
    """Each entry of RESAMPLERS has its counts, its ratio and its ranking; those that resample add frauds' share."""
    counts, ratios = told["counts"], told["ratios"]

    assert set(counts) == set(told["rankings"]) == set(RESAMPLERS)
    assert set(ratios) == {f"{name} {when}" for name in RESAMPLERS for when in ("before", "after")}
    assert all(share > counts["none"] for name, share in counts.items() if name != "none")


def test_calibration(told: dict[str, dict[str, float]]) -> None:
    """Undersampling overstates fraud more than twice, and Platt scaling brings every ratio to within a tenth of 1."""
    ratios = told["ratios"]

    assert ratios["undersample before"] > 2
    assert all(0.9 < ratio < 1.1 for name, ratio in ratios.items() if name.endswith("after"))


def test_comparison(told: dict[str, dict[str, float]]) -> None:
    """Every pair that was asked for is compared, and the best finds most of the fraud."""
    assert told["pairs"]["pairs"] == 6
    assert told["pairs"]["best"] > 0.7


def test_cost(told: dict[str, dict[str, float]]) -> None:
    """Each way to flag costs less than to flag nothing, and a lower threshold finds more for more alerts."""
    costs, at = told["costs"], told["over_thresholds"]

    assert max(costs[way] for way in ("0.5", "threshold", "risk")) < costs["nothing"]
    assert at["recall at 0.05"] > at["recall at 0.5"]
    assert at["alert rate at 0.05"] > at["alert rate at 0.5"]


@pytest.mark.parametrize("name", ["card.csv", "card.csv.gz"])
def test_own_data(name: str, tmp_path: Path) -> None:
    """Started from the repository's root, it reads the file that FRAUD_DATA names."""
    write_csv(make_rows(500, 0.1, 7), tmp_path / name, decimals=3)
    notebook = read(PATH, OPENING)
    notebook.cells.append(new_code_cell("print(len(y), y.sum(), *X.columns)"))
    ran = execute(notebook, ROOT, tmp_path, FRAUD_DATA=str(tmp_path / name))

    rows, frauds, *names = ran.cells[-1].outputs[0].text.split()
    assert (rows, frauds, len(names)) == ("500", "50", 30)


def test_no_such_data(tmp_path: Path) -> None:
    """A path that is not there is named, with what would be right."""
    with pytest.raises(CellExecutionError, match="FRAUD_DATA=/nowhere: there is no such file or folder; name a CSV"):
        execute(read(PATH, OPENING), PATH.parent, tmp_path, FRAUD_DATA="/nowhere")
