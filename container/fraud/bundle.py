"""The model as one directory: plain JSON and the library's own safe format; no pickle."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fraud.errors import BundleError
from fraud.model.algorithms import ALGORITHMS
from fraud.model.calibration import Platt
from fraud.model.evaluation import Figure
from fraud.model.scores import Scores
from fraud.model.scoring import FraudModel
from fraud.model.thresholds import Threshold
from fraud.schema import Matrix, Schema

FORMAT_VERSION: Final = 1
DOCUMENT = "bundle.json"
LARGEST_FILE_BYTES = 1024**3

type Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Card(BaseModel):
    """Everything about a model but its trees; `model_id` names the content, whichever job made it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    format_version: Literal[1] = FORMAT_VERSION
    model_id: str = ""
    algorithm: Literal["xgboost"]
    model_sha256: Sha256
    job_name: str
    row_schema: Schema = Field(alias="schema")
    calibration: Platt
    threshold: Threshold
    figures: Mapping[str, Mapping[str, Figure]]
    hyperparameters: Mapping[str, Any]
    versions: Mapping[str, str]
    data_sha256: Mapping[str, Sha256]

    def content_id(self) -> str:
        """Return the first 16 hexadecimal digits of the SHA-256 of the content, as canonical JSON."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"model_id", "job_name"})
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ModelBundle:
    """A model with its card: all that scoring needs."""

    card: Card
    model: FraudModel

    @classmethod
    def of(cls, model: FraudModel, algorithm: str, **content: Any) -> Self:
        """Describe a model that was fitted; `content` is what the card holds beside it."""
        digest = hashlib.sha256(model.learner.dump()).hexdigest()
        card = Card(
            algorithm=algorithm,
            model_sha256=digest,
            calibration=model.calibration,
            threshold=model.threshold,
            **content,
        )
        return cls(card.model_copy(update={"model_id": card.content_id()}), model)

    @property
    def schema(self) -> Schema:
        return self.card.row_schema

    def score(self, X: Matrix) -> Scores:
        """Score rows that fit the schema: float32 (rows, columns)."""
        return self.model.score(X)

    def save(self, directory: Path) -> None:
        """Write the trees, then the card, each in one step; a reader never sees half a bundle."""
        directory.mkdir(parents=True, exist_ok=True)
        _write(directory / self.model.learner.file_name, self.model.learner.dump())
        _write(directory / DOCUMENT, self.card.model_dump_json(by_alias=True, indent=1).encode())

    @classmethod
    def load(cls, directory: Path, threads: int = 1) -> Self:
        """Read a bundle and prove it whole; BundleError says what is missing, damaged or of another format."""
        text = _read(directory / DOCUMENT)
        try:
            version = json.loads(text).get("format_version")
        except (ValueError, AttributeError, RecursionError) as error:
            raise BundleError(f"{directory / DOCUMENT} is damaged: it is not a JSON object") from error
        if version != FORMAT_VERSION:
            raise BundleError(
                f"{directory / DOCUMENT} has format version {version!r:.20} and this image reads {FORMAT_VERSION}; "
                "train again with this image, or serve with the image that trained it"
            )
        try:
            card = Card.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise BundleError(f"{directory / DOCUMENT} is damaged: {place}: {first['msg']}") from error
        return cls(card, _model(card, directory, threads))


def _model(card: Card, directory: Path, threads: int) -> FraudModel:
    if card.model_id != card.content_id():
        raise BundleError(f"{directory / DOCUMENT} is damaged: its content is not that of model {card.model_id[:20]}")
    learner = ALGORITHMS[card.algorithm]
    path = directory / learner.file_name
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != card.model_sha256:
        raise BundleError(f"{path} is damaged: it is not the file that {DOCUMENT} names")
    amount = card.threshold.amount_column
    position = None if amount is None else card.row_schema.index(amount)
    if amount is not None and position is None:
        raise BundleError(
            f'{directory / DOCUMENT} is damaged: its threshold reads "{amount[:60]}", and no column is so named'
        )
    trees = learner.load(content, card.row_schema.feature_types, threads)
    return FraudModel(trees, card.calibration, card.threshold, position)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise BundleError(f"{path} has {size} bytes, more than any bundle: at most {LARGEST_FILE_BYTES}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"there is no {path}; train first, or mount the model directory there") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
