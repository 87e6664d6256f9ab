"""What a training job left, the same on this computer and from AWS."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from aws.training_shape import metric_definitions


@dataclass(frozen=True)
class Fitted:
    """A model, as a file of this computer or an S3 URI, the job's last figures, and the folder of its report."""

    model_data: str
    figures: Mapping[str, float]
    report: Path

    def held_out(self) -> pd.DataFrame:
        """Return each figure on rows that chose nothing, with its 95 % interval."""
        told: dict[str, Any] = json.loads((self.report / "report.json").read_text(encoding="utf-8"))
        return pd.DataFrame(told["figures"][told["measured_on"]]).T.round(3)


def figures(log: str) -> dict[str, float]:
    """Return the last of each figure in a job's log, by the regular expressions that AWS is given for it."""
    found = {told["Name"]: re.findall(told["Regex"], log) for told in metric_definitions()}
    return {name: float(values[-1]) for name, values in found.items() if values}
