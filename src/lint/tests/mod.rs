//! Recorded outputs of the real tools, held against what is understood of them.

use serde::Deserialize;

use super::*;

mod changes;
mod hostile;
mod notebooks;
mod tools;

#[derive(Deserialize)]
struct Recorded {
    tool: String,
    written: String,
    ran: String,
    exit: i32,
    stdout: Vec<String>,
    stderr: Vec<String>,
}

fn recorded() -> Vec<Recorded> {
    serde_json::from_str(include_str!("../../../fixtures/lint/recorded.json")).unwrap()
}

const NOTEBOOK: &[u8] = include_bytes!("../../../fixtures/lint/project/notebooks/explore.ipynb");

fn read(recorded: &Recorded) -> Parsed {
    let made = invocation(&recorded.written);
    let place = Place {
        root: "/repo",
        dir: &made.dir,
    };
    let mut parsed = parse(
        &made.format,
        &recorded.stdout.join("\n"),
        &recorded.stderr.join("\n"),
        place,
    );
    locate(&mut parsed.findings, "notebooks/explore.ipynb", NOTEBOOK);
    parsed
}

/// Everything that was understood of one recorded command.
fn check(tool: &str, written: &str) -> String {
    let all = recorded();
    let one = all
        .iter()
        .find(|one| one.tool == tool && one.written == written)
        .unwrap_or_else(|| panic!("`{written}` of {tool} is not recorded"));
    let parsed = read(one);
    let lines: Vec<String> = parsed.findings.iter().map(shown).collect();
    assert_eq!((parsed.n_dropped, parsed.n_unread, parsed.is_cut), (0, 0, false));
    lines.join("\n")
}

fn shown(finding: &Finding) -> String {
    let end = match (finding.end_line, finding.end_column) {
        (Some(line), Some(column)) => format!(" | to {line}:{column}"),
        (Some(line), None) => format!(" | to {line}"),
        (None, _) => String::new(),
    };
    let fix = finding.fix.as_ref().map(|fix| format!(" | {fix}")).unwrap_or_default();
    format!("{} {finding}{end}{fix}", &finding.severity.name()[..1])
}
