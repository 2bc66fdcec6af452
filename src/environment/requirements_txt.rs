//! `requirements*.txt` of people: what they include, whether they are exact, whether they are hashed. Pure.

use std::collections::BTreeSet;

use super::detect::Reading;
use super::error::EnvironmentError;

/// More files than this nobody includes.
const MAX_FILES: usize = 64;
/// Names in `requirements/` that a training or a test does without.
const NOT_TAKEN: &[&str] = &["prod", "production", "deploy", "docs", "doc", "constraints"];
/// Files at the top that are taken, in this order.
const TAKEN: &[&str] = &[
    "requirements.txt",
    "requirements-dev.txt",
    "requirements_dev.txt",
    "dev-requirements.txt",
    "requirements-test.txt",
    "requirements_test.txt",
    "requirements-tests.txt",
    "test-requirements.txt",
    "requirements-lint.txt",
    "requirements-ci.txt",
];

/// What the files say, taken together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequirementsTxt {
    /// Those to name on a command line; what they include comes by itself.
    pub files: Vec<String>,
    pub n_lines: usize,
    pub n_hashed: usize,
    /// Lines that leave the version open.
    pub open: Vec<String>,
    /// Lines that install from a folder or file of the checkout.
    pub n_paths: usize,
    /// Of these, those that are copied.
    pub n_copied: usize,
    pub n_extra_indexes: usize,
}

impl RequirementsTxt {
    pub fn is_hashed(&self) -> bool {
        self.n_lines > 0 && self.n_hashed == self.n_lines
    }
}

/// The files of requirements to take, and those that are left.
pub fn choose<'a>(files: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>) {
    let is_top = |file: &str| {
        file.strip_suffix(".txt")
            .is_some_and(|name| name.contains("requirements") && !name.contains('/'))
    };
    let in_folder = |file: &str| {
        let name = file
            .strip_prefix("requirements/")
            .and_then(|name| name.strip_suffix(".txt"));
        name.is_some_and(|name| !name.contains('/'))
    };
    let is_left = |file: &str| NOT_TAKEN.iter().any(|name| file == format!("requirements/{name}.txt"));
    let mut taken: Vec<&str> = TAKEN
        .iter()
        .filter_map(|name| files.iter().find(|file| *file == name))
        .copied()
        .collect();
    taken.extend(files.iter().filter(|file| in_folder(file) && !is_left(file)));
    let left = files
        .iter()
        .filter(|file| (is_top(file) || in_folder(file)) && !taken.contains(file));
    let left = left.copied().collect();
    (taken, left)
}

/// Reads these files and all that they include.
pub fn read(files: &[&str], reading: &mut Reading<'_>) -> Result<RequirementsTxt, EnvironmentError> {
    let mut found = RequirementsTxt::default();
    let mut included = BTreeSet::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut waiting: Vec<(String, bool)> = files.iter().rev().map(|file| ((*file).to_owned(), true)).collect();
    while let Some((file, counts)) = waiting.pop() {
        if !seen.insert(file.clone()) {
            continue;
        }
        if seen.len() > MAX_FILES {
            return Err(unreadable(
                &file,
                format!("more than {MAX_FILES} files include each other"),
            ));
        }
        let text = reading.text(&file)?;
        for line in logical_lines(&text) {
            let include = |short, long| option(&line, short, long).map(|path| beside(&file, path));
            if let Some(path) = include("-r", "--requirement") {
                let Some(path) = path? else { continue };
                if path != file {
                    included.insert(path.clone());
                }
                waiting.push((path, counts));
            } else if let Some(path) = include("-c", "--constraint") {
                let Some(path) = path? else { continue };
                included.insert(path.clone());
                waiting.push((path, false));
            } else if counts {
                take(&line, &mut found);
            }
        }
    }
    found.files = files
        .iter()
        .filter(|file| !included.contains(**file))
        .map(|file| (*file).to_owned())
        .collect();
    Ok(found)
}

fn take(line: &str, found: &mut RequirementsTxt) {
    if let Some(path) = option(line, "-e", "--editable") {
        found.n_lines += 1;
        if path.contains("://") {
            found.open.push(shown(line));
        } else {
            found.n_paths += 1;
        }
        return;
    }
    if line.starts_with('-') {
        found.n_extra_indexes += usize::from(line.starts_with("--extra-index-url"));
        return;
    }
    found.n_lines += 1;
    let what = line.split(" --hash").next().unwrap_or_default();
    let what = what.split(';').next().unwrap_or_default();
    if what.len() < line.len() && line.contains("--hash=") {
        found.n_hashed += 1;
    } else if what.starts_with(['.', '/']) || what.contains("@ file:") {
        found.n_paths += 1;
        found.n_copied += 1;
    } else if !is_exact(what) {
        found.open.push(shown(what));
    }
}

/// `name==1.2`, or an address with a commit or a digest in it.
fn is_exact(what: &str) -> bool {
    if what.contains("://") {
        return what.contains("#sha256=") || what.split(['@', '/', '#']).any(is_commit);
    }
    what.split_once("==")
        .is_some_and(|(_, version)| !version.contains('*') && !version.contains(','))
}

fn is_commit(part: &str) -> bool {
    part.len() == 40 && part.bytes().all(|b| b.is_ascii_hexdigit())
}

fn shown(line: &str) -> String {
    super::requirements::redacted(&crate::base::clean(line.trim(), 80))
}

