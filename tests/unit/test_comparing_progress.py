from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fraud.comparing.plan import Pair, chosen
from fraud.comparing.progress import Progress
from fraud.comparing.report import best_candidate
from fraud.comparing.store import ROWS_PREFIX, Outcome, Store
from fraud.errors import SettingError
from fraud.model.evaluation import Figure
from tests.comparisons import make_plan

# The schedule asks for no learner of that name.
PLAN = make_plan(learners=("quick", "slow"), candidates={"quick": ({},), "slow": ({},)})
SETTINGS = {"data": {"sha256": "a"}, "folds": 3}


def order(seconds: dict[str, float], plan_refuses: str = "") -> list[str]:
    """Return in which order one worker does all folds, each of which takes the seconds of its learner."""
    progress = Progress(PLAN)
    done = []
    while fold := progress.next_fold():
        pair, number = fold
        done.append(f"{pair.learner} {pair.resampling} {number}")
        refused = "no" if f"{pair.learner} {pair.resampling}" == plan_refuses else ""
        progress.outcomes[fold] = Outcome(refused=refused, search_seconds=seconds[pair.learner])
    return done


def test_cheap_pairs_first() -> None:
    """Each learner is tried once, then the one that takes less time comes first, fold by fold."""
    found = order({"quick": 1, "slow": 9})

    assert found[:2] == ["quick none 0", "slow none 0"]
    assert [name.split()[0] for name in found[2:]] == ["quick"] * 5 + ["slow"] * 5
    assert sorted(found) == sorted({*found})
    assert len(found) == 12


def test_refused_pairs_end() -> None:
    """No fold of a pair begins after one of it was refused."""
    found = order({"quick": 1, "slow": 9}, "quick none")

    assert [name for name in found if name.startswith("quick none")] == ["quick none 0"]
    assert len(found) == 12 - 2


def test_failed_pairs() -> None:
    """A pair that failed is neither refused nor complete: no fold of it begins in this run, and none is done."""
    pair, other = Pair("quick", "none"), Pair("quick", "smote")
    plan = make_plan(learners=("quick",), candidates={"quick": ({},)})
    progress = Progress(plan, failures={pair: "a bug", other: "a bug"})
    progress.outcomes[other, 0] = Outcome(refused="no")

    assert progress.next_fold() is None
    assert progress.failed == {pair: "a bug"}
    assert (progress.refusal(pair), progress.refusal(other), progress.failure(other)) == ("", "no", "")
    assert progress.is_over(pair)
    assert not progress.is_complete
    assert progress.folds_done == 3


def test_others_wait_while_a_learner_is_new() -> None:
    """While the first fold of a learner runs, folds of learners that are known come before its others."""
    progress = Progress(PLAN, running={(Pair("slow", "none"), 0)})
    progress.outcomes[Pair("quick", "none"), 0] = Outcome(search_seconds=1.0)

    assert progress.next_fold() == (Pair("quick", "smote"), 0)


def test_ranking() -> None:
    """The highest average precision comes first; of equals the one that the plan names first."""
    progress = Progress(PLAN)
    for pair, value in zip(PLAN.pairs, (0.5, 0.7, 0.7, 0.9), strict=True):
        progress.summaries[pair] = {"figures": {"average_precision": {"value": value}}}

    assert [pair.name for pair in progress.ranking()] == ["slow smote", "quick smote", "slow none", "quick none"]


def test_best_candidate() -> None:
    """The winner's hyperparameters are those that tuned best in the mean of the folds, and that none refused."""
    folds: list[list[dict[str, object]]] = [
        [{"average_precision": 0.9}, {"average_precision": 0.6}, {"average_precision": 0.99}],
        [{"average_precision": 0.4}, {"average_precision": 0.8}, {"refused": "no"}],
    ]

    assert best_candidate([Outcome(candidate=0, tried=tried) for tried in folds]) == 1


@pytest.mark.parametrize(
    ("names", "words"),
    [
        pytest.param("xgbost", "no 'xgbost'; did you mean xgboost\\? those there are: xgboost, svc", id="misspelt"),
        pytest.param("svc,zebra", "no 'zebra'; those there are", id="unknown"),
        pytest.param(" , ", "--learners names none", id="none"),
    ],
)
def test_unknown_names(names: str, words: str) -> None:
    """A name that is not there is refused with the nearest, and with all there are."""
    with pytest.raises(SettingError, match=words):
        chosen("--learners", names, ["xgboost", "svc"])


def test_names() -> None:
    """Names come in the order in which they were given, each once; without any, all are meant."""
    assert chosen("--learners", "svc, xgboost,svc", ["xgboost", "svc"]) == ("svc", "xgboost")
    assert chosen("--learners", None, ["xgboost", "svc"]) == ("xgboost", "svc")


