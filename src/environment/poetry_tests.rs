use super::super::testing::{exported, fixture};
use super::*;

fn read(path: &str) -> Table {
    fixture(path).parse().unwrap()
}

/// What `poetry export` writes before each marker: the Python of the project, which is chosen before.
const PROJECT: &str = r#"python_version >= "3.11" and python_version < "3.14""#;

fn by_poetry(path: &str) -> BTreeSet<String> {
    let lines = exported(&fixture(path));
    lines
        .iter()
        .map(|line| {
            let without = line.replace(&format!("{PROJECT} and "), "");
            without.replace(&format!(" ; {PROJECT}"), "")
        })
        .collect()
}

fn ours(extras: &[String]) -> Requirements {
    let (lock, pyproject) = (read("poetry/poetry.lock"), read("poetry/pyproject.toml"));
    requirements(&lock, &groups(&pyproject), extras).unwrap()
}

#[test]
fn the_hash_is_poetrys_own() {
    for project in ["poetry", "poetry-2.2", "poetry-legacy"] {
        let text = fixture(&format!("{project}/poetry.lock"));
        let pyproject = fixture(&format!("{project}/pyproject.toml"));
        let check = |pyproject: &str| is_fresh(&pyproject.parse().unwrap(), &text.parse().unwrap(), &text);
        assert_eq!(check(&pyproject), Some(true), "{project}");
        // What the lock does not depend on may change.
        let renamed = pyproject.replace("name = \"diabetes\"", "name = \"other\"");
        assert_eq!(check(&renamed), Some(true), "{project}");
        for (from, to) in [("click", "clicks"), (">=", ">")] {
            assert!(pyproject.contains(from));
            assert_eq!(check(&pyproject.replace(from, to)), Some(false), "{project}: {from}");
        }
    }
    // Since 2.3 a group of PEP 735 counts, before it did not.
    for (project, expected) in [("poetry", false), ("poetry-2.2", true)] {
        let text = fixture(&format!("{project}/poetry.lock"));
        let pyproject = fixture(&format!("{project}/pyproject.toml")).replace("dev = [", "dev = [\"x\", ");
        assert_eq!(
            is_fresh(&pyproject.parse().unwrap(), &text.parse().unwrap(), &text),
            Some(expected),
            "{project}"
        );
    }
}

#[test]
fn what_is_installed_is_what_poetry_exports() {
    let groups = groups(&read("poetry/pyproject.toml"));
    assert_eq!(
        groups.iter().map(String::as_str).collect::<Vec<_>>(),
        ["dev", "lint", "main"]
    );
    assert_eq!(exported(&ours(&[]).text("")), by_poetry("poetry/exported.txt"));
    assert_eq!(
        exported(&ours(&["plots".to_owned()]).text("")),
        by_poetry("poetry/exported-plots.txt")
    );
    assert!(ours(&[]).unverified().is_empty());
}

#[test]
fn a_lock_without_groups_is_left_to_poetry() {
    assert!(is_complete(&read("poetry/poetry.lock")));
    assert!(is_complete(&read("poetry-2.2/poetry.lock")));
    assert!(!is_complete(&read("poetry-legacy/poetry.lock")));
    assert!(!is_complete(&Table::new()));
}

#[test]
fn sources_other_than_an_index() {
    let lock: Table = r#"
        package = [
            { name = "From_Git", version = "1", groups = ["main"], files = [], source = { type = "git", url = "https://h/g.git", reference = "main", resolved_reference = "c0ffee", subdirectory = "python" } },
            { name = "url", version = "1", groups = ["main"], files = [{ file = "u", hash = "sha256:aa" }, { file = "v", hash = "md5:bb" }], source = { type = "url", url = "https://h/u.whl" } },
            { name = "lib", version = "1", groups = ["main"], develop = true, source = { type = "directory", url = "lib" } },
            { name = "file", version = "1", groups = ["main"], files = [{ file = "f", hash = "sha256:cc" }], source = { type = "file", url = "f.whl" } },
            { name = "pypi", version = "1", groups = ["main"], files = [{ file = "f", hash = "dd" }], markers = "os_name == 'nt'" },
            { name = "inside", version = "1", groups = ["main"], files = [], source = { type = "legacy", url = "https://inside/simple/", reference = "inside" } },
            { name = "either", version = "1", groups = ["main", "dev"], files = [], markers = { main = "os_name == 'nt'", dev = "extra == 'x' or python_version < '3.12'" } },
            { name = "docs", version = "1", groups = ["docs"], files = [] },
        ]
    "#
    .parse()
    .unwrap();
    let groups = ["main".to_owned(), "dev".to_owned()].into();
    insta::assert_snapshot!(requirements(&lock, &groups, &[]).unwrap().text("/w"), @r"
    --extra-index-url https://inside/simple
    from-git @ git+https://h/g.git@c0ffee#subdirectory=python
    url @ https://h/u.whl --hash=sha256:aa
    -e /w/lib
    /w/f.whl
    pypi==1 ; os_name == 'nt' --hash=sha256:dd
    inside==1
    either==1 ; (os_name == 'nt') or (python_version < '3.12')
    ");
}

#[test]
fn what_is_no_lock_is_said_to_be_none() {
    let check = |text: &str| {
        let lock: Table = text.parse().unwrap();
        requirements(&lock, &["main".to_owned()].into(), &[])
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(check("package = [{}]"), @"`poetry.lock` can not be read: a package has no name");
    insta::assert_snapshot!(check(r#"package = [{name = "-e x", version = "1"}]"#), @"`poetry.lock` can not be read: a package has a name that no package has");
    insta::assert_snapshot!(check(r#"package = [{name = "a", version = "1\n--index-url x", groups = ["main"]}]"#), @"`poetry.lock` can not be read: `a` has a line break in its entry");
    insta::assert_snapshot!(check(r#"package = [{name = "a", version = "1", groups = ["main"], markers = "("}]"#), @"`poetry.lock` can not be read: `a` has markers that are none: `(`");
    insta::assert_snapshot!(check(r#"package = [{name = "a", version = "1", groups = ["main"], source = {type = "x"}}]"#), @"`poetry.lock` can not be read: `a` comes from a source of the kind `x`");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    #[test]
    fn a_changed_lock_never_panics(at in 0_usize..100_000, with in "[\"{}\\[\\]=,a0\\\\\n]{0,3}", cut in 0_usize..4) {
        let text = fixture("poetry-2.2/poetry.lock");
        let at = text.floor_char_boundary(at % text.len());
        let end = text.floor_char_boundary((at + cut).min(text.len()));
        if let Ok(lock) = format!("{}{with}{}", &text[..at], &text[end..]).parse::<Table>() {
            let _ = requirements(&lock, &["main".to_owned(), "dev".to_owned()].into(), &[]);
            let _ = is_fresh(&read("poetry-2.2/pyproject.toml"), &lock, &text);
        }
    }
}
