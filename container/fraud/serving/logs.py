"""Log lines as JSON, one object a line: what CloudWatch and its kin search by field."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from gunicorn.glogging import Logger


class JsonFormatter(logging.Formatter):
    """A record as one line: time, level, logger, message, and the fields that came with it.

    Of an exception it says the type and where, and not what it said, which may hold a row.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["where"] = "".join(traceback.format_tb(record.exc_info[2]))
        return json.dumps(line, default=str)  # in ASCII, so that no text is too odd to be written


class GunicornLogger(Logger):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's own messages in the same form, on the same stream."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.addFilter(_without_bytes)


def _without_bytes(record: logging.LogRecord) -> bool:
    """Cut the bytes of a request that is no HTTP from what gunicorn says of it: they may be a row."""
    if str(record.msg).startswith("Invalid request"):
        record.msg = ": ".join(str(record.msg).split(": ")[:2])
    return True


def configure(level: str) -> None:
    """Write every log line of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
