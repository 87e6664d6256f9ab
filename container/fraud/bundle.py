"""The model as one directory: plain JSON and the library's own safe format; no pickle."""

import errno
import hashlib
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from fraud.card import Card, parse
from fraud.errors import BundleError, SettingError
from fraud.model.algorithms import ALGORITHMS
from fraud.model.reasons import Reason
from fraud.model.scores import Scores
from fraud.model.scoring import FraudModel
from fraud.model.thresholds import Threshold
from fraud.schema import Matrix, Schema

DOCUMENT = "bundle.json"
LARGEST_CARD_BYTES, LARGEST_MODEL_BYTES = 16 * 1024**2, 1024**3


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
            decline=model.decline,
            **content,
        )
        return cls(card.model_copy(update={"model_id": card.content_id()}), model)

    @property
    def schema(self) -> Schema:
        return self.card.row_schema

    def score(self, X: Matrix) -> Scores:
        """Score rows that fit the schema: float32 (rows, columns)."""
        return self.model.score(X)

    def explain(self, X: Matrix, scores: Scores, count: int, above: float) -> list[tuple[Reason, ...] | None]:
        """Return the strongest `count` reasons of each row whose probability reaches `above`, None for the others."""
        return self.model.explain(X, scores, self.schema, count, above)

    @cached_property
    def base_value(self) -> float:
        """Return what contributions start from: with all of a row's, it sums to its raw score."""
        return self.model.base_value(len(self.schema.columns))

    def deciding(self, review: float | None, decline: float | None) -> Self:
        """Return the same model with other thresholds; None leaves one as it was trained.

        Raises SettingError where a row would be declined before it is reviewed.
        """
        threshold, declining = self.model.threshold, self.model.decline
        if review is not None:
            threshold = Threshold("FRAUD_REVIEW_THRESHOLD", review)
        if decline is not None:
            declining = Threshold("FRAUD_DECLINE_THRESHOLD", decline)
        if threshold.amount_column is None and declining.value < threshold.value:
            raise SettingError(
                f"rows are reviewed from probability {threshold.value:.6g} by {threshold.rule} and declined from "
                f"{declining.value:.6g} by {declining.rule}; FRAUD_DECLINE_THRESHOLD should be no lower"
            )
        return replace(self, model=replace(self.model, threshold=threshold, decline=declining))

    def require_reasons(self, outputs: Collection[str]) -> None:
        """Raise SettingError where every answer is to hold reasons, and the learner has no exact ones."""
        asked = sorted({"reasons", "base_value"} & set(outputs))
        if asked and not self.model.learner.explains:
            raise SettingError(
                f"SAGEMAKER_INFERENCE_OUTPUT asks for {', '.join(asked)}, and a model of "
                f"algorithm={self.card.algorithm} has none that are exact; leave them out"
            )

    def save(self, directory: Path) -> None:
        """Write the learner, then the card, each in one step; a reader never sees half a bundle.

        Raises BundleError where `load` would refuse them.
        """
        text, path = self.card.model_dump_json(by_alias=True, indent=1).encode(), directory / DOCUMENT
        _require_size(path, len(text), LARGEST_CARD_BYTES)
        parse(text, path)
        content, learner_path = self.model.learner.dump(), directory / self.model.learner.file_name
        _require_size(learner_path, len(content), LARGEST_MODEL_BYTES)
        directory.mkdir(parents=True, exist_ok=True)
        _write(learner_path, content)
        _write(path, text)

    @classmethod
    def load(cls, directory: Path, threads: int = 1) -> Self:
        """Read a bundle and prove it whole; BundleError says what is missing, damaged or of another format."""
        path = directory / DOCUMENT
        card = parse(_read(path, LARGEST_CARD_BYTES), path)
        if card.model_id != card.content_id():
            raise BundleError(f"{path} is damaged: its content is not that of model {card.model_id[:20]}")
        return cls(card, _model(card, directory, threads))


def _model(card: Card, directory: Path, threads: int) -> FraudModel:
    kind = ALGORITHMS[card.algorithm]
    path = directory / kind.file_name
    content = _read(path, LARGEST_MODEL_BYTES)
    if hashlib.sha256(content).hexdigest() != card.model_sha256:
        raise BundleError(f"{path} is damaged: it is not the file that {DOCUMENT} names")
    learner = kind.load(content, card.row_schema.feature_types, threads)
    amount = card.threshold.amount_column
    position = None if amount is None else card.row_schema.index(amount)
    return FraudModel(learner, card.calibration, card.threshold, card.decline, position)


def _read(path: Path, largest: int) -> bytes:
    """Read a file of the bundle itself: not what a link points to, nor what never ends."""
    try:
        with open(path, "rb", opener=_without_following) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{path} is no regular file")
            _require_size(path, status.st_size, largest)
            return file.read(largest)
    except FileNotFoundError as error:
        raise BundleError(f"there is no {path}; train first, or mount the model directory there") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BundleError(f"{path} is a symbolic link; put the file itself there") from error
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error


def _without_following(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _require_size(path: Path, size: int, largest: int) -> None:
    if size > largest:
        raise BundleError(f"{path} has {size} bytes, more than any bundle: at most {largest}")


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
