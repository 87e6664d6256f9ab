import os
from collections.abc import Callable
from pathlib import Path

import pytest
from joblib import cpu_count

from fraud.codecs.answers import OUTPUTS as ENCODED
from fraud.errors import SettingError
from fraud.settings import OUTPUTS, ServingSettings, TrainingSettings, base_directory, read

type SetEnvironment = Callable[..., None]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> SetEnvironment:
    """Return a function that sets the environment to these settings and no others."""

    def tell(**settings: str) -> None:
        for name in [
            name for name in os.environ if name.upper().startswith(("SAGEMAKER_", "MODEL_", "MAX_", "TRAINING_"))
        ]:
            monkeypatch.delenv(name)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

    return tell


def test_defaults(told: SetEnvironment) -> None:
    """Without an environment `serve` listens on 8080 with a worker a core and SageMaker's own limits."""
    told()
    settings = read(ServingSettings)

    assert (settings.port, settings.workers, settings.timeout_seconds) == (8080, cpu_count(), 60)
    assert settings.max_body_bytes == 100 * 1024 * 1024
    assert (settings.output, settings.default_accept, settings.log_level) == ((), "", "INFO")
    assert settings.threads > settings.scoring_slots + settings.waiting_slots
    assert read(TrainingSettings).job_name == ""


@pytest.mark.parametrize("name", ["MODEL_SERVER_WORKERS", "SAGEMAKER_MODEL_SERVER_WORKERS"])
def test_workers(told: SetEnvironment, name: str) -> None:
    """The number of workers is read in both spellings (S56)."""
    told(**{name: "3"})

    assert read(ServingSettings).workers == 3


@pytest.mark.parametrize(
    "name",
    ["MODEL_SERVER_TIMEOUT", "SAGEMAKER_MODEL_SERVER_TIMEOUT", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS"],
)
def test_timeout(told: SetEnvironment, name: str) -> None:
    """The timeout is read in every spelling, and an empty variable is none."""
    told(**{"MODEL_SERVER_TIMEOUT": "", name: "7"})

    assert read(ServingSettings).timeout_seconds == 7


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        pytest.param({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "6"}, 6 * 1024 * 1024, id="megabytes"),
        pytest.param({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}, 100 * 1024 * 1024, id="chunked"),
        pytest.param({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "6", "MAX_CONTENT_LENGTH": "1000"}, 1000, id="bytes"),
    ],
)
def test_body_limit(told: SetEnvironment, settings: dict[str, str], limit: int) -> None:
    """The largest body follows the platform's settings (S19, S20)."""
    told(**settings)

    assert read(ServingSettings).max_body_bytes == limit


@pytest.mark.parametrize(
    ("word", "level"), [("debug", "DEBUG"), ("20", "INFO"), ("Warning", "WARNING"), ("50", "CRITICAL")]
)
def test_log_level(told: SetEnvironment, word: str, level: str) -> None:
    """The log level is a word in any case, or the number that SDKs send."""
    told(SAGEMAKER_CONTAINER_LOG_LEVEL=word)

    assert read(TrainingSettings).log_level == level


def test_output(told: SetEnvironment) -> None:
    """What an answer holds is a list of words, spaces and empty ones aside."""
    told(SAGEMAKER_INFERENCE_OUTPUT=" predicted_label,probability, ")

    assert read(ServingSettings).output == ("predicted_label", "probability")


def test_outputs_are_encoded() -> None:
    """Every word that the setting allows is one that the codecs write, and the other way round."""
    assert set(OUTPUTS) == set(ENCODED)


def test_every_problem(told: SetEnvironment) -> None:
    """Every wrong variable is named in one message, with its value and what would be right."""
    told(SAGEMAKER_BIND_TO_PORT="99999", SAGEMAKER_MAX_PAYLOAD_IN_MB="-1", SAGEMAKER_INFERENCE_OUTPUT="score")
    with pytest.raises(SettingError, match="SAGEMAKER_BIND_TO_PORT") as caught:
        read(ServingSettings)

    for part in (
        '"99999": Input should be less than',
        '"-1": Input should be',
        'OUTPUT="score": Input should be',
        "'raw_score'",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["MODEL_SERVER_WORKERS", "SAGEMAKER_MODEL_SERVER_WORKERS", "SAGEMAKER_MODEL_SERVER_TIMEOUT", "MAX_CONTENT_LENGTH"],
)
def test_spelling(told: SetEnvironment, name: str) -> None:
    """A wrong variable is named as it was spelt."""
    told(**{name: "many"})
    with pytest.raises(SettingError, match=rf'^{name}="many": Input should be a valid integer'):
        read(ServingSettings)


@pytest.mark.parametrize(
    ("environment", "base"),
    [({}, "/opt/ml"), ({"SAGEMAKER_BASE_DIR": ""}, "/opt/ml"), ({"SAGEMAKER_BASE_DIR": "/tmp/ml"}, "/tmp/ml")],
)
def test_base_directory(environment: dict[str, str], base: str) -> None:
    """The tree is /opt/ml unless another is named."""
    assert base_directory(environment) == Path(base)
