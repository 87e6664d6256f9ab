"""An endpoint as a person wants it: values alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws.calls import LONGEST_NAME, unique

# A long endpoint's name keeps as much for a long variant's: policies in scripts/iam tell what is ours by its beginning.
LEAST_BEGINNING = 20
# What new instances have to start, and old ones to answer what they have begun.
START_SECONDS = 1800
TERMINATION_WAIT_SECONDS = 120


@dataclass(frozen=True)
class Variant:
    """A model and the instances that serve it; `weight` is its share of the traffic against the others'."""

    name: str
    image: str
    model_data: str
    instance_type: str = "ml.m5.large"
    instances: int = 1
    weight: float = 1.0


@dataclass(frozen=True)
class Placement:
    """What every container of an endpoint or job gets."""

    role: str
    environment: Mapping[str, str] = field(default_factory=dict)
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    is_isolated: bool = False
    kms_key: str | None = None

    @property
    def vpc(self) -> dict[str, list[str]] | None:
        """Return the VPC in AWS's shape, or None."""
        if not self.subnets:
            return None
        return {"SecurityGroupIds": list(self.security_groups), "Subnets": list(self.subnets)}


@dataclass(frozen=True)
class Serverless:
    """Memory in MB, and how many requests at once."""

    memory_mb: int
    max_concurrency: int = 5


@dataclass(frozen=True)
class Asynchronous:
    """Where answers and errors go, and how many requests an instance takes at once."""

    output: str
    failures: str | None = None
    concurrency: int | None = None


@dataclass(frozen=True)
class Capture:
    """Where requests and answers are kept, and how many per cent of them."""

    destination: str
    percent: int = 100


@dataclass(frozen=True)
class Scaling:
    """Instances of each variant, and the load per instance that is aimed at.

    `target` is invocations a minute; for an asynchronous endpoint, requests that wait.
    """

    least: int
    most: int
    target: float
    scale_in_seconds: int = 300
    scale_out_seconds: int = 60


@dataclass(frozen=True)
class Rollout:
    """How traffic moves to a new fleet, and what makes it move back."""

    traffic: str = "all-at-once"
    step_percent: int = 10
    wait_seconds: int = 300
    alarms: Sequence[str] = ()
    errors_above: int | None = None
    latency_ms_above: int | None = None

    @property
    def steps(self) -> int:
        """Return how often traffic moves, with a wait after each time."""
        if self.traffic == "linear":
            return -(-100 // self.step_percent)
        return 2 if self.traffic == "canary" else 1

    @property
    def longest_seconds(self) -> int:
        """Return the time after which AWS may give an update up."""
        return START_SECONDS + self.steps * self.wait_seconds + TERMINATION_WAIT_SECONDS


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as it shall be. `suffix` makes the names of this run's model and configuration unique."""

    name: str
    suffix: str
    variants: Sequence[Variant]
    placement: Placement
    shadow: Variant | None = None
    kind: Serverless | Asynchronous | None = None
    capture: Capture | None = None
    scaling: Scaling | None = None
    rollout: Rollout = Rollout()
    tags: Mapping[str, str] = field(default_factory=lambda: {"project": "fraud-detect"})
    is_update: bool = False

    @property
    def config_name(self) -> str:
        """Return the name of this run's endpoint configuration."""
        return unique(self._stem, self.suffix)

    def model_name(self, variant: Variant) -> str:
        """Return the name of this run's model of a variant; what is too long for it is cut from the endpoint's first.

        A variant that does not fit even so is cut too, and ends with its number.
        """
        part = variant.name
        room = LONGEST_NAME - len(f"-{self.suffix}") - len("-") - min(len(self._stem), LEAST_BEGINNING)
        if len(part) > room:
            number = f"-{self.containers.index(variant) + 1}"
            part = part[: room - len(number)].rstrip("-") + number
        return unique(self._stem, f"{part}-{self.suffix}")

    @property
    def _stem(self) -> str:
        """Return the endpoint's name without the ending that it has of this run where nobody named it."""
        return self.name.removesuffix(f"-{self.suffix}")

    @property
    def destinations(self) -> list[str]:
        """Return where in S3 the endpoint writes."""
        captured = [self.capture.destination] if self.capture else []
        answers = [self.kind.output, self.kind.failures] if isinstance(self.kind, Asynchronous) else []
        return [*captured, *(uri for uri in answers if uri)]

    @property
    def containers(self) -> list[Variant]:
        """Return all variants, the shadow last."""
        return [*self.variants, *([self.shadow] if self.shadow else [])]
