"""SageMaker's SDK, version 3, in local mode: train, serve and transform in the image, by this computer's Docker.

AWS is not asked: the SDK gets a session with a region and keys of nobody, whatever this computer has, so that no real
credentials reach a container. What the SDK and its containers print is kept, and its end is told where one fails.
"""

import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, cast

from local_docker import LocalModeError, Place, check, heard, place

NOBODY = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing", "region_name": "eu-west-1"}
ROLE = "arn:aws:iam::123456789012:role/nobody"
SECONDS = 60
MAX_PAYLOAD_MB = 6


@dataclass(frozen=True)
class Trained:
    """What a job left, as directories and as the archives that SageMaker makes of them, and what it printed."""

    model: Path
    output: Path
    model_archive: Path
    output_archive: Path
    log: str


@dataclass(frozen=True)
class Model:
    """What SageMaker calls a model: an image, model.tar.gz or a directory of its files, and the environment."""

    image: str
    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Endpoint:
    """A server in a container, behind the local stand-in of boto3's `sagemaker-runtime` client."""

    client: Any
    place: Place

    def invoke(
        self, body: bytes | str, content_type: str = "text/csv", accept: str = "text/csv", attributes: str | None = None
    ) -> Answer:
        """Send rows; `attributes` are the CustomAttributes of `invoke_endpoint`. A refusal is an answer too."""
        headers = {"ContentType": content_type, "Accept": accept, "CustomAttributes": attributes}
        with heard(self.place, "invoking"):
            answer = self.client.invoke_endpoint(body, self.place.project, **headers)
            text = answer["Body"].read().decode()
        told = answer["ResponseMetadata"]
        return Answer(told["HTTPStatusCode"], told["HTTPHeaders"], text)


def train(image: str, channels: Mapping[str, Path], hyperparameters: Mapping[str, Any], root: Path) -> Trained:
    """Train with `ModelTrainer` on channels of CSV; `model`, `output` and their archives in `root` are replaced.

    Raises LocalModeError with the job's /opt/ml/output/failure, which local mode itself does not read.
    """
    check(image)
    for name, path in channels.items():
        if not path.is_dir():
            raise LocalModeError(f"channel {name}: {path} is no directory")
    root.mkdir(parents=True, exist_ok=True)
    with place(image, root.resolve()) as work:
        made, packed = work.directory / "artifacts", work.directory / "compressed_artifacts"
        with heard(work, "training", made / "output" / "failure") as printed, redirect_stdout(printed):
            _train(image, channels, hyperparameters, work)
            if not any((made / "model").glob("*")):
                raise LocalModeError("training was interrupted and left no model")  # the SDK swallows Ctrl-C
        for name in ("model", "output"):
            shutil.rmtree(root / name, ignore_errors=True)
            shutil.move(made / name, root / name)
            shutil.move(packed / f"{name}.tar.gz", root / f"{name}.tar.gz")
        return Trained(root / "model", root / "output", root / "model.tar.gz", root / "output.tar.gz", work.log())


@contextmanager
def endpoint(model: Model) -> Iterator[Endpoint]:
    """Serve a model on a free port, by `LocalSession`, until the block ends."""
    check(model.image)
    with _sorted_output(), place(model.image) as work:
        session = _session(work)
        client = session.sagemaker_client
        variant = {"VariantName": "all", "ModelName": work.project, "InstanceType": "local", "InitialInstanceCount": 1}
        try:
            with heard(work, "serving"):
                _create_model(session, model, work)
                client.create_endpoint_config(work.project, [variant])
                client.create_endpoint(work.project, work.project)
            yield Endpoint(session.sagemaker_runtime_client, work)
        finally:
            client.delete_endpoint(work.project)


def transform(
    model: Model, rows: Path, output: Path, content_type: str = "text/csv", strategy: str = "MultiRecord"
) -> list[Path]:
    """Answer each line of `rows`, a file or a directory of files, in `output/<name>.out`, by `Transformer`.

    The strategy has to be said: local mode would take the server's, in the service's spelling, and then refuse it.
    """
    check(model.image)
    files = sorted(path for path in rows.iterdir() if path.is_file()) if rows.is_dir() else [rows]
    with _sorted_output(), place(model.image) as work, heard(work, "the transform"):
        session = _session(work)
        _create_model(session, model, work)
        runtime = session.sagemaker_runtime_client
        runtime.invoke_endpoint = _refusing(runtime.invoke_endpoint)
        _transform(session, work, f"file://{output.resolve()}", content_type, strategy).transform(
            f"file://{rows.resolve()}", content_type=content_type, split_type="Line", logs=False
        )
    return [output / f"{path.name}.out" for path in files]


