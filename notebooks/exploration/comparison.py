"""Learners and resamplings compared by `fraud compare`, and the table that it leaves."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from notebooks.exploration.finding import Finding, listed, mark, name_rows, panels
from notebooks.exploration.rows import frame

from fraud.channels import Channel
from fraud.drawing import BLUE, GREEN, INK, MUTED, ORANGE
from fraud.errors import ColumnError, UserError
from fraud.model.evaluation import Figure
from fraud.model.learner import Labelled

# What is read of compare.csv; the file holds more.
PAIR = ["learner", "resampling"]
INTERVAL = ["average_precision", "average_precision_low", "average_precision_high"]
SHOWN = ["average_precision", "roc_auc", "precision", "recall", "f1", "fit_seconds"]
COLOURS = (BLUE, GREEN, ORANGE, INK, MUTED)


def compare(
    channel: Channel, rows: Labelled, learners: Sequence[str], resamplers: Sequence[str], folds: int
) -> pd.DataFrame:
    """Run `fraud compare` on these rows, and return its table; the folder that it writes into does not stay.

    UserError says what the command said, where it could not compare.
    """
    label = channel.schema.label
    with TemporaryDirectory(prefix="fraud-compare-") as folder:
        data, out = Path(folder) / "rows.csv", Path(folder) / "found"
        frame(channel.schema, rows).assign(**{label: rows.y}).to_csv(data, index=False)
        told = {"learners": ",".join(learners), "resamplers": ",".join(resamplers), "folds": folds, "label": label}
        told["categories"] = ",".join(column.name for column in channel.schema.columns if column.kind == "category")
        options = [f"--{name}={value}" for name, value in told.items() if value]
        # the package of this kernel, as the program "fraud" need not be on its path
        command = [sys.executable, "-m", "fraud", "compare", str(data), *options, "--out", str(out)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise UserError(
                f"fraud compare {shlex.join(options)}: {_why(out, ran.stderr.strip() or ran.stdout.strip())}"
            )
        return table(out)


def _why(out: Path, said: str) -> str:
    """Return what the command said, or why it refused every pair: the page that it points to does not stay."""
    refusals = pd.read_csv(out / "compare.csv")["refused"] if (out / "compare.csv").is_file() else pd.Series([None])
    return said if refusals.isna().any() else f"every pair was refused: {'; '.join(refusals.unique())}"


def table(folder: Path) -> pd.DataFrame:
    """Read what was found of each pair, best first; pairs that refused the rows come last, without figures."""
    found = pd.read_csv(folder / "compare.csv")
    if absent := [name for name in (*PAIR, *INTERVAL, *SHOWN, "refused") if name not in found]:
        raise ColumnError(f"{folder / 'compare.csv'} lacks {', '.join(absent)}; it has {', '.join(found.columns)}")
    return found.sort_values("average_precision", ascending=False, ignore_index=True)


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that a person compares, of the pairs that have figures."""
    return found.dropna(subset=INTERVAL).set_index(PAIR)[SHOWN].round(3)


def intervals(compared: pd.DataFrame) -> Finding:
    """Draw the average precision of each pair, coloured by how its rows were resampled."""
    found = compared.dropna(subset=INTERVAL)
    figure, (axes,) = panels(1, 1, 1.0 + 0.32 * len(found))
    colours = dict(zip(found["resampling"].unique(), COLOURS * len(found), strict=False))
    figures = [Figure(*line) for line in found[INTERVAL].itertuples(index=False)]
    for place, (one, resampling) in enumerate(zip(figures, found["resampling"], strict=True)):
        label = resampling if resampling not in set(found["resampling"][:place]) else None
        mark(axes, one, place, colours[resampling], label)
    name_rows(axes, found["learner"])
    axes.set_xlabel("average precision, with its 95 % interval")
    axes.margins(x=0.12)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), title="resampling")
    best, near = figures[0], sum(one.high >= figures[0].low for one in figures[1:])
    slow = found.iloc[int(found["fit_seconds"].argmax())]
    sentence = (
        f"{_first_told(found)}: {best.value:.3f} ({best.low:.3f} to {best.high:.3f}). Of the other {len(found) - 1} "
        f"intervals {near} reach into this one. The longest fit, of {_pair(slow)}, took {slow['fit_seconds']:.1f} s."
    )
    numbers = {"best": best.value, "pairs": len(found), "near": near, "longest fit": float(slow["fit_seconds"])}
    return Finding(sentence + _refusals_told(compared), figure, numbers)


def _first_told(found: pd.DataFrame) -> str:
    """Say which pair ranks best, or which share that place."""
    names = [_pair(one) for _, one in found[found["average_precision"] == found["average_precision"].max()].iterrows()]
    return f"{listed(names)} {'rank best, as equals,' if len(names) > 1 else 'ranks best'} of {len(found)} pairs"


def _refusals_told(compared: pd.DataFrame) -> str:
    reasons = compared[compared["refused"].notna()].groupby("refused", sort=False)
    return "".join(f" Left out: {listed(_pair(one) for _, one in some.iterrows())}: {why}." for why, some in reasons)


def _pair(line: pd.Series) -> str:
    return f"{line['learner']} with {line['resampling']}"
