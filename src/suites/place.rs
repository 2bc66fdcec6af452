//! Where in the repository a failure is, from the traces that languages print. Pure.

/// The repository, as far as a path in an output has to be found in it.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The absolute path of the repository, without a slash at its end.
    pub root: &'a str,
    /// The directory in which the command ran, relative to the root; empty for the root itself.
    pub below: &'a str,
    /// Is this a file of the repository, by its path relative to the root?
    pub is_file: &'a dyn Fn(&str) -> bool,
}

const MAX_PATH_BYTES: usize = 1_000;
/// More frames than this of one failure are not looked at.
const MAX_FRAMES: usize = 2_000;
/// A package's name may stand before a path; at most so many of its parts are tried.
const MAX_PARTS: usize = 8;
/// Files of one trace that are looked for so.
const MAX_PACKAGES: usize = 8;

impl Place<'_> {
    /// The path relative to the root, if it is a file of the repository.
    pub fn find(&self, written: &str) -> Option<String> {
        if written.is_empty() || written.len() > MAX_PATH_BYTES {
            return None;
        }
        let written = written.replace('\\', "/");
        let root = self.root.trim_end_matches('/');
        if written.starts_with('/') {
            let inside = written.strip_prefix(root)?.strip_prefix('/')?;
            return normal(inside).filter(|path| (self.is_file)(path));
        }
        let below = self.below.trim_matches('/');
        let first = normal(&format!("{below}/{written}"));
        [first, normal(&written)]
            .into_iter()
            .flatten()
            .find(|path| (self.is_file)(path))
    }

    /// The file that a package knows by less or more than its path, such as `com/acme/PricesTest.java` or
    /// `example.com/acme/shop/prices/prices_test.go`.
    fn find_in_package(&self, package: &str, file: &str) -> Option<String> {
        if file.contains(['/', '\\']) || package.len() + file.len() > MAX_PATH_BYTES {
            return None;
        }
        let parts: Vec<&str> = package.split('/').filter(|part| !part.is_empty()).collect();
        let sources = [
            "",
            "src/test/java/",
            "src/test/kotlin/",
            "src/main/java/",
            "src/main/kotlin/",
        ];
        (0..=parts.len().min(MAX_PARTS)).find_map(|n| {
            let inner = parts[n..].iter().fold(String::new(), |inner, part| inner + part + "/");
            sources
                .into_iter()
                .find_map(|source| self.find(&format!("{source}{inner}{file}")))
        })
    }
}

/// Without `.`, `..` and doubled slashes; nothing if it leads out.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// One place that a line of a trace names.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Frame<'a> {
    path: &'a str,
    line: u32,
    order: Order,
}

/// Which end of a trace is where it broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// As Python and Go write it.
    DeepestLast,
    /// As Rust, Java and JavaScript write it.
    DeepestFirst,
}

/// The deepest frame of a trace inside the test's own file, else inside a file of tests, else inside the repository.
///
/// `class` helps with traces that name no directories, as Java's.
pub fn of_trace(text: &str, test_file: Option<&str>, class: Option<&str>, place: &Place<'_>) -> Option<(String, u32)> {
    let mut best: Option<(u8, String, u32)> = None;
    let mut last: (&str, Option<String>) = ("", None);
    let mut n_looked_up = 0;
    for frame in text.lines().filter_map(frame).take(MAX_FRAMES) {
        if last.0 != frame.path {
            let mut path = place.find(frame.path);
            if path.is_none()
                && n_looked_up < MAX_PACKAGES
                && let Some(package) = class.and_then(package)
            {
                n_looked_up += 1;
                path = place.find_in_package(&package, frame.path);
            }
            last = (frame.path, path);
        }
        let Some(path) = &last.1 else { continue };
        let rank = if Some(path.as_str()) == test_file {
            2
        } else {
            u8::from(is_test_file(path))
        };
        let is_better = match (&best, frame.order) {
            (None, _) => true,
            (Some((best, _, _)), Order::DeepestLast) => rank >= *best,
            (Some((best, _, _)), Order::DeepestFirst) => rank > *best,
        };
        if is_better {
            best = Some((rank, path.clone(), frame.line));
        }
    }
    best.map(|(_, path, line)| (path, line))
}

/// The directory of a class or of a package of Go.
fn package(class: &str) -> Option<String> {
    if class.contains('/') {
        return Some(class.to_owned());
    }
    Some(class.rsplit_once('.')?.0.replace('.', "/"))
}

fn is_test_file(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.split('.').next().unwrap_or_default();
    stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("Test")
        || name.contains(".test.")
        || name.contains(".spec.")
        || directory.split('/').any(|part| matches!(part, "test" | "tests"))
}

