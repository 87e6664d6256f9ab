"""A training job as a person wants it, what it uploads, and what SageMaker is asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aws.endpoint_calls import given, tag_list
from aws.endpoint_shape import Placement
from aws.files import Upload
from aws.sessions import Problem

SPECIFICATION = Path(__file__).parents[2] / "deploy" / "algorithm.json"
CHECKPOINTS = "/opt/ml/checkpoints"
# The SDK puts the time there.
TIME = "<time>"


@dataclass(frozen=True)
class Training:
    """A training job; channels are local paths or S3 URIs, and `s3` is where everything of it lies."""

    image: str
    placement: Placement
    channels: Mapping[str, str]
    s3: str
    suffix: str
    name: str = "fraud-detect"
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    instance_type: str = "ml.m5.xlarge"
    volume_gb: int = 30
    max_run_minutes: int = 60
    max_wait_minutes: int | None = None
    checkpoints: str | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: {"project": "fraud-detect"})

    def source(self, channel: str) -> str:
        """Return where in S3 a channel's rows lie, or will."""
        source = self.channels[channel]
        if source.startswith("s3://"):
            return source
        return f"{self.s3.rstrip('/')}/input/{self.suffix}/{channel}/"


def metric_definitions() -> list[dict[str, str]]:
    """Return the figures that the image prints each round, as deploy/algorithm.json has them."""
    told: list[dict[str, str]] = json.loads(SPECIFICATION.read_text(encoding="utf-8"))["MetricDefinitions"]
    return told


def uploads(job: Training) -> list[Upload]:
    """Return the files of local channels and where they go; hidden ones stay. Raises Problem where none is there."""
    return [
        Upload(file, job.source(channel) + file.relative_to(folder).as_posix())
        for channel, source in job.channels.items()
        if not source.startswith("s3://")
        for folder, file in _files(channel, Path(source))
    ]


def request(job: Training) -> dict[str, Any]:
    """Return what `CreateTrainingJob` is asked, as the SDK asks it."""
    placement = job.placement
    image = {"TrainingImage": job.image, "TrainingInputMode": "File", "MetricDefinitions": metric_definitions()}
    told = {
        "TrainingJobName": f"{job.name}-{TIME}",
        "AlgorithmSpecification": image,
        "RoleArn": placement.role,
        "InputDataConfig": [_channel(job, channel) for channel in job.channels],
        "OutputDataConfig": {"S3OutputPath": output(job), "KmsKeyId": placement.kms_key, "CompressionType": "GZIP"},
        "VpcConfig": placement.vpc,
        "Tags": tag_list(job.tags),
        "EnableNetworkIsolation": placement.is_isolated,
        "EnableManagedSpotTraining": bool(job.max_wait_minutes),
        "CheckpointConfig": job.checkpoints and {"S3Uri": job.checkpoints, "LocalPath": CHECKPOINTS},
        "Environment": dict(placement.environment),
    }
    return given(told | _limits(job)) | {"HyperParameters": dict(job.hyperparameters)}


def _limits(job: Training) -> dict[str, Any]:
    machine = {"InstanceType": job.instance_type, "InstanceCount": 1, "VolumeSizeInGB": job.volume_gb}
    return {
        "ResourceConfig": machine | {"VolumeKmsKeyId": job.placement.kms_key},
        "StoppingCondition": {
            "MaxRuntimeInSeconds": job.max_run_minutes * 60,
            "MaxWaitTimeInSeconds": job.max_wait_minutes and job.max_wait_minutes * 60,
        },
    }


def output(job: Training) -> str:
    """Return where SageMaker puts model.tar.gz and output.tar.gz, each job in a folder of its name."""
    return f"{job.s3.rstrip('/')}/output"


def _channel(job: Training, channel: str) -> dict[str, Any]:
    where = {"S3DataType": "S3Prefix", "S3Uri": job.source(channel), "S3DataDistributionType": "FullyReplicated"}
    source = {"S3DataSource": where}
    return {"ChannelName": channel, "DataSource": source, "ContentType": "text/csv", "InputMode": "File"}


def _files(channel: str, path: Path) -> list[tuple[Path, Path]]:
    """Return each file with the folder that its name is taken from."""
    if path.is_file():
        return [(path.parent, path)]
    found = [file for file in sorted(path.rglob("*")) if file.is_file()]
    found = [file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    if not found:
        raise Problem(f'channel {channel}: "{path}" is no file, and no directory with files in it')
    return [(path, file) for file in found]
