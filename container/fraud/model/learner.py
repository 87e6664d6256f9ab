"""What learners have in common: the rows they read, how they are told to fit, and what they answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fraud.errors import LearnerError
from fraud.model.parameters import Parameters
from fraud.model.scores import Floats, Labels
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
class Plan[P: Parameters]:
    """How to fit: the learner's own parameters, XGBoost's type of each column, and with what.

    `categories` is how many each column has, those that training rows lack among them.
    """

    parameters: P
    feature_types: Sequence[str]
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    categories: Sequence[int] = ()


@contextmanager
def stopping(estimator: object) -> Iterator[None]:
    """Say in our words what scikit-learn cannot fit, in one line."""
    try:
        yield
    except ValueError as error:
        reason = str(error).strip().partition("\n")[0][:200]
        if "variance threshold" in reason:  # of the step before the estimator, which leaves out what never varies
            reason = "no column varies among the training rows; give it one that does"
        raise LearnerError(f"{type(estimator).__name__} stopped: {reason}") from error


class Learner[P: Parameters](Protocol):
    """What stands behind a name in ALGORITHMS; `is_supervised` is False for those that read honest rows alone.

    `keeps_rows` is True where training rows are a part of the model.
    `importance_of` says what the shares of `importance` are shares of; nothing where it has none.
    """

    parameters: ClassVar[type[Parameters]]
    file_name: ClassVar[str]
    is_supervised: ClassVar[bool]
    uses_gpu: ClassVar[bool]
    keeps_rows: ClassVar[bool]
    importance_of: ClassVar[str]

    @classmethod
    def fit(cls, training: Labelled, watched: Mapping[str, Labelled], plan: Plan[P], on_round: OnRound) -> Self:
        """Fit; a learner that goes in rounds tells `on_round` its figures on `watched`, and ends where it says True."""

    @classmethod
    def load(cls, content: bytes, feature_types: Sequence[str], threads: int) -> Self:
        """Read what `dump` wrote; BundleError where it is no learner of those columns."""

    def dump(self) -> bytes:
        """Return the learner in a format that runs no code when it is read."""

    def settled(self, plan: Plan[P]) -> Plan[P]:
        """Return the plan that fits other rows to the same end as this learner."""

    @property
    def rounds(self) -> int:
        """Return how many rounds it has: trees, or passes over the rows; 1 for what is fitted at once."""

    @property
    def explains(self) -> bool:
        """Whether `contributions` are exact; it raises LearnerError where they are not."""

    def raw_score(self, X: Matrix) -> Floats:
        """Return how much each row looks like fraud, in the unit in which contributions add up: float64 (rows)."""

    def link(self, raw_score: Floats) -> Floats:
        """Return what the calibration reads for raw scores: monotone, and about linear in log-odds."""

    def contributions(self, X: Matrix) -> Floats:
        """Return what each cell adds to the raw score, and the base value: float64 (rows, columns + 1)."""

    def importance(self, names: Sequence[str]) -> dict[str, float]:
        """Return each column's share, largest first; columns that tell nothing are left out."""
