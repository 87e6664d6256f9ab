"""What the first notebook computes, on rows small enough to count by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from notebooks.exploration import columns, correlations, decisions, folds, outliers, resampled, rows
from notebooks.exploration.finding import listed, percent

from fraud.channels import Channel
from fraud.errors import ColumnError, LabelError, NoFraudError, NoRowsError
from fraud.layout import Roles
from fraud.model.resampling import RESAMPLERS
from fraud.model.thresholds import EXAMPLES, THRESHOLD_RULES, Rule
from tests.conftest import table
from tests.labelled import make_labelled, with_missing
from tests.processes import ROOT

ROLES = Roles("Class", time_column="Time")
SMALL = {"num_round": "5", "smote_ratio": "1", "undersample_ratio": "0.5"}


def channel_of(text: str, folder: Path) -> Channel:
    path = folder / "rows.csv"
    path.write_text(text)
    return rows.read(path, ROLES, "a")


def payments(amounts: Sequence[float], probabilities: Sequence[float], labels: Sequence[int]) -> decisions.Payments:
    return decisions.Payments(np.array(labels, dtype=np.uint8), np.array(probabilities), np.array(amounts))


def test_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without FRAUD_DATA the sample rows are explored, with it what it names, and a wrong path is refused."""
    monkeypatch.delenv("FRAUD_DATA", raising=False)
    sample = rows.source(ROOT)
    monkeypatch.setenv("FRAUD_DATA", str(tmp_path))
    named = rows.source(ROOT)
    monkeypatch.setenv("FRAUD_DATA", "nowhere.csv")

    assert (sample, named) == (ROOT / "test_dir" / "input" / "data" / "train", tmp_path)
    with pytest.raises(NoRowsError, match=r"FRAUD_DATA=nowhere\.csv: there is no such file or folder"):
        rows.source(ROOT)


def test_file_or_folder(tmp_path: Path) -> None:
    """A file reads as a folder that holds it."""
    file = channel_of(table(), tmp_path)
    folder = rows.read(tmp_path, ROLES, "a")

    assert file.schema == folder.schema
    assert file.fingerprint == folder.fingerprint


def test_file_to_blame(tmp_path: Path) -> None:
    """A wrong cell of a file is placed by the file's own name and line, and no folder stands before them."""
    with pytest.raises(LabelError, match=r'^rows\.csv, line 3: the label in column "Class" should be 0'):
        channel_of("Time,a,Class\n1,2,0\n2,3,7\n3,4,1\n", tmp_path)


def test_no_amount(tmp_path: Path) -> None:
    """Rows without the column of amounts are refused with the columns that there are."""
    (tmp_path / "rows.csv").write_text(table())

    with pytest.raises(ColumnError, match='there is no column "Amount" among Time, a, b; change AMOUNT'):
        rows.read(tmp_path, ROLES, "Amount")


def test_frame(tmp_path: Path) -> None:
    """Categories come back as their words, a missing cell as one, and numbers as numbers."""
    text = "Time,a,kind,Class\n1,2.5,web,0\n2,,shop,1\n3,4.5,,0\n"
    channel = channel_of(text, tmp_path)
    X = rows.frame(channel.schema, channel.rows)

    assert X["kind"].tolist()[:2] == ["web", "shop"]
    assert X.isna().sum().to_dict() == {"Time": 0, "a": 1, "kind": 1}
    assert X["a"].dtype == np.float64
    assert rows.summary(X)["missing"].tolist() == [0, 1, 1]


def test_thinned() -> None:
    """Thinned rows keep their share of frauds and their order; rows that are few enough stay as they are."""
    every = make_labelled(1000, 100)
    some = rows.thinned(every, 200)
    places = [int(np.flatnonzero((row == every.X).all(axis=1))[0]) for row in some.X]

    assert (len(some), some.frauds) == (200, 20)
    assert places == sorted(places)
    assert rows.thinned(every, 1000) is every


def test_balanced() -> None:
    """The balanced rows are all frauds and as many honest rows."""
    y = make_labelled(300, 40).y
    even = rows.balanced(y)

    assert np.bincount(y[even]).tolist() == [40, 40]
    assert len(set(even)) == 80


def test_strongest() -> None:
    """The column that tells the classes apart comes first, in whichever direction it does."""
    y = np.array([0, 0, 0, 1, 1], dtype=np.uint8)
    X = pd.DataFrame({"noise": [1.0, 5, 2, 3, 1], "low": [9.0, 8, 7, 1, 0], "half": [1.0, 2, 5, 4, 6]})

    assert rows.strongest(X, y, 2) == ["low", "half"]
    assert rows.separation(X["low"], y) == 1.0


def test_missing_counts() -> None:
    """Missing cells and repeated rows are counted; a repeat is one with the same label too."""
    X = pd.DataFrame({"a": [1.0, 1.0, np.nan, 1.0], "b": [2.0, 2.0, 3.0, 2.0]})
    found = columns.missing(X, np.array([0, 0, 1, 1], dtype=np.uint8))

    assert found.numbers == {"missing": 1, "repeats": 1}
    assert "Missing cells: 1 of 8." in found.sentence


