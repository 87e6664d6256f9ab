"""What scikit-learn's learners do to rows before they read them, and how their pipelines are kept as bytes."""

import json
import re
import zipfile
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skops import io as skops

from fraud.errors import BundleError

# What the arrays of a model may take together, each as often as it is read.
LARGEST_BYTES = 2 * 1024**3
# The only date that a member of an archive may have, so that equal models have equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def prepared(estimator: BaseEstimator, feature_types: Sequence[str]) -> Pipeline:
    """Return a pipeline that fills missing numbers with medians and marks them, spreads categories, and standardises.

    A missing category is one of its own where training rows have it; a new one is none of them. An input of one value
    is left out: it has no scale, and another value of it would outweigh all the rest.
    """
    numbers = [place for place, kind in enumerate(feature_types) if kind != "c"]
    categories = [place for place, kind in enumerate(feature_types) if kind == "c"]
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
        ]
    )
    steps = [("columns", columns), ("varied", VarianceThreshold()), ("scale", StandardScaler()), ("learner", estimator)]
    return Pipeline(steps)


def columns_of(pipeline: Pipeline) -> NDArray[np.intp]:
    """Return the column that each input of the learner comes from."""
    (_, imputer, numbers), (_, encoder, categories) = pipeline.named_steps["columns"].transformers_[:2]
    found = list(numbers)
    if len(numbers):
        found += [numbers[place] for place in imputer.indicator_.features_]
    if len(categories):
        counts = [len(known) for known in encoder.categories_]
        found += [place for place, count in zip(categories, counts, strict=True) for _ in range(count)]
    kept: NDArray[np.intp] = np.array(found, dtype=np.intp)[pipeline.named_steps["varied"].get_support()]
    return kept


def dumps(pipeline: Pipeline) -> bytes:
    """Return a pipeline as skops writes it, but with equal bytes for equal pipelines.

    skops names parts by their places in memory, and dates them; here they are numbered as they come.
    """
    with zipfile.ZipFile(BytesIO(skops.dumps(pipeline))) as archive:
        text = archive.read("schema.json").decode()
        numbers: dict[str, str] = {}
        renumbered = re.sub(
            r'("__id__": |"file": ")(\d+)',
            lambda found: found[1] + numbers.setdefault(found[2], str(len(numbers))),
            text,
        )
        content = {"schema.json": renumbered.encode()}
        for name in archive.namelist():
            stem, _, ending = name.partition(".")
            if stem in numbers:
                content[f"{numbers[stem]}.{ending}"] = archive.read(name)
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in sorted(content):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content[name])
    return written.getvalue()


def loads(content: bytes, kind: str, columns: int, file_name: str) -> Pipeline:
    """Read a pipeline that ends in an estimator of this class and reads so many columns; BundleError for any other."""
    try:
        pipeline = skops.loads(content, trusted=[np.dtype]) if _size(content) <= LARGEST_BYTES else None
    except Exception as error:  # skops checks little of a file's form before it builds
        raise BundleError(f"{file_name} is not a model that skops wrote: {type(error).__name__}") from error
    if not isinstance(pipeline, Pipeline) or type(pipeline[-1]).__name__ != kind:
        raise BundleError(f"{file_name} holds no {kind}")
    if getattr(pipeline, "n_features_in_", None) != columns:
        raise BundleError(f"{file_name} does not read the {columns} columns of the schema")
    return pipeline


def _size(content: bytes) -> int:
    """Return how many bytes an archive unfolds to: a small one may be read many times, or be compressed."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        if sizes.get("schema.json", 0) > len(content):
            return sizes["schema.json"] + LARGEST_BYTES
        size, pending = sum(sizes.values()), [json.loads(archive.read("schema.json"))]
    while pending:
        node = pending.pop()
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        size += sum(sizes.get(value, 0) for value in inner if isinstance(value, str))
        pending.extend(inner)
    return size
