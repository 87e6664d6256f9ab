"""What is to be compared, and how: the pairs, the folds, the search, all checked before the first row is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import version
from typing import Any, Final

from fraud import hyperparameters
from fraud.comparing.grids import Told
from fraud.errors import SettingError
from fraud.hyperparameters import Hyperparameters

LIBRARIES: Final = ("fraud-detect", "imbalanced-learn", "numpy", "scikit-learn", "xgboost")


@dataclass(frozen=True)
class Pair:
    """A learner on rows of a resampling."""

    learner: str
    resampling: str

    @property
    def name(self) -> str:
        return f"{self.learner} {self.resampling}"


@dataclass(frozen=True)
class Plan:
    """Everything that the figures follow from, but for the rows; `candidates` are hyperparameters of each learner.

    `told` holds the hyperparameters that all fits share, as strings, `told_to_learners` those that some learners have;
    `threads` are those of one fit.
    """

    learners: tuple[str, ...]
    resamplings: tuple[str, ...]
    folds: int
    split: str
    search: str
    candidates: Mapping[str, tuple[Told, ...]]
    told: Told
    threads: int = 1
    told_to_learners: Mapping[str, Told] = field(default_factory=dict)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        return tuple(Pair(learner, resampling) for learner in self.learners for resampling in self.resamplings)

    @property
    def shared(self) -> Hyperparameters:
        """Return what all fits share, typed; HyperparameterError where a value is wrong."""
        return hyperparameters.read(self.told)

    def told_to(self, pair: Pair, candidate: Told) -> dict[str, str]:
        """Return the hyperparameters of one fit, in the form that `train` takes."""
        own = self.told_to_learners.get(pair.learner, {})
        return {"algorithm": pair.learner, "resampling": pair.resampling, **candidate, **own, **self.told}

    def stated(self) -> dict[str, Any]:
        """Return what a resumed comparison has to agree with, as JSON has it."""
        return {
            "learners": list(self.learners),
            "resamplings": list(self.resamplings),
            "folds": self.folds,
            "split": self.split,
            "search": self.search,
            "candidates": {learner: list(of) for learner, of in self.candidates.items()},
            "hyperparameters": dict(self.told),
            "hyperparameters_of_learners": {learner: dict(of) for learner, of in self.told_to_learners.items()},
            "threads": self.threads,
            "versions": {name: version(name) for name in LIBRARIES},
        }


def chosen(option: str, names: str | None, known: Sequence[str]) -> tuple[str, ...]:
    """Read names with commas between them, all that are known for None; SettingError for one that is not."""
    if names is None:
        return tuple(known)
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not wanted:
        raise SettingError(f"{option} names none; those there are: {', '.join(known)}")
    for name in wanted:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise SettingError(f"{option}: there is no {name[:60]!r}; {hint}those there are: {', '.join(known)}")
    return tuple(wanted)
