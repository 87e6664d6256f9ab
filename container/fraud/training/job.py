"""One training job, in one straight line: channels to rows, rows to a model, the model and its report to files."""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from platform import python_version
from types import FrameType

import numpy as np

from fraud import channels, hyperparameters, settings
from fraud.bundle import ModelBundle
from fraud.channels import Channel
from fraud.errors import FraudError, PlatformError, SettingError, StoppedError
from fraud.fitting import Fitted, Trainer
from fraud.hyperparameters import Hyperparameters
from fraud.layout import Roles
from fraud.machine import SIGNAL_EXIT_CODE, cores
from fraud.model import leaks
from fraud.model.algorithms import ALGORITHMS
from fraud.model.drift import Baseline
from fraud.model.splitting import Split, counted, require_both_classes, split
from fraud.model.thresholds import NEVER, Threshold
from fraud.opt_ml import OptMl
from fraud.schema import Schema
from fraud.settings import TrainingSettings
from fraud.training import devices, report, statistics
from fraud.training.patience import wait_for

log = logging.getLogger(__name__)

LIBRARIES = ("fraud-detect", "imbalanced-learn", "numpy", "pandas", "scikit-learn", "skops", "xgboost")


@dataclass
class Stop:
    """A signal: before the fit it ends the job; from then on it ends the round, and what is fitted is saved (T41)."""

    is_requested: bool = False
    is_fitting: bool = False
    cause: signal.Signals = signal.SIGTERM

    @property
    def name(self) -> str:
        return self.cause.name

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.is_requested = True
        self.cause = signal.Signals(number)
        if self.cause == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever presses Ctrl-C again will not wait for the round
        if not self.is_fitting:
            raise StoppedError(f"{self.cause.name} came before the first fit; there is no model to save")

    def end_round(self, _number: int, figures: Mapping[str, float]) -> bool:
        """Print the figures of a round, one a line (T53), and tell whether it is the last."""
        for name in sorted(figures.keys() & {"validation:average_precision", "validation:logloss"}):
            write_metric(name, figures[name])
        return self.is_requested


def main() -> None:
    """Run the job that the tree describes, and exit as SageMaker expects (T35-T37)."""
    opt_ml = OptMl(settings.base_directory(os.environ))
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        if len(sys.argv) > 1:
            raise SettingError(f"train takes no arguments, and got {sys.argv[1]!r}; its settings are hyperparameters")
        told = settings.read(TrainingSettings)
        logging.basicConfig(level=told.log_level, stream=sys.stderr, format="%(levelname)s %(message)s")
        run(opt_ml, told, stop)
    except StoppedError as error:
        _fail(opt_ml, error)
        sys.exit(SIGNAL_EXIT_CODE + stop.cause)
    except FraudError as error:
        sys.exit(_fail(opt_ml, error))
    except MemoryError:
        sys.exit(_fail(opt_ml, PlatformError("the memory of this machine is used up; start the job on a larger one")))
    except Exception as error:
        log.error("".join(traceback.format_tb(error.__traceback__)))
        sys.exit(_fail(opt_ml, FraudError(f"an error inside the image, {type(error).__name__}; the log says where")))


def run(opt_ml: OptMl, told: TrainingSettings, stop: Stop) -> None:
    """Read, fit, save, report."""
    opt_ml.require_one_host()
    opt_ml.require_writable()
    content_types = opt_ml.content_types()
    parameters = hyperparameters.read(opt_ml.hyperparameters())
    train, others = _read_channels(opt_ml, parameters, content_types)
    require_both_classes(train.rows, "training rows")
    notes = _check(train)
    parts = _split(train, others, parameters)
    notes += _beyond_top_k(parts, parameters.top_k)
    fitted = _fit(parameters, train.schema, parts, stop)
    notes += _without_ranking(fitted, parts, parameters)
    if ALGORITHMS[parameters.algorithm].keeps_rows:
        notes.append(f"a model of {parameters.algorithm} holds training rows: guard it as you guard them")
    if stop.is_requested:
        notes.append(f"{stop.name} ended the job; the model is what was fitted until then")
    bundle = _bundle(fitted, parameters, {"train": train, **others}, told.job_name)
    bundle.save(opt_ml.model)
    document = report.describe(bundle, fitted, parts, notes)
    report.write(opt_ml.output_data, document, parts, fitted)
    statistics.write(opt_ml.output_data, train.rows, train.schema)
    _say(fitted, bundle, opt_ml, notes)


def _fit(parameters: Hyperparameters, schema: Schema, parts: Split, stop: Stop) -> Fitted:
    uses_gpu = ALGORITHMS[parameters.algorithm].uses_gpu
    device, threads = devices.resolve(parameters.device) if uses_gpu else "cpu", cores()
    log.info("training on %s with %d threads", "the GPU" if device == "cuda" else "the CPU", threads)
    stop.is_fitting = True
    trainer = Trainer(parameters, schema, device, threads, stop.end_round, lambda: stop.is_requested)
    return wait_for(lambda: trainer.fit(parts), stop)


def write_metric(name: str, value: float) -> None:
    """Write a line that SageMaker's metric definitions read (T51-T54)."""
    sys.stdout.write(f"{name}={value:.6f};\n")
    sys.stdout.flush()


