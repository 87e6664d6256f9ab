import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from fraud.model import evaluation
from fraud.model.evaluation import average_precision_gain, calibration_figures, confusion, evaluate, reliability
from fraud.model.scores import Floats, Labels, Scores


def drawn(rows: int = 400, seed: int = 0, *, decimals: int = 2, rate: float = 0.2) -> tuple[Labels, Scores]:
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < rate).astype(np.uint8)
    y[:2] = 0, 1
    probability = np.round(np.clip(rng.random(rows) * 0.7 + 0.25 * y, 0.01, 0.99), decimals)
    return y, Scores(probability, probability, probability >= 0.6, probability >= 0.9)


@pytest.mark.parametrize("decimals", [pytest.param(1, id="many ties"), pytest.param(9, id="no ties")])
@pytest.mark.parametrize("seed", range(5))
def test_measures(decimals: int, seed: int) -> None:
    """Every measure is what scikit-learn says it is, with ties and without."""
    y, scores = drawn(decimals=decimals, seed=seed)
    figures = {name: figure.value for name, figure in evaluate(y, scores, 30, 0).items()}
    top = y[np.argsort(-scores.probability, kind="stable")[:30]]

    assert figures == pytest.approx(
        {
            "average_precision": average_precision_score(y, scores.probability),
            "roc_auc": roc_auc_score(y, scores.probability),
            "precision": precision_score(y, scores.flagged),
            "recall": recall_score(y, scores.flagged),
            "f1": f1_score(y, scores.flagged),
            "precision_at_k": top.mean(),
            "recall_at_k": top.sum() / y.sum(),
            "brier": brier_score_loss(y, scores.probability),
            "logloss": log_loss(y, scores.probability),
        }
    )


@pytest.mark.parametrize("k", [401, 10**30])
def test_few_rows(k: int) -> None:
    """Where there are fewer rows than k, all of them are looked at."""
    y, scores = drawn()
    figures = evaluate(y, scores, k, 0)

    assert figures["precision_at_k"].value == pytest.approx(y.mean())
    assert figures["recall_at_k"].value == 1.0


def test_nothing_flagged() -> None:
    """Where nothing is flagged, precision, recall and F1 are 0."""
    y, scores = drawn()
    nothing = np.zeros(400, dtype=bool)
    figures = evaluate(y, Scores(scores.raw_score, scores.probability, nothing, nothing), 10, 0)

    assert [figures[name].value for name in ("precision", "recall", "f1")] == [0, 0, 0]


def test_certain_and_wrong() -> None:
    """A probability of 0 for a fraud costs much and not without end."""
    y, probability = np.array([1, 0], dtype=np.uint8), np.array([0.0, 1.0])
    figures = evaluate(y, Scores(probability, probability, probability > 0.5, probability > 0.9), 1, 0)

    assert 30 < figures["logloss"].value < 40
    assert figures["average_precision"].value == 0.5


def test_intervals_contain() -> None:
    """Every figure lies in its interval, and the interval is not a point."""
    y, scores = drawn(2000)
    for name, figure in evaluate(y, scores, 200, 0).items():
        assert figure.low < figure.value < figure.high, name


