#!/usr/bin/env bash
# GitHub's official clients against the twin: if they are content, the twin speaks GitHub.
#
#   bash tests/twins/interop.sh [FOLDER]
#
# Installs the clients in FOLDER (default: a folder in the user's cache) once for each list of versions.
set -euo pipefail
cd "$(dirname "$0")/../.."
sources=$PWD/tests/twins/github
cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/mlops-action-ci/octokit}
wanted='octokit@5.0.5 @actions/artifact@6.2.1 @actions/cache@6.3.0'
mkdir -p "$cache"
if [ "$(cat "$cache/wanted" 2>/dev/null)" != "$wanted" ]; then
  [ -e "$cache/package.json" ] || echo '{"private": true, "type": "module"}' >"$cache/package.json"
  # shellcheck disable=SC2086
  npm install --prefix "$cache" --no-audit --no-fund --silent $wanted
  echo "$wanted" >"$cache/wanted"
fi

cargo build --locked --quiet --example github-twin
program=${CARGO_TARGET_DIR:-target}/debug/examples/github-twin

for script in octokit toolkit; do
  # Modules are looked for beside the script, so it has to be where they are.
  cp "$sources/$script.mjs" "$cache/"
  coproc TWIN_PROGRAM { exec "$program" --scenario "$sources/interop.json"; }
  pid=$TWIN_PROGRAM_PID
  input=${TWIN_PROGRAM[1]}
  read -r line <&"${TWIN_PROGRAM[0]}"
  status=0
  # Kept apart, since the toolkit writes commands that a runner would obey.
  env -u GITHUB_ACTIONS TWIN="$line" timeout 120 node "$cache/$script.mjs" >"$cache/$script.log" 2>&1 || status=$?
  exec {input}>&-
  wait "$pid" || true
  grep -E "^$script: " "$cache/$script.log" || true
  if [ "$status" != 0 ]; then
    tail -n 80 "$cache/$script.log" | sed 's/^/  /' >&2
    echo "$script: exit $status" >&2
    exit 1
  fi
done
