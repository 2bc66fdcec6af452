//! Names of tests that are the same in every run, and their short form for keeping. Pure.

use serde::{Deserialize, Serialize};

use super::result::MAX_CASES;
use crate::base::{Digest, clean};

/// A longer name ends with the beginning of its digest.
pub const MAX_NAME_CHARS: usize = 400;

/// A name on one line, without anything that steers, and not long.
pub fn stable(text: &str) -> String {
    let name = clean(text, MAX_NAME_CHARS + 1);
    if name.is_empty() {
        return "(without a name)".to_owned();
    }
    if name.chars().count() <= MAX_NAME_CHARS {
        return name;
    }
    name.chars().take(MAX_NAME_CHARS - 9).chain(['…']).collect::<String>() + &Digest::of(text.as_bytes()).hex()[..8]
}

/// pytest's node id of what `JUnit` calls a class and a name: `tests/test_x.py::TestA::test_b`.
///
/// `file` is what `xunit1` says. Without it the module and the classes in `class` are told apart by `is_file`, else by
/// the capital that classes begin with.
pub fn node_id(class: &str, name: &str, file: Option<&str>, is_file: &dyn Fn(&str) -> bool) -> String {
    if class.is_empty() {
        let module = file.map_or_else(|| module_path(name, is_file), str::to_owned);
        return stable(&module);
    }
    if let Some(file) = file {
        let module = file.strip_suffix(".py").unwrap_or(file).replace(['/', '\\'], ".");
        if let Some(classes) = class.strip_prefix(&module)
            && (classes.is_empty() || classes.starts_with('.'))
        {
            return joined(&file.replace('\\', "/"), classes.trim_start_matches('.'), name);
        }
    }
    let parts: Vec<&str> = class.split('.').collect();
    let n_module = (1..=parts.len().min(32))
        .rev()
        .find(|n| is_file(&format!("{}.py", parts[..*n].join("/"))))
        .unwrap_or_else(|| {
            let is_class = |part: &&str| part.starts_with(char::is_uppercase);
            parts.iter().position(is_class).unwrap_or(parts.len()).max(1)
        });
    joined(
        &format!("{}.py", parts[..n_module].join("/")),
        &parts[n_module..].join("."),
        name,
    )
}

fn module_path(dotted: &str, is_file: &dyn Fn(&str) -> bool) -> String {
    let path = format!("{}.py", dotted.replace('.', "/"));
    if is_file(&path) { path } else { dotted.to_owned() }
}

fn joined(file: &str, classes: &str, name: &str) -> String {
    let mut id = file.to_owned();
    for part in classes.split('.').filter(|part| !part.is_empty()).chain([name]) {
        id.push_str("::");
        id.push_str(part);
    }
    stable(&id)
}

/// Sorted names, one a line; each line begins with a digit that says how much of it is as in the one before.
///
/// Tests of one file share most of their names, so this is a third of the plain list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names(String);

/// What a line shares is one digit of base 36, which stands for this many bytes each.
const SHARED_UNIT: usize = 4;
const MAX_SHARED: usize = 35 * SHARED_UNIT;

impl Names {
    /// Keeps as many of the names as fit into `max_bytes` of JSON, the first ones by order of the alphabet. Also says
    /// how many bytes it took and whether all fit.
    pub fn keep(mut names: Vec<&str>, max_bytes: usize) -> (Self, usize, bool) {
        names.sort_unstable();
        names.dedup();
        let mut out = String::new();
        let mut n_bytes = 0;
        let mut last = "";
        for name in names {
            let mut shared = last
                .bytes()
                .zip(name.bytes())
                .take(MAX_SHARED)
                .take_while(|(a, b)| a == b)
                .count()
                / SHARED_UNIT
                * SHARED_UNIT;
            while !name.is_char_boundary(shared) {
                shared = (shared - 1) / SHARED_UNIT * SHARED_UNIT;
            }
            let rest = &name[shared..];
            // Quotes and backslashes are two bytes in JSON, and so is the end of the line.
            let cost = 3 + rest.len() + rest.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
            if n_bytes + cost > max_bytes {
                return (Self(out), n_bytes, false);
            }
            n_bytes += cost;
            let digit = u32::try_from(shared / SHARED_UNIT)
                .ok()
                .and_then(|n| char::from_digit(n, 36));
            out.push(digit.expect("at most 35"));
            out.push_str(rest);
            out.push('\n');
            last = name;
        }
        (Self(out), n_bytes, true)
    }

