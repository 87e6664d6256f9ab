"""What each learner may be told: one frozen, checked object a learner, made of the strings of a job.

A name means the same, within the same limits, for every learner that has it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def whole(value: object) -> object:
    """Read 5.0 as 5: a tuner of continuous ranges writes whole numbers so (T55)."""
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if number.is_integer() else value
    return value


def _layers(value: object) -> object:
    """Read `64,32`, `[64, 32]` and `(64, 32)`: how many units each hidden layer has."""
    if not isinstance(value, str):
        return value
    sizes = tuple(whole(size.strip()) for size in value.strip("[]() ").split(",") if size.strip())
    if not 1 <= len(sizes) <= 10 or not all(isinstance(size, int) and 1 <= size <= 10_000 for size in sizes):
        raise ValueError("should be 1 to 10 whole numbers from 1 to 10000 with commas, such as 64,32")
    return sizes


type Whole = Annotated[int, BeforeValidator(whole)]
type Layers = Annotated[tuple[int, ...], BeforeValidator(_layers)]


def said(default: Any, description: str, **limits: float) -> Any:
    """Return a field that has a description and limits."""
    stated: dict[str, Any] = {"description": description, **limits}
    return Field(default, **stated)


def tunable(default: float, description: str, **stated: Any) -> Any:
    """Return a field that a tuner may vary within its limits."""
    stated |= {"description": description, "json_schema_extra": {"tunable": True}}
    return Field(default, **stated)


def _class_weight() -> Any:
    return said("none", "`balanced` weighs frauds as much as honest rows; the calibration undoes it")


def _depth(default: int) -> Any:
    return tunable(default, "greatest depth of a tree; 0 is no limit", ge=0, le=64)


def _trees() -> Any:
    return tunable(100, "trees of a forest", ge=1, le=5_000)


def _penalty_strength() -> Any:
    return tunable(1.0, "how little large weights are penalised", gt=0, le=1e4)


def _most_rows(default: int) -> Any:
    return tunable(default, "honest rows, drawn at random, that a tree or a boundary is fitted to", ge=2, le=1_000_000)


def _kernel() -> Any:
    return said("rbf", "how alike two rows are: of these only linear has reasons")


def _kernel_gamma() -> Any:
    return tunable(0.0, "how near rows must lie to be alike; 0 is 1 / number of inputs", ge=0, le=1e3)


class Parameters(BaseModel):
    """What a learner may be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def watches_tuning(self) -> bool:
        """Whether rows that tune end the fit early."""
        return False


class BoosterParameters(Parameters):
    """XGBoost's own parameters, by the names that the built-in algorithm has for them."""

    eta: float = tunable(0.05, "share of each tree's correction that is taken", gt=0, le=1)
    max_depth: Whole = _depth(4)
    min_child_weight: float = tunable(1.0, "least sum of instance weight (hessian) in a leaf", ge=0, le=1e6)
    max_delta_step: float = tunable(0.0, "largest step of a leaf's value; 0 is no limit", ge=0, le=1e6)
    subsample: float = tunable(1.0, "share of the rows that each tree sees", gt=0, le=1)
    colsample_bytree: float = tunable(1.0, "share of the columns that each tree sees", gt=0, le=1)
    colsample_bylevel: float = tunable(1.0, "share of those that each level sees", gt=0, le=1)
    colsample_bynode: float = tunable(1.0, "share of those that each split sees", gt=0, le=1)
    gamma: float = tunable(0.0, "least gain of a split", ge=0, le=1e6)
    alpha: float = tunable(0.0, "L1 penalty on the leaves' values", ge=0, le=1e6)
    lambda_: float = tunable(1.0, "L2 penalty on the leaves' values", ge=0, le=1e6, alias="lambda")
    max_bin: Whole = tunable(4096, "bins of a column; rare classes need many", ge=2, le=65_536)
    max_leaves: Whole = tunable(0, "most leaves of a tree; 0 is no limit", ge=0, le=100_000)
    grow_policy: Literal["depthwise", "lossguide"] = said("depthwise", "which leaf is split next")
    scale_pos_weight: float = tunable(1.0, "weight of a fraud; the calibration undoes it", gt=0, le=1e6)
    base_score: float = said(0.5, "probability that boosting starts from; rare classes need 0.5", gt=0, lt=1)
    objective: Literal["binary:logistic"] = said("binary:logistic", "what is minimised; accepted for old jobs")
    tree_method: Literal["auto", "hist"] = said("hist", "how splits are found; accepted for old jobs")
    num_round: Whole = tunable(300, "trees", ge=1, le=100_000)
    early_stopping_rounds: Whole = said(0, "rounds without gain before the end; 0 is never", ge=0)
    eval_metric: Literal["logloss", "aucpr", "auc"] = said("logloss", "what early stopping watches")

    @property
    def watches_tuning(self) -> bool:
        return self.early_stopping_rounds > 0

    def booster(self) -> dict[str, object]:
        """Return what XGBoost itself reads of them."""
        return self.model_dump(by_alias=True, exclude={"num_round", "early_stopping_rounds", "eval_metric"})