fn frame(line: &str) -> Option<Frame<'_>> {
    let line = line.get(..line.len().min(4 * MAX_PATH_BYTES)).unwrap_or_default();
    let text = line.trim_start();
    // Python: `  File "tests/test_x.py", line 12, in test_y`.
    if let Some(rest) = text.strip_prefix("File \"") {
        let (path, rest) = rest.split_once("\", line ")?;
        return numbered(path, rest, Order::DeepestLast);
    }
    // Rust since 1.73, and before with the message between quotes: `panicked at 'why', src/lib.rs:30:9`.
    if let Some((_, rest)) = text.split_once("panicked at ") {
        let place = rest.rsplit("', ").next()?;
        return with_colon(place, Order::DeepestFirst);
    }
    if text.starts_with("', ") || text.contains("', ") && text.ends_with(|c: char| c.is_ascii_digit()) {
        return with_colon(text.rsplit("', ").next()?, Order::DeepestFirst);
    }
    // Java and JavaScript: `at a.B.c(B.java:16)`, `at f (/x/y.test.js:9:27)`, `at /x/y.js:1:2`; Rust: `at ./src/x.rs:1:2`.
    if let Some(rest) = text.strip_prefix("at ") {
        let place = rest
            .rsplit_once('(')
            .map_or(rest, |(_, inner)| inner.trim_end_matches(')'));
        return with_colon(place.strip_prefix("file://").unwrap_or(place), Order::DeepestFirst);
    }
    // pytest at the beginning of a line, Go after white space: `tests/test_x.py:12: AssertionError`.
    with_colon(text, Order::DeepestLast)
}

/// `PATH:LINE`, with whatever behind it.
fn with_colon(text: &str, order: Order) -> Option<Frame<'_>> {
    let (at, _) = text
        .match_indices(':')
        .find(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_digit()))?;
    let (path, rest) = (&text[..at], &text[at + 1..]);
    let is_path = path.contains('.') && !path.contains(['"', '\'', '(', '<', '>', '=', '|']);
    is_path.then(|| numbered(path, rest, order)).flatten()
}

fn numbered<'a>(path: &'a str, rest: &str, order: Order) -> Option<Frame<'a>> {
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .map_or(rest, |end| &rest[..end]);
    let line: u32 = digits.parse().ok().filter(|line| *line > 0)?;
    Some(Frame { path, line, order })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, test_file: Option<&str>, class: Option<&str>) -> String {
        let files = [
            "tests/test_a.py",
            "src/a.py",
            "src/lib.rs",
            "web/a.test.js",
            "src/test/java/com/acme/ATest.java",
            "prices/a_test.go",
        ];
        let is_file = |path: &str| files.contains(&path);
        let place = Place {
            root: "/repo",
            below: "web",
            is_file: &is_file,
        };
        of_trace(text, test_file, class, &place).map_or("nowhere".to_owned(), |(path, line)| format!("{path}:{line}"))
    }

    #[test]
    fn traces() {
        let python = "  File \"/repo/tests/test_a.py\", line 3, in test\n  File \"/repo/tests/test_a.py\", line 5, in help\n  \
                      File \"/repo/src/a.py\", line 9, in f\n  File \"/usr/lib/python3.11/x.py\", line 1";
        assert_eq!(check(python, Some("tests/test_a.py"), None), "tests/test_a.py:5");
        assert_eq!(check(python, None, None), "tests/test_a.py:5");
        assert_eq!(
            check("tests/other.py:3: \nsrc/a.py:4: in f\n", None, None),
            "src/a.py:4"
        );
        assert_eq!(
            check("thread 'x' (12) panicked at src/lib.rs:30:9:\nwhy", None, None),
            "src/lib.rs:30"
        );
        assert_eq!(
            check("panicked at 'a\n b', src/lib.rs:31:9\nnote: x", None, None),
            "src/lib.rs:31"
        );
        assert_eq!(
            check(
                "    at f (/repo/web/a.test.js:9:27)\n    at g (a.test.js:1:1)",
                None,
                None
            ),
            "web/a.test.js:9"
        );
        assert_eq!(
            check(
                "\tat x.Y.z(Y.java:1)\n\tat com.acme.ATest.t(ATest.java:16)",
                None,
                Some("com.acme.ATest")
            ),
            "src/test/java/com/acme/ATest.java:16"
        );
        assert_eq!(
            check(
                "=== RUN\n    a_test.go:14: got",
                None,
                Some("example.com/acme/shop/prices")
            ),
            "prices/a_test.go:14"
        );
    }

    #[test]
    fn nothing_outside_the_repository() {
        for text in [
            "/etc/passwd:1: x",
            "../../repo/src/a.py:1: x",
            "/repo/../src/a.py:1: x",
            "/repository/src/a.py:1: x",
            "src/a.py:0: x",
            "src/a.py:99999999999: x",
            "",
        ] {
            assert_eq!(check(text, None, None), "nowhere", "{text}");
        }
        assert_eq!(check(".././src//a.py:7: x", None, None), "src/a.py:7");
    }
}