def _read_channels(
    opt_ml: OptMl, parameters: Hyperparameters, content_types: Mapping[str, str]
) -> tuple[Channel, dict[str, Channel]]:
    roles = Roles(parameters.label, parameters.exclude, parameters.time_column, parameters.categories)
    found = {"train": channels.read(opt_ml.channel("train"), roles, None, content_types.get("train", "text/csv"))}
    for name in ("validation", "test"):
        if opt_ml.channel(name).is_dir():
            content_type = content_types.get(name, "text/csv")
            found[name] = channels.read(opt_ml.channel(name), roles, found["train"], content_type)
    for name, channel in found.items():
        share = channel.rows.frauds / len(channel.rows)
        frauds = counted(channel.rows.frauds, "fraud")
        log.info("channel %s: %d rows, %s (%.3f %%)", name, len(channel.rows), frauds, 100 * share)
    return found.pop("train"), found


def _check(train: Channel) -> list[str]:
    """Refuse a copy of the label, and return what else the columns should make a reader look at."""
    names = train.schema.names
    leaks.require_no_copy(train.rows, names, train.schema.label)
    notes = leaks.suspicions(train.rows, train.schema.columns)
    if constants := leaks.constants(train.rows, names):
        notes.append(f"{', '.join(constants)} holds one value on every row, and tells nothing")
    return notes


def _beyond_top_k(parts: Split, top_k: int) -> list[str]:
    """Say so where the rows that are looked at are all there are, so that the figures at k tell nothing."""
    measured = {parts.measured_on: parts.held_out, **({"validation": parts.tuning} if parts.has_test else {})}
    nothing = "precision_at_k is only their share of frauds, and recall_at_k is 1; set a smaller top_k"
    return [
        f"top_k={top_k} takes in all the {len(rows)} {name} rows that measure: {nothing}"
        for name, rows in measured.items()
        if len(rows) <= top_k
    ]


def _without_ranking(fitted: Fitted, parts: Split, parameters: Hyperparameters) -> list[str]:
    """Say so where every row that measures has one probability, with what may have taken the others away."""
    if np.ptp(fitted.scores.probability):
        return []
    told = parameters.parameters.model_dump(by_alias=True, exclude_defaults=True)
    stated = ", ".join(f"{name}={value}" for name, value in told.items())
    mend = f"set {stated} nearer to the default" if told else "add columns that tell frauds apart"
    same = f"all the {len(parts.held_out)} {parts.measured_on} rows have the same probability"
    return [f"the model ranks nothing: {same}; {mend}, or choose another algorithm"]


def _split(train: Channel, others: Mapping[str, Channel], parameters: Hyperparameters) -> Split:
    validation, test = (others[name].rows if name in others else None for name in ("validation", "test"))
    parts = split(train.rows, validation, test, parameters.validation_fraction, parameters.seed)
    counts = len(parts.training), len(parts.tuning), len(parts.held_out)
    log.info("%d rows train, %d tune, %d measure (%s)", *counts, parts.measured_on)
    return parts


def _bundle(fitted: Fitted, parameters: Hyperparameters, read: Mapping[str, Channel], job_name: str) -> ModelBundle:
    schema = read["train"].schema
    return ModelBundle.of(
        fitted.model,
        parameters.algorithm,
        job_name=job_name,
        trained_at=datetime.now(UTC),
        row_schema=schema,
        baseline=Baseline.of(read["train"].rows.X, schema.columns, fitted.scores.probability),
        figures=fitted.figures,
        hyperparameters=parameters.stated(),
        versions={"python": python_version(), **{name: version(name) for name in LIBRARIES}},
        data_sha256={name: channel.fingerprint for name, channel in read.items()},
    )


def _say(fitted: Fitted, bundle: ModelBundle, opt_ml: OptMl, notes: Sequence[str]) -> None:
    for candidate in fitted.candidates:
        text = candidate.refused or f"average precision {candidate.average_precision:.4f} on tuning rows"
        log.info("resampling %s: %s%s", candidate.resampling, text, " (chosen)" if candidate.is_chosen else "")
    for note in notes:
        log.warning(note)
    _say_thresholds(fitted.model.threshold, fitted.model.decline)
    for rows, figures in fitted.figures.items():
        for name, figure in figures.items():
            write_metric(f"{rows}:{name}", figure.value)
    log.info("model %s is in %s, its report in %s", bundle.card.model_id, opt_ml.model, opt_ml.output_data)


def _say_thresholds(threshold: Threshold, decline: Threshold) -> None:
    log.info("threshold %.6g by %s", threshold.value, threshold.rule)
    if not threshold.is_met:
        log.warning("no threshold keeps %s on the tuning rows; this is the nearest", threshold.rule)
    if decline.is_met:
        log.info("declined from %.6g by %s", decline.value, decline.rule)
    elif decline.rule != NEVER.text:
        log.warning("no threshold keeps %s on the tuning rows: nothing is declined without a review", decline.rule)
    if decline.is_met and decline.value == threshold.value and threshold.amount_column is None:
        log.warning("every flagged row is declined and none is left to review; decline_rule could be stricter")


def _fail(opt_ml: OptMl, error: FraudError) -> int:
    log.error("%s: %s", error.code, error.public)
    try:
        opt_ml.write_failure(error)
    except OSError as problem:
        log.error("the failure file cannot be written: %s", problem.strerror)
    return 1
