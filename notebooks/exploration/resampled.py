"""Every resampler side by side: the rows that it leaves to train on, and where they lie."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from notebooks.exploration.crowds import Plane
from notebooks.exploration.finding import (
    FRAUD,
    HONEST,
    MADE,
    Finding,
    grid,
    listed,
    name_rows,
    panels,
    percent,
    plain_ticks,
)
from notebooks.exploration.folds import Unseen, first_training, unseen

from fraud.channels import Channel
from fraud.drawing import INK
from fraud.errors import ResamplingError
from fraud.hyperparameters import read
from fraud.model.learner import Labelled
from fraud.model.resampling import RESAMPLERS, Options
from fraud.model.scores import Floats, Labels

MOST_DOTS = 2500


@dataclass(frozen=True)
class Resampled:
    """What one resampler did: the rows that it left to train on, and scores of rows that it never touched."""

    name: str
    before: Labelled
    after: Labelled
    scores: Unseen

    @property
    def is_made(self) -> np.ndarray:
        """Tell which rows stand nowhere among those that it was given: bool (rows)."""
        known = {row.tobytes() for row in self.before.X}
        return np.array([row.tobytes() not in known for row in self.after.X])


def tried(channel: Channel, rows: Labelled, told: Mapping[str, str]) -> tuple[list[Resampled], dict[str, str]]:
    """Return what each of RESAMPLERS does to these rows, and why those that cannot do it refuse."""
    done, refused = [], {}
    kinds = enumerate(channel.schema.columns)
    categorical = tuple(place for place, column in kinds if column.kind != "number")
    wanted = read(told)
    options = Options(wanted.smote_ratio, wanted.undersample_ratio, categorical, wanted.seed, channel.schema.names)
    before = first_training(rows)
    for name, resample in RESAMPLERS.items():
        try:
            scores = unseen(rows, channel.schema, {**told, "resampling": name})
            done.append(Resampled(name, before, resample(before, options), scores))
        except ResamplingError as error:
            refused[name] = str(error)
    return done, refused


def counts(done: list[Resampled], refused: Mapping[str, str]) -> Finding:
    """Draw how many rows of each class are left to train on, and say which resamplers refuse these rows."""
    figure, (axes,) = panels(1, 1, 0.9 + 0.55 * len(done))
    places = np.arange(len(done))
    for shift, colour, name in ((-0.2, HONEST, "honest"), (0.2, FRAUD, "fraud")):
        values = [one.after.frauds if shift > 0 else len(one.after) - one.after.frauds for one in done]
        bars = axes.barh(places + shift, values, 0.38, color=colour, label=name)
        axes.bar_label(bars, [f"{value:,}" for value in values], padding=4, fontsize=9, color=INK)
    name_rows(axes, (one.name for one in done))
    most = max(len(one.after) for one in done)
    axes.set(xscale="log", xlim=(1, 6 * most), xlabel="rows left to train on")
    plain_ticks(axes.xaxis)
    axes.legend(loc="lower right")
    before = done[0].before
    sentence = (
        f"Of {len(before):,} training rows with {before.frauds:,} frauds, "
        + listed(f"{one.name} leaves {len(one.after):,} with {one.after.frauds:,}" for one in done)
        + ". Rows that calibrate or measure are never resampled."
        + "".join(f" {name} is left out: {reason}." for name, reason in refused.items())
    )
    numbers = {one.name: one.after.frauds / (len(one.after) - one.after.frauds) for one in done}
    return Finding(sentence, figure, numbers)


def planes(done: list[Resampled], names: tuple[str, ...]) -> Finding:
    """Draw what each resampler leaves, in the plane of the first two principal components of the rows before."""
    plane = Plane.of(pd.DataFrame(done[0].before.X, columns=list(names)))
    figure, axes = grid(len(done), 2.7)
    for one, resampled in zip(axes, done, strict=True):
        _draw_plane(one, resampled, plane.place(pd.DataFrame(resampled.after.X, columns=list(names))))
        one.set_title(resampled.name, fontsize=11)
    _frame_plane(axes, plane.place(pd.DataFrame(done[0].before.X, columns=list(names))), done[0].before.y)
    handles = {label: handle for one in axes for handle, label in zip(*one.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, markerscale=2)
    made = {one.name: float(one.is_made.sum() / max(one.after.frauds, 1)) for one in done}
    invented = [f"{percent(share)} of {name}'s" for name, share in made.items() if share > 0]
    dropped = [one.name for one in done if len(one.after) - one.after.frauds < len(one.before) - one.before.frauds]
    sentence = (
        f"Frauds that never happened: {listed(invented)}; they lie between true ones, where honest rows may be too. "
        if invented
        else "No resampler here makes up a fraud. "
    )
    fewer = f"Fewer honest rows than there were are left by {listed(dropped)}."
    return Finding(sentence + (fewer if dropped else "Each leaves every honest row."), figure, made)


def _draw_plane(axes: Axes, resampled: Resampled, points: Floats) -> None:
    rng = np.random.default_rng(0)
    is_fraud, is_made = resampled.after.y == 1, resampled.is_made
    kinds = {"honest": (~is_fraud, HONEST, 4, 0.25), "made-up fraud": (is_made, MADE, 4, 0.4)}
    kinds["fraud"] = is_fraud & ~is_made, FRAUD, 9, 0.9
    for label, (chosen, colour, size, alpha) in kinds.items():
        rows = np.flatnonzero(chosen)
        x, height = points[rng.choice(rows, min(len(rows), MOST_DOTS), replace=False)].T
        axes.scatter(x, height, size, color=colour, alpha=alpha, linewidth=0, label=label if len(rows) else None)
    axes.set(xticks=[], yticks=[])


def _frame_plane(axes: list[Axes], points: Floats, y: Labels) -> None:
    """Show all frauds and most honest rows."""
    frauds, (least, most) = points[y == 1], np.quantile(points, [0.001, 0.999], axis=0)
    low, high = np.minimum(frauds.min(axis=0), least), np.maximum(frauds.max(axis=0), most)
    low, high = low - 0.04 * (high - low), high + 0.04 * (high - low)
    for one in axes:
        one.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
