"""What the notebook calls its things, so that its last cell finds all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "train_and_deploy"
# What a dry run names where nobody has set the real ones.
EXAMPLE_ROLE = "arn:aws:iam::123456789012:role/example"
EXAMPLE_S3 = "s3://example-bucket/fraud-detect"
EXAMPLE_IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/fraud-detect:example"


@dataclass(frozen=True)
class Names:
    """`own` names the endpoint, a folder below `s3`, and the tag `notebook` of all that is made."""

    own: str
    role: str
    s3: str
    image: str | None = None

    @property
    def folder(self) -> str:
        """Return where in S3 everything of the notebook lies."""
        return f"{self.s3.rstrip('/')}/{self.own}"

    @property
    def tags(self) -> Mapping[str, str]:
        """Return the tags of all that is made."""
        return {"project": "fraud-detect", "notebook": self.own}
