"""Other class balances for training rows, and for those alone: RESAMPLERS maps a name to a function."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from imblearn.over_sampling import SMOTE, SMOTENC
from imblearn.under_sampling import RandomUnderSampler

from fraud.errors import ResamplingError
from fraud.model.algorithms import Labelled
from fraud.schema import quoted

NEIGHBOURS = 5


@dataclass(frozen=True)
class Options:
    """Ratios are frauds for each honest row after resampling; `categorical` are columns that are no numbers.

    `names` are those of the columns, for messages; without them a column is called by its place.
    """

    smote_ratio: float
    undersample_ratio: float
    categorical: tuple[int, ...]
    seed: int
    names: tuple[str, ...] = ()


def keep(rows: Labelled, options: Options) -> Labelled:  # noqa: ARG001 - every resampler is called so
    """Return the rows as they are."""
    return rows


def undersample(rows: Labelled, options: Options) -> Labelled:
    """Drop honest rows at random until frauds reach the ratio; rows that reach it already stay as they are."""
    if rows.frauds >= options.undersample_ratio * (len(rows) - rows.frauds):
        return rows
    sampler = RandomUnderSampler(sampling_strategy=options.undersample_ratio, random_state=options.seed)
    kept, _ = sampler.fit_resample(np.arange(len(rows))[:, None], rows.y)
    return rows[np.sort(kept[:, 0])]


def smote(rows: Labelled, options: Options) -> Labelled:
    """Add frauds between neighbouring frauds until they reach the ratio (Chawla et al. 2002; SMOTE-NC: section 6.1).

    Neighbours are found among columns divided by their standard deviation. Raises ResamplingError where cells
    are missing, or where there are fewer than two frauds.
    """
    honest = len(rows) - rows.frauds
    wanted = int(options.smote_ratio * honest)
    if wanted <= rows.frauds:
        return rows
    _require_neighbours(rows, options)
    centre, scale = _scaling(rows, options)
    # SMOTE reads frauds only; two honest rows satisfy its check for two classes, and the rest need no copy.
    frauds, others = rows.X[rows.y == 1], rows.X[rows.y == 0][:2]
    scaled = (np.vstack([frauds, others]) - centre) / scale
    labels = np.repeat([1, 0], [len(frauds), len(others)])
    neighbours = min(NEIGHBOURS, len(frauds) - 1)
    kinds = {"categorical_features": list(options.categorical)} if options.categorical else {}
    sampler = (SMOTENC if kinds else SMOTE)(
        sampling_strategy={1: wanted}, k_neighbors=neighbours, random_state=options.seed, **kinds
    )
    made = sampler.fit_resample(scaled, labels)[0][len(scaled) :] * scale + centre
    labels = np.ones(len(made), dtype=rows.y.dtype)
    return Labelled(np.vstack([rows.X, made.astype(np.float32)]), np.concatenate([rows.y, labels]))


def undersample_then_smote(rows: Labelled, options: Options) -> Labelled:
    """Drop honest rows until frauds reach one ratio, then add frauds up to the other (Chawla et al. 2002)."""
    return smote(undersample(rows, options), options)


def _require_neighbours(rows: Labelled, options: Options) -> None:
    if rows.frauds < 2:
        raise ResamplingError(f"SMOTE needs two frauds or more to look between; the training rows hold {rows.frauds}")
    if len(options.categorical) == rows.X.shape[1]:
        raise ResamplingError(
            "SMOTE needs a column of numbers, and every column is a category; use undersample or none"
        )
    if len(missing := np.flatnonzero(np.isnan(rows.X).any(axis=0))):
        columns = quoted([options.names[place] if options.names else f"input {place + 1}" for place in missing])
        raise ResamplingError(
            f"SMOTE cannot look between missing cells, which {columns} hold{'s' * (len(missing) == 1)}; "
            "use undersample or none, fill the cells, or exclude the columns"
        )


def _scaling(rows: Labelled, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each column; 0 and 1 for categories, whose codes are no quantities."""
    centre = rows.X.mean(axis=0, dtype=np.float64)
    scale = rows.X.std(axis=0, dtype=np.float64)
    scale[scale == 0] = 1.0
    centre[list(options.categorical)] = 0.0
    scale[list(options.categorical)] = 1.0
    return centre, scale


RESAMPLERS: dict[str, Callable[[Labelled, Options], Labelled]] = {
    "none": keep,
    "undersample": undersample,
    "smote": smote,
    "smote+undersample": undersample_then_smote,
}
# What `auto` tries, from the simplest on.
AUTO = ("none", "undersample", "smote")
