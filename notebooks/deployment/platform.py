"""The steps of the notebook by one set of names, wherever they are done."""

from collections import Counter
from pathlib import Path
from typing import Any, Protocol

from notebooks.deployment.cloud import Cloud
from notebooks.deployment.fitted import Fitted
from notebooks.deployment.local import Local
from notebooks.deployment.names import Names

from aws.batch_shape import Transform
from aws.calls import Call
from aws.endpoint_shape import Endpoint, Variant
from aws.files import Upload
from aws.training_shape import Training


class Platform(Protocol):
    """SageMaker, or its local mode."""

    def image(self) -> str:
        """Return the name of the image, built and where it is needed."""

    def upload(self, job: Training) -> Training:
        """Return the job with its channels where the platform reads them."""

    def plan(self, job: Training) -> list[Upload | Call]:
        """Return what AWS is asked for the job."""

    def train(self, job: Training) -> Fitted:
        """Run the job to its end."""

    def deploy(self, endpoint: Endpoint) -> Any:
        """Make the endpoint, and return the client that invokes it, as boto3 has it."""

    def update(self, endpoint: Endpoint) -> None:
        """Let the endpoint serve something else, or in another way."""

    def transform(self, job: Transform, model: Variant, rows: Path) -> list[str]:
        """Answer each line of a file, and return the answers joined to the ids."""

    def delete(self) -> None:
        """Delete everything of the notebook."""


def open_platform(names: Names, *, is_local: bool) -> Platform:
    """Return where the steps are done. Raises Problem where AWS is wanted and something of it is missing."""
    return Local(names) if is_local else Cloud.connect(names)


def answered_by(client: Any, endpoint: str, body: str, times: int) -> Counter[str]:
    """Ask several times, and count which variant has answered."""
    counted: Counter[str] = Counter()
    for _ in range(times):
        answer = client.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="text/csv")
        answer["Body"].read()
        counted[answer["InvokedProductionVariant"]] += 1
    return counted
