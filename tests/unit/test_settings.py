import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fraud.codecs.answers import OUTPUTS as ENCODED
from fraud.errors import SettingError
from fraud.machine import cores
from fraud.settings import OUTPUTS, ServingSettings, TrainingSettings, base_directory, read, unknown

type SetEnvironment = Callable[..., None]

# What the service, its SDKs and toolkits, and the images of others set or read, after SAGEMAKER_.
PLATFORM = """
ADDITIONAL_MODEL_SERVER_OPTIONS ADMIN_CONFIG_OVERRIDE BASE_DIR BATCH BATCH_STRATEGY BIND_TO_PORT CODE_DIRECTORY
CONTAINER_LOG_LEVEL DEFAULT_INVOCATIONS_ACCEPT ENABLE_CLOUDWATCH_METRICS ENABLE_RICH_LOGGING ENDPOINT ENDPOINT_URL
EVALUATE EXECUTION_ROLE GUNICORN_LOGLEVEL GUNICORN_THREADS GUNICORN_TIMEOUT_SECONDS GUNICORN_WORKERS HUB_NAME
HYPERPOD INFERENCE_ACCELERATOR_PRESENT INFERENCE_CODE INFERENCE_CODE_DIRECTORY INFERENCE_ENSEMBLE INFERENCE_INPUT
INFERENCE_OUTPUT INFERENCE_SUPPORTED INTERNAL_IMAGE_URI JOB_CONDA_ENV JOB_NAME LOCAL_SELINUX_ENABLED
MANAGED_WARMPOOL_CACHE_DIRECTORY MAX_CONCURRENT_TRANSFORMS MAX_PAYLOAD_IN_MB MAX_REQUEST_SIZE METRICS_DIRECTORY
MLFLOW_ASSUME_ROLE_ARN MLFLOW_CUSTOM_ENDPOINT MODEL_JOB_QUEUE_SIZE MODEL_OPTIMIZE MODEL_SERVER_TIMEOUT
MODEL_SERVER_TIMEOUT_SECONDS MODEL_SERVER_VMARGS MODEL_SERVER_WORKERS MPI_ENABLED MULTI_MODEL
NGINX_PROXY_READ_TIMEOUT_SECONDS NUM_MODEL_WORKERS OUTPUT_LOCATION PARAMETER_SERVER_ENABLED PROGRAM
PYSDK_CREATED_BY REGION ROLE S3_OUTPUT SAFE_PORT_RANGE SERVE_SECRET_KEY SPARKML_SCHEMA STARTUP_TIMEOUT
SUBMIT_DIRECTORY TFS_DEFAULT_MODEL_NAME TFS_ENABLE_BATCHING TFS_NGINX_LOGLEVEL TFS_WORKER_TIMEOUT_SECS TRAINING
TRAINING_JOB TRAINING_MODULE TRITON_DEFAULT_MODEL_NAME TRITON_METRICS_PORT USER_CONFIG_OVERRIDE VALIDATE_ROLE
"""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> SetEnvironment:
    """Return a function that sets the environment to these settings and no others."""

    def tell(**settings: str) -> None:
        for name in [
            name
            for name in os.environ
            if name.upper().startswith(("SAGEMAKER_", "MODEL_", "MAX_", "TRAINING_", "FRAUD_"))
        ]:
            monkeypatch.delenv(name)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

    return tell


def test_defaults(told: SetEnvironment) -> None:
    """Without an environment `serve` listens on 8080 with a worker a core and SageMaker's own limits."""
    told()
    settings = read(ServingSettings)

    assert (settings.port, settings.workers, settings.timeout_seconds) == (8080, cores(), 60)
    assert settings.max_body_bytes == 100 * 1024 * 1024
    assert (settings.output, settings.default_accept, settings.log_level) == ((), "", "INFO")
    assert settings.threads > settings.scoring_slots + settings.waiting_slots + settings.reading_slots
    assert (settings.reasons, settings.reasons_above) == (3, 0)
    assert (settings.review_threshold, settings.decline_threshold) == (None, None)
    assert (settings.is_batch, settings.is_strict, settings.is_multi_model) == (False, False, False)
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


@pytest.mark.parametrize(
    ("word", "value"), [("true", True), ("True", True), ("1", True), ("false", False), ("False", False), ("", False)]
)
@pytest.mark.parametrize(
    ("name", "field"),
    [("SAGEMAKER_BATCH", "is_batch"), ("FRAUD_BATCH_STRICT", "is_strict"), ("SAGEMAKER_MULTI_MODEL", "is_multi_model")],
)
def test_switches(told: SetEnvironment, name: str, field: str, word: str, value: bool) -> None:
    """Switches are read as the platform and its local mode write them (S41, S51)."""
    told(**{name: word})

    assert getattr(read(ServingSettings), field) is value


