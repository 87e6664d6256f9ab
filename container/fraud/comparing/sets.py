"""What --set tells: some of it to every fit, some to the learners that have the name."""

from collections.abc import Mapping, Sequence

from fraud import hyperparameters
from fraud.comparing.grids import Told
from fraud.errors import SettingError
from fraud.hyperparameters import Hyperparameters
from fraud.model.algorithms import ALGORITHMS

# Hyperparameters that have an option of their own.
OPTIONS = {
    "algorithm": "--learners",
    "resampling": "--resamplers",
    "label": "--label",
    "exclude": "--exclude",
    "categories": "--categories",
    "time_column": "--time-column",
    "seed": "--seed",
    **dict.fromkeys(hyperparameters.THREADS, "--threads"),
}


def read(sets: Sequence[str]) -> dict[str, str]:
    """Read each NAME=VALUE; SettingError for one that is none, or whose name has an option or came before."""
    told: dict[str, str] = {}
    for text in sets:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise SettingError(f"--set {text[:60]}: should be NAME=VALUE, such as smote_ratio=0.5")
        if name in OPTIONS:
            raise SettingError(f"--set {text[:60]}: {OPTIONS[name]} sets that")
        if name in told:
            raise SettingError(f"--set {text[:60]}: --set {name}={told[name][:60]} came before; give one of them")
        told[name] = value
    return told


def share_out(told: Told, learners: Sequence[str]) -> tuple[Told, dict[str, Told]]:
    """Return what all fits are told, and what each learner is told beside it.

    A name of some learners is for those of the chosen that have it. Raises SettingError for a name that none of them
    has, HyperparameterError for a value that is wrong.
    """
    common = hyperparameters.fields(Hyperparameters)
    taken = {learner: hyperparameters.fields(ALGORITHMS[learner].parameters) for learner in learners}
    for name, value in told.items():
        if name not in common and not any(name in names for names in taken.values()):
            hint = hyperparameters.hint(name, learners)
            raise SettingError(f"--set {name[:60]}={value[:60]}: there is no such hyperparameter; {hint}")
    shared = {name: value for name, value in told.items() if name in common}
    own = {learner: {name: told[name] for name in told if name in names} for learner, names in taken.items()}
    for learner in learners:
        hyperparameters.read({"algorithm": learner, **shared, **own[learner]})
    return shared, {learner: of for learner, of in own.items() if of}


def require_free(told: Told, candidates: Mapping[str, Sequence[Told]]) -> None:
    """Raise SettingError where a grid holds a name that --set, or another option, sets: one would be ignored."""
    for learner, tried in candidates.items():
        for name in tried[0]:
            if name in OPTIONS:
                raise SettingError(
                    f"the grid of {learner} holds {name}, which {OPTIONS[name]} sets; leave it out there"
                )
            if name in told:
                raise SettingError(
                    f"--set {name}={told[name][:60]}: the grid of {learner} tries values of {name}; leave one of them "
                    "out (--grids DIR reads grids of your own)"
                )
