"""Trees of scikit-learn as a booster of XGBoost: the same splits, so that every row ends in the same leaves."""

import json
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.tree import BaseDecisionTree

from fraud.model.scores import Floats
from fraud.schema import Matrix

# XGBoost's parent of a root.
NOBODY = 2**31 - 1
TREES = '"the trees"'


@dataclass(frozen=True)
class Inputs:
    """What trees of scikit-learn read: a column of numbers as it is, and for each category of another, 0 or 1.

    `column` and `category` say of each input which column, and which category of it, or -1.
    """

    feature_types: tuple[str, ...]
    column: NDArray[np.intp]
    category: NDArray[np.intp]

    @classmethod
    def of(cls, X: Matrix, feature_types: Any) -> Self:
        """Describe the inputs for rows: a category that none of them has becomes no input."""
        pairs: list[tuple[int, int]] = []
        for place, kind in enumerate(feature_types):
            if kind == "c":
                codes = np.unique(X[~np.isnan(X[:, place]), place]).astype(int)
                pairs.extend((place, code) for code in codes)
            else:
                pairs.append((place, -1))
        column, category = np.array(pairs, dtype=np.intp).T if pairs else np.empty((2, 0), dtype=np.intp)
        return cls(tuple(feature_types), column, category)

    def encode(self, X: Matrix) -> Matrix:
        """Return the inputs of rows; those of a missing cell are missing."""
        encoded = X[:, self.column]
        for place in np.flatnonzero(self.category >= 0):
            cells = encoded[:, place]
            encoded[:, place] = np.where(np.isnan(cells), np.nan, cells == self.category[place])
        return encoded


def booster(estimator: Any, inputs: Inputs) -> bytes:
    """Return a fitted tree or forest as UBJSON: its raw score is the mean over trees of the leaf's value.

    That value is the share of frauds, or for an isolation forest minus the depth over the usual depth.
    """
    trees = getattr(estimator, "estimators_", [estimator])
    values = _depths(estimator) if isinstance(estimator, IsolationForest) else [_shares(tree) for tree in trees]
    has_gain = not isinstance(estimator, IsolationForest)
    # Each tree becomes text before the next is described: as objects of Python they take many times as much.
    described = ",".join(
        json.dumps(_tree(number, tree.tree_, value / len(trees), inputs, has_gain=has_gain))
        for number, (tree, value) in enumerate(zip(trees, values, strict=True))
    )
    text = json.dumps(_model(len(trees), inputs)).replace(TREES, described)
    return bytes(xgb.Booster(model_file=bytearray(text.encode())).save_raw("ubj"))


def _shares(tree: BaseDecisionTree) -> Floats:
    shares = tree.tree_.value[:, 0, :]
    fraud: Floats = shares[:, list(tree.classes_).index(1)] if 1 in tree.classes_ else np.zeros(len(shares))
    return fraud


def _depths(forest: IsolationForest) -> list[Floats]:
    """Return, for each node of each tree, minus the depth of a row that ends there, over the usual depth."""
    usual = max(float(_usual_depth(np.array([forest.max_samples_]))[0]), 1.0)
    trees = [estimator.tree_ for estimator in forest.estimators_]
    return [-(tree.compute_node_depths() - 1 + _usual_depth(tree.n_node_samples)) / usual for tree in trees]


def _usual_depth(rows: NDArray[np.intp]) -> Floats:
    """Return the mean depth at which one of so many rows is alone (Liu et al. 2008, equation 1)."""
    others = np.maximum(rows - 1.0, 1.0)
    depth: Floats = 2 * (np.log(others) + np.euler_gamma) - 2 * others / np.maximum(rows, 1)
    return np.select([rows <= 1, rows == 2], [0.0, 1.0], depth)


