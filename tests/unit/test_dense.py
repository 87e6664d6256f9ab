from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xgboost as xgb

from fraud.model.dense import margins


@pytest.fixture(scope="module")
def booster() -> xgb.Booster:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    told = {"objective": "binary:logistic", "nthread": 1, "base_score": 0.5}
    return xgb.train(told, xgb.DMatrix(X, X[:, 0] > 0.3, nthread=1), 20)


@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize("order", ["C", "F"])
def test_margins_are_those_of_xgboosts_own_call(booster: xgb.Booster, rows: int, order: str) -> None:
    """One call of the C API gives what `inplace_predict` gives, bit for bit, whatever the memory order."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(rows, 4)).astype(np.float32)
    X[rng.random(X.shape) < 0.2] = np.nan
    X = np.asfortranarray(X) if order == "F" else X

    expected = booster.inplace_predict(X, predict_type="margin", validate_features=False)

    assert margins(booster, X).dtype == np.float64
    assert np.array_equal(margins(booster, X), expected.astype(np.float64))


def test_many_threads_get_their_own_margins(booster: xgb.Booster) -> None:
    """Threads that score at once, many times over, each get the margins of their own rows."""
    rng = np.random.default_rng(2)
    parts = [rng.normal(size=(rows, 4)).astype(np.float32) for rows in range(1, 9)]
    expected = [booster.inplace_predict(X, predict_type="margin", validate_features=False) for X in parts]

    def score(number: int) -> bool:
        return all(np.array_equal(margins(booster, parts[number]), expected[number]) for _ in range(300))

    with ThreadPoolExecutor(len(parts)) as pool:
        assert all(pool.map(score, range(len(parts))))


def test_no_rows_have_no_margins(booster: xgb.Booster) -> None:
    """A matrix of no rows has no margins."""
    assert margins(booster, np.empty((0, 4), dtype=np.float32)).shape == (0,)


def test_a_wrong_width_is_an_error_and_no_score() -> None:
    """XGBoost's own complaint comes through where the booster is not ready to predict."""
    empty = xgb.Booster({"nthread": 1})

    with pytest.raises(xgb.core.XGBoostError):
        margins(empty, np.zeros((1, 4), dtype=np.float32))
