//! What an installer that failed has said, as an error that names the package and what mends it. Pure.

use super::error::EnvironmentError;
use super::requirements::redacted;
use crate::base::clean;

/// As much of somebody else's words as a sentence can bear.
const MAX_CHARS: usize = 300;

/// Credentials are wanted or wrong.
const REFUSED: &[&str] = &[
    "lack of valid authentication credentials",
    "(401 Unauthorized)",
    "(403 Forbidden)",
    "401 Error, Credentials not correct",
    "403 Client Error",
];
/// Nobody answers, or the one who does is ill.
const UNREACHABLE: &[&str] = &[
    "error sending request for url",
    "HTTP status server error",
    "dns error",
    "Connection refused",
    "Temporary failure in name resolution",
    "Failed to establish a new connection",
    "NewConnectionError",
    "ReadTimeoutError",
    "Network is unreachable",
    "operation timed out",
    "Network connectivity is disabled",
];
const NOT_BUILT: &[&str] = &[
    "The build backend returned an error",
    "Failed to build",
    "Failed building wheel",
    "did not run successfully",
];

/// Why `doing` failed, told from the last lines of uv or pip; `file` is what the environment is described by.
pub fn explain(doing: &str, file: &str, lines: &[String]) -> EnvironmentError {
    let file = file.to_owned();
    let said = |words: &[&str]| lines.iter().find(|line| words.iter().any(|word| line.contains(word)));
    if said(&["but `--locked` was provided", "Unable to find lockfile"]).is_some() {
        return EnvironmentError::Stale {
            lock: "uv.lock".to_owned(),
            of: "pyproject.toml".to_owned(),
            mend: "uv lock",
        };
    }
    if let Some(package) = mismatch(lines) {
        return EnvironmentError::HashMismatch { file, package };
    }
    if let Some(line) = said(REFUSED) {
        return EnvironmentError::Refused { why: shown(line) };
    }
    if said(&["ensurepip is not available", "No module named venv"]).is_some() {
        return EnvironmentError::NoTool { tool: "venv", file };
    }
    if let Some(line) = said(UNREACHABLE) {
        let named = said(&["Failed to fetch: "]).unwrap_or(line);
        return EnvironmentError::Unreachable {
            doing: doing.to_owned(),
            why: shown(named),
        };
    }
    if let Some(why) = contradiction(lines) {
        return EnvironmentError::Unresolvable { file, why };
    }
    if let Some(line) = said(NOT_BUILT) {
        return EnvironmentError::NotBuilt {
            file,
            package: built(lines).map_or("a package".to_owned(), |name| format!("`{name}`")),
            why: backend(lines).unwrap_or_else(|| shown(line)),
        };
    }
    let why = match said(&["unexpected argument", "unrecognized subcommand"]) {
        Some(line) => format!("this uv is too old ({}); update it", shown(line)),
        None => match said(&["error:", "ERROR:"]).or_else(|| lines.iter().rfind(|line| !line.trim().is_empty())) {
            Some(line) => shown(line),
            None => "it said nothing".to_owned(),
        },
    };
    EnvironmentError::Failed {
        doing: doing.to_owned(),
        why,
    }
}

/// The package whose hash differs.
fn mismatch(lines: &[String]) -> Option<String> {
    let by_uv = lines
        .iter()
        .find_map(|line| quoted(line.split_once("Hash mismatch for ")?.1));
    by_uv.or_else(|| {
        let at = lines.iter().position(|line| line.contains("DO NOT MATCH THE HASHES"))?;
        let first = lines.get(at + 1)?.split_whitespace().next()?;
        Some(clean(first, 80))
    })
}

/// Why no set of versions will do.
fn contradiction(lines: &[String]) -> Option<String> {
    let mode = lines
        .iter()
        .find(|line| line.contains("`--require-hashes`") || line.contains("--require-hashes mode"));
    if let Some(line) = mode {
        return Some(shown(line));
    }
    if let Some(at) = lines
        .iter()
        .position(|line| line.contains("No solution found when resolving"))
    {
        let cause = lines[at + 1..].iter().take_while(|line| !line.trim().is_empty());
        let words = cause
            .flat_map(|line| line.split_whitespace())
            .collect::<Vec<_>>()
            .join(" ");
        let words = words.trim_start_matches(['╰', '─', '▶', ' ']);
        return Some(shown(words.strip_prefix("cause:").unwrap_or(words)));
    }
    let by_pip = [
        "ERROR: Cannot install",
        "ERROR: No matching distribution",
        "ERROR: Could not find a version",
    ];
    let line = by_pip
        .iter()
        .find_map(|start| lines.iter().find(|line| line.starts_with(start)))?;
    Some(shown(line))
}

fn built(lines: &[String]) -> Option<String> {
    lines.iter().find_map(|line| {
        let rest = line.split_once("Failed to build ").map(|(_, rest)| rest);
        let rest = rest.or_else(|| Some(line.split_once("Failed building wheel for ")?.1))?;
        let name = quoted(rest).unwrap_or_else(|| clean(rest, 80));
        // `name @ file:///…` is as long as the path.
        name.split(" @ ").next().map(str::to_owned)
    })
}

/// The last thing that a build said of itself.
fn backend(lines: &[String]) -> Option<String> {
    let is_word = |line: &&String| {
        let line = line.trim();
        !line.is_empty()
            && !line.starts_with(['╰', '×', '│', '['])
            && !line.starts_with("hint:")
            && !line.starts_with("note:")
    };
    let start = lines.iter().rposition(|line| {
        let line = line.trim();
        line == "[stderr]" || (line.contains("lines of output]") && line.contains('['))
    })?;
    let block = lines[start + 1..].iter().take_while(|line| {
        let line = line.trim();
        line != "[end of output]" && !line.starts_with("hint:")
    });
    block.filter(is_word).last().map(|line| shown(line))
}

