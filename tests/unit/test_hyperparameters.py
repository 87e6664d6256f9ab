import json
import re

import pytest

from fraud import hyperparameters
from fraud.errors import HyperparameterError
from fraud.hyperparameters import Hyperparameters, read
from fraud.model.parameters import BoosterParameters
from fraud.model.thresholds import Rule

# A value other than the default, for each name: as a notebook has it, and as it is read.
TOLD: dict[str, object] = {
    "eta": 0.2,
    "max_depth": 7,
    "min_child_weight": 2.5,
    "max_delta_step": 5.0,
    "subsample": 0.92,
    "colsample_bytree": 0.91,
    "colsample_bylevel": 0.5,
    "colsample_bynode": 0.25,
    "gamma": 0.003,
    "alpha": 1e-05,
    "lambda": 0.53,
    "max_bin": 256,
    "max_leaves": 31,
    "grow_policy": "lossguide",
    "scale_pos_weight": 577.0,
    "base_score": 0.1,
    "objective": "binary:logistic",
    "tree_method": "auto",
    "seed": 42,
    "algorithm": "xgboost",
    "num_round": 25,
    "early_stopping_rounds": 10,
    "eval_metric": "aucpr",
    "label": 'is "fräud"',
    "time_column": "when",
    "amount_column": "sum",
    "exclude": ["id", "card, number", "Straße"],
    "categories": ["country"],
    "validation_fraction": 0.25,
    "resampling": "smote+undersample",
    "smote_ratio": 0.5,
    "undersample_ratio": 0.125,
    "threshold_rule": "cost:fn=100,fp=1",
    "decline_rule": "precision>=0.99",
    "top_k": 50,
    "refit": True,
    "device": "cpu",
}


def plain_v2(value: object) -> str:
    """Write a value as the generic estimator of SDK 2 does."""
    return str(value)


def v3(value: object) -> str:
    """Write a value as SDK 3 does: JSON, except for strings."""
    return value if isinstance(value, str) else json.dumps(value)


def framework_v2(value: object) -> str:
    """Write a value as the framework estimators of SDK 2 do: JSON, for strings too."""
    return json.dumps(value)


dialects = pytest.mark.parametrize("dialect", [plain_v2, v3, framework_v2])


def stated(strings: dict[str, str]) -> dict[str, object]:
    return read(strings).stated()


def own(parameters: Hyperparameters) -> BoosterParameters:
    """Return what the boosted trees of a job are told."""
    assert isinstance(parameters.parameters, BoosterParameters)
    return parameters.parameters


def test_every_name() -> None:
    """The examples of this file cover every name that a job may set."""
    assert set(TOLD) == set(hyperparameters.names("xgboost"))


@dialects
@pytest.mark.parametrize("name", TOLD)
def test_dialects(dialect: object, name: str) -> None:
    """A value reads the same, whichever SDK wrote it, and touches nothing else."""
    assert callable(dialect)
    read_back = stated({name: dialect(TOLD[name])})

    assert read_back == {**read({}).stated(), name: TOLD[name]}


@dialects
@pytest.mark.parametrize("name", TOLD)
def test_none(dialect: object, name: str) -> None:
    """None is the default, in every dialect."""
    assert callable(dialect)
    assert read({name: dialect(None)}) == read({})


@dialects
@pytest.mark.parametrize("value", [True, False])
def test_booleans(dialect: object, value: bool) -> None:
    """Both booleans are read, in every dialect."""
    assert callable(dialect)
    assert read({"refit": dialect(value)}).refit is value


@pytest.mark.parametrize("text", ["", "  ", "None", "null", "NULL", '"None"', "''"])
def test_absent(text: str) -> None:
    """An empty value or a spelling of none is no value."""
    assert read({"time_column": text, "max_depth": text}) == read({})


