//! Pickles among the files of a model: disassembled and described, never loaded.

use crate::base::shortened;
use crate::facts::PickleFacts;
use crate::pickle::{self, Limits, PickleError, Report, Verdict};
use crate::sys::FileError;
use crate::track::Content;

/// More than this of a list is not kept.
const MAX_LISTED: usize = 20;

/// What a file would do if somebody loaded it, if it is a pickle; and a sentence where that is more than a model does.
pub fn look(name: &str, content: &Content) -> Result<(Option<PickleFacts>, Option<String>), FileError> {
    let limits = Limits::default();
    if content.len()? > limits.size_bytes as u64 {
        // What is that large is seldom a pickle, and whoever loads it should know that nobody looked.
        let is_named = [".pkl", ".pickle", ".joblib", ".pt", ".pth"]
            .iter()
            .any(|suffix| name.ends_with(suffix));
        let facts = is_named.then(|| unread("it is too large to be looked at"));
        return Ok((facts, None));
    }
    let bytes = content.clone().into_bytes(limits.size_bytes as u64)?;
    let report = match pickle::disassemble(&bytes, &limits) {
        Ok(report) => report,
        Err(PickleError::NotAPickle) => return Ok((None, None)),
        Err(error @ PickleError::TooLarge { .. }) => return Ok((Some(unread(&error.to_string())), None)),
    };
    let alert = match &report.verdict {
        Verdict::Suspicious { what } => Some(format!(
            "`{}` is a pickle that does more than a model: {}; do not load it",
            shortened(name),
            what.first().map_or("it can not be read to its end", String::as_str)
        )),
        Verdict::Plain | Verdict::Model { .. } | Verdict::Foreign { .. } => None,
    };
    Ok((Some(facts(report)), alert))
}

fn facts(report: Report) -> PickleFacts {
    let (verdict, libraries, mut findings) = match report.verdict {
        Verdict::Plain => ("plain", Vec::new(), Vec::new()),
        Verdict::Model { libraries } => ("model", libraries, Vec::new()),
        Verdict::Foreign { modules } => ("foreign", modules, Vec::new()),
        Verdict::Suspicious { what } => ("suspicious", Vec::new(), what),
    };
    for finding in report.findings {
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    PickleFacts {
        verdict: verdict.to_owned(),
        libraries: libraries.into_iter().take(MAX_LISTED).collect(),
        findings: findings.into_iter().take(MAX_LISTED).collect(),
    }
}

fn unread(why: &str) -> PickleFacts {
    PickleFacts {
        verdict: "unreadable".to_owned(),
        libraries: Vec::new(),
        findings: vec![why.to_owned()],
    }
}
