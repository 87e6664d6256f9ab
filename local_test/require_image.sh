# shellcheck shell=bash
# Sourced by the scripts beside it: ends one whose image this computer lacks, as Docker would look for it in a registry.
require_image() { # image
  local said
  said=$(docker image inspect "$1" 2>&1 >/dev/null) && return
  [[ $said != *"o such image"* ]] || said="this computer has no image $1: docker build --tag $1 ."
  echo "${0##*/}: $said" >&2
  exit 1
}
