"""Notebooks executed on the interpreter that runs the tests, whatever kernels a computer has installed."""

import os
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

SECONDS = 300


def execute(notebook: NotebookNode, folder: Path, home: Path, **settings: str) -> NotebookNode:
    """Run every cell from `folder`, and return the notebook with its outputs; CellExecutionError where one fails.

    `home` is where Jupyter and IPython may leave files: none of the user's own are read.
    """
    # without folders to look for kernels in, "python3" is ipykernel's own: the interpreter of this process
    specs = KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs, transport_encryption="auto")
    manager.connection_file = str(home / "kernel.json")
    kept = {name: value for name, value in os.environ.items() if name != "FRAUD_DATA"}
    told = {**kept, "IPYTHONDIR": str(home / "ipython"), **settings}
    client = NotebookClient(notebook, km=manager, timeout=SECONDS, resources={"metadata": {"path": str(folder)}})
    executed: NotebookNode = client.execute(env=told, cleanup_kc=True)  # else a manager of ours outlives the run
    return executed


def read(path: Path, cells: int | None = None) -> NotebookNode:
    """Return a notebook, or as much of it as ends with its first so many code cells."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    places = [place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    if cells is not None:
        notebook.cells = notebook.cells[: places[cells - 1] + 1]
    return notebook
