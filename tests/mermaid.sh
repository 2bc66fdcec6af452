#!/usr/bin/env bash
# Mermaid's own parser takes every diagram that we make: of the examples' reports and of the reports in snapshots.
#
#   bash tests/mermaid.sh path/to/mlops [FOLDER]
#
# Installs the parser in FOLDER (default: a folder in the user's cache) once for each list of versions.
set -euo pipefail
mlops=$(realpath "$1")
here=$(realpath "$(dirname "$0")/..")
cache=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/mlops-action-ci/mermaid}
wanted='mermaid@12.3.0 jsdom@26.1.0'
mkdir -p "$cache"
if [ "$(cat "$cache/wanted" 2>/dev/null)" != "$wanted" ]; then
  echo '{"private": true, "type": "module"}' >"$cache/package.json"
  # shellcheck disable=SC2086
  npm install --prefix "$cache" --no-audit --no-fund --silent $wanted
  echo "$wanted" >"$cache/wanted"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A first model and a second one that meets it, for each kind of task.
for example in diabetes breast-cancer iris; do
  cp -r "$here/fixtures/repos/$example" "$work/$example"
  rm -rf "$work/$example/.mlops"
  for name in first second; do
    "$mlops" -q -C "$work/$example" run >/dev/null || [ $? = 1 ]
    "$mlops" -C "$work/$example" report --as markdown >"$work/$example.$name.md"
    "$mlops" -q -C "$work/$example" promote >/dev/null || true
    sed -i 's/^\( *seed: *\)[0-9]*/\17/; s/alpha: 1.0/alpha: 3.0/' "$work/$example/mlops.yaml"
  done
done
# Classes have a table instead: there is nothing to parse.
grep -q '```mermaid' "$work/diabetes.second.md"
grep -q '```mermaid' "$work/breast-cancer.second.md"
mapfile -t snapshots < <(grep -rl --include='*.snap' '```mermaid' "$here/src" "$here/tests")
[ "${#snapshots[@]}" -gt 0 ]
cp "$here/tests/mermaid.mjs" "$cache/"
timeout 120 node "$cache/mermaid.mjs" "$work"/*.md "${snapshots[@]}"
