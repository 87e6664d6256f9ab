import numpy as np
import pytest

from fraud.model.algorithms import Labelled
from fraud.model.leaks import constants, label_copies, separators

Y = np.array([1, 1, 0, 0, 0], dtype=np.uint8)
COLUMNS = {
    "copy": [7, 7, 3, 3, 3],
    "copy with gaps": [np.nan, 7, 3, np.nan, 3],
    "above": [5, 6, 1, 2, 3],
    "below": [-5, -6, 1, 2, 3],
    "touching": [3, 6, 1, 2, 3],
    "mixed": [2, 6, 1, 9, 3],
    "constant": [4, 4, 4, 4, 4],
    "empty": [np.nan] * 5,
    "constant with gaps": [4, 4, np.nan, 4, 4],
    "honest only": [np.nan, np.nan, 1, 2, 3],
    "fraud only": [1, 1, np.nan, np.nan, np.nan],
}
ROWS = Labelled(np.array(list(COLUMNS.values()), dtype=np.float32).T, Y)
NAMES = list(COLUMNS)


def test_label_copies() -> None:
    """A column with one value for frauds and another for honest rows copies the label, missing cells or not."""
    assert label_copies(ROWS, NAMES) == ["copy", "copy with gaps"]


def test_separators() -> None:
    """A column in which every fraud lies beyond every honest row separates them; one that touches does not."""
    assert separators(ROWS, NAMES) == ["copy", "copy with gaps", "above", "below"]


def test_constants() -> None:
    """A column with one value or none on every row is constant; where only some cells are missing it is not."""
    assert constants(ROWS, NAMES) == ["constant", "empty"]


@pytest.mark.parametrize("find", [label_copies, separators, constants])
def test_quiet(find: object) -> None:
    """Usual columns are none of these."""
    rng = np.random.default_rng(0)
    rows = Labelled(rng.normal(size=(50, 3)).astype(np.float32), (rng.random(50) < 0.3).astype(np.uint8))

    assert callable(find)
    assert find(rows, ["a", "b", "c"]) == []
