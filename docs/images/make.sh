#!/bin/sh
# Makes report.png and comment.png: the top of the HTML report, and of the comment, of a change to the diabetes example
# that meets production.
#
#   docs/images/make.sh path/to/mlops
#
# Needs git, python3 (the example's own tests), and Chromium with a sans-serif font; CHROMIUM names another browser.
set -eu
mlops=$(realpath "${1:?the mlops program}")
here=$(dirname "$(realpath "$0")")
browser=${CHROMIUM:-chromium}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -R "$here/../../fixtures/repos/diabetes/." "$work"
cd "$work"
rm -rf .mlops
commit() {
    git add -A -- . ':!.mlops'
    GIT_AUTHOR_DATE='2026-01-05T08:00:00Z' GIT_COMMITTER_DATE='2026-01-05T08:00:00Z' \
        git -c user.name=mlops -c user.email=mlops@example.org commit --quiet --message "$1"
}
git init --quiet
# What stands in production: ridge as the example has it.
commit 'ridge'
"$mlops" run --quiet
"$mlops" promote
# The change: an elastic net.
sed -e 's/estimator: ridge/estimator: elastic_net/' -e 's/params: {.*}/params: {alpha: 0.1, l1_ratio: 0.5}/' \
    mlops.yaml > changed.yaml
mv changed.yaml mlops.yaml
# As on a pull request: nothing is published.
commit 'elastic net'
"$mlops" run --quiet --no-publish

shoot() { # page, size, picture
    "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/browser" \
        --window-size="$2" --screenshot="$work/$3" "file://$1"
    cp "$work/$3" "$here/$3"
}
shoot "$work/.mlops/runs/$(cat .mlops/latest)/report.html" 1200,1066 report.png
"$mlops" report --as markdown | python3 "$here/comment.py" > comment.html
shoot "$work/comment.html" 960,760 comment.png
