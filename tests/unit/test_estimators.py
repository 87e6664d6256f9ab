import io
import json
import subprocess
import sys
import zipfile
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as Regression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from skops import io as skops

from fraud.errors import BundleError, LearnerError
from fraud.model import preparation
from fraud.model.algorithms import ALGORITHMS
from fraud.model.estimators import KNeighbors, LogisticRegression, OneClassSupportVectors, SupportVectors
from fraud.model.learner import Labelled
from fraud.model.networks import Autoencoder
from tests.labelled import make_labelled, plan_of, with_categories, with_missing

TYPES = ("q", "c", "q", "q")
ROWS = with_missing(with_categories(make_labelled(300, 60), 3))
# In another process: other places in memory, other seeds of hashes.
DUMPING = """
import hashlib
from fraud.model.estimators import LogisticRegression
from tests.unit.test_estimators import fit
print(hashlib.sha256(fit(LogisticRegression, "logistic-regression").dump()).hexdigest())
"""


def fit(kind: Any, name: str, rows: Labelled = ROWS, **told: str) -> Any:
    return kind.fit(rows, {"tuning": rows}, plan_of(name, TYPES, **told), lambda _round, _figures: False)


def test_same_bytes_in_every_process() -> None:
    """What is saved depends on no place in memory, no clock and no hash: the model id is that of the content."""
    outcomes = {
        subprocess.run([sys.executable, "-c", DUMPING], capture_output=True, text=True, check=True).stdout for _ in "ab"
    }

    assert len(outcomes) == 1


@pytest.mark.parametrize(("kind", "name"), [(LogisticRegression, "logistic-regression"), (Autoencoder, "autoencoder")])
def test_constants_alone(kind: Any, name: str) -> None:
    """Rows of which no column varies are refused in words of ours."""
    rows = make_labelled(60, 20)
    same = Labelled(np.ones_like(rows.X), rows.y)
    with pytest.raises(LearnerError, match=r" stopped: no column varies among the training rows; give it one that"):
        kind.fit(same, {}, plan_of(name), lambda _round, _figures: False)


def test_contributions_of_weights() -> None:
    """A contribution is what the score loses where the column of a row is set to the mean of training rows."""
    rows = make_labelled(300, 60)
    plan = plan_of("logistic-regression")
    learner = LogisticRegression.fit(rows, {}, plan, lambda _round, _figures: False)
    mean = rows.X.mean(axis=0, dtype=np.float64).astype(np.float32)
    contributions = learner.contributions(rows.X)
    for place in range(4):
        without = rows.X.copy()
        without[:, place] = mean[place]

        lost = learner.raw_score(rows.X) - learner.raw_score(without)
        assert contributions[:, place] == pytest.approx(lost, abs=1e-5)
    assert contributions[0, -1] == pytest.approx(learner.raw_score(mean[None, :])[0], abs=1e-5)


def test_l1_leaves_columns_out() -> None:
    """A strong L1 penalty gives useless columns no weight, where L2 gives them some."""
    names = ("one", "two", "three", "Amount")
    l1, l2 = (fit(LogisticRegression, "logistic-regression", C="0.02", penalty=penalty) for penalty in ("l1", "l2"))

    assert set(l1.importance(names)) == {"one"}
    assert set(l2.importance(names)) == set(names)