def _tree(number: int, tree: Any, value: Floats, inputs: Inputs, *, has_gain: bool) -> dict[str, Any]:
    """Describe one tree: scikit-learn goes left where an input is at most its threshold, XGBoost where it is below."""
    order, left, right, parents = _numbered(tree)
    is_leaf = left < 0
    place = np.where(is_leaf, 0, tree.feature[order])
    threshold = tree.threshold[order]
    # 1 or more has every category on its left: it tells the missing cells alone from the rest.
    is_endless = (inputs.category[place] >= 0) & (threshold >= 1)
    category = np.where(is_leaf | is_endless, -1, inputs.category[place])
    tests_category = np.flatnonzero(category >= 0)
    split = np.where(is_leaf, value[order], np.where(is_endless, np.inf, _just_above(threshold)))
    split[tests_category] = 0.0
    gains = _gains(tree)[order] if has_gain else np.zeros(len(order))
    return {
        "id": number,
        "base_weights": value[order].tolist(),
        # a row of the category itself goes right, every other left
        "categories": category[tests_category].tolist(),
        "categories_nodes": tests_category.tolist(),
        "categories_segments": list(range(len(tests_category))),
        "categories_sizes": [1] * len(tests_category),
        "default_left": tree.missing_go_to_left[order].astype(int).tolist(),
        "left_children": left.tolist(),
        "loss_changes": gains.tolist(),
        "parents": parents.tolist(),
        "right_children": right.tolist(),
        "split_conditions": split.tolist(),
        "split_indices": np.where(is_leaf, 0, inputs.column[place]).tolist(),
        "split_type": (category >= 0).astype(int).tolist(),
        "sum_hessian": tree.weighted_n_node_samples[order].tolist(),
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(len(inputs.feature_types)),
            "num_nodes": str(len(order)),
            "size_leaf_vector": "1",
        },
    }


def _numbered(tree: Any) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the nodes level by level, and the new numbers of their children and parents.

    A right child comes next to its left sibling, where XGBoost looks for it.
    """
    order = [0]
    for node in order:
        if tree.children_left[node] >= 0:
            order += [tree.children_left[node], tree.children_right[node]]
    nodes = np.array(order, dtype=np.intp)
    inner = np.flatnonzero(tree.children_left[nodes] >= 0)
    left, right = np.full(len(nodes), -1), np.full(len(nodes), -1)
    left[inner] = 1 + 2 * np.arange(len(inner))
    right[inner] = left[inner] + 1
    parents = np.full(len(nodes), NOBODY)
    parents[left[inner]] = parents[right[inner]] = inner
    return nodes, left, right, parents


def _just_above(threshold: Floats) -> Floats:
    """Return the least float32 above each threshold: cells are float32, so that `<=` the one is `<` the other."""
    nearest = threshold.astype(np.float32)
    below = np.where(nearest > threshold, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    above: Floats = np.nextafter(below, np.float32(np.inf)).astype(np.float64)
    return above


def _gains(tree: Any) -> Floats:
    """Return how much impurity each split takes away, times its rows."""
    impurity = tree.impurity * tree.weighted_n_node_samples
    inner = np.flatnonzero(tree.children_left >= 0)
    gains = np.zeros(tree.node_count)
    gains[inner] = impurity[inner] - impurity[tree.children_left[inner]] - impurity[tree.children_right[inner]]
    return gains


def _model(count: int, inputs: Inputs) -> dict[str, Any]:
    """Describe the model, with a mark where its trees belong."""
    columns = len(inputs.feature_types)
    booster = {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(count)},
        "iteration_indptr": list(range(count + 1)),
        "tree_info": [0] * count,
        "trees": [json.loads(TREES)],
        "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
    }
    shape = {"base_score": "[0E0]", "boost_from_average": "0", "num_class": "0", "num_target": "1"}
    return {
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": list(inputs.feature_types),
            "gradient_booster": {"model": booster, "name": "gbtree"},
            "learner_model_param": {**shape, "num_feature": str(columns)},
            "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
        "version": [3, 4, 1],
    }
