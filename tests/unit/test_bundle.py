import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraud import bundle, card
from fraud.bundle import ModelBundle
from fraud.errors import BundleError, SettingError
from fraud.model.boosted import BoostedTrees
from fraud.model.calibration import Platt
from fraud.model.evaluation import Figure
from fraud.model.scoring import FraudModel
from fraud.model.thresholds import Threshold
from fraud.schema import Column, Schema
from fraud.serving.scoring import Scorer
from fraud.table import Table
from tests.labelled import content, make_labelled, plan

CONTENT: dict[str, Any] = content(
    Schema(
        (
            Column("one", minimum=-1.5, maximum=0.1),
            Column("two", "category", ("a", "ü")),
            Column("three"),
            Column("Amount"),
        ),
        "Class",
        ("id",),
    ),
    figures={"test": {"roc_auc": Figure(0.9, 0.8, 0.95)}},
    hyperparameters={"eta": 0.05, "exclude": ["id"]},
    versions={"xgboost": "3.4.1"},
    data_sha256={"train": "0" * 64},
)
RISK = Threshold("risk:cost=5", 5.0, amount_column="amount", amount_if_missing=1 / 3)
REVIEW, DECLINE = Threshold("max_f1", 0.06, is_met=False), Threshold("precision>=0.95", 0.4)
ROWS = make_labelled()


# The second column as numbers: its bins are others.
NARROW = replace(CONTENT["row_schema"], columns=(*map(Column, "abcd"),))


def learner(width: int = 4, seed: int = 0) -> BoostedTrees:
    rows = make_labelled(seed=seed)
    narrow = replace(rows, X=rows.X[:, :width])
    return BoostedTrees.fit(narrow, {"tuning": narrow}, plan(("q",) * width), lambda _round, _figures: False)


LEARNER = learner()
MODEL = FraudModel(LEARNER, Platt(1 / 3, -2.7), RISK, DECLINE, 3)


def made(**changes: Any) -> ModelBundle:
    return ModelBundle.of(MODEL, "xgboost", **{**CONTENT, **changes})


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

    def change_and_sign(document: dict[str, Any]) -> None:
        change(document)
        named = {key: value for key, value in document.items() if key not in ("model_id", "job_name", "trained_at")}
        canonical = json.dumps(named, sort_keys=True, separators=(",", ":"))
        document["model_id"] = sha256(canonical.encode()).hexdigest()[:16]

    damage(directory, change_and_sign)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("threshold", "position"),
    [pytest.param(RISK, 3, id="risk"), pytest.param(REVIEW, None, id="probability")],
)
def test_round_trip(tmp_path: Path, threshold: Threshold, position: int | None, threads: int) -> None:
    """A bundle that was saved and loaded scores the same, bit for bit, and is the same card."""
    model = FraudModel(LEARNER, MODEL.calibration, threshold, replace(DECLINE, value=0.061), position)
    before = ModelBundle.of(model, "xgboost", **CONTENT)
    before.save(tmp_path / "not" / "there yet")
    after = ModelBundle.load(tmp_path / "not" / "there yet", threads)
    expected, scores = before.score(ROWS.X), after.score(ROWS.X)

    assert np.array_equal(scores.raw_score, expected.raw_score)
    assert np.array_equal(scores.probability, expected.probability)
    assert np.array_equal(scores.decisions, expected.decisions)
    assert set(scores.decisions) == {0, 1, 2}
    assert after.explain(ROWS.X, scores, 3, 0.05) == before.explain(ROWS.X, expected, 3, 0.05)
    assert after.base_value == before.base_value
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
    """The model id is that of the content, whichever job made it, and whenever."""
    assert made().card.model_id == made(job_name="another").card.model_id
    assert made().card.model_id == made(trained_at=datetime(2027, 1, 1, tzinfo=UTC)).card.model_id
    assert len(made().card.model_id) == 16


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"row_schema": replace(CONTENT["row_schema"], label="other")}, id="schema"),
        pytest.param({"figures": {"test": {"roc_auc": Figure(0.9, 0.8, 0.96)}}}, id="figures"),
        pytest.param({"hyperparameters": {"eta": 0.051, "exclude": ["id"]}}, id="hyperparameters"),
        pytest.param({"versions": {"xgboost": "3.4.2"}}, id="versions"),
        pytest.param({"baseline": content(NARROW)["baseline"]}, id="baseline"),
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
        pytest.param(replace(MODEL, decline=replace(DECLINE, value=0.41)), id="decline"),
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


