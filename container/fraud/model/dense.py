"""Margins of a dense matrix by one call of XGBoost's C API.

`Booster.inplace_predict` makes the same call, and for one row spends most of its time on describing it.
"""

import ctypes
import threading
from collections.abc import Callable

import numpy as np
import xgboost as xgb

from fraud.model.scores import Floats
from fraud.schema import Matrix

# What Booster itself calls; the functions are XGBoost's public C API.
_LIBRARY = xgb.core._LIB  # type: ignore[attr-defined] # not in the typed surface
_MARGIN_OF_ALL_ROUNDS = (
    b'{"type":1,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false,"missing":NaN,"cache_id":0}'
)
_INTERFACE = b'{"data":[%d,true],"shape":[%d,%d],"typestr":"<f4","version":3}'


_OF_THREAD = threading.local()


def margins(booster: xgb.Booster, X: Matrix) -> Floats:
    """Return the margin of each row, in log-odds: float64 (rows). Safe from many threads at once."""
    if not len(X):
        return np.empty(0)
    rows = np.ascontiguousarray(X, dtype=np.float32)
    described = _INTERFACE % (rows.__array_interface__["data"][0], *rows.shape)
    shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
    result = ctypes.POINTER(ctypes.c_float)()
    code = _LIBRARY.XGBoosterPredictFromDense(
        booster.handle,
        described,
        _MARGIN_OF_ALL_ROUNDS,
        _proxy().handle,
        ctypes.byref(shape),
        ctypes.byref(dimensions),
        ctypes.byref(result),
    )
    _check(code)
    # The result belongs to this thread until its next call, and is copied here.
    return np.frombuffer(ctypes.string_at(result, 4 * len(rows)), dtype=np.float32).astype(np.float64)


class _Proxy:
    """What XGBoost looks at the rows through; made anew for each call, it would read the cgroup's files each time."""

    def __init__(self) -> None:
        self.handle = ctypes.c_void_p()
        _check(_LIBRARY.XGProxyDMatrixCreate(ctypes.byref(self.handle)))

    def __del__(self, free: Callable[[ctypes.c_void_p], int] = _LIBRARY.XGDMatrixFree) -> None:
        free(self.handle)


def _proxy() -> _Proxy:
    """Return the proxy of this thread."""
    proxy: _Proxy | None = getattr(_OF_THREAD, "proxy", None)
    if proxy is None:
        proxy = _OF_THREAD.proxy = _Proxy()
    return proxy


def _check(code: int) -> None:
    if code:
        raise xgb.core.XGBoostError(_LIBRARY.XGBGetLastError().decode())
