"""What a job was told: strings in three dialects, as one typed and checked object."""

import ast
import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

from fraud.errors import HyperparameterError
from fraud.model.algorithms import ALGORITHMS
from fraud.model.parameters import BoosterParameters, Parameters, Whole, said, tunable
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
            close = get_close_matches(str(value), names, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"should be one of {', '.join(names)}{hint}")
        return value

    return BeforeValidator(check)


type Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class Hyperparameters(BaseModel):
    """Every name that a job may set: these, and in `parameters` those of its learner."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    algorithm: Annotated[str, _one_of(ALGORITHMS)] = said("xgboost", "the learner")
    parameters: SerializeAsAny[Parameters] = BoosterParameters()

    label: str = said("Class", "column that holds 0, or 1 for fraud")
    time_column: str | None = said(None, "column that orders rows; `Time` where one is there")
    amount_column: str = said("Amount", "column that holds the money, for threshold_rule=risk")
    exclude: Names = said((), "columns that the model must not read, such as ids")
    categories: Names = said((), "columns that are categories though their cells are numbers")
    validation_fraction: float = said(0.3, "share of rows held out where no channel validates", gt=0, le=0.9)

    resampling: Annotated[str, _one_of({"auto": None, **RESAMPLERS})] = said("auto", "class balance for training rows")
    smote_ratio: float = tunable(0.1, "frauds for each honest row after SMOTE", gt=0, le=1)
    undersample_ratio: float = tunable(0.02, "frauds for each honest row after undersampling", gt=0, le=1)
    threshold_rule: Annotated[Rule, BeforeValidator(_rule)] = said(Rule("max_f1", "max_f1"), "what is flagged")
    decline_rule: Annotated[Rule, BeforeValidator(_decline_rule)] = said(
        Rule.parse("precision>=0.98"), "what of that is declined without a review; `none` for nothing"
    )
    top_k: Whole = said(100, "rows looked at for precision and recall at k", ge=1)
    refit: bool = said(default=False, description="fit once more on training and validation rows")
    seed: Whole = said(0, "of every random choice", ge=0, le=2**31 - 1)
    device: Literal["auto", "cpu", "cuda"] = said("auto", "where to train; xgboost alone uses a GPU")

    @field_validator("resampling")
    @classmethod
    def _check_resampling(cls, resampling: str, info: ValidationInfo) -> str:
        algorithm = info.data.get("algorithm")
        if algorithm and not ALGORITHMS[algorithm].is_supervised and resampling not in ("auto", "none"):
            raise ValueError(f"{algorithm} learns from honest rows alone, as they are; use none or auto")
        return resampling

    @field_validator("device")
    @classmethod
    def _check_device(cls, device: str, info: ValidationInfo) -> str:
        algorithm = info.data.get("algorithm")
        if device == "cuda" and algorithm and not ALGORITHMS[algorithm].uses_gpu:
            raise ValueError(f"{algorithm} trains on the CPU; use auto or cpu")
        return device

    def stated(self) -> dict[str, object]:
        """Return every value, those of the learner too, a rule as its text: what a bundle records."""
        rules = {"threshold_rule": self.threshold_rule.text, "decline_rule": self.decline_rule.text}
        of_learner = self.parameters.model_dump(mode="json", by_alias=True)
        return {**of_learner, **self.model_dump(mode="json", exclude={"parameters"}), **rules}


def read(strings: Mapping[str, str]) -> Hyperparameters:
    """Read the strings of a job; HyperparameterError names every problem at once."""
    values = {}
    for name, text in strings.items():
        if not name.startswith(FOREIGN_PREFIX) and name not in FOREIGN_NAMES:
            value = _plain(text)
            if value not in ABSENT:
                values[name] = value
    algorithm = str(values.get("algorithm", "xgboost"))
    kind = ALGORITHMS[algorithm].parameters if algorithm in ALGORITHMS else Parameters
    own = {name: value for name, value in values.items() if name in fields(kind)}
    problems = []
    try:
        parameters = kind.model_validate(own)
    except ValidationError as error:
        problems, parameters = [_problem(item, algorithm) for item in error.errors()], kind.model_construct()
    common = {name: value for name, value in values.items() if name not in own}
    if "parameters" in common:  # a field of ours, and a name of nobody's
        problems.append(_unknown("parameters", algorithm))
    known = kind is not Parameters
    try:
        told = Hyperparameters.model_validate({**common, "parameters": parameters})
    except ValidationError as error:
        # what an unknown learner may be told, nobody knows
        errors = [item for item in error.errors() if known or item["type"] != "extra_forbidden"]
        problems += [_problem(item, algorithm) for item in errors]
    if problems:
        raise HyperparameterError("; ".join(problems))
    return told


def fields(kind: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of one kind of hyperparameters, by the names that a job sets."""
    return {field.alias or name: field for name, field in kind.model_fields.items() if name != "parameters"}


def names(algorithm: str) -> list[str]:
    """Return every name that a job of this learner may set."""
    return [*fields(ALGORITHMS[algorithm].parameters), *fields(Hyperparameters)]


def _plain(text: str) -> str:
    """Take off the quotes, and the escapes, that one SDK puts inside the value (T14)."""
    text = text.strip()
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'" or text[0] in text[1:-1].replace('\\"', ""):
        return text
    try:
        return str(json.loads(text)).strip()
    except ValueError:
        return text[1:-1].strip()


def hint(name: str, algorithms: Sequence[str]) -> str:
    """Return what a name that none of these learners has may have meant.

    A synonym, a misspelt name, another learner's, or the nearest.
    """
    if name in THREADS:
        return "training uses every core that it may"
    known = list(dict.fromkeys(one for algorithm in algorithms for one in names(algorithm)))
    others = [owner for owner, kind in ALGORITHMS.items() if name in fields(kind.parameters)]
    if others and MEANT.get(name) not in known:
        lacking = (
            f"algorithm={algorithms[0]} has none" if len(algorithms) == 1 else f"{', '.join(algorithms)} have none"
        )
        return f"{lacking} of that name, {', '.join(others)} ha{'s' if len(others) == 1 else 've'}"
    name = name.casefold()
    alike = [one for one in known if one.casefold() == name]
    close = [MEANT[name]] if MEANT.get(name) in known else alike or get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    nearest = get_close_matches(name, known, n=3, cutoff=0.45)
    return (f"the nearest are {', '.join(nearest)}; " if nearest else "") + f"the names are {', '.join(known)}"


def _unknown(name: str, algorithm: str) -> str:
    return f"{name[:60]}: there is no such hyperparameter; {hint(name, [algorithm])}"


def _problem(item: Any, algorithm: str) -> str:
    name = str(item["loc"][0])
    if item["type"] == "extra_forbidden":
        return _unknown(name, algorithm)
    reason = item["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f'{name}="{str(item["input"])[:60]}": {reason}'