@pytest.mark.parametrize(("name", "largest"), [("bundle.json", 16 * 1024**2), ("booster.ubj", 1024**3)])
def test_too_large(saved: Path, name: str, largest: int) -> None:
    """A file larger than any bundle is refused before it is read; the largest is read, and found to be none."""
    (saved / name).write_bytes(b"")
    os.truncate(saved / name, largest + 1)

    with pytest.raises(BundleError, match=f"{name} has {largest + 1} bytes, more than any bundle: at most {largest}"):
        ModelBundle.load(saved)
    if name == "bundle.json":
        os.truncate(saved / name, largest)
        with pytest.raises(BundleError, match=f"{name} is damaged: it is not a JSON object"):
            ModelBundle.load(saved)


def test_too_large_to_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no server would load is not saved: the job that made it says so."""
    monkeypatch.setattr(bundle, "LARGEST_CARD_BYTES", 100)

    with pytest.raises(BundleError, match=r"bundle\.json has \d+ bytes, more than any bundle: at most 100"):
        made().save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", ["bundle.json", "booster.ubj"])
@pytest.mark.parametrize("target", ["a file", "/etc/passwd", "/dev/zero", "nowhere", "itself"])
def test_link_for_a_file(saved: Path, tmp_path_factory: pytest.TempPathFactory, name: str, target: str) -> None:
    """A link is not followed, be it to another file of the machine or to the very content that belongs there."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / name
    shutil.move(saved / name, elsewhere)
    (saved / name).symlink_to({"a file": str(elsewhere), "itself": name}.get(target, target))

    with pytest.raises(BundleError, match=f"{name} is a symbolic link; put the file itself there"):
        ModelBundle.load(saved)


