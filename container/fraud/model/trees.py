"""Boosted trees that score, by XGBoost's public C API.

The Python package is not imported here: it brings scikit-learn and pandas, which scoring never calls and which take
more than a second to load; and for one row `inplace_predict` spends most of its time on describing it.
"""

import ctypes
import math
import re
import sys
import threading
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import numpy as np

from fraud.errors import BundleError
from fraud.model.scores import Floats
from fraud.schema import Matrix

_MARGIN_OF_ALL_ROUNDS = (
    b'{"type":1,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false,"missing":NaN,"cache_id":0}'
)
_CONTRIBUTIONS = b'{"type":2,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false}'
_INTERFACE = b'{"data":[%d,true],"shape":[%d,%d],"typestr":"<f4","version":3}'
_ONE_THREAD = b'{"missing":NaN,"nthread":1}'

_OF_THREAD = threading.local()


class Trees:
    """A booster in XGBoost's memory. Safe from many threads at once."""

    def __init__(self, content: bytes, threads: int) -> None:
        """Read UBJSON; BundleError where it is none.

        The caller proves that the content is whole: XGBoost may end the process over a part of a booster.
        """
        self._handle = ctypes.c_void_p()
        self._free = _library().XGBoosterFree
        if not content:  # XGBoost would end the process
            raise BundleError("booster.ubj is not a booster: it is empty")
        try:
            _check(_library().XGBoosterCreate(None, ctypes.c_uint64(0), ctypes.byref(self._handle)))
            buffer = (ctypes.c_char * len(content)).from_buffer_copy(content)
            _check(_library().XGBoosterLoadModelFromBuffer(self._handle, buffer, ctypes.c_uint64(len(content))))
            _check(_library().XGBoosterSetParam(self._handle, b"nthread", str(threads).encode()))
        except XGBoostError as error:
            raise BundleError(f"booster.ubj is not a booster: {cause(error)}") from error

    def __del__(self) -> None:
        self._free(self._handle)

    @property
    def columns(self) -> int:
        count = ctypes.c_uint64()
        _check(_library().XGBoosterGetNumFeature(self._handle, ctypes.byref(count)))
        return count.value

    @property
    def rounds(self) -> int:
        count = ctypes.c_int()
        _check(_library().XGBoosterBoostedRounds(self._handle, ctypes.byref(count)))
        return count.value

    def margins(self, X: Matrix) -> Floats:
        """Return the margin of each row, in log-odds: float64 (rows)."""
        if not len(X):
            return np.empty(0)
        rows = np.ascontiguousarray(X, dtype=np.float32)
        told = _described(rows), _MARGIN_OF_ALL_ROUNDS, _call().proxy
        return self._predicted((len(rows),), _library().XGBoosterPredictFromDense, *told)

    def contributions(self, X: Matrix) -> Floats:
        """Return exact TreeSHAP values (Lundberg et al. 2020, algorithm 2): float64 (rows, columns + 1), in log-odds.

        The last column is the base value; a row sums to its margin but for the rounding of float32.
        """
        rows = np.ascontiguousarray(X, dtype=np.float32)
        width = rows.shape[1] + 1
        if not len(rows):
            return np.empty((0, width))
        matrix = _Freed(_library().XGDMatrixFree)
        _check(_library().XGDMatrixCreateFromDense(_described(rows), _ONE_THREAD, ctypes.byref(matrix.handle)))
        function = _library().XGBoosterPredictFromDMatrix
        return self._predicted((len(rows), width), function, matrix.handle, _CONTRIBUTIONS).reshape(len(rows), width)

    def _predicted(self, size: tuple[int, ...], function: Callable[..., int], *told: object) -> Floats:
        """Copy what a function answers, which belongs to this thread until its next call."""
        call = _call()
        _check(function(self._handle, *told, call.shape, call.dimensions, call.result))
        if call.axes.value != len(size):
            raise XGBoostError("it has more than one value for a row")
        return np.frombuffer(ctypes.string_at(call.pointer, 4 * math.prod(size)), dtype=np.float32).astype(np.float64)


class XGBoostError(Exception):
    """What XGBoost's C API said of a call that failed."""


def cause(error: Exception) -> str:
    """Return what went wrong, without XGBoost's clock, source line and stack trace."""
    return re.sub(r"^\[[\d:]+\] \S+ ", "", str(error).partition("\n")[0])[:200]


class _Freed:
    """A handle of XGBoost's, freed with this object."""

    def __init__(self, free: Callable[[ctypes.c_void_p], int]) -> None:
        self.handle = ctypes.c_void_p()
        self._free = free

    def __del__(self) -> None:
        self._free(self.handle)


@cache
def _library() -> ctypes.CDLL:
    found = find_spec("xgboost")
    assert found is not None  # noqa: S101 - the package depends on it
    assert found.origin is not None  # noqa: S101
    suffix = "dylib" if sys.platform == "darwin" else "so"
    path = f"{found.origin.removesuffix('__init__.py')}lib/libxgboost.{suffix}"
    library = ctypes.CDLL(path)  # releases the interpreter's lock for each call
    library.XGBGetLastError.restype = ctypes.c_char_p
    return library


class _Call:
    """What a thread hands to XGBoost with every call, made once: where the result is to be told, and a proxy.

    XGBoost looks at the rows through the proxy; made anew for each call, it would read the files of the control group
    each time.
    """

    def __init__(self) -> None:
        self._freed = _Freed(_library().XGDMatrixFree)
        _check(_library().XGProxyDMatrixCreate(ctypes.byref(self._freed.handle)))
        self.proxy = self._freed.handle
        self.pointer = ctypes.POINTER(ctypes.c_float)()
        self.result = ctypes.byref(self.pointer)
        self.axes = ctypes.c_uint64()
        self.shape = ctypes.byref(ctypes.POINTER(ctypes.c_uint64)())
        self.dimensions = ctypes.byref(self.axes)


def _call() -> _Call:
    call: _Call | None = getattr(_OF_THREAD, "call", None)
    if call is None:
        call = _OF_THREAD.call = _Call()
    return call


def _described(rows: Matrix) -> bytes:
    return _INTERFACE % (rows.__array_interface__["data"][0], *rows.shape)


def _check(code: int) -> None:
    if code:
        raise XGBoostError(_library().XGBGetLastError().decode(errors="replace"))
