"""The steps in SageMaker's local mode; what it lacks is shown as the calls that AWS would get."""

import atexit
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import ClientError
from notebooks.deployment import lines
from notebooks.deployment.calls import show
from notebooks.deployment.fitted import Fitted, figures
from notebooks.deployment.names import BUILD, EXAMPLE_IMAGE, ROOT, Names

import deploy
import local_docker
import local_mode
import train_job
from aws.batch_shape import Transform
from aws.calls import Call
from aws.endpoint_shape import Endpoint, Variant
from aws.files import Upload
from aws.training_shape import Training, uploads
from local_docker import LocalModeError

IMAGE = "fraud-detect"
DRY = "dry run: local mode has none of this, and AWS would get:\n"
JOIN = {"join": True, "input_filter": "$[1:]", "output_filter": "$[0,-1]"}


@dataclass(frozen=True)
class Local:
    """This computer's Docker; `served` is the container of the endpoint, while there is one."""

    names: Names
    served: ExitStack = field(default_factory=ExitStack)

    def image(self) -> str:
        """Return the image that FRAUD_IMAGE names, or build it. Raises LocalModeError."""
        name = self.names.image or IMAGE
        if self.names.image:
            click.echo(f"FRAUD_IMAGE is set: {name} is taken as it is, and nothing is built")
        else:
            click.echo(f"docker build --tag {name} . takes minutes the first time")
            build(name)
        local_docker.check(name)
        return name

    def upload(self, job: Training) -> Training:
        """Show what AWS would get: local mode reads the channels where they are. Raises Problem for an empty one."""
        show([DRY, *uploads(job)])
        return job

    def plan(self, job: Training) -> list[Upload | Call]:
        """Return the call that AWS would get. Raises Problem for what the image or SageMaker would refuse."""
        return train_job.plan(replace(job, image=EXAMPLE_IMAGE))[-1:]

    def train(self, job: Training) -> Fitted:
        """Run the job here, where there is no spot instance and no checkpoint. Raises LocalModeError."""
        train_job.check(replace(job, image=EXAMPLE_IMAGE))
        channels = {name: Path(path) for name, path in job.channels.items()}
        trained = local_mode.train(job.image, channels, job.hyperparameters, BUILD / job.name)
        return Fitted(str(trained.model_archive), figures(trained.log), trained.output / "data")

    def deploy(self, endpoint: Endpoint) -> Any:
        """Serve the first variant until `delete`, or the end of the kernel. Raises LocalModeError."""
        variant = endpoint.variants[0]
        model = local_mode.Model(variant.image, Path(variant.model_data), endpoint.placement.environment)
        self.served.close()
        atexit.register(self.served.close)
        return Runtime(self.served.enter_context(local_mode.endpoint(model)), variant.name)

    def update(self, endpoint: Endpoint) -> None:
        """Show the calls that AWS would get. Raises Problem for what it would refuse."""
        show([DRY, *deploy.plan(self.on_aws(endpoint))])

    def transform(self, job: Transform, model: Variant, rows: Path) -> list[str]:
        """Answer each line by the SDK's `Transformer`, which knows no join, and join here. Raises LocalModeError."""
        if asked := {name: getattr(job, name) for name in JOIN if getattr(job, name) != JOIN[name]}:
            raise LocalModeError(f"local mode joins as {JOIN} only, not {asked}")
        ids, bare = lines.split_ids(rows.read_text(encoding="utf-8"))
        path = BUILD / "transform" / rows.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(bare, encoding="utf-8")
        (answers,) = local_mode.transform(
            local_mode.Model(model.image, Path(model.model_data), job.environment), path, path.parent
        )
        return lines.join(ids, answers.read_text(encoding="utf-8"))

    def on_aws(self, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint with an image in ECR, and its models in S3 where the jobs would have put them."""
        shadow = self._variant_on_aws(endpoint.shadow) if endpoint.shadow else None
        return replace(
            endpoint, variants=[self._variant_on_aws(variant) for variant in endpoint.variants], shadow=shadow
        )

    def _variant_on_aws(self, variant: Variant) -> Variant:
        job = Path(variant.model_data).parent.name
        return replace(variant, image=EXAMPLE_IMAGE, model_data=f"{self.names.folder}/output/{job}/output/model.tar.gz")

    def delete(self) -> None:
        """Stop the endpoint; the files stay."""
        self.served.close()
        click.echo(f"no container is left; models and reports stay in {BUILD.relative_to(ROOT)}/")


@dataclass(frozen=True)
class Runtime:
    """boto3's `sagemaker-runtime` client for an endpoint of this computer."""

    server: local_mode.Endpoint
    variant: str

    def invoke_endpoint(self, **asked: Any) -> Mapping[str, Any]:
        """Answer as the service does, where a refusal is a ModelError. Raises ClientError."""
        with local_docker.heard(self.server.place, "invoking"):
            answer: dict[str, Any] = self.server.client.invoke_endpoint(**asked)
        told = answer["ResponseMetadata"]
        if told["HTTPStatusCode"] != 200:
            raise refusal(told["HTTPStatusCode"], answer["Body"].read().decode())
        headers = {name.lower(): text for name, text in told["HTTPHeaders"].items()}
        attributes = headers.get("x-amzn-sagemaker-custom-attributes", "")
        return answer | {"InvokedProductionVariant": self.variant, "CustomAttributes": attributes}


def refusal(status: int, body: str) -> ClientError:
    """Return what boto3 raises where a container refuses a request."""
    said = f'Received client error ({status}) from primary with message "{body.strip()}"'
    told: Any = {"Error": {"Code": "ModelError", "Message": said}}
    return ClientError(told | {"OriginalStatusCode": status, "OriginalMessage": body}, "InvokeEndpoint")


def build(name: str) -> None:
    """Build the image under a name of its own. Raises LocalModeError with the end of what Docker says."""
    try:
        built = subprocess.run(
            ["docker", "build", "--tag", name, str(ROOT)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise LocalModeError("docker is not on the PATH: install it, local mode cannot do without") from error
    if built.returncode:
        raise LocalModeError(f"docker build failed: {' '.join(built.stderr.splitlines()[-3:])}")
