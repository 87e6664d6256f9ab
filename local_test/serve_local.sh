#!/usr/bin/env bash
# Serves the model that train_local.sh left, until Ctrl-C: serve_local.sh [image]
# It listens on this computer alone, on port 8080 or $PORT.
set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
image=${1:-fraud-detect}
. "$root/local_test/require_image.sh"
require_image "$image"
exec docker run --rm --publish "127.0.0.1:${PORT:-8080}:8080" \
  --volume "$root/test_dir/model:/opt/ml/model:ro" "$image" serve
