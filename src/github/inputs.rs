//! What the workflow's `with:` says. Pure.

use std::collections::BTreeMap;

use crate::base::{Diagnostic, Diagnostics, Secret, nearest, shortened};

/// Every input of `action.yml`.
pub const INPUTS: &[&str] = &[
    "command",
    "version",
    "config",
    "directory",
    "comment",
    "github-token",
    "wandb-api-key",
    "accept-warnings",
    "reason",
    "check-run-id",
];

/// What the `command` input may say.
pub const COMMANDS: &[&str] = &[
    "run",
    "check",
    "promote",
    "rollback",
    "status",
    "plan",
    "retrain",
    "publish-report",
    "doctor",
];

/// Longer reasons nobody reads.
const MAX_REASON: usize = 300;

/// When there is a comment, as the `comment` input says it.
pub const COMMENT_MODES: &[(&str, CommentMode)] = &[
    ("always", CommentMode::Always),
    ("changes", CommentMode::Changes),
    ("failures", CommentMode::Failures),
    ("off", CommentMode::Off),
];

/// When the pull request gets its comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommentMode {
    #[default]
    Always,
    /// When something is better, worse or undecided.
    Changes,
    /// When a gate failed.
    Failures,
    Off,
}

/// The action's inputs; an empty one is as if it were not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// One of [`COMMANDS`].
    pub command: Option<String>,
    pub version: Option<String>,
    pub config: Option<String>,
    pub directory: Option<String>,
    pub token: Option<Secret>,
    /// Of W&B; as it was given, since only W&B knows what a key is.
    pub wandb_key: Option<Secret>,
    pub comment: CommentMode,
    pub check_run_id: Option<u64>,
    pub accept_warnings: bool,
    /// Why production moves, for the ledger; given by the workflow that a comment started.
    pub reason: Option<String>,
}

impl Inputs {
    /// Reads `INPUT_*`, and `GITHUB_TOKEN` where the input has no token; says everything that is wrong.
    pub fn read(env: &BTreeMap<String, String>) -> Result<Self, Diagnostics> {
        let mut problems = Diagnostics::default();
        let workspace = HostPaths::read(env);
        let inputs = Self {
            command: input(env, "command").and_then(|written| command(written, &mut problems)),
            version: input(env, "version").and_then(|written| version(written, &mut problems)),
            config: input(env, "config").map(|path| workspace.inside(path)),
            directory: input(env, "directory").map(|path| workspace.inside(path)),
            token: input(env, "github-token")
                .or_else(|| {
                    env.get("GITHUB_TOKEN")
                        .map(|token| token.trim())
                        .filter(|token| !token.is_empty())
                })
                .and_then(|written| token(written, &mut problems)),
            wandb_key: input(env, "wandb-api-key").map(Secret::new),
            comment: input(env, "comment").map_or(CommentMode::default(), |written| comment(written, &mut problems)),
            check_run_id: input(env, "check-run-id").and_then(|written| check_run_id(written, &mut problems)),
            accept_warnings: input(env, "accept-warnings")
                .is_some_and(|written| switch("accept-warnings", written, &mut problems)),
            reason: input(env, "reason")
                .map(|written| written.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect()),
        };
        if problems.is_empty() { Ok(inputs) } else { Err(problems) }
    }
}

/// The value of an input, in whatever spelling its variable came: the runner keeps hyphens, some shells and other
/// runners make underscores of them, and people who set the variable by hand write it as they like.
fn input<'a>(env: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let given = |variable: &str| {
        env.get(variable)
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    };
    let exact = format!("INPUT_{}", name.to_ascii_uppercase());
    let plain = |text: &str| text.to_ascii_uppercase().replace(['-', ' '], "_");
    let wanted = plain(&exact);
    given(&exact).or_else(|| given(&wanted)).or_else(|| {
        env.keys()
            .filter(|variable| variable.len() == wanted.len() && plain(variable) == wanted)
            .find_map(|variable| given(variable))
    })
}

fn command(written: &str, problems: &mut Diagnostics) -> Option<String> {
    if COMMANDS.contains(&written) {
        return Some(written.to_owned());
    }
    problems.push(unknown("command", written, COMMANDS.iter().copied()));
    None
}

