"""Scores as clients read them; what an answer holds follows the built-in image's words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
import orjson

from fraud.model.reasons import Reason
from fraud.model.scores import DECISIONS, Floats, Scores

DEFAULT_CSV = ("probability",)
DEFAULT_JSON = ("probability", "predicted_label")


@dataclass(frozen=True)
class Answer:
    """What to write: one record for each row, in the order of the rows (S31).

    `reasons` holds those of each row, None for a row without; `errors` is by position among all records, and a
    record with an error has no scores. `names_columns` asks CSV for a header line.
    """

    scores: Scores
    outputs: tuple[str, ...] = ()
    reasons: Sequence[tuple[Reason, ...] | None] = ()
    base_value: float = 0.0
    errors: Mapping[int, str] = field(default_factory=dict)
    names_columns: bool = False


OUTPUTS: dict[str, Callable[[Answer], list[object]]] = {
    "probability": lambda answer: answer.scores.probability.tolist(),
    "predicted_label": lambda answer: answer.scores.flagged.astype(int).tolist(),
    "decision": lambda answer: [DECISIONS[number] for number in answer.scores.decisions.tolist()],
    "reasons": lambda answer: list(answer.reasons),
    "raw_score": lambda answer: answer.scores.raw_score.tolist(),
    "base_value": lambda answer: [answer.base_value] * len(answer.scores),
    "probabilities": lambda answer: _beside(1 - answer.scores.probability, answer.scores.probability),
    "labels": lambda answer: [[0, 1]] * len(answer.scores),
    "raw_scores": lambda answer: _beside(-answer.scores.raw_score, answer.scores.raw_score),
}


def encode_csv(answer: Answer) -> bytes:
    """Write one line a row, ending in a newline; a cell that is a list is quoted."""
    names = answer.outputs or DEFAULT_CSV
    filling = b"," * (len(names) - 1)
    errors = {position: _csv_text(f"ERROR: {message}") + filling for position, message in answer.errors.items()}
    head = [",".join(names).encode()] if answer.names_columns else []
    return b"\n".join([*head, *_merged(_csv_lines(answer, names), errors), b""])


def encode_json(answer: Answer) -> bytes:
    """Write `{"predictions": [{...}, ...]}`."""
    return orjson.dumps({"predictions": _records(answer)}, default=_plain, option=orjson.OPT_PASSTHROUGH_DATACLASS)


def encode_json_lines(answer: Answer) -> bytes:
    """Write one object a line, ending in a newline."""
    records = _records(answer)
    if "reasons" not in answer.outputs and not answer.errors:  # no object is inside another, and no text holds one
        return orjson.dumps(records)[1:-1].replace(b"},{", b"}\n{") + b"\n" * bool(records)
    option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATACLASS
    text = BytesIO()
    for record in records:  # not joined: what orjson returns keeps kilobytes for as long as it lives
        text.write(orjson.dumps(record, default=_plain, option=option))
    return text.getvalue()


def _csv_lines(answer: Answer, names: Sequence[str]) -> list[bytes]:
    if not len(answer.scores):
        return []
    cells = [_csv_cells(OUTPUTS[name](answer)) for name in names]
    return cells[0] if len(cells) == 1 else [b",".join(row) for row in zip(*cells, strict=True)]


def _records(answer: Answer) -> list[dict[str, object]]:
    names = answer.outputs or DEFAULT_JSON
    columns = [OUTPUTS[name](answer) for name in names]
    records: list[dict[str, object]] = [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]
    return _merged(records, {position: {"error": message} for position, message in answer.errors.items()})


def _merged[T](records: list[T], errors: Mapping[int, T]) -> list[T]:
    """Put each error in its place among all records."""
    if not errors:
        return records
    scored = iter(records)
    count = len(records) + len(errors)
    return [errors[position] if position in errors else next(scored) for position in range(count)]


def _csv_cells(column: list[object]) -> list[bytes]:
    """Write a column; numbers at once, as each text that orjson makes keeps kilobytes for as long as it lives."""
    match column[0]:
        case float() | int():
            return orjson.dumps(column)[1:-1].split(b",")
        case list():
            return [b'"[%b]"' % cell for cell in orjson.dumps(column)[2:-2].split(b"],[")]
        case str():
            return [str(cell).encode() for cell in column]
    return [_csv_reasons(cell) for cell in column]


def _csv_reasons(cell: object) -> bytes:
    if not isinstance(cell, tuple):
        return b'""'  # no line is blank, which readers skip
    return _csv_text(";".join(f"{reason.feature}:{reason.contribution:+.7g}" for reason in cell), quoted=True)


def _csv_text(text: str, *, quoted: bool = False) -> bytes:
    """Write a text as one cell on one line (RFC 4180)."""
    line = " ".join(text.splitlines())
    if quoted or "," in line or '"' in line:
        line = '"' + line.replace('"', '""') + '"'
    return line.encode()


def _plain(value: object) -> object:
    assert isinstance(value, Reason)  # noqa: S101 - nothing else in a record is unknown to orjson
    return {
        "feature": value.feature,
        "value": value.value,
        "contribution": value.contribution,
        "direction": value.direction,
    }


def _beside(left: Floats, right: Floats) -> list[object]:
    pairs: list[object] = np.column_stack([left, right]).tolist()
    return pairs