fn quoted(text: &str) -> Option<String> {
    Some(clean(text.split('`').nth(1)?, 80))
}

fn shown(line: &str) -> String {
    let line = line.trim();
    // Of pip's warnings, what the last object in them says.
    let line = line
        .rsplit_once(" object at 0x")
        .and_then(|(_, rest)| rest.split_once(": "))
        .map_or(line, |(_, rest)| rest);
    let line = ["error:", "cause:", "hint:", "ERROR:"]
        .iter()
        .find_map(|prefix| line.strip_prefix(prefix))
        .unwrap_or(line);
    clean(redacted(line.trim()).trim_end_matches('.'), MAX_CHARS)
}

#[cfg(test)]
mod tests {
    use super::super::Fault;
    use super::super::testing::fixture;
    use super::*;

    #[test]
    fn what_was_said_becomes_what_to_do() {
        let check = |name: &str| {
            let lines: Vec<String> = fixture(&format!("outputs/{name}.txt"))
                .lines()
                .map(str::to_owned)
                .collect();
            let error = explain("installing the packages", "Pipfile.lock", &lines);
            let whose = if error.fault() == Fault::Repository {
                "repository"
            } else {
                "world"
            };
            format!("{whose}: {error}")
        };
        insta::assert_snapshot!(check("uv-stale"), @"repository: `uv.lock` is not up to date with `pyproject.toml`");
        insta::assert_snapshot!(check("uv-hash"), @"repository: `idna==3.20` is not what `Pipfile.lock` locked: the hash of what the index gives differs");
        insta::assert_snapshot!(check("pip-hash"), @"repository: `idna==3.20` is not what `Pipfile.lock` locked: the hash of what the index gives differs");
        insta::assert_snapshot!(check("uv-no-hash"), @"repository: the packages that `Pipfile.lock` asks for can not be had together: In `--require-hashes` mode, all requirements must have a hash, but none were provided for: idna==3.20");
        insta::assert_snapshot!(check("uv-no-version"), @"repository: the packages that `Pipfile.lock` asks for can not be had together: Because there is no version of idna==99.99 and you require idna==99.99, we can conclude that your requirements are unsatisfiable");
        insta::assert_snapshot!(check("pip-no-version"), @"repository: the packages that `Pipfile.lock` asks for can not be had together: No matching distribution found for idna==99.99");
        insta::assert_snapshot!(check("uv-conflict"), @"repository: the packages that `Pipfile.lock` asks for can not be had together: Because requests==2.31.0 depends on idna>=2.5,<4 and you require requests==2.31.0, we can conclude that you require idna>=2.5,<4. And because you require idna<2, we can conclude that your requirements are unsatisfiable");
        insta::assert_snapshot!(check("pip-conflict"), @"repository: the packages that `Pipfile.lock` asks for can not be had together: Cannot install -r c.txt (line 1) and idna<2 because these package versions have conflicting dependencies");
        insta::assert_snapshot!(check("uv-unreachable"), @"world: installing the packages got no answer: Failed to fetch: https://127.0.0.1:9/simple/click/");
        insta::assert_snapshot!(check("uv-dns"), @"world: installing the packages got no answer: Failed to fetch: https://no.such.host.invalid/simple/click/");
        insta::assert_snapshot!(check("pip-unreachable"), @"world: installing the packages got no answer: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/click/");
        insta::assert_snapshot!(check("uv-503"), @"world: installing the packages got no answer: Failed to fetch: http://127.0.0.1:8932/simple/click/");
        insta::assert_snapshot!(check("uv-401"), @"repository: the package index refuses us: An index URL (http://127.0.0.1:8931/simple) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)");
        insta::assert_snapshot!(check("pip-401"), @"repository: the packages that `Pipfile.lock` asks for can not be had together: No matching distribution found for click");
        insta::assert_snapshot!(check("uv-build"), @"repository: a package of `Pipfile.lock` could not be built: no compiler here");
        insta::assert_snapshot!(check("uv-build-named"), @"repository: `broken` of `Pipfile.lock` could not be built: no compiler here");
        insta::assert_snapshot!(check("pip-build"), @"repository: a package of `Pipfile.lock` could not be built: no compiler here");
        insta::assert_snapshot!(check("uv-python"), @"world: installing the packages failed: No interpreter found for Python 3.99 in managed installations or search path");
        insta::assert_snapshot!(check("uv-old"), @"world: installing the packages failed: this uv is too old (unexpected argument '--no-such-option' found); update it");
    }

    #[test]
    fn no_password_is_repeated() {
        let line =
            "error: Failed to fetch: `https://user:hunter2@h/simple/a/`: error sending request for url".to_owned();
        let error = explain("installing", "f", &[line]);
        insta::assert_snapshot!(error, @"installing got no answer: Failed to fetch: `https://***@h/simple/a/`: error sending request for url");
    }

    proptest::proptest! {
        #[test]
        fn any_words_are_an_error(
            which in 0_usize..4,
            at in 0_usize..2_000,
            with in "([`:╰\\[\\] \\n]|Failed to build |Hash mismatch for |\\[stderr\\]){0,4}",
        ) {
            let name = ["uv-hash", "pip-hash", "uv-build", "pip-conflict"][which];
            let mut text = fixture(&format!("outputs/{name}.txt"));
            let at = text.floor_char_boundary(at % text.len());
            text.insert_str(at, &with);
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            proptest::prop_assert!(explain("x", "f", &lines).to_string().len() < 2_000);
        }
    }
}
