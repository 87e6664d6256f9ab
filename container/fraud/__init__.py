"""Train and serve card-fraud models inside one SageMaker container."""

from importlib.metadata import version

__version__ = version("fraud-detect")
