//! Recorded results for tests. Helper.

use std::fmt::Write as _;
use std::path::Path;

use super::place::Place;
use super::result::Suite;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/suites");

pub fn recorded(name: &str) -> String {
    read(Path::new(FIXTURES).join(name).as_path())
}

#[expect(clippy::disallowed_methods, reason = "tests read their fixtures")]
fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .into_owned()
}

/// Files of the small programs that were tested, and of those in `written`.
const FILES: [&str; 13] = [
    "broken/test_broken.py",
    "broken/test_fine.py",
    "flaky/test_flaky.py",
    "prices/prices_test.go",
    "pyproject.toml",
    "src/lib.rs",
    "src/shop/__init__.py",
    "src/shop/prices.py",
    "src/test/java/com/acme/shop/PricesTest.java",
    "test/prices.test.js",
    "tests/basket.rs",
    "tests/test_cases.py",
    "tests/test_prices.py",
];

pub fn is_file(path: &str) -> bool {
    FILES.contains(&path)
}

pub const PLACE: Place<'static> = Place {
    root: "/repo",
    below: "",
    is_file: &is_file,
};

/// A suite as one line a test, without times.
pub fn shown(suite: &Suite) -> String {
    let counts = suite.counts;
    let mut out = format!(
        "{} {}: {} passed, {} failed, {} errored, {} skipped, {} flaky{}{}\n",
        suite.tool.word(),
        suite.version.as_deref().unwrap_or("?"),
        counts.n_passed,
        counts.n_failed,
        counts.n_errored,
        counts.n_skipped,
        counts.n_flaky,
        if suite.seconds.is_some() { "" } else { ", no time" },
        if suite.is_cut { ", cut" } else { "" },
    );
    for case in &suite.cases {
        let place = match (&case.path, case.line) {
            (Some(path), Some(line)) => format!("{path}:{line}"),
            (Some(path), None) => path.clone(),
            (None, _) => "-".to_owned(),
        };
        let outcome = format!("{:?}", case.outcome).to_lowercase();
        let time = if case.seconds.is_some() { "" } else { " no time" };
        write!(out, "{outcome} {} @ {place}{time}", case.name).unwrap();
        if let Some(message) = &case.message {
            write!(out, " | {}", message.replace('\n', " / ")).unwrap();
        }
        out.push('\n');
    }
    out
}
