//! Every tool at two versions: path, line, column, rule, message, and what mends it.

use super::*;

#[test]
fn commands_run_as_they_were_recorded() {
    for one in recorded() {
        assert_eq!(invocation(&one.written).command, one.ran, "{}", one.tool);
    }
}

#[test]
fn every_recorded_failure_has_findings() {
    for one in recorded() {
        let n = read(&one).findings.len();
        assert!(
            n > 0,
            "{}: `{}` exited with {} and has no finding",
            one.tool,
            one.ran,
            one.exit
        );
    }
}

#[test]
fn ruff_check() {
    insta::assert_snapshot!(check("ruff 0.6.9", "ruff check ."), @r#"
    e app/load.py:1:1 E401 Multiple imports on one line | to 1:15 | Split imports: `ruff check --fix` mends it
    e app/load.py:1:8 F401 `os` imported but unused | to 1:10 | Remove unused import: `ruff check --fix` mends it
    e app/load.py:1:12 F401 `sys` imported but unused | to 1:15 | Remove unused import: `ruff check --fix` mends it
    e app/load.py:2:8 F401 `json` imported but unused | to 2:12 | Remove unused import: `json`: `ruff check --fix` mends it
    e app/load.py:3:25 F401 `collections.OrderedDict` imported but unused | to 3:36 | Remove unused import: `collections.OrderedDict`: `ruff check --fix` mends it
    e app/load.py:4:8 F401 `numpy` imported but unused | to 4:13 | Remove unused import: `numpy`: `ruff check --fix` mends it
    e app/load.py:9:5 F841 Local variable `unused` is assigned to but never used | to 9:11 | Remove assignment to unused variable `unused`: `ruff check --fix --unsafe-fixes` mends it, and may change what the code does
    e app/load.py:10:13 E711 Comparison to `None` should be `cond is None` | to 10:17 | Replace with `cond is None`: `ruff check --fix --unsafe-fixes` mends it, and may change what the code does
    e app/load.py:12:12 F821 Undefined name `undefined_name` | to 12:26
    e app/load.py:16:5 E722 Do not use bare `except` | to 16:11
    e app/load.py:17:9 E741 Ambiguous variable name: `l` | to 17:10
    e app/load.py:17:9 E731 Do not assign a `lambda` expression, use a `def` | to 17:22 | Rewrite `l` as a `def`: `ruff check --fix --unsafe-fixes` mends it, and may change what the code does
    e broken/half.py:1:10 invalid-syntax Expected a parameter or the end of the parameter list | to 1:11
    e broken/half.py:1:11 invalid-syntax Expected ')', found newline | to 2:1
    e notebooks/explore.ipynb:27 (cell 2, line 1) F401 `os` imported but unused | to 27 | Remove unused import: `os`: `ruff check --fix` mends it
    e notebooks/explore.ipynb:28 (cell 2, line 2) F401 `sys` imported but unused | to 28 | Remove unused import: `sys`: `ruff check --fix` mends it
    e notebooks/explore.ipynb:48 (cell 4, line 2) F821 Undefined name `undefined_name` | to 48
    e odd names/größe.py:1:8 F401 `re` imported but unused | to 1:10 | Remove unused import: `re`: `ruff check --fix` mends it
    e odd names/größe.py:3:13 E702 Multiple statements on one line (semicolon) | to 3:14
    e src/shop/price.py:3:18 F401 `shop.missing` imported but unused | to 3:25 | Remove unused import: `shop.missing`: `ruff check --fix` mends it
    e src/shop/price.py:4:8 F401 `not_installed` imported but unused | to 4:21 | Remove unused import: `not_installed`: `ruff check --fix` mends it
    e src/shop/price.py:33:1 F821 Undefined name `reveal_type` | to 33:12
    "#);
    insta::assert_snapshot!(check("ruff 0.17.6", "ruff check ."), @r#"
    e app/load.py:1:1 I001 Import block is un-sorted or un-formatted | to 4:13 | Organize imports: `ruff check --fix` mends it
    e app/load.py:1:8 F401 `os` imported but unused | to 1:10 | Remove unused import: `ruff check --fix` mends it
    e app/load.py:1:12 F401 `sys` imported but unused | to 1:15 | Remove unused import: `ruff check --fix` mends it
    e app/load.py:2:8 F401 `json` imported but unused | to 2:12 | Remove unused import: `json`: `ruff check --fix` mends it
    e app/load.py:3:25 F401 `collections.OrderedDict` imported but unused | to 3:36 | Remove unused import: `collections.OrderedDict`: `ruff check --fix` mends it
    e app/load.py:4:8 F401 `numpy` imported but unused | to 4:13 | Remove unused import: `numpy`: `ruff check --fix` mends it
    e app/load.py:9:5 F841 Local variable `unused` is assigned to but never used | to 9:11 | Remove assignment to unused variable `unused`: `ruff check --fix --unsafe-fixes` mends it, and may change what the code does
    e app/load.py:12:12 F821 Undefined name `undefined_name` | to 12:26
    e app/load.py:16:5 E722 Do not use bare `except` | to 16:11
    e broken/half.py:1:10 invalid-syntax Expected a parameter or the end of the parameter list | to 1:11
    e broken/half.py:1:11 invalid-syntax Expected `)`, found newline | to 2:1
    e notebooks/explore.ipynb:27 (cell 2, line 1) F401 `os` imported but unused | to 27 | Remove unused import: `os`: `ruff check --fix` mends it
    e notebooks/explore.ipynb:27 (cell 2, line 1) I001 Import block is un-sorted or un-formatted | to 28 | Organize imports: `ruff check --fix` mends it
    e notebooks/explore.ipynb:28 (cell 2, line 2) F401 `sys` imported but unused | to 28 | Remove unused import: `sys`: `ruff check --fix` mends it
    e notebooks/explore.ipynb:48 (cell 4, line 2) F821 Undefined name `undefined_name` | to 48
    e odd names/größe.py:1:1 I001 Import block is un-sorted or un-formatted | to 1:10 | Organize imports: `ruff check --fix` mends it
    e odd names/größe.py:1:8 F401 `re` imported but unused | to 1:10 | Remove unused import: `re`: `ruff check --fix` mends it
    e src/shop/price.py:3:1 I001 Import block is un-sorted or un-formatted | to 4:21 | Organize imports: `ruff check --fix` mends it
    e src/shop/price.py:3:18 F401 `shop.missing` imported but unused | to 3:25 | Remove unused import: `shop.missing`: `ruff check --fix` mends it
    e src/shop/price.py:4:8 F401 `not_installed` imported but unused | to 4:21 | Remove unused import: `not_installed`: `ruff check --fix` mends it
    e src/shop/price.py:33:1 F821 Undefined name `reveal_type` | to 33:12
    "#);
}

#[test]
fn ruff_check_as_text() {
    insta::assert_snapshot!(check("ruff 0.6.9", "ruff check app | cat"), @r#"
    e app/load.py:1:1 E401 Multiple imports on one line | Split imports: `ruff check --fix` mends it
    e app/load.py:1:8 F401 `os` imported but unused | Remove unused import: `ruff check --fix` mends it
    e app/load.py:1:12 F401 `sys` imported but unused | Remove unused import: `ruff check --fix` mends it
    e app/load.py:2:8 F401 `json` imported but unused | Remove unused import: `json`: `ruff check --fix` mends it
    e app/load.py:3:25 F401 `collections.OrderedDict` imported but unused | Remove unused import: `collections.OrderedDict`: `ruff check --fix` mends it
    e app/load.py:4:8 F401 `numpy` imported but unused | Remove unused import: `numpy`: `ruff check --fix` mends it
    e app/load.py:9:5 F841 Local variable `unused` is assigned to but never used | Remove assignment to unused variable `unused`
    e app/load.py:10:13 E711 Comparison to `None` should be `cond is None` | Replace with `cond is None`
    e app/load.py:12:12 F821 Undefined name `undefined_name`
    e app/load.py:16:5 E722 Do not use bare `except`
    e app/load.py:17:9 E731 Do not assign a `lambda` expression, use a `def` | Rewrite `l` as a `def`
    e app/load.py:17:9 E741 Ambiguous variable name: `l`
    "#);
    insta::assert_snapshot!(check("ruff 0.17.6", "ruff check app | cat"), @r#"
    e app/load.py:1:1 I001 Import block is un-sorted or un-formatted | Organize imports: `ruff check --fix` mends it
    e app/load.py:1:8 F401 `os` imported but unused | Remove unused import: `ruff check --fix` mends it
    e app/load.py:1:12 F401 `sys` imported but unused | Remove unused import: `ruff check --fix` mends it
    e app/load.py:2:8 F401 `json` imported but unused | Remove unused import: `json`: `ruff check --fix` mends it
    e app/load.py:3:25 F401 `collections.OrderedDict` imported but unused | Remove unused import: `collections.OrderedDict`: `ruff check --fix` mends it
    e app/load.py:4:8 F401 `numpy` imported but unused | Remove unused import: `numpy`: `ruff check --fix` mends it
    e app/load.py:9:5 F841 Local variable `unused` is assigned to but never used | Remove assignment to unused variable `unused`
    e app/load.py:12:12 F821 Undefined name `undefined_name`
    e app/load.py:16:5 E722 Do not use bare `except`
    "#);
    insta::assert_snapshot!(check("ruff 0.17.6", "ruff check app --diff"), @"e app/load.py:1 `ruff check --fix` would leave out 4 lines | to 4 | `ruff check --fix` mends it");
}

/// The formats say the same, but for what they leave out.
#[test]
fn the_formats_of_ruff_agree() {
    for tool in ["ruff 0.6.9", "ruff 0.17.6"] {
        let places = |format: &str| {
            let all = recorded();
            let written = format!("ruff check app --output-format {format}");
            let one = all
                .iter()
                .find(|one| one.tool == tool && one.written == written)
                .unwrap();
            let mut places: Vec<_> = read(one)
                .findings
                .into_iter()
                .map(|found| (found.path, found.line, found.rule.unwrap(), found.message))
                .collect();
            places.sort();
            places
        };
        let lines = places("json-lines");
        assert!(lines.len() > 5);
        for other in ["concise", "sarif", "github", "pylint"] {
            assert_eq!(places(other), lines, "{tool} {other}");
        }
    }
}

#[test]
fn ruff_format() {
    insta::assert_snapshot!(check("ruff 0.6.9", "ruff format --check ."), @r#"
    e app/load.py:7 `ruff format` would write 2 lines here, with `def load(path):` | to 8 | `ruff format` mends it
    e app/load.py:11 `ruff format` would write 3 lines here, with `print(` | to 11 | `ruff format` mends it
    e app/load.py:12 `ruff format` would put 2 empty lines here | to 13 | `ruff format` mends it
    e broken/half.py:1:10 invalid-syntax Expected a parameter or the end of the parameter list
    e notebooks/explore.ipynb:29 (cell 2, line 3) `ruff format` would write 2 lines here, with `print("hello")` | to 29 | `ruff format` mends it
    e notebooks/explore.ipynb:47 (cell 4, line 1) `ruff format` would write `def f(x):` | to 47 | `ruff format` mends it
    e notebooks/explore.ipynb:50 (cell 4, line 4) `ruff format` would write 2 lines here, with `y: int = "text"` | to 50 | `ruff format` mends it
    e odd names/größe.py:1 `ruff format` would put 1 empty line here | to 2 | `ruff format` mends it
    e odd names/größe.py:3 `ruff format` would write 2 lines here, with `name = "äöü"` | to 3 | `ruff format` mends it
    "#);
    assert_eq!(
        check("ruff 0.17.6", "ruff format --check ."),
        check("ruff 0.6.9", "ruff format --check .")
    );
    insta::assert_snapshot!(check("ruff 0.6.9", "ruff format --check app notebooks | cat"), @r#"
    e app/load.py the file is not formatted | `ruff format` mends it
    e notebooks/explore.ipynb the file is not formatted | `ruff format` mends it
    "#);
    insta::assert_snapshot!(check("ruff 0.17.6", "ruff format --check app notebooks | cat"), @r#"
    e app/load.py:7:10 the file is not formatted | `ruff format` mends it
    e notebooks/explore.ipynb:29 (cell 2, line 3) the file is not formatted | to 29 | `ruff format` mends it
    "#);
}

#[test]
fn black() {
    insta::assert_snapshot!(check("black 23.12.1", "black --check ."), @r#"
    e app/load.py:7 `black` would write 2 lines here, with `def load(path):` | to 8 | `black` mends it
    e app/load.py:11 `black` would write 3 lines here, with `print(` | to 11 | `black` mends it
    e app/load.py:12 `black` would put 2 empty lines here | to 13 | `black` mends it
    e broken/half.py:1:9 invalid-syntax Cannot parse: 1:9: def half(:
    e notebooks/explore.ipynb:29 (cell 2, line 3) `black` would write 2 lines here, with `print("hello")` | to 29 | `black` mends it
    e notebooks/explore.ipynb:47 (cell 4, line 1) `black` would write `def f(x):` | to 47 | `black` mends it
    e notebooks/explore.ipynb:50 (cell 4, line 4) `black` would leave out 1 line | to 50 | `black` mends it
    e notebooks/explore.ipynb:50 (cell 4, line 5) `black` would put `y: int = "text"` here | to 50 | `black` mends it
    e odd names/größe.py:1 `black` would put 1 empty line here | to 2 | `black` mends it
    e odd names/größe.py:3 `black` would write 2 lines here, with `name = "äöü"` | to 3 | `black` mends it
    "#);
    insta::assert_snapshot!(check("black 26.10.1", "black --check ."), @r#"
    e app/load.py:7 `black` would write 2 lines here, with `def load(path):` | to 8 | `black` mends it
    e app/load.py:11 `black` would write 3 lines here, with `print(` | to 11 | `black` mends it
    e app/load.py:12 `black` would put 2 empty lines here | to 13 | `black` mends it
    e broken/half.py:1:9 invalid-syntax this can not be parsed
    e notebooks/explore.ipynb:29 (cell 2, line 3) `black` would write 2 lines here, with `print("hello")` | to 29 | `black` mends it
    e notebooks/explore.ipynb:47 (cell 4, line 1) `black` would write `def f(x):` | to 47 | `black` mends it
    e notebooks/explore.ipynb:50 (cell 4, line 4) `black` would leave out 1 line | to 50 | `black` mends it
    e notebooks/explore.ipynb:50 (cell 4, line 5) `black` would put `y: int = "text"` here | to 50 | `black` mends it
    e odd names/größe.py:1 `black` would put 1 empty line here | to 2 | `black` mends it
    e odd names/größe.py:3 `black` would write 2 lines here, with `name = "äöü"` | to 3 | `black` mends it
    "#);
    insta::assert_snapshot!(check("black 23.12.1", "black --check app 2>&1 | cat"), @"e app/load.py the file is not formatted | `black` mends it");
}

#[test]
fn flake8() {
    insta::assert_snapshot!(check("flake8 6.1.0", "flake8 app broken 'odd names'"), @r#"
    e app/load.py:1:1 F401 'os' imported but unused
    e app/load.py:1:1 F401 'sys' imported but unused
    e app/load.py:1:10 E401 multiple imports on one line
    e app/load.py:2:1 F401 'json' imported but unused
    e app/load.py:3:1 F401 'collections.OrderedDict' imported but unused
    e app/load.py:4:1 F401 'numpy' imported but unused
    e app/load.py:7:10 E201 whitespace after '('
    e app/load.py:7:15 E202 whitespace before ')'
    e app/load.py:8:10 E201 whitespace after '{'
    e app/load.py:8:15 E231 missing whitespace after ':'
    e app/load.py:8:17 E202 whitespace before '}'
    e app/load.py:9:5 F841 local variable 'unused' is assigned to but never used
    e app/load.py:10:10 E711 comparison to None should be 'if cond is None:'
    e app/load.py:11:80 E501 line too long (128 > 79 characters)
    e app/load.py:12:12 F821 undefined name 'undefined_name'
    e app/load.py:13:1 E302 expected 2 blank lines, found 0
    e app/load.py:16:5 E722 do not use bare 'except'
    e app/load.py:17:9 E731 do not assign a lambda expression, use a def
    e app/load.py:17:9 E741 ambiguous variable name 'l'
    e broken/half.py:1:11 E999 SyntaxError: invalid syntax
    e odd names/größe.py:1:1 F401 're' imported but unused
    e odd names/größe.py:3:13 E702 multiple statements on one line (semicolon)
    e odd names/größe.py:3:19 E225 missing whitespace around operator
    "#);
    assert_eq!(
        check("flake8 7.5.0", "flake8 app broken 'odd names'"),
        check("flake8 6.1.0", "flake8 app broken 'odd names'")
    );
    insta::assert_snapshot!(check("flake8 7.5.0", "flake8 app --format=pylint").lines().take(3).collect::<Vec<_>>().join("\n"), @r#"
    e app/load.py:1 E401 multiple imports on one line
    e app/load.py:1 F401 'os' imported but unused
    e app/load.py:1 F401 'sys' imported but unused
    "#);
}

#[test]
fn isort() {
    insta::assert_snapshot!(check("isort 5.13.2", "isort --check ."), @r#"
    e app/load.py:1 `isort` would leave out 1 line | to 1 | `isort` mends it
    e app/load.py:2 `isort` would put 2 lines here, with `import os` | to 3 | `isort` mends it
    e app/load.py:3 `isort` would put 1 empty line here | to 4 | `isort` mends it
    e odd names/größe.py:1 `isort` would put 1 empty line here | to 2 | `isort` mends it
    e src/shop/price.py:2 `isort` would put 2 lines here, with `import not_installed` | to 3 | `isort` mends it
    e src/shop/price.py:4 `isort` would leave out 1 line | to 4 | `isort` mends it
    "#);
    assert_eq!(
        check("isort 9.0.2", "isort --check ."),
        check("isort 5.13.2", "isort --check .")
    );
    insta::assert_snapshot!(check("isort 9.0.2", "isort --check app 2>&1 | cat"), @"e app/load.py the imports are not sorted | `isort` mends it");
}

#[test]
fn mypy() {
    insta::assert_snapshot!(check("mypy 1.5.1", "mypy src"), @r#"
    e src/shop/price.py:3:1 attr-defined Module "shop" has no attribute "missing" | to 3:2
    e src/shop/price.py:4:1 import Cannot find implementation or library stub for module named "not_installed"; See https://mypy.readthedocs.io/en/stable/running_mypy.html#missing-imports | to 4:2
    e src/shop/price.py:9:16 arg-type Argument 1 to "sum" has incompatible type "list[float]"; expected "Iterable[bool]" | to 9:22
    e src/shop/price.py:14:12 attr-defined "float" has no attribute "upper" | to 14:23
    e src/shop/price.py:29:20 override Argument 1 of "open" is incompatible with supertype "Box"; supertype defines the argument type as "str"; This violates the Liskov substitution principle; See https://mypy.readthedocs.io/en/stable/common_issues.html#incompatible-overrides | to 29:28
    n src/shop/price.py:33:13 Revealed type is "builtins.int" | to 33:25
    e src/shop/price.py:34:7 arg-type Argument 1 to "total" has incompatible type "str"; expected "list[float]" | to 34:10
    "#);
    insta::assert_snapshot!(check("mypy 2.4.1", "mypy src"), @r#"
    e src/shop/price.py:3:1 attr-defined Module "shop" has no attribute "missing" | to 3:25
    e src/shop/price.py:4:1 import-not-found Cannot find implementation or library stub for module named "not_installed"; See https://mypy.readthedocs.io/en/stable/running_mypy.html#missing-imports | to 4:2
    e src/shop/price.py:9:16 arg-type Argument 1 to "sum" has incompatible type "list[float]"; expected "Iterable[bool]" | to 9:22
    e src/shop/price.py:14:12 attr-defined "float" has no attribute "upper" | to 14:23
    e src/shop/price.py:29:20 override Argument 1 of "open" is incompatible with supertype "Box"; supertype defines the argument type as "str"; This violates the Liskov substitution principle; See https://mypy.readthedocs.io/en/stable/common_issues.html#incompatible-overrides | to 29:28
    n src/shop/price.py:33:13 Revealed type is "int" | to 33:25
    e src/shop/price.py:34:7 arg-type Argument 1 to "total" has incompatible type "str"; expected "list[float]" | to 34:10
    "#);
    insta::assert_snapshot!(check("mypy 2.4.1", "mypy broken"), @r#"
    e broken/half.py:1:11 syntax Expected a parameter or the end of the parameter list | to 1:12
    e broken/half.py:1:12 syntax Expected `)`, found newline | to 1:13
    "#);
    insta::assert_snapshot!(check("mypy 1.5.1", "mypy src --pretty | cat"), @r#"
    e src/shop/price.py:3 attr-defined Module "shop" has no attribute "missing"
    e src/shop/price.py:4 import Cannot find implementation or library stub for module named "not_installed"; See https://mypy.readthedocs.io/en/stable/running_mypy.html#missing-imports
    e src/shop/price.py:9 arg-type Argument 1 to "sum" has incompatible type "list[float]"; expected "Iterable[bool]"
    e src/shop/price.py:14 attr-defined "float" has no attribute "upper"
    e src/shop/price.py:29 override Argument 1 of "open" is incompatible with supertype "Box"; supertype defines the argument type as "str"; This violates the Liskov substitution principle; See https://mypy.readthedocs.io/en/stable/common_issues.html#incompatible-overrides
    n src/shop/price.py:33 Revealed type is "builtins.int"
    e src/shop/price.py:34 arg-type Argument 1 to "total" has incompatible type "str"; expected "list[float]"
    "#);
    insta::assert_snapshot!(check("mypy 2.4.1", "mypy src --output json"), @r#"
    e src/shop/price.py:3:1 attr-defined Module "shop" has no attribute "missing" | to 3:25
    e src/shop/price.py:4:1 import-not-found Cannot find implementation or library stub for module named "not_installed"; See https://mypy.readthedocs.io/en/stable/running_mypy.html#missing-imports | to 4:2
    e src/shop/price.py:9:16 arg-type Argument 1 to "sum" has incompatible type "list[float]"; expected "Iterable[bool]" | to 9:22
    e src/shop/price.py:14:12 attr-defined "float" has no attribute "upper" | to 14:23
    e src/shop/price.py:29:20 override Argument 1 of "open" is incompatible with supertype "Box"; supertype defines the argument type as "str"; This violates the Liskov substitution principle; See https://mypy.readthedocs.io/en/stable/common_issues.html#incompatible-overrides | to 29:28
    n src/shop/price.py:33:13 misc Revealed type is "int" | to 33:25
    e src/shop/price.py:34:7 arg-type Argument 1 to "total" has incompatible type "str"; expected "list[float]" | to 34:10
    "#);
}

#[test]
fn pylint() {
    insta::assert_snapshot!(check("pylint 2.17.7", "pylint app src/shop broken"), @r#"
    n app/load.py:1:1 C0114 Missing module docstring (missing-module-docstring)
    n app/load.py:1:1 C0410 Multiple imports on one line (os, sys) (multiple-imports) | to 1:15
    w app/load.py:1:1 W0611 Unused import os (unused-import) | to 1:15
    w app/load.py:1:1 W0611 Unused import sys (unused-import) | to 1:15
    w app/load.py:2:1 W0611 Unused import json (unused-import) | to 2:12
    w app/load.py:3:1 W0611 Unused OrderedDict imported from collections (unused-import) | to 3:36
    e app/load.py:4:1 E0401 Unable to import 'numpy' (import-error) | to 4:13
    w app/load.py:4:1 W0611 Unused import numpy (unused-import) | to 4:13
    n app/load.py:7:1 C0116 Missing function or method docstring (missing-function-docstring) | to 7:9
    w app/load.py:7:11 W0613 Unused argument 'path' (unused-argument) | to 7:15
    n app/load.py:8:5 C0103 Variable name "x" doesn't conform to snake_case naming style (invalid-name) | to 8:6
    w app/load.py:9:5 W0612 Unused variable 'unused' (unused-variable) | to 9:11
    n app/load.py:10:8 C0121 Comparison 'x == None' should be 'x is None' (singleton-comparison) | to 10:17
    n app/load.py:11:1 C0301 Line too long (128/100) (line-too-long)
    e app/load.py:12:12 E0602 Undefined variable 'undefined_name' (undefined-variable) | to 12:26
    n app/load.py:13:1 C0116 Missing function or method docstring (missing-function-docstring) | to 13:10
    n app/load.py:13:1 R1710 Either all return statements in a function should return an expression, or none of them should. (inconsistent-return-statements) | to 13:10
    w app/load.py:16:5 W0702 No exception type(s) specified (bare-except) | to 18:17
    n app/load.py:17:9 C0103 Variable name "l" doesn't conform to snake_case naming style (invalid-name) | to 17:10
    n app/load.py:17:13 C3001 Lambda expression assigned to a variable. Define a function using the "def" keyword instead. (unnecessary-lambda-assignment) | to 17:22
    e broken/half.py:1:11 E0001 Parsing failed: 'invalid syntax (<unknown>, line 1)' (syntax-error)
    e src/shop/price.py:3:1 E0611 No name 'missing' in module 'shop' (no-name-in-module) | to 3:25
    w src/shop/price.py:3:1 W0611 Unused missing imported from shop (unused-import) | to 3:25
    n src/shop/price.py:4:1 C0411 third party import "import not_installed" should be placed before "from shop import missing" (wrong-import-order) | to 4:21
    e src/shop/price.py:4:1 E0401 Unable to import 'not_installed' (import-error) | to 4:21
    w src/shop/price.py:4:1 W0611 Unused import not_installed (unused-import) | to 4:21
    n src/shop/price.py:19:1 R0903 Too few public methods (1/2) (too-few-public-methods) | to 19:10
    n src/shop/price.py:26:1 R0903 Too few public methods (1/2) (too-few-public-methods) | to 26:11
    e src/shop/price.py:33:1 E0602 Undefined variable 'reveal_type' (undefined-variable) | to 33:12
    "#);
    insta::assert_snapshot!(check("pylint 4.1.4", "pylint app src/shop broken"), @r#"
    n app/load.py:1:1 C0114 Missing module docstring (missing-module-docstring)
    n app/load.py:1:1 C0410 Multiple imports on one line (os, sys) (multiple-imports) | to 1:15
    w app/load.py:1:1 W0611 Unused import os (unused-import) | to 1:15
    w app/load.py:1:1 W0611 Unused import sys (unused-import) | to 1:15
    w app/load.py:2:1 W0611 Unused import json (unused-import) | to 2:12
    w app/load.py:3:1 W0611 Unused OrderedDict imported from collections (unused-import) | to 3:36
    e app/load.py:4:1 E0401 Unable to import 'numpy' (import-error) | to 4:13
    w app/load.py:4:1 W0611 Unused import numpy (unused-import) | to 4:13
    n app/load.py:7:1 C0116 Missing function or method docstring (missing-function-docstring) | to 7:9
    w app/load.py:7:11 W0613 Unused argument 'path' (unused-argument) | to 7:15
    w app/load.py:9:5 W0612 Unused variable 'unused' (unused-variable) | to 9:11
    n app/load.py:10:8 C0121 Comparison 'x == None' should be 'x is None' (singleton-comparison) | to 10:17
    n app/load.py:11:1 C0301 Line too long (128/100) (line-too-long)
    e app/load.py:12:12 E0602 Undefined variable 'undefined_name' (undefined-variable) | to 12:26
    n app/load.py:13:1 C0116 Missing function or method docstring (missing-function-docstring) | to 13:10
    n app/load.py:13:1 R1710 Either all return statements in a function should return an expression, or none of them should. (inconsistent-return-statements) | to 13:10
    w app/load.py:16:5 W0702 No exception type(s) specified (bare-except) | to 18:17
    n app/load.py:17:13 C3001 Lambda expression assigned to a variable. Define a function using the "def" keyword instead. (unnecessary-lambda-assignment) | to 17:22
    e broken/half.py:1:11 E0001 Parsing failed: 'invalid syntax (half, line 1)' (syntax-error)
    e src/shop/price.py:3:1 E0611 No name 'missing' in module 'shop' (no-name-in-module) | to 3:25
    w src/shop/price.py:3:1 W0611 Unused missing imported from shop (unused-import) | to 3:25
    n src/shop/price.py:4:1 C0411 third party import "not_installed" should be placed before first party import "shop.missing" (wrong-import-order) | to 4:21
    e src/shop/price.py:4:1 E0401 Unable to import 'not_installed' (import-error) | to 4:21
    w src/shop/price.py:4:1 W0611 Unused import not_installed (unused-import) | to 4:21
    n src/shop/price.py:19:1 R0903 Too few public methods (1/2) (too-few-public-methods) | to 19:10
    n src/shop/price.py:26:1 R0903 Too few public methods (1/2) (too-few-public-methods) | to 26:11
    e src/shop/price.py:33:1 E0602 Undefined variable 'reveal_type' (undefined-variable) | to 33:12
    "#);
    insta::assert_snapshot!(check("pylint 4.1.4", "pylint app --output-format=json2").lines().take(3).collect::<Vec<_>>().join("\n"), @r#"
    n app/load.py:1:1 C0114 Missing module docstring (missing-module-docstring)
    n app/load.py:1:1 C0410 Multiple imports on one line (os, sys) (multiple-imports) | to 1:15
    w app/load.py:1:1 W0611 Unused import os (unused-import) | to 1:15
    "#);
    insta::assert_snapshot!(check("pylint 4.1.4", "pylint app src/shop | cat").lines().take(3).collect::<Vec<_>>().join("\n"), @r#"
    n app/load.py:1:1 C0114 Missing module docstring (missing-module-docstring)
    n app/load.py:1:1 C0410 Multiple imports on one line (os, sys) (multiple-imports)
    w app/load.py:1:1 W0611 Unused import os (unused-import)
    "#);
}

#[test]
fn cargo() {
    insta::assert_snapshot!(check("cargo 1.95.0", "cargo clippy --manifest-path crate/Cargo.toml --workspace"), @r#"
    w crate/src/main.rs:1:5 unused_imports unused import: `std::collections::HashMap` | to 1:30 | remove the whole `use` item; `cargo clippy --fix` mends it
    w crate/src/main.rs:4:9 unused_variables unused variable: `x` | to 4:10 | if this is intentional, prefix it with an underscore: `_x`; `cargo clippy --fix` mends it
    w crate/stock/src/lib.rs:4:24 clippy::ptr_arg writing `&Vec` instead of `&[_]` involves a new object where a slice will do | to 4:33 | change this to: `&[u32]`
    w crate/stock/src/lib.rs:5:5 clippy::needless_bool this if-then-else expression returns a bool literal | to 9:6 | you can reduce it to: `return items.len() != 0`; `cargo clippy --fix` mends it
    w crate/stock/src/lib.rs:5:8 clippy::len_zero length comparison to zero | to 5:24 | using `is_empty` is clearer and more explicit: `items.is_empty()`; `cargo clippy --fix` mends it
    w crate/stock/src/lib.rs:6:9 clippy::needless_return unneeded `return` statement | to 6:21 | remove `return`; `cargo clippy --fix` mends it
    w crate/stock/src/lib.rs:8:9 clippy::needless_return unneeded `return` statement | to 8:20 | remove `return`; `cargo clippy --fix` mends it
    "#);
    insta::assert_snapshot!(check("cargo 1.95.0", "cd typo && cargo check"), @r#"
    e typo/src/main.rs:2:18 E0308 mismatched types: expected `u32`, found `&str` | to 2:24
    e typo/src/main.rs:3:5 E0425 cannot find function `missing` in this scope: not found in this scope | to 3:12
    "#);
    insta::assert_snapshot!(check("cargo 1.95.0", "cd crate && cargo clippy 2>&1"), @r#"
    w crate/src/main.rs:1:5 unused import: `std::collections::HashMap`
    w crate/src/main.rs:4:9 unused variable: `x`
    w crate/stock/src/lib.rs:4:24 clippy::ptr_arg writing `&Vec` instead of `&[_]` involves a new object where a slice will do | change this to
    w crate/stock/src/lib.rs:5:5 clippy::needless_bool this if-then-else expression returns a bool literal
    w crate/stock/src/lib.rs:5:8 clippy::len_zero length comparison to zero
    w crate/stock/src/lib.rs:6:9 clippy::needless_return unneeded `return` statement | remove `return`
    w crate/stock/src/lib.rs:8:9 clippy::needless_return unneeded `return` statement | remove `return`
    "#);
    insta::assert_snapshot!(check("cargo 1.95.0", "cd crate && cargo clippy --message-format short"), @r#"
    w crate/src/main.rs:1:5 unused import: `std::collections::HashMap`
    w crate/src/main.rs:4:9 unused variable: `x`: help: if this is intentional, prefix it with an underscore: `_x`
    w crate/stock/src/lib.rs:4:24 writing `&Vec` instead of `&[_]` involves a new object where a slice will do
    w crate/stock/src/lib.rs:5:5 this if-then-else expression returns a bool literal: help: you can reduce it to: `return items.len() != 0`
    w crate/stock/src/lib.rs:5:8 length comparison to zero: help: using `is_empty` is clearer and more explicit: `items.is_empty()`
    w crate/stock/src/lib.rs:6:9 unneeded `return` statement
    w crate/stock/src/lib.rs:8:9 unneeded `return` statement
    "#);
    insta::assert_snapshot!(check("cargo 1.95.0", "cd crate && cargo fmt --check"), @r#"
    e crate/src/main.rs:5 `cargo fmt` would write 5 lines here, with `let name = String::from("a");` | to 7 | `cargo fmt` mends it
    e crate/src/main.rs:14 `cargo fmt` would write 2 lines here, with `fn later(a: u32) -> u32 {` | to 15 | `cargo fmt` mends it
    "#);
}

#[test]
fn nbqa() {
    insta::assert_snapshot!(check("nbqa 1.8.7", "nbqa ruff notebooks"), @r#"
    e notebooks/explore.ipynb:27 (code cell 1, line 1) F401 `os` imported but unused | to 27 | Remove unused import: `os`: `ruff check --fix` mends it
    e notebooks/explore.ipynb:28 (code cell 1, line 2) F401 `sys` imported but unused | to 28 | Remove unused import: `sys`: `ruff check --fix` mends it
    e notebooks/explore.ipynb:50 (code cell 2, line 4) F821 Undefined name `undefined_name` | to 50
    "#);
    insta::assert_snapshot!(check("nbqa 1.9.1", "nbqa ruff notebooks"), @r#"
    e notebooks/explore.ipynb F401 `os` imported but unused | Remove unused import: `os`: `ruff check --fix` mends it
    e notebooks/explore.ipynb F401 `sys` imported but unused | Remove unused import: `sys`: `ruff check --fix` mends it
    e notebooks/explore.ipynb F821 Undefined name `undefined_name`
    e notebooks/explore.ipynb I001 Import block is un-sorted or un-formatted | Organize imports: `ruff check --fix` mends it
    "#);
    insta::assert_snapshot!(check("nbqa 1.9.1", "nbqa flake8 notebooks"), @r#"
    e notebooks/explore.ipynb:27 (code cell 1, line 1) F401 'os' imported but unused | to 27
    e notebooks/explore.ipynb:28 (code cell 1, line 2) F401 'sys' imported but unused | to 28
    e notebooks/explore.ipynb:29 (code cell 1, line 3) E201 whitespace after '(' | to 29
    e notebooks/explore.ipynb:29 (code cell 1, line 3) E202 whitespace before ')' | to 29
    e notebooks/explore.ipynb:47 (code cell 2, line 1) E201 whitespace after '(' | to 47
    e notebooks/explore.ipynb:47 (code cell 2, line 1) E202 whitespace before ')' | to 47
    e notebooks/explore.ipynb:48 (code cell 2, line 2) F821 undefined name 'undefined_name' | to 48
    e notebooks/explore.ipynb:50 (code cell 2, line 5) E231 missing whitespace after ':' | to 50
    "#);
    insta::assert_snapshot!(check("nbqa 1.9.1", "nbqa mypy notebooks"), @r#"e notebooks/explore.ipynb:50 (code cell 2, line 5) assignment Incompatible types in assignment (expression has type "str", variable has type "int") | to 50"#);
    insta::assert_snapshot!(check("nbqa 1.9.1", "nbqa pylint notebooks"), @r#"
    n notebooks/explore.ipynb:27 (code cell 1, line 1) C0114 Missing module docstring (missing-module-docstring) | to 27
    w notebooks/explore.ipynb:27 (code cell 1, line 1) W0611 Unused import os (unused-import) | to 27
    w notebooks/explore.ipynb:28 (code cell 1, line 2) W0611 Unused import sys (unused-import) | to 28
    n notebooks/explore.ipynb:47 (code cell 2, line 1) C0116 Missing function or method docstring (missing-function-docstring) | to 47
    w notebooks/explore.ipynb:47 (code cell 2, line 1) W0613 Unused argument 'x' (unused-argument) | to 47
    e notebooks/explore.ipynb:48 (code cell 2, line 2) E0602 Undefined variable 'undefined_name' (undefined-variable) | to 48
    n notebooks/explore.ipynb:50 (code cell 2, line 5) C0103 Constant name "y" doesn't conform to UPPER_CASE naming style (invalid-name) | to 50
    "#);
    insta::assert_snapshot!(check("nbqa 1.9.1", "nbqa black notebooks --check"), @"e notebooks/explore.ipynb the file is not formatted | `black` mends it");
    insta::assert_snapshot!(check("nbqa 1.9.1", "nbqa isort notebooks --check"), @"e notebooks/explore.ipynb the imports are not sorted | `isort` mends it");
}

#[test]
fn several_tools_in_one_command() {
    insta::assert_snapshot!(check("black 26.10.1", "black --check app; flake8 app; mypy src; ruff check app"), @r#"
    e app/load.py the file is not formatted | `black` mends it
    e app/load.py:1:1 F401 'os' imported but unused
    e app/load.py:1:1 F401 'sys' imported but unused
    e app/load.py:1:1 I001 Import block is un-sorted or un-formatted | Organize imports: `ruff check --fix` mends it
    e app/load.py:1:8 F401 `os` imported but unused | Remove unused import: `ruff check --fix` mends it
    e app/load.py:1:10 E401 multiple imports on one line
    e app/load.py:1:12 F401 `sys` imported but unused | Remove unused import: `ruff check --fix` mends it
    e app/load.py:2:1 F401 'json' imported but unused
    e app/load.py:2:8 F401 `json` imported but unused | Remove unused import: `json`: `ruff check --fix` mends it
    e app/load.py:3:1 F401 'collections.OrderedDict' imported but unused
    e app/load.py:3:25 F401 `collections.OrderedDict` imported but unused | Remove unused import: `collections.OrderedDict`: `ruff check --fix` mends it
    e app/load.py:4:1 F401 'numpy' imported but unused
    e app/load.py:4:8 F401 `numpy` imported but unused | Remove unused import: `numpy`: `ruff check --fix` mends it
    e app/load.py:7:10 E201 whitespace after '('
    e app/load.py:7:15 E202 whitespace before ')'
    e app/load.py:8:10 E201 whitespace after '{'
    e app/load.py:8:15 E231 missing whitespace after ':'
    e app/load.py:8:17 E202 whitespace before '}'
    e app/load.py:9:5 F841 Local variable `unused` is assigned to but never used | Remove assignment to unused variable `unused`
    e app/load.py:9:5 F841 local variable 'unused' is assigned to but never used
    e app/load.py:10:10 E711 comparison to None should be 'if cond is None:'
    e app/load.py:11:80 E501 line too long (128 > 79 characters)
    e app/load.py:12:12 F821 Undefined name `undefined_name`
    e app/load.py:12:12 F821 undefined name 'undefined_name'
    e app/load.py:13:1 E302 expected 2 blank lines, found 0
    e app/load.py:16:5 E722 Do not use bare `except`
    e app/load.py:16:5 E722 do not use bare 'except'
    e app/load.py:17:9 E731 do not assign a lambda expression, use a def
    e app/load.py:17:9 E741 ambiguous variable name 'l'
    e src/shop/price.py:3 attr-defined Module "shop" has no attribute "missing"
    e src/shop/price.py:4 import-not-found Cannot find implementation or library stub for module named "not_installed"; See https://mypy.readthedocs.io/en/stable/running_mypy.html#missing-imports
    e src/shop/price.py:9 arg-type Argument 1 to "sum" has incompatible type "list[float]"; expected "Iterable[bool]"
    e src/shop/price.py:14 attr-defined "float" has no attribute "upper"
    e src/shop/price.py:29 override Argument 1 of "open" is incompatible with supertype "Box"; supertype defines the argument type as "str"; This violates the Liskov substitution principle; See https://mypy.readthedocs.io/en/stable/common_issues.html#incompatible-overrides
    n src/shop/price.py:33 Revealed type is "int"
    e src/shop/price.py:34 arg-type Argument 1 to "total" has incompatible type "str"; expected "list[float]"
    "#);
}
