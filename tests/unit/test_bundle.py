import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fraud import bundle
from fraud.bundle import Card, ModelBundle
from fraud.errors import BundleError
from fraud.model.algorithms import BoostedTrees
from fraud.model.calibration import Platt
from fraud.model.evaluation import Figure
from fraud.model.scoring import FraudModel
from fraud.model.thresholds import Threshold
from fraud.schema import Column, Schema
from tests.labelled import make_labelled, plan

CONTENT: dict[str, Any] = {
    "job_name": "job",
    "row_schema": Schema(
        (
            Column("one", minimum=-1.5, maximum=0.1),
            Column("two", "category", ("a", "ü")),
            Column("three"),
            Column("Amount"),
        ),
        "Class",
        ("id",),
    ),
    "figures": {"test": {"roc_auc": Figure(0.9, 0.8, 0.95)}},
    "hyperparameters": {"eta": 0.05, "exclude": ["id"]},
    "versions": {"xgboost": "3.4.1"},
    "data_sha256": {"train": "0" * 64},
}
RISK = Threshold("risk:cost=5", 5.0, amount_column="amount", amount_if_missing=1 / 3)
ROWS = make_labelled()


def learner(width: int = 4, seed: int = 0) -> BoostedTrees:
    rows = make_labelled(seed=seed)
    narrow = replace(rows, X=rows.X[:, :width])
    return BoostedTrees.fit(narrow, {"tuning": narrow}, plan(("q",) * width), lambda _round, _figures: False)


LEARNER = learner()
MODEL = FraudModel(LEARNER, Platt(1 / 3, -2.7), RISK, 3)


def made(**content: Any) -> ModelBundle:
    return ModelBundle.of(MODEL, "xgboost", **{**CONTENT, **content})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    made().save(tmp_path)
    return tmp_path


def damage(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the card on disk."""
    path = directory / bundle.DOCUMENT
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def sign(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the card on disk, with the model id that goes with the change."""
    damage(directory, change)
    path = directory / bundle.DOCUMENT
    identity = Card.model_validate_json(path.read_text()).content_id()
    damage(directory, lambda document: document.update(model_id=identity))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("threshold", "position"),
    [pytest.param(RISK, 3, id="risk"), pytest.param(Threshold("max_f1", 0.06, is_met=False), None, id="probability")],
)
def test_round_trip(tmp_path: Path, threshold: Threshold, position: int | None, threads: int) -> None:
    """A bundle that was saved and loaded scores the same, bit for bit, and is the same card."""
    model = FraudModel(LEARNER, MODEL.calibration, threshold, position)
    before = ModelBundle.of(model, "xgboost", **CONTENT)
    before.save(tmp_path / "not" / "there yet")
    after = ModelBundle.load(tmp_path / "not" / "there yet", threads)
    expected, scores = before.score(ROWS.X), after.score(ROWS.X)

    assert np.array_equal(scores.raw_score, expected.raw_score)
    assert np.array_equal(scores.probability, expected.probability)
    assert np.array_equal(scores.flagged, expected.flagged)
    assert 0 < scores.flagged.sum() < len(ROWS)
    assert after.card == before.card
    assert after.schema == CONTENT["row_schema"]


def test_files(saved: Path) -> None:
    """A bundle is two files, plain JSON and UBJSON; the trees are no pickle."""
    assert sorted(path.name for path in saved.iterdir()) == ["booster.ubj", "bundle.json"]
    assert (saved / "booster.ubj").read_bytes()[:1] == b"{"
    assert list(json.loads((saved / "bundle.json").read_text()))[:2] == ["format_version", "model_id"]


