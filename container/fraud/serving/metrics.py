"""What /metrics says: Prometheus text over all workers, as long for ever (S68)."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from threading import Lock

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from fraud import errors
from fraud.bundle import ModelBundle
from fraud.model.scores import DECISIONS, Floats, Scores
from fraud.serving.board import Board, Histogram, Layout, Window
from fraud.serving.scoring import Scored
from fraud.settings import ServingSettings

STATUSES = ("200", "400", "404", "405", "406", "409", "413", "415", "500", "503", "507")
# What a request can be refused with.
REFUSALS = (
    errors.AcceptError,
    errors.AttributesError,
    errors.BodyError,
    errors.BundleError,
    errors.ColumnError,
    errors.LoadedError,
    errors.MediaTypeError,
    errors.MemoryShortError,
    errors.NoModelError,
    errors.OverloadError,
    errors.RowError,
    errors.RowWidthError,
    errors.SettingError,
    errors.TooLargeError,
)
STAGES = ("decode", "score", "reasons", "encode")
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Fraud probabilities crowd near 0.
PROBABILITIES = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
# Rows that drift is measured on, over all workers: its noise is about 0.001, and /metrics takes milliseconds.
WINDOW_ROWS = 8192
# A rolling replacement runs twice as many workers for a moment.
PLACES_PER_WORKER = 2


class Metrics:
    """What one worker records, and what all of them have recorded."""

    def __init__(self, told: ServingSettings, bundle: ModelBundle | None) -> None:
        layout = Layout()
        self._requests = layout.counts(*STATUSES)
        self._refusals = layout.counts(*(kind.code for kind in REFUSALS))
        self._decisions = layout.counts(*DECISIONS)
        self._rows = layout.counts("scored", "missing_cells", "unseen_categories")
        self._seconds = layout.histogram(*SECONDS)
        self._stages = {stage: layout.histogram(*SECONDS) for stage in STAGES}
        self._probability = layout.histogram(*PROBABILITIES)
        self.places = told.processes * PLACES_PER_WORKER
        self._board = Board(layout.width, self.places)
        self._drift = _Drift(bundle, self.places, WINDOW_ROWS // told.processes) if bundle else None
        self._lock = Lock()
        self._registry = CollectorRegistry()
        self._registry.register(_Collected(self))

    def take(self, place: int) -> None:
        """Record in this place from now on; each worker has its own."""
        self._board.take(place)
        if self._drift:
            self._drift.window.take(place)

    def latest_rows(self, place: int) -> int:
        """Return how many rows the watch on drift has from a place."""
        return self._drift.window.held(place) if self._drift else 0

    def leave(self, place: int) -> None:
        """Forget the rows that the watch on drift has from a place; its counts stay."""
        if self._drift:
            self._drift.window.clear(place)

    def answered(self, status: int, seconds: float) -> None:
        """Record one request and how long it took, from its first byte here to its answer; 0 asked no model."""
        with self._lock:
            self._requests.add(self._board.own, str(status))
            if seconds:
                self._seconds.observe(self._board.own, seconds)

    def refused(self, error_code: str, count: int = 1) -> None:
        """Record rows, or requests without any, that were refused."""
        with self._lock:
            self._refusals.add(self._board.own, error_code, count)

    def scored(self, scored: Scored, encode_seconds: float) -> None:
        """Record what came of a body."""
        own, scores = self._board.own, scored.scores
        stages = scored.decode_seconds, scored.score_seconds, scored.reason_seconds, encode_seconds
        with self._lock:
            for stage, seconds in zip(STAGES, stages, strict=True):
                if seconds:
                    self._stages[stage].observe(own, seconds)
            for error in scored.errors.values():
                self._refusals.add(own, error.code)
            if not len(scores):
                return
            self._rows.add(own, "scored", len(scores))
            self._rows.add(own, "missing_cells", scored.missing_cells)
            self._rows.add(own, "unseen_categories", scored.unseen_categories)
            self._count_decisions(scores)
            self._probability.observe_all(own, scores.probability)
            if self._drift:
                self._drift.window.add(scored.sample, scored.sample_probability)

    def text(self) -> bytes:
        """Return Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Return every figure over all workers."""
        total = self._board.total()
        yield _counter("fraud_requests", "Requests by status.", "code", self._requests.read(total))
        yield _counter(
            "fraud_refused", "Rows or requests refused, by error code.", "reason", self._refusals.read(total)
        )
        yield _counter("fraud_decisions", "Rows by decision.", "decision", self._decisions.read(total))
        rows, missing, unseen, _ = (count for _, count in self._rows.read(total))
        yield CounterMetricFamily("fraud_rows", "Rows scored.", rows)
        yield CounterMetricFamily("fraud_missing_cells", "Cells that were missing.", missing)
        yield CounterMetricFamily("fraud_unseen_categories", "Cells whose category training never saw.", unseen)
        yield _histogram("fraud_request_seconds", "Seconds from request to answer.", {"": self._seconds}, total)
        yield _histogram("fraud_stage_seconds", "Seconds of work by stage.", self._stages, total, "stage")
        yield _histogram("fraud_probability", "Calibrated probability of fraud.", {"": self._probability}, total)
        if self._drift:
            yield from self._drift.collect()

    def _count_decisions(self, scores: Scores) -> None:
        flagged, declined = int(np.count_nonzero(scores.flagged)), int(np.count_nonzero(scores.declined))
        counts = len(scores) - flagged, flagged - declined, declined
        for decision, count in zip(DECISIONS, counts, strict=True):
            self._decisions.add(self._board.own, decision, count)


class _Drift:
    """How far the latest rows are from those that the model was trained on."""

    def __init__(self, bundle: ModelBundle, places: int, rows: int) -> None:
        self._bundle = bundle
        self.window = Window(places, max(rows, 256), len(bundle.schema.columns) + 1)

    def collect(self) -> Iterator[Metric]:
        card = self._bundle.card
        yield InfoMetricFamily(
            "fraud_model", "The model that answers.", {"model_id": card.model_id, "job_name": card.job_name}
        )
        age = (datetime.now(UTC) - card.trained_at).total_seconds()
        yield GaugeMetricFamily("fraud_model_age_seconds", "Seconds since the model was trained.", age)
        rows = self.window.rows()
        yield GaugeMetricFamily("fraud_drift_rows", "Latest rows that drift is measured on.", len(rows))
        indices = GaugeMetricFamily(
            "fraud_feature_psi", "Population stability index against the training rows.", labels=["feature"]
        )
        score = GaugeMetricFamily("fraud_score_psi", "The same for the probability, against held-out rows.")
        if len(rows):
            found = card.baseline.stabilities(rows[:, :-1], rows[:, -1])
            for name, index in zip(self._bundle.schema.names, found[:-1], strict=True):
                indices.add_metric([name], index)
            score.add_metric([], found[-1])
        yield indices
        yield score


class _Collected(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics.collect()

    def describe(self) -> Iterable[Metric]:
        return []


def _counter(name: str, text: str, label: str, counts: Iterable[tuple[str, float]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts:
        family.add_metric([value], count)
    return family


def _histogram(name: str, text: str, of: dict[str, Histogram], total: Floats, label: str = "") -> Metric:
    family = HistogramMetricFamily(name, text, labels=[label] if label else [])
    for value, histogram in of.items():
        buckets, sum_value = histogram.read(total)
        family.add_metric([value] if label else [], buckets, sum_value)
    return family
