#!/usr/bin/env bash
# Every whole workflow that the documents show passes the linters of workflows.
# usage: tests/docs_lint.sh    (zizmor and check-jsonschema on the PATH)
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/.github/workflows"
for document in README.md docs/github.md; do
  awk -v to="$work/.github/workflows/$(basename "$document" .md)" '
    /^```yaml$/ { inside = 1; text = ""; next }
    /^```$/ { if (inside && text ~ /\njobs:\n/) printf "%s", text > (to "-" ++n ".yml"); inside = 0 }
    inside { text = text $0 "\n" }
  ' "$document"
done
n=$(find "$work/.github/workflows" -name '*.yml' | wc -l)
[ "$n" -ge 6 ]
zizmor --offline --quiet "$work"
check-jsonschema --quiet --builtin-schema vendor.github-workflows "$work"/.github/workflows/*.yml
echo "$n workflows of the documents are clean"
