"""What every grid of the package promises."""

import json
from pathlib import Path

import pytest

from fraud import hyperparameters
from fraud.comparing import grids
from fraud.model.algorithms import ALGORITHMS

DIRECTORY = Path(str(grids.packaged()))
every = pytest.mark.parametrize("path", sorted(DIRECTORY.glob("*.json")), ids=lambda path: path.stem)


def test_there_are_grids() -> None:
    """The package has grids, and nothing else where they are."""
    assert {path.suffix for path in DIRECTORY.iterdir()} == {".json"}


@every
def test_train_takes_it(path: Path) -> None:
    """The grid is that of a learner, and every name and value in it is one that train takes and heeds."""
    default = hyperparameters.read({"algorithm": path.stem}).stated()
    taken = [
        hyperparameters.read({"algorithm": path.stem, name: value}).stated()[name] != default[name]
        for name, values in grids.read(path, path.stem).items()
        for value in values
    ]

    assert path.stem in ALGORITHMS
    assert any(taken)


@every
def test_worth_a_search(path: Path) -> None:
    """Each name has two values or more, none twice, and all candidates can be tried."""
    content = json.loads(path.read_text())

    assert all(len(values) == len({json.dumps(value) for value in values}) > 1 for values in content.values())
    assert 1 < len(grids.candidates("grid", path.stem, DIRECTORY, 1, 0)) <= 200
