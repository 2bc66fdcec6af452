//! Diffs of Git, and which findings a change is shown.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const DIFF: &str = r#"diff --git a/app/load.py b/app/load.py
index 1..2 100644
--- a/app/load.py
+++ b/app/load.py
@@ -1 +1,2 @@ def f():
-import os
+import os, sys
+++ b/not/a/file.py
@@ -10,0 +12,3 @@
+a
+b
+c
@@ -20,2 +24,0 @@
-x
--- a/neither.py
diff --git "a/gr\303\266\303\237e\t.py" "b/gr\303\266\303\237e\t.py"
--- "a/gr\303\266\303\237e\t.py"
+++ "b/gr\303\266\303\237e\t.py"
@@ -0,0 +1 @@
+x = 1
\ No newline at end of file
diff --git a/with space.py b/with space.py
--- a/with space.py	
+++ b/with space.py	
@@ -3,3 +3,4 @@
 a

+b
 c
diff --git a/old name.py b/new name.py
similarity index 100%
rename from old name.py
rename to new name.py
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git a/gone.py b/gone.py
deleted file mode 100644
--- a/gone.py
+++ /dev/null
@@ -1,2 +0,0 @@
-a
-b
diff --git a/x.png b/x.png
Binary files a/x.png and b/x.png differ
"#;

#[test]
fn added_lines_of_a_diff() {
    let text = format!("{:#?}", changed_lines(DIFF));
    let flat = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("), \"", "),\n\"");
    insta::assert_snapshot!(flat, @r#"
    Changed { files: { "app/load.py": Added( [ ( 1, 2, ), ( 12, 14, ), ], ),
    "gone.py": Added( [], ),
    "größe\t.py": Added( [ ( 1, 1, ), ], ),
    "new name.py": Added( [], ),
    "run.sh": Added( [], ),
    "with space.py": Added( [ ( 5, 5, ), ], ),
    "x.png": Added( [], ), }, }
    "#);
}

/// The oracle is `git blame`: which lines it gives to the change.
#[test]
fn a_recorded_change_has_the_lines_that_git_blames() {
    let recorded: serde_json::Value =
        serde_json::from_str(include_str!("../../../fixtures/lint/changes.json")).unwrap();
    let by_blame: BTreeMap<String, BTreeSet<u32>> = serde_json::from_value(recorded["added"].clone()).unwrap();
    for layout in ["zero", "context"] {
        let changed = changed_lines(recorded[layout].as_str().unwrap());
        for (path, blamed) in &by_blame {
            let mut found = hygiene(path, b"").remove(0);
            found.line = None;
            assert_eq!(
                filter(vec![found.clone()], &changed, Filter::Added).1,
                0,
                "{layout}: {path} changed"
            );
            if std::path::Path::new(path)
                .extension()
                .is_some_and(|extension| extension == "bin")
            {
                continue;
            }
            for line in 1..100 {
                found.line = Some(line);
                let is_shown = filter(vec![found.clone()], &changed, Filter::Added).1 == 0;
                assert_eq!(is_shown, blamed.contains(&line), "{layout}: {path}:{line}");
            }
        }
    }
    let n_lines: usize = by_blame.values().map(BTreeSet::len).sum();
    assert!(by_blame.len() >= 7 && n_lines >= 7, "{by_blame:?}");
}

#[test]
fn a_change_shows_its_own_findings() {
    let mut changed = changed_lines(DIFF);
    changed.add_patch("api.py", "@@ -5,4 +5,5 @@ class A:\n a\n-b\n+c\n+d\n e\n f");
    changed.add_whole("huge.py");
    let at = |path: &str, line: Option<u32>, end_line: Option<u32>| {
        let mut found = hygiene(path, b"").remove(0);
        (found.line, found.end_line) = (line, end_line);
        found
    };
    let cases = [
        (at("app/load.py", Some(2), None), [true, true]),
        (at("app/load.py", Some(3), None), [false, true]),
        (at("app/load.py", Some(4), None), [false, true]),
        (at("app/load.py", Some(5), Some(12)), [true, true]),
        (at("app/load.py", None, None), [true, true]),
        (at("app/load.py", Some(15), Some(3)), [false, true]),
        (at("größe\t.py", Some(1), None), [true, true]),
        (at("with space.py", Some(5), None), [true, true]),
        (at("with space.py", Some(6), None), [false, true]),
        (at("new name.py", Some(1), None), [false, true]),
        (at("run.sh", None, None), [true, true]),
        (at("api.py", Some(6), None), [true, true]),
        (at("api.py", Some(8), None), [false, true]),
        (at("huge.py", Some(4711), None), [true, true]),
        (at("other.py", None, None), [false, false]),
        (at("not/a/file.py", Some(1), None), [false, false]),
        (at("", None, None), [true, true]),
    ];
    for (found, [added, file]) in cases {
        let kept = |by| filter(vec![found.clone()], &changed, by).1 == 0;
        assert_eq!(
            (kept(Filter::Added), kept(Filter::File), kept(Filter::All)),
            (added, file, true),
            "{found}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_change_of_a_diff_is_read(at in 0..DIFF.len(), n in 0..200_usize, with in "[-+ @\\\\\"0-9\n]{0,9}") {
        let mut bytes = DIFF.as_bytes().to_vec();
        let end = (at + n).min(bytes.len());
        bytes.splice(at..end, with.bytes());
        let text = String::from_utf8_lossy(&bytes);
        let whole = changed_lines(&text);
        let mut one = Changed::default();
        one.add_patch("a", &text);
        proptest::prop_assert!(!one.is_empty());
        let _ = whole;
    }
}
