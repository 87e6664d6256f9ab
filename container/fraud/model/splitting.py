"""Which rows are trained on, which choose, and which measure."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from fraud.errors import NoFraudError, OnlyFraudError
from fraud.model.learner import Labelled


@dataclass(frozen=True)
class Split:
    """Training rows; tuning rows, which choose resampling, calibration and threshold; and rows that only measure.

    The rows that only measure are a part of the validation rows, or those of the `test` channel; `positions` says
    where in their channel they stand.
    """

    training: Labelled
    tuning: Labelled
    held_out: Labelled
    positions: NDArray[np.intp]
    has_test: bool

    @property
    def watched(self) -> dict[str, Labelled]:
        """Return the rows to measure after each round, by their names in the metric lines; the first ones tune."""
        if self.has_test:
            return {"validation": self.tuning}
        return {"tuning": self.tuning, "validation": self.held_out}

    @property
    def measured_on(self) -> str:
        """Return the name of the held-out rows in the metric lines."""
        return "test" if self.has_test else "validation"


def split(train: Labelled, validation: Labelled | None, test: Labelled | None, fraction: float, seed: int) -> Split:
    """Divide the rows of the channels; `fraction` of the training rows validate where no channel does.

    Raises NoFraudError or OnlyFraudError where a part would hold one class only.
    """
    require_both_classes(train, "training rows")
    if validation is None:
        training, validation, held_out = _hold_validation_out(train, fraction, seed)
    else:
        training, held_out = train, np.arange(len(validation))
        require_both_classes(validation, "validation rows")
    if test is not None:
        require_both_classes(test, "test rows")
        return Split(training, validation, test, np.arange(len(test)), has_test=True)
    tunes, measures = hold_out(validation, 0.5, seed)
    parts = Split(training, _take(validation, tunes), _take(validation, measures), held_out[measures], has_test=False)
    require_both_classes(parts.tuning, "validation rows that choose the threshold")
    require_both_classes(parts.held_out, "validation rows that measure it")
    return parts


def _hold_validation_out(train: Labelled, fraction: float, seed: int) -> tuple[Labelled, Labelled, NDArray[np.intp]]:
    """Return the rows left, those that validate and their positions; an error names the hyperparameter."""
    told = f"validation_fraction={fraction:g}"
    try:
        kept, held_out = hold_out(train, fraction, seed)
    except NoFraudError as error:
        raise NoFraudError(f"{error} ({told})") from None
    training, validation = _take(train, kept), _take(train, held_out)
    require_both_classes(training, f"training rows left after holding validation rows out ({told})")
    require_both_classes(validation, f"validation rows ({told})")
    return training, validation, held_out


def hold_out(rows: Labelled, fraction: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the rows to keep and of those to hold out.

    The latest rows are held out where times are known, else a part with the same share of frauds.
    """
    if rows.times is not None:
        order = np.argsort(rows.times, kind="stable")
        kept = len(rows) - round(len(rows) * fraction)
        return order[:kept], order[kept:]
    away = math.ceil(len(rows) * fraction)
    if min(rows.frauds, len(rows) - rows.frauds, away, len(rows) - away) < 2:
        raise NoFraudError(
            f"{counted(rows.frauds, 'fraud')} among {len(rows)} rows cannot be divided into {len(rows) - away} rows "
            f"and {away}; each part needs both classes"
        )
    kept_rows, held_out = train_test_split(np.arange(len(rows)), test_size=fraction, stratify=rows.y, random_state=seed)
    return np.sort(kept_rows), np.sort(held_out)


def counted(count: int, noun: str) -> str:
    """Return a count with what is counted: 1 fraud, 2 frauds."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _take(rows: Labelled, positions: NDArray[np.intp]) -> Labelled:
    """Return the rows at these positions; a view, not a copy, where they follow one another."""
    if len(positions) and np.array_equal(positions, np.arange(positions[0], positions[0] + len(positions))):
        return rows[slice(int(positions[0]), int(positions[0]) + len(positions))]
    return rows[positions]


def require_both_classes(rows: Labelled, what: str) -> None:
    """Raise NoFraudError or OnlyFraudError where rows hold one class only."""
    if not rows.frauds:
        raise NoFraudError(f"the {what} hold no fraud among {len(rows)} rows; at least one is needed")
    if rows.frauds == len(rows):
        raise OnlyFraudError(f"the {what} hold frauds only, {len(rows)} of them; honest rows are needed too")