/// The value of an option that begins a line, however it is written.
fn option<'a>(line: &'a str, short: &str, long: &str) -> Option<&'a str> {
    let rest = match line.strip_prefix(long) {
        Some(rest) if rest.starts_with([' ', '=', '\t']) => rest.trim_start_matches('='),
        Some(_) => return None,
        None => line.strip_prefix(short)?,
    };
    let value = rest.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then_some(value)
}

/// The path of what `file` includes, from the repository's root; an address is nobody's file.
fn beside(file: &str, path: &str) -> Result<Option<String>, EnvironmentError> {
    if path.contains("://") {
        return Ok(None);
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                let why = || format!("it includes `{}`, which is outside of the repository", shown(path));
                parts.pop().ok_or_else(|| unreadable(file, why()))?;
            }
            part => parts.push(part),
        }
    }
    if path.starts_with('/') {
        return Err(unreadable(
            file,
            format!("it includes `{}`: write the path from its own folder", shown(path)),
        ));
    }
    Ok(Some(parts.join("/")))
}

fn unreadable(file: &str, why: String) -> EnvironmentError {
    EnvironmentError::Unreadable {
        file: file.to_owned(),
        why,
    }
}

/// Lines put together at their backslashes, without comments.
fn logical_lines(text: &str) -> impl Iterator<Item = String> {
    let joined = text.replace("\r\n", "\n").replace("\\\n", " ");
    let lines: Vec<String> = joined
        .lines()
        .map(|line| {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if line.starts_with('#') {
                String::new()
            } else {
                line.to_owned()
            }
        })
        .filter(|line| !line.is_empty())
        .collect();
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::testing::{fixture, reader};
    use super::*;

    fn check(files: &[(&str, &str)]) -> Result<RequirementsTxt, String> {
        let files: BTreeMap<String, String> = files
            .iter()
            .map(|&(path, text)| (path.to_owned(), text.to_owned()))
            .collect();
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        let read = reader(&files);
        let mut reading = Reading::new(&names, &read);
        super::read(&choose(&names).0, &mut reading).map_err(|error| error.to_string())
    }

    #[test]
    fn hashed_files_are_known() {
        let found = check(&[
            ("requirements.txt", &fixture("requirements/requirements.txt")),
            ("requirements-dev.txt", &fixture("requirements/requirements-dev.txt")),
        ])
        .unwrap();
        assert!(found.is_hashed());
        assert_eq!((found.n_lines, found.n_hashed), (8, 8));
        assert_eq!(found.files, ["requirements.txt", "requirements-dev.txt"]);
    }

    #[test]
    fn every_kind_of_line_counts_as_what_it_is() {
        let text = "# a comment\n-i https://u:p@h/simple\n--extra-index-url=https://x/\nnumpy==1.2 # pinned\npandas>=2\n\
                    scipy==1.*\n-e .\n./lib\ngit+https://h/a@0123456789abcdef0123456789abcdef01234567\n\
                    b @ git+https://u:p@h/b.git\nc==1;os_name=='nt'\nd\\\n==1 \\\n  --hash=sha256:aa\n";
        let found = check(&[("requirements.txt", text)]).unwrap();
        insta::assert_debug_snapshot!(found, @r#"
        RequirementsTxt {
            files: [
                "requirements.txt",
            ],
            n_lines: 9,
            n_hashed: 1,
            open: [
                "pandas>=2",
                "scipy==1.*",
                "b @ git+https://***@h/b.git",
            ],
            n_paths: 2,
            n_copied: 1,
            n_extra_indexes: 1,
        }
        "#);
    }

    #[test]
    fn what_includes_is_named_and_what_is_included_is_not() {
        let found = check(&[
            ("requirements/base.txt", "a==1\n-c limits.txt\n"),
            (
                "requirements/dev.txt",
                "-r base.txt\n-r ../requirements/dev.txt\nb==1\n",
            ),
            ("requirements/prod.txt", "c\n"),
            ("requirements/limits.txt", "a<2\n"),
        ])
        .unwrap();
        assert_eq!(found.files, ["requirements/dev.txt"]);
        assert_eq!(found.n_lines, 2);
        assert_eq!(
            check(&[("requirements.txt", "-r ../x.txt")]).unwrap_err(),
            "`requirements.txt` can not be read: it includes `../x.txt`, which is outside of the repository"
        );
        assert!(check(&[("requirements.txt", "-r /etc/passwd")]).is_err());
        assert!(check(&[("requirements.txt", "-r missing.txt")]).is_err());
        assert!(check(&[("requirements.txt", "-r https://h/x.txt")]).is_ok());
    }

    #[test]
    fn files_that_are_for_something_else_are_left() {
        let files = [
            "requirements.txt",
            "requirements-gpu.txt",
            "requirements/docs.txt",
            "requirements/train.txt",
            "notes.txt",
            "a/requirements.txt",
        ];
        assert_eq!(
            choose(&files),
            (
                vec!["requirements.txt", "requirements/train.txt"],
                vec!["requirements-gpu.txt", "requirements/docs.txt"]
            )
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([-a-z=.:/@#\\\\ ;<\\n]|--hash=|-r |-e |==){0,60}") {
            if let Ok(found) = check(&[("requirements.txt", &text)]) {
                proptest::prop_assert!(found.n_hashed + found.n_paths + found.open.len() <= found.n_lines);
            }
        }
    }
}
