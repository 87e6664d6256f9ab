import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from fraud.errors import BundleError
from fraud.machine import memory_used_bytes
from fraud.model.boosted import BoostedTrees
from fraud.model.trees import Trees, XGBoostError
from fraud.schema import Matrix

NUMERIC = ("q",) * 4
MIXED = ("c", "q", "c", "q")


def drawn(rows: int, seed: int, types: tuple[str, ...] = NUMERIC, missing: float = 0.1) -> Matrix:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 6, size=(rows, 4))
    X = np.where(np.array(types) == "c", codes, rng.normal(size=(rows, 4))).astype(np.float32)
    X[rng.random(X.shape) < missing] = np.nan
    return X


def matrix(X: Matrix, types: tuple[str, ...], y: object = None) -> xgb.DMatrix:
    return xgb.DMatrix(X, y, feature_types=list(types), enable_categorical=True, nthread=1)


def fitted(types: tuple[str, ...] = NUMERIC, rounds: int = 20, **told: Any) -> xgb.Booster:
    X = drawn(300, 0, types)
    y = (np.nan_to_num(X[:, 0]) % 2 > 0.5).astype(np.uint8)
    stated = {"objective": "binary:logistic", "nthread": 1, "base_score": 0.3, **told}
    return xgb.train(stated, matrix(X, types, y), rounds)


def dumped(booster: xgb.Booster) -> bytes:
    return bytes(booster.save_raw("ubj"))


