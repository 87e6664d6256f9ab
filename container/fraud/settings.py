"""The environment as frozen objects; every wrong setting in one message."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from fraud.errors import SettingError
from fraud.machine import cores, memory_bytes

type Output = Literal[
    "probability",
    "predicted_label",
    "decision",
    "reasons",
    "raw_score",
    "base_value",
    "probabilities",
    "labels",
    "raw_scores",
]

OUTPUTS: tuple[str, ...] = get_args(Output.__value__)
LARGEST_BODY_MEGABYTES = 100
LEVELS = {"10": "DEBUG", "20": "INFO", "30": "WARNING", "40": "ERROR", "50": "CRITICAL"}
PLATFORM_PREFIX, BASE_DIRECTORY = "SAGEMAKER_", "SAGEMAKER_BASE_DIR"
# How like a setting is a name that was meant as one; SAGEMAKER_INFERENCE_INPUT, which is others', is less so.
SIMILARITY = 0.88
# Where pydantic does not say what would be right.
RIGHT = {"bool_parsing": "Input should be true or false"}


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    words = tuple(word.strip() for word in value.split(",") if word.strip())
    if len(set(words)) < len(words):
        raise ValueError("Input should name each output once")
    return words


def _level(value: object) -> object:
    level = LEVELS.get(str(value), str(value).upper())
    return level if level in LEVELS.values() else value


type LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_level)]


class Settings(BaseSettings):
    """What every job reads."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    log_level: LogLevel = Field("INFO", validation_alias="SAGEMAKER_CONTAINER_LOG_LEVEL")


class TrainingSettings(Settings):
    """What `train` reads."""

    job_name: str = Field("", validation_alias="TRAINING_JOB_NAME")


class ServingSettings(Settings):
    """What `serve` reads, in each of the spellings that users know (S56)."""

    port: int = Field(8080, ge=1, le=65535, validation_alias="SAGEMAKER_BIND_TO_PORT")
    workers: int = Field(
        default_factory=cores,
        ge=1,
        le=1024,
        validation_alias=AliasChoices("MODEL_SERVER_WORKERS", "SAGEMAKER_MODEL_SERVER_WORKERS"),
    )
    timeout_seconds: int = Field(
        60,
        ge=1,
        validation_alias=AliasChoices(
            "MODEL_SERVER_TIMEOUT",
            "SAGEMAKER_MODEL_SERVER_TIMEOUT",
            "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS",
        ),
    )
    max_body_megabytes: int = Field(LARGEST_BODY_MEGABYTES, ge=0, validation_alias="SAGEMAKER_MAX_PAYLOAD_IN_MB")
    max_content_length: int | None = Field(None, ge=1, validation_alias="MAX_CONTENT_LENGTH")
    default_accept: str = Field("", validation_alias="SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT")
    output: Annotated[tuple[Output, ...], NoDecode, BeforeValidator(_words)] = Field(
        (), validation_alias="SAGEMAKER_INFERENCE_OUTPUT"
    )
    reasons: int = Field(3, ge=1, le=9999, validation_alias="FRAUD_REASONS")
    reasons_above: float = Field(0.0, ge=0, le=1, validation_alias="FRAUD_REASONS_ABOVE")
    review_threshold: float | None = Field(None, ge=0, le=1, validation_alias="FRAUD_REVIEW_THRESHOLD")
    decline_threshold: float | None = Field(None, ge=0, le=1, validation_alias="FRAUD_DECLINE_THRESHOLD")
    is_batch: bool = Field(default=False, validation_alias="SAGEMAKER_BATCH")
    is_strict: bool = Field(default=False, validation_alias="FRAUD_BATCH_STRICT")
    is_multi_model: bool = Field(default=False, validation_alias="SAGEMAKER_MULTI_MODEL")

    @property
    def processes(self) -> int:
        """Return how many workers run: one for many models, as each must see what is loaded (S54)."""
        return 1 if self.is_multi_model else self.workers

    @property
    def scoring_slots(self) -> int:
        """Return how many requests a worker scores at once: one decodes while another is in XGBoost."""
        return 2 * self.workers if self.is_multi_model else 2

    @property
    def scoring_threads(self) -> int:
        """Return how many threads score the blocks of one large body: no more in all than there are cores (S57).

        Of three or more one is left to the thread that decodes; two of two score, as that takes twice as long.
        """
        share = cores() // self.processes
        return max(1, share - (share > 2))

    @property
    def waiting_slots(self) -> int:
        """Return how many more may wait in a worker; beyond them a request is turned away at once."""
        return 100

    @property
    def reading_slots(self) -> int:
        """Return how many bodies a worker reads at once: a client that sends slowly holds a thread, and no slot."""
        return 400

    @property
    def threads(self) -> int:
        """Return the threads of a worker: ten more than may read, score or wait, so that /ping finds one (S15)."""
        return self.scoring_slots + self.waiting_slots + self.reading_slots + 10

    @property
    def body_memory_bytes(self) -> int:
        """Return how much memory the bodies in a worker may take, decoded: half of what there is."""
        return memory_bytes() // 2 // self.processes

    @property
    def has_body_limit(self) -> bool:
        """Whether somebody set the largest body."""
        return bool(self.max_content_length) or "max_body_megabytes" in self.model_fields_set

    @property
    def max_body_bytes(self) -> int:
        """Return the largest body in bytes; 0 megabytes is how a batch job says `chunked` (S20)."""
        megabytes = self.max_body_megabytes or LARGEST_BODY_MEGABYTES
        return self.max_content_length or megabytes * 1024 * 1024


