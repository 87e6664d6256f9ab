"""Pictures of the columns as they are: what is missing, how rare fraud is, and where the classes differ."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from notebooks.exploration.finding import CLASSES, FRAUD, HONEST, Finding, panels, percent, plain_ticks
from notebooks.exploration.rows import drawn, separation

from fraud.drawing import GUESSING, INK, MUTED
from fraud.model.scores import Floats, Labels

STRETCHES = 12
NIGHT_HOURS = 6
SECONDS_AN_HOUR = 3600
LEAST_AMOUNT = 0.01
MOST_DOTS = 6000


def missing(X: pd.DataFrame, y: Labels) -> Finding:
    """Draw the share of missing cells by column and class, and how many different values each column has."""
    cells, repeats = int(X.isna().to_numpy().sum()), int(X.assign(label=y).duplicated().sum())
    figure, (above, below) = panels(2, 1, 4.2, ratios=(1, 1.6))
    _missing_shares(above, X, y)
    below.bar(X.columns, X.nunique(), 0.66, color=MUTED)
    below.axhline(len(X), label=f"one for each of the {len(X):,} rows", **GUESSING)
    below.set(ylabel="different values", yscale="log", ylim=(1, 6 * len(X)))
    plain_ticks(below.yaxis)
    below.tick_params(axis="x", rotation=90)
    below.legend(loc="upper left")
    for axes in (above, below):
        axes.set_xlim(-0.7, X.shape[1] - 0.3)
        axes.grid(visible=False, axis="x")
    sentence = (
        f"Missing cells: {cells:,} of {X.size:,}. Rows that repeat an earlier one in every cell: {repeats:,}; a repeat "
        "may land among the rows that measure, and flatter the model that learnt its twin."
    )
    return Finding(sentence, figure, {"missing": cells, "repeats": repeats})


def _missing_shares(axes: Axes, X: pd.DataFrame, y: Labels) -> None:
    shares = X.isna().groupby(y).mean()
    highest = 100 * float(shares.to_numpy().max())
    for label, colour, name in CLASSES:
        axes.bar(np.arange(X.shape[1]) + 0.4 * label - 0.2, 100 * shares.loc[label], 0.4, color=colour, label=name)
    axes.set(ylabel="missing cells, %", ylim=(0, max(1.0, 1.3 * highest)), xticks=[])
    if not highest:
        axes.text(
            0.5, 0.45, "no cell is missing", transform=axes.transAxes, ha="center", color=MUTED, backgroundcolor="white"
        )
    axes.legend(loc="upper right", ncols=2)


def balance(y: Labels, times: Floats | None) -> Finding:
    """Draw how many rows of each class there are, and the share of frauds along the rows."""
    frauds, rows = int(y.sum()), len(y)
    figure, (counts, along) = panels(1, 2, 3.0)
    bars = counts.barh(["honest", "fraud"], [rows - frauds, frauds], color=[HONEST, FRAUD], height=0.6)
    texts = [f"{count:,} ({percent(count / rows)})" for count in (rows - frauds, frauds)]
    counts.bar_label(bars, texts, padding=5, color=INK)
    counts.set(xlabel="rows", xlim=(0, 1.5 * max(frauds, rows - frauds)))
    counts.xaxis.set_major_formatter("{x:,.0f}")
    counts.grid(visible=False, axis="y")
    counts.invert_yaxis()
    order = np.arange(rows) if times is None else np.argsort(times, kind="stable")
    shares = [float(part.mean()) for part in np.array_split(y[order], STRETCHES)]
    along.plot(range(1, STRETCHES + 1), [100 * part for part in shares], "o-", color=FRAUD)
    along.axhline(100 * frauds / rows, label="all rows", **GUESSING)
    along.set(xlabel=f"twelfth of the rows, {'as filed' if times is None else 'by time'}", ylabel="frauds, %")
    along.set(ylim=(0, 1.35 * 100 * max(shares)), xticks=range(1, STRETCHES + 1))
    along.legend(loc="upper right")
    sentence = (
        f"{frauds:,} of the {rows:,} rows are frauds, one in {rows / frauds:,.0f}: to call every row honest would be "
        f"right on {percent(1 - frauds / rows)} of them and find nothing, so accuracy is never quoted here. "
        f"From twelfth to twelfth the share of frauds lies between {percent(min(shares))} and {percent(max(shares))}."
    )
    return Finding(sentence, figure, {"frauds": frauds, "rows": rows, "least": min(shares), "most": max(shares)})


def amount_and_hour(amount: pd.Series, times: Floats, y: Labels) -> Finding:
    """Draw amounts and hours of the day by class, each class as shares of its own rows, and one over the other."""
    hours = times % (24 * SECONDS_AN_HOUR) / SECONDS_AN_HOUR
    figure, (money, day, both) = panels(1, 3, 3.6)
    crowd = drawn(y, MOST_DOTS, MOST_DOTS // 2)
    shown = np.maximum(amount.to_numpy(dtype=np.float64), LEAST_AMOUNT)
    edges = np.geomspace(LEAST_AMOUNT, max(float(np.nanmax(shown)), 1.0), 24)
    for label, colour, name in CLASSES:
        rows = y == label
        weights = np.full(int(rows.sum()), 100 / rows.sum())
        for axes, values, bins in ((money, shown, edges), (day, hours, np.arange(0.0, 25.0, 2.0))):
            axes.hist(
                values[rows], list(bins), weights=weights, histtype="step", linewidth=1.8, color=colour, label=name
            )
        size, alpha = (14, 0.8) if label else (3, 0.25)
        dots = crowd[y[crowd] == label]
        both.scatter(hours[dots], shown[dots], size, color=colour, alpha=alpha, linewidth=0)
    money.set(xscale="log", xlabel=f"amount ({LEAST_AMOUNT} or less at the left)", ylabel="rows of the class, %")
    day.set(xlabel="hour of the day", ylabel="rows of the class, %", xticks=range(0, 25, 4))
    both.set(yscale="log", xlabel="hour of the day", ylabel="amount", xticks=range(0, 25, 4))
    for axis in (money.xaxis, both.yaxis):
        plain_ticks(axis)
    money.tick_params(axis="x", rotation=30)
    money.legend(loc="upper right")
    return _amounts_told(amount, hours, y, figure)


def _amounts_told(amount: pd.Series, hours: Floats, y: Labels, figure: Figure) -> Finding:
    median = {name: float(amount[y == label].median()) for label, _, name in CLASSES}
    night = {name: float((hours[y == label] < NIGHT_HOURS).mean()) for label, _, name in CLASSES}
    apart = {"amount": separation(amount, y), "hour": separation(pd.Series(hours), y)}
    sentence = (
        f"The median fraud is of {median['fraud']:,.2f}, the median honest payment of "
        f"{median['honest']:,.2f}; from 0 to {NIGHT_HOURS} o'clock come {percent(night['fraud'])} of the frauds and "
        f"{percent(night['honest'])} of the honest payments. Told by the amount alone, a fraud stands apart from an "
        f"honest payment in {percent(apart['amount'])} of all pairs, by the hour alone in {percent(apart['hour'])}; "
        "guessing has 50 %."
    )
    numbers = {f"median {name}": value for name, value in median.items()}
    numbers |= {f"apart by {name}": value for name, value in apart.items()}
    return Finding(sentence, figure, numbers | {f"night {name}": value for name, value in night.items()})


def boxes(X: pd.DataFrame, y: Labels, names: list[str]) -> Finding:
    """Draw some columns by class: boxes hold the middle half, whiskers reach 1.5 boxes further, dots are beyond."""
    figure, axes = panels(1, len(names), 3.8)
    for one, name in zip(axes, names, strict=True):
        _box(one, X[name], y)
        one.set_title(name, fontsize=11)
    honest, fraud = (np.nanquantile(X[names[0]][y == label], [0.25, 0.75]) for label in (0, 1))
    reach = 1.5 * (honest[1] - honest[0])
    cells = X[names[0]][y == 1].dropna()
    hidden = float(cells.between(honest[0] - reach, honest[1] + reach).mean())
    sentence = (
        f"In {names[0]}, the strongest, the middle half of the honest rows lies from {honest[0]:,.4g} to "
        f"{honest[1]:,.4g} and that of the frauds from {fraud[0]:,.4g} to {fraud[1]:,.4g}; {percent(hidden)} of the "
        "frauds are within the whiskers of the honest rows."
    )
    return Finding(sentence, figure, {"hidden": hidden, "columns": len(names)})


def _box(axes: Axes, values: pd.Series, y: Labels) -> None:
    for label, colour, name in CLASSES:
        axes.boxplot(
            [values[y == label].dropna().to_numpy()],
            positions=[label],
            widths=0.6,
            tick_labels=[name],
            patch_artist=True,
            boxprops={"facecolor": colour, "alpha": 0.35, "edgecolor": colour},
            medianprops={"color": INK},
            whiskerprops={"color": colour},
            capprops={"color": colour},
            flierprops={"marker": ".", "markersize": 3, "markerfacecolor": colour, "markeredgewidth": 0, "alpha": 0.4},
        )
    axes.grid(visible=False, axis="x")
