import numpy as np
import pytest
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from fraud.model.conversion import Inputs, booster
from fraud.model.forests import DecisionTree
from fraud.model.learner import Labelled
from fraud.model.trees import Trees
from tests.labelled import make_labelled, plan_of, with_categories, with_missing

TYPES = ("q", "c", "q", "q")
ROWS = with_missing(with_missing(with_categories(make_labelled(2000, 300), 6)), 1)
# Cells that are missing where training rows had none.
OTHERS = with_missing(with_missing(with_categories(make_labelled(500, 60, 1), 6), 0), 3)


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(DecisionTreeClassifier(random_state=0), id="one deep tree"),
        pytest.param(DecisionTreeClassifier(max_depth=1), id="one split"),
        pytest.param(DecisionTreeClassifier(class_weight="balanced", random_state=0), id="weighted"),
        pytest.param(RandomForestClassifier(30, random_state=0), id="forest"),
    ],
)
@pytest.mark.parametrize("rows", [pytest.param(ROWS, id="training rows"), pytest.param(OTHERS, id="other rows")])
def test_shares(estimator: RandomForestClassifier, rows: object) -> None:
    """A converted tree or forest has scikit-learn's own probability of every row, missing cells or not."""
    inputs = Inputs.of(ROWS.X, TYPES)
    estimator.fit(inputs.encode(ROWS.X), ROWS.y)
    expected = estimator.predict_proba(inputs.encode(OTHERS.X))[:, 1]

    assert Trees(booster(estimator, inputs), 1).margins(OTHERS.X) == pytest.approx(expected, abs=1e-6)


def test_anomaly_scores() -> None:
    """A converted isolation forest has the logarithm of scikit-learn's anomaly score of every row."""
    inputs = Inputs.of(ROWS.X, TYPES)
    forest = IsolationForest(random_state=0).fit(inputs.encode(ROWS.X))
    expected = np.log2(-forest.score_samples(inputs.encode(OTHERS.X)))

    assert Trees(booster(forest, inputs), 1).margins(OTHERS.X) == pytest.approx(expected, abs=1e-5)


def test_thresholds_between_float32() -> None:
    """Cells right beside a threshold go where scikit-learn sends them."""
    X = np.repeat(np.array([[0.1], [0.2]], dtype=np.float32), 20, axis=0)
    inputs = Inputs.of(X, ("q",))
    tree = DecisionTreeClassifier().fit(X, np.repeat([0, 1], 20))
    near = np.float32(tree.tree_.threshold[0])
    beside = np.array([[np.nextafter(near, np.float32(end))] for end in (-9, 9)] + [[near]], dtype=np.float32)

    expected = tree.predict_proba(beside)[:, 1]
    assert Trees(booster(tree, inputs), 1).margins(beside).tolist() == expected.tolist()


def test_lone_missing_cells() -> None:
    """A split that tells missing categories alone from the rest does so for every category."""
    rows = with_categories(make_labelled(400, 0), 5)
    rows.X[::4, 1] = np.nan
    rows.X[:, [0, 2, 3]] = 0
    y = np.isnan(rows.X[:, 1]).astype(np.uint8)
    inputs = Inputs.of(rows.X, TYPES)
    tree = DecisionTreeClassifier(max_depth=1).fit(inputs.encode(rows.X), y)

    assert np.array_equal(Trees(booster(tree, inputs), 1).margins(rows.X), y)


def test_no_gain() -> None:
    """A tree whose only split gains nothing has no importance, rather than none that can be divided."""
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 20, dtype=np.float32)
    rows = Labelled(X, (X[:, 0] != X[:, 1]).astype(np.uint8))
    plan = plan_of("decision-tree", ("q", "q"), max_depth="1")
    tree = DecisionTree.fit(rows, {}, plan, lambda _round, _figures: False)

    assert tree.importance(("a", "b")) == {}


def test_gain() -> None:
    """The gain of a split is what it takes off the impurity, as scikit-learn counts it."""
    import xgboost as xgb  # noqa: PLC0415 - to read what was written

    inputs = Inputs.of(ROWS.X, ("q",) * 4)
    tree = DecisionTreeClassifier(max_depth=5, random_state=0).fit(inputs.encode(ROWS.X), ROWS.y)
    gains = xgb.Booster(model_file=bytearray(booster(tree, inputs))).get_score(importance_type="total_gain")
    shares = {int(name[1:]): float(np.sum(gain)) for name, gain in gains.items()}
    total = sum(shares.values())

    assert {place: gain / total for place, gain in shares.items()} == pytest.approx(
        {place: share for place, share in enumerate(tree.feature_importances_) if share}, rel=1e-5
    )