def test_link_to_the_directory(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The directory itself may be reached by a link, as platforms mount it."""
    link = tmp_path_factory.mktemp("mounted") / "model"
    link.symlink_to(saved)

    assert ModelBundle.load(link).card == made().card


@pytest.mark.parametrize("name", ["bundle.json", "booster.ubj"])
def test_pipe_for_a_file(saved: Path, name: str) -> None:
    """A pipe that nobody writes to is refused, and not waited for."""
    (saved / name).unlink()
    os.mkfifo(saved / name)

    with pytest.raises(BundleError, match=f"{name} is no regular file"):
        ModelBundle.load(saved)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file(saved: Path) -> None:
    """A file that this user may not read is named, with the reason."""
    (saved / "booster.ubj").chmod(0)

    with pytest.raises(BundleError, match=r"booster\.ubj cannot be read: Permission denied"):
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
    return '{"format_version": 2, "deep": ' + "[" * depth + "]" * depth + "}"


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
        pytest.param(nested(500), "it is not a JSON object", id="deeper than any card"),
        pytest.param(nested(100), "algorithm: Field required", id="an unknown entry that is deep"),
        pytest.param('{"format_version": ' + "9" * 5000 + "}", "it is not a JSON object", id="endless number"),
        pytest.param('{"format_version": 2}', "is damaged: algorithm: Field required", id="nothing in it"),
        pytest.param('{"format_version": 2, "job_name": NaN}', "it is not a JSON object", id="NaN"),
        pytest.param('{"format_version": 2, "job_name": "\\ud800"}', "it is not a JSON object", id="half a letter"),
        pytest.param(
            '{"format_version": 2, "figures": [' + "0," * card.MOST_VALUES + "0]}",
            "it holds more than 1000000 values",
            id="more values than any card",
        ),
    ],
)
def test_not_a_card(saved: Path, text: str, message: str) -> None:
    """A document that is no card is refused."""
    (saved / "bundle.json").write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(BundleError, match=rf"bundle\.json is damaged: .*{message}|{message}"):
        ModelBundle.load(saved)


@pytest.mark.parametrize(("version", "shown"), [(1, "1"), (3, "3"), (None, "None"), ("2", "'2'"), ([2], r"\[2\]")])
def test_other_version(saved: Path, version: object, shown: str) -> None:
    """Another format version is told apart from damage, with the remedy."""
    damage(saved, lambda document: document.update(format_version=version))

    with pytest.raises(BundleError, match=rf"bundle\.json has format version {shown} and this image reads 2; train"):
        ModelBundle.load(saved)


WRONG: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("threshold missing", lambda card: card.pop("threshold"), "threshold: Field required"),
    ("decline missing", lambda card: card.pop("decline"), "decline: Field required"),
    ("baseline missing", lambda card: card.pop("baseline"), "baseline: Field required"),
    ("time missing", lambda card: card.pop("trained_at"), "trained_at: Field required"),
    ("time without its zone", lambda card: card.update(trained_at="2026-01-02T03:04:05"), "trained_at: .*timezone"),
    ("threshold of another type", lambda card: card.update(threshold=0.5), "threshold"),
    ("word", lambda card: card["calibration"].update(slope="steep"), "calibration.slope"),
    ("null", lambda card: card["calibration"].update(slope=None), "calibration.slope"),
    ("kind", lambda card: card["schema"]["columns"][0].update(kind="date"), "schema.columns.0.kind"),
    ("algorithm", lambda card: card.update(algorithm="forest"), "algorithm"),
    ("path for an algorithm", lambda card: card.update(algorithm="../../etc/passwd"), "algorithm"),
    ("digest", lambda card: card.update(model_sha256="abc"), "model_sha256"),
    ("unknown entry", lambda card: card.update(extra=1), "extra"),
    ("unknown entry inside", lambda card: card["threshold"].update(extra=1), "threshold.extra"),
    ("list for an object", lambda card: card.update(figures=[]), "figures"),
    # what the types alone do not say
    ("no column", lambda card: card["schema"].update(columns=[]), "schema: there should be columns"),
    ("no name", lambda card: card["schema"]["columns"][0].update(name=" "), "schema: .*each with a name"),
    ("no label", lambda card: card["schema"].update(label=""), "schema: .*each with a name"),
    ("same name", lambda card: card["schema"]["columns"][0].update(name="AMOUNT"), 'schema: column "amount" is named'),
    ("label among columns", lambda card: card["schema"].update(label="ONE"), 'schema: column "one" is named more'),
    (
        "same category",
        lambda card: card["schema"]["columns"][1].update(categories=["b", "a", "b"]),
        'schema: column "two" has category "b" more than once',
    ),
    ("endless slope", lambda card: card["calibration"].update(slope=float("1e999")), "calibration|not a JSON object"),
    ("steep slope", lambda card: card["calibration"].update(slope=1e101), "calibration: the slope should be above 0"),
    ("flat slope", lambda card: card["calibration"].update(slope=0), "calibration: the slope should be above 0"),
    ("falling slope", lambda card: card["calibration"].update(slope=-1), "calibration: the slope should be above 0"),
    ("far intercept", lambda card: card["calibration"].update(intercept=-1e300), "calibration: the slope .* nor the"),
    ("huge number", lambda card: card["threshold"].update(value=10**400), "threshold.value"),
    ("unknown amount", lambda card: card["threshold"].update(amount_column="Betrag"), 'threshold: it reads "Betrag"'),
    (
        "rule of two lines",
        lambda card: card["threshold"].update(rule="r\nX-Evil: 1"),
        'threshold: rule "r\nX-Evil: 1" ',
    ),
    (
        "rule in Japanese",
        lambda card: card["threshold"].update(rule="日本"),
        'threshold: rule "日本" should be 1 to 100',
    ),
    ("endless rule", lambda card: card["threshold"].update(rule="r" * 100_000), 'threshold: rule "r{60}" should be'),
    ("rule of two attributes", lambda card: card["decline"].update(rule="a;b"), 'decline: rule "a;b" should be'),
    ("no rule", lambda card: card["decline"].update(rule=""), 'decline: rule "" should be'),
    (
        "declined before reviewed",
        lambda card: card["threshold"].update(amount_column=None, value=0.9),
        "decline: rows would be declined before they are reviewed",
    ),
    (
        "bins of too few",
        lambda card: card["baseline"]["columns"].pop(),
        "baseline: it has 3 columns and the schema has 4",
    ),
    ("falling edges", lambda card: card["baseline"]["columns"][0]["edges"].reverse(), "baseline: edges should ascend"),
    (
        "equal edges",
        lambda card: card["baseline"]["probability"].update(edges=[0.5, 0.5], shares=[0, 0.5, 0.5, 0]),
        "baseline: edges should ascend",
    ),
    (
        "share missing",
        lambda card: card["baseline"]["probability"]["shares"].pop(),
        r"baseline: \d+ edges should have \d+",
    ),
    (
        "negative share",
        lambda card: card["baseline"]["columns"][2]["shares"].__setitem__(0, -0.1),
        "baseline: shares should lie between 0 and 1",
    ),
    (
        "share above 1",
        lambda card: card["baseline"]["columns"][2]["shares"].__setitem__(0, 1.1),
        "baseline: shares should lie between 0 and 1",
    ),
    ("long name of a wrong entry", lambda card: card.update({"x" * 10_000: 1}), "x{100}: "),
]


@pytest.mark.parametrize(("change", "message"), [pytest.param(*row, id=name) for name, *row in WRONG])
def test_wrong_entries(saved: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    """An entry that is missing, of a wrong type or of an impossible value is named, though every digest is right."""
    sign(saved, change)

    with pytest.raises(BundleError, match=rf"bundle\.json is damaged: (it is )?{message}") as caught:
        ModelBundle.load(saved)
    assert len(str(caught.value)) < 600


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


def test_other_job(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A bundle may be moved and copied: nothing in it says where it lies."""
    copy = tmp_path_factory.mktemp("copy") / "model"
    shutil.copytree(saved, copy)

    assert ModelBundle.load(copy).card == ModelBundle.load(saved).card


def test_long_words(tmp_path: Path) -> None:
    """Names and notes of any length are read, as long as the file is not too large."""
    long = "x" * 100_000
    columns = (*CONTENT["row_schema"].columns[:3], Column(long))
    threshold = Threshold("risk:cost=5", 5.0, amount_column=long)
    kept = ModelBundle.of(
        replace(MODEL, threshold=threshold),
        "xgboost",
        **{**CONTENT, "row_schema": Schema(columns, long + "y"), "job_name": long, "versions": {long: long}},
    )
    kept.save(tmp_path)

    assert ModelBundle.load(tmp_path).card == kept.card


def test_many_columns(tmp_path: Path) -> None:
    """A model of a thousand columns with a hundred categories each is saved, and loads."""
    columns = tuple(
        Column(f"column {n}", "category", tuple(f"category {code}" for code in range(100))) for n in range(1000)
    )
    bins = CONTENT["baseline"].columns[0]
    baseline = replace(CONTENT["baseline"], columns=(bins,) * 1000)
    known = made(row_schema=Schema((*columns[1:], Column("Amount")), "Class"), baseline=baseline).card
    replace(made(), card=known).save(tmp_path)

    assert card.parse((tmp_path / "bundle.json").read_bytes(), tmp_path) == known


@pytest.mark.parametrize(
    ("review", "decline", "expected"),
    [
        pytest.param(None, None, (0.06, 0.4), id="as trained"),
        pytest.param(0.1, None, (0.1, 0.4), id="review"),
        pytest.param(None, 0.2, (0.06, 0.2), id="decline"),
        pytest.param(0.3, 0.3, (0.3, 0.3), id="no review"),
        pytest.param(0.0, 1.0, (0.0, 1.0), id="both ends"),
    ],
)
def test_deciding(review: float | None, decline: float | None, expected: tuple[float, float]) -> None:
    """Thresholds that are set take the place of those that were trained, for a model that is the same otherwise."""
    trained = ModelBundle.of(replace(MODEL, threshold=REVIEW, amount_position=None), "xgboost", **CONTENT)
    told = trained.deciding(review, decline)
    probability = trained.score(ROWS.X).probability
    scores = told.score(ROWS.X)

    assert (told.model.threshold.value, told.model.decline.value) == expected
    assert np.array_equal(scores.flagged, probability >= expected[0])
    assert np.array_equal(scores.declined, probability >= expected[1])
    assert told.card is trained.card
    assert trained.model.threshold == REVIEW


def test_deciding_without_amounts() -> None:
    """A review threshold that is set is one of the probability, though the model was trained to weigh amounts."""
    scores = made().deciding(0.1, None).score(ROWS.X)

    assert np.array_equal(scores.flagged, scores.probability >= 0.1)
    assert not np.array_equal(scores.flagged, made().score(ROWS.X).flagged)


def test_deciding_beside_amounts() -> None:
    """A model that weighs amounts may decline from any probability: only rows at risk are declined."""
    scores = made().deciding(None, 0.0).score(ROWS.X)

    assert np.array_equal(scores.declined, scores.flagged)


@pytest.mark.parametrize(
    ("review", "decline", "message"),
    [
        pytest.param(
            0.5,
            None,
            r"reviewed from probability 0\.5 by FRAUD_REVIEW_THRESHOLD and declined from 0\.4 by precision>=0\.95; "
            "FRAUD_DECLINE_THRESHOLD should be no lower",
            id="review above what was trained",
        ),
        pytest.param(
            None,
            0.01,
            r"reviewed from probability 0\.06 by max_f1 and declined from 0\.01 by FRAUD_DECLINE_THRESHOLD;",
            id="decline below what was trained",
        ),
        pytest.param(0.5, 0.4, r"0\.5 by FRAUD_REVIEW_THRESHOLD and declined from 0\.4", id="both"),
    ],
)
def test_deciding_the_wrong_way_round(review: float | None, decline: float | None, message: str) -> None:
    """A row that would be declined before it is reviewed is a wrong setting, which is named with both values."""
    trained = ModelBundle.of(replace(MODEL, threshold=REVIEW, amount_position=None), "xgboost", **CONTENT)

    with pytest.raises(SettingError, match=message):
        trained.deciding(review, decline)


def test_explain() -> None:
    """The reasons of a row that reaches a probability name the schema's columns, and with the base value sum up."""
    X = ROWS.X.copy()
    X[:, 1] = np.arange(len(ROWS)) % 2
    scores = made().score(X)
    found = made().explain(X, scores, 4, 0.1)

    assert [reasons is not None for reasons in found] == (scores.probability >= 0.1).tolist()
    for reasons, raw_score in zip(found, scores.raw_score, strict=True):
        if reasons is not None:
            assert {reason.feature for reason in reasons} <= {"one", "two", "three", "Amount"}
            assert {reason.value for reason in reasons if reason.feature == "two"} <= {"a", "ü"}
            summed = made().base_value + sum(reason.contribution for reason in reasons)
            assert summed == pytest.approx(raw_score, abs=1e-9)


VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 0.5, 1e-320, -0.0, 1e308, -1e308, 10**30, -(10**400), 2**63),
    *(
        "",
        "x" * 1000,
        "\x00",
        "\n",
        "1",
        "NaN",
        "Infinity",
        "../../etc/passwd",
        "9999-12-31T23:59:59-14:00",
        "category",
    ),
    *([], {}, [[]], [None], {"": None}, [0.1, 0.2], ["a", "a"]),
    *(float("nan"), float("inf"), float("-inf")),
)