def test_store(tmp_path: Path) -> None:
    """What is saved is found again by whoever goes on; the rows that were lent are gone."""
    store = Store.open(tmp_path, SETTINGS, resume=False)
    pair = Pair("quick", "none")
    outcome = Outcome(figures={"f1": 0.1 + 0.2}, tried=[{"average_precision": 1 / 3}], seconds=0.1)
    store.save(pair, 0, outcome, np.array([[0.1, 0.7], [0, 1]]))
    store.save(pair, 1, Outcome(refused="no"), None)
    store.save(Pair("slow", "none"), 0, outcome, None)
    store.save_gain(pair, Pair("slow", "none"), Figure(0.1, -0.1, 0.3))
    (tmp_path / f"{ROWS_PREFIX}x").mkdir()
    again = Store.open(tmp_path, SETTINGS, resume=True)

    assert again.outcome(pair, 0) == outcome
    assert Progress.of(PLAN, again).refusal(pair) == "no"
    assert again.outcome(pair, 2) is None
    assert again.scores(pair, 0, 2).tolist() == [[0.1, 0.7], [0, 1]]
    assert again.gain(pair, Pair("slow", "none")) == Figure(0.1, -0.1, 0.3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folds", "settings.json"]
    assert not list(tmp_path.rglob("*unfinished*"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"data": {"sha256": "b"}}, "rows of DATA are not those", id="other rows"),
        pytest.param({"folds": 5}, "--folds was 3, and is 5 now; give the same, or another --out", id="other settings"),
    ],
)
def test_resume_differently(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    """Nobody goes on with other rows or other settings."""
    Store.open(tmp_path, SETTINGS, resume=False)

    with pytest.raises(SettingError, match=words):
        Store.open(tmp_path, {**SETTINGS, **changes}, resume=True)


def test_used_directory(tmp_path: Path) -> None:
    """A directory that holds something is neither overwritten nor taken for a comparison."""
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(SettingError, match=r"not empty, and holds no comparison; give another --out$"):
        Store.open(tmp_path, SETTINGS, resume=False)
    with pytest.raises(SettingError, match="no comparison to go on with"):
        Store.open(tmp_path, SETTINGS, resume=True)
    Store.open(tmp_path / "new", SETTINGS, resume=False)

    with pytest.raises(SettingError, match="--resume goes on"):
        Store.open(tmp_path / "new", SETTINGS, resume=False)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_damaged(tmp_path: Path, text: str) -> None:
    """A file of the comparison that was damaged is named; without its settings nobody can go on."""
    Store.open(tmp_path, SETTINGS, resume=False)
    (tmp_path / "settings.json").write_text(text)

    with pytest.raises(SettingError, match=r"settings.json is damaged: .*; begin anew in another --out"):
        Store.open(tmp_path, SETTINGS, resume=True)


def read_all(store: Store, pair: Pair) -> None:
    store.outcome(pair, 0)
    store.scores(pair, 0, 3)
    store.summary(pair)
    store.gain(Pair("slow", "none"), pair)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        pytest.param("0.json", '{"refused": "", "colour": 1}', "colour: ", id="strange key"),
        pytest.param("0.json", '{"seconds": "long"}', "seconds: ", id="word for a number"),
        pytest.param("0.json", "{}", "it holds neither figures", id="empty fold"),
        pytest.param("0.json", '{"figures": {"f1": 0.5}, "candidate": 1, "tried": [{}]}', "it holds", id="not tried"),
        pytest.param("summary.json", "{}", "figures: Field required", id="empty summary"),
        pytest.param("summary.json", '{"figures": {}}', "figures.average_precision: ", id="no figure"),
        pytest.param("behind_slow_none.json", '{"value": 1}', "low: Field required", id="half a gain"),
        pytest.param("0.npy", "", "it is no array", id="empty array"),
        pytest.param("0.npy", "\x93NUMPY", "it is no array", id="cut array"),
        pytest.param("0.npy", "PK\x03\x04", "it is no array", id="zip"),
    ],
)
def test_damaged_results(tmp_path: Path, name: str, text: str, words: str) -> None:
    """A damaged file of a pair is named, with what is wrong and what mends it."""
    store, pair = Store.open(tmp_path, SETTINGS, resume=False), Pair("quick", "none")
    store.save(pair, 0, Outcome(figures={"f1": 0.5}, tried=[{"average_precision": 0.5}]), np.zeros((2, 3)))
    path = tmp_path / "folds/quick_none" / name
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(SettingError, match=f"{name} is damaged: {words}.*; delete it, and --resume makes it again"):
        read_all(store, pair)


@pytest.mark.parametrize(
    "scores",
    [
        pytest.param(np.zeros(3), id="one row"),
        pytest.param(np.zeros((2, 4)), id="another fold's"),
        pytest.param(np.full((2, 3), np.nan), id="not a number"),
        pytest.param(np.zeros((2, 3), dtype=np.int64), id="whole numbers"),
    ],
)
def test_scores_of_something_else(tmp_path: Path, scores: Any) -> None:
    """An array that holds no probabilities and flags is damaged too."""
    store, pair = Store.open(tmp_path, SETTINGS, resume=False), Pair("quick", "none")
    store.save(pair, 0, Outcome(), scores)

    with pytest.raises(
        SettingError, match=r"0\.npy is damaged: it does not hold a probability and a flag for each of 3 rows"
    ):
        store.scores(pair, 0, 3)


def test_lost_scores(tmp_path: Path) -> None:
    """A fold whose scores are gone is not known, so that it is measured again; one that was refused has none."""
    store, pair = Store.open(tmp_path, SETTINGS, resume=False), Pair("quick", "none")
    store.save(pair, 0, Outcome(figures={"f1": 0.5}, tried=[{"average_precision": 0.5}]), np.zeros((2, 3)))
    store.save(pair, 1, Outcome(refused="no"), None)
    (tmp_path / "folds/quick_none/0.npy").unlink()

    assert store.outcome(pair, 0) is None
    assert store.outcome(pair, 1) == Outcome(refused="no", tried=[])
