"""The learners behind one door: ALGORITHMS maps the name a job gives to the class that fits, saves and loads it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fraud.errors import BundleError
from fraud.model.scores import Floats, Labels
from fraud.model.trees import Trees, XGBoostError, cause
from fraud.schema import Matrix

type OnRound = Callable[[int, Mapping[str, float]], bool]


@dataclass(frozen=True)
class Labelled:
    """Rows, their labels, and their times where a column orders them.

    float32 (rows, columns), uint8 (rows) with 1 for fraud, float64 (rows).
    """

    X: Matrix
    y: Labels
    times: Floats | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def frauds(self) -> int:
        return int(np.count_nonzero(self.y))

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> "Labelled":
        return Labelled(self.X[rows], self.y[rows], None if self.times is None else self.times[rows])


@dataclass(frozen=True)
class Plan:
    """How to fit: the library's own parameters, the number of rounds, and when to stop early (0: never)."""

    parameters: Mapping[str, object]
    rounds: int
    feature_types: Sequence[str]
    early_stopping_rounds: int = 0
    eval_metric: str = "logloss"


class BoostedTrees:
    """Gradient-boosted trees (Chen and Guestrin 2016), by XGBoost; saved as UBJSON, never pickled."""

    file_name = "booster.ubj"

    def __init__(self, content: bytes, trees: Trees) -> None:
        self._content = content
        self._trees = trees

    @classmethod
    def fit(cls, training: Labelled, watched: Mapping[str, Labelled], plan: Plan, on_round: OnRound) -> Self:
        """Fit round by round; `on_round` is told log loss and average precision and returns True to stop.

        `watched` holds the rows to measure each round; early stopping watches the first of them.
        """
        from fraud.model.boosting import boost  # noqa: PLC0415 - serving never fits, and starts sooner

        threads = int(str(plan.parameters["nthread"]))
        return cls.load(boost(training, watched, plan, on_round), plan.feature_types, threads)

    @classmethod
    def load(cls, content: bytes, feature_types: Sequence[str], threads: int) -> Self:
        """Read what `dump` wrote; BundleError where it is no booster of that many columns and one margin a row."""
        trees = Trees(content, threads)
        if trees.columns != len(feature_types):
            raise BundleError(f"{cls.file_name} reads {trees.columns} columns and the schema has {len(feature_types)}")
        try:
            trees.margins(np.full((1, trees.columns), np.nan, dtype=np.float32))
        except XGBoostError as error:
            raise BundleError(f"{cls.file_name} cannot score: {cause(error)}") from error
        return cls(content, trees)

    def dump(self) -> bytes:
        return self._content

    @property
    def rounds(self) -> int:
        return self._trees.rounds

    def raw_score(self, X: Matrix) -> Floats:
        """Return the margin of each row, in log-odds: float64 (rows)."""
        return self._trees.margins(X)

    def contributions(self, X: Matrix) -> Floats:
        """Return what each cell adds to the margin, and the base value: float64 (rows, columns + 1), in log-odds."""
        return self._trees.contributions(X)

    def importance(self, names: Sequence[str]) -> dict[str, float]:
        """Return each column's share of the total gain, largest first; columns in no tree are left out."""
        from fraud.model.boosting import importance  # noqa: PLC0415 - serving never asks, and starts sooner

        return importance(self._content, names)


ALGORITHMS: dict[str, type[BoostedTrees]] = {"xgboost": BoostedTrees}