@pytest.fixture(scope="module", params=[NUMERIC, MIXED], ids=["numbers", "categories"])
def types(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return tuple(request.param)


@pytest.fixture(scope="module")
def booster(types: tuple[str, ...]) -> xgb.Booster:
    return fitted(types)


@pytest.fixture(scope="module")
def trees(booster: xgb.Booster) -> Trees:
    return Trees(dumped(booster), 1)


@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize("order", ["C", "F"])
def test_margins(booster: xgb.Booster, trees: Trees, types: tuple[str, ...], rows: int, order: str) -> None:
    """The C API gives what XGBoost's own package gives, bit for bit, whatever the memory order."""
    X = drawn(rows, 1, types, missing=0.2)
    expected = booster.predict(matrix(X, types), output_margin=True)
    X = np.asfortranarray(X) if order == "F" else X

    assert trees.margins(X).dtype == np.float64
    assert np.array_equal(trees.margins(X), expected.astype(np.float64))


@pytest.mark.parametrize("rows", [1, 7, 500])
@pytest.mark.parametrize("order", ["C", "F"])
def test_contributions(booster: xgb.Booster, trees: Trees, types: tuple[str, ...], rows: int, order: str) -> None:
    """Contributions are those of XGBoost's own package, bit for bit, with missing cells and categories too."""
    X = drawn(rows, 2, types, missing=0.2)
    expected = booster.predict(matrix(X, types), pred_contribs=True)
    X = np.asfortranarray(X) if order == "F" else X
    found = trees.contributions(X)

    assert found.shape == (rows, 5)
    assert np.array_equal(found, expected.astype(np.float64))


def test_rows_of_other_numbers(trees: Trees) -> None:
    """Rows in float64, or every second row of a matrix, score as their own copy in float32."""
    X = drawn(20, 3)[::2]
    own = X.astype(np.float32).copy()

    for rows in (X, X.astype(np.float64)):
        assert np.array_equal(trees.margins(rows), trees.margins(own))  # type: ignore[arg-type] # as a caller might
        assert np.array_equal(trees.contributions(rows), trees.contributions(own))  # type: ignore[arg-type]


def test_no_rows(trees: Trees) -> None:
    """A matrix of no rows has no margins, and no contributions."""
    nothing = np.empty((0, 4), dtype=np.float32)

    assert trees.margins(nothing).shape == (0,)
    assert trees.contributions(nothing).shape == (0, 5)


def test_many_threads_get_their_own(trees: Trees, types: tuple[str, ...]) -> None:
    """Threads that score and explain at once, with one booster, each get what belongs to their own rows."""
    parts = [drawn(rows, rows, types) for rows in range(1, 9)]
    expected = [(trees.margins(X), trees.contributions(X)) for X in parts]

    def score(number: int) -> bool:
        X, (margins, contributions) = parts[number], expected[number]
        return all(
            np.array_equal(trees.margins(X), margins) and np.array_equal(trees.contributions(X), contributions)
            for _ in range(200)
        )

    with ThreadPoolExecutor(len(parts)) as pool:
        assert all(pool.map(score, range(len(parts))))


def test_first_call_of_many_threads(booster: xgb.Booster, types: tuple[str, ...]) -> None:
    """A booster that was just read answers threads that all come at once."""
    X = drawn(5, 4, types)
    content, expected = dumped(booster), Trees(dumped(booster), 1).contributions(X)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            trees = Trees(content, 1)
            assert all(np.array_equal(found, expected) for found in pool.map(trees.contributions, [X] * 8))


def test_results_stay(trees: Trees) -> None:
    """What one call answered is not written over by the next."""
    first, second = drawn(6, 5), drawn(6, 6)
    margins, contributions = trees.margins(first), trees.contributions(first)
    before = margins.copy(), contributions.copy()
    trees.margins(second)
    trees.contributions(second)

    assert np.array_equal(margins, before[0])
    assert np.array_equal(contributions, before[1])


@pytest.mark.parametrize("width", [3, 5])
def test_wrong_width(trees: Trees, width: int) -> None:
    """Rows of another width are an error, and no score."""
    with pytest.raises(XGBoostError, match="columns"):
        trees.margins(np.zeros((1, width), dtype=np.float32))


def rss_after(use: Callable[[], object], times: int) -> int:
    """Return by how many bytes the memory of this process grows when something is used so often."""
    for _ in range(20):
        use()
    before = memory_used_bytes()
    for _ in range(times):
        use()
    return memory_used_bytes() - before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_given_back() -> None:
    """200 boosters of 0.2 MB, each loaded, used by this thread and others, and dropped, leave no more than a few MB."""
    content = dumped(fitted(rounds=300, max_depth=6))
    X = drawn(200, 7)
    with ThreadPoolExecutor(4) as pool:

        def use() -> None:
            trees = Trees(content, 1)
            trees.margins(X)
            trees.contributions(X)
            list(pool.map(trees.margins, [X] * 8))

        grown = rss_after(use, 200)

    assert len(content) > 200_000
    assert grown < 8 * 1024**2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_what_is_refused() -> None:
    """Content that is refused leaves nothing behind."""

    def use() -> None:
        with pytest.raises(BundleError, match="is not a booster"):
            Trees(b'{"a' + bytes(200_000), 1)

    assert rss_after(use, 100) < 8 * 1024**2


@pytest.mark.parametrize(
    ("told", "message"),
    [
        pytest.param({"objective": "multi:softprob", "num_class": 2}, "more than one value for a row", id="classes"),
        pytest.param({"booster": "gblinear"}, "cannot score: Inplace predict is not supported", id="no trees"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*gblinear.*is deprecated")
def test_other_boosters(told: dict[str, Any], message: str) -> None:
    """A booster that has no single margin for a row is refused when it is loaded, not when it scores."""
    with pytest.raises(BundleError, match=message):
        BoostedTrees.load(dumped(fitted(**told)), NUMERIC, 1)


def test_no_round() -> None:
    """A booster without a tree says the same of every row, which no column moves."""
    trees = Trees(dumped(fitted(rounds=0)), 1)

    assert trees.rounds == 0
    assert trees.margins(drawn(3, 8)) == pytest.approx(np.full(3, np.log(0.3 / 0.7)))
    assert not trees.contributions(drawn(3, 8))[:, :-1].any()


def test_what_scoring_imports(tmp_path: Path) -> None:
    """Scoring and explaining load neither XGBoost's Python package nor what it brings."""
    path = tmp_path / "booster.ubj"
    path.write_bytes(dumped(fitted()))
    program = (
        "import sys, numpy, pathlib\n"
        "import fraud.bundle\n"
        "from fraud.model.boosted import BoostedTrees\n"
        f"learner = BoostedTrees.load(pathlib.Path({str(path)!r}).read_bytes(), ['q'] * 4, 1)\n"
        "learner.contributions(numpy.zeros((1, 4), numpy.float32))\n"
        "print(*{'xgboost', 'sklearn', 'scipy', 'pandas', 'imblearn', 'matplotlib'} & set(sys.modules))\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (finished.stdout.strip(), finished.stderr) == ("", "")
