//! What of a run is shown where: from facts, or from what kept it from beginning, to texts and annotations. Pure.

use std::path::Path;

use serde_json::{Value, json};

use crate::base::{CommitSha, Diagnostic, Diagnostics, Digest, Severity, Span, Verdict};
use crate::facts::Facts;
use crate::gates::{CommandRun, GateResult, GateStatus};
use crate::github::{CommentMode, checks};
use crate::lint;
use crate::report::{self, Document};

/// GitHub shows fewer of one step; the rest is in the report.
const MAX_ANNOTATIONS: usize = 200;

/// How a run ended, as a person takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Failed,
    Undecided,
    Good,
}

/// Everything that any surface shows of one run.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The model, or the configuration while its model is not known.
    pub name: String,
    /// The configuration as a path in the repository: one comment each.
    pub key: String,
    pub document: Document,
    pub standing: Standing,
    pub conclusion: checks::Conclusion,
    pub verdict: Option<Verdict>,
    pub gates: Vec<GateShown>,
    /// Of problems; each gate has its own.
    pub annotations: Vec<checks::Annotation>,
    /// In the order of `action.yml`.
    pub outputs: Vec<(&'static str, String)>,
    pub digest: Option<String>,
    pub version: Option<u32>,
    /// Of what was found, apart from when and where.
    pub fingerprint: Digest,
}

/// The check of one gate.
#[derive(Debug, Clone)]
pub struct GateShown {
    pub name: String,
    pub conclusion: checks::Conclusion,
    pub document: Document,
    pub annotations: Vec<checks::Annotation>,
}

