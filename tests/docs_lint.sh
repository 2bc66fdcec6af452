#!/usr/bin/env bash
# Every whole workflow that the documents show passes the linters of workflows, and the trainer that they show runs.
# usage: tests/docs_lint.sh    (zizmor, check-jsonschema and a Python with pandas and scikit-learn on the PATH)
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

data=fixtures/repos/diabetes/data/diabetes.csv
awk '/^```python$/ { inside = 1; next } /^```$/ { inside = 0 } inside' docs/trainers.md >"$work/train.py"
awk 'BEGIN { print "row,part" } NR > 1 { print NR - 2 "," (NR % 4 ? "train" : "test") }' "$data" >"$work/split.csv"
mkdir "$work/output"
MLOPS_OUTPUT=$work/output MLOPS_SPLIT=$work/split.csv MLOPS_DATA=$data python "$work/train.py"
[ "$(wc -l <"$work/output/predictions.csv")" -eq 111 ]
[ -s "$work/output/model.joblib" ]
echo "the trainer of the documents predicts every held-out row"
