"""Train, serve and transform the sample rows by SageMaker's SDK in local mode; needs Docker and `make .venv/aws`."""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from local_docker import LocalModeError
from local_mode import Answer, Model, endpoint, train, transform

ROOT = Path(__file__).resolve().parents[1]
CHANNEL = ROOT / "test_dir" / "input" / "data" / "train"
HYPERPARAMETERS = ROOT / "test_dir" / "input" / "config" / "hyperparameters.json"
PAYLOADS = ROOT / "local_test"
BASE = ROOT / "build" / "sdk_local"
SHOWN = 4


def main(image: str) -> None:
    step("train with ModelTrainer on test_dir's sample rows")
    trained = train(image, {"train": CHANNEL}, json.loads(HYPERPARAMETERS.read_text()), BASE)
    print(*[line for line in trained.log.splitlines() if line.startswith("validation:")][-9:], sep="\n")
    print(f"the model: {trained.model_archive}\nthe report: {trained.output / 'data' / 'report.html'}")

    model = Model(image, trained.model_archive)
    step("serve it as an endpoint of LocalSession")
    with endpoint(model) as server:
        rows = (PAYLOADS / "payload.csv").read_text()
        step("invoke with CSV: one probability a line")
        show(server.invoke(rows))
        step("invoke with JSON: probability and label")
        show(server.invoke((PAYLOADS / "payload.json").read_text(), "application/json", "application/json"))
        step("invoke for the decision and its two strongest reasons")
        show(server.invoke(rows, attributes="output=probability,decision,reasons;reasons=2"))
        step("stop the endpoint")

    step("transform a file of rows with Transformer, a line for each line")
    for path in transform(model, PAYLOADS / "payload.csv", BASE / "scores"):
        lines = path.read_text().splitlines()
        print(*lines[:SHOWN], f"... {len(lines)} lines in {path}", sep="\n")


def step(text: str) -> None:
    print(f"\n==> {text}", flush=True)


def show(answer: Answer) -> None:
    """Print the first records of an answer, or leave with what the server refused."""
    if answer.status != 200:
        raise LocalModeError(f"the endpoint answered {answer.status}: {answer.body.strip()}")
    lines = answer.body.replace("},{", "},\n{").splitlines()
    print(*lines[:SHOWN], f"... {len(lines)} records", sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", nargs="?", default="fraud-detect")
    try:
        main(parser.parse_args().image)
    except LocalModeError as error:
        sys.exit(f"sdk_local.py: {error}")
    except KeyboardInterrupt:
        sys.exit("sdk_local.py: interrupted")