fn comment(written: &str, problems: &mut Diagnostics) -> CommentMode {
    if let Some((_, mode)) = COMMENT_MODES.iter().find(|(name, _)| *name == written) {
        return *mode;
    }
    problems.push(unknown("comment", written, COMMENT_MODES.iter().map(|(name, _)| *name)));
    CommentMode::default()
}

fn version(written: &str, problems: &mut Diagnostics) -> Option<String> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if written.len() <= 128 && written.bytes().all(is_plain) {
        return Some(written.to_owned());
    }
    problems.push(bad(
        "version",
        written,
        "write a version as `v3`, or an alias such as `candidate`",
    ));
    None
}

/// Says nothing of the token itself.
fn token(written: &str, problems: &mut Diagnostics) -> Option<Secret> {
    if written.bytes().all(|b| b.is_ascii_graphic()) {
        return Some(Secret::new(written));
    }
    problems.push(
        Diagnostic::error(
            "bad-input",
            "the input `github-token` has blanks or characters that no token has",
        )
        .help("leave it out to use the job's own token, or give it as `${{ secrets.NAME }}`"),
    );
    None
}

fn check_run_id(written: &str, problems: &mut Diagnostics) -> Option<u64> {
    let id = super::event::positive(written);
    if id.is_none() {
        problems.push(bad(
            "check-run-id",
            written,
            "leave it out: its default is this job's own",
        ));
    }
    id
}

/// The spellings that YAML 1.2's core schema has, as the runner's own toolkit reads them.
fn switch(name: &str, written: &str, problems: &mut Diagnostics) -> bool {
    match written {
        "true" | "True" | "TRUE" => true,
        "false" | "False" | "FALSE" => false,
        _ => {
            problems.push(bad(name, written, "write `true` or `false`"));
            false
        }
    }
}

fn bad(name: &str, written: &str, help: &str) -> Diagnostic {
    Diagnostic::error(
        "bad-input",
        format!("the input `{name}` can not be `{}`", shortened(written)),
    )
    .help(help)
}

fn unknown<'a>(name: &str, written: &str, known: impl Iterator<Item = &'a str> + Clone) -> Diagnostic {
    let help = if let Some(near) = nearest(written, known.clone()) {
        format!("did you mean `{near}`?")
    } else {
        let all: Vec<String> = known.map(|name| format!("`{name}`")).collect();
        format!("it can be {}", all.join(", "))
    };
    bad(name, written, &help)
}

/// The workspace as the machine around the container names it. The runner translates a value that begins with that
/// name, but not one that has it further inside, as in a list.
struct HostPaths<'a> {
    outside: Option<String>,
    inside: &'a str,
}

impl<'a> HostPaths<'a> {
    fn read(env: &'a BTreeMap<String, String>) -> Self {
        let inside = env
            .get("GITHUB_WORKSPACE")
            .map_or("", |path| path.trim_end_matches('/'));
        let outside = env
            .get("RUNNER_WORKSPACE")
            .map(|path| path.trim_end_matches('/'))
            .and_then(|path| Some(format!("{path}/{}", path.rsplit_once('/')?.1)))
            .filter(|outside| outside.starts_with('/') && !inside.is_empty() && outside != inside);
        Self { outside, inside }
    }

