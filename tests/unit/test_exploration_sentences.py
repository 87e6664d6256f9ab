"""What the first notebook says of rows: each sentence follows from the numbers, also where there is nothing to say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from notebooks.exploration import columns, correlations, crowds, folds, outliers, resampled, rows
from notebooks.exploration.finding import percent

from fraud.errors import ColumnError
from fraud.layout import Roles
from fraud.model.evaluation import Figure
from fraud.model.scores import Labels
from tests.labelled import make_labelled

ROLES = Roles("Class", time_column="Time")
NUMBERS = ["one", "two", "three", "Amount"]


def with_label(X: pd.DataFrame, y: Labels) -> str:
    return correlations.with_label(X, y, rows.balanced(y)).sentence


def test_fraud_goes_one_way() -> None:
    """Where fraud goes with high values only, no low ones are spoken of, and the other way round."""
    made = make_labelled(2000, 200, shift=3)
    X = pd.DataFrame(made.X, columns=NUMBERS).drop(columns="Amount")

    assert with_label(X, made.y).startswith("Fraud goes with high one. Over")
    assert with_label(-X, made.y).startswith("Fraud goes with low one. Over")


def test_fraud_goes_with_nothing() -> None:
    """Where no column goes with fraud further than chance does, that is said."""
    made = make_labelled(2000, 12, shift=0)

    assert with_label(pd.DataFrame(made.X, columns=NUMBERS), made.y).startswith(
        "No column goes with fraud beyond an r of 0.61"
    )


def test_no_pair() -> None:
    """One column of numbers has no other to go together with."""
    made = make_labelled()
    found = correlations.matrices(pd.DataFrame({"one": made.X[:, 0]}), made.y, rows.balanced(made.y))

    assert found.sentence == (
        "No two columns of numbers go together more on the balanced rows than among the honest ones "
        "(columns that vary: 1)."
    )


@pytest.mark.parametrize(
    ("shift", "is_said"), [pytest.param(3, True, id="both move"), pytest.param(0, False, id="chance alone")]
)
def test_class_moves_both(shift: float, is_said: bool) -> None:
    """The class is named as what moves two columns only where both go with it further than chance does."""
    made = make_labelled(2000, 100, shift=shift)
    X = pd.DataFrame(made.X, columns=NUMBERS)
    X["two"] += shift * made.y
    sentence = correlations.matrices(X, made.y, rows.balanced(made.y)).sentence

    assert ("the class moves both" in sentence) == is_said


def test_no_plane() -> None:
    """A single column of numbers makes no plane, and is named."""
    with pytest.raises(ColumnError, match="a plane needs two columns of numbers; there is one"):
        crowds.Plane.of(pd.DataFrame({"one": [1.0, 2.0], "kind": pd.Categorical(["a", "b"])}))


def test_nothing_made_up() -> None:
    """Without a row that a resampler made up, nothing is said of where such rows lie."""
    before = make_labelled(100, 20)
    scores = folds.Unseen(before.y, np.zeros(100), np.zeros(100))
    made = before[np.arange(100)]
    made.X[:20] += 1
    copied = resampled.planes([resampled.Resampled("none", before, before, scores)], tuple(NUMBERS)).sentence
    invented = resampled.planes([resampled.Resampled("new", before, made, scores)], tuple(NUMBERS)).sentence

    assert copied == "No resampler here makes up a fraud. Each leaves every honest row."
    assert invented.startswith("Frauds that never happened: 100")


def test_outliers_follow_the_numbers() -> None:
    """Where dropping outliers harms and where it does not, and which rows flatter, is read off the figures."""
    base = Figure(0.5, 0.4, 0.6)
    harmed = outliers.dropping_told(
        base, [(Figure(0.3, 0, 1), Figure(0.2, 0, 1)), (Figure(0.5, 0, 1), Figure(0.9, 0, 1))]
    )
    helped = outliers.dropping_told(
        base, [(Figure(0.7, 0, 1), Figure(0.7, 0, 1)), (Figure(0.5, 0, 1), Figure(0.4, 0, 1))]
    )

    assert "on all rows it is 0.300, below that interval; with the fences of the frauds 0.500, within it." in harmed
    assert "flatter the second model: 0.200 and 0.900" in harmed
    assert "on all rows it is 0.700, above that interval" in helped
    assert "flatter neither model: 0.700 and 0.400" in helped


def test_all_but_a_few() -> None:
    """What is short of everything is never written as 100 %."""
    written = [percent(part).replace("\xa0", " ") for part in (1.0, 0.99997, 0.9998, 0.9983, 0.0)]

    assert written == ["100 %", "99.997 %", "99.98 %", "99.8 %", "0 %"]


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        pytest.param("amount", 'there is no column "amount" among Time, Amount, kind; change AMOUNT', id="other case"),
        pytest.param("kind", 'column "kind" holds words; change AMOUNT', id="words"),
    ],
)
def test_no_such_amount(amount: str, message: str, tmp_path: Path) -> None:
    """An amount that later cells could not look up, or add up, is refused where the rows are read."""
    (tmp_path / "rows.csv").write_text("Time,Amount,kind,Class\n1,2.5,web,0\n2,3,shop,1\n3,4.5,web,0\n")

    with pytest.raises(ColumnError, match=message):
        rows.read(tmp_path / "rows.csv", ROLES, amount)


def test_hollow_column() -> None:
    """A column without a single cell ranks nowhere and lies in no plane; the others do."""
    made = make_labelled()
    X = pd.DataFrame(made.X, columns=NUMBERS).assign(hollow=np.nan)

    assert "hollow" not in rows.strongest(X, made.y, 6)
    assert np.isfinite(crowds.Plane.of(X).place(X)).all()


def test_boxes_of_small_numbers() -> None:
    """A column of small numbers has its quartiles written, and nothing is said of what other columns tell."""
    made = make_labelled(2000, 200, shift=3)
    sentence = columns.boxes(pd.DataFrame(made.X / 1e4, columns=NUMBERS), made.y, ["one"]).sentence

    assert "from 0.0 to" not in sentence
    assert "e-05" in sentence
    assert sentence.endswith("% of the frauds are within the whiskers of the honest rows.")
