"""What the first notebook reads of the table that `fraud compare` leaves."""

from dataclasses import replace
from pathlib import Path

import pytest
from notebooks.exploration import comparison, rows

from fraud.errors import ColumnError, UserError
from fraud.layout import Roles
from tests.conftest import table

ROLES = Roles("Class", time_column="Time")
HEADER = "rank,learner,resampling,average_precision,average_precision_low,average_precision_high,roc_auc,precision"
HEADER += ",recall,f1,fit_seconds,refused"
LINES = (
    "2,svc,none,0.6,0.5,0.7,0.9,0.8,0.6,0.7,20.5,",
    "1,xgboost,smote,0.8,0.72,0.9,0.9,0.8,0.6,0.7,3,",
    ",mlp,smote,,,,,,,,,missing cells",
    "3,mlp,none,0.55,0.45,0.75,0.9,0.8,0.6,0.7,1,",
)


def folder_of(text: str, folder: Path) -> Path:
    (folder / "compare.csv").write_text(text)
    return folder


def test_table(tmp_path: Path) -> None:
    """Pairs come best first; one that refused the rows comes last and has no figures to show."""
    found = comparison.table(folder_of("\n".join([HEADER, *LINES]), tmp_path))

    assert found["learner"].tolist() == ["xgboost", "svc", "mlp", "mlp"]
    assert comparison.shown(found)["fit_seconds"].tolist() == [3, 20.5, 1]


def test_other_columns(tmp_path: Path) -> None:
    """A table without a column that is read is refused with the names of both sides."""
    text = "\n".join([HEADER.replace("resampling", "resampler"), *LINES])

    with pytest.raises(ColumnError, match=r"compare\.csv lacks resampling; it has rank, learner, resampler"):
        comparison.table(folder_of(text, tmp_path))


def test_intervals(tmp_path: Path) -> None:
    """The sentence names the best pair, how many intervals overlap its own, and the longest fit."""
    found = comparison.intervals(comparison.table(folder_of("\n".join([HEADER, *LINES]), tmp_path)))

    assert found.numbers == {"best": 0.8, "pairs": 3, "near": 1, "longest fit": 20.5}
    assert found.sentence.startswith("xgboost with smote ranks best of 3 pairs: 0.800 (0.720 to 0.900).")
    assert found.sentence.endswith(" Left out: mlp with smote: missing cells.")


def test_equal_pairs(tmp_path: Path) -> None:
    """Pairs with the same average precision, as where a resampling has nothing to do, share the first place."""
    equal = LINES[1].replace("smote", "none")
    found = comparison.intervals(comparison.table(folder_of("\n".join([HEADER, *LINES[:2], equal]), tmp_path)))

    assert "xgboost with smote and xgboost with none rank best, as equals, of 3 pairs: 0.800" in found.sentence
    assert "Left out" not in found.sentence


def test_refused_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command says against its options is passed on, with the options."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "rows.csv").write_text(table())
    channel = rows.read(tmp_path, ROLES, "a")

    with pytest.raises(UserError, match=r"fraud compare --learners=abacus .*--label=Class: (.|\n)*abacus"):
        comparison.compare(channel, channel.rows, ["abacus"], ["none"], 3)


def test_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison returns its table and leaves no file behind: one that it writes holds every row's probability."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "rows.csv").write_text(table())
    channel = rows.read(tmp_path / "rows.csv", ROLES, "a")
    found = comparison.compare(channel, channel.rows, ["logistic-regression"], ["none"], 3)

    assert found["learner"].tolist() == ["logistic-regression"]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_roles(tmp_path: Path) -> None:
    """Columns left out are no part of a comparison, and categories of numbers stay categories."""
    header, *lines = table().splitlines()
    rarer = [f"{line},{7 + n % 3},{n}" for n, line in enumerate(lines) if n % 20 != 10]  # else SMOTE has nothing to add
    (tmp_path / "rows.csv").write_text("\n".join([f"{header},shop,card_id", *rarer]) + "\n")
    channel = rows.read(tmp_path / "rows.csv", replace(ROLES, exclude=("card_id",), categories=("shop",)), "a")

    with pytest.raises(UserError, match='categories, which "shop" holds'):
        comparison.compare(channel, channel.rows, ["logistic-regression"], ["smote-enn"], 3)


def test_every_pair_refused(tmp_path: Path) -> None:
    """Where no pair takes the rows, the reason is told, and not the page that is gone."""
    header, *lines = table().replace("\n4,", "\n,").splitlines()
    rarer = [line for n, line in enumerate(lines) if n % 20 != 10]  # else SMOTE has nothing to add
    (tmp_path / "rows.csv").write_text("\n".join([header, *rarer]) + "\n")
    channel = rows.read(tmp_path / "rows.csv", ROLES, "a")

    with pytest.raises(UserError, match="every pair was refused: SMOTE cannot look between missing cells"):
        comparison.compare(channel, channel.rows, ["logistic-regression"], ["smote"], 3)
