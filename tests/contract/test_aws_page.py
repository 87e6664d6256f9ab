"""The page on AWS promises options, files and messages: each is there."""

import re
import shlex
from pathlib import Path

import click
import pytest

import batch_transform
import deploy
import teardown
import train_job
from fraud import errors
from iam import render

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "03-aws.md").read_text(encoding="utf-8")
COMMANDS: dict[str, click.Command] = {
    "scripts/deploy.py": deploy.main,
    "scripts/batch_transform.py": batch_transform.main,
    "scripts/teardown.py": teardown.main,
    "scripts/train_job.py": train_job.main,
    "scripts/iam/render.py": render.main,
}
VARIABLES = {"MODEL": "s3://bucket/model.tar.gz", "FRAUD_S3": "s3://bucket/fraud-detect", "ACCOUNT": "123456789012"}
VARIABLES |= {"BUCKET": "bucket", "@": "execution"}
VARIABLES_OF_THE_ENVIRONMENT = {"AWS_PROFILE", "AWS_REGION", "SAGEMAKER_INFERENCE_OUTPUT"}


def commands() -> list[list[str]]:
    """Return the words of every command of the page that runs a script, with its variables filled in."""
    shells = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ")
    lines = re.findall(r"python (scripts/[^\n|;]*)", shells)
    return [
        shlex.split(re.sub(r'"?\$(\w+|@)"?', lambda match: VARIABLES[match[1]], line), comments=True) for line in lines
    ]


def has_dry_run(words: list[str]) -> bool:
    return any("--dry-run" in option.opts for option in COMMANDS[words[0]].params)


def each(wanted: list[list[str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)[:60]) for words in wanted])


@each(commands())
def test_commands(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the page is one that its script takes."""
    monkeypatch.setenv("FRAUD_S3", "s3://bucket/fraud-detect")
    script, *arguments = words

    assert COMMANDS[script].make_context(script, arguments).params


@each([words for words in commands() if has_dry_run(words)])
def test_dry_runs(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that makes something passes its dry run."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("FRAUD_S3", "s3://bucket/fraud-detect")
    monkeypatch.setenv("FRAUD_IMAGE", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/fraud-detect:v1")
    monkeypatch.setenv("SAGEMAKER_ROLE", "arn:aws:iam::123456789012:role/fraud-detect-execution")
    script, *arguments = words

    COMMANDS[script].main([*arguments, "--dry-run"], script, standalone_mode=False)

    assert "sagemaker.create_" in capsys.readouterr().out


def test_codes() -> None:
    """Every error code that the page explains is one that the image gives."""
    source = Path(errors.__file__).read_text(encoding="utf-8")
    codes = set(re.findall(r"`(?:[^`]*? )?([A-Z]+(?:_[A-Z]+)+):? ?[^`]*`", PAGE.partition("## When something")[2]))

    assert codes - {code for code in codes if f'"{code}"' in source} - VARIABLES_OF_THE_ENVIRONMENT == set()
    assert {"DATA_NO_FRAUD", "MODEL_UNUSABLE"} <= codes


def test_files() -> None:
    """Every file that the page links to is there."""
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", PAGE) if not link.startswith("http")}

    assert {link for link in links if not (ROOT / "docs" / link).exists()} == set()
