#!/usr/bin/env bash
# Trains in the image on the sample rows, as SageMaker would: train_local.sh [image]
# The model is left in test_dir/model, its report in test_dir/output/data.
set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
image=${1:-fraud-detect}

said=$(docker image inspect "$image" 2>&1 >/dev/null) || {
  [[ $said != *"o such image"* ]] || said="this computer has no image $image: docker build --tag $image ."
  echo "train_local.sh: $said" >&2
  exit 1
}
docker run --rm --volume "$root/test_dir:/opt/ml" "$image" train
