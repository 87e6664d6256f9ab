"""What requests take in memory, and so how many of what size a batch job may send at once."""

from fraud.codecs import JSON
from fraud.serving.attributes import Wanted, wanted
from fraud.settings import ServingSettings

# What a body takes while it is scored, over its own size: a document of JSON becomes Python's objects, all at once.
BODY_FACTOR, DOCUMENT_FACTOR = 4, 12
# What a row takes beside that, as it is read, scored and written, with each cell, output and reason of it.
ROW_BYTES, CELL_BYTES, OUTPUT_BYTES, REASON_BYTES = 250, 12, 150, 400
# What a cell has in the shortest rows that a batch job is likely to hold, with its comma.
SHORT_CELL_BYTES = 4
# SageMaker's bound for the payload in megabytes times the requests at once (S42).
MOST_MEGABYTES = 100
PAYLOAD_MEGABYTES = 6
MEGABYTE = 1024**2


def row_bytes(asked: Wanted, columns: int) -> int:
    """Return what a row and its answer may take: the shortest rows take many times their own bytes."""
    reasons = min(asked.reasons, columns) if asked.has_reasons else 0
    return ROW_BYTES + CELL_BYTES * columns + OUTPUT_BYTES * len(asked.outputs) + REASON_BYTES * reasons


def batch_parameters(told: ServingSettings, columns: int | None) -> dict[str, object]:
    """Return how many bodies, and of what size, a batch job should send at once (S42, S50).

    One worker takes all of them in, if they happen to reach it. Without `columns`, where models come later, rows are
    not counted.
    """
    factor = float(DOCUMENT_FACTOR)
    if columns:
        factor += row_bytes(wanted(told, "", JSON), columns) / (SHORT_CELL_BYTES * columns)
    fitting = told.body_memory_bytes / MEGABYTE / factor
    megabytes = min(told.max_body_bytes // MEGABYTE, MOST_MEGABYTES) if told.has_body_limit else PAYLOAD_MEGABYTES
    megabytes = max(min(megabytes, int(fitting)), 1)
    at_once = min(told.processes * told.scoring_slots, MOST_MEGABYTES // megabytes, int(fitting / megabytes))
    return {"MaxConcurrentTransforms": max(at_once, 1), "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": megabytes}
