"""The directory of a comparison: what each fold of each pair came to is there as soon as it is known."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fraud.comparing.folds import Parts
from fraud.comparing.plan import Pair
from fraud.errors import SettingError
from fraud.model.evaluation import Figure
from fraud.model.learner import Labelled

SETTINGS = "settings.json"
FOLDS = "folds"
SUMMARY = "summary.json"
ROWS_PREFIX = ".rows-"


@dataclass(frozen=True)
class Outcome:
    """One fold of a pair: why it was refused, or what was tried, which candidate tuned best, and its figures.

    `seconds` took the fit of that candidate, `search_seconds` those of all. `tried` holds the average precision of
    each candidate on the rows that tune, or why it was refused.
    """

    refused: str = ""
    candidate: int = 0
    seconds: float = 0.0
    search_seconds: float = 0.0
    threshold: float = 0.0
    figures: Mapping[str, float] | None = None
    tried: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Store:
    """The directory that --out names."""

    directory: Path

    @classmethod
    def open(cls, directory: Path, settings: Mapping[str, Any], *, resume: bool) -> Self:
        """Begin in an empty directory, or go on in one whose settings are the same; SettingError for any other."""
        path = directory / SETTINGS
        is_used = directory.is_dir() and any(directory.iterdir())
        if is_used and not resume:
            goes_on = "--resume goes on with the comparison there" if path.exists() else "it holds no comparison"
            raise SettingError(f"--out {directory} is not empty; {goes_on}, or give another --out")
        if is_used and not path.exists():
            raise SettingError(f"--resume: {directory} holds files, and no comparison to go on with; give its --out")
        if is_used:
            _require_same(_read(path), json.loads(json.dumps(settings)))
            for rows in directory.glob(f"{ROWS_PREFIX}*"):  # of a run that was killed
                shutil.rmtree(rows)
        else:
            directory.mkdir(parents=True, exist_ok=True)
            write(path, json.dumps(settings, indent=1))
        return cls(directory)

    def save(self, pair: Pair, fold: int, outcome: Outcome, scores: NDArray[np.float64] | None) -> None:
        """Write probabilities and flags, then the outcome: a fold whose outcome is there is whole."""
        path = self._path(pair, f"{fold}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        if scores is not None:
            unfinished = path.with_name(f".{fold}.unfinished.npy")
            np.save(unfinished, scores)
            unfinished.replace(path.with_suffix(".npy"))
        write(path, json.dumps(asdict(outcome)))

    def outcome(self, pair: Pair, fold: int) -> Outcome | None:
        path = self._path(pair, f"{fold}.json")
        return Outcome(**_read(path)) if path.exists() else None

    def scores(self, pair: Pair, fold: int) -> NDArray[np.float64]:
        """Return probabilities and flags of the rows that the fold tests: (2, rows)."""
        found: NDArray[np.float64] = np.load(self._path(pair, f"{fold}.npy"))
        return found

    def save_summary(self, pair: Pair, summary: Mapping[str, Any]) -> None:
        write(self._path(pair, SUMMARY), json.dumps(summary))

    def summary(self, pair: Pair) -> dict[str, Any] | None:
        path = self._path(pair, SUMMARY)
        return _read(path) if path.exists() else None

    def save_gain(self, winner: Pair, other: Pair, gain: Figure) -> None:
        write(self._behind(winner, other), json.dumps(asdict(gain)))

    def gain(self, winner: Pair, other: Pair) -> Figure | None:
        """Return how much average precision the winner has over another pair, None where that is not known."""
        path = self._behind(winner, other)
        return Figure(**_read(path)) if path.exists() else None

    @contextmanager
    def lent(self, rows: Labelled, parts: Parts) -> Iterator[Path]:
        """Lay rows and parts where every process maps the same memory, until the block ends."""
        with tempfile.TemporaryDirectory(prefix=ROWS_PREFIX, dir=self.directory) as directory:
            for name, values in (("X", rows.X), ("y", rows.y), ("parts", parts)):
                np.save(Path(directory) / f"{name}.npy", values)
            yield Path(directory)

    def _behind(self, winner: Pair, other: Pair) -> Path:
        return self._path(other, f"behind_{winner.learner}_{winner.resampling}.json")

    def _path(self, pair: Pair, name: str) -> Path:
        return self.directory / FOLDS / f"{pair.learner}_{pair.resampling}" / name


def write(path: Path, text: str) -> None:
    """Write a file in one step: a reader never sees half of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingError(f"{path} is damaged: it is not JSON; delete it, and --resume makes it again") from error
    if not isinstance(content, dict):
        raise SettingError(f"{path} is damaged: it is no JSON object; delete it, and --resume makes it again")
    return content


def _require_same(first: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise SettingError that names what differs from the comparison to go on with."""
    for name in (*now, *first):
        was, is_now = first.get(name), now.get(name)
        if was == is_now:
            continue
        if name == "data":
            raise SettingError("--resume: the rows of DATA are not those of the comparison in --out")
        shown = f"was {json.dumps(was)[:200]}, and is {json.dumps(is_now)[:200]} now"
        raise SettingError(f"--resume: {name} {shown}; give the same, or another --out")
