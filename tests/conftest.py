"""The small world that tests share: sample trees on disk, and one bundle trained by the real job."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fraud.bundle import ModelBundle
from tests.processes import ROOT, train

type MakeTree = Callable[..., Path]


def table(rows: int = 400, header: str = "Time,a,b,Class") -> str:
    """Return CSV in which every tenth row is a fraud, and `a` tells most of them."""
    cells = (f"{n},{n % 7 + 5 * (n % 10 == 0)},{n * 37 % 101},{int(n % 10 == 0)}" for n in range(rows))
    return "\n".join([header, *cells]) + "\n"


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """Return a function that lays out an `/opt/ml` tree: hyperparameters, and the text of each channel's file."""

    def make(hyperparameters: Mapping[str, str] | None = None, **channels: str) -> Path:
        base = tmp_path / "ml"
        config = base / "input" / "config"
        config.mkdir(parents=True)
        (config / "hyperparameters.json").write_text(json.dumps(dict(hyperparameters or {})))
        for name, text in channels.items():
            (base / "input" / "data" / name).mkdir(parents=True)
            (base / "input" / "data" / name / "rows.csv").write_text(text)
        return base

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree in which the real job has trained on the sample rows."""
    base = tmp_path_factory.mktemp("trained")
    shutil.copytree(ROOT / "test_dir" / "input", base / "input")
    finished = train(base, TRAINING_JOB_NAME="sample-job")
    assert finished.returncode == 0, finished.stderr
    (base / "stdout").write_text(finished.stdout)
    return base


@pytest.fixture(scope="session")
def bundle(trained: Path) -> ModelBundle:
    return ModelBundle.load(trained / "model")