    /// The text with every host path of the workspace replaced by the path that holds here.
    fn inside(&self, text: &str) -> String {
        let Some(outside) = &self.outside else {
            return text.to_owned();
        };
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(outside.as_str()) {
            let (before, found) = rest.split_at(at);
            let after = &found[outside.len()..];
            // `/work/x/x-data` and `/data/work/x/x` are other directories.
            let begins = before.chars().next_back().is_none_or(|c| !is_name(c));
            let ends = after.chars().next().is_none_or(|c| !is_name(c));
            out.push_str(before);
            out.push_str(if begins && ends { self.inside } else { outside });
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        variables.iter().map(owned).collect()
    }

    #[test]
    fn nothing_given_is_the_default() {
        let empty = env(&[
            ("INPUT_COMMAND", " "),
            ("INPUT_GITHUB-TOKEN", ""),
            ("INPUT_ACCEPT-WARNINGS", ""),
        ]);
        let inputs = Inputs::read(&empty).unwrap();
        assert_eq!(inputs, Inputs::read(&BTreeMap::new()).unwrap());
        assert_eq!(
            (inputs.command, inputs.token, inputs.comment),
            (None, None, CommentMode::Always)
        );
    }

    #[test]
    fn every_spelling_is_read() {
        for name in [
            "INPUT_GITHUB-TOKEN",
            "INPUT_GITHUB_TOKEN",
            "INPUT_github-token",
            "input_Github_Token",
        ] {
            let inputs = Inputs::read(&env(&[(name, " ghs_a.b_c "), ("GITHUB_TOKEN", "other")])).unwrap();
            assert_eq!(inputs.token, Some(Secret::new("ghs_a.b_c")), "{name}");
        }
        let both = env(&[("INPUT_GITHUB_TOKEN", "second"), ("INPUT_GITHUB-TOKEN", "first")]);
        assert_eq!(Inputs::read(&both).unwrap().token, Some(Secret::new("first")));
        let fallback = env(&[("INPUT_GITHUB-TOKEN", ""), ("GITHUB_TOKEN", "job"), ("GH_TOKEN", "no")]);
        assert_eq!(Inputs::read(&fallback).unwrap().token, Some(Secret::new("job")));
        assert_eq!(
            Inputs::read(&env(&[("INPUT_GITHUB_TOKEN_2", "x"), ("GH_TOKEN", "no")]))
                .unwrap()
                .token,
            None
        );
    }

    #[test]
    fn values_are_checked() {
        let inputs = Inputs::read(&env(&[
            ("INPUT_COMMAND", "publish-report"),
            ("INPUT_VERSION", "v3"),
            ("INPUT_COMMENT", "failures"),
            ("INPUT_CHECK-RUN-ID", "123"),
            ("INPUT_ACCEPT-WARNINGS", "True"),
        ]))
        .unwrap();
        assert_eq!(inputs.command.as_deref(), Some("publish-report"));
        assert_eq!(
            (inputs.comment, inputs.check_run_id),
            (CommentMode::Failures, Some(123))
        );
        assert!(inputs.accept_warnings);
        let problems = Inputs::read(&env(&[
            ("INPUT_COMMAND", "promte"),
            ("INPUT_VERSION", "v3; rm"),
            ("INPUT_COMMENT", "sometimes"),
            ("INPUT_CHECK-RUN-ID", "-1"),
            ("INPUT_ACCEPT-WARNINGS", "yes"),
            ("INPUT_GITHUB-TOKEN", "ghs_secret value"),
        ]))
        .unwrap_err();
        insta::assert_snapshot!(problems, @r"
        error[bad-input]: the input `command` can not be `promte`
          = help: did you mean `promote`?

        error[bad-input]: the input `version` can not be `v3; rm`
          = help: write a version as `v3`, or an alias such as `candidate`

        error[bad-input]: the input `github-token` has blanks or characters that no token has
          = help: leave it out to use the job's own token, or give it as `${{ secrets.NAME }}`

        error[bad-input]: the input `comment` can not be `sometimes`
          = help: it can be `always`, `changes`, `failures`, `off`

        error[bad-input]: the input `check-run-id` can not be `-1`
          = help: leave it out: its default is this job's own

        error[bad-input]: the input `accept-warnings` can not be `yes`
          = help: write `true` or `false`
        ");
    }

    #[test]
    fn paths_of_the_host_become_ours() {
        let read = |path: &str| {
            let inputs = Inputs::read(&env(&[
                ("INPUT_CONFIG", path),
                ("RUNNER_WORKSPACE", "/home/runner/work/x/"),
                ("GITHUB_WORKSPACE", "/github/workspace"),
            ]));
            inputs.unwrap().config.unwrap()
        };
        for (host, ours) in [
            ("/home/runner/work/x/x", "/github/workspace"),
            (
                "/home/runner/work/x/x/a,/home/runner/work/x/x/b",
                "/github/workspace/a,/github/workspace/b",
            ),
            ("--x=/home/runner/work/x/x/a", "--x=/github/workspace/a"),
            ("/home/runner/work/x/x-data/a", "/home/runner/work/x/x-data/a"),
            ("/data/home/runner/work/x/x/a", "/data/home/runner/work/x/x/a"),
            ("mlops.yaml", "mlops.yaml"),
        ] {
            assert_eq!(read(host), ours);
        }
        let outside = env(&[
            ("INPUT_CONFIG", "/home/runner/work/x/x"),
            ("RUNNER_WORKSPACE", "/home/runner/work/x"),
        ]);
        assert_eq!(
            Inputs::read(&outside).unwrap().config.as_deref(),
            Some("/home/runner/work/x/x")
        );
    }
}
