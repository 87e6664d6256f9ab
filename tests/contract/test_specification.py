"""What SageMaker is told of the image is what the image does."""

import json
import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from fraud.hyperparameters import fields, read
from fraud.model.algorithms import ALGORITHMS
from make_specification import specification, tables, with_tables
from tests.processes import ROOT

TOLD = specification()
NUMBERS = [
    parameter
    for parameter in TOLD["SupportedHyperParameters"]
    if parameter["Type"] in ("Integer", "Continuous") and "Range" in parameter
]
# Who may be told a name: a name of every job is tried with the learner that a job has by itself.
OWNERS = {
    parameter["Name"]: [name for name, kind in ALGORITHMS.items() if parameter["Name"] in fields(kind.parameters)]
    or ["xgboost"]
    for parameter in TOLD["SupportedHyperParameters"]
}


def test_the_files_are_what_the_code_stands_for() -> None:
    """The specification in deploy/ and the table in docs/ are those of the code: `make_specification.py`."""
    assert json.loads((ROOT / "deploy/algorithm.json").read_text()) == TOLD
    assert tables() in (ROOT / "docs/06-hyperparameters.md").read_text()


def test_other_tables_stay() -> None:
    """Writing the tables anew leaves the rest of the page, other tables too, as it was."""
    page = (ROOT / "docs/06-hyperparameters.md").read_text()

    assert with_tables(page) == page
    assert with_tables(page.replace("| `seed` |", "| `sead` |")) == page


def test_headings_that_pages_link_to_are_there() -> None:
    """A link to a part of another page of docs/ ends at a heading."""
    pages = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}
    links = {link for text in pages.values() for link in re.findall(r"\]\(([\w-]+\.md)#([\w-]+)\)", text)}
    headings = {
        (name, heading.lower().replace(" ", "-"))
        for name, text in pages.items()
        for heading in re.findall("^#+ (.+)$", text, flags=re.MULTILINE)
    }

    assert links
    assert links <= headings


@pytest.mark.parametrize("parameter", NUMBERS, ids=lambda parameter: str(parameter["Name"]))
def test_both_ends_of_every_range_are_accepted(parameter: dict[str, dict[str, dict[str, str]]]) -> None:
    """A tuner that goes to the limits of a range is never refused (T55)."""
    (limits,) = parameter["Range"].values()

    for value in limits.values():
        for algorithm in OWNERS[str(parameter["Name"])]:
            read({"algorithm": algorithm, str(parameter["Name"]): value})


def test_choices_and_defaults_are_accepted() -> None:
    """Every choice and every default that is told can be set."""
    for parameter in TOLD["SupportedHyperParameters"]:
        choices = parameter.get("Range", {}).get("CategoricalParameterRangeSpecification", {}).get("Values", [])
        for value in [*choices, *([parameter["DefaultValue"]] if "DefaultValue" in parameter else [])]:
            for algorithm in OWNERS[parameter["Name"]]:
                read({"algorithm": algorithm, parameter["Name"]: value})


def test_every_metric_line_has_its_definition(trained: Path) -> None:
    """The regular expressions read every figure in the bundle off the lines that a job prints (T52-T54, T57)."""
    figures = json.loads((trained / "model/bundle.json").read_text())["figures"]["validation"]
    lines = (trained / "stdout").read_text()
    definitions = {metric["Name"]: metric["Regex"] for metric in TOLD["MetricDefinitions"]}

    assert len(definitions) <= 40
    for name, figure in figures.items():
        assert float(re.findall(definitions[f"validation:{name}"], lines)[-1]) == pytest.approx(
            figure["value"], abs=1e-6
        )


def test_a_name_means_the_same_for_every_learner() -> None:
    """Learners that share a name share its kind and its limits, so that one range stands for all of them."""
    for name, owners in OWNERS.items():
        found = {str((field.annotation, field.metadata)) for field in fields_named(name, owners)}
        assert len(found) <= 1, name


def fields_named(name: str, owners: list[str]) -> list[FieldInfo]:
    of_owners = [fields(ALGORITHMS[owner].parameters) for owner in owners]
    return [known[name] for known in of_owners if name in known]
