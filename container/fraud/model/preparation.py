"""What scikit-learn's learners do to rows before they read them, and how their pipelines are kept as bytes."""

import re
import zipfile
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skops import io as skops

from fraud.errors import BundleError

# What a model may unfold to in memory, whatever its archive says.
LARGEST_BYTES = 4 * 1024**3
# The only date that a member of an archive may have, so that equal models have equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def prepared(estimator: BaseEstimator, feature_types: Sequence[str]) -> Pipeline:
    """Return a pipeline that fills missing numbers with medians and marks them, spreads categories, and standardises.

    A missing category is one of its own where training rows have it; a new one is none of them.
    """
    numbers = [place for place, kind in enumerate(feature_types) if kind != "c"]
    categories = [place for place, kind in enumerate(feature_types) if kind == "c"]
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
        ]
    )
    return Pipeline([("columns", columns), ("scale", StandardScaler()), ("learner", estimator)])


def columns_of(pipeline: Pipeline) -> NDArray[np.intp]:
    """Return the column that each input of the learner comes from."""
    (_, imputer, numbers), (_, encoder, categories) = pipeline.named_steps["columns"].transformers_[:2]
    found = list(numbers)
    if len(numbers):
        found += [numbers[place] for place in imputer.indicator_.features_]
    if len(categories):
        counts = [len(known) for known in encoder.categories_]
        found += [place for place, count in zip(categories, counts, strict=True) for _ in range(count)]
    return np.array(found, dtype=np.intp)


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
        with zipfile.ZipFile(BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        pipeline = skops.loads(content, trusted=[np.dtype]) if size <= LARGEST_BYTES else None
    except Exception as error:  # skops checks little of a file's form before it builds
        raise BundleError(f"{file_name} is not a model that skops wrote: {type(error).__name__}") from error
    if not isinstance(pipeline, Pipeline) or type(pipeline[-1]).__name__ != kind:
        raise BundleError(f"{file_name} holds no {kind}")
    if getattr(pipeline, "n_features_in_", None) != columns:
        raise BundleError(f"{file_name} does not read the {columns} columns of the schema")
    return pipeline
