"""The rows to explore: read as a training job reads them, and thinned where a step would take too long."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from fraud import channels
from fraud.channels import Channel
from fraud.errors import ColumnError, NoRowsError
from fraud.layout import Roles
from fraud.model.learner import Labelled
from fraud.model.scores import Floats, Labels
from fraud.schema import Column, Schema

SAMPLE = Path("test_dir", "input", "data", "train")
VARIABLE = "FRAUD_DATA"

type Positions = NDArray[np.intp]


def source(root: Path) -> Path:
    """Return what the environment variable FRAUD_DATA names, the sample rows where it names nothing."""
    named = os.environ.get(VARIABLE, "")
    path = Path(named).expanduser() if named else root / SAMPLE
    if not path.exists():
        raise NoRowsError(f"{VARIABLE}={named}: there is no such file or folder; name a CSV file, or unset it")
    return path


def read(path: Path, roles: Roles, amount: str) -> Channel:
    """Read a CSV file, or a folder of them, through the reader of the training job."""
    channel = channels.read(path, roles)
    if amount not in channel.schema.names:
        raise ColumnError(f'there is no column "{amount}" among {", ".join(channel.schema.names)}; change AMOUNT')
    if channel.schema.columns[channel.schema.names.index(amount)].kind != "number":
        raise ColumnError(f'column "{amount}" holds words; change AMOUNT to the column that holds the amounts')
    return channel


def frame(schema: Schema, rows: Labelled) -> pd.DataFrame:
    """Return the inputs under their names: numbers as float64, categories as their words."""
    return pd.DataFrame({column.name: _values(column, rows.X[:, n]) for n, column in enumerate(schema.columns)})


def _values(column: Column, codes: NDArray[np.float32]) -> NDArray[np.float64] | pd.Categorical:
    if column.kind != "category":
        return np.asarray(codes, dtype=np.float64)
    words = np.array([*column.categories, None], dtype=object)  # a missing cell takes the last
    return pd.Categorical(words[np.nan_to_num(codes, nan=-1).astype(int)], list(column.categories))


def summary(X: pd.DataFrame) -> pd.DataFrame:
    """Return what each column holds: its type, its missing cells, its different values, and where its numbers lie."""
    known = pd.DataFrame({"type": X.dtypes.astype(str), "missing": X.isna().sum(), "different": X.nunique()})
    numbers = X.select_dtypes("number").quantile([0.0, 0.25, 0.5, 0.75, 1.0]).T
    numbers.columns = ["least", "a quarter below", "median", "three quarters below", "most"]
    return known.join(numbers.round(3))


def balanced(y: Labels, seed: int = 0) -> Positions:
    """Return as many rows of each class, drawn at random from the larger, in their order."""
    rng = np.random.default_rng(seed)
    honest, frauds = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    fewer = min(len(honest), len(frauds))
    return np.sort(np.concatenate([rng.choice(rows, fewer, replace=False) for rows in (honest, frauds)]))


def drawn(y: Labels, most: int, most_frauds: int, seed: int = 0) -> Positions:
    """Return up to `most_frauds` frauds and honest rows up to `most` rows in all: a crowd that can be drawn."""
    rng = np.random.default_rng(seed)
    honest, frauds = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    kept = rng.choice(frauds, min(len(frauds), most_frauds), replace=False)
    others = rng.choice(honest, min(len(honest), most - len(kept)), replace=False)
    return np.sort(np.concatenate([others, kept]))


def thinned(rows: Labelled, most: int, seed: int = 0) -> Labelled:
    """Return up to `most` rows with the same share of frauds, in their order."""
    if len(rows) <= most:
        return rows
    kept, _ = train_test_split(np.arange(len(rows)), train_size=most, stratify=rows.y, random_state=seed)
    return rows[np.sort(kept)]


def strongest(X: pd.DataFrame, y: Labels, count: int) -> list[str]:
    """Return the columns of numbers that tell the classes apart best, each alone: by the area under its ROC curve.

    Ranks alone decide, so that neither the class balance nor a far outlier changes the order.
    """
    apart = {str(name): separation(values, y) for name, values in numbers(X).items()}
    return sorted(apart, key=lambda name: -apart[name])[:count]


def numbers(X: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of numbers that hold any."""
    return X.select_dtypes("number").dropna(axis=1, how="all")


def separation(values: pd.Series, y: Labels) -> float:
    """Return the share of pairs of a fraud and an honest row that these values order rightly, 0.5 for guessing.

    Whichever direction is right counts; missing values are taken as the median.
    """
    area = float(roc_auc_score(y, values.fillna(values.median())))
    return max(area, 1 - area)


def amounts(channel: Channel, rows: Labelled, name: str) -> Floats:
    """Return the amount of each row; one that is missing counts as the median, as in the rule of risk."""
    values = rows.X[:, channel.schema.names.index(name)].astype(np.float64)
    return np.where(np.isnan(values), np.nanmedian(values), values)