def test_same_bytes(tmp_path: Path) -> None:
    """The same bundle is saved as the same bytes, over whatever stood there (T39), whether it has scored or not."""
    (tmp_path / "bundle.json").write_text("old")
    (tmp_path / "booster.ubj").write_text("old")
    first = made()
    first.save(tmp_path)
    content = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    first.schema.index("one")
    first.score(ROWS.X)
    first.save(tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == content
    assert first.card.content_id() == first.card.model_id


def test_extra_files(saved: Path) -> None:
    """Other files beside the bundle are left alone (S11)."""
    (saved / "model.pkl").write_bytes(b"\x80\x04N.")
    (saved / "model.tar.gz").write_bytes(b"")
    (saved / "code").mkdir()
    (saved / ".bundle.json.unfinished").write_text("{")

    assert ModelBundle.load(saved).card == made().card


def test_job_name() -> None:
    """The model id is that of the content, whichever job made it."""
    assert made().card.model_id == made(job_name="another").card.model_id
    assert len(made().card.model_id) == 16


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"row_schema": replace(CONTENT["row_schema"], label="other")}, id="schema"),
        pytest.param({"figures": {"test": {"roc_auc": Figure(0.9, 0.8, 0.96)}}}, id="figures"),
        pytest.param({"hyperparameters": {"eta": 0.051, "exclude": ["id"]}}, id="hyperparameters"),
        pytest.param({"versions": {"xgboost": "3.4.2"}}, id="versions"),
        pytest.param({"data_sha256": {"train": "1" * 64}}, id="data"),
    ],
)
def test_model_id(change: dict[str, Any]) -> None:
    """The model id depends on everything else in the card."""
    assert made(**change).card.model_id != made().card.model_id


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(replace(MODEL, learner=learner(seed=1)), id="trees"),
        pytest.param(replace(MODEL, calibration=Platt(1 / 3, -2.71)), id="calibration"),
        pytest.param(replace(MODEL, threshold=replace(RISK, value=5.1)), id="threshold"),
    ],
)
def test_model_id_of_model(model: FraudModel) -> None:
    """The model id depends on all that scoring computes with."""
    assert ModelBundle.of(model, "xgboost", **CONTENT).card.model_id != made().card.model_id


@pytest.mark.parametrize("name", ["bundle.json", "booster.ubj"])
def test_missing_file(saved: Path, name: str) -> None:
    """A file that is not there is named, with what to do."""
    (saved / name).unlink()

    with pytest.raises(BundleError, match=f"there is no .*{name}; train first, or mount"):
        ModelBundle.load(saved)


def test_no_directory(tmp_path: Path) -> None:
    """A directory that is not there, or is a file, is refused."""
    (tmp_path / "file").touch()

    with pytest.raises(BundleError, match=r"there is no .*bundle\.json"):
        ModelBundle.load(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"bundle\.json cannot be read: Not a directory"):
        ModelBundle.load(tmp_path / "file")


@pytest.mark.parametrize("name", ["bundle.json", "booster.ubj"])
def test_directory_for_a_file(saved: Path, name: str) -> None:
    """A directory where a file belongs is refused."""
    (saved / name).unlink()
    (saved / name).mkdir()

    with pytest.raises(BundleError, match=f"{name} cannot be read: Is a directory"):
        ModelBundle.load(saved)


