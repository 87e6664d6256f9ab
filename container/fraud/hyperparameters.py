"""What a job was told: strings in three dialects, as one typed and checked object."""

import ast
import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fraud.errors import HyperparameterError
from fraud.model.algorithms import ALGORITHMS
from fraud.model.resampling import RESAMPLERS
from fraud.model.thresholds import NEVER, Rule

# What SDKs and the tuner add to a job (T15).
FOREIGN_PREFIX, FOREIGN_NAMES = "sagemaker_", ("_tuning_objective_metric",)
# How Python and JSON spell "not given" (T14); a lower-case none is a value, that of `resampling`.
ABSENT = ("", "None", "null", "NULL")
# What other interfaces to XGBoost, and other products, call the same thing.
MEANT = {
    "learning_rate": "eta",
    "n_estimators": "num_round",
    "num_boost_round": "num_round",
    "nrounds": "num_round",
    "num_trees": "num_round",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
    "min_split_loss": "gamma",
    "random_state": "seed",
    "label_column": "label",
    "target": "label",
    "target_column": "label",
    "test_size": "validation_fraction",
    "categorical_features": "categories",
    "class_weight": "scale_pos_weight",
    "id_column": "exclude",
    "id_columns": "exclude",
    "drop_columns": "exclude",
}
THREADS = ("nthread", "n_jobs", "num_threads")


def _whole(value: object) -> object:
    """Read 5.0 as 5: a tuner of continuous ranges writes whole numbers so (T55)."""
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if number.is_integer() else value
    return value


def _names(value: object) -> object:
    """Read a list of names: JSON, Python's spelling, or words with commas."""
    if not isinstance(value, str):
        return value
    if value.startswith(("[", "(")):
        for read in (json.loads, ast.literal_eval):
            try:
                return tuple(read(value))
            except (ValueError, SyntaxError, TypeError):
                continue
    return tuple(_plain(name) for name in value.split(",") if name.strip())


def _rule(value: object) -> object:
    return Rule.parse(value) if isinstance(value, str) else value


def _decline_rule(value: object) -> object:
    if value == NEVER.text:
        return NEVER
    try:
        rule = _rule(value)
    except ValueError as error:
        raise ValueError(str(error).replace(", risk:cost=5", ", none")) from None
    if isinstance(rule, Rule) and rule.name == "risk":
        raise ValueError("should be a rule of the probability alone, such as precision>=0.9, or none")
    return rule


def _one_of(names: Mapping[str, object]) -> BeforeValidator:
    def check(value: object) -> object:
        if value not in names:
            raise ValueError(f"should be one of {', '.join(names)}")
        return value

    return BeforeValidator(check)


type Whole = Annotated[int, BeforeValidator(_whole)]
type Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


def _said(default: Any, description: str, **limits: float) -> Any:
    stated: dict[str, Any] = {"description": description, **limits}
    return Field(default, **stated)


def _tunable(default: float, description: str, **stated: Any) -> Any:
    """Return a field that a tuner may vary within its limits."""
    stated |= {"description": description, "json_schema_extra": {"tunable": True}}
    return Field(default, **stated)


