"""What can go wrong, sorted by who can mend it; only doors turn these into exit and status codes."""

import json
from collections.abc import Sequence


class FraudError(Exception):
    """A failure with a stable code; `public` is the message without any value of a customer's row."""

    code = "INTERNAL"

    @property
    def public(self) -> str:
        return str(self)


class UserError(FraudError):
    """Whoever sent the data, the settings or the request can mend it."""


class PlatformError(FraudError):
    """Whoever runs the machine can mend it."""


class HyperparameterError(UserError):
    code = "HYPERPARAMETER_INVALID"


class SettingError(UserError):
    code = "SETTING_INVALID"


class ConfigError(PlatformError):
    """A file of the job's configuration holds something else than what the platform writes there."""

    code = "CONFIG_UNREADABLE"


class InputModeError(UserError):
    code = "INPUT_MODE_UNSUPPORTED"


class HostsError(UserError):
    code = "HOSTS_UNSUPPORTED"


class NoRowsError(UserError):
    code = "DATA_NO_ROWS"


class NoFraudError(UserError):
    code = "DATA_NO_FRAUD"


class OnlyFraudError(UserError):
    code = "DATA_ONLY_FRAUD"


class LabelError(UserError):
    code = "DATA_LABEL_INVALID"


class ColumnError(UserError):
    code = "DATA_COLUMN_INVALID"


class LeakError(UserError):
    code = "DATA_LABEL_LEAK"


class ResamplingError(UserError):
    code = "RESAMPLING_IMPOSSIBLE"


class ThresholdError(UserError):
    code = "THRESHOLD_IMPOSSIBLE"


class BodyError(UserError):
    code = "BODY_INVALID"


class RowError(UserError):
    """A row that does not fit; the offending cell is told to its sender and to nobody else."""

    code = "ROW_INVALID"

    def __init__(self, where: str, problem: str, cell: object = "") -> None:
        text = cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
        shown = f'"{text[:58]}"' if text else "the cell"
        super().__init__(f"{where}: {shown} {problem}")
        self._public = f"{where}: the cell {problem}"

    @property
    def public(self) -> str:
        return self._public


class RowWidthError(UserError):
    code = "ROW_WIDTH_INVALID"


class MediaTypeError(UserError):
    code = "MEDIA_TYPE_UNSUPPORTED"


class AttributesError(UserError):
    code = "ATTRIBUTES_INVALID"


class TooLargeError(UserError):
    code = "BODY_TOO_LARGE"


class NoModelError(UserError):
    code = "MODEL_NOT_LOADED"


class LoadedError(UserError):
    code = "MODEL_LOADED"


class MemoryShortError(PlatformError):
    code = "MEMORY_SHORT"


class AcceptError(UserError):
    code = "ACCEPT_UNSUPPORTED"


class BundleError(UserError):
    code = "MODEL_UNUSABLE"


class OutputError(PlatformError):
    code = "OUTPUT_UNWRITABLE"


class DeviceError(PlatformError):
    code = "DEVICE_UNAVAILABLE"


class LearnerError(PlatformError):
    code = "LEARNER_FAILED"


class OverloadError(PlatformError):
    code = "OVERLOADED"


class StoppedError(PlatformError):
    code = "STOPPED"


def quoted(names: Sequence[str], most: int = 12) -> str:
    """List names for a message, the first and the last few of many."""
    shown = [f'"{name[:60]}"' for name in names]
    if len(shown) > most:
        shown[most // 2 : -most // 2] = ["..."]
    return ", ".join(shown)