/// A path of the repository from one of the configuration's directory.
pub fn in_repository(directory: Option<&str>, file: &str) -> String {
    let joined = directory.map_or_else(|| file.to_owned(), |directory| format!("{directory}/{file}"));
    let parts = Path::new(&joined).components().filter_map(|part| match part {
        std::path::Component::Normal(part) => part.to_str(),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// What a finished run shows. `result` is the JSON result, `report` the path of the HTML report in the workspace.
pub fn of_facts(facts: &Facts, problems: &Diagnostics, result: &str, report: Option<&str>, failed: bool) -> Shown {
    let directory = facts.directory.as_deref();
    let key = in_repository(directory, &facts.config_file);
    let warns = facts.any_gate(GateStatus::Warn) || facts.verdict == Verdict::Inconclusive;
    let standing = match (facts.passed && !failed && !problems.has_errors(), warns) {
        (false, _) => Standing::Failed,
        (true, true) => Standing::Undecided,
        (true, false) => Standing::Good,
    };
    let gates: Vec<GateShown> = facts
        .gates
        .iter()
        .map(|gate| GateShown {
            name: gate.name.clone(),
            conclusion: match gate.status {
                GateStatus::Pass => checks::Conclusion::Success,
                GateStatus::Skipped => checks::Conclusion::Skipped,
                GateStatus::Warn => checks::Conclusion::Neutral,
                GateStatus::Fail => checks::Conclusion::Failure,
            },
            document: report::gate(facts, gate),
            annotations: of_gate(facts, gate, &key),
        })
        .collect();
    let registry = facts.registry.as_ref();
    let digest = registry
        .and_then(|registry| registry.digest)
        .map(|digest| digest.to_string());
    let version = registry.and_then(|registry| registry.version).map(|version| version.0);
    Shown {
        name: facts.model.clone(),
        key,
        document: report::sections(facts, None),
        standing,
        conclusion: conclusion(standing),
        verdict: Some(facts.verdict),
        gates,
        annotations: of_problems(directory, problems),
        outputs: outputs(
            facts.verdict.word(),
            &facts.reason,
            standing != Standing::Failed,
            version,
            digest.as_deref(),
            report,
            result,
        ),
        fingerprint: fingerprint(facts, problems, result),
        digest,
        version,
    }
}

/// What a run shows that could not begin.
pub fn of_problems_alone(
    name: &str,
    key: &str,
    directory: Option<&str>,
    problems: &Diagnostics,
    result: &str,
) -> Shown {
    let first = problems.iter().find(|one| one.severity == Severity::Error);
    let reason = first.map_or("it could not begin", |one| one.message.as_str());
    Shown {
        name: name.to_owned(),
        key: key.to_owned(),
        document: report::problems(name, problems),
        standing: Standing::Failed,
        conclusion: checks::Conclusion::Failure,
        verdict: Some(Verdict::FailedToRun),
        gates: Vec::new(),
        annotations: of_problems(directory, problems),
        outputs: outputs(Verdict::FailedToRun.word(), reason, false, None, None, None, result),
        digest: None,
        version: None,
        fingerprint: Digest::of(problems.to_string().as_bytes()),
    }
}

fn conclusion(standing: Standing) -> checks::Conclusion {
    match standing {
        Standing::Failed => checks::Conclusion::Failure,
        Standing::Undecided => checks::Conclusion::Neutral,
        Standing::Good => checks::Conclusion::Success,
    }
}

fn gate_level(status: GateStatus) -> Option<checks::Level> {
    match status {
        GateStatus::Fail => Some(checks::Level::Failure),
        GateStatus::Warn => Some(checks::Level::Warning),
        GateStatus::Pass | GateStatus::Skipped => None,
    }
}

fn at(path: &str, span: Span, level: checks::Level, title: String, message: String) -> checks::Annotation {
    checks::Annotation {
        path: path.to_owned(),
        line: span.line.max(1),
        end_line: span.line.max(1),
        columns: None,
        level,
        title,
        message,
    }
}

/// Where a gate is set, if it has something to say; for data, each rule that is broken.
fn of_gate(facts: &Facts, gate: &GateResult, key: &str) -> Vec<checks::Annotation> {
    let Some(level) = gate_level(gate.status) else {
        return Vec::new();
    };
    let set = gate
        .span
        .map(|span| at(key, span, level, format!("gate {}", gate.name), gate.reason.clone()));
    let data = facts.data.iter().filter(|_| gate.name == "data");
    let broken = data.flat_map(|data| &data.violations).filter_map(|broken| {
        let message = [&broken.message].into_iter().chain(&broken.evidence);
        let message = message.map(String::as_str).collect::<Vec<_>>().join("\n");
        Some(at(key, broken.span?, level, broken.rule.clone(), message))
    });
    let directory = facts.directory.as_deref();
    let found = gate.commands.iter().flat_map(|run| of_command(directory, run, level));
    set.into_iter()
        .chain(broken)
        .chain(found)
        .take(MAX_ANNOTATIONS)
        .collect()
}

/// What linters found and which tests failed, each on its line.
fn of_command(directory: Option<&str>, run: &CommandRun, level: checks::Level) -> Vec<checks::Annotation> {
    let findings = run.lint.iter().flat_map(|lint| &lint.findings).filter_map(|finding| {
        let line = finding.line.unwrap_or(1).max(1);
        let end_line = finding.end_line.unwrap_or(line).max(line);
        let title = match &finding.rule {
            Some(rule) => rule.clone(),
            None => run.command.clone(),
        };
        let level = match finding.severity {
            lint::Severity::Error => level,
            lint::Severity::Warning | lint::Severity::Note => checks::Level::Warning,
        };
        let message = match &finding.fix {
            Some(fix) => format!("{}\n{fix}", finding.message),
            None => finding.message.clone(),
        };
        let columns = finding.column.filter(|_| end_line == line).map(|first| {
            // One past the last is where ours end; a place without an end is one character.
            let last = finding.end_column.map_or(first, |end| end.saturating_sub(1));
            (first, last.max(first))
        });
        (!finding.path.is_empty()).then(|| checks::Annotation {
            path: in_repository(directory, &finding.path),
            line,
            end_line,
            columns,
            level,
            title,
            message,
        })
    });
    let failures = run.tests.iter().flat_map(|tests| &tests.failures).filter_map(|case| {
        let line = case.line?.max(1);
        Some(checks::Annotation {
            path: in_repository(directory, case.path.as_deref()?),
            line,
            end_line: line,
            columns: None,
            level,
            title: case.name.clone(),
            message: case.message.clone().unwrap_or_else(|| "failed".to_owned()),
        })
    });
    findings.chain(failures).collect()
}

fn of_problems(directory: Option<&str>, problems: &Diagnostics) -> Vec<checks::Annotation> {
    let all = problems.iter().filter_map(|problem| of_problem(directory, problem));
    all.take(MAX_ANNOTATIONS).collect()
}

fn of_problem(directory: Option<&str>, problem: &Diagnostic) -> Option<checks::Annotation> {
    let level = match problem.severity {
        Severity::Error => checks::Level::Failure,
        Severity::Warning => checks::Level::Warning,
    };
    let message = match &problem.help {
        Some(help) => format!("{}\n{help}", problem.message),
        None => problem.message.clone(),
    };
    let path = in_repository(directory, problem.file.as_deref()?);
    let span = problem.span.unwrap_or_else(|| Span::new(1, 1, 1));
    Some(at(&path, span, level, problem.code.to_owned(), message))
}

fn outputs(
    verdict: &str,
    reason: &str,
    passed: bool,
    version: Option<u32>,
    digest: Option<&str>,
    report: Option<&str>,
    result: &str,
) -> Vec<(&'static str, String)> {
    vec![
        ("verdict", verdict.to_owned()),
        ("reason", reason.to_owned()),
        ("passed", passed.to_string()),
        (
            "model-version",
            version.map(|version| format!("v{version}")).unwrap_or_default(),
        ),
        ("model-digest", digest.unwrap_or_default().to_owned()),
        ("report-path", report.unwrap_or_default().to_owned()),
        ("result", result.to_owned()),
    ]
}

/// Two runs with the same one found the same: their reports differ in moments, durations and addresses alone.
fn fingerprint(facts: &Facts, problems: &Diagnostics, result: &str) -> Digest {
    let mut result: Value = serde_json::from_str(result).unwrap_or_default();
    result["report"] = Value::Null;
    let problems = problems.to_string();
    let alerts = facts.alerts.join("\n");
    Digest::of_parts([result.to_string().as_bytes(), problems.as_bytes(), alerts.as_bytes()])
}

/// What the next run has to know of this one, hidden in the comment.
pub fn remembered(shown: &Shown, head: &CommitSha) -> Value {
    json!({
        "schema": 1,
        "head": head.as_str(),
        "digest": shown.digest,
        "version": shown.version,
        "verdict": shown.verdict.map(Verdict::word),
        "standing": match shown.standing {
            Standing::Failed => 0,
            Standing::Undecided => 1,
            Standing::Good => 2,
        },
        "fingerprint": shown.fingerprint.to_string(),
    })
}

/// What to do with the comment of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Etiquette {
    /// It says all of this already, or nobody wants to hear it.
    Leave,
    Edit,
    /// The news are bad, and an edit notifies nobody.
    Repost,
}

/// Unchanged: no call. Same or better: edit. Worse than the last one published: a new comment. `before` is what
/// [`remembered`] left; a first comment counts as an edit of nothing.
pub fn etiquette(
    mode: CommentMode,
    before: Option<&Value>,
    exists: bool,
    now: &Value,
    verdict: Option<Verdict>,
) -> Etiquette {
    let worse_off = now["standing"].as_u64() == Some(0);
    let wanted = match mode {
        CommentMode::Always => true,
        CommentMode::Changes => exists || worse_off || verdict != Some(Verdict::Same),
        CommentMode::Failures => exists || worse_off,
        CommentMode::Off => false,
    };
    if !wanted {
        return Etiquette::Leave;
    }
    let Some(before) = before else {
        return Etiquette::Edit;
    };
    let same = |key: &str| before[key] == now[key];
    if ["head", "fingerprint", "standing", "version"].into_iter().all(same) {
        return Etiquette::Leave;
    }
    match (before["standing"].as_u64(), now["standing"].as_u64()) {
        (Some(before), Some(now)) if now < before => Etiquette::Repost,
        _ => Etiquette::Edit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_of_the_repository() {
        assert_eq!(in_repository(None, "mlops.yaml"), "mlops.yaml");
        assert_eq!(in_repository(Some("models/a"), "./mlops.yaml"), "models/a/mlops.yaml");
        assert_eq!(in_repository(Some("../x"), "/etc/passwd"), "x/etc/passwd");
    }

    #[test]
    fn edits_are_silent_and_bad_news_are_not() {
        use CommentMode::{Always, Changes, Failures, Off};
        use Etiquette::{Edit, Leave, Repost};
        use Verdict::{Better, Same, Worse};

        let state = |head: &str, standing: u64| json!({"head": head, "standing": standing, "fingerprint": head});
        let decide = |mode, before: Option<Value>, now: &Value, verdict| {
            etiquette(mode, before.as_ref(), before.is_some(), now, Some(verdict))
        };
        for (mode, before, now, verdict, expected) in [
            (Always, None, state("a", 2), Same, Edit),
            (Always, Some(state("a", 2)), state("a", 2), Same, Leave),
            (Always, Some(state("a", 2)), state("b", 2), Same, Edit),
            (
                Always,
                Some(state("a", 2)),
                state("b", 1),
                Verdict::Inconclusive,
                Repost,
            ),
            (Always, Some(state("a", 2)), state("b", 0), Worse, Repost),
            (Always, Some(state("a", 0)), state("b", 0), Worse, Edit),
            (Always, Some(state("a", 0)), state("b", 2), Better, Edit),
            (Always, Some(json!({"standing": "x"})), state("b", 0), Worse, Edit),
            (Changes, None, state("a", 2), Same, Leave),
            (Changes, None, state("a", 2), Better, Edit),
            (Changes, Some(state("a", 2)), state("b", 2), Same, Edit),
            (Failures, None, state("a", 2), Better, Leave),
            (Failures, None, state("a", 0), Worse, Edit),
            (Off, Some(state("a", 2)), state("b", 0), Worse, Leave),
        ] {
            assert_eq!(
                decide(mode, before.clone(), &now, verdict),
                expected,
                "{mode:?} {before:?} {now}"
            );
        }
    }
}