def test_intervals_narrow() -> None:
    """Sixteen times the rows make the intervals about four times as narrow."""
    small, large = (evaluate(*drawn(rows), rows // 10, 0) for rows in (500, 8000))
    for name, figure in small.items():
        ratio = (figure.high - figure.low) / (large[name].high - large[name].low)
        assert 2.5 < ratio < 7, name


def test_intervals_cover() -> None:
    """The interval holds the true value about as often as it says: here in 60 samples of a known precision."""
    truth = 0.3
    covered = 0
    for seed in range(60):
        y = (np.random.default_rng(seed).random(300) < truth).astype(np.uint8)
        probability = np.full(300, 0.5)
        flagged = probability >= 0.5
        figure = evaluate(y, Scores(probability, probability, flagged, flagged), 10, seed)["precision"]
        covered += figure.low <= truth <= figure.high

    assert 52 <= covered <= 60


def test_seed() -> None:
    """The same seed gives the same intervals, another seed others around the same value."""
    y, scores = drawn()
    figure, same, other = (evaluate(y, scores, 10, seed)["roc_auc"] for seed in (1, 1, 2))

    assert figure == same
    assert figure.value == other.value
    assert figure.low != other.low


def test_one_fraud() -> None:
    """Draws without the only fraud are left out, and the figures stay finite."""
    y, scores = np.array([1, 0, 0, 0], dtype=np.uint8), np.array([0.9, 0.8, 0.1, 0.1])
    figures = evaluate(y, Scores(scores, scores, scores > 0.5, scores > 0.9), 1, 0)

    assert figures["average_precision"].value == 1.0
    assert all(np.isfinite([figure.low, figure.high]).all() for figure in figures.values())


def test_memory() -> None:
    """The draws are measured one by one: the memory is that of few, not of all of them."""
    y, scores = drawn(20_000)
    tracemalloc.start()
    evaluate(y, scores, 100, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < evaluation.REPLICATES * y.size * 8 / 4


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_average_precision(decimals: int) -> None:
    """The average precision of a round is scikit-learn's, in float32 and with ties too."""
    y, scores = drawn(seed=5, decimals=decimals)
    margin = scores.probability.astype(np.float32)

    assert evaluation.average_precision(y, margin) == pytest.approx(average_precision_score(y, margin))
    assert evaluation.average_precision(y.astype(np.float32), margin) == evaluation.average_precision(y, margin)


def test_average_precision_without_fraud() -> None:
    """Without a fraud the average precision is 0."""
    assert evaluation.average_precision(np.zeros(3), np.arange(3)) == 0.0


def test_gain() -> None:
    """A better ranking gains beyond noise, the same one gains nothing, and the seed decides the interval."""
    y, scores = drawn(1000)
    noise = scores.probability + np.random.default_rng(0).normal(0, 0.5, 1000)
    gain = average_precision_gain(y, noise, scores.probability, 0)
    none = average_precision_gain(y, noise, noise, 0)

    ap = evaluation.average_precision
    assert gain.value == pytest.approx(ap(y, scores.probability) - ap(y, noise))
    assert 0 < gain.low < gain.value < gain.high
    assert gain == average_precision_gain(y, noise, scores.probability, 0)
    assert gain != average_precision_gain(y, noise, scores.probability, 1)
    assert (none.low, none.value, none.high) == (0, 0, 0)


def test_confusion() -> None:
    """Rows are counted by what they are and what was said of them."""
    y = np.array([1, 1, 1, 0, 0, 1], dtype=np.uint8)
    flagged = np.array([True, True, False, True, False, True])

    assert confusion(y, flagged) == {
        "true_positive": 3,
        "false_positive": 1,
        "false_negative": 1,
        "true_negative": 1,
    }


def test_reliability() -> None:
    """A bin holds mean probability and observed rate; an edge opens the next bin, and empty bins are left out."""
    probability = np.array([0.0, 0.0005, 0.001, 0.15, 0.8, 1.0])
    table = reliability(np.array([0, 0, 0, 1, 1, 0], dtype=np.uint8), probability)

    assert table == [
        {"rows": 2.0, "predicted": pytest.approx(0.00025), "observed": 0.0},
        {"rows": 1.0, "predicted": pytest.approx(0.001), "observed": 0.0},
        {"rows": 1.0, "predicted": pytest.approx(0.15), "observed": 1.0},
        {"rows": 2.0, "predicted": pytest.approx(0.9), "observed": 0.5},
    ]


def calibrated(rows: int) -> tuple[Labels, Floats]:
    rng = np.random.default_rng(1)
    probability = rng.beta(0.5, 5, rows)
    return (rng.random(rows) < probability).astype(np.uint8), probability


def test_calibration_figures() -> None:
    """Calibrated probabilities have hardly an error; doubled odds overstate the risk, by a known factor."""
    y, probability = calibrated(20_000)
    good, twice = calibration_figures(y, probability), calibration_figures(y, probability * 2)

    assert good["brier"] == pytest.approx(brier_score_loss(y, probability))
    assert good["expected_calibration_error"] < 0.01
    assert twice["expected_calibration_error"] > 0.05
    assert good["predicted_to_observed"] == pytest.approx(1, abs=0.05)
    assert twice["predicted_to_observed"] == pytest.approx(2 * good["predicted_to_observed"])


def test_expected_calibration_error() -> None:
    """The expected calibration error weighs each bin's gap by its rows."""
    figures = calibration_figures(np.array([1, 0, 0, 0], dtype=np.uint8), np.array([0.9, 0.5, 0.5, 0.5]))

    assert figures["expected_calibration_error"] == pytest.approx((1 * 0.1 + 3 * 0.5) / 4)


def test_joined_scores() -> None:
    """The scores of blocks, put together, are those of all rows in order."""
    _, scores = drawn(10)
    parts = [
        Scores(scores.raw_score[rows], scores.probability[rows], scores.flagged[rows], scores.declined[rows])
        for rows in (slice(0, 4), slice(4, 10))
    ]
    joined = Scores.joined(parts)

    assert len(joined) == 10
    assert len(Scores.joined([])) == 0
    assert Scores.joined([scores]) is scores
    for name in ("raw_score", "probability", "flagged", "declined", "decisions"):
        assert np.array_equal(getattr(joined, name), getattr(scores, name)), name