def test_too_large(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file larger than any bundle is refused before it is read."""
    monkeypatch.setattr(bundle, "LARGEST_FILE_BYTES", 100)

    with pytest.raises(BundleError, match=r"bundle\.json has \d+ bytes, more than any bundle: at most 100"):
        ModelBundle.load(saved)


@pytest.mark.parametrize("name", ["bundle.json", "booster.ubj"])
def test_truncated(saved: Path, name: str) -> None:
    """A file that was cut short is refused, wherever the cut is."""
    content = (saved / name).read_bytes()
    for length in (0, 1, len(content) // 2, len(content) - 1):
        (saved / name).write_bytes(content[:length])

        with pytest.raises(BundleError, match=f"{name} is damaged: "):
            ModelBundle.load(saved)


@pytest.mark.parametrize("name", ["bundle.json", "booster.ubj"])
def test_flipped_bit(saved: Path, name: str) -> None:
    """A file with one bit flipped is refused, or, where JSON says the same with it, is the same bundle."""
    content = (saved / name).read_bytes()
    known = made().card
    for place in np.random.default_rng(0).integers(0, len(content), 150):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(place) % 8
        (saved / name).write_bytes(flipped)
        try:
            card = ModelBundle.load(saved).card
        except BundleError as error:
            assert name in str(error)  # noqa: PT017 - which of the two it is depends on the place
        else:
            assert card.model_copy(update={"job_name": known.job_name}) == known
            assert name == "bundle.json"


def nested(depth: int) -> str:
    return '{"format_version": 1, "deep": ' + "[" * depth + "]" * depth + "}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "it is not a JSON object", id="empty"),
        pytest.param("[1]", "it is not a JSON object", id="list"),
        pytest.param("null", "it is not a JSON object", id="null"),
        pytest.param("{'a': 1}", "it is not a JSON object", id="Python"),
        pytest.param("\ud800", "it is not a JSON object", id="no UTF-8"),
        pytest.param("[" * 100_000, "it is not a JSON object", id="deep"),
        pytest.param(nested(100_000), "it is not a JSON object", id="deep object"),
        pytest.param(nested(500), "is damaged", id="deeper than pydantic reads"),
        pytest.param('{"format_version": ' + "9" * 5000 + "}", "it is not a JSON object", id="endless number"),
        pytest.param('{"format_version": 1}', "is damaged: algorithm: Field required", id="nothing in it"),
    ],
)
def test_not_a_card(saved: Path, text: str, message: str) -> None:
    """A document that is no card is refused."""
    (saved / "bundle.json").write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(BundleError, match=rf"bundle\.json is damaged: .*{message}|{message}"):
        ModelBundle.load(saved)


@pytest.mark.parametrize(("version", "shown"), [(2, "2"), (0, "0"), (None, "None"), ("1", "'1'"), ([1], r"\[1\]")])
def test_other_version(saved: Path, version: object, shown: str) -> None:
    """Another format version is told apart from damage, with the remedy."""
    damage(saved, lambda document: document.update(format_version=version))

    with pytest.raises(BundleError, match=rf"bundle\.json has format version {shown} and this image reads 1; train"):
        ModelBundle.load(saved)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        pytest.param(lambda card: card.pop("threshold"), "threshold", id="threshold missing"),
        pytest.param(lambda card: card.update(threshold=0.5), "threshold", id="threshold of another type"),
        pytest.param(lambda card: card["calibration"].update(slope="steep"), "calibration.slope", id="word"),
        pytest.param(lambda card: card["calibration"].update(slope=None), "calibration.slope", id="null"),
        pytest.param(lambda card: card["schema"]["columns"][0].update(kind="date"), "schema.columns.0.kind", id="kind"),
        pytest.param(lambda card: card.update(algorithm="forest"), "algorithm", id="algorithm"),
        pytest.param(lambda card: card.update(model_sha256="abc"), "model_sha256", id="digest"),
        pytest.param(lambda card: card.update(extra=1), "extra", id="unknown entry"),
        pytest.param(lambda card: card.update(figures=[]), "figures", id="list for an object"),
    ],
)
def test_wrong_types(saved: Path, change: Callable[[dict[str, Any]], object], place: str) -> None:
    """An entry that is missing or of the wrong type is named."""
    damage(saved, change)

    with pytest.raises(BundleError, match=rf"bundle\.json is damaged: {place}"):
        ModelBundle.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda card: card["threshold"].update(value=0.01), id="threshold"),
        pytest.param(lambda card: card["calibration"].update(intercept=9.0), id="calibration"),
        pytest.param(lambda card: card["schema"]["columns"].reverse(), id="order of columns"),
        pytest.param(lambda card: card["figures"]["test"]["roc_auc"].update(value=1.0), id="figure"),
        pytest.param(lambda card: card.update(model_id="f" * 16), id="model id"),
        pytest.param(lambda card: card.update(model_sha256="f" * 64), id="digest"),
    ],
)
def test_tampered(saved: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """A value that was changed without the model id is found out."""
    damage(saved, change)

    with pytest.raises(BundleError, match=r"bundle\.json is damaged: its content is not that of model"):
        ModelBundle.load(saved)


def test_swapped_trees(saved: Path) -> None:
    """The trees of another bundle are refused, though they fit the schema."""
    (saved / "booster.ubj").write_bytes(learner(seed=1).dump())

    with pytest.raises(BundleError, match=r"booster\.ubj is damaged: it is not the file that bundle\.json names"):
        ModelBundle.load(saved)


def test_other_width(tmp_path: Path) -> None:
    """Trees that read other columns than the schema has are refused, though every digest is right."""
    ModelBundle.of(replace(MODEL, learner=learner(3)), "xgboost", **CONTENT).save(tmp_path)

    with pytest.raises(BundleError, match=r"booster\.ubj reads 3 columns and the schema has 4"):
        ModelBundle.load(tmp_path)


def test_amount_column(saved: Path) -> None:
    """A threshold over a column that the schema lacks is refused, though every digest is right."""
    sign(saved, lambda document: document["threshold"].update(amount_column="Betrag"))

    with pytest.raises(BundleError, match=r'bundle\.json is damaged: its threshold reads "Betrag"'):
        ModelBundle.load(saved)


def test_other_job(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A bundle may be moved and copied: nothing in it says where it lies."""
    copy = tmp_path_factory.mktemp("copy") / "model"
    shutil.copytree(saved, copy)

    assert ModelBundle.load(copy).card == ModelBundle.load(saved).card
