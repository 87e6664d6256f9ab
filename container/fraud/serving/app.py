"""The HTTP door: which path leads where, and what an error looks like."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from fraud import codecs
from fraud.bundle import ModelBundle
from fraud.errors import (
    AcceptError,
    FraudError,
    LoadedError,
    MediaTypeError,
    MemoryShortError,
    NoModelError,
    OverloadError,
    SettingError,
    TooLargeError,
    UserError,
)
from fraud.serving.attributes import CUSTOM_ATTRIBUTES
from fraud.serving.endpoint import Endpoint
from fraud.serving.metrics import Metrics
from fraud.serving.models import serve_models
from fraud.serving.scoring import Scorer
from fraud.serving.sizing import batch_parameters
from fraud.settings import ServingSettings

log = logging.getLogger(__name__)

# Looked up along the classes of an error, nearest first (S30, S52, S53).
STATUSES: dict[type, int] = {
    AcceptError: 406,
    MediaTypeError: 415,
    TooLargeError: 413,
    NoModelError: 404,
    LoadedError: 409,
    MemoryShortError: 507,
    OverloadError: 503,
    UserError: 400,
    FraudError: 500,
}


class _App(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Call every view as it is: none is asynchronous, and to ask takes longer than to score a row."""
        return func


def create_app(bundle: ModelBundle | None, told: ServingSettings) -> Flask:
    """Build the application around one bundle, or around none where models are loaded later (S51)."""
    app = _App(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = told.max_body_bytes
    _require_answerable(told)
    metrics = app.extensions["metrics"] = Metrics(told, bundle)
    endpoint = Endpoint(told, metrics)
    app.after_request(endpoint.finish)  # the last to run, as the first to be registered
    if bundle is None:
        serve_models(app, endpoint, told)
    else:
        _serve_one(app, endpoint, Scorer(bundle, ThreadPoolExecutor(told.scoring_threads, "score")))

    @app.get("/metrics")
    def show_metrics() -> Response:
        return Response(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/execution-parameters")
    def execution_parameters() -> Response:
        columns = len(bundle.schema.columns) if bundle else None
        return Response(orjson.dumps(batch_parameters(told, columns)), content_type=codecs.JSON)

    app.register_error_handler(FraudError, lambda error: _refuse(error, metrics))
    asked_at = "/models/NAME/invoke" if bundle is None else "/invocations"
    app.register_error_handler(HTTPException, lambda error: _refuse_http(error, asked_at))
    app.register_error_handler(Exception, _fail)
    return app


def _require_answerable(told: ServingSettings) -> None:
    try:
        codecs.negotiate(told.default_accept, None)
    except AcceptError as error:
        raise SettingError(f"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT: {error}") from error


def prove_scoring(bundle: ModelBundle) -> None:
    """Score a row of missing cells: a model that loads may still not score (S16)."""
    bundle.score(np.full((1, len(bundle.schema.columns)), np.nan, dtype=np.float32))


def _serve_one(app: Flask, endpoint: Endpoint, scorer: Scorer) -> None:
    prove_once = cache(lambda: prove_scoring(scorer.bundle))

    @app.get("/ping")
    def ping() -> Response:
        try:
            prove_once()
        except Exception:  # whatever it is, this worker cannot serve
            log.exception("the model does not score")
            return Response(status=503)
        return Response(status=200)

    @app.post("/invocations")
    def invocations() -> Response:
        return endpoint.answer(scorer)

    @app.after_request
    def name_model(response: Response) -> Response:
        response.headers.setdefault(CUSTOM_ATTRIBUTES, scorer.identity)
        return response


def _refuse(error: FraudError, metrics: Metrics) -> Response:
    metrics.refused(error.code)
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    response = _error(status, error.code, str(error))
    if isinstance(error, OverloadError):
        response.headers["Retry-After"] = "1"
    return response


def _refuse_http(error: HTTPException, asked_at: str) -> Response:
    message = str(error.description)
    if isinstance(error, NotFound):
        message = f'there is nothing at "{request.path[:60]}"; send rows to {asked_at}'
    if isinstance(error, RequestEntityTooLarge):
        message = f"the body is larger than {request.max_content_length} bytes; send fewer rows at a time"
    response = _error(error.code or 500, error.name.upper().replace(" ", "_"), message)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _fail(_: Exception) -> Response:
    """Answer for a bug of ours; where it is goes to the log, what it said may hold a row and does not."""
    log.exception("an error inside the image")
    return _error(500, FraudError.code, "an error inside the image; its log says where")


def _error(status: int, code: str, message: str) -> Response:
    body = orjson.dumps({"error": {"code": code, "message": message}})
    return Response(body, status=status, content_type=codecs.JSON)
