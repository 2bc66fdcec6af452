//! What the tests here share.
#![expect(clippy::disallowed_methods, reason = "fixtures are read by the tests themselves")]

use std::collections::BTreeSet;

/// A file of `fixtures/environment`.
pub fn fixture(path: &str) -> String {
    let path = format!("{}/fixtures/environment/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines of a file of requirements, however they are broken and spaced, and in whatever order hashes stand.
pub fn exported(text: &str) -> BTreeSet<String> {
    let joined = text.replace("\\\n", " ").replace(" ;", ";").replace(';', " ;");
    let joined = joined
        .replace("--index-url", "-i")
        .replace("--extra-i", "--extra-index-url");
    let lines = joined.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let (mut hashes, words): (Vec<&str>, Vec<&str>) =
                line.split_whitespace().partition(|word| word.starts_with("--hash="));
            hashes.sort_unstable();
            words.into_iter().chain(hashes).collect::<Vec<_>>().join(" ")
        })
        .collect()
}
