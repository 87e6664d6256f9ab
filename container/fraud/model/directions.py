"""Which way trees of XGBoost send a row whose cell they know nothing of: missing, or of a category new to them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fraud.schema import Matrix

type Tree = dict[str, Any]


def direct(trees: Sequence[Tree], ended: Sequence[NDArray[np.intp]], X: Matrix, categories: Sequence[int]) -> None:
    """Change trees, as XGBoost's JSON describes them, to send such a row where most of the rows they know went.

    `X` are the rows they were fitted to, `ended` how many of them end in each node of each tree, `categories` how many
    each column has. XGBoost learns the way from missing cells. A column without any leaves it to chance, which may
    send every row of a new category to frauds: there it is the way of most rows, as in scikit-learn's trees. A
    category that none of these rows has goes the way of missing cells. These rows score as before, to the last bit.
    """
    is_whole = ~np.isnan(X).any(axis=0)
    absent = {place: np.setdiff1d(np.arange(count), X[:, place]).tolist() for place, count in enumerate(categories)}
    for tree, rows in zip(trees, ended, strict=True):
        _send_missing(tree, rows.copy(), is_whole)
        _send_absent(tree, absent)


def _send_missing(tree: Tree, rows: NDArray[np.intp], is_whole: NDArray[np.bool_]) -> None:
    """Count rows, not hessians: those of fraud outweigh all others where `scale_pos_weight` is large."""
    left, right, column = tree["left_children"], tree["right_children"], tree["split_indices"]
    for node in reversed(range(len(left))):  # children have larger numbers than their parents
        if left[node] >= 0:
            rows[node] = rows[left[node]] + rows[right[node]]
            if is_whole[column[node]]:
                tree["default_left"][node] = int(rows[left[node]] >= rows[right[node]])


def _send_absent(tree: Tree, absent: Mapping[int, list[int]]) -> None:
    """Add to the categories of a split, which go right, those that no row has, where missing cells go right."""
    sets = []
    for node, start, size in zip(
        tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
    ):
        more = [] if tree["default_left"][node] else absent.get(tree["split_indices"][node], [])
        sets.append(sorted(tree["categories"][start : start + size] + more))
    sizes = [len(codes) for codes in sets]
    tree["categories"] = [code for codes in sets for code in codes]
    tree["categories_segments"] = np.cumsum([0, *sizes])[:-1].tolist()
    tree["categories_sizes"] = sizes
