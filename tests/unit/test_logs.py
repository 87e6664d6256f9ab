import json
import logging
import sys

import pytest
from gunicorn.config import Config

from fraud.serving import logs

CARD = "4111 1111 1111 1111"


def formatted(message: str, *arguments: object, **extra: object) -> dict[str, object]:
    record = logging.LogRecord("fraud.x", logging.INFO, __file__, 1, message, arguments, sys.exc_info(), "f")
    record.__dict__.update(extra)
    line = logs.JsonFormatter().format(record)
    assert "\n" not in line
    return dict(json.loads(line))


def test_a_line_is_json() -> None:
    """A record is one line: time with its zone, level, logger, message, and the fields that came with it."""
    line = formatted("request\nof %s", "one", fields={"status": 200, "seconds": 0.5})

    assert str(line.pop("time")).endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "fraud.x",
        "message": "request\nof one",
        "status": 200,
        "seconds": 0.5,
    }


def test_an_exception_says_where_and_not_what() -> None:
    """Of an exception there is the type and the place, and not its words, which may hold a row."""
    try:
        float(CARD)
    except ValueError:
        line = formatted("an error inside the image")

    assert line["error"] == "ValueError"
    assert __file__ in str(line["where"])
    assert "4111" not in str(line)


@pytest.mark.parametrize("text", ["\ud800", "caf\xe9\n\x00\x1b[31m", '"}', "\u2028"])
def test_no_text_is_too_odd(text: str) -> None:
    """Whatever a message holds, its line is one, and JSON."""
    assert formatted("%s", text, fields={"place": text})["message"] == text


def test_gunicorn_writes_the_same_lines(caplog: pytest.LogCaptureFixture) -> None:
    """The server's own messages go where all others go, and nowhere else."""
    caplog.set_level("INFO")
    logger = logs.GunicornLogger(Config())
    logger.info("Booting worker with pid: %s", 7)

    assert caplog.messages == ["Booting worker with pid: 7"]
    assert logger.error_log.handlers == []


def test_bytes_that_are_no_http_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A body that is taken for the next request's first line is not repeated in the log."""
    logger = logs.GunicornLogger(Config())
    logger.warning(f"Invalid request from ip=10.0.0.1: Invalid HTTP request line: '68,{CARD}: x,33.28'")

    assert caplog.messages == ["Invalid request from ip=10.0.0.1: Invalid HTTP request line"]
