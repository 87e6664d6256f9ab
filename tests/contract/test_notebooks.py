"""What every notebook in git promises: no outputs, short cells, and a kernel that any environment has."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.processes import ROOT

LONGEST_CELL = 12
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOURCES = sorted([*NOTEBOOKS, *(ROOT / "notebooks").rglob("*.py")])
NAMED = re.compile(r"(?<![\w/.])(?:container|deploy|docs|local_test|notebooks|scripts|tests|test_dir)/[\w/.-]*\w")
every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    """The tests below look at something."""
    assert NOTEBOOKS


@every
def test_valid(path: Path) -> None:
    """A notebook is what its format says, for a kernel by the name that every environment has."""
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)

    assert notebook.metadata.kernelspec.name == "python3"


@every
def test_no_outputs(path: Path) -> None:
    """No cell holds an output, the number of a run, or what a run left in its metadata."""
    kept = [(cell["outputs"], cell["execution_count"], cell["metadata"]) for cell in code_cells(path)]

    assert kept == [([], None, {})] * len(kept)


@every
def test_short_cells(path: Path) -> None:
    """Cells call what is written, and tested, elsewhere."""
    too_long = ["".join(cell["source"]) for cell in code_cells(path) if len(cell["source"]) > LONGEST_CELL]

    assert too_long == []


@every
def test_functions_elsewhere(path: Path) -> None:
    """No cell defines a function or a class."""
    lines = [line for cell in code_cells(path) for line in cell["source"]]

    assert [line for line in lines if line.startswith(("def ", "class ", "async "))] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "notebooks")))
def test_paths_lead_somewhere(path: Path) -> None:
    """Each file and folder of the repository that a notebook, or what it calls, names is there."""
    named = set(NAMED.findall(path.read_text(encoding="utf-8")))

    assert {name for name in named if not (ROOT / name).exists()} == set()
