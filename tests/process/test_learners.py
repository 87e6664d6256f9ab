"""Every learner through the real programs: trained, served, explained or refused."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fraud.model.algorithms import ALGORITHMS
from tests.conftest import MakeTree
from tests.processes import SECONDS, Server, environment, program, serving, train

COLUMNS = "Time,Amount,kind,risk"
EXPLAINED = {"logistic-regression", "decision-tree", "random-forest", "isolation-forest", "autoencoder", "xgboost"}
QUICK = {"xgboost": {"num_round": "20"}, "mlp": {"epochs": "20"}, "autoencoder": {"epochs": "20"}}


def rows(count: int = 600) -> str:
    """Return CSV with a category and missing cells, in which every twelfth row is a fraud that two columns tell."""
    lines = []
    for n in range(count):
        fraud = n % 12 == 0
        kind = "web" if fraud and n % 24 else "shop"
        risk = "" if n % 9 == 0 else f"{n % 7 + 9 * fraud}"
        lines.append(f"{n},{n * 37 % 101},{kind},{risk},{int(fraud)}")
    return "\n".join([f"{COLUMNS},Class", *lines]) + "\n"


@pytest.fixture(params=list(ALGORITHMS))
def algorithm(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def base(algorithm: str, make_tree: MakeTree) -> Path:
    """Return a tree in which the real job has trained this learner."""
    told = {"algorithm": algorithm, "resampling": "none", **QUICK.get(algorithm, {})}
    base = make_tree(told, train=rows())
    finished = train(base)
    assert finished.returncode == 0, finished.stderr
    (base / "stdout").write_text(finished.stdout)
    return base


@pytest.fixture
def server(base: Path, tmp_path: Path) -> Iterator[Server]:
    with serving(base, tmp_path / "log", MODEL_SERVER_WORKERS="1") as running:
        yield running


def test_trains_serves_and_explains(algorithm: str, base: Path, server: Server) -> None:
    """A learner ranks frauds, its report opens, and the server scores rows; reasons sum up, or are refused."""
    card = json.loads((base / "model/bundle.json").read_text())
    answer = server.invoke(b"1,50,web,15\n2,50,shop,2\n3,,,\n")
    asked = server.invoke(
        b"1,50,web,15\n",
        Accept="application/json",
        X_Amzn_SageMaker_Custom_Attributes="output=raw_score,base_value,reasons;reasons=4",
    )

    assert card["algorithm"] == algorithm
    assert card["figures"]["validation"]["average_precision"]["value"] > 0.12
    assert re.search(r"^validation:average_precision=[\d.]+;$", (base / "stdout").read_text(), re.MULTILINE)
    report = (base / "output/data/report.html").read_text()
    assert algorithm in report
    assert ("holds training rows" in report) == (algorithm in {"k-neighbors", "svc", "one-class-svm"})
    assert answer.status == 200
    suspect, honest, _ = map(float, answer.body.split())
    assert suspect > honest
    if algorithm in EXPLAINED:
        (found,) = json.loads(asked.body)["predictions"]
        total = found["base_value"] + sum(reason["contribution"] for reason in found["reasons"])
        assert total == pytest.approx(found["raw_score"], rel=1e-6, abs=1e-9)
    else:
        assert asked.status == 400
        assert json.loads(asked.body)["error"]["code"] == "ATTRIBUTES_INVALID"


def test_an_endpoint_of_reasons_needs_a_learner_that_has_some(make_tree: MakeTree) -> None:
    """A server whose every answer is to hold reasons does not start on a model without exact ones (S12)."""
    base = make_tree({"algorithm": "k-neighbors", "resampling": "none"}, train=rows())
    assert train(base).returncode == 0

    told = environment(base, SAGEMAKER_INFERENCE_OUTPUT="probability,reasons")
    refused = subprocess.run([program("serve")], env=told, capture_output=True, text=True, timeout=SECONDS, check=False)

    assert refused.returncode == 1
    assert (
        "SAGEMAKER_INFERENCE_OUTPUT asks for reasons, and a model of algorithm=k-neighbors has none" in refused.stderr
    )
