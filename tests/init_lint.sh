#!/usr/bin/env bash
# Everything that `mlops init` writes passes the linters of workflows and of the configuration's schema.
# usage: tests/init_lint.sh path/to/mlops    (zizmor and check-jsonschema on the PATH)
set -euo pipefail
mlops=$(realpath "$1")
here=$(realpath "$(dirname "$0")/..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for example in diabetes iris breast-cancer; do
  for options in "" "--environment"; do
    for folder in "" "models/first"; do
      repository=$work/$example${options}${folder:+-folder}
      project=$repository/$folder
      mkdir -p "$project"
      git -C "$repository" init -q -b main
      cp -r "$here/fixtures/repos/$example/data" "$project/"
      # A repository that works with W&B has its key in the workflows.
      if [ -n "$folder" ]; then echo 'import wandb' >"$project/train.py"; fi
      # shellcheck disable=SC2086
      (cd "$project" && "$mlops" -q init $options >/dev/null)
      zizmor --offline --quiet --persona=pedantic "$repository"
      check-jsonschema --quiet --builtin-schema vendor.github-workflows "$repository"/.github/workflows/*.yml
      check-jsonschema --quiet --schemafile "$here/docs/reference/mlops.schema.json" "$project/mlops.yaml"
      (cd "$project" && "$mlops" doctor >/dev/null)
    done
  done
done
echo "what init writes is clean"
