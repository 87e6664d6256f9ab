import csv
import io
import json

import numpy as np
import pytest

from fraud.codecs.answers import OUTPUTS, encode_csv, encode_json, encode_json_lines
from fraud.model.scores import Scores

SCORES = Scores(np.array([-2.0, 1.5]), np.array([0.1, 0.8]), np.array([False, True]))


def test_csv_default() -> None:
    """CSV answers one probability a line, ending in a newline (S39)."""
    assert encode_csv(SCORES, ()) == b"0.1\n0.8\n"


def test_csv_columns() -> None:
    """CSV answers what is asked for, in that order, and quotes a cell that is a list."""
    assert encode_csv(SCORES, ("predicted_label", "raw_score")) == b"0,-2.0\n1,1.5\n"
    assert encode_csv(SCORES, ("labels",)) == b'"[0,1]"\n"[0,1]"\n'
    assert encode_csv(SCORES, ("raw_scores", "predicted_label")) == b'"[2.0,-2.0]",0\n"[-1.5,1.5]",1\n'


def test_json_default() -> None:
    """JSON answers probability and label under `predictions`."""
    assert json.loads(encode_json(SCORES, ())) == {
        "predictions": [{"probability": 0.1, "predicted_label": 0}, {"probability": 0.8, "predicted_label": 1}]
    }


def test_json_lines_default() -> None:
    """JSON Lines answers one object a line."""
    assert encode_json_lines(SCORES, ()) == (
        b'{"probability":0.1,"predicted_label":0}\n{"probability":0.8,"predicted_label":1}\n'
    )


def test_every_output() -> None:
    """Each word of the built-in image says the same of a row in every format."""
    names = tuple(OUTPUTS)
    [_, record] = json.loads(encode_json(SCORES, names))["predictions"]
    [_, line] = encode_json_lines(SCORES, names).splitlines()
    [_, cells] = csv.reader(io.StringIO(encode_csv(SCORES, names).decode()))

    assert record == json.loads(line) == dict(zip(names, map(json.loads, cells), strict=True))
    assert record["probabilities"] == pytest.approx([0.2, 0.8])
    assert record["raw_scores"] == [-1.5, 1.5]
    assert (record["labels"], record["predicted_label"]) == ([0, 1], 1)
    assert list(record) == list(names)


def test_exact_numbers() -> None:
    """A probability is written so that it is read back to the last bit."""
    probability = np.random.default_rng(0).random(1000)
    scores = Scores(probability, probability, probability > 0.5)

    assert [float(line) for line in encode_csv(scores, ()).split()] == probability.tolist()
