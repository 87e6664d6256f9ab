import numpy as np
import pytest

from fraud.model.leaks import constants, filled_on_frauds_only, identifiers, label_copies, separators, suspicions
from fraud.model.learner import Labelled
from fraud.schema import Column

Y = np.array([1, 1, 0, 0, 0], dtype=np.uint8)
COLUMNS = {
    "copy": [7, 7, 3, 3, 3],
    "copy with gaps": [np.nan, 7, 3, np.nan, 3],
    "one of them honest": [-2, 9, 3, 3, 3],
    "one of them both": [3, 9, 3, 3, 3],
    "one of them fraud": [3, 3, 1, 9, 5],
    "above": [5, 6, 1, 2, 3],
    "below": [-5, -6, 1, 2, 3],
    "touching": [3, 6, 1, 2, 3],
    "mixed": [2, 6, 1, 9, 3],
    "constant": [4, 4, 4, 4, 4],
    "empty": [np.nan] * 5,
    "constant with gaps": [4, 4, np.nan, 4, 4],
    "honest only": [np.nan, np.nan, 1, 2, 3],
    "fraud only": [1, 1, np.nan, np.nan, np.nan],
    "honest only in part": [np.nan, np.nan, 1, 2, np.nan],
    "fraud only in part": [np.nan, 2, np.nan, np.nan, np.nan],
}
ROWS = Labelled(np.array(list(COLUMNS.values()), dtype=np.float32).T, Y)
NAMES = list(COLUMNS)


def test_label_copies() -> None:
    """A column with one value for frauds and another for honest rows copies the label; so does one missing in one."""
    assert label_copies(ROWS, NAMES) == ["copy", "copy with gaps", "honest only", "fraud only"]


def test_separators() -> None:
    """A column separates where every fraud lies beyond every honest row, or off the one value that those hold."""
    assert separators(ROWS, NAMES) == ["copy", "copy with gaps", "one of them honest", "above", "below"]


def test_filled_on_frauds_only() -> None:
    """A column filled on half of the frauds, and on no honest row, is told; one with fewer is left to chance."""
    X = np.full((9, 1), np.nan, dtype=np.float32)
    X[0] = 1
    one_of_three = Labelled(X, np.array([1] * 3 + [0] * 6, dtype=np.uint8))

    assert filled_on_frauds_only(ROWS, NAMES) == ["fraud only", "fraud only in part"]
    assert filled_on_frauds_only(one_of_three, ["rare"]) == []


def test_constants() -> None:
    """A column with one value or none on every row is constant; where only some cells are missing it is not."""
    assert constants(ROWS, NAMES) == ["constant", "empty"]


def test_identifiers() -> None:
    """Words that differ on almost every row are taken for ids; numbers, and words on rows enough, are not."""
    y = (np.arange(10) == 0).astype(np.uint8)
    rows = Labelled(np.tile(np.arange(10, dtype=np.float32)[:, None], 3), y)
    words = tuple("abcdefghij")
    columns = [Column("id", "category", words), Column("city", "category", words[:8]), Column("Amount")]

    assert identifiers(rows, columns) == ["id"]
    assert suspicions(rows, columns)[-1] == "id differs on almost every row: is it an identifier? exclude it"


@pytest.mark.parametrize("find", [label_copies, separators, filled_on_frauds_only, constants])
def test_quiet(find: object) -> None:
    """Usual columns are none of these."""
    rng = np.random.default_rng(0)
    rows = Labelled(rng.normal(size=(50, 3)).astype(np.float32), (rng.random(50) < 0.3).astype(np.uint8))

    assert callable(find)
    assert find(rows, ["a", "b", "c"]) == []
