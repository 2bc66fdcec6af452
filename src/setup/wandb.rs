//! What says that a repository works with W&B, and what its jobs need for it. Pure.

use crate::base::{Entry, shortened};
use crate::config::RegistryChoice;

use super::doctor::{Asks, CurrentJob, Finding, Matter, Surroundings, Use};
use super::look::{Listing, name_of};
use super::workflow::{Level, text_of};
use super::{ACTION, quoted};

/// The secret that holds the key, as workflows name it.
pub const SECRET: &str = "${{ secrets.WANDB_API_KEY }}";
/// Program texts that are looked at.
const MAX_SOURCES: usize = 100;

/// What there is here to ask W&B with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Access {
    #[default]
    Nothing,
    /// A key, or an identity that is exchanged for one.
    Usable,
    /// Why what stands for a key is none; without it.
    Broken(String),
}

/// The files whose text may name W&B: what the repository needs, then its programs.
pub fn wanted(files: &[String]) -> impl Iterator<Item = &String> {
    let programs = files.iter().filter(|file| is_program(file)).take(MAX_SOURCES);
    files.iter().filter(|file| is_list(file)).chain(programs)
}

fn is_program(file: &str) -> bool {
    file.to_ascii_lowercase().ends_with(".py")
}

/// Whether a file lists the packages that a repository needs.
fn is_list(file: &str) -> bool {
    let name = name_of(file).to_ascii_lowercase();
    let named = [
        "pyproject.toml",
        "pipfile",
        "setup.cfg",
        "environment.yml",
        "environment.yaml",
    ];
    named.contains(&name.as_str())
        || (name.starts_with("requirements") && [".txt", ".in"].iter().any(|ending| name.ends_with(ending)))
}

/// The first file that imports or needs W&B's package.
pub fn sign(listing: &Listing) -> Option<&str> {
    let says = |file: &&String| {
        let text = listing.texts.get(*file);
        let line: fn(&str) -> bool = if is_program(file) { imports } else { needs };
        text.is_some_and(|text| text.lines().any(line))
    };
    wanted(&listing.files).find(says).map(String::as_str)
}

/// `import wandb`, `import os, wandb.apis`, `from wandb import …`.
fn imports(line: &str) -> bool {
    let is_it = |module: &str| {
        let module = module.split_whitespace().next().unwrap_or_default();
        module.split('.').next() == Some("wandb")
    };
    let line = line.trim_start();
    if let Some(module) = line.strip_prefix("from ") {
        return is_it(module);
    }
    line.strip_prefix("import ")
        .is_some_and(|modules| modules.split(',').any(is_it))
}

/// `wandb`, `wandb>=0.20`, `"wandb[media]",`, `wandb = "*"`, `- wandb`.
fn needs(line: &str) -> bool {
    line.split(['[', ',']).any(|part| {
        let name = part
            .trim_start_matches([' ', '\t', '"', '\'', '-'])
            .to_ascii_lowercase();
        let rest = name.strip_prefix("wandb");
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
    })
}

/// The end of a first configuration, in comments: nobody knows yet whose team it is and whether there is a key.
pub fn section(sign: &str, model: &str) -> String {
    format!(
        "
# W&B, because of {sign}. With the secret WANDB_API_KEY runs and versions go there, without it nothing changes.
# These lines say where; with them a run that gets no key, such as a fork's, says that production is in W&B.
# registry: wandb
# wandb:
#   entity: my-team # whose runs and models they are; a registry takes models of teams, not of persons
#   project: {} # of the runs
",
        quoted(model)
    )
}

