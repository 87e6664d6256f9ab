import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fraud.channels import Channel
from fraud.comparing.folds import divide
from fraud.comparing.page import best_of_learners, render
from fraud.comparing.progress import Progress
from fraud.comparing.report import describe, write
from fraud.comparing.store import Outcome
from fraud.curves import curves
from fraud.layout import Layout
from fraud.model.evaluation import Figure
from tests.comparisons import make_plan
from tests.labelled import NAMES, NUMBERS, make_labelled
from tests.unit.test_page import HOSTILE, Elements, text

ROWS = make_labelled()
LEARNERS = tuple(f"learner-{number}" for number in range(10))
RESAMPLINGS = ("none", "smote", "a", "b", "c", "d")
PAIRS = [f"{learner} {resampling}" for learner in LEARNERS for resampling in RESAMPLINGS]
MEASURES = ("average_precision", "roc_auc", "precision", "recall", "f1", "brier_skill")


def figures(value: float) -> dict[str, dict[str, float]]:
    spread = {name: value - place / 100 for place, name in enumerate(MEASURES)}
    return {name: {"value": mid, "low": mid - 0.05, "high": mid + 0.05} for name, mid in spread.items()}


def make_progress(learners: tuple[str, ...] = LEARNERS, resamplings: tuple[str, ...] = RESAMPLINGS) -> Progress:
    """Return a comparison that is complete, in which each pair is a little worse than the one before it."""
    plan = make_plan(learners=learners, resamplings=resamplings, candidates=dict.fromkeys(learners, ({"eta": "0.1"},)))
    progress = Progress(plan)
    drawn = curves(ROWS.y, np.random.default_rng(0).random(len(ROWS)))
    for place, pair in enumerate(plan.pairs):
        value = 0.9 - place / 100
        for fold in range(3):
            tried = [{"average_precision": 0.5}]
            progress.outcomes[pair, fold] = Outcome(
                seconds=60.0 - place, search_seconds=70.0 - place, figures={"average_precision": value}, tried=tried
            )
        counts = {"true_positive": 30, "false_positive": place, "false_negative": 10, "true_negative": 260 - place}
        progress.summaries[pair] = {"figures": figures(value), "confusion": counts, "curves": drawn}
    return progress


def document(progress: Progress) -> dict[str, Any]:
    channel = Channel(Layout((*NAMES, "Class"), "Class", NAMES, None), NUMBERS, ROWS)
    stated = {"data": {"sha256": "a" * 64}, **progress.plan.stated()}
    return describe(progress, channel, divide(ROWS, 3, "stratified", 0), stated, [])


def test_page() -> None:
    """The page loads and runs nothing, ranks all pairs, and shows the matrices of each."""
    page = render(document(make_progress()))
    elements = Elements(page)

    assert not {"script", "link", "img", "image", "iframe", "object", "embed", "base"} & set(elements.tags)
    assert "://" not in page
    assert elements.tags.count("svg") == 2
    ranked = [row[:3] for row in elements.rows if len(row) == 11][1:]
    assert ranked == [[str(rank), *names.split()] for rank, names in enumerate(PAIRS, start=1)]
    assert ["60", "learner-9", "d", "30", "10", "59", "201", "2.967"] in elements.rows


def test_curves_of_many_pairs() -> None:
    """Of 60 pairs the best of each learner is named, by its rank; guessing is the last."""
    shown = document(make_progress())
    labels = [label for label in Elements(render(shown)).labels if ": " in label]

    assert [rank for rank, _ in best_of_learners(shown["pairs"])] == [1 + 6 * number for number in range(10)]
    assert labels[0] == "1. learner-0, none: 0.9000"
    assert labels[9] == "55. learner-9, none: 0.3600"
    assert labels[10].startswith("guessing: 0.13")
    assert len(labels) == 22


def test_hostile_text() -> None:
    """A reason adds no element to the page."""
    plain, hostile = (make_progress(("a",), ("none", "smote")) for _ in range(2))
    for progress, reason in ((plain, "no"), (hostile, HOSTILE)):
        pair = progress.plan.pairs[1]
        del progress.summaries[pair]
        progress.outcomes[pair, 0] = Outcome(refused=reason)

    assert Elements(render(document(hostile))).tags == Elements(render(document(plain))).tags
    assert ["a", "smote", HOSTILE] in Elements(render(document(hostile))).rows


