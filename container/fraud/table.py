"""Rows as they were sent, before any schema was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Row = Sequence[object] | Mapping[str, object]


@dataclass(frozen=True)
class Table:
    """Rows as they were sent, by position or by name, before any schema was asked.

    `cells` is a float64 matrix (rows, columns) where every cell is a number or missing, else a list of rows.
    """

    cells: NDArray[np.float64] | list[Row]
    names: tuple[str, ...] | None = None
    file: str | None = None
    first: int = 1

    def where(self, index: int) -> str:
        """Name the row at this index as its sender knows it: by row, or by file and line."""
        if self.file is None:
            return f"row {self.first + index}"
        return f"{self.file}, line {self.first + index + self._line_breaks_before(index)}"

    def _line_breaks_before(self, index: int) -> int:
        if isinstance(self.cells, np.ndarray):
            return 0
        return sum(str(cell).count("\n") for row in self.cells[:index] for cell in row)
