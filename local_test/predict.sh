#!/usr/bin/env bash
# Sends rows to the server on port 8080 or $PORT, and prints its answer: predict.sh [payload] [content-type]
set -euo pipefail
payload=${1:-$(dirname -- "${BASH_SOURCE[0]}")/payload.csv}
case $payload in
  *.json) content_type=application/json ;;
  *.jsonl) content_type=application/jsonlines ;;
  *) content_type=text/csv ;;
esac

[[ -r $payload && ! -d $payload ]] || { echo "predict.sh: there is no file $payload to read" >&2; exit 1; }
curl --silent --show-error --fail-with-body --data-binary "@$payload" \
  --header "Content-Type: ${2:-$content_type}" "http://127.0.0.1:${PORT:-8080}/invocations"
