#!/usr/bin/env bash
# Scores each line of a file as a batch transform does, by train_local.sh's model: batch_local.sh [rows] [image]
set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
rows=${1:-$root/local_test/payload.csv} image=${2:-fraud-detect} name=fraud-batch-$$ content_type=text/csv
case $rows in *.jsonl) content_type=application/jsonlines ;; *.json) content_type=application/json ;; esac
[[ -f $rows && -r $rows ]] || { echo "batch_local.sh: there is no file $rows to read" >&2; exit 1; }
. "$root/local_test/require_image.sh"
require_image "$image"
trap 'docker rm --force "$name" >/dev/null 2>&1 || true' EXIT
docker run --detach --name "$name" --env SAGEMAKER_BATCH=true --publish 127.0.0.1::8080 \
  --volume "$root/test_dir/model:/opt/ml/model:ro" "$image" serve >/dev/null
until curl --silent --fail --output /dev/null "$(docker port "$name" 8080 2>/dev/null | head -n 1)/ping"; do
  [[ $(docker inspect --format '{{.State.Running}}' "$name") == true ]] || { docker logs "$name"; exit 1; }
done
curl --silent --show-error --fail-with-body --data-binary "@$rows" --header "Content-Type: $content_type" \
  "$(docker port "$name" 8080 | head -n 1)/invocations"