    /// The names in order. Whatever stands in the text, they are at most [`MAX_CASES`] and none is long.
    pub fn list(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut last = String::new();
        for line in self.0.lines().take(MAX_CASES) {
            let mut chars = line.chars();
            let Some(shared) = chars.next().and_then(|digit| digit.to_digit(36)) else {
                continue;
            };
            let prefix = last.get(..shared as usize * SHARED_UNIT).unwrap_or_default();
            let name: String = prefix
                .chars()
                .chain(chars.as_str().chars())
                .take(MAX_NAME_CHARS)
                .collect();
            last.clone_from(&name);
            names.push(name);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_ids() {
        let is_file = |path: &str| matches!(path, "tests/test_a.py" | "Tests/unit/test_b.py");
        for (class, name, file, id) in [
            (
                "tests.test_a",
                "test_x[1-::]",
                Some("tests/test_a.py"),
                "tests/test_a.py::test_x[1-::]",
            ),
            (
                "tests.test_a.TestA.TestB",
                "t",
                Some("tests/test_a.py"),
                "tests/test_a.py::TestA::TestB::t",
            ),
            (
                "tests.test_a.TestA",
                "t",
                Some("tests/base.py"),
                "tests/test_a.py::TestA::t",
            ),
            ("tests.test_a.TestA", "t", None, "tests/test_a.py::TestA::t"),
            ("Tests.unit.test_b.TestA", "t", None, "Tests/unit/test_b.py::TestA::t"),
            ("other.test_c.TestA", "t", None, "other/test_c.py::TestA::t"),
            ("", "tests.test_a", None, "tests/test_a.py"),
            ("", "nowhere.test_a", None, "nowhere.test_a"),
            ("", "broken.test_b", Some("broken/test_b.py"), "broken/test_b.py"),
            ("...", "", None, "///.py::"),
        ] {
            assert_eq!(node_id(class, name, file, &is_file), id);
        }
    }

    #[test]
    fn long_names_stay_apart() {
        let (a, b) = (
            stable(&format!("{}a", "x".repeat(9_000))),
            stable(&format!("{}b", "x".repeat(9_000))),
        );
        assert_eq!((a.chars().count(), a == b), (MAX_NAME_CHARS, false));
        assert_eq!(stable("a\u{1b}[1m\nb\u{200b}"), "a b");
        assert_eq!(stable("\u{200b}"), "(without a name)");
    }

    #[test]
    fn names_come_back() {
        let names = [
            "",
            "ä",
            "äö",
            "aaaaaaaa",
            "aaaaaaab",
            "aaaa\"\\",
            "x\u{1f600}\u{1f600}y",
            "x\u{1f600}\u{1f600}z",
        ];
        let (kept, n_bytes, is_whole) = Names::keep(names.to_vec(), 1_000);
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        assert_eq!(
            (kept.list(), is_whole),
            (sorted.iter().map(|name| (*name).to_owned()).collect(), true)
        );
        assert!(serde_json::to_string(&kept).unwrap().len() <= n_bytes + 2);
        let (kept, _, is_whole) = Names::keep(names.to_vec(), 20);
        assert_eq!((kept.list().len() < names.len(), is_whole), (true, false));
    }

    #[test]
    fn hostile_names_stay_small() {
        let bomb = Names("zx\n".repeat(400_000) + "é\n\n9\n");
        let names = bomb.list();
        assert_eq!(names.len(), MAX_CASES);
        assert!(names.iter().all(|name| name.len() <= MAX_NAME_CHARS));
    }
}
