"""Worker processes that leave with their parent, whatever ends it."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

type Submit = Callable[..., Future[str]]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def working(jobs: int, threads: int, log: Path) -> Iterator[Submit]:
    """Lend that many processes until the block ends, each of so many threads; what libraries print goes to the log."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    # Forked processes would hang in the libraries' threads that the parent had and they have not.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(str(log),))
    try:
        yield partial(_submit, executor)
    finally:
        for child in multiprocessing.active_children():
            child.kill()
        executor.shutdown(wait=True, cancel_futures=True)


def _submit(executor: ProcessPoolExecutor, function: Callable[..., str], *arguments: object) -> Future[str]:
    """Submit; a process that this starts never sees Ctrl-C: its parent ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return executor.submit(function, *arguments)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(log: str) -> None:
    # A progress bar is on the terminal, which what XGBoost and others print would tear.
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
    Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