def test_decisions(told: SetEnvironment) -> None:
    """Thresholds and reasons are numbers within their bounds."""
    told(FRAUD_REVIEW_THRESHOLD="0.25", FRAUD_DECLINE_THRESHOLD="1", FRAUD_REASONS="5", FRAUD_REASONS_ABOVE="1e-3")
    settings = read(ServingSettings)

    assert (settings.review_threshold, settings.decline_threshold) == (0.25, 1)
    assert (settings.reasons, settings.reasons_above) == (5, 0.001)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("FRAUD_REVIEW_THRESHOLD", word) for word in ("50%", "-0.1", "1.01", "nan", "inf")),
        *(("FRAUD_REASONS", word) for word in ("0", "1.5", "10000", "all")),
        *(("FRAUD_REASONS_ABOVE", word) for word in ("2", "nan")),
        *(("SAGEMAKER_BATCH", word) for word in ("maybe", "2")),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "loud"),
    ],
)
def test_bounds(told: SetEnvironment, name: str, value: str) -> None:
    """A value beyond its bounds, or of another kind, is refused by name."""
    told(**{name: value})
    with pytest.raises(SettingError, match=f'^{name}="{value}": Input should be '):
        read(ServingSettings)


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("SAGEMAKER_BATCH", "ja", "Input should be true or false$"),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "15", "Input should be 'DEBUG', 'INFO'"),
        ("SAGEMAKER_INFERENCE_OUTPUT", "probability,probability", "Input should name each output once$"),
    ],
)
def test_what_would_be_right(told: SetEnvironment, name: str, value: str, right: str) -> None:
    """A wrong word is told as it was written, with what would be right."""
    told(**{name: value})
    with pytest.raises(SettingError, match=f'^{name}="{value}": {right}'):
        read(ServingSettings)


def test_many_models_share_one_process(told: SetEnvironment) -> None:
    """With many models one process scores as many requests at once as several would, on as many threads (S54, S57)."""
    told(SAGEMAKER_MULTI_MODEL="true", MODEL_SERVER_WORKERS="4")
    settings = read(ServingSettings)

    assert (settings.workers, settings.processes, settings.scoring_slots) == (4, 1, 8)


@pytest.mark.parametrize(("workers", "memory", "each"), [(1, 1000, 500), (4, 1000, 125)])
def test_memory(told: SetEnvironment, monkeypatch: pytest.MonkeyPatch, workers: int, memory: int, each: int) -> None:
    """The bodies of all workers together take half of the memory at most (S50)."""
    monkeypatch.setattr("fraud.settings.memory_bytes", lambda: memory)
    told(MODEL_SERVER_WORKERS=str(workers))

    assert read(ServingSettings).body_memory_bytes == each


def test_threads_fit_the_cores(told: SetEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers times the threads that score in each are no more than there are cores (S57)."""
    monkeypatch.setattr("fraud.settings.cores", lambda: 8)
    for workers, threads in ((1, 7), (2, 3), (3, 2), (8, 1), (20, 1)):
        told(MODEL_SERVER_WORKERS=str(workers))

        assert read(ServingSettings).scoring_threads == threads


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


def test_a_misspelt_variable_is_pointed_at() -> None:
    """A variable that begins as ours do and is none of them sets nothing, and is told so."""
    [hint] = unknown({"FRAUD_REASON": "3", "FRAUD_REASONS": "3", "PATH": "/bin"})

    assert hint.startswith("FRAUD_REASON sets nothing here; the names are FRAUD_REASONS, FRAUD_REASONS_ABOVE,")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SAGEMAKER_INFERENCE_OUTPT", "SAGEMAKER_INFERENCE_OUTPUT"),
        ("SAGEMAKER_MODEL_SERVER_WORKER", "MODEL_SERVER_WORKERS"),
        ("MODEL_SERVER_TIMEOUT_SECONDS", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS"),
        ("SAGEMAKER_MAX_PAYLOAD_MB", "SAGEMAKER_MAX_PAYLOAD_IN_MB"),
        ("SAGEMAKER_DEFAULT_INVOCATION_ACCEPT", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"),
        ("SAGEMAKER_MULTIMODEL", "SAGEMAKER_MULTI_MODEL"),
        ("SAGEMAKER_CONTAINER_LOGLEVEL", "SAGEMAKER_CONTAINER_LOG_LEVEL"),
        ("SAGEMAKER_BASEDIR", "SAGEMAKER_BASE_DIR"),
        ("SAGEMAKER_FRAUD_REASONS", "FRAUD_REASONS"),
    ],
)
def test_a_variable_that_is_nearly_a_setting_is_pointed_at(name: str, meant: str) -> None:
    """A spelling mistake in one of SageMaker's names is told, with the name that was meant."""
    assert unknown({name: "1"}) == [f"{name} sets nothing here; did you mean {meant}?"]


def test_what_others_set_is_no_mistake() -> None:
    """Every setting, and every variable of the platform, its SDKs and its own images, is left alone (S3, S41, S56)."""
    platform = [f"SAGEMAKER_{name}" for name in PLATFORM.split()]

    assert unknown(dict.fromkeys((*platform, "FRAUD_REASONS", "MODEL_SERVER_TIMEOUT", "PATH"), "1")) == []
