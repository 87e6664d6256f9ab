import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

from fraud.model.calibration import Platt
from fraud.model.scores import Floats, Labels


def drawn(centre: float, scale: float, gap: float, rows: int = 4000, frauds: int = 60) -> tuple[Floats, Labels]:
    rng = np.random.default_rng(3)
    y = np.zeros(rows, dtype=np.uint8)
    y[:frauds] = 1
    return (centre + scale * (rng.normal(size=rows) + gap * y.astype(float))), y


def optimum(margin: Floats, y: Labels) -> Floats:
    """Return the probabilities at the optimum of Platt's loss, found by another minimiser from his paper's start."""
    frauds, honest = int(y.sum()), int(len(y) - y.sum())
    target = np.where(y == 1, (frauds + 1) / (frauds + 2), 1 / (honest + 2))
    standard = (margin - margin.mean()) / margin.std()

    def loss(line: Floats) -> float:
        along = line[0] * standard + line[1]
        return float(np.sum(np.logaddexp(0, along) - target * along))

    def slopes(line: Floats) -> Floats:
        gap = expit(line[0] * standard + line[1]) - target
        return np.array([gap @ standard, gap.sum()])

    start = np.array([0.0, np.log((frauds + 1) / (honest + 1))])
    found = minimize(loss, start, jac=slopes, method="BFGS", options={"gtol": 1e-7}).x
    probability: Floats = expit(found[0] * standard + found[1])
    return probability


@pytest.mark.parametrize(
    ("centre", "scale", "gap"),
    [
        pytest.param(-5, 1.5, 3, id="a usual booster"),
        pytest.param(-50, 0.1, 2, id="far from zero"),
        pytest.param(-8, 0.001, 3, id="one short round: margins nearly alike"),
        pytest.param(0, 1e4, 1, id="huge margins"),
        pytest.param(-2, 1, 12, id="separable"),
    ],
)
def test_optimum(centre: float, scale: float, gap: float) -> None:
    """The line is the one that minimises the smoothed log loss, wherever the margins lie and however wide."""
    margin, y = drawn(centre, scale, gap)
    calibration = Platt.fit(margin, y)

    assert calibration.probability(margin) == pytest.approx(optimum(margin, y), rel=2e-3, abs=1e-6)


@pytest.mark.parametrize("gap", [pytest.param(4, id="good"), pytest.param(0.1, id="poor"), pytest.param(-3, id="bad")])
def test_ranking(gap: float) -> None:
    """The ranking stays as it is, however well the margins rank."""
    margin, y = drawn(-4, 1.2, gap)
    calibration = Platt.fit(margin, y)

    assert calibration.slope > 0
    assert np.array_equal(rankdata(calibration.probability(margin)), rankdata(margin))


@pytest.mark.parametrize("gap", [pytest.param(3, id="good"), pytest.param(-3, id="worse than chance")])
def test_mean(gap: float) -> None:
    """The mean probability is the fraud rate."""
    margin, y = drawn(-4, 1.2, gap)

    assert Platt.fit(margin, y).probability(margin).mean() == pytest.approx(y.mean(), rel=0.03)


@pytest.mark.parametrize("scale", [pytest.param(1, id="usual"), pytest.param(1e4, id="huge")])
def test_worse_than_chance(scale: float) -> None:
    """Margins that rank worse than chance get about the base rate each."""
    margin, y = drawn(0, scale, -3)
    probability = Platt.fit(margin, y).probability(margin)

    assert probability.min() > 0.9 * y.mean()
    assert probability.max() < 1.1 * y.mean()


@pytest.mark.parametrize("value", [-3.1, 0.0, 0.7])
def test_one_margin(value: float) -> None:
    """Where every margin is the same, so is every probability: the base rate."""
    y = np.repeat([1, 0], [30, 970]).astype(np.uint8)
    calibration = Platt.fit(np.full(1000, value), y)

    assert 0 < calibration.slope < 1
    assert calibration.probability(np.array([value])) == pytest.approx([0.03], rel=0.01)


def test_separable_is_finite() -> None:
    """Margins that separate the classes give no certainty: each end stays near Platt's target."""
    y = np.repeat([1, 0], [8, 98]).astype(np.uint8)
    probability = Platt.fit(np.where(y == 1, 500.0, -500.0), y).probability(np.array([500.0, -500.0]))

    assert probability == pytest.approx([9 / 10, 1 / 100], rel=1e-3)


@pytest.mark.parametrize("slope", [1e-100, 1.0, 1e100])
def test_extreme_margins(slope: float) -> None:
    """Any float32 for a margin has a probability from 0 to 1, in the order of the margins, and nothing overflows."""
    margin = np.array([-3.4028235e38, -800.0, -1e-45, 0.0, 1e-45, 800.0, 3.4028235e38])
    probability = Platt(slope, 0.0).probability(margin)

    assert np.isfinite(probability).all()
    assert (np.diff(probability) >= 0).all()
    assert (probability[0] >= 0, probability[3], probability[-1] <= 1) == (True, pytest.approx(0.5), True)