class LogisticRegressionParameters(Parameters):
    """Those of a logistic regression."""

    penalty: Literal["l2", "l1"] = said("l2", "l1 leaves inputs out, l2 shrinks them all")
    C: float = _penalty_strength()
    class_weight: Literal["none", "balanced"] = _class_weight()


class DecisionTreeParameters(Parameters):
    """Those of one tree."""

    max_depth: Whole = _depth(6)
    min_samples_leaf: Whole = tunable(5, "least rows in a leaf", ge=1, le=100_000)
    class_weight: Literal["none", "balanced"] = _class_weight()


class RandomForestParameters(Parameters):
    """Those of a forest."""

    n_estimators: Whole = _trees()
    max_depth: Whole = _depth(20)
    min_samples_leaf: Whole = tunable(1, "least rows in a leaf", ge=1, le=100_000)
    max_features: float = tunable(0.0, "share of the inputs that each split sees; 0 is their square root", ge=0, le=1)
    class_weight: Literal["none", "balanced"] = _class_weight()


class KNeighborsParameters(Parameters):
    """Those of the nearest neighbours."""

    n_neighbors: Whole = tunable(25, "training rows that a row is compared with", ge=1, le=10_000)
    weights: Literal["distance", "uniform"] = said("distance", "whether nearer ones count more")


class SVCParameters(Parameters):
    """Those of a support-vector classifier."""

    kernel: Literal["rbf", "linear", "poly", "sigmoid"] = _kernel()
    C: float = _penalty_strength()
    kernel_gamma: float = _kernel_gamma()
    class_weight: Literal["none", "balanced"] = _class_weight()


class NetworkParameters(Parameters):
    """Those of networks: ReLU or tanh inside, fitted by Adam."""

    hidden_layer_sizes: Layers = said((64, 32), "units of each hidden layer")
    activation: Literal["relu", "tanh"] = said("relu", "what a unit makes of its sum")
    l2: float = tunable(1e-4, "L2 penalty on the weights", ge=0, le=1e6)
    learning_rate_init: float = tunable(1e-3, "step of Adam", gt=0, le=1)
    batch_size: Whole = tunable(256, "rows of a step", ge=1, le=100_000)
    epochs: Whole = tunable(30, "passes over the training rows", ge=1, le=10_000)


class AutoencoderParameters(NetworkParameters):
    """Those of an autoencoder, whose last layer is as wide as its inputs, and linear."""

    hidden_layer_sizes: Layers = said((15, 7, 15), "units of each hidden layer")


class IsolationForestParameters(Parameters):
    """Those of an isolation forest."""

    n_estimators: Whole = _trees()
    max_samples: Whole = _most_rows(256)


class OneClassSVMParameters(Parameters):
    """Those of a one-class support-vector machine."""

    kernel: Literal["rbf", "linear", "poly", "sigmoid"] = _kernel()
    nu: float = tunable(0.01, "share of the honest rows that may lie outside the boundary", gt=0, le=0.5)
    kernel_gamma: float = _kernel_gamma()
    max_samples: Whole = _most_rows(20_000)
