"""What unit tests of the scripts share."""

from collections.abc import Iterator

import pytest

from tests.aws_world import Cloud, cloud_of


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An account of AWS, made by moto, that notes every request."""
    with cloud_of(monkeypatch) as made:
        yield made
