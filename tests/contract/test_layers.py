"""What the tree of the package promises: imports point down only, and every file is short."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fraud

PACKAGE = Path(fraud.__file__).parent
GROUND = {"errors", "cells", "machine", "opt_ml", "schema", "settings", "table"}
MIDDLE = {"curves", "drawing", "survey", "layout", "hyperparameters", "codecs", "channels", "card", "bundle", "fitting"}
IMPURE = {"os", "socket", "time", "pathlib", "datetime", "subprocess", "io", "random", "tempfile", "shutil"}
every = pytest.mark.parametrize(
    "path", [pytest.param(path, id=str(path.relative_to(PACKAGE))) for path in PACKAGE.rglob("*.py")]
)


def imports(path: Path) -> Iterator[str]:
    """Return the full names of all that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports by full names only"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(name: str) -> str:
    """Return where a room stands: ground, model, middle, one of the doors, or above them all."""
    if name in GROUND:
        return "ground"
    return "middle" if name in MIDDLE else name


MAY_IMPORT = {
    "ground": {"ground"},
    "model": {"ground", "model"},
    "middle": {"ground", "model", "middle"},
    "training": {"ground", "model", "middle", "training"},
    "serving": {"ground", "model", "middle", "serving"},
    "comparing": {"ground", "model", "middle", "comparing"},
    "__main__": {"ground", "model", "middle", "training", "serving", "comparing"},
    "__init__": set(),
}


@every
def test_imports_point_down(path: Path) -> None:
    """A file imports from its own layer and those below, and a door never from another."""
    own = layer(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    for name in imports(path):
        first, _, rest = name.partition(".")
        room = rest.partition(".")[0]
        if first == "fraud" and room != "__version__":
            assert layer(room) in MAY_IMPORT[own], f"{own} imports {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "model").glob("*.py")), ids=lambda path: path.name)
def test_model_is_pure(path: Path) -> None:
    """`model/` asks no file, socket, clock or environment."""
    used = set(imports(path)) - {"io.BytesIO"}  # bytes in memory are no file
    assert IMPURE.isdisjoint(name.partition(".")[0] for name in used)
    assert "open(" not in path.read_text(encoding="utf-8")


@every
def test_no_pickle(path: Path) -> None:
    """Nothing pickles, and nothing unpickles."""
    text = path.read_text(encoding="utf-8")

    assert {"pickle", "cloudpickle", "dill", "marshal", "shelve"}.isdisjoint(
        name.partition(".")[0] for name in imports(path)
    )
    assert not {"joblib.load", "joblib.dump", "joblib"} & set(imports(path))
    assert "allow_pickle" not in text
    assert not {
        node.func.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    } & {"eval", "exec"}


@every
def test_short(path: Path) -> None:
    """A file has 250 lines at most."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


def test_known_rooms() -> None:
    """Every file and folder of the package stands in a layer."""
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}

    assert {layer(room) for room in rooms} == set(MAY_IMPORT)
