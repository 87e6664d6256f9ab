"""Write what SageMaker must be told of the image: deploy/algorithm.json, and the table in docs/06-hyperparameters.md.

`deploy/algorithm.json` has the shape of CreateAlgorithm's TrainingSpecification, without the image's own URI.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fraud.hyperparameters import Hyperparameters, fields
from fraud.model.algorithms import ALGORITHMS
from fraud.model.resampling import RESAMPLERS
from fraud.model.thresholds import EXAMPLES

ROOT = Path(__file__).parents[1]
NUMBER = r"([0-9.eE+-]+)"
FIGURES = (
    "average_precision",
    "roc_auc",
    "precision",
    "recall",
    "f1",
    "precision_at_k",
    "recall_at_k",
    "brier",
    "logloss",
)
TO_MINIMISE = ("brier", "logloss")
CHOICES = {"algorithm": tuple(ALGORITHMS), "resampling": ("auto", *RESAMPLERS), "threshold_rule": EXAMPLES}


def specification() -> dict[str, Any]:
    """Return the training specification that the code stands for."""
    figures = [f"{rows}:{name}" for rows in ("validation", "test") for name in FIGURES]
    return {
        "SupportedHyperParameters": [_parameter(name, field) for name, field in _all_fields().items()],
        "MetricDefinitions": [{"Name": name, "Regex": f"{name}={NUMBER};"} for name in figures],
        "SupportedTuningJobObjectiveMetrics": [
            {"Type": "Minimize" if name.endswith(TO_MINIMISE) else "Maximize", "MetricName": name}
            for name in figures
            if name.startswith("validation:")
        ],
        "TrainingChannels": [
            _channel("train", "rows to train on", is_required=True),
            _channel("validation", "rows that choose and measure; held out of train where it is missing"),
            _channel("test", "rows that measure and choose nothing"),
        ],
        "SupportsDistributedTraining": False,
    }


def tables() -> str:
    """Return the hyperparameters as Markdown tables: those of every job, then those of each learner."""
    parts = [_table(fields(Hyperparameters))]
    for algorithm, learner in ALGORITHMS.items():
        parts += [f"### `algorithm={algorithm}`", _table(fields(learner.parameters))]
    return "\n\n".join(parts)


def _table(named: Mapping[str, FieldInfo]) -> str:
    lines = ["| name | default | right | what |", "| --- | --- | --- | --- |"]
    for name, field in named.items():
        lines.append(f"| `{name}` | {_default(field) or '-'} | {_right(name, field)} | {field.description} |")
    return "\n".join(lines)


def _all_fields() -> dict[str, FieldInfo]:
    """Return every name that some job may set, once: as the first learner has it that has it."""
    kinds: list[type[BaseModel]] = [Hyperparameters, *(learner.parameters for learner in ALGORITHMS.values())]
    found: dict[str, FieldInfo] = {}
    for kind in kinds:
        found = {**fields(kind), **found}
    return found


def _parameter(name: str, field: FieldInfo) -> dict[str, Any]:
    stated: dict[str, Any] = {"Name": name, "Description": field.description}
    stated |= _range(name, field)
    stated |= {"IsTunable": bool(field.json_schema_extra), "IsRequired": False}
    return {**stated, "DefaultValue": default} if (default := _default(field)) else stated


def _range(name: str, field: FieldInfo) -> dict[str, Any]:
    kind = field.annotation
    values = _choices(name, field)
    if values and name != "threshold_rule":
        return {"Type": "Categorical", "Range": {"CategoricalParameterRangeSpecification": {"Values": list(values)}}}
    low, high = _limits(field)
    if kind is float and high is not None:
        limits = {"MinValue": _plain(low), "MaxValue": _plain(high)}
        return {"Type": "Continuous", "Range": {"ContinuousParameterRangeSpecification": limits}}
    if _is_whole(field) and high is not None:
        limits = {"MinValue": _plain(low), "MaxValue": _plain(high)}
        return {"Type": "Integer", "Range": {"IntegerParameterRangeSpecification": limits}}
    return {"Type": "Integer"} if _is_whole(field) else {"Type": "FreeText"}


def _limits(field: FieldInfo) -> tuple[Any, Any]:
    """Return the least and the largest value that is accepted; just inside a limit that is not."""
    found = {
        name: getattr(rule, name) for rule in field.metadata for name in ("ge", "gt", "le", "lt") if hasattr(rule, name)
    }
    low = found.get("ge", 1e-6 if "gt" in found else None)
    return low, found.get("le", found["lt"] - 1e-6 if "lt" in found else None)


def _plain(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


def _is_whole(field: FieldInfo) -> bool:
    return "Whole" in str(field.annotation) or field.annotation is int


def _choices(name: str, field: FieldInfo) -> tuple[str, ...]:
    if field.annotation is bool:
        return ("true", "false")
    return CHOICES.get(name) or (get_args(field.annotation) if "Literal" in str(get_origin(field.annotation)) else ())


def _right(name: str, field: FieldInfo) -> str:
    if values := _choices(name, field):
        return ", ".join(f"`{value}`" for value in values)
    low, high = _limits(field)
    if low is None:
        kind = str(field.annotation)
        return "names" if "Names" in kind else "units with commas" if "Layers" in kind else "a name"
    return f"{_plain(low)} to {_plain(high)}" if high is not None else f"{_plain(low)} or more"


def _default(field: FieldInfo) -> str:
    value = getattr(field.default, "text", field.default)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def _channel(name: str, description: str, *, is_required: bool = False) -> dict[str, Any]:
    return {
        "Name": name,
        "Description": description,
        "IsRequired": is_required,
        "SupportedContentTypes": ["text/csv"],
        "SupportedCompressionTypes": ["None", "Gzip"],
        "SupportedInputModes": ["File", "FastFile"],
    }


def main() -> None:
    (ROOT / "deploy").mkdir(exist_ok=True)
    (ROOT / "deploy" / "algorithm.json").write_text(json.dumps(specification(), indent=1) + "\n", encoding="utf-8")
    page = ROOT / "docs" / "06-hyperparameters.md"
    page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(text: str) -> str:
    """Return a page with its tables of hyperparameters, from the first to the last that has names, written anew."""
    return re.sub(r"\| name \|(?s:.*)\n\| name \|.*(\n\|.*)+", lambda _: tables(), text)


if __name__ == "__main__":
    main()
