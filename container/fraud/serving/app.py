"""The HTTP door: /ping and /invocations."""

import logging
import traceback
from functools import cache

import numpy as np
import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from fraud import codecs
from fraud.bundle import ModelBundle
from fraud.errors import AcceptError, FraudError, MediaTypeError, OverloadError, UserError
from fraud.model.scores import Scores
from fraud.serving.admission import Admission
from fraud.settings import ServingSettings

log = logging.getLogger(__name__)

# The only response header that SageMaker hands on to the caller (S28).
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
# Looked up along the classes of an error, nearest first (S30).
STATUSES: dict[type, int] = {AcceptError: 406, MediaTypeError: 415, OverloadError: 503, UserError: 400, FraudError: 500}


def create_app(bundle: ModelBundle, settings: ServingSettings) -> Flask:
    """Build the application around one bundle."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    admission = Admission(settings.scoring_slots, settings.waiting_slots)
    model_id = f"model_id={bundle.card.model_id}"
    prove_once = cache(lambda: prove_scoring(bundle))

    @app.get("/ping")
    def ping() -> Response:
        try:
            prove_once()
        except Exception as error:  # whatever it is, this worker cannot serve
            _log(error)
            return Response(status=503)
        return Response(status=200)

    @app.post("/invocations")
    def invocations() -> Response:
        media_type = codecs.negotiate(_accept(settings), request.content_type)
        body = request.get_data(cache=False)
        with admission.slot():
            scores, unseen = score(bundle, request.content_type, body)
            answer = codecs.encode(media_type, scores, settings.output)
        response = Response(answer, content_type=media_type)
        if unseen:
            response.headers[CUSTOM_ATTRIBUTES] = f"{model_id};unseen_categories={unseen}"
        return response

    @app.after_request
    def name_model(response: Response) -> Response:
        response.headers.setdefault(CUSTOM_ATTRIBUTES, model_id)
        return response

    app.register_error_handler(FraudError, _refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    app.register_error_handler(Exception, _fail)
    return app


def prove_scoring(bundle: ModelBundle) -> None:
    """Score a row of missing cells: a model that loads may still not score (S16)."""
    bundle.score(np.full((1, len(bundle.schema.columns)), np.nan, dtype=np.float32))


def score(bundle: ModelBundle, content_type: str | None, body: bytes) -> tuple[Scores, int]:
    """Score the rows of a body, block by block, and count the cells whose category training never saw."""
    parts = []
    unseen = 0
    for table in codecs.decode(content_type, body, bundle.schema):
        rows = bundle.schema.rows(table)
        unseen += rows.unseen_categories
        parts.append(bundle.score(rows.X))
    return Scores.joined(parts), unseen


def _accept(settings: ServingSettings) -> str:
    stated = request.headers.get("Accept", "").strip()
    return stated if stated not in ("", "*/*") else settings.default_accept


def _refuse(error: FraudError) -> Response:
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    response = _error(status, error.code, str(error))
    if isinstance(error, OverloadError):
        response.headers["Retry-After"] = "1"
    return response


def _refuse_http(error: HTTPException) -> Response:
    message = str(error.description)
    if isinstance(error, RequestEntityTooLarge):
        message = f"the body is larger than {request.max_content_length} bytes; send fewer rows at a time"
    response = _error(error.code or 500, error.name.upper().replace(" ", "_"), message)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _fail(error: Exception) -> Response:
    """Answer for a bug of ours; where it is goes to the log, what it said may hold a row and does not."""
    _log(error)
    return _error(500, FraudError.code, "an error inside the image; its log says where")


def _log(error: Exception) -> None:
    log.error("%s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))


def _error(status: int, code: str, message: str) -> Response:
    body = orjson.dumps({"error": {"code": code, "message": message}})
    return Response(body, status=status, content_type=codecs.JSON)
