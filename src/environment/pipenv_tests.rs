use super::super::testing::{exported, fixture};
use super::*;

fn lock(project: &str) -> Value {
    serde_json::from_str(&fixture(&format!("{project}/Pipfile.lock"))).unwrap()
}

fn pipfile(project: &str) -> toml::Table {
    fixture(&format!("{project}/Pipfile")).parse().unwrap()
}

#[test]
fn the_hash_is_pipenvs_own() {
    for project in ["pipenv", "pipenv-2023"] {
        assert_eq!(is_fresh(&pipfile(project), &lock(project)), Some(true), "{project}");
    }
    // Names may be written another way since 2024, and were not before.
    let renamed = |project: &str, from: &str, to: &str| {
        let text = fixture(&format!("{project}/Pipfile"));
        assert!(text.contains(from));
        is_fresh(&text.replace(from, to).parse().unwrap(), &lock(project))
    };
    assert_eq!(renamed("pipenv", "PySocks", "pysocks"), Some(true));
    assert_eq!(
        renamed("pipenv-2023", "Charset_Normalizer", "charset-normalizer"),
        Some(false)
    );
    assert_eq!(renamed("pipenv", "click = \">=8\"", "click = \">=8.1\""), Some(false));
    assert_eq!(
        renamed("pipenv", "[dev-packages]", "[dev-packages]\nblack = \"*\""),
        Some(false)
    );
    assert_eq!(renamed("pipenv-2023", "[docs]", "[extra]"), Some(false));
    assert_eq!(renamed("pipenv", "3.11", "3.12"), Some(false));
    assert_eq!(is_fresh(&pipfile("pipenv"), &Value::Null), None);
}

#[test]
fn what_is_installed_is_what_pipenv_exports() {
    let ours = requirements(&lock("pipenv")).unwrap();
    assert_eq!(exported(&ours.text("")), exported(&fixture("pipenv/exported.txt")));
    assert_eq!(ours.packages.len(), 14);
    assert!(ours.unverified().is_empty());
}

#[test]
fn odd_entries_are_what_pipenv_makes_of_them() {
    let ours = requirements(&lock("pipenv-odd")).unwrap();
    let mut theirs = exported(&fixture("pipenv-odd/exported.txt"));
    // Pipenv forgets the condition of what comes from Git; we keep it.
    let from_git = "from-git @ git+https://github.com/acme/from-git.git@0123456789abcdef0123456789abcdef01234567";
    assert!(theirs.remove(from_git));
    theirs.insert(format!("{from_git} ; python_version >= '3.8'"));
    assert_eq!(exported(&ours.text("")), theirs);
    assert_eq!(
        ours.unverified(),
        ["lib", "wheel-here", "remote", "from-git", "in-git[fast]", "starred"]
    );
    assert!(ours.has_paths() && ours.has_copied_paths());
}

#[test]
fn what_is_no_lock_is_said_to_be_none() {
    let check = |text: &str| {
        requirements(&serde_json::from_str(text).unwrap())
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(check("{}"), @"`Pipfile.lock` can not be read: it has neither `default` nor `develop`");
    insta::assert_snapshot!(check(r#"{"default": 1}"#), @"`Pipfile.lock` can not be read: `default` is no table of packages");
    insta::assert_snapshot!(check(r#"{"default": {"a": {"hg": "https://h"}}}"#), @"`Pipfile.lock`: `a` comes from hg, of which uv knows nothing");
    insta::assert_snapshot!(check(r#"{"default": {"a": {"version": "==1\n--index-url x"}}}"#), @"`Pipfile.lock` can not be read: an entry has a name or a value that no package has");
    insta::assert_snapshot!(check(r#"{"default": {"--index-url=x": {"version": "==1"}}}"#), @"`Pipfile.lock` can not be read: an entry has a name or a value that no package has");
}

#[test]
fn variables_of_an_address_are_written_with_braces() {
    assert_eq!(braced("https://$A:${B}@h/$C_1/$"), "https://${A}:${B}@h/${C_1}/$");
}

proptest::proptest! {
    #[test]
    fn a_changed_lock_never_panics(at in 0_usize..20_000, with in "[\"{}:,a0\\\\]{0,3}", cut in 0_usize..4) {
        let text = fixture("pipenv-odd/Pipfile.lock");
        let at = text.floor_char_boundary(at % text.len());
        let end = text.floor_char_boundary((at + cut).min(text.len()));
        let changed = format!("{}{with}{}", &text[..at], &text[end..]);
        if let Ok(lock) = serde_json::from_str::<Value>(&changed)
            && let Ok(requirements) = requirements(&lock)
        {
            let n_lines = requirements.text("/w").lines().count();
            let n_indexes = usize::from(requirements.index.is_some()) + requirements.extra_indexes.len();
            proptest::prop_assert_eq!(n_lines.saturating_sub(n_indexes), requirements.packages.len());
        }
    }
}