/// Whether a job reaches W&B, and gives its key to nobody else.
pub fn check(one: &Use, asks: &Asks, runs_theirs: bool, found: &mut Vec<Finding>) {
    let (file, job) = (&one.workflow.path, one.job);
    let input = one
        .step
        .with
        .iter()
        .find(|entry| entry.key.eq_ignore_ascii_case("wandb-api-key"));
    let variables = [&one.step.env, &job.env, &one.workflow.env];
    let variable = variables
        .into_iter()
        .find_map(|env| env.iter().find(|entry| entry.key == "WANDB_API_KEY"));
    let given: Vec<&Entry> = [input, variable]
        .into_iter()
        .flatten()
        .filter(|entry| text_of(&entry.node).is_some_and(|text| !text.trim().is_empty()))
        .collect();
    for entry in &given {
        found.extend(shown_to_all(entry).map(|finding| finding.at(file, entry.key_span)));
    }
    // Forks' results are shown without asking what is in production.
    let shows_only = one.triggers.iter().all(|trigger| trigger.event == "workflow_run");
    if shows_only {
        if let Some(entry) = given.first() {
            found.push(
                Finding::new(
                    Matter::Advice,
                    "wandb-key-unused",
                    format!("the job `{}` gets the key of W&B and does not need it", job.id),
                    "it shows what runs of forks left behind, and asks W&B nothing; a key that is not there can not get lost",
                )
                .at(file, entry.key_span),
            );
        }
        return;
    }
    if !asks.wandb {
        return;
    }
    let has_identity = one
        .workflow
        .permissions_of(job)
        .is_some_and(|permissions| permissions.level("id-token") == Level::Write);
    let has_file = variables
        .iter()
        .any(|env| env.iter().any(|entry| entry.key == "WANDB_IDENTITY_TOKEN_FILE"));
    if given.is_empty() && !has_identity && !has_file {
        let (matter, why) = without_key(asks);
        found.push(
            Finding::new(
                matter,
                "wandb-key",
                format!("the job `{}` has no key of W&B", job.id),
                format!(
                    "{why}. Where the organization has registered GitHub as an identity provider, `id-token: write` among \
                     its permissions does it without a key"
                ),
            )
            .fix(key_line())
            .at(file, one.step.span),
        );
    }
    if asks.shares_key && (runs_theirs || one.on("pull_request_target").is_some()) {
        found.push(
            Finding::new(
                Matter::Missing,
                "shared-key",
                format!("the job `{}` would give the key of W&B to code of strangers", job.id),
                "`wandb.share_key` lets lint, tests and training see it, and whoever opens a pull request writes them here",
            )
            .fix("wandb:\n  share_key: false\n")
            .at(file, one.step.span),
        );
    }
}

/// A key that stands in the workflow itself, or in a variable that everybody may read.
fn shown_to_all(entry: &Entry) -> Option<Finding> {
    let text = text_of(&entry.node)?;
    let name = &entry.key;
    let fix = format!("{}: {SECRET}\n", shortened(name));
    if !text.contains("${{") {
        let (what, why) = (
            format!("the value of `{}` stands in the workflow", shortened(name)),
            "everybody who can read the repository has the key now: make a new one, and keep it as a secret",
        );
        return Some(Finding::new(Matter::Missing, "wandb-key-in-file", what, why).fix(fix));
    }
    text.contains("vars.").then(|| {
        let (what, why) = (
            format!("the value of `{}` comes from a variable", shortened(name)),
            "variables are shown in settings and logs; keep the key as a secret",
        );
        Finding::new(Matter::Missing, "wandb-key-in-file", what, why).fix(fix)
    })
}

/// What does not happen without a key, and how much that matters.
fn without_key(asks: &Asks) -> (Matter, &'static str) {
    match asks.registry {
        RegistryChoice::Embedded => (Matter::Advice, "its runs are not tracked in W&B"),
        RegistryChoice::Auto | RegistryChoice::Wandb => (
            Matter::Missing,
            "the configuration keeps versions in W&B: what is in production can not be read, and nothing is published",
        ),
    }
}

fn key_line() -> String {
    format!("- uses: {ACTION}@v1\n  with:\n    wandb-api-key: {SECRET}\n")
}

