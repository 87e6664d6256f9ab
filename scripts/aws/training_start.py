"""Start a training job by SageMaker's SDK v3, which is imported when it is needed: it takes seconds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from aws import training_shape
from aws.sessions import Problem
from aws.training_shape import Training

# The SDK reports each call to its makers unless it is told not to.
SDK_SETTINGS = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}


def start(trainer: Any, job: Training) -> str:
    """Start the job with the SDK's ModelTrainer, and return its name; every channel is in S3 by now."""
    with _role_as_it_is():
        trainer.train(input_data_config=_inputs(job), wait=False, logs=False)
    return str(trainer._latest_training_job.training_job_name)  # the SDK tells it nowhere else


def make_trainer(job: Training, session: boto3.Session) -> Any:
    """Return the SDK's ModelTrainer for a job, for those who want to change it. Raises Problem without the SDK."""
    try:
        from sagemaker.core.helper.session_helper import Session  # noqa: PLC0415 - slow, and not always there
        from sagemaker.core.training import configs  # noqa: PLC0415
        from sagemaker.train import ModelTrainer  # noqa: PLC0415
    except ImportError as error:
        raise Problem(f"SageMaker's SDK v3 is missing ({error}): pip install -r requirements-aws.lock") from error
    with _role_as_it_is():
        trainer = ModelTrainer(
            sagemaker_session=Session(boto_session=session, sagemaker_config=SDK_SETTINGS),
            training_image=job.image,
            role=job.placement.role,
            base_job_name=job.name,
            hyperparameters=dict(job.hyperparameters),
            environment=dict(job.placement.environment),
            compute=_compute(job),
            networking=_networking(job),
            checkpoint_config=configs.CheckpointConfig(s3_uri=job.checkpoints) if job.checkpoints else None,
            tags=[configs.Tag(key=key, value=value) for key, value in job.tags.items()],
            **_limits(job),
        )
    figures = [configs.MetricDefinition(name=f["Name"], regex=f["Regex"]) for f in training_shape.metric_definitions()]
    return trainer.with_metric_definitions(figures)


def _limits(job: Training) -> dict[str, Any]:
    from sagemaker.core.training import configs  # noqa: PLC0415 - slow, and not always there

    spot = {"max_wait_time_in_seconds": job.max_wait_minutes * 60} if job.max_wait_minutes else {}
    kms = {"kms_key_id": job.placement.kms_key} if job.placement.kms_key else {}
    return {
        "stopping_condition": configs.StoppingCondition(max_runtime_in_seconds=job.max_run_minutes * 60, **spot),
        "output_data_config": configs.OutputDataConfig(s3_output_path=training_shape.output(job), **kms),
    }


def _compute(job: Training) -> Any:
    from sagemaker.core.training.configs import Compute  # noqa: PLC0415 - slow, and not always there

    kms = {"volume_kms_key_id": job.placement.kms_key} if job.placement.kms_key else {}
    return Compute(
        instance_type=job.instance_type,
        instance_count=1,
        volume_size_in_gb=job.volume_gb,
        enable_managed_spot_training=bool(job.max_wait_minutes),
        **kms,
    )


def _networking(job: Training) -> Any:
    from sagemaker.core.training.configs import Networking  # noqa: PLC0415 - slow, and not always there

    placement = job.placement
    vpc = {"subnets": list(placement.subnets), "security_group_ids": list(placement.security_groups)}
    return Networking(enable_network_isolation=placement.is_isolated, **(vpc if placement.subnets else {}))


def _inputs(job: Training) -> list[Any]:
    from sagemaker.core.training.configs import InputData  # noqa: PLC0415 - slow, and not always there

    return [
        InputData(channel_name=channel, data_source=job.source(channel), content_type="text/csv")
        for channel in job.channels
    ]


@contextmanager
def _role_as_it_is() -> Iterator[None]:
    """Let the SDK take the role as it is: its own list of what a role needs is wider than least privilege."""
    before = os.environ.get("SAGEMAKER_VALIDATE_ROLE")
    os.environ["SAGEMAKER_VALIDATE_ROLE"] = before or "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SAGEMAKER_VALIDATE_ROLE"]
