//! Recorded outputs of the real tools, held against what is understood of them.

use serde::Deserialize;

use super::*;

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
    serde_json::from_str(include_str!("../../fixtures/lint/recorded.json")).unwrap()
}

const NOTEBOOK: &[u8] = include_bytes!("../../fixtures/lint/project/notebooks/explore.ipynb");

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
    let mut text = format!("{} {finding}", &finding.severity.name()[..1]);
    if let Some(end) = finding.end_line {
        text += &format!(" | to {end}");
        if let Some(column) = finding.end_column {
            text += &format!(":{column}");
        }
    }
    if let Some(fix) = &finding.fix {
        text += &format!(" | {fix}");
    }
    text
}

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
        assert!(n > 0, "{}: `{}` exited with {} and has no finding", one.tool, one.ran, one.exit);
    }
}
