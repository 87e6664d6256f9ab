"""The verbs of the image: `fraud train`, `fraud serve`."""

import sys
from importlib import import_module

import click

from fraud import __version__

VERBS = {
    "train": ("fraud.training.job", "Train on the channels below /opt/ml and leave a model and its report there."),
    "serve": ("fraud.serving.server", "Serve the model in /opt/ml/model on port 8080."),
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fraud-detect")
def main() -> None:
    """Train and serve card-fraud models by SageMaker's contract."""


def _run(module: str) -> None:
    del sys.argv[1]  # the verb's own program sees its own arguments
    import_module(module).main()


for _verb, (_module, _help) in VERBS.items():
    main.add_command(click.Command(_verb, callback=lambda module=_module: _run(module), help=_help, short_help=_help))

if __name__ == "__main__":
    main()
