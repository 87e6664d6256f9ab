"""MLflow's scoring server as its package starts it, for the same trees: no environment is made, no network used.

Its model has no signature: with one, MLflow would check each row as well.
"""

import importlib
import os
import shlex
import sys
from importlib import metadata
from pathlib import Path

import xgboost as xgb

# MLflow is in the aws group only, so that nothing here may import it by name.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def version() -> str | None:
    """Return the installed version; None where there is no MLflow."""
    try:
        return metadata.version("mlflow")
    except metadata.PackageNotFoundError:
        return None


def save(booster: Path, directory: Path) -> None:
    """Write the trees as an MLflow model; its requirements are stated, as MLflow would find them by starting itself."""
    os.environ.update(QUIET)
    trees = xgb.Booster()
    trees.load_model(booster)
    importlib.import_module("mlflow.xgboost").save_model(trees, directory, pip_requirements=["xgboost"])


def command(directory: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """Return what `mlflow models serve --env-manager local --workers 1` runs, and its environment."""
    server = importlib.import_module("mlflow.pyfunc.scoring_server")
    line, environment = server.get_cmd(str(directory), port=port, host="127.0.0.1", nworkers=1)
    return [sys.executable, "-m", *shlex.split(line)], {**environment, **QUIET}
