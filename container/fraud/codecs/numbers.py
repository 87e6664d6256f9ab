"""Many numbers at once: the paths that make a large body fast, shared by CSV and JSON."""

import numpy as np
import simdjson
from numpy.typing import NDArray


def rectangle(text: bytes, member: str | None = None) -> NDArray[np.float64] | None:
    """Return a JSON list of equally long lists of numbers as a matrix, bare or under a name; None where it is none."""
    try:
        parsed = simdjson.Parser().parse(text)
        rows = parsed[member] if isinstance(parsed, simdjson.Object) and member and len(parsed) == 1 else parsed
        if not isinstance(rows, simdjson.Array):
            return None
        widths = {len(row) for row in rows if isinstance(row, simdjson.Array)}
        numbers = np.frombuffer(rows.as_buffer(of_type="d"))
    except (KeyError, ValueError, TypeError, RuntimeError):
        return None
    width = widths.pop() if len(widths) == 1 else 0
    # as many brackets as rows and the one around them: nothing is nested deeper, and nothing else is there
    is_matrix = width and len(numbers) == len(rows) * width and count(text, "[") == len(rows) + 1
    return numbers.reshape(-1, width) if is_matrix else None


def count(text: bytes, character: str) -> int:
    """Count a character, at several times the speed of `bytes.count`."""
    return int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == ord(character)))
