"""What a bundle says of its model: `bundle.json`, read as if an enemy had written it."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import from_json

from fraud.errors import BundleError
from fraud.model.algorithms import ALGORITHMS
from fraud.model.calibration import Platt
from fraud.model.drift import Baseline, Bins
from fraud.model.evaluation import Figure
from fraud.model.thresholds import STATED, Threshold
from fraud.schema import Schema

FORMAT_VERSION: Final = 2
# Each wrong value makes an error of about a kilobyte, and all of them are made before the first can be told.
MOST_VALUES = 1_000_000
# No margin, which is a float32, overflows by these.
LARGEST_FACTOR = 1e100

type Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Card(BaseModel):
    """Everything about a model but the learner itself; `model_id` names the content, whichever job made it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    format_version: Literal[2] = FORMAT_VERSION
    model_id: str = ""
    algorithm: str
    model_sha256: Sha256
    job_name: str
    trained_at: AwareDatetime
    row_schema: Schema = Field(alias="schema")
    calibration: Platt
    threshold: Threshold
    decline: Threshold
    baseline: Baseline
    figures: Mapping[str, Mapping[str, Figure]]
    hyperparameters: Mapping[str, Any]
    versions: Mapping[str, str]
    data_sha256: Mapping[str, Sha256]

    def content_id(self) -> str:
        """Return the first 16 hexadecimal digits of the SHA-256 of the content, as canonical JSON."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"model_id", "job_name", "trained_at"})
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @field_validator("algorithm")
    @classmethod
    def _check_algorithm(cls, algorithm: str) -> str:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"should be one of {', '.join(ALGORITHMS)}")
        return algorithm

    @field_validator("row_schema")
    @classmethod
    def _check_schema(cls, schema: Schema) -> Schema:
        names = [name.casefold() for name in (schema.label, *schema.names)]
        if not schema.columns or not all(name.strip() for name in names):
            raise ValueError("there should be columns, each with a name")
        if twice := _repeated(names):
            raise ValueError(f'column "{twice[:60]}" is named more than once')
        for column in schema.columns:
            if twice := _repeated(column.categories):
                raise ValueError(f'column "{column.name[:60]}" has category "{twice[:60]}" more than once')
        return schema

    @field_validator("calibration")
    @classmethod
    def _check_calibration(cls, platt: Platt) -> Platt:
        if not 0 < platt.slope <= LARGEST_FACTOR or abs(platt.intercept) > LARGEST_FACTOR:
            raise ValueError("the slope should be above 0, and neither it nor the intercept beyond 1e100")
        return platt

    @field_validator("threshold", "decline")
    @classmethod
    def _check_rule(cls, threshold: Threshold) -> Threshold:
        if not STATED.fullmatch(threshold.rule):
            raise ValueError(f'rule "{threshold.rule[:60]}" should be 1 to 100 visible ASCII characters without ";"')
        return threshold

    @field_validator("threshold")
    @classmethod
    def _check_threshold(cls, threshold: Threshold, info: ValidationInfo) -> Threshold:
        schema, amount = info.data.get("row_schema"), threshold.amount_column
        if schema and amount is not None and schema.index(amount) is None:
            raise ValueError(f'it reads "{amount[:60]}", and no column is so named')
        return threshold

    @field_validator("decline")
    @classmethod
    def _check_decline(cls, decline: Threshold, info: ValidationInfo) -> Threshold:
        review = info.data.get("threshold")
        if review and review.amount_column is None and decline.value < review.value:
            raise ValueError("rows would be declined before they are reviewed")
        return decline

    @field_validator("baseline")
    @classmethod
    def _check_baseline(cls, baseline: Baseline, info: ValidationInfo) -> Baseline:
        schema = info.data.get("row_schema")
        if schema and len(baseline.columns) != len(schema.columns):
            raise ValueError(f"it has {len(baseline.columns)} columns and the schema has {len(schema.columns)}")
        for bins in (*baseline.columns, baseline.probability):
            _check_bins(bins)
        return baseline


def parse(text: bytes, path: Path) -> Card:
    """Read a card; BundleError tells another format from damage, and says where the damage is."""
    try:
        document = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise BundleError(f"{path} is damaged: it is not a JSON object") from error
    if not isinstance(document, dict):
        raise BundleError(f"{path} is damaged: it is not a JSON object")
    version = document.get("format_version")
    if version != FORMAT_VERSION:
        raise BundleError(
            f"{path} has format version {version!r:.20} and this image reads {FORMAT_VERSION}; "
            "train again with this image, or serve with the image that trained it"
        )
    if _has_too_many_values(document):
        raise BundleError(f"{path} is damaged: it holds more than {MOST_VALUES} values")
    try:
        return Card.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place, problem = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise BundleError(f"{path} is damaged: {place[:100]}: {problem[:200]}") from error


def _check_bins(bins: Bins) -> None:
    if any(left >= right for left, right in pairwise(bins.edges)):
        raise ValueError("edges should ascend")
    if len(bins.shares) != len(bins.edges) + 2:
        raise ValueError(f"{len(bins.edges)} edges should have {len(bins.edges) + 2} shares, not {len(bins.shares)}")
    if not all(0 <= share <= 1 for share in bins.shares):
        raise ValueError("shares should lie between 0 and 1")


def _repeated(words: Sequence[str]) -> str | None:
    """Return a word that stands there twice."""
    return next((word for word, count in Counter(words).items() if count > 1), None)


def _has_too_many_values(document: object) -> bool:
    pending, count = [document], 0
    while pending and count <= MOST_VALUES:
        value = pending.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        count += len(inner)
        pending.extend(inner)
    return count > MOST_VALUES
