"""Many models behind one endpoint, loaded and unloaded as SageMaker asks (S51-S55)."""

import ctypes
import gc
import logging
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import orjson
from flask import Flask, Response, request

from fraud import codecs
from fraud.bundle import DOCUMENT, ModelBundle
from fraud.errors import BodyError, FraudError, LoadedError, MemoryShortError, NoModelError
from fraud.machine import memory_bytes, memory_used_bytes
from fraud.model.algorithms import ALGORITHMS
from fraud.serving.endpoint import Endpoint
from fraud.serving.scoring import Scorer
from fraud.settings import ServingSettings

log = logging.getLogger(__name__)

PAGE = 100
BUNDLE_FILES = {DOCUMENT, *(kind.file_name for kind in ALGORITHMS.values())}
# A name and a path take no more.
LARGEST_ASKING_BYTES = 64 * 1024
# What a model takes in memory over its files, and what neither models nor bodies may have.
MODEL_FACTOR = 4
RESERVED_SHARE = 0.1


class Threads(Executor):
    """Threads that score, and that others follow: XGBoost keeps buffers of a model for each thread that asked it."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, "score")
        self._lock = Lock()

    def submit[**P, R](self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        with self._lock:
            return self._pool.submit(fn, *args, **kwargs)

    def renew(self) -> None:
        """Let other threads follow, and end these once they have scored what they were given."""
        with self._lock:
            ended, self._pool = self._pool, ThreadPoolExecutor(self._count, "score")
        ended.shutdown(wait=False)


class Models:
    """Which models are loaded, by the name that SageMaker gives them: opaque, and no path."""

    def __init__(self, told: ServingSettings) -> None:
        self._told = told
        self._loaded: dict[str, tuple[str, Scorer]] = {}
        self._loading: set[str] = set()
        self._threads = Threads(told.scoring_slots)
        self._lock = Lock()

    def load(self, name: str, url: str) -> None:
        """Load a bundle. Raises LoadedError, MemoryShortError, BundleError, or SettingError."""
        with self._lock:
            if name in self._loaded or name in self._loading:
                raise LoadedError(f'model "{name[:60]}" is loaded already; unload it first')
            self._loading.add(name)
        try:
            _require_memory(Path(url), memory_bytes() - self._told.body_memory_bytes)
            bundle = ModelBundle.load(Path(url)).deciding(self._told.review_threshold, self._told.decline_threshold)
            bundle.require_reasons(self._told.output or ())
            with self._lock:
                self._loaded[name] = (url, Scorer(bundle, self._threads, is_apart=True))
            log.info('loaded model "%s": %s', name[:60], bundle.card.model_id)
        finally:
            self._loading.discard(name)

    def unload(self, name: str) -> None:
        """Forget a model and give its memory back; requests that it is answering are answered first."""
        with self._lock:
            model_id = self.scorer(name).bundle.card.model_id
            del self._loaded[name]
        log.info('unloaded model "%s": %s', name[:60], model_id)
        self._threads.renew()
        _give_memory_back()

    def scorer(self, name: str) -> Scorer:
        """Return the model of that name; NoModelError where it is not loaded."""
        return self._found(name)[1]

    def described(self, name: str) -> dict[str, str]:
        """Return what SageMaker knows of a model."""
        return {"modelName": name, "modelUrl": self._found(name)[0]}

    def page(self, token: str) -> dict[str, Any]:
        """Return some models in the order of their names, from a token on, and the token of the next page."""
        loaded = self._loaded.copy()  # no wait for a model that is being loaded
        names = sorted(name for name in loaded if name >= token)
        found: dict[str, Any] = {"models": [{"modelName": name, "modelUrl": loaded[name][0]} for name in names[:PAGE]]}
        if len(names) > PAGE:
            found["nextPageToken"] = names[PAGE]
        return found

    def _found(self, name: str) -> tuple[str, Scorer]:
        found = self._loaded.get(name)
        if found is None:
            raise NoModelError(f'model "{name[:60]}" is not loaded')
        return found


def serve_models(app: Flask, endpoint: Endpoint, told: ServingSettings) -> None:
    """Add SageMaker's routes for many models."""
    models = Models(told)

    @app.get("/ping")
    def ping() -> Response:
        return Response(status=200)

    @app.post("/models")
    def load() -> Response:
        name, url = _asked(endpoint.read(LARGEST_ASKING_BYTES))
        try:
            models.load(name, url)
        except FraudError as error:
            reason = error.public.replace(f"{Path(url)}/", "")  # where models lie is not for the log
            log.warning('did not load model "%s": %s: %s', name[:60], error.code, reason)
            raise
        return _json({"modelName": name, "modelUrl": url})

    @app.get("/models")
    def page() -> Response:
        return _json(models.page(request.args.get("next_page_token", "")))

    @app.get("/models/<path:name>")
    def describe(name: str) -> Response:
        return _json(models.described(name))

    @app.delete("/models/<path:name>")
    def unload(name: str) -> Response:
        models.unload(name)
        return Response(status=200)

    @app.post("/models/<path:name>/invoke")
    def invoke(name: str) -> Response:
        return endpoint.answer(models.scorer(name))


def _asked(body: bytes) -> tuple[str, str]:
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        asked = None
    match asked:
        case {"model_name": str(name), "url": str(url)} if name and url and "\0" not in url:
            return name, url
    raise BodyError('the body should be {"model_name": "...", "url": "/opt/ml/models/.../model"}')


def _require_memory(directory: Path, available: int) -> None:
    """Raise MemoryShortError where a model of this size would take memory that requests need (S52)."""
    try:
        found = [path for name in BUNDLE_FILES if (path := directory / name).exists()]
        needed = MODEL_FACTOR * sum(path.stat().st_size for path in found)
    except OSError:  # to load it says what is wrong
        return
    free = int(available * (1 - RESERVED_SHARE)) - memory_used_bytes()
    if needed > free:
        raise MemoryShortError(f"the model takes about {needed} bytes and {max(free, 0)} are free; unload other models")


def _give_memory_back() -> None:
    """Return freed memory to the system: glibc keeps it for the process otherwise."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), content_type=codecs.JSON)
