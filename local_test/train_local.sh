#!/usr/bin/env bash
# Trains in the image on the sample rows, as SageMaker would: train_local.sh [image]
# The model is left in test_dir/model, its report in test_dir/output/data.
set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
image=${1:-fraud-detect}
. "$root/local_test/require_image.sh"
require_image "$image"
docker run --rm --volume "$root/test_dir:/opt/ml" "$image" train
