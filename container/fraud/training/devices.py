"""Where to train: a GPU when there is one."""

import ctypes

from fraud.errors import DeviceError


def resolve(wanted: str) -> str:
    """Return `cuda` or `cpu` for `auto`, `cuda` or `cpu`; DeviceError where a GPU is wanted and none answers."""
    if wanted == "auto":
        return "cuda" if visible_gpus() else "cpu"
    if wanted == "cuda" and not visible_gpus():
        raise DeviceError("device=cuda and no GPU answers; start the job on a GPU instance, or set device=auto")
    return wanted


def visible_gpus() -> int:
    """Ask the driver how many GPUs this process may use; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    is_up = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if is_up else 0
