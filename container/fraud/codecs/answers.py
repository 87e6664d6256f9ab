"""Scores as clients read them; what an answer holds follows the built-in image's words."""

from collections.abc import Callable

import numpy as np
import orjson

from fraud.model.scores import Scores

DEFAULT_CSV = ("probability",)
DEFAULT_JSON = ("probability", "predicted_label")

OUTPUTS: dict[str, Callable[[Scores], list[object]]] = {
    "predicted_label": lambda scores: scores.flagged.astype(int).tolist(),
    "labels": lambda scores: [[0, 1]] * len(scores),
    "probability": lambda scores: scores.probability.tolist(),
    "probabilities": lambda scores: np.column_stack([1 - scores.probability, scores.probability]).tolist(),
    "raw_score": lambda scores: scores.raw_score.tolist(),
    "raw_scores": lambda scores: np.column_stack([-scores.raw_score, scores.raw_score]).tolist(),
}


def encode_csv(scores: Scores, outputs: tuple[str, ...]) -> bytes:
    """Write one line a row, ending in a newline; a cell that is a list is quoted."""
    columns = [OUTPUTS[name](scores) for name in outputs or DEFAULT_CSV]
    if len(columns) == 1 and not isinstance(columns[0][0], list):
        return orjson.dumps(columns[0])[1:-1].replace(b",", b"\n") + b"\n"
    cells = [[_csv_cell(cell) for cell in column] for column in columns]
    return b"".join(b",".join(row) + b"\n" for row in zip(*cells, strict=True))


def encode_json(scores: Scores, outputs: tuple[str, ...]) -> bytes:
    """Write `{"predictions": [{...}, ...]}`."""
    return orjson.dumps({"predictions": _records(scores, outputs)})


def encode_json_lines(scores: Scores, outputs: tuple[str, ...]) -> bytes:
    """Write one object a line, ending in a newline."""
    return b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in _records(scores, outputs))


def _records(scores: Scores, outputs: tuple[str, ...]) -> list[dict[str, object]]:
    names = outputs or DEFAULT_JSON
    columns = [OUTPUTS[name](scores) for name in names]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _csv_cell(cell: object) -> bytes:
    text = orjson.dumps(cell)
    return b'"' + text + b'"' if isinstance(cell, list) else text
