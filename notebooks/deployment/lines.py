"""Rows with ids, and the answers that belong to them."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path


def with_ids(rows: Iterable[str], path: Path) -> Path:
    """Write rows of CSV with an id before each: tx-0001, tx-0002, ..."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"tx-{number:04},{row}\n" for number, row in enumerate(rows, 1)), encoding="utf-8")
    return path


def split_ids(text: str) -> tuple[list[str], str]:
    """Return the first cell of each row, and CSV of the others: what `InputFilter` "$[1:]" lets through."""
    rows = list(csv.reader(text.splitlines()))
    return [row[0] for row in rows], _written(row[1:] for row in rows)


def join(ids: Sequence[str], answers: str) -> list[str]:
    """Return each id with the last cell of its answer: `JoinSource` "Input" and `OutputFilter` "$[0,-1]".

    Raises ValueError where there are more answers than ids, or fewer.
    """
    cells = [row[-1] for row in csv.reader(answers.splitlines()) if row]
    return _written(zip(ids, cells, strict=True)).splitlines()


def _written(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