def test_within_noise() -> None:
    """What is within noise of the winner and much cheaper is named, with its hyperparameters; equal scores are not."""
    progress = make_progress(("a", "b"), ("none",))
    _, other = progress.plan.pairs
    for fold in range(3):
        progress.outcomes[other, fold] = replace(progress.outcomes[other, fold], seconds=1.0)
    progress.gains[other] = Figure(0.01, -0.02, 0.04)
    near = document(progress)
    progress.gains[other] = Figure(0, 0, 0)
    same = document(progress)
    progress.gains[other] = Figure(0.02, 0.01, 0.04)
    beyond = document(progress)

    assert near["winner"]["within_noise"] == 1
    assert near["winner"]["cheaper"]["hyperparameters"]["algorithm"] == "b"
    assert "b with none takes the least time to fit , 1 s against 60 s" in text(render(near))
    assert same["winner"]["cheaper"] is None
    assert (same["winner"]["within_noise"], same["winner"]["same_scores"]) == (0, 1)
    assert "1 other pair makes the very same scores." in text(render(same))
    assert beyond["winner"]["cheaper"] is None
    assert "Its lead over every other pair is beyond noise" in text(render(beyond))


@pytest.mark.parametrize(
    ("low", "words"),
    [
        pytest.param(-0.0002, "-0.0002 to 0.006 within noise", id="a little below"),
        pytest.param(0.0, "0.000 to 0.006 within noise", id="nothing"),
        pytest.param(0.0003, "0.0003 to 0.006 beyond noise", id="a little above"),
        pytest.param(0.004, "0.004 to 0.006 beyond noise", id="above"),
    ],
)
def test_sign_of_a_lead(low: float, words: str) -> None:
    """The end that decides what is noise is shown with its sign."""
    progress = make_progress(("a", "b"), ("none",))
    progress.gains[progress.plan.pairs[1]] = Figure(0.005, low, 0.006)

    assert words in " ".join(text(render(document(progress))).split())


def test_refused_alike() -> None:
    """Pairs that are refused for one reason are one row of the page, whatever resampling the reason begins with."""
    progress = make_progress(("a", "b", "c"), ("none", "smote", "adasyn"))
    for pair in progress.plan.pairs:
        if pair.resampling != "none":
            del progress.summaries[pair]
            reason = f'resampling="{pair.resampling}": c learns alone' if pair.learner == "c" else "too few"
            progress.outcomes[pair, 0] = Outcome(refused=reason)

    rows = Elements(render(document(progress))).rows
    assert ["a, b", "smote, adasyn", "too few"] in rows
    assert ["c", "smote, adasyn", "c learns alone"] in rows
    assert "too few" not in [row[-1] for row in rows if row[0] == "b"]


@pytest.mark.parametrize(
    ("seconds", "others", "is_named"),
    [
        pytest.param(0.05948, 0.03988, False, id="noise of the clock"),
        pytest.param(1.9, 1.0, False, id="nothing to notice"),
        pytest.param(2.1, 1.0, True, id="a second"),
        pytest.param(60.0, 50.0, False, id="a small share"),
    ],
)
def test_cheaper(seconds: float, others: float, *, is_named: bool) -> None:
    """A pair within noise is worth naming where it saves a second at least, and much of the winner's time."""
    progress = make_progress(("a", "b"), ("none",))
    for (pair, fold), outcome in list(progress.outcomes.items()):
        progress.outcomes[pair, fold] = replace(outcome, seconds=seconds if pair.learner == "a" else others)
    progress.gains[progress.plan.pairs[1]] = Figure(0.01, -0.02, 0.04)

    assert (document(progress)["winner"]["cheaper"] is not None) == is_named
    assert ("takes the least time" in text(render(document(progress)))) == is_named


def test_same_scores_beside_noise() -> None:
    """Sentences stand apart."""
    progress = make_progress(("a", "b", "c"), ("none",))
    _, same, near = progress.plan.pairs
    progress.gains |= {same: Figure(0, 0, 0), near: Figure(0.01, -0.02, 0.04)}

    assert re.search(r"the very same scores\.\s+1 other is within noise", render(document(progress)))


