"""Grids of hyperparameters, one JSON file a learner, and the candidates that a search takes from them."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import prod
from pathlib import Path

import numpy as np

from fraud import hyperparameters
from fraud.errors import HyperparameterError, SettingError

type Told = Mapping[str, str]
type Grid = Mapping[str, Sequence[str]]

# What changes no ranking: a search chooses by average precision, and would keep the first value.
ALIKE = ("amount_column", "decline_rule", "device", "refit", "threshold_rule", "top_k", "validation_fraction")
AS_IT_IS: tuple[Told, ...] = ({},)
MOST_CANDIDATES = 10_000
RIGHT = 'a JSON object of lists, such as {"max_depth": [3, 4, 6]}'


def packaged() -> Traversable:
    """Return where the grids of this package are."""
    return files("fraud.comparing") / "grids"


def candidates(search: str, learner: str, directory: Traversable, trials: int, seed: int) -> tuple[Told, ...]:
    """Return the hyperparameters to try, as strings: all of the grid, or `trials` of it drawn without repetition.

    A learner without a grid is tried as it is. Raises SettingError for a grid that `train` would not take.
    """
    path = directory / f"{learner}.json"
    if search == "none" or not path.is_file():
        return AS_IT_IS
    grid = read(path, learner)
    total = prod(map(len, grid.values()))
    if search == "grid" and total > MOST_CANDIDATES:
        raise SettingError(f"{path} has {total} candidates, more than {MOST_CANDIDATES}; use --search random")
    if search == "grid" or trials >= total:
        return tuple(_candidate(grid, number) for number in range(total))
    drawn = np.random.default_rng(seed).choice(total, size=trials, replace=False)
    return tuple(_candidate(grid, int(number)) for number in drawn)


def read(path: Traversable, learner: str) -> Grid:
    """Read the grid of a learner; SettingError for a file, a name or a value that is not right."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(values, list) and values for values in content.values()):
        raise SettingError(f"{path} should hold {RIGHT}")
    grid = {name: tuple(map(_text, values)) for name, values in content.items()}
    for name, values in grid.items():
        if name in ALIKE and len(values) > 1:
            why = "a search chooses by average precision, which is the same for all of them"
            raise SettingError(f"{path}: {name} has {len(values)} values, and {why}; give one, or --set {name}=VALUE")
        for value in values:
            try:
                hyperparameters.read({"algorithm": learner, name: value})
            except HyperparameterError as error:
                raise SettingError(f"{path}: {error}") from error
    return grid


def require_known(directory: Path, learners: Sequence[str]) -> None:
    """Raise SettingError where a directory of grids is absent, or holds one of a learner that is not there."""
    if not directory.is_dir():
        raise SettingError(f"--grids: there is no directory {directory}")
    for path in sorted(directory.glob("*.json")):
        if path.stem not in learners:
            raise SettingError(f"{path} is the grid of no learner; those there are: {', '.join(learners)}")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _candidate(grid: Grid, number: int) -> Told:
    """Return a point of the grid by its number; the last name changes fastest."""
    found = {}
    for name, values in reversed(list(grid.items())):
        number, place = divmod(number, len(values))
        found[name] = values[place]
    return {name: found[name] for name in grid}
