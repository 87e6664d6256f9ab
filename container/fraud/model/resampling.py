"""Other class balances for training rows, and for those alone: RESAMPLERS maps a name to a function."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, BorderlineSMOTE, RandomOverSampler
from imblearn.under_sampling import EditedNearestNeighbours, NearMiss, RandomUnderSampler
from numpy.typing import NDArray

from fraud.errors import ResamplingError, quoted
from fraud.model.learner import Labelled

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
    if not (wanted := _wanted(rows, options)):
        return rows
    _require_neighbours("SMOTE", rows, options)
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
    return _with_frauds(rows, sampler.fit_resample(scaled, labels)[0][len(scaled) :] * scale + centre)


def undersample_then_smote(rows: Labelled, options: Options) -> Labelled:
    """Drop honest rows until frauds reach one ratio, then add frauds up to the other (Chawla et al. 2002)."""
    return smote(undersample(rows, options), options)


def random_oversample(rows: Labelled, options: Options) -> Labelled:
    """Repeat frauds, drawn at random, until they reach the ratio."""
    if not (wanted := _wanted(rows, options)):
        return rows
    sampler = RandomOverSampler(sampling_strategy={1: wanted}, random_state=options.seed)
    drawn, _ = sampler.fit_resample(np.arange(len(rows))[:, None], rows.y)
    return rows[drawn[:, 0]]


def borderline_smote(rows: Labelled, options: Options) -> Labelled:
    """Add frauds beside those that honest rows surround, until they reach the ratio (Han et al. 2005, variant 1)."""
    kinds = {"k_neighbors": min(NEIGHBOURS, max(rows.frauds - 1, 1)), "kind": "borderline-1"}
    return _oversampled("Borderline-SMOTE", BorderlineSMOTE, rows, options, kinds)


def adasyn(rows: Labelled, options: Options) -> Labelled:
    """Add frauds, the more the more honest rows are near, until they about reach the ratio (He et al. 2008)."""
    return _oversampled("ADASYN", ADASYN, rows, options, {"n_neighbors": min(NEIGHBOURS, max(rows.frauds - 1, 1))})


def smote_enn(rows: Labelled, options: Options) -> Labelled:
    """Add frauds up to the ratio, then drop rows with a neighbour of the other class (Batista et al. 2004)."""
    if not _wanted(rows, options):
        return rows
    _require_neighbours("SMOTE-ENN", rows, options, knows_categories=False)
    more = smote(rows, options)
    centre, scale = _scaling(rows, options)
    cleaner = EditedNearestNeighbours(sampling_strategy="all")
    cleaner.fit_resample((more.X - centre) / scale, more.y)
    return _both_classes("SMOTE-ENN", more[np.sort(cleaner.sample_indices_)])


def near_miss(rows: Labelled, options: Options) -> Labelled:
    """Keep the honest rows nearest to frauds, until frauds reach the ratio (Zhang and Mani 2003, NearMiss-1)."""
    if rows.frauds >= options.undersample_ratio * (len(rows) - rows.frauds):
        return rows
    _require_neighbours("NearMiss", rows, options, knows_categories=False)
    centre, scale = _scaling(rows, options)
    sampler = NearMiss(sampling_strategy=options.undersample_ratio, n_neighbors=min(3, rows.frauds))
    sampler.fit_resample((rows.X - centre) / scale, rows.y)
    return rows[np.sort(sampler.sample_indices_)]


def _oversampled(name: str, sampler: Any, rows: Labelled, options: Options, told: dict[str, Any]) -> Labelled:
    """Add the frauds that a sampler makes of all rows in one scale."""
    if not (wanted := _wanted(rows, options)):
        return rows
    _require_neighbours(name, rows, options, knows_categories=False)
    centre, scale = _scaling(rows, options)
    scaled = (rows.X - centre) / scale
    try:
        X, _ = sampler(sampling_strategy={1: wanted}, random_state=options.seed, **told).fit_resample(scaled, rows.y)
    except (ValueError, RuntimeError) as error:  # what ADASYN says where it would add none
        raise ResamplingError(_adds_none(name)) from error
    if len(X) == len(rows):
        raise ResamplingError(_adds_none(name))
    return _with_frauds(rows, X[len(scaled) :] * scale + centre)


def _adds_none(name: str) -> str:
    why = "no fraud has honest neighbours, or fewer are wanted than there are frauds"
    return f"{name} adds no fraud here: {why}; use smote or none"


def _wanted(rows: Labelled, options: Options) -> int:
    """Return how many frauds reach the ratio; 0 where they do."""
    wanted = int(options.smote_ratio * (len(rows) - rows.frauds))
    return wanted if wanted > rows.frauds else 0


def _with_frauds(rows: Labelled, made: NDArray[np.float64]) -> Labelled:
    labels = np.ones(len(made), dtype=rows.y.dtype)
    return Labelled(np.vstack([rows.X, made.astype(np.float32)]), np.concatenate([rows.y, labels]))


def _both_classes(name: str, rows: Labelled) -> Labelled:
    if not 0 < rows.frauds < len(rows):
        raise ResamplingError(f"{name} leaves rows of one class only; use smote or none")
    return rows


def _require_neighbours(name: str, rows: Labelled, options: Options, *, knows_categories: bool = True) -> None:
    if rows.frauds < 2:
        raise ResamplingError(f"{name} needs two frauds or more to look between; the training rows hold {rows.frauds}")
    if len(options.categorical) == rows.X.shape[1]:
        raise ResamplingError(
            f"{name} needs a column of numbers, and every column is a category; use random-oversample or none"
        )
    if options.categorical and not knows_categories:
        columns = quoted(_names(options.categorical, options))
        told = f"{name} finds neighbours among numbers alone, and not by categories, which {columns} hold"
        raise ResamplingError(f"{told}{'s' * (len(options.categorical) == 1)}; use smote, or exclude the columns")
    if len(missing := np.flatnonzero(np.isnan(rows.X).any(axis=0))):
        columns = quoted(_names(missing, options))
        raise ResamplingError(
            f"{name} cannot look between missing cells, which {columns} hold{'s' * (len(missing) == 1)}; "
            "use random-oversample, undersample or none, fill the cells, or exclude the columns"
        )


def _names(places: Iterable[int], options: Options) -> list[str]:
    return [options.names[place] if options.names else f"input {place + 1}" for place in places]


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
    "random-oversample": random_oversample,
    "borderline-smote": borderline_smote,
    "adasyn": adasyn,
    "smote-enn": smote_enn,
    "near-miss": near_miss,
}
# What `auto` tries, from the simplest on.
AUTO = ("none", "undersample", "smote")
