"""What any answer has to be, whatever was sent, and what the answer to a matrix is."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fraud import codecs
from fraud.bundle import ModelBundle
from fraud.errors import UserError
from fraud.model.scores import Floats
from fraud.schema import Schema
from fraud.serving.attributes import CUSTOM_ATTRIBUTES
from tests.hostile import Sent
from tests.spellings import Spelled

REFUSALS = (400, 406, 413, 415)
SECONDS = 1.0
LONGEST_MESSAGE = 700
NUMBERS = {CUSTOM_ATTRIBUTES: "output=probability,raw_score"}


def send(client: FlaskClient, sent: Sent) -> tuple[TestResponse, float]:
    """Send a request; return the answer and the seconds that it took."""
    started = perf_counter()
    answer = client.post("/invocations", data=sent.body, headers=sent.headers)
    return answer, perf_counter() - started


def judge(client: FlaskClient, schema: Schema, sent: Sent, *, is_batch: bool) -> tuple[str, float]:
    """Send a request; return what is wrong with the answer, nothing where it is as it should be, and the seconds."""
    answer, seconds = send(client, sent)
    if seconds > SECONDS:  # a busy machine is slow once
        seconds = min(seconds, send(client, sent)[1])
    if seconds > SECONDS:
        return f"takes {seconds:.1f} s", seconds
    try:
        return _fault(answer, schema, sent, is_batch=is_batch), seconds
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        return f"status {answer.status_code}, and not in its format: {error!r}", seconds


def _fault(answer: TestResponse, schema: Schema, sent: Sent, *, is_batch: bool) -> str:
    if not re.fullmatch(r"[!-~]{1,1024}", answer.headers[CUSTOM_ATTRIBUTES]):
        return f"{CUSTOM_ATTRIBUTES} is {answer.headers[CUSTOM_ATTRIBUTES][:100]!r}"
    if answer.status_code in REFUSALS:
        said = strict(answer.data)["error"]
        well = set(said) == {"code", "message"} and said["message"] and len(said["message"]) <= LONGEST_MESSAGE
        return "" if well else f"says {answer.data[:200]!r}"
    if answer.status_code != 200:
        return f"status {answer.status_code}"
    found = len(records(answer.content_type, answer.data))
    right = lines_sent(answer, schema, sent) if is_batch else {rows_sent(schema, sent)}
    return "" if found in right else f"{found} records, and not {right}"


def strict(text: bytes | str) -> Mapping[str, Mapping[str, str]]:
    """Read JSON as a strict client would."""

    def refuse(word: str) -> object:
        raise ValueError(f"{word} is no JSON")

    read: Mapping[str, Mapping[str, str]] = json.loads(text, parse_constant=refuse)
    return read


def records(content_type: str | None, body: bytes) -> Sequence[Any]:
    """Return the records of an answer, read as its content type says."""
    text = body.decode()
    if content_type == codecs.JSON:
        return list(strict(text)["predictions"])
    if text and not text.endswith("\n"):
        raise ValueError("no line end at the end")
    if content_type != codecs.CSV:
        return list(map(strict, text.split("\n")[:-1]))
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    if len({len(row) for row in rows}) > 1 or len(rows) != text.count("\n"):
        raise ValueError("rows of several widths, or on several lines")
    return rows


def rows_sent(schema: Schema, sent: Sent) -> int:
    """Count the rows of a body that was scored, by other means than the product's."""
    media_type, options = codecs.media_type_of(sent.content_type)
    if media_type == codecs.JSON:
        document = json.loads(sent.body)
        document = document["instances"] if isinstance(document, dict) and "instances" in document else document
        is_several = isinstance(document, list) and any(isinstance(item, list | dict) for item in document)
        return len(document) if is_several else 1
    if "jsonlines" in media_type:
        return len(sent.body.rstrip(b"\r\n").split(b"\n"))
    text = sent.body.decode("utf-8-sig").rstrip("\r\n")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    stated = {"present": True, "absent": False}.get(options.get("header", "").lower())
    return len(rows) - (schema.is_header(rows[0]) if stated is None else stated)


def lines_sent(answer: TestResponse, schema: Schema, sent: Sent) -> set[int]:
    """Return how many records a batch job may be answered: as many as lines, header and all (S44, S45)."""
    media_type, _ = codecs.media_type_of(sent.content_type)
    if media_type == codecs.JSON:
        return {1} if b"the body " in answer.data else {rows_sent(schema, sent)}
    count = len(sent.body.removesuffix(b"\n").split(b"\n"))
    is_joined = answer.content_type == codecs.CSV or "jsonlines" in media_type
    return {count} if is_joined else {count, count - 1}  # JSON has no header


def mismatch(client: FlaskClient, bundle: ModelBundle, spelled: Spelled) -> str:
    """Tell where a body is read as another matrix, or answered otherwise than its matrix is scored; nothing if not."""
    scores = bundle.score(spelled.X)
    right = np.column_stack([scores.probability, scores.raw_score])
    for media_type, body in spelled.bodies.items():
        try:
            X = np.concatenate(
                [bundle.schema.rows(table).X for table in codecs.decode(media_type, body, bundle.schema)]
            )
        except UserError as error:
            return f"{media_type} is refused: {error}"
        if not np.array_equal(X, spelled.X, equal_nan=True):
            return f"{media_type} is read as another matrix"
        answer = client.post("/invocations", data=body, headers={"Content-Type": media_type, **NUMBERS})
        if not np.array_equal(numbers(media_type, answer.data), right):
            return f"{media_type} is answered with other numbers"
    return ""


def numbers(content_type: str | None, body: bytes) -> Floats:
    """Return every number of an answer, one row for each record."""
    found = [record.values() if isinstance(record, dict) else record for record in records(content_type, body)]
    return np.array([[float(cell) for cell in record] for record in found])