class BoosterParameters(BaseModel):
    """XGBoost's own parameters, by the names that the built-in algorithm has for them."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    eta: float = _tunable(0.05, "share of each tree's correction that is taken", gt=0, le=1)
    max_depth: Whole = _tunable(4, "greatest depth of a tree; 0 is no limit", ge=0, le=64)
    min_child_weight: float = _tunable(1.0, "least sum of instance weight (hessian) in a leaf", ge=0, le=1e6)
    max_delta_step: float = _tunable(0.0, "largest step of a leaf's value; 0 is no limit", ge=0, le=1e6)
    subsample: float = _tunable(1.0, "share of the rows that each tree sees", gt=0, le=1)
    colsample_bytree: float = _tunable(1.0, "share of the columns that each tree sees", gt=0, le=1)
    colsample_bylevel: float = _tunable(1.0, "share of those that each level sees", gt=0, le=1)
    colsample_bynode: float = _tunable(1.0, "share of those that each split sees", gt=0, le=1)
    gamma: float = _tunable(0.0, "least gain of a split", ge=0, le=1e6)
    alpha: float = _tunable(0.0, "L1 penalty on the leaves' values", ge=0, le=1e6)
    lambda_: float = _tunable(1.0, "L2 penalty on the leaves' values", ge=0, le=1e6, alias="lambda")
    max_bin: Whole = _tunable(4096, "bins of a column; rare classes need many", ge=2, le=65_536)
    max_leaves: Whole = _tunable(0, "most leaves of a tree; 0 is no limit", ge=0, le=100_000)
    grow_policy: Literal["depthwise", "lossguide"] = _said("depthwise", "which leaf is split next")
    scale_pos_weight: float = _tunable(1.0, "weight of a fraud; the calibration undoes it", gt=0, le=1e6)
    base_score: float = _said(0.5, "probability that boosting starts from; rare classes need 0.5", gt=0, lt=1)
    objective: Literal["binary:logistic"] = _said("binary:logistic", "what is minimised; accepted for old jobs")
    tree_method: Literal["auto", "hist"] = _said("hist", "how splits are found; accepted for old jobs")
    seed: Whole = _said(0, "of every random choice", ge=0, le=2**31 - 1)


class Hyperparameters(BoosterParameters):
    """Every name that a job may set."""

    algorithm: Annotated[str, _one_of(ALGORITHMS)] = _said("xgboost", "the learner")
    num_round: Whole = _tunable(300, "trees", ge=1, le=100_000)
    early_stopping_rounds: Whole = _said(0, "rounds without gain before the end; 0 is never", ge=0)
    eval_metric: Literal["logloss", "aucpr", "auc"] = _said("logloss", "what early stopping watches")

    label: str = _said("Class", "column that holds 0, or 1 for fraud")
    time_column: str | None = _said(None, "column that orders rows; `Time` where one is there")
    amount_column: str = _said("Amount", "column that holds the money, for threshold_rule=risk")
    exclude: Names = _said((), "columns that the model must not read, such as ids")
    categories: Names = _said((), "columns that are categories though their cells are numbers")
    validation_fraction: float = _said(0.3, "share of rows held out where no channel validates", gt=0, le=0.9)

    resampling: Annotated[str, _one_of({"auto": None, **RESAMPLERS})] = _said("auto", "class balance for training rows")
    smote_ratio: float = _tunable(0.1, "frauds for each honest row after SMOTE", gt=0, le=1)
    undersample_ratio: float = _tunable(0.02, "frauds for each honest row after undersampling", gt=0, le=1)
    threshold_rule: Annotated[Rule, BeforeValidator(_rule)] = _said(Rule("max_f1", "max_f1"), "what is flagged")
    decline_rule: Annotated[Rule, BeforeValidator(_decline_rule)] = _said(
        Rule.parse("precision>=0.98"), "what of that is declined without a review; `none` for nothing"
    )
    top_k: Whole = _said(100, "rows looked at for precision and recall at k", ge=1)
    refit: bool = _said(default=False, description="fit once more on training and validation rows")
    device: Literal["auto", "cpu", "cuda"] = _said("auto", "where to train")

    def booster(self) -> dict[str, object]:
        """Return XGBoost's own parameters."""
        return self.model_dump(by_alias=True, include=set(BoosterParameters.model_fields))

    def stated(self) -> dict[str, object]:
        """Return every value, the rule as its text: what a bundle records."""
        rules = {"threshold_rule": self.threshold_rule.text, "decline_rule": self.decline_rule.text}
        return {**self.model_dump(mode="json", by_alias=True), **rules}


def read(strings: Mapping[str, str]) -> Hyperparameters:
    """Read the strings of a job; HyperparameterError names every problem at once."""
    values = {}
    for name, text in strings.items():
        if not name.startswith(FOREIGN_PREFIX) and name not in FOREIGN_NAMES:
            value = _plain(text)
            if value not in ABSENT:
                values[name] = value
    try:
        return Hyperparameters.model_validate(values)
    except ValidationError as error:
        raise HyperparameterError("; ".join(_problem(item) for item in error.errors())) from None


def names() -> list[str]:
    """Return every name that a job may set."""
    return [field.alias or name for name, field in Hyperparameters.model_fields.items()]


def _plain(text: str) -> str:
    """Take off the quotes, and the escapes, that one SDK puts inside the value (T14)."""
    text = text.strip()
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'" or text[0] in text[1:-1].replace('\\"', ""):
        return text
    try:
        return str(json.loads(text)).strip()
    except ValueError:
        return text[1:-1].strip()


def _hint(name: str) -> str:
    """Return what an unknown name may have meant: a synonym, a misspelt name, or one of the nearest."""
    if name in THREADS:
        return "training uses every core that it may"
    close = [MEANT[name]] if name in MEANT else get_close_matches(name, names(), n=1)
    if close:
        return f"did you mean {close[0]}?"
    nearest = get_close_matches(name, names(), n=3, cutoff=0.45)
    return (f"the nearest are {', '.join(nearest)}; " if nearest else "") + f"the names are {', '.join(names())}"


def _problem(item: Any) -> str:
    name = str(item["loc"][0])
    if item["type"] == "extra_forbidden":
        return f"{name[:60]}: there is no such hyperparameter; {_hint(name.casefold())}"
    reason = item["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f'{name}="{str(item["input"])[:60]}": {reason}'
