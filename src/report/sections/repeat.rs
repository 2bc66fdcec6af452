//! How to get the same numbers on a laptop, and the small print.

use super::super::document::{Block, Inline, Section, code, text};
use super::super::text::line;
use super::{details, short_commit};
use crate::facts::Facts;

/// Configuration files that are found without being named.
const FOUND: [&str; 2] = ["mlops.yaml", ".github/mlops.yaml"];

pub fn section(facts: &Facts) -> Section {
    let mut commands = Vec::new();
    if let Some(commit) = facts.commit.as_deref().filter(|commit| short_commit(commit).is_some()) {
        commands.push(format!("git fetch origin {commit}"));
        commands.push(format!("git checkout {commit}"));
    }
    let run = run_command(facts);
    commands.push(run.clone());
    let summary = vec![Inline::Strong("Repeat it locally".to_owned()), text(": "), code(run)];
    let blocks = vec![
        Block::Code {
            language: "sh",
            text: commands.join("\n"),
        },
        Block::Note(vec![text("The same commit, data and seed give the same numbers.")]),
    ];
    details("repeat", 55, summary, false, blocks)
}

pub fn footer(facts: &Facts) -> Section {
    let mut pieces = vec![code(&*facts.model)];
    if let Some(commit) = facts.commit.as_deref().and_then(short_commit) {
        pieces.extend([text(" at "), code(commit)]);
    }
    pieces.extend([text(", "), code(&*facts.config_file)]);
    if let Some(data) = &facts.data {
        pieces.extend([text(", data "), code(data.digest.short())]);
    }
    pieces.extend([
        text(", "),
        code(facts.started.to_string()),
        text(format!(", mlops {}", line(&facts.program_version, 20))),
    ]);
    Section {
        key: "footer",
        priority: 3,
        blocks: vec![Block::Note(pieces)],
    }
}

/// What a person types at the repository's root: directory and configuration are named where they would not be found.
fn run_command(facts: &Facts) -> String {
    let mut command = "mlops".to_owned();
    if let Some(directory) = facts.directory.as_deref().filter(|directory| !directory.is_empty()) {
        command = format!("{command} -C {}", shell_quoted(directory));
    }
    command.push_str(" run");
    if !FOUND.contains(&facts.config_file.as_str()) {
        command = format!("{command} --config {}", shell_quoted(&facts.config_file));
    }
    command
}

/// A word that a shell takes as it is: quoted unless it is plain, one line, without unprintable characters.
fn shell_quoted(word: &str) -> String {
    let word = line(word, 200);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+' | '@' | ':' | ',');
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(is_plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_gets_one_word() {
        assert_eq!(shell_quoted(".github/mlops.yaml"), ".github/mlops.yaml");
        assert_eq!(shell_quoted("a'; rm -rf ~ #"), r"'a'\''; rm -rf ~ #'");
        assert_eq!(shell_quoted("$(id)\nx"), "'$(id) x'");
        assert_eq!(shell_quoted("-x"), "'-x'");
    }
}
