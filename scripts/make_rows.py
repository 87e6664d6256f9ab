"""Make synthetic card rows in the layout of the public credit-card data: `Time,V1..V28,Amount,Class`."""

import argparse
import gzip
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

COMPONENTS = [f"V{number}" for number in range(1, 29)]
STANDARD_DEVIATIONS = np.linspace(1.9, 0.3, len(COMPONENTS))
LAST_SECOND = 172_792
# How busy each hour of the day is, from midnight on.
HOUR_WEIGHTS = [4, 2, 2, 2, 1, 2, 2, 4, 6, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 9, 8, 6]

# About where the mean fraud of the real data lies, in units of the component.
FRAUD_SHIFTS = {"V2": 3.6, "V3": -7.0, "V4": 4.5, "V7": -5.6, "V10": -5.7}
FRAUD_SHIFTS |= {"V11": 3.8, "V12": -6.3, "V14": -7.0, "V16": -4.1, "V17": -6.7}
HIDDEN_SHARE = 0.25
HIDDEN_STRENGTH = 0.2
LOOKALIKES_PER_FRAUD = 0.2


def make_rows(rows: int, fraud_rate: float, seed: int) -> pd.DataFrame:
    """Return `rows` rows by 31 columns, in order of `Time` (seconds from the first midnight).

    `Class` is 1 in exactly `round(rows * fraud_rate)` rows, spread evenly. Some frauds hide among the honest
    rows and some honest rows look like frauds, so that no model ranks them all. The same arguments give the
    same rows. Raises ValueError for less than a row, 2 frauds or an honest row, or a rate outside (0, 1).
    """
    frauds = _count_frauds(rows, fraud_rate)
    rng = np.random.default_rng(seed)
    label = np.zeros(rows, dtype=np.int64)
    label[_spread(frauds, rows, rng)] = 1

    frame = pd.DataFrame({"Time": _seconds(rows, rng)})
    frame[COMPONENTS] = _components(label == 1, rng)
    frame["Amount"] = _amounts(label == 1, rng)
    frame["Class"] = label
    return frame


def write_csv(frame: pd.DataFrame, path: Path, *, decimals: int | None) -> None:
    """Write `frame` with a header: every digit where `decimals` is None, gzip where the name ends in .gz."""
    rounded = frame if decimals is None else frame.round(decimals)
    with path.open("wb") as file:
        # Without a name and a time stamp the same rows give the same bytes.
        packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if path.suffix == ".gz" else nullcontext(file)
        with packed as target:
            rounded.to_csv(target, index=False, lineterminator="\n")


def _count_frauds(rows: int, fraud_rate: float) -> int:
    if rows < 1:
        raise ValueError(f"rows is {rows}: at least 1 is needed")
    if not 0 < fraud_rate < 1:
        raise ValueError(f"fraud rate is {fraud_rate}: it lies between 0 and 1, both excluded")
    if not 2 <= (frauds := round(rows * fraud_rate)) < rows:
        total = f"number of frauds is {frauds} ({rows} rows at a rate of {fraud_rate})"
        raise ValueError(f"{total}: at least 2, and 1 honest row, are needed")
    return frauds


def _spread(count: int, rows: int, rng: np.random.Generator) -> Integers:
    """One row number from each of `count` equal stretches: from 7 on, the latest 15 % holds at least one."""
    edges = np.arange(count + 1) * rows // count
    return rng.integers(edges[:-1], edges[1:])


def _seconds(rows: int, rng: np.random.Generator) -> Integers:
    weights = np.array(HOUR_WEIGHTS * 2)
    hours = rng.choice(len(weights), size=rows, p=weights / weights.sum())
    seconds = hours * 3600 + rng.integers(0, 3600, size=rows)
    return np.sort(seconds.clip(max=LAST_SECOND))


def _components(is_fraud: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Draw Student's t, for its tails, at each component's deviation; then shift frauds and lookalikes."""
    values = rng.standard_t(5, size=(len(is_fraud), len(COMPONENTS)))
    values *= STANDARD_DEVIATIONS / np.sqrt(5 / 3)

    frauds = np.flatnonzero(is_fraud)
    strength = rng.gamma(4.0, 0.3, size=len(frauds))
    strength[rng.random(len(frauds)) < HIDDEN_SHARE] *= HIDDEN_STRENGTH
    _shift(values, frauds, strength, rng)

    honest = np.flatnonzero(~is_fraud)
    count = min(len(honest), round(len(frauds) * LOOKALIKES_PER_FRAUD))
    lookalikes = rng.choice(honest, size=count, replace=False)
    _shift(values, lookalikes, rng.gamma(1.5, 0.3, size=count), rng)
    return values


def _shift(values: Floats, rows: Integers, strength: Floats, rng: np.random.Generator) -> None:
    """Move `rows` of `values` in place: each by its own strength, each column by its own draw around it."""
    columns = [COMPONENTS.index(name) for name in FRAUD_SHIFTS]
    spread = rng.normal(1.0, 0.6, size=(len(rows), len(columns)))
    values[np.ix_(rows, columns)] += strength[:, None] * spread * np.array(list(FRAUD_SHIFTS.values()))


def _amounts(is_fraud: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    honest = rng.lognormal(np.log(22), 1.6, size=len(is_fraud))
    fraud = rng.lognormal(np.log(9), 2.0, size=len(is_fraud))
    amounts: Floats = np.where(is_fraud, fraud, honest)
    amounts[rng.random(len(amounts)) < 0.006] = 0.0
    return amounts.round(2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=284_807)
    parser.add_argument("--fraud-rate", type=float, default=0.00172)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decimals", type=int, help="all of them by default")
    parser.add_argument("out", type=Path, metavar="OUT.csv[.gz]")
    args = parser.parse_args()
    try:
        write_csv(make_rows(args.rows, args.fraud_rate, args.seed), args.out, decimals=args.decimals)
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
