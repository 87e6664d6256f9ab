#!/usr/bin/env bash
# Builds the image of the current commit and pushes it to Amazon ECR; ./build_and_push.sh --help says how.
set -euo pipefail

usage() {
  cat <<'END'
Usage: ./build_and_push.sh [--dry-run] [tag]

Builds the image for linux/amd64, pushes it to Amazon ECR and prints its URI, alone, on stdout.
  tag         of the image; the default is the short commit hash
  --dry-run   print the commands that would change something, and run none of them; without credentials too
Environment: IMAGE_NAME (default fraud-detect), AWS_REGION or AWS_DEFAULT_REGION, and what the AWS CLI reads.
END
}

say() { printf 'build_and_push.sh: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
refuse() { say "$@"; usage >&2; exit 2; }

require() { # program, where to get it
  command -v "$1" >/dev/null && return
  say "$1 is not on the PATH; install it: $2"
  missing=yes
}

# True when AWS has the thing, false when it answers with the named error; any other error ends the script.
exists() { # error that means "no", arguments of aws
  local absent=$1 complaint
  shift
  complaint=$(aws "$@" --region "$region" 2>&1 >/dev/null) && return
  [[ $complaint == *"($absent)"* ]] && return 1
  die "${complaint#$'\n'}"
}

run() {
  if [[ $dry_run ]]; then
    # %q would write <account> with backslashes.
    local words
    words=$(printf ' %q' "$@")
    words=${words//\\</<}
    echo "+${words//\\>/>}"
  else
    "$@"
  fi
}

log_in() {
  if [[ $dry_run ]]; then
    echo "+ aws ecr get-login-password --region $region | docker login --username AWS --password-stdin $host"
  else
    aws ecr get-login-password --region "$region" | docker login --username AWS --password-stdin "$host"
  fi
}

unset tag
dry_run='' missing=''
for argument in "$@"; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry_run=yes ;;
    -*) refuse "unknown option: $argument" ;;
    *) [[ -z ${tag+given} ]] || refuse "one tag at most, not also: $argument"; tag=$argument ;;
  esac
done

# From here on stdout is progress and goes to stderr; the URI alone leaves by file descriptor 3.
exec 3>&1 1>&2
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

require git https://git-scm.com/downloads
require aws https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html
[[ $dry_run ]] || require docker https://docs.docker.com/engine/install/
[[ -z $missing ]] || exit 1

commit=$(git rev-parse --verify HEAD 2>&1) || die "no git commit to build: ${commit%%$'\n'*}"
tag=${tag-$(git rev-parse --short=12 HEAD)}
[[ $tag =~ ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ ]] ||
  refuse "tag \"$tag\": up to 128 of A-Z a-z 0-9 _ . - and neither . nor - first"
changes=$(git status --porcelain --untracked-files=normal)
[[ -z $changes ]] || die "commit or stash these first, the tag names a commit:"$'\n'"$(head -n 5 <<<"$changes")"

export AWS_PAGER=''
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region 2>/dev/null || true)}}
[[ $region ]] || die "no AWS region; set AWS_REGION, or run: aws configure set region <region>"
if ! account=$(aws sts get-caller-identity --query Account --output text --region "$region" 2>/dev/null); then
  mend="set AWS_PROFILE or run aws configure, then check: aws sts get-caller-identity"
  [[ $dry_run ]] || die "no valid AWS credentials; $mend"
  account='<account>'
  say "no valid AWS credentials: $account stands for yours, and ECR was not asked whether repository and tag are there" \
    "(a repository that is there is not created again); $mend"
fi

name=${IMAGE_NAME:-fraud-detect}
host=$account.dkr.ecr.$region.amazonaws.com
[[ $region != cn-* ]] || host+=.cn
uri=$host/$name:$tag

create=()
if [[ $account == '<account>' ]] ||
  ! exists RepositoryNotFoundException ecr describe-repositories --repository-names "$name"; then
  create=(aws ecr create-repository --repository-name "$name" --region "$region"
    --image-scanning-configuration scanOnPush=true --image-tag-mutability IMMUTABLE)
elif exists ImageNotFoundException ecr describe-images --repository-name "$name" --image-ids "imageTag=$tag"; then
  die "$uri is already there, and a tag never changes; commit, or give another tag"
fi

# SageMaker refuses an OCI index, which buildx makes to hold its attestations, and an OCI manifest. The variable is
# ignored by a builder that does not know it (--provenance=false is an error there); --output exists with buildx only.
build=(env BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build --platform linux/amd64
  --build-arg "REVISION=$commit" --build-arg "VERSION=$tag" --tag "$uri")
if docker buildx version >/dev/null 2>&1; then build+=(--output "type=docker,oci-mediatypes=false"); fi

run "${build[@]}" .
[[ ${#create[@]} -eq 0 ]] || run "${create[@]}"
log_in
run docker push "$uri"
echo "$uri" >&3
