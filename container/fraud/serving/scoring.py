"""The rows of one body, scored: what came of them, and what it cost."""

from collections.abc import Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field
from itertools import chain
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fraud import codecs
from fraud.bundle import ModelBundle
from fraud.errors import AttributesError, UserError
from fraud.model.reasons import Reason
from fraud.model.scores import Scores
from fraud.schema import Matrix, Rows
from fraud.serving.attributes import Wanted

# Of each block, about as many rows as the watch on drift looks at.
SAMPLE_ROWS = 1024


class Refusal(NamedTuple):
    """Why one record was refused, in a few words: the error itself would hold on to all that it came through."""

    code: str
    message: str

    @classmethod
    def of(cls, error: UserError) -> "Refusal":
        """Return what an error says, without the number of its row, which was alone."""
        return cls(error.code, str(error).removeprefix("row 1").lstrip(",: "))


@dataclass
class Scored:
    """Scores and reasons in the order of the rows, a sample of rows for the watch on drift, and seconds of work.

    `errors` holds the records that were refused, by their position among all records; they have no scores.
    `has_header` is whether a line of names came before them.
    """

    scores: Scores
    reasons: list[tuple[Reason, ...] | None]
    sample: Matrix
    sample_probability: NDArray[np.float64]
    missing_cells: int = 0
    unseen_categories: int = 0
    score_seconds: float = 0.0
    reason_seconds: float = 0.0
    decode_seconds: float = 0.0
    errors: dict[int, Refusal] = field(default_factory=dict)
    base_value: float = 0.0
    has_header: bool = False

    def __len__(self) -> int:
        return len(self.scores) + len(self.errors)

    @classmethod
    def nothing(cls) -> "Scored":
        """Return what comes of no record."""
        return cls(Scores.joined([]), [], np.empty((0, 0), dtype=np.float32), np.empty(0))

    @classmethod
    def joined(cls, parts: Sequence["Scored"]) -> "Scored":
        """Return what came of several bodies, none of which has errors, as if they had been one."""
        if len(parts) == 1:
            return parts[0]
        sampled = [part for part in parts if len(part.sample)] or [cls.nothing()]
        return cls(
            Scores.joined([part.scores for part in parts]),
            list(chain.from_iterable(part.reasons for part in parts)),
            np.concatenate([part.sample for part in sampled]),
            np.concatenate([part.sample_probability for part in sampled]),
            sum(part.missing_cells for part in parts),
            sum(part.unseen_categories for part in parts),
            sum(part.score_seconds for part in parts),
            sum(part.reason_seconds for part in parts),
            sum(part.decode_seconds for part in parts),
            base_value=next((part.base_value for part in parts), 0.0),
        )


class Scorer:
    """One model at work: while a block of a large body is decoded, the pool's threads score those before it.

    `is_apart` leaves a small body to them too, so that no other thread ever asks the model.
    """

    def __init__(self, bundle: ModelBundle, pool: Executor, *, is_apart: bool = False) -> None:
        self.bundle = bundle
        self._pool = pool
        self._is_apart = is_apart
        threshold, decline = bundle.model.threshold, bundle.model.decline
        flagging = f"{threshold.value:.6g}" if threshold.amount_column is None else threshold.rule
        declining = f"{decline.value:.6g}" if decline.value <= 1 else "none"
        self.identity = f"model_id={bundle.card.model_id};threshold={flagging};decline_threshold={declining}"

    def require_reasons(self, wanted: Wanted) -> None:
        """Raise AttributesError where reasons are wanted of a learner that has no exact ones."""
        if wanted.has_base_value and not self.bundle.model.learner.explains:
            told = (
                f'"reasons" and "base_value": a model of algorithm={self.bundle.card.algorithm} has none that are exact'
            )
            raise AttributesError(f"{told}; leave them out of output, or ask a model of trees or of weights")

    def score(self, content_type: str | None, body: bytes, wanted: Wanted) -> Scored:
        """Score every row of a body; UserError names the first that does not fit."""
        started = perf_counter()
        blocks = codecs.rows(content_type, body, self.bundle.schema)
        block, following = next(blocks), next(blocks, None)
        if following is None and not self._is_apart:
            decoding = perf_counter() - started
            scored = self._score(block, wanted)
        else:
            first = [block] if following is None else [block, following]
            pending: list[Future[Scored]] = []
            try:
                pending.extend(self._pool.submit(self._score, later, wanted) for later in chain(first, blocks))
            except UserError:
                wait([future for future in pending if not future.cancel()])  # nothing goes on for who was refused
                raise
            decoding = perf_counter() - started
            scored = Scored.joined([future.result() for future in pending])
        scored.decode_seconds = decoding
        return scored

    def _score(self, rows: Rows, wanted: Wanted) -> Scored:
        started = perf_counter()
        scores = self.bundle.score(rows.X)
        ended = perf_counter()
        step = -(-len(scores) // SAMPLE_ROWS)
        sample = rows.X[::step], scores.probability[::step]
        scored = Scored(scores, [], *sample, rows.missing_cells, rows.unseen_categories)
        scored.score_seconds = ended - started
        if wanted.has_base_value:
            scored.base_value = self.bundle.base_value
        if wanted.has_reasons:
            scored.reasons = self.bundle.explain(rows.X, scores, wanted.reasons, wanted.reasons_above)
            scored.reason_seconds = perf_counter() - ended
        return scored