/// What the present environment lacks.
pub fn present(asks: &Asks, surroundings: &Surroundings, found: &mut Vec<Finding>) {
    // Without a word about W&B a key is used all the same, unless versions are to stay here.
    let is_used = asks.wandb || asks.registry != RegistryChoice::Embedded;
    match (&surroundings.wandb, &surroundings.job) {
        (Access::Broken(why), _) if is_used => found.push(Finding::new(
            Matter::Missing,
            "wandb-key-form",
            why,
            "nothing is asked of W&B with it; copy the key again, alone and without quotes",
        )),
        (Access::Nothing, Some(job)) if asks.wandb && job.event != "workflow_run" => found.push(no_key(asks, job)),
        (Access::Broken(_) | Access::Nothing | Access::Usable, _) => {}
    }
}

fn no_key(asks: &Asks, job: &CurrentJob) -> Finding {
    let (matter, why) = without_key(asks);
    let (matter, more) = match job.event.as_str() {
        "pull_request" => (
            Matter::Advice,
            "So it is with pull requests from forks and of Dependabot, which get no secrets; in any other the secret is \
             missing",
        ),
        _ => (matter, "Perhaps there is no secret of that name"),
    };
    let why = format!("{why}. {more}");
    Finding::new(matter, "wandb-key", "this job has no key of W&B", why).fix(key_line())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::wanted_texts;

    fn found(file: &str, text: &str) -> bool {
        let files = vec!["a.py".to_owned(), file.to_owned()];
        assert!(wanted_texts(&files).contains(&files[1]), "{file}");
        let texts = [
            ("a.py".to_owned(), "import os\n".to_owned()),
            (file.to_owned(), text.to_owned()),
        ];
        let listing = Listing {
            files,
            texts: texts.into(),
        };
        let sign = sign(&listing);
        assert!(sign.is_none_or(|sign| sign == file));
        sign.is_some()
    }

    #[test]
    fn signs_of_wandb() {
        for (file, text) in [
            ("src/train.py", "import os\nimport wandb\n"),
            ("train.py", "    import os, wandb.sdk as w\n"),
            ("train.py", "from wandb.integration.keras import WandbCallback\n"),
            ("requirements.txt", "numpy\nwandb>=0.20\n"),
            ("requirements-dev.in", "wandb[media]==0.31.0 # runs\n"),
            ("Pipfile", "[packages]\nwandb = \"*\"\n"),
            ("pyproject.toml", "dependencies = [\"pandas\", \"wandb~=0.31\"]\n"),
            ("environment.yml", "dependencies:\n  - wandb\n"),
        ] {
            assert!(found(file, text), "{file}: {text}");
        }
        for (file, text) in [
            (
                "train.py",
                "# import wandb\nfrom wandbox import x\nimport mywandb, os.wandb\n",
            ),
            ("requirements.txt", "wandb-core\nwandb_helper\nnot-wandb\n# wandb\n"),
            ("pyproject.toml", "[tool.ruff]\nname = \"my wandb\"\n"),
        ] {
            assert!(!found(file, text), "{file}: {text}");
        }
    }

    #[test]
    fn the_section_holds_when_it_is_taken_in() {
        let base = "model: m\ndata: {source: d.csv, target: y}\ntrain: {estimator: ridge}\n";
        let section = section("`a\u{20}b.py`", "y: é");
        assert!(section.lines().all(|line| line.is_empty() || line.starts_with("# ")));
        let is_yaml =
            |line: &str| line.starts_with("# registry") || line.starts_with("# wandb:") || line.starts_with("#  ");
        let taken: Vec<&str> = section
            .lines()
            .filter(|line| is_yaml(line))
            .filter_map(|line| line.strip_prefix("# "))
            .collect();
        let text = format!("{base}{}\n", taken.join("\n"));
        let refused = crate::config::check(&text).unwrap_err().to_string();
        assert!(refused.contains("no `:`"), "the name of a model has none: {refused}");
        let project = crate::config::check(&text.replace("y: é", "y")).unwrap().project;
        assert_eq!(project.wandb.entity.as_deref(), Some("my-team"));
        assert_eq!(project.wandb.project.as_deref(), Some("y"));
    }
}
