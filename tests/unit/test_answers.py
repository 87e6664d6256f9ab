import csv
import io
import json

import numpy as np
import pytest

from fraud.codecs.answers import OUTPUTS, Answer, encode_csv, encode_json, encode_json_lines
from fraud.model.reasons import Reason
from fraud.model.scores import DECISIONS, Scores

SCORES = Scores(
    np.array([-2.0, 1.5, 4.0]),
    np.array([0.1, 0.8, 0.95]),
    np.array([False, True, True]),
    np.array([False, False, True]),
)
WHY = (Reason("Amount", 149.62, 1.25), Reason('a "b"', "x,y", -0.5), Reason("V1", None, 1e-5))
REASONS = (None, WHY, ())


def answer(*outputs: str, **more: object) -> Answer:
    return Answer(SCORES, outputs, REASONS, 0.25, **more)  # type: ignore[arg-type] # each test names what it sets


def test_csv_default() -> None:
    """CSV answers one probability a line, ending in a newline (S39)."""
    assert encode_csv(answer()) == b"0.1\n0.8\n0.95\n"


def test_csv_columns() -> None:
    """CSV answers what is asked for, in that order, and quotes a cell that is a list."""
    assert encode_csv(answer("predicted_label", "raw_score")) == b"0,-2.0\n1,1.5\n1,4.0\n"
    assert encode_csv(answer("labels")) == b'"[0,1]"\n"[0,1]"\n"[0,1]"\n'
    assert encode_csv(answer("raw_scores", "predicted_label")) == b'"[2.0,-2.0]",0\n"[-1.5,1.5]",1\n"[-4.0,4.0]",1\n'


def test_csv_header() -> None:
    """A line of names comes first where it is asked for."""
    assert encode_csv(answer("decision", "base_value", names_columns=True)) == (
        b"decision,base_value\napprove,0.25\nreview,0.25\ndecline,0.25\n"
    )


def test_csv_reasons() -> None:
    """In CSV the reasons of a row are one cell, whatever its columns are called; a row without any has an empty one."""
    text = encode_csv(answer("probability", "reasons")).decode()

    assert [row[1] for row in csv.reader(io.StringIO(text))] == ["", 'Amount:+1.25;a "b":-0.5;V1:+1e-05', ""]


def test_json_default() -> None:
    """JSON answers probability and label under `predictions`."""
    assert json.loads(encode_json(answer())) == {
        "predictions": [
            {"probability": 0.1, "predicted_label": 0},
            {"probability": 0.8, "predicted_label": 1},
            {"probability": 0.95, "predicted_label": 1},
        ]
    }


def test_json_lines_default() -> None:
    """JSON Lines answers one object a line."""
    assert encode_json_lines(answer()) == (
        b'{"probability":0.1,"predicted_label":0}\n'
        b'{"probability":0.8,"predicted_label":1}\n'
        b'{"probability":0.95,"predicted_label":1}\n'
    )


def test_json_reasons() -> None:
    """In JSON a reason has the cell as its sender wrote it, what it adds, and which way."""
    without, reasons, none = json.loads(encode_json(answer("reasons")))["predictions"]

    assert (without, none) == ({"reasons": None}, {"reasons": []})
    assert reasons["reasons"] == [
        {"feature": "Amount", "value": 149.62, "contribution": 1.25, "direction": "increases"},
        {"feature": 'a "b"', "value": "x,y", "contribution": -0.5, "direction": "decreases"},
        {"feature": "V1", "value": None, "contribution": 1e-5, "direction": "increases"},
    ]


def test_every_output() -> None:
    """Each word says the same of a row in every format."""
    names = tuple(name for name in OUTPUTS if name not in ("reasons", "decision"))
    _, record, _ = json.loads(encode_json(answer(*names)))["predictions"]
    _, line, _ = encode_json_lines(answer(*names)).splitlines()
    _, cells, _ = csv.reader(io.StringIO(encode_csv(answer(*names)).decode()))

    assert record == json.loads(line) == dict(zip(names, map(json.loads, cells), strict=True))
    assert record["probabilities"] == pytest.approx([0.2, 0.8])
    assert record["raw_scores"] == [-1.5, 1.5]
    assert (record["labels"], record["predicted_label"], record["base_value"]) == ([0, 1], 1, 0.25)
    assert list(record) == list(names)


def test_decisions() -> None:
    """A decision is one of three words in every format."""
    records = json.loads(encode_json(answer("decision")))["predictions"]
    lines = [json.loads(line) for line in encode_json_lines(answer("decision")).splitlines()]

    assert [record["decision"] for record in records] == list(DECISIONS)
    assert lines == records
    assert encode_csv(answer("decision")).decode().split() == list(DECISIONS)


def test_errors() -> None:
    """A record that was refused stands in its place and says why, on one line."""
    told = {0: "no such column", 2: 'a "b",\nc', 4: "last"}
    wanted = answer("probability", "decision", errors=told)
    rows = list(csv.reader(io.StringIO(encode_csv(wanted).decode())))

    assert [row[0] for row in rows] == ["ERROR: no such column", "0.1", 'ERROR: a "b", c', "0.8", "ERROR: last", "0.95"]
    assert {len(row) for row in rows} == {2}
    lines = [json.loads(line) for line in encode_json_lines(wanted).splitlines()]
    assert {position: lines[position]["error"] for position in told} == told
    assert [line["probability"] for line in lines if "error" not in line] == [0.1, 0.8, 0.95]


def test_nothing_scored() -> None:
    """Where every record was refused there is an error for each, and no score."""
    wanted = Answer(Scores.joined([]), errors={0: "one", 1: "two"})

    assert encode_csv(wanted) == b"ERROR: one\nERROR: two\n"
    assert encode_json_lines(wanted) == b'{"error":"one"}\n{"error":"two"}\n'


def test_exact_numbers() -> None:
    """A probability is written so that it is read back to the last bit."""
    probability = np.random.default_rng(0).random(1000)
    flagged = probability > 0.5
    scores = Scores(probability, probability, flagged, flagged)

    assert [float(line) for line in encode_csv(Answer(scores)).split()] == probability.tolist()