@pytest.mark.parametrize("text", ["5", "5.0", " 5 ", '"5"', "'5.0'", "5e0", "+5", "0.5e1"])
def test_whole_numbers(text: str) -> None:
    """A whole number may come as a tuner of continuous ranges writes it."""
    parameters = read({"max_depth": text, "num_round": text, "seed": text})

    assert (own(parameters).max_depth, own(parameters).num_round, parameters.seed) == (5, 5, 5)
    assert type(own(parameters).max_depth) is int


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("id", ("id",), id="one"),
        pytest.param("id, card number ,x", ("id", "card number", "x"), id="commas"),
        pytest.param('"id", "card"', ("id", "card"), id="quoted words"),
        pytest.param("['id', \"it's\"]", ("id", "it's"), id="Python list"),
        pytest.param("('id', 'card')", ("id", "card"), id="Python tuple"),
        pytest.param('["id", "a,b"]', ("id", "a,b"), id="JSON"),
        pytest.param('"[\\"id\\", \\"card\\"]"', ("id", "card"), id="JSON in JSON"),
        pytest.param("[]", (), id="empty list"),
        pytest.param("(no list", ("(no list",), id="bracket that is no list"),
        pytest.param("[" * 2400, ("[" * 2400,), id="deep"),
        pytest.param("(" * 2400, ("(" * 2400,), id="deep for Python"),
    ],
)
def test_names(text: str, names: tuple[str, ...]) -> None:
    """A list of names is JSON, Python's spelling, or words with commas."""
    assert read({"exclude": text}).exclude == names


def test_typed_values() -> None:
    """Values that are typed already are taken as they are."""
    parameters = Hyperparameters.model_validate(
        {"parameters": BoosterParameters(max_depth=7), "exclude": ("id",), "threshold_rule": Rule.parse("max_f1")}
    )

    assert (own(parameters).max_depth, parameters.exclude) == (7, ("id",))


def test_foreign_names() -> None:
    """What SDKs and the tuner add is ignored (T15)."""
    foreign = {
        "sagemaker_program": "train.py",
        "sagemaker_region": '"eu-west-1"',
        "_tuning_objective_metric": "validation:average_precision",
    }

    assert read(foreign) == read({})


def test_defaults() -> None:
    """Without a word the defaults are those that quality.md measured."""
    parameters = read({})
    told = own(parameters)
    booster = told.booster()

    assert (told.num_round, parameters.resampling, told.early_stopping_rounds) == (300, "auto", 0)
    assert {name: booster[name] for name in ("eta", "max_depth", "base_score", "max_bin")} == {
        "eta": 0.05,
        "max_depth": 4,
        "base_score": 0.5,
        "max_bin": 4096,
    }
    assert parameters.threshold_rule == Rule.parse("max_f1")


def test_booster() -> None:
    """The booster gets XGBoost's own parameters by XGBoost's names, and nothing of ours."""
    booster = own(read({"lambda": "0.53", "exclude": "id"})).booster()

    assert booster["lambda"] == 0.53
    assert {"lambda_", "num_round", "exclude", "eval_metric", "device"}.isdisjoint(booster)