def _train(image: str, channels: Mapping[str, Path], hyperparameters: Mapping[str, Any], work: Place) -> None:
    from sagemaker.core.training.configs import Compute, InputData  # noqa: PLC0415 - slow, and not always installed
    from sagemaker.train import ModelTrainer  # noqa: PLC0415
    from sagemaker.train.model_trainer import Mode  # noqa: PLC0415

    trainer = ModelTrainer(
        training_mode=Mode.LOCAL_CONTAINER,
        training_image=image,
        role=ROLE,
        compute=Compute(instance_type="local_cpu", instance_count=1),
        hyperparameters=dict(hyperparameters),
        local_container_root=str(work.directory),
        sagemaker_session=_session(work),
    )
    inputs = [
        InputData(channel_name=name, data_source=str(path.resolve()), content_type="text/csv")
        for name, path in channels.items()
    ]
    trainer.train(input_data_config=inputs)


def _transform(session: Any, work: Place, output: str, content_type: str, strategy: str) -> Any:
    from sagemaker.core.transformer import Transformer  # noqa: PLC0415

    return Transformer(
        model_name=work.project,
        instance_count=1,
        instance_type="local",
        strategy=strategy,
        output_path=output,
        accept=content_type,
        max_payload=MAX_PAYLOAD_MB,
        base_transform_job_name=work.project,  # without it the SDK asks the real service for the model
        sagemaker_session=session,
    )


def _session(work: Place) -> Any:
    import boto3  # noqa: PLC0415
    from sagemaker.core.local.local_session import LocalSession  # noqa: PLC0415

    from aws.training_start import SDK_SETTINGS  # noqa: PLC0415 - it takes boto3

    session = LocalSession(boto_session=boto3.Session(**NOBODY), sagemaker_config=SDK_SETTINGS)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    session.config = {"local": {"serving_port": port, "container_root": str(work.directory)}}
    session.config["local"]["health_check_timeout"] = SECONDS  # heeded, but not in the SDK's own schema
    return session


def _create_model(session: Any, model: Model, work: Place) -> None:
    """Give the SDK a directory of its own for an archive, as it unpacks archives where they lie."""
    data = model.data.resolve()
    if not data.exists():
        raise LocalModeError(f"there is no model at {data}: train one first")
    if data.is_file():
        data = work.directory / "packed"
        data.mkdir()
        shutil.copy(model.data, data)
    container = {"Image": model.image, "ModelDataUrl": f"file://{data}", "Environment": dict(model.environment)}
    session.sagemaker_client.create_model(work.project, container)


def _refusing(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """Make a refusal end the job, as in the service; local mode would write it among the answers."""

    def invoked(*arguments: Any) -> Any:
        answer = invoke(*arguments)
        if (status := answer["ResponseMetadata"]["HTTPStatusCode"]) != 200:
            raise LocalModeError(f"the transform failed: the server says {status} {answer['Body'].read().decode()}")
        return answer

    return invoked


class _Sorted:
    """A stdout that drops what the SDK's threads print, the log of the container, and passes on all else."""

    def __init__(self, screen: TextIO) -> None:
        self.screen = screen

    def write(self, text: str) -> int:
        return len(text) if _is_of_sdk(threading.current_thread()) else self.screen.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.screen, name)


@contextmanager
def _sorted_output() -> Iterator[None]:
    """Keep the SDK's thread quiet, which also raises where its container was ended."""
    before = threading.excepthook
    threading.excepthook = lambda raised: None if _is_of_sdk(raised.thread) else before(raised)
    with redirect_stdout(cast(TextIO, _Sorted(sys.stdout))):
        try:
            yield
        finally:
            for thread in filter(_is_of_sdk, threading.enumerate()):
                thread.join(SECONDS)
            threading.excepthook = before


def _is_of_sdk(thread: threading.Thread | None) -> bool:
    return type(thread).__module__.startswith("sagemaker.")
