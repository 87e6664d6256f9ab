import json
from pathlib import Path

import pytest

from fraud.comparing.grids import ALIKE, candidates, read, require_known
from fraud.comparing.sets import OPTIONS
from fraud.errors import SettingError
from fraud.hyperparameters import Hyperparameters, fields

GRID = {"max_depth": [3, 4], "eta": [0.1, 0.2, 0.3], "refit": [True]}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "xgboost.json").write_text(json.dumps(GRID))
    return tmp_path


def test_grid(directory: Path) -> None:
    """A grid search has every combination once, as the strings that train takes."""
    found = candidates("grid", "xgboost", directory, 1, 0)

    assert len(found) == 6
    assert found[0] == {"max_depth": "3", "eta": "0.1", "refit": "true"}
    assert found[1] == {"max_depth": "3", "eta": "0.2", "refit": "true"}
    assert len({json.dumps(one) for one in found}) == 6


def test_random(directory: Path) -> None:
    """A random search has as many as are asked for, none twice, all of the grid, the same for the same seed."""
    every = candidates("grid", "xgboost", directory, 1, 0)
    first, same, *others = (candidates("random", "xgboost", directory, 3, seed) for seed in (0, 0, 1, 2, 3))

    assert first == same
    assert len(first) == len({json.dumps(one) for one in first}) == 3
    assert all(one in every for one in first)
    assert any(other != first for other in others)
    assert len(candidates("random", "xgboost", directory, 99, 0)) == 6


@pytest.mark.parametrize(
    ("search", "learner"), [pytest.param("none", "xgboost", id="no search"), pytest.param("grid", "x", id="no file")]
)
def test_as_it_is(directory: Path, search: str, learner: str) -> None:
    """Without a search or a grid a learner has one candidate, which sets nothing."""
    assert candidates(search, learner, directory, 20, 0) == ({},)


def test_huge_grid(tmp_path: Path) -> None:
    """A grid too large to be tried is refused, and can be drawn from."""
    names = ("eta", "gamma", "alpha", "lambda", "subsample", "colsample_bytree")
    (tmp_path / "xgboost.json").write_text(json.dumps({name: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] for name in names}))

    with pytest.raises(SettingError, match=r"46656 candidates.*--search random"):
        candidates("grid", "xgboost", tmp_path, 20, 0)
    assert len(candidates("random", "xgboost", tmp_path, 20, 0)) == 20


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", "cannot be read as JSON", id="no JSON"),
        pytest.param("[1]", "a JSON object of lists", id="a list"),
        pytest.param('{"eta": 0.1}', "a JSON object of lists", id="no list"),
        pytest.param('{"eta": []}', "a JSON object of lists", id="nothing to try"),
        pytest.param('{"etta": [0.1]}', "did you mean eta", id="unknown name"),
        pytest.param(
            '{"threshold_rule": ["max_f1", "precision>=0.9"]}',
            "threshold_rule has 2 values, and a search chooses by average precision, .*; give one, or --set thres",
            id="no ranking of its own",
        ),
        pytest.param('{"eta": [0.1, 7]}', 'eta="7"', id="value out of range"),
    ],
)
def test_wrong_grids(tmp_path: Path, text: str, words: str) -> None:
    """A grid that train would not take is refused with its path before the first fit."""
    path = tmp_path / "xgboost.json"
    path.write_text(text)

    with pytest.raises(SettingError, match=f"xgboost.json.*{words}"):
        read(path, "xgboost")


def test_names_that_change_a_ranking() -> None:
    """Of what all learners may be told, the two ratios alone change which candidate ranks best."""
    assert set(fields(Hyperparameters)) - {*OPTIONS, *ALIKE} == {"smote_ratio", "undersample_ratio"}


def test_stray_grid(directory: Path) -> None:
    """A grid named like no learner is refused, as it would be read by none."""
    (directory / "xgbost.json").write_text("{}")

    with pytest.raises(SettingError, match=r"xgbost.json is the grid of no learner; .*xgboost"):
        require_known(directory, ["xgboost"])
    with pytest.raises(SettingError, match="no directory"):
        require_known(directory / "absent", ["xgboost"])
