"""The steps on AWS, by the functions of scripts/."""

import os
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import click
from botocore.exceptions import ClientError
from notebooks.deployment.fitted import Fitted
from notebooks.deployment.names import BUILD, EXAMPLE_ROLE, EXAMPLE_S3, ROOT, Names

import batch_transform
import deploy
import teardown
import train_job
from aws import checks, files, sessions, teardown_find, teardown_storage
from aws.batch_shape import Transform
from aws.calls import Call
from aws.endpoint_calls import model_call
from aws.endpoint_shape import Endpoint, Placement, Variant
from aws.files import Upload
from aws.sessions import Problem
from aws.training_shape import Training, uploads

REPOSITORY = "fraud-detect"
PUSH = ROOT / "build_and_push.sh"
STAYS = "the image in ECR stays: scripts/teardown.py --yes --delete-images deletes all of the repository"


@dataclass(frozen=True)
class Cloud:
    """An account of AWS, by its session."""

    names: Names
    session: boto3.Session

    @classmethod
    def connect(cls, names: Names) -> "Cloud":
        """Return the account that the credentials are of. Raises Problem where role, bucket or they are missing."""
        for variable, told, example in (
            ("SAGEMAKER_ROLE", names.role, EXAMPLE_ROLE),
            ("FRAUD_S3", names.s3, EXAMPLE_S3),
        ):
            if told == example:
                raise Problem(f"{variable} is not set: on AWS it is needed, such as {example}")
        session = sessions.connect()
        account = checks.check_account(session)
        checks.check_role(session, names.role, account)
        checks.check_bucket(session, names.s3)
        click.echo(f"account {account}, region {session.region_name}")
        return cls(names, session)

    def image(self) -> str:
        """Return the image that FRAUD_IMAGE names, or that of this commit, pushed where it is not in ECR yet."""
        uri = self.names.image or pushed(self.session, commit())
        if uri is None:
            return push(PUSH, self.session.region_name)
        checks.check_image(self.session, uri)
        click.echo("in ECR already, nothing is built")
        return uri

    def upload(self, job: Training) -> Training:
        """Upload local channels, and return the job with where they are in S3. Raises Problem."""
        for file in uploads(job):
            files.upload(self.session, file, job.placement.kms_key)
        return replace(job, channels={name: job.source(name) for name in job.channels})

    def plan(self, job: Training) -> list[Upload | Call]:
        """Return the call that starts the job. Raises Problem for what the image or SageMaker would refuse."""
        return train_job.plan(job)

    def train(self, job: Training) -> Fitted:
        """Run the job, and fetch its report. Raises Problem with SageMaker's reason where it fails."""
        told = train_job.train(job, self.session)
        folder = BUILD / job.name / "report"
        archive = self._fetch(told["model_data"].rpartition("/")[0] + "/output.tar.gz", folder.with_suffix(".tar.gz"))
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        return Fitted(told["model_data"], told["figures"], folder)

    def deploy(self, endpoint: Endpoint) -> Any:
        """Make the endpoint, wait until it is in service, and return boto3's client. Raises Problem."""
        deploy.deploy(endpoint, self.session)
        return sessions.client(self.session, "sagemaker-runtime")

    def update(self, endpoint: Endpoint) -> None:
        """Update the endpoint, and wait until it serves what is wanted. Raises Problem."""
        deploy.deploy(endpoint, self.session)

    def transform(self, job: Transform, model: Variant, rows: Path) -> list[str]:
        """Upload rows, run the job with a model of its own, and fetch the lines. Raises Problem."""
        files.upload(self.session, Upload(rows, job.source))
        made = model_call(job.model, model, Placement(self.names.role), job.tags)
        where = batch_transform.transform(job, self.session, model=made)
        name = job.source.rpartition("/")[2] + ".out"
        return self._fetch(f"{where}/{name}", BUILD / "transform" / name).read_text(encoding="utf-8").splitlines()

    def delete(self) -> None:
        """Delete all that has the notebook's tag, and its folder in S3. Raises Problem for what is still there."""
        found = teardown_find.find(self.session, ("notebook", self.names.own))
        teardown.show(found)
        problems = teardown.delete(found, self.session)
        folder = self.names.folder + "/"
        problems += teardown_storage.delete_objects(
            self.session, folder, teardown_storage.objects(self.session, folder)
        )
        if problems:
            raise Problem("\n".join(["some things are still there:", *problems]))
        click.echo(STAYS)

    def _fetch(self, uri: str, path: Path) -> Path:
        bucket, key = checks.bucket_and_key(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        with sessions.one_line():
            sessions.client(self.session, "s3").download_file(bucket, key, str(path))
        return path


def commit() -> str:
    """Return the tag that build_and_push.sh gives. Raises Problem where there is no commit."""
    asked = ["git", "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem(f"no git commit to build, and FRAUD_IMAGE is not set: {done.stderr.strip()}")
    return done.stdout.strip()


def pushed(session: boto3.Session, tag: str) -> str | None:
    """Return the URI of an image in ECR, or None where there is none with that tag. Raises Problem."""
    ecr = sessions.client(session, "ecr")
    try:
        ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])
        (repository,) = ecr.describe_repositories(repositoryNames=[REPOSITORY])["repositories"]
    except ClientError as error:
        if sessions.is_absent(error):
            return None
        raise Problem(sessions.explain(error)) from error
    return f"{repository['repositoryUri']}:{tag}"


def push(program: Path, region: str) -> str:
    """Build and push the image of this commit, show what is said meanwhile, and return its URI. Raises Problem."""
    told = {**os.environ, "AWS_REGION": region, "IMAGE_NAME": REPOSITORY}
    with subprocess.Popen([program], env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        said = ""
        for said in running.stderr or ():
            click.echo(said.rstrip(), err=True)
        uri, _ = running.communicate()
    if running.returncode:
        raise Problem(said.strip() or f"{program.name} ended with code {running.returncode}")
    return str(uri).strip()
