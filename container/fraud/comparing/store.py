"""The directory of a comparison: what each fold of each pair came to is there as soon as it is known."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self, TypedDict

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from fraud.comparing import wording
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
    __pydantic_config__ = ConfigDict(extra="forbid")


class Figures(TypedDict):
    """Those that a report shows."""

    average_precision: Figure
    roc_auc: Figure
    precision: Figure
    recall: Figure
    f1: Figure
    brier_skill: Figure


class Counts(TypedDict):
    """The confusion of all rows that were tested."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


class Curves(TypedDict):
    """Points of what a report draws."""

    precision_recall: list[tuple[float, float]]
    roc: list[tuple[float, float]]


class Summary(TypedDict):
    """What the file of a pair has to hold at least."""

    figures: Figures
    confusion: Counts
    curves: Curves


OUTCOME: Final = TypeAdapter(Outcome)
GAIN: Final = TypeAdapter(Figure)
SUMMARIES: Final = TypeAdapter(Summary)


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
            if path.exists():
                goes_on = "--resume goes on with the comparison there"
                raise SettingError(f"--out {directory} is not empty; {goes_on}, or give another --out")
            raise SettingError(f"--out {directory} is not empty, and holds no comparison; give another --out")
        if is_used and not path.exists():
            raise SettingError(f"--resume: {directory} holds files, and no comparison to go on with; give its --out")
        if is_used:
            if differs := wording.difference(_read(path), json.loads(json.dumps(settings))):
                raise SettingError(f"--resume: {differs}")
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
        """Return what a fold came to, None where it is not known, or its scores are gone."""
        path = self._path(pair, f"{fold}.json")
        if not path.exists():
            return None
        outcome = _checked(OUTCOME, path)
        if not outcome.refused and not (outcome.figures and 0 <= outcome.candidate < len(outcome.tried)):
            raise SettingError(_damaged(path, "it holds neither figures of what was tried nor why that was refused"))
        return outcome if outcome.refused or path.with_suffix(".npy").exists() else None

    def scores(self, pair: Pair, fold: int, rows: int) -> NDArray[np.float64]:
        """Return probabilities and flags of the rows that the fold tests: (2, rows)."""
        path = self._path(pair, f"{fold}.npy")
        try:
            with path.open("rb") as stream:
                found: NDArray[np.float64] = np.lib.format.read_array(stream)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # numpy has no error of its own for a header that is not right
            raise SettingError(_damaged(path, "it is no array of numpy")) from error
        if found.dtype != np.float64 or found.shape != (2, rows) or not np.isfinite(found).all():
            raise SettingError(_damaged(path, f"it does not hold a probability and a flag for each of {rows} rows"))
        return found

    def save_summary(self, pair: Pair, summary: Mapping[str, Any]) -> None:
        write(self._path(pair, SUMMARY), json.dumps(summary))

    def summary(self, pair: Pair) -> dict[str, Any] | None:
        path = self._path(pair, SUMMARY)
        if not path.exists():
            return None
        _checked(SUMMARIES, path)
        return _read(path)

    def save_gain(self, winner: Pair, other: Pair, gain: Figure) -> None:
        write(self._behind(winner, other), json.dumps(asdict(gain)))

    def gain(self, winner: Pair, other: Pair) -> Figure | None:
        """Return how much average precision the winner has over another pair, None where that is not known."""
        path = self._behind(winner, other)
        return _checked(GAIN, path) if path.exists() else None

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
        raise SettingError(_damaged(path, "it is not JSON")) from error
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror or error}") from error
    if not isinstance(content, dict):
        raise SettingError(_damaged(path, "it is no JSON object"))
    return content


def _checked[T](kind: TypeAdapter[T], path: Path) -> T:
    try:
        return kind.validate_python(_read(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise SettingError(_damaged(path, f"{place}: {first['msg']}")) from error


def _damaged(path: Path, problem: str) -> str:
    """Say what is wrong with a file, and what brings it back: a fold, a summary and a gain can be made again."""
    mend = "begin anew in another --out" if path.name == SETTINGS else "delete it, and --resume makes it again"
    return f"{path} is damaged: {problem}; {mend}"
