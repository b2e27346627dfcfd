#!/bin/sh
# The main job on real data: the sources of the crates this program was just built from.
# Needs nothing but the program; works in a temporary folder and leaves nothing behind.
set -eu

oma=$(realpath "${OMA:-target/release/oma}")
data=${1:-${CARGO_HOME:-$HOME/.cargo}/registry/src}
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
export OMA_STORE="$work/store"

run() {
  echo
  printf '$ oma'
  printf ' %s' "$@"
  echo
  "$oma" "$@"
}

run --owner demo add "$data" --bind crates --links keep
run --owner other add "$data" --bind same-crates --links keep
run --owner demo get greeting --result hello.txt -- sh -c 'echo hello > hello.txt'
run --owner demo get greeting --result hello.txt -- sh -c 'echo not run again; exit 1'
run ls
run usage
run verify
run --owner demo unbind crates
run gc --dry-run --collect-delay 0
run --owner other unbind same-crates
run gc --yes --collect-delay 0
run stats
test "$(find "$OMA_STORE/artifacts" -type f | wc -l)" -eq 1
echo
echo "the main job is done: one file is left, the one still bound"