def test_errors_of_an_autoencoder() -> None:
    """Its reasons are the columns that it cannot say again: the one that breaks what honest rows have in common."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(3000, 1))
    X = (hidden * [1, -1, 2, 0.5] + rng.normal(scale=0.05, size=(3000, 4))).astype(np.float32)
    rows = Labelled(X, np.zeros(3000, dtype=np.uint8))
    plan = plan_of("autoencoder", hidden_layer_sizes="8,1,8", activation="tanh", epochs="60", learning_rate_init="0.01")
    learner = Autoencoder.fit(rows, {}, plan, lambda _round, _figures: False)
    odd = X[:50].copy()
    odd[:, 2] *= -1
    odd = odd[np.abs(hidden[:50, 0]) > 0.5]
    contributions = learner.contributions(odd)

    assert (contributions >= 0).all()
    assert (np.argmax(contributions, axis=1) == 2).mean() > 0.9
    assert np.median(learner.raw_score(odd)) > 10 * np.median(learner.raw_score(X))


@pytest.mark.parametrize("kernel", ["rbf", "poly", "sigmoid"])
def test_only_a_linear_kernel_explains(kernel: str) -> None:
    """Support vectors have exact reasons where their kernel is linear, and nowhere else."""
    for kind, name in ((SupportVectors, "svc"), (OneClassSupportVectors, "one-class-svm")):
        assert not fit(kind, name, kernel=kernel).explains
        assert fit(kind, name, kernel="linear").explains


@pytest.mark.parametrize("name", ["svc", "mlp", "autoencoder", "one-class-svm", "logistic-regression", "k-neighbors"])
def test_a_column_of_one_value_tells_nothing(name: str) -> None:
    """Where training rows hold one value, or none, another value in a request changes no score."""
    rows = make_labelled(300, 60)
    rows.X[:, 1], rows.X[:, 2] = 0, np.nan
    plan = plan_of(name, **({"epochs": "5"} if name in {"mlp", "autoencoder"} else {}))
    learner = ALGORITHMS[name].fit(rows, {"tuning": rows}, plan, lambda _round, _figures: False)
    other = rows.X.copy()
    other[:, 1], other[:, 2] = 100, -50

    assert np.array_equal(learner.raw_score(other), learner.raw_score(rows.X))


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_rows_without_a_value(name: str) -> None:
    """Rows all of whose cells are missing are fitted, or refused in our words."""
    rows = Labelled(np.full((40, 1), np.nan, dtype=np.float32), np.repeat([0, 1], 20).astype(np.uint8))
    plan = plan_of(name, ("c",))
    with nullcontext() if name == "xgboost" else pytest.raises(LearnerError, match=r"^[A-Za-z]+ stopped: [^\n]+$"):
        learner = ALGORITHMS[name].fit(rows, {"tuning": rows}, plan, lambda _round, _figures: False)

        assert np.isfinite(learner.raw_score(rows.X)).all()


def test_too_many_neighbours() -> None:
    """More neighbours than rows is refused with both numbers."""
    with pytest.raises(LearnerError, match="n_neighbors=500 is more than the 300 training rows"):
        fit(KNeighbors, "k-neighbors", n_neighbors="500")


def test_rows_are_drawn_for_a_boundary() -> None:
    """A one-class machine of fewer rows than there are is smaller, and another seed draws others."""
    few, other, every = (
        fit(OneClassSupportVectors, "one-class-svm", nu="0.5", max_samples=most, seed=seed)
        for most, seed in (("50", "0"), ("50", "1"), ("20000", "0"))
    )

    assert len(few.dump()) < len(every.dump())
    assert few.dump() != other.dump()


def saved(pipeline: Pipeline) -> bytes:
    return bytes(skops.dumps(pipeline))


def archive(**content: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            file.writestr(name.replace("__", "."), data)
    return written.getvalue()


HOSTILE = [
    pytest.param(archive(schema__json=b"{}"), id="no type"),
    pytest.param(archive(other=b""), id="no schema"),
    pytest.param(archive(schema__json=b'{"protocol": 99}'), id="other protocol"),
    pytest.param(saved(Pipeline([("a", FunctionTransformer(np.log))])), id="another pipeline"),
    pytest.param(saved(Regression()), id="no pipeline"),
    pytest.param(
        archive(schema__json=b'{"__class__":"system","__module__":"os","__loader__":"FunctionNode","protocol":3,"content":{}}'),
        id="a function of the system",
    ),
]  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE)
def test_hostile_files(content: bytes) -> None:
    """A file that skops would not trust, or that holds something else, is refused, and nothing of it runs."""
    with pytest.raises(BundleError, match=r"^model\.skops (is not a model|holds no LogisticRegression)"):
        LogisticRegression.load(content, TYPES, 1)


def test_a_file_that_is_read_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose one array is read again and again takes the memory of all of them, and is refused before."""
    learner = fit(LogisticRegression, "logistic-regression")
    with zipfile.ZipFile(io.BytesIO(learner.dump())) as file:
        content = {name: file.read(name) for name in file.namelist()}
    size = sum(map(len, content.values()))
    schema = json.loads(content["schema.json"])
    array = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy"}
    schema["more"] = [{**array, "file": name} for name in content if name.endswith(".npy")] * 200
    content["schema.json"] = json.dumps(schema).encode()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as again:
        for name, data in content.items():
            again.writestr(name, data)
    monkeypatch.setattr(preparation, "LARGEST_BYTES", 2 * size + len(content["schema.json"]))

    assert LogisticRegression.load(learner.dump(), TYPES, 1).dump() == learner.dump()
    with pytest.raises(BundleError, match="holds no LogisticRegression"):
        LogisticRegression.load(written.getvalue(), TYPES, 1)


def test_a_file_that_unfolds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that would fill the memory once it is unfolded is refused before it is."""
    monkeypatch.setattr(preparation, "LARGEST_BYTES", 10_000)
    content = archive(schema__json=b"{}", big__npy=b"0" * 1_000_000)

    assert len(content) < 10_000
    with pytest.raises(BundleError, match="holds no LogisticRegression"):
        LogisticRegression.load(content, TYPES, 1)
