"""One request, from its headers to its answer, for whichever model it asks."""

import logging
import re
from functools import lru_cache, partial
from time import perf_counter
from typing import Any

from flask import Response, request

from fraud import codecs
from fraud.codecs import Answer
from fraud.codecs.numbers import count
from fraud.serving import batch, bodies
from fraud.serving.admission import Admission
from fraud.serving.attributes import CUSTOM_ATTRIBUTES, Wanted, wanted
from fraud.serving.metrics import Metrics
from fraud.serving.scoring import Scored, Scorer
from fraud.serving.sizing import BODY_FACTOR, DOCUMENT_FACTOR, row_bytes
from fraud.settings import ServingSettings

log = logging.getLogger(__name__)

INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
VISIBLE = re.compile(r"[!-:<-~]{1,64}")
# In a request's environment: when it started, and how many rows it held.
STARTED, ROWS = "fraud.started", "fraud.rows"
# Asked every few seconds for ever, and no request of anybody's (S18).
WATCHED = frozenset({"/ping", "/metrics", "/execution-parameters"})


class Endpoint:
    """What all models of a server share: settings, places to score in, and figures."""

    def __init__(self, told: ServingSettings, metrics: Metrics) -> None:
        self._told = told
        self._metrics = metrics
        self._admission = Admission(told.reading_slots, told.scoring_slots, told.waiting_slots, told.body_memory_bytes)
        self._wanted = lru_cache(maxsize=256)(partial(wanted, told))

    def answer(self, scorer: Scorer) -> Response:
        """Answer the request at hand: negotiate first, then read, score and write."""
        environ = request.environ
        environ[STARTED] = perf_counter()
        content_type = environ.get("CONTENT_TYPE")
        media_type = codecs.negotiate(self._accept(environ), content_type)
        asked = self._wanted(environ.get("HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES", ""), media_type)
        scorer.require_reasons(asked)
        with self._admission.visit() as visit:
            is_document = codecs.media_type_of(content_type)[0] == codecs.JSON
            factor = DOCUMENT_FACTOR if is_document else BODY_FACTOR
            body = bodies.read(environ, self._told.max_body_bytes, visit, factor)
            most_rows = count(body, "[") + count(body, "{") if is_document else count(body, "\n")
            visit.claim((most_rows + 1) * row_bytes(asked, len(scorer.bundle.schema.columns)))
            visit.score()
            text, scored = self._scored(scorer, content_type, body, asked, media_type)
        environ[ROWS] = len(scored)
        headers = {CUSTOM_ATTRIBUTES: self._attributes(scorer, asked, scored)}
        return Response(text, headers=headers, content_type=media_type)

    def read(self, most_bytes: int) -> bytes:
        """Read the body of a request that scores nothing."""
        with self._admission.visit() as visit:
            return bodies.read(request.environ, most_bytes, visit, BODY_FACTOR)

    def finish(self, response: Response) -> Response:
        """Record how the request at hand ended; one that came with an id gets it back, and a line in the log."""
        environ = request.environ
        if environ["PATH_INFO"] in WATCHED:
            return response
        now = perf_counter()
        seconds = now - environ.get(STARTED, now)
        self._metrics.answered(response.status_code, seconds)
        stated = environ.get("HTTP_X_AMZN_SAGEMAKER_INFERENCE_ID", "")
        if VISIBLE.fullmatch(stated):
            response.headers[INFERENCE_ID] = stated
            known = response.headers.get(CUSTOM_ATTRIBUTES, "")
            response.headers[CUSTOM_ATTRIBUTES] = f"{known};inference_id={stated}".lstrip(";")
            seen = {"status": response.status_code, "rows": environ.get(ROWS, 0), "seconds": round(seconds, 6)}
            log.info("request", extra={"fields": {"inference_id": stated, **seen}})
        return response

    def _accept(self, environ: dict[str, Any]) -> str:
        """Return what the client accepts: of equals the configured type, where there is one."""
        stated: str = environ.get("HTTP_ACCEPT", "").strip()
        default = self._told.default_accept
        return codecs.negotiate(stated, environ.get("CONTENT_TYPE"), default) if default else stated

    def _scored(
        self, scorer: Scorer, content_type: str | None, body: bytes, asked: Wanted, media_type: str
    ) -> tuple[bytes, Scored]:
        if self._told.is_batch:
            scored = batch.score(scorer, content_type, body, asked, is_strict=self._told.is_strict)
        else:
            scored = scorer.score(content_type, body, asked)
        started = perf_counter()
        errors = {position: refusal.message for position, refusal in scored.errors.items()}
        answer = Answer(scored.scores, asked.outputs, scored.reasons, scored.base_value, errors, scored.has_header)
        text = codecs.encode(media_type, answer)
        if self._told.is_batch and text and not text.endswith(b"\n"):
            text += b"\n"  # mini-batches are put together as they are (S44)
        self._metrics.scored(scored, perf_counter() - started)
        return text, scored

    def _attributes(self, scorer: Scorer, asked: Wanted, scored: Scored) -> str:
        """Say which model answered, and what was applied (S28, S64)."""
        said = f"{scorer.identity};{asked.echo}"
        if asked.has_reasons and len(scored.scores):
            said += f";base_value={scored.base_value:.9g}"
        lacking = {
            "missing_cells": scored.missing_cells,
            "unseen_categories": scored.unseen_categories,
            "errors": len(scored.errors),
        }
        said += "".join(f";{name}={count}" for name, count in lacking.items() if count)
        return said
