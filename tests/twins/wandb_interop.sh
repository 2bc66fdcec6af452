#!/usr/bin/env bash
# The official client of W&B, as it is, against the twin of W&B: if it is content, the twin speaks W&B.
#
#   bash tests/twins/wandb_interop.sh FOLDER TWIN_PROGRAM [--large]
#
# Installs the client in FOLDER once for each list of versions. `--large` also sends a file of 2 GiB in parts.
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: $0 FOLDER TWIN_PROGRAM [--large]" >&2
  exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
program=$(realpath "$2")
shift 2
cd "$(dirname "$0")/../.."
wanted='wandb==0.31.0 pandas==2.3.3 pillow==12.0.0'
if [ "$(cat "$folder/venv/wanted" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$folder/venv"
  python3 -m venv "$folder/venv"
  # shellcheck disable=SC2086
  "$folder/venv/bin/pip" -q install $wanted
  echo "$wanted" >"$folder/venv/wanted"
fi
exec "$folder/venv/bin/python" tests/twins/wandb/interop.py "$program" "$@"