def test_stated_reads_back() -> None:
    """What a bundle records is plain JSON and reads back as the same hyperparameters."""
    parameters = read({name: framework_v2(value) for name, value in TOLD.items()})
    recorded = json.loads(json.dumps(parameters.stated()))

    assert read({name: v3(value) for name, value in recorded.items()}) == parameters


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "Infinity", "1e999", "NaN"])
@pytest.mark.parametrize("name", [name for name, value in TOLD.items() if isinstance(value, float)])
def test_not_finite(name: str, text: str) -> None:
    """No number may be infinite or none."""
    with pytest.raises(HyperparameterError, match=f'^{name}="{re.escape(text)}": should be '):
        read({name: text})


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "5.5", "five", "True", "[5]", "0x5"])
@pytest.mark.parametrize("name", [name for name, value in TOLD.items() if type(value) is int])
def test_not_whole(name: str, text: str) -> None:
    """A whole number has no fraction, and is no word."""
    with pytest.raises(HyperparameterError, match=f'^{name}="{re.escape(text)}": should be a valid integer'):
        read({name: text})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("eta", "0", 'eta="0": should be greater than 0', id="too small"),
        pytest.param("lambda", "-1", 'lambda="-1": should be greater than or equal to 0', id="by its alias"),
        pytest.param("eta", "1.5", 'eta="1.5": should be less than or equal to 1', id="too large"),
        pytest.param("eta", "0,05", 'eta="0,05": should be a valid number', id="comma"),
        pytest.param("num_round", "0", "num_round.*greater than or equal to 1", id="no round"),
        pytest.param("validation_fraction", "1", "validation_fraction.*less than or equal to 0.9", id="no training"),
        pytest.param("refit", "maybe", 'refit="maybe": should be a valid boolean', id="no boolean"),
        pytest.param("device", "gpu", "device=\"gpu\": should be 'auto', 'cpu' or 'cuda'", id="no device"),
        pytest.param("resampling", "over", 'resampling="over": should be one of auto, none, under', id="no resampling"),
        pytest.param("resampling", "smot", "should be one of .*; did you mean smote[?]$", id="misspelt resampling"),
        pytest.param("algorithm", "forest", 'algorithm="forest": should be one of xgboost', id="no algorithm"),
        pytest.param("algorithm", "xgbost", "should be one of .*; did you mean xgboost[?]$", id="misspelt algorithm"),
        pytest.param("threshold_rule", "p>0.5", 'threshold_rule="p>0.5": should be one of max_f1', id="no rule"),
        pytest.param("decline_rule", "risk:cost=5", "decline_rule=.*should be a rule of the probability", id="money"),
        pytest.param("threshold_rule", "risk:cost=1e999", "threshold_rule=.*should hold finite numbers", id="infinite"),
        pytest.param("exclude", "[1, 2]", 'exclude="1": should be a valid string', id="numbers for names"),
        pytest.param("objective", "reg:squarederror", "objective=.*should be 'binary:logistic'", id="no objective"),
    ],
)
def test_refusals(name: str, text: str, message: str) -> None:
    """A value that cannot be is named with what would be right."""
    with pytest.raises(HyperparameterError, match=message):
        read({name: text})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("max_dept", "max_dept: there is no such hyperparameter; did you mean max_depth?", id="letter"),
        pytest.param("MAX_DEPTH", "did you mean max_depth?", id="capitals"),
        pytest.param("lambda_", "did you mean lambda?", id="as Python must spell it"),
        pytest.param("n_estimators_x", "; the names are eta, max_depth, .*, device$", id="nothing near"),
        pytest.param("time", "; the nearest are time_column.*; the names are eta, max_depth, .*, device$", id="far"),
        pytest.param("learning_rate", "learning_rate: .*; did you mean eta[?]$", id="eta"),
        pytest.param("Learning_Rate", "Learning_Rate: .*; did you mean eta[?]$", id="eta in capitals"),
        pytest.param("n_estimators", "did you mean num_round[?]$", id="num_round"),
        pytest.param("num_boost_round", "did you mean num_round[?]$", id="num_round of xgboost.train"),
        pytest.param("reg_lambda", "did you mean lambda[?]$", id="lambda"),
        pytest.param("reg_alpha", "did you mean alpha[?]$", id="alpha"),
        pytest.param("min_split_loss", "did you mean gamma[?]$", id="gamma"),
        pytest.param("target", "did you mean label[?]$", id="label"),
        pytest.param("nthread", "nthread: .*; training uses every core that it may$", id="threads"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    """A name that is not there is refused, with the nearest one."""
    with pytest.raises(HyperparameterError, match=message):
        read({name: "1"})


def test_a_field_is_no_name() -> None:
    """The field that holds what a learner is told is no name that a job may set, and is not passed over."""
    with pytest.raises(HyperparameterError, match=r"^parameters: there is no such hyperparameter; "):
        read({"parameters": "5"})


def test_synonyms() -> None:
    """What a synonym stands for is a name, and a synonym is none."""
    assert set(hyperparameters.MEANT.values()) <= set(hyperparameters.names("xgboost"))
    assert {*hyperparameters.MEANT, *hyperparameters.THREADS}.isdisjoint(hyperparameters.names("xgboost"))


def test_all_problems() -> None:
    """All problems are named in one message, each once, and no long value in full."""
    with pytest.raises(HyperparameterError, match="max_depth") as caught:
        read({"max_depth": "deep", "eta": "9", "n_round": "5", "label": "Class", "threshold_rule": "x" * 2000})

    problems = str(caught.value).split("; ")
    assert len(problems) == 5  # one of them holds a semicolon
    assert [
        name for name in ("max_depth=", "eta=", "n_round:", "threshold_rule=") if name not in str(caught.value)
    ] == []
    assert len(str(caught.value)) < 600


def test_frozen() -> None:
    """What a job was told cannot be changed later."""
    parameters: Hyperparameters = read({})

    with pytest.raises(ValueError, match="frozen"):
        parameters.seed = 1  # type: ignore[misc] # that is the claim
    with pytest.raises(ValueError, match="frozen"):
        own(parameters).eta = 0.3  # type: ignore[misc] # as above


def test_none_is_a_resampling_and_not_the_lack_of_one() -> None:
    """`resampling=none` is heeded in every dialect that can say it, while Python's None leaves the default."""
    assert [read({"resampling": text}).resampling for text in ("none", '"none"', "None", "null")] == [
        "none",
        "none",
        "auto",
        "auto",
    ]


def test_names_of_a_learner() -> None:
    """A name belongs to the learner of the job; one of another learner's is refused with whose it is."""
    assert read({"algorithm": "svc", "C": "2", "kernel": "linear"}).stated()["C"] == 2
    with pytest.raises(HyperparameterError, match=r"^c: .*; did you mean C[?]$"):
        read({"algorithm": "svc", "c": "2"})
    with pytest.raises(
        HyperparameterError, match=r"nu: .*; algorithm=xgboost has none of that name, one-class-svm has$"
    ):
        read({"nu": "0.1"})
    with pytest.raises(HyperparameterError, match=r"n_estimators: .*; did you mean num_round[?]$"):
        read({"n_estimators": "10"})
    assert read({"algorithm": "random-forest", "n_estimators": "10"}).stated()["n_estimators"] == 10


def test_unknown_learner() -> None:
    """Of a learner that is not there nothing is said but which are: what it may be told, nobody knows."""
    with pytest.raises(
        HyperparameterError,
        match=r'^algorithm="forest": should be one of xgboost, [^;]*; did you mean random-forest[?]$',
    ):
        read({"algorithm": "forest", "n_estimators": "10"})


@pytest.mark.parametrize(
    ("told", "message"),
    [
        pytest.param(
            {"resampling": "smote"}, "learns from honest rows alone, as they are; use none or auto", id="frauds"
        ),
        pytest.param({"device": "cuda"}, "trains on the CPU; use auto or cpu", id="device"),
    ],
)
def test_what_a_learner_cannot_do(told: dict[str, str], message: str) -> None:
    """What one learner can do and another cannot is refused with the reason."""
    with pytest.raises(HyperparameterError, match=message):
        read({"algorithm": "isolation-forest", **told})
    read(told)


@pytest.mark.parametrize("text", ["64,32", "[64, 32]", "(64, 32)", "64, 32", "64.0,32"])
def test_layers(text: str) -> None:
    """The units of layers may come as a list in any dialect."""
    assert read({"algorithm": "mlp", "hidden_layer_sizes": text}).stated()["hidden_layer_sizes"] == [64, 32]


@pytest.mark.parametrize("text", ["0", "64,no", "[]", "1,1,1,1,1,1,1,1,1,1,1", "20000", "2.5"])
def test_no_layers(text: str) -> None:
    """Units that are no whole numbers above 0 are refused."""
    with pytest.raises(HyperparameterError, match=r"should be 1 to 10 whole numbers from 1 to 10000 with commas"):
        read({"algorithm": "mlp", "hidden_layer_sizes": text})