def nest(value: Any, depth: int) -> Any:
    for level in range(depth):
        value = {"a": value} if level % 2 else [value]
    return value


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return where every value of a document stands."""
    entries = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutate(document: Any, path: tuple[Any, ...], change: str, value: Any) -> None:
    """Change one value of a document; nothing where an earlier change took it away."""
    with suppress(KeyError, IndexError, TypeError, OverflowError):
        for key in path[:-1]:
            document = document[key]
        old = document[path[-1]]
        if change == "drop":
            del document[path[-1]]
        elif change == "replace":
            document[path[-1]] = value
        elif change == "nest":
            document[path[-1]] = nest(old, value)
        elif change == "repeat":
            document[path[-1]] = old * 3
        elif change == "scale":
            document[path[-1]] = old * value
        else:
            document["x" * 100 if isinstance(document, dict) else slice(0, 0)] = [value]


TOO_SLOW = [HealthCheck.too_slow]
CHANGES = st.one_of(
    st.tuples(st.sampled_from(["replace", "insert"]), st.sampled_from(VALUES)),
    st.tuples(st.just("nest"), st.sampled_from([1, 2, 50, 199, 300, 900])),
    st.tuples(st.just("scale"), st.sampled_from([-1, 1e6, 1e99, 1e300])),
    st.tuples(st.sampled_from(["drop", "repeat"]), st.none()),
)


def use(loaded: ModelBundle) -> None:
    """Do with a bundle what a server does, and expect finite answers."""
    table = Table([["1"] * len(loaded.schema.columns), [""] * len(loaded.schema.columns)])
    X = loaded.schema.rows(table).X
    scores = loaded.score(X)
    numbers = [
        *scores.probability,
        *(reason.contribution for reasons in loaded.explain(X, scores, 4, 0.0) for reason in reasons or ()),
        *loaded.card.baseline.stabilities(X, scores.probability),
        loaded.base_value,
    ]

    assert np.isfinite(numbers).all()
    assert all(0 <= probability <= 1 for probability in scores.probability)
    assert loaded.deciding(None, None).model == loaded.model
    assert isinstance(datetime.now(UTC) - loaded.card.trained_at, timedelta)
    assert len(loaded.card.model_id) == 16
    identity = Scorer(loaded, ThreadPoolExecutor(1)).identity
    assert re.fullmatch("(?:;?[!-:<-~]{1,130}){3}", identity)  # a header of three attributes


@settings(
    max_examples=500, derandomize=True, database=None, deadline=timedelta(seconds=10), suppress_health_check=TOO_SLOW
)
@given(data=st.data())
def test_hostile_card(data: st.DataObject, valid: Path) -> None:
    """A card with any value dropped, replaced or nested, signed anew, is a BundleError or a bundle that works."""
    path = valid / "bundle.json"
    known = path.read_bytes()
    document = json.loads(known)
    spots = {name: [(name, *rest) for rest in [(), *places(entry)]] for name, entry in document.items()}
    for _ in range(data.draw(st.integers(1, 3))):
        entry = data.draw(st.sampled_from(sorted(spots)))
        mutate(document, data.draw(st.sampled_from(spots[entry])), *data.draw(CHANGES))
    try:
        path.write_text(json.dumps(document))
        with suppress(BundleError):
            document["model_id"] = card.parse(path.read_bytes(), path).content_id()
            path.write_text(json.dumps(document))
        with suppress(BundleError):
            use(ModelBundle.load(valid))
    finally:
        path.write_bytes(known)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("valid")
    made().save(directory)
    return directory


def test_a_model_too_large_to_load_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no server would load ends the job that made it, and nothing is left behind."""
    monkeypatch.setattr("fraud.bundle.LARGEST_MODEL_BYTES", 100)
    with pytest.raises(BundleError, match=r"booster\.ubj has \d+ bytes, more than any bundle: at most 100"):
        ModelBundle.of(MODEL, "xgboost", **CONTENT).save(tmp_path / "model")

    assert not (tmp_path / "model").exists()
