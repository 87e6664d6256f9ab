"""The words of a training job in those of the command line: its hyperparameters are options, its channel is DATA."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fraud.comparing import sets

STATED: Final = {
    "learners": "--learners",
    "resamplings": "--resamplers",
    "folds": "--folds",
    "split": "--split",
    "search": "--search",
    "threads": "--threads",
}
# Values of these hang on options that are compared first.
LATER: Final = ("candidates", "versions")
ROLES: Final = "label|exclude|categories|time_column"
# In the order in which they are applied.
PHRASES: Final = (
    (rf"\bset (?=(?:{ROLES})=)", "give "),
    (rf"\b({ROLES})=", r"--\1 "),
    (rf"\bset ({ROLES}) to\b", r"set --\1 to"),
    (rf"(?:^|(?<=: ))({ROLES}) names the label", r"--\1 names the label"),
    (rf"\b({ROLES}) names it: correct \1\b", r"--\1 names it: correct --\1"),
    (rf"\btake it out of ({ROLES})\b", r"take it out of --\1"),
)


def of_command(message: str, data: Path) -> str:
    """Return what reading says to a training job as the command line says it."""
    told = message.replace(f'channel "{data.name}"', str(data))
    for phrase, words in PHRASES:
        told = re.sub(phrase, words, told)
    return told.replace("--time_column", "--time-column")


def difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return which option differs from those of a comparison to go on with; nothing where all are the same."""
    names = sorted({**now, **was}, key=LATER.__contains__)
    name = next((name for name in names if was.get(name) != now.get(name)), None)
    if name is None:
        return ""
    first, second = was.get(name), now.get(name)
    if name == "data":
        return "the rows of DATA are not those of the comparison in --out"
    if not isinstance(first, dict) or not isinstance(second, dict):
        return _changed(STATED.get(name, name), first, second)
    key = next(key for key in {**second, **first} if first.get(key) != second.get(key))
    if name == "candidates":
        return f"--trials or the grids differ (candidates of {key}); give the same, or another --out"
    if name == "hyperparameters_of_learners":
        of_was, of_now = first.get(key, {}), second.get(key, {})
        inner = next(inner for inner in {**of_now, **of_was} if of_was.get(inner) != of_now.get(inner))
        return _changed(f"--set {inner} (of {key})", of_was.get(inner), of_now.get(inner))
    option = f"the version of {key}" if name == "versions" else sets.OPTIONS.get(key, f"--set {key}")
    return _changed(option, first.get(key), second.get(key))


def _changed(what: str, was: object, now: object) -> str:
    return f"{what} was {_shown(was)}, and is {_shown(now)} now; give the same, or another --out"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "not given" if value is None else value if isinstance(value, str) else json.dumps(value)
