"""Log lines as JSON, one object a line: of the service, and of each answer.

A line has the fields of a fixed list. It has no file name, no header and no body of a request, no key and no text of a client.
What is logged are names and numbers that the service made.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from minivess.foundation.implements import implements
from minivess.records.log.serving_log import RefusalReason
from minivess.records.log.stage_times import Stage
from minivess.workflows.serving.observer import BatchCut, Served

ANSWERS = "minivess.answers"
"""The logger of answers."""
FIELDS = ("request", "decision", "entry", "model", "version", "caller", "reason", "seconds", "images", "cut")
"""What a line can have besides time, level, logger and message."""


@implements("REQ-463")
class JsonFormatter(logging.Formatter):
    """A record as one line of JSON. Of an exception it has the type alone: its words can be those of a client."""

    def format(self, record: logging.LogRecord) -> str:
        """Time in UTC, level, logger, message, and those of `FIELDS` that the record has."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        line |= _declared(record.__dict__)
        return json.dumps(line, ensure_ascii=True)


@implements("REQ-463", "RC-192")
def _declared(facts: dict[str, Any]) -> dict[str, Any]:
    """What a line may have of the facts of a record."""
    return {name: facts[name] for name in FIELDS if facts.get(name) is not None}


@implements("REQ-463")
def log_as_json(stream: TextIO | None = None) -> logging.Handler:
    """Write all log lines of this process as JSON: warnings, and each answer.

    Args:
        stream: where to; by default the standard error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    for former in list(root.handlers):
        root.removeHandler(former)
    root.addHandler(handler)
    logging.getLogger(ANSWERS).setLevel(logging.INFO)
    return handler


@implements("REQ-463")
class AnswerLines:
    """An observer of the service that logs each answer, refusal and batch."""

    def __init__(self) -> None:
        self._log = logging.getLogger(ANSWERS)

    def served(self, what: Served) -> None:
        """One line with the name of the request in the log and its stages."""
        seconds = {stage.value: taken for stage in Stage if (taken := getattr(what.times, stage.value)) is not None}
        facts = {
            "request": what.request,
            "decision": what.decision,
            "entry": what.index,
            "model": what.model,
            "version": what.version,
            "caller": what.caller,
            "seconds": seconds,
        }
        self._log.info("an image was %s", what.decision, extra=facts)

    def turned_away(self, reason: RefusalReason) -> None:
        """One line with the reason."""
        self._log.info("a request was refused", extra={"reason": reason.value})

    def batched(self, images: int, cut: BatchCut) -> None:
        """One line with the number of images."""
        self._log.info("a batch was run", extra={"images": images, "cut": cut.value})
