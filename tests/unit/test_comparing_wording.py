import re
from pathlib import Path
from typing import Any

import pytest

from fraud import channels
from fraud.comparing.wording import difference, of_command
from fraud.errors import UserError
from fraud.layout import Roles
from tests.comparisons import make_plan

ROWS = "a,b,Class\n1,2,0\n3,4,1\n"
WORDS = "a,id,Class\n" + "".join(f"{n},w{n},{n % 2}\n" for n in range(2000))


@pytest.mark.parametrize(
    ("text", "roles", "words"),
    [
        pytest.param(ROWS, Roles("klass"), r"among .*; set --label to the column", id="label"),
        pytest.param(ROWS, Roles("Class", ("zz",)), "--exclude names it: correct --exclude$", id="exclude"),
        pytest.param(
            ROWS, Roles("Class", (), "when"), "--time-column names it: correct --time-column$", id="time column"
        ),
        pytest.param(
            ROWS,
            Roles("Class", ("Class",)),
            "own.csv: --exclude names the label .* out of --exclude$",
            id="excluded label",
        ),
        pytest.param(WORDS, Roles("Class"), "no category; give --exclude id$", id="identifier"),
        pytest.param(
            WORDS.replace("w", "", 1500), Roles("Class"), "or give --categories id or --exclude id$", id="mixed"
        ),
        pytest.param("a,b,Class\n", Roles("Class"), "own.csv holds a header and no rows$", id="no rows"),
    ],
)
def test_errors_of_reading(tmp_path: Path, text: str, roles: Roles, words: str) -> None:
    """What is wrong with DATA is said with the file and the options, and no word of a training job."""
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        channels.read(path, roles)
    told = of_command(str(raised.value), path)

    assert re.search(words, told)
    assert not re.search(r"channel|time_column|exclude=|categories=", told)


SEARCHED: dict[str, Any] = {"search": "random", "candidates": {"xgboost": ({"eta": "0.1"}, {"eta": "0.2"})}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"candidates": {"xgboost": ({"eta": "0.1"},)}},
            "--trials or the grids differ (candidates of xgboost); give the same, or another --out",
            id="trials",
        ),
        pytest.param(
            {"told": {"seed": "1", "smote_ratio": "0.5"}, "candidates": {"xgboost": ({"eta": "0.3"},)}},
            "--seed was 0, and is 1 now; give the same, or another --out",
            id="a seed draws other candidates",
        ),
        pytest.param(
            {"told": {"seed": "0"}},
            "--set smote_ratio was 0.5, and is not given now; give the same, or another --out",
            id="set",
        ),
        pytest.param(
            {"resamplings": ("none",)},
            "--resamplers was none,smote, and is none now; give the same, or another --out",
            id="resamplers",
        ),
        pytest.param({}, "", id="the same"),
    ],
)
def test_difference(changes: dict[str, Any], words: str) -> None:
    """The option that differs is named, with its values where these are short."""
    was, now = make_plan(**SEARCHED), make_plan(**{**SEARCHED, **changes})

    assert difference(was.stated(), now.stated()) == words