def base_directory(environment: Mapping[str, str]) -> Path:
    """Return where the tree is, even where another setting is wrong: a failure must be written there."""
    return Path(environment.get(BASE_DIRECTORY) or "/opt/ml")


def read[S: Settings](kind: type[S]) -> S:
    """Read the environment; SettingError names every wrong variable, its value and what would be right."""
    try:
        return kind()
    except ValidationError as error:
        raise SettingError("; ".join(_problem(kind, item) for item in error.errors())) from None


def unknown(environment: Mapping[str, str]) -> list[str]:
    """Return a hint for each variable that is no setting, and begins as this product's do or is nearly one."""
    known = [*_names(ServingSettings), BASE_DIRECTORY]
    own = [name for name in known if name.startswith("FRAUD_")]
    stems = {name.removeprefix(PLATFORM_PREFIX): name for name in reversed(known)}
    hints = []
    for name in sorted(environment.keys() - set(known)):
        stem = name.removeprefix(PLATFORM_PREFIX)
        if name.startswith("FRAUD_"):
            hints.append(f"{name[:60]} sets nothing here; the names are {', '.join(own)}")
        elif name.startswith((PLATFORM_PREFIX, "MODEL_SERVER_")):
            close = get_close_matches(stem, stems, 1, SIMILARITY)
            hints += [f"{name[:60]} sets nothing here; did you mean {stems[meant]}?" for meant in close]
    return hints


def _problem(kind: type[Settings], item: Any) -> str:
    problem = RIGHT.get(item["type"], item["msg"].removeprefix("Value error, "))
    return f'{_spelling(kind, item["loc"][0])}="{str(item["input"])[:60]}": {problem}'


def _names(kind: type[Settings]) -> list[str]:
    """Return every spelling of every setting."""
    aliases = [field.validation_alias for field in kind.model_fields.values()]
    return [str(name) for alias in aliases for name in (alias.choices if isinstance(alias, AliasChoices) else [alias])]


def _spelling(kind: type[Settings], alias: str) -> str:
    """Return the spelling that is in the environment, where pydantic names the first of several."""
    choices = [field.validation_alias for field in kind.model_fields.values()]
    several = [choice.choices for choice in choices if isinstance(choice, AliasChoices) and alias in choice.choices]
    return next((str(name) for names in several for name in names if os.environ.get(str(name))), alias)
