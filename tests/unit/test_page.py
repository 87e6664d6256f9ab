import re
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import matplotlib as mpl
import pytest

from fraud.bundle import ModelBundle
from fraud.drawing import number, share
from fraud.model.splitting import split
from fraud.training.page import LONGEST_LABEL, MOST_BARS, render
from fraud.training.report import describe
from tests.labelled import content, make_labelled, trainer

HOSTILE = "<script>alert(1)</script>"
LONG = "number_of_declined_transactions_of_the_card_in_the_last_ninety_days"
SHORTENED = LONG[: LONGEST_LABEL - 1] + "\N{HORIZONTAL ELLIPSIS}"
LABELS = {
    "average_precision": "Average precision",
    "roc_auc": "ROC AUC",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "precision_at_k": "Precision at 50",
    "recall_at_k": "Recall at 50",
    "brier": "Brier score",
    "logloss": "Log loss",
}


class Elements(HTMLParser):
    """The tags of a page with their attributes, the cells of each table row, and the text of each SVG label."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.rows: list[list[str]] = []
        self.labels: list[str] = []
        self._text: list[str] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td", "text"):
            self._text = []
        if tag == "small":  # the explanation below the name of a measure
            self._text = self._text and [*self._text, "|"]

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if self._text is not None and tag in ("th", "td", "text"):
            text = " ".join("".join(self._text).partition("|")[0].split())
            (self.labels if tag == "text" else self.rows[-1]).append(text)
            self._text = None


def figures(first: float) -> dict[str, dict[str, float]]:
    """Return figures that differ from each other."""
    values = {name: first + step / 1000 for step, name in enumerate(LABELS)}
    return {name: {"value": value, "low": value / 2, "high": value + 0.01} for name, value in values.items()}


def bins(*rows: tuple[float, float, float]) -> list[dict[str, float]]:
    return [{"rows": count, "predicted": predicted, "observed": observed} for count, predicted, observed in rows]


def document(**changes: Any) -> dict[str, Any]:
    """Return a small report: 10 frauds among 500 rows, of which 8 are flagged, 6 of them frauds."""
    calibrated = {"brier": 0.01, "expected_calibration_error": 0.02, "predicted_to_observed": 1.5}
    gain = {"value": 0.031, "low": 0.012, "high": 0.052}
    return {
        "model_id": "0123456789abcdef",
        "job_name": "fraud-2026",
        "measured_on": "validation",
        "notes": [],
        "rows": {
            "training": {"frauds": 40, "honest": 1960},
            "tuning": {"frauds": 9, "honest": 491},
            "held_out": {"frauds": 10, "honest": 490},
        },
        "resampling": [
            {"resampling": "none", "frauds": 40, "honest": 1960, "average_precision": 0.7, "is_chosen": False},
            {
                "resampling": "smote",
                "frauds": 196,
                "honest": 1960,
                "average_precision": 0.731,
                "gain": gain,
                "is_chosen": True,
            },
        ],
        "figures": {"validation": figures(0.61)},
        "calibration": {
            "slope": 1.1,
            "intercept": -0.2,
            "before": calibrated,
            "after": calibrated,
            "reliability_before": bins((400, 0.002, 0.0), (100, 0.2, 0.1)),
            "reliability_after": bins((400, 0.001, 0.0025), (100, 0.1, 0.09)),
        },
        "threshold": {
            "rule": "max_f1",
            "value": 0.3456,
            "is_met": True,
            "amount_column": None,
            "amount_if_missing": 0.0,
        },
        "confusion": {"true_positive": 6, "false_positive": 2, "false_negative": 4, "true_negative": 488},
        "decline": {
            "rule": "precision>=0.95",
            "value": 0.8765,
            "is_met": True,
            "amount_column": None,
            "amount_if_missing": 0.0,
        },
        "declined": {"frauds": 3, "honest": 0},
        "sweep": [
            {"threshold": 0.001, "precision": 0.02, "recall": 1.0, "f1": 0.04, "alert_rate": 1.0},
            {"threshold": 0.5, "precision": 0.75, "recall": 0.6, "f1": 0.67, "alert_rate": 0.016},
            {"threshold": 0.99, "precision": 0.0, "recall": 0.0, "f1": 0.0, "alert_rate": 0.0},
        ],
        "curves": {
            "precision_recall": [[0.0, 1.0], [0.6, 0.75], [1.0, 0.02]],
            "roc": [[0.0, 0.0], [0.004, 0.6], [1.0, 1.0]],
        },
        "importance": {"V17": 0.75, "Amount": 0.25},
        "is_supervised": True,
        "importance_of": "total gain",
        "rounds": 30,
        "columns": [{"name": name, "kind": "number"} for name in ("Amount", "V16", "V17")],
        "hyperparameters": {
            "algorithm": "xgboost",
            "eta": 0.05,
            "resampling": "auto",
            "top_k": 50,
            "refit": False,
            "exclude": ["id"],
        },
        "versions": {"xgboost": "3.4.1"},
        "data_sha256": {"train": "a" * 64},
        **changes,
    }


def named(*names: str) -> dict[str, Any]:
    """Return what a report holds of columns with these names."""
    columns = [{"name": name, "kind": "category"} for name in names]
    return {"columns": columns, "importance": {name: 1 / len(names) for name in names}}


def confusion(true_positive: int, false_positive: int) -> dict[str, int]:
    missed = {"false_negative": 10 - true_positive, "true_negative": 490 - false_positive}
    return {"true_positive": true_positive, "false_positive": false_positive, **missed}


def candidate(resampling: str, **more: Any) -> dict[str, Any]:
    return {"resampling": resampling, "is_chosen": False, **more}


NONE = candidate("none", frauds=40, honest=1960, average_precision=0.7)
ZERO = {**figures(0.61), "precision": {"value": 0.0, "low": 0.0, "high": 0.0}}
RISK = {"rule": "risk:cost=5", "value": 5.0, "is_met": True, "amount_column": "Amount", "amount_if_missing": 22.5}


@pytest.fixture(scope="module")
def page() -> str:
    return render(document())


def text(page: str) -> str:
    """Return what a reader sees, with single spaces."""
    body = page.partition("<main>")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", body).replace("&nbsp;", " ").split())


def test_same_bytes(page: str) -> None:
    """The same document gives the same page."""
    assert render(document()) == page


def test_settings_of_matplotlib() -> None:
    """The settings of matplotlib are after a page what they were before it."""
    before = dict(mpl.rcParams)
    render(document())

    assert dict(mpl.rcParams) == before


def test_self_contained(page: str) -> None:
    """The page loads nothing and runs nothing."""
    elements = Elements(page)
    targets = [value for _, name, value in elements.attributes if name.rpartition(":")[2] in ("href", "src", "data")]

    assert {"svg", "path", "text"} < set(elements.tags)
    assert not {"script", "link", "img", "image", "iframe", "object", "embed", "base"} & set(elements.tags)
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert not [name for _, name, _ in elements.attributes if name.startswith("on")]
    assert "://" not in page
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)


def test_ids(page: str) -> None:
    """Each id stands once in the page, and each reference finds its id."""
    ids = Counter(value for _, name, value in Elements(page).attributes if name == "id")
    references = set(re.findall(r'(?:url\(|href=")#(\w+)', page))

    assert references
    assert references <= set(ids)
    assert max(ids.values()) == 1


def test_hostile_text(page: str) -> None:
    """Text of users adds no element to the page, neither around the plots nor in them."""
    plain = document(**named("a name"), notes=["a note"])
    hostile = document(**named(HOSTILE), notes=[HOSTILE], job_name=HOSTILE, versions={HOSTILE: HOSTILE})
    elements = Elements(render(hostile))

    assert elements.tags == Elements(render(plain)).tags
    assert HOSTILE[: LONGEST_LABEL - 1] + "\N{HORIZONTAL ELLIPSIS}" in elements.labels
    assert [HOSTILE, "category", "100.0 %"] in elements.rows
    assert [HOSTILE, HOSTILE] in elements.rows


@pytest.mark.parametrize("measured_on", ["validation", "test"])
def test_figures(measured_on: str) -> None:
    """Every figure stands with its interval in the table of the rows it was measured on."""
    of = {measured_on: figures(0.61), "validation": figures(0.31)}
    rows = Elements(render(document(measured_on=measured_on, figures=of))).rows

    for measures in of.values():
        for name, figure in measures.items():
            cells = [f"{figure['value']:.4f}", f"{figure['low']:.4f} to {figure['high']:.4f}"]
            assert [LABELS[name], *cells] in [row[:3] for row in rows]


def test_tables(page: str) -> None:
    """Balance before and after resampling, gains, decisions and details stand in tables."""
    rows = Elements(page).rows

    assert ["Training, as they came", "40", "1,960", "2.000 %"] in rows
    assert ["Training, after resampling (smote)", "196", "1,960", "9.091 %"] in rows
    assert ["smote", "196", "1,960", "0.7310", "+0.03100", "0.01200 to 0.05200", "chosen"] in rows
    assert ["Frauds", "6caught", "4missed"] in rows
    assert ["Frauds predicted : observed", "1.500", "1.500"] in rows
    assert ["exclude", '["id"]'] in rows
    assert ["train", "a" * 64] in rows
    assert ["V16", "number", "none"] in rows


def test_plots(page: str) -> None:
    """Each plot says in words what it shows."""
    elements = Elements(page)
    described = [value for tag, name, value in elements.attributes if (tag, name) == ("div", "aria-label")]

    assert elements.tags.count("svg") == 5
    assert elements.attributes.count(("div", "role", "img")) == 5
    assert any("average precision 0.6100" in words for words in described)
    assert "threshold 0.3456" in elements.labels


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        pytest.param(
            {
                "curves": {"precision_recall": [[0.0, 0.0], [1.0, 0.02]], "roc": [[0.0, 0.0], [1.0, 1.0]]},
                "calibration": {**document()["calibration"], "reliability_after": bins((500, 0.02, 0.02))},
            },
            "Measured on 500 validation rows, 10 frauds and 490 honest, which chose nothing",
            id="few points",
        ),
        pytest.param(
            {
                "resampling": [{**NONE, "is_chosen": True}],
                "hyperparameters": {"algorithm": "xgboost", "resampling": "none", "top_k": 5},
            },
            "The job names its resampling, none , so no other was tried.",
            id="resampling named",
        ),
        pytest.param(
            {"resampling": [{**NONE, "is_chosen": True}, candidate("smote", refused="cells are missing")]},
            "none 40 1,960 0.7000 the simplest chosen smote refused: cells are missing",
            id="candidate refused",
        ),
        pytest.param({"importance": {}}, "No column has a share", id="no split"),
        pytest.param({"importance": {}, "importance_of": ""}, "does not tell how much each column", id="none told"),
        pytest.param(
            {"resampling": [{**NONE, "is_chosen": True}], "is_supervised": False},
            "honest rows as they are",
            id="honest",
        ),
        pytest.param({"importance_of": "absolute weight"}, "columns have a weight", id="weights"),
        pytest.param(
            {"confusion": confusion(0, 2), "figures": {"validation": ZERO}}, "0 of 2 flagged", id="precision of zero"
        ),
        pytest.param({"confusion": confusion(0, 0)}, "None of the 500 rows is flagged.", id="nothing flagged"),
        pytest.param({"notes": ["V1 & V2 hold one value"]}, "V1 &amp; V2 hold one value", id="notes"),
        pytest.param(
            {"threshold": {**document()["threshold"], "rule": "precision>=0.9", "value": 1.0, "is_met": False}},
            "No threshold keeps precision&gt;=0.9 on the rows that choose it; 1.000 is the nearest.",
            id="threshold unmet",
        ),
        pytest.param({"threshold": RISK}, "exceeds 5.000, the cost of an alert", id="risk"),
        pytest.param(
            {},
            "A flagged row whose probability reaches 0.8765 is declined without a review ( precision&gt;=0.95 ): "
            "3 of the 8 here, 3 of them frauds; the rest are reviewed.",
            id="declined",
        ),
        pytest.param({}, "declined from 0.8765, precision&gt;=0.95", id="decline beside the threshold"),
        pytest.param(
            {"decline": {**document()["decline"], "is_met": False}, "declined": {"frauds": 0, "honest": 0}},
            "No such threshold keeps precision&gt;=0.95 on the rows that choose it, "
            "so no row is declined without a review.",
            id="decline unmet",
        ),
        pytest.param(
            {"decline": {**document()["decline"], "is_met": False}},
            "max_f1 where F1 is highest nothing is declined without a review",
            id="decline unmet beside the threshold",
        ),
        pytest.param({"job_name": ""}, "Model 0123456789abcdef Measured on", id="no job name"),
    ],
)
def test_odd_reports(changes: Mapping[str, Any], seen: str) -> None:
    """A report that lacks something, or holds something odd, makes a page that says so."""
    assert seen in text(render(document(**changes)))


def test_no_gains() -> None:
    """With one candidate there is no table of gains."""
    page = render(document(resampling=[{**NONE, "is_chosen": True}]))

    assert "Resamplings that were tried" not in page
    assert "+0.03100" not in page


def test_risk() -> None:
    """A decision that weighs amounts is no threshold in the plot."""
    page = render(document(threshold=RISK))

    assert not [label for label in Elements(page).labels if label.startswith("threshold ")]
    assert "A missing amount counts as 22.50" in text(page)


def test_report_of_a_model() -> None:
    """The report of a model holds its decline threshold with the rule, and counts the held-out rows beyond it."""
    parts = split(make_labelled(400, 80), None, None, 0.5, 0)
    told = trainer({"decline_rule": "recall>=0.1"})
    fitted = told.fit(parts)
    stated = content(figures=fitted.figures, hyperparameters=told.hyperparameters.stated())
    report = describe(ModelBundle.of(fitted.model, "xgboost", **stated), fitted, parts, [])
    declined = fitted.scores.probability >= fitted.model.decline.value

    assert (report["decline"]["rule"], report["decline"]["value"]) == ("recall>=0.1", fitted.model.decline.value)
    assert report["declined"]["frauds"] == parts.held_out.y[declined].sum() > 0
    assert sum(report["declined"].values()) == declined.sum()
    assert f"declined from {number(fitted.model.decline.value)}, recall&gt;=0.1" in text(render(report))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        pytest.param("金额", "金额", id="no glyph"),
        pytest.param("a\nb\x07", "a b", id="no letter"),
        pytest.param("$x_1$", "$x_1$", id="like a formula"),
        pytest.param("$\\frac$", "$\\frac$", id="like a wrong formula"),
        pytest.param(LONG, SHORTENED, id="long"),
    ],
)
def test_odd_names(name: str, label: str) -> None:
    """A column of any name has its bar."""
    assert label in Elements(render(document(**named(name)))).labels


def test_most_bars() -> None:
    """Of many columns the plot shows the first, each with a bar of its own, and the table shows all."""
    names = [f"{LONG}_{position}" for position in range(2 * MOST_BARS)]
    page = render(document(**named(*names)))
    elements = Elements(page)
    heights = re.findall(rf'y="([\d.]+)"[^>]*>{SHORTENED}</text>', page)

    assert len(heights) == len(set(heights)) == MOST_BARS
    assert [row[0] for row in elements.rows if row and row[0].startswith(LONG)] == names


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(284_807, "284,807", id="count"),
        pytest.param(0.00492463, "0.004925", id="small"),
        pytest.param(0.9, "0.9000", id="trailing zeros"),
        pytest.param(999.96, "1000", id="rounded up"),
        pytest.param(12_345.6, "12,346", id="large"),
    ],
)
def test_number(value: float, written: str) -> None:
    """Figures have 4 significant digits, counts have their thousands apart."""
    assert number(value) == written


def test_share() -> None:
    """A share is a percentage that does not break before its sign."""
    assert share(0.00172749) == "0.1727\N{NO-BREAK SPACE}%"