def test_correlation_of_a_constant() -> None:
    """A column that never varies has no correlation, and leaves the others theirs."""
    y = np.array([0, 1, 0, 1], dtype=np.uint8)
    found = correlations.correlations(pd.DataFrame({"same": [1.0] * 4, "label": [0.0, 1, 0, 1]}), y)

    assert found.to_numpy().round(6).tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_fences() -> None:
    """A row is an outlier beyond 1.5 interquartile ranges; fences that the frauds place leave out others."""
    X = pd.DataFrame({"a": [0.0, 1, 2, 3, 4, 100, 101]})
    frauds = np.array([False] * 5 + [True] * 2)

    assert outliers.beyond(X[:6], ["a"]).tolist() == [False] * 5 + [True]
    assert outliers.beyond(X, ["a"], frauds).tolist() == [True] * 5 + [False] * 2


def test_unseen_rows_only() -> None:
    """No row is among those that train or calibrate the model that scores it, and every row is scored once."""
    every = make_labelled(200, 40)
    cut = folds._folds(every)
    parts = [folds._part(every, cut, number, np.ones(200, dtype=bool)) for number in range(folds.FOLDS)]

    assert sorted(place for part in parts for place in part.positions) == list(range(200))
    for part in parts:
        used = [row.tobytes() for rows_of in (part.held_out, part.tuning, part.training) for row in rows_of.X]
        assert len(set(used)) == len(used) == 200


def test_too_few_frauds(tmp_path: Path) -> None:
    """Fewer frauds than folds are refused with both numbers."""
    channel = channel_of(table(), tmp_path)

    with pytest.raises(NoFraudError, match="5 folds need 5 frauds or more; these 30 rows hold 3"):
        folds.unseen(make_labelled(30, 3), channel.schema, {})


def test_refused_resamplers(tmp_path: Path) -> None:
    """A resampler that cannot look between missing cells is left out with its reason; the others are tried."""
    lines = table().splitlines()
    lines[5] = "4,,4,0"
    channel = channel_of("\n".join(lines) + "\n", tmp_path)
    done, refused = resampled.tried(channel, channel.rows, SMALL)

    assert {one.name for one in done} | set(refused) == set(RESAMPLERS)
    assert 'missing cells, which "a" holds' in refused["smote"]
    assert "smote is left out: SMOTE cannot look" in resampled.counts(done, refused).sentence


def test_made_rows() -> None:
    """Rows that a resampler copies are not made up, and those between others are."""
    before = make_labelled(100, 20)
    copies = before[np.arange(100).repeat(2)]
    between = with_missing(before)
    scores = folds.Unseen(before.y, np.zeros(100), np.zeros(100))

    assert not resampled.Resampled("copies", before, copies, scores).is_made.any()
    assert resampled.Resampled("between", before, between, scores).is_made.sum() == 34


def test_cost_by_hand() -> None:
    """A missed fraud costs its amount and an alert costs the same for any payment."""
    paid = payments([100, 20, 50], [0.9, 0.4, 0.1], [1, 1, 0])

    assert paid.cost(np.array([True, False, False]), 5) == 25
    assert paid.cost(np.array([True, True, True]), 5) == 15
    assert paid.measured(np.array([True, False, True])) == {"precision": 0.5, "recall": 0.5, "alert rate": 2 / 3}


def test_every_rule_has_a_meaning() -> None:
    """Each threshold rule that a job takes is in the table, with what it means and what it does on other rows."""
    both = payments([100, 20, 50, 70], [0.9, 0.4, 0.1, 0.2], [1, 1, 0, 0])
    found = decisions.rules(both, both, 5)

    assert set(decisions.MEANINGS) == {*THRESHOLD_RULES, "risk"} == {Rule.parse(text).name for text in EXAMPLES}
    assert found["recall"]["max_f1"] == found["precision"]["max_f1"] == 1.0
    assert found["alert rate"]["risk:cost=5"] == 0.75


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param([], "none", id="nothing"),
        pytest.param(["a"], "a", id="one"),
        pytest.param(["a", "b", "c"], "a, b and c", id="three"),
    ],
)
def test_listed(words: list[str], sentence: str) -> None:
    """Words are joined as a sentence does."""
    assert listed(words) == sentence


def test_percent() -> None:
    """Percentages have three digits at most, however rare fraud is."""
    assert [percent(part).replace("\xa0", " ") for part in (0.00172, 0.5, 0.98525)] == ["0.172 %", "50 %", "98.5 %"]


def test_no_fraud_left() -> None:
    """Where the rows left hold no fraud, the average precision is 0 and so is its interval."""
    scores = folds.Unseen(np.array([1, 0, 0], dtype=np.uint8), np.zeros(3), np.array([0.9, 0.2, 0.1]))
    found = scores.figure(folds.ranking, np.array([1, 2]))

    assert (found.value, found.low, found.high) == (0, 0, 0)