def test_no_pair_that_was_fitted() -> None:
    """Where every pair was refused the page does not say that rows were scored."""
    progress = make_progress(("a",), ("none", "smote"))
    progress.summaries.clear()
    for pair in progress.plan.pairs:
        progress.outcomes[pair, 0] = Outcome(refused="too few")
    page = text(render(document(progress)))

    assert "No pair was fitted" in page
    assert "to score; none was, for the reasons below" in page
    assert "each scored once" not in page


def test_leads_that_nobody_measured() -> None:
    """A page says nothing of the winner's lead until it is known over every pair that reaches its interval."""
    progress = make_progress(("a", "b", "c"), ("none",))
    _, one, other = progress.plan.pairs
    progress.gains[one] = Figure(0.01, -0.02, 0.04)
    progress.unweighable[other] = "no such file"
    part = document(progress)
    progress.gains[other] = Figure(0.02, 0.01, 0.04)
    whole = document(progress)

    assert (part["is_complete"], whole["is_complete"]) == (False, True)
    assert part["unweighed"] == [{"learner": "c", "resampling": "none", "reason": "no such file"}]
    assert [pair["is_within_noise"] for pair in part["pairs"]] == [False, True, None]
    assert part["winner"]["within_noise"] is part["winner"]["cheaper"] is None
    assert "is not known yet for 1 pair, which may be within noise" in text(render(part))
    for claim in ("is within noise of it", "is beyond noise:", "are missing"):
        assert claim not in text(render(part))
    assert "1 other is within noise of it" in text(render(whole))
    assert "not known yet" not in text(render(whole))


def test_failed(tmp_path: Path) -> None:
    """What nothing foresaw stands apart from what was refused, in the page, the table and the JSON."""
    progress = make_progress(("a",), ("none", "smote", "adasyn"))
    _, refused, failed = progress.plan.pairs
    del progress.summaries[refused], progress.summaries[failed], progress.outcomes[failed, 2]
    progress.outcomes[refused, 0] = Outcome(refused="too few")
    progress.failures[failed] = "a bug"
    shown = document(progress)
    write(tmp_path, shown)
    page = text(render(shown))

    assert shown["refused"] == [{"learner": "a", "resampling": "smote", "reason": "too few"}]
    assert shown["failed"] == [{"learner": "a", "resampling": "adasyn", "reason": "a bug"}]
    assert (shown["unfinished"], shown["is_complete"]) == ([], False)
    assert "1 pair failed, for the reason below." in page
    assert page.index("Refused") < page.index("too few") < page.index("Failed Nothing foresaw this") < page.index("bug")
    lines = list(csv.DictReader((tmp_path / "compare.csv").read_text().splitlines()))
    assert [(line["refused"], line["failed"]) for line in lines] == [("", ""), ("too few", ""), ("", "a bug")]


def test_incomplete() -> None:
    """A page over a part of the pairs says so, and how many are missing."""
    progress = make_progress(("a",), ("none", "smote"))
    pair = progress.plan.pairs[1]
    del progress.summaries[pair], progress.outcomes[pair, 2]
    shown = document(progress)

    assert shown["unfinished"] == [{"learner": "a", "resampling": "smote", "folds_done": 2}]
    assert "1 of 2 pairs are missing. The same command with --resume goes on" in text(render(shown))


def test_files(tmp_path: Path) -> None:
    """The winner's hyperparameters are strings by the names that train knows; the table has every pair."""
    progress = make_progress(("a",), ("none", "smote"))
    write(tmp_path, document(progress))
    lines = (tmp_path / "compare.csv").read_text().splitlines()

    assert json.loads((tmp_path / "hyperparameters.json").read_text()) == {
        "algorithm": "a",
        "resampling": "none",
        "eta": "0.1",
        "seed": "0",
        "smote_ratio": "0.5",
    }
    assert json.loads((tmp_path / "compare.json").read_text())["winner"]["learner"] == "a"
    assert len(lines) == 3
    assert lines[1].startswith("1,a,none,0.9,")
    assert len({line.count(",") for line in lines}) == 1
