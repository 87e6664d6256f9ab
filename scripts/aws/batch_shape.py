"""A batch transform job as a person wants it: values alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Transform:
    """A batch transform job. What is None is left to the image, which answers /execution-parameters (S42)."""

    name: str
    model: str
    source: str
    output: str
    content_type: str = "text/csv"
    accept: str = "text/csv"
    split: str = "Line"
    assemble: str = "Line"
    strategy: str | None = "MultiRecord"
    join: bool = False
    input_filter: str | None = None
    output_filter: str | None = None
    compression: str | None = None
    instance_type: str = "ml.m5.large"
    instances: int = 1
    max_payload_mb: int | None = None
    max_concurrent: int | None = None
    timeout_seconds: int | None = None
    retries: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    kms_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: {"project": "fraud-detect"})
