//! Reads `registry:` and `wandb:`, where versions and runs are kept. Pure.

use std::net::IpAddr;

use reqwest::Url;

use crate::base::{Diagnostic, Diagnostics, Entry, Fields, Node, Value, nearest, shortened};

use super::hidden;
use super::project::{DataSharing, RegistryChoice, WandbSettings};
use super::values::{Notes, filled};

/// How the project of a registry is named in W&B.
const PREFIX: &str = "wandb-registry-";
/// The registry that every organization has.
pub const REGISTRY: &str = "model";
/// What W&B takes for the name of a project.
const LONGEST: usize = 128;
const IN_NO_PROJECT: &str = "/\\#?%:";
/// A registry of before, which W&B has replaced.
const LEGACY: &str = "model-registry";
const KEYS: &[&str] = &[
    "entity",
    "project",
    "registry",
    "organization",
    "base_url",
    "required",
    "share_key",
    "data",
];
/// Parts of names under which somebody would write the secret, if they did.
const SECRETS: &[&str] = &["key", "token", "secret", "password", "passwd"];
/// Hosts with the pages of W&B, which people copy from their browser.
const PAGES: &[&str] = &["wandb.ai", "www.wandb.ai", "app.wandb.ai"];

pub fn registry(node: Option<&Node>, notes: &mut Notes) -> RegistryChoice {
    let Some(node) = node else {
        notes.assume("registry", "auto: W&B with a key, else the repository itself");
        return RegistryChoice::Auto;
    };
    match node.one_of("registry", &["auto", "wandb", "embedded"], &mut notes.problems) {
        Some("wandb") => RegistryChoice::Wandb,
        Some("embedded") => RegistryChoice::Embedded,
        _ => RegistryChoice::Auto,
    }
}

/// Reads the section; `choice` is where versions are kept.
pub fn read(node: Option<&Node>, choice: RegistryChoice, notes: &mut Notes) -> Option<WandbSettings> {
    let mut settings = WandbSettings::default();
    let Some(node) = node else {
        if choice == RegistryChoice::Wandb {
            assume(&settings, choice, notes);
        }
        return Some(settings);
    };
    let problems = &mut notes.problems;
    let plain = without_secrets(node, problems);
    let mut fields = Fields::of(&plain, "wandb", problems)?;
    settings.is_written = true;
    settings.span = Some(node.span);
    let [
        entity,
        project,
        registry,
        organization,
        base_url,
        required,
        share_key,
        data,
    ] = [0, 1, 2, 3, 4, 5, 6, 7].map(|at: usize| fields.optional(KEYS[at]));
    fields.finish(problems);
    settings.entity = entity.and_then(|node| name(node, "wandb.entity", "/:?#% ", problems));
    settings.project = project.and_then(|node| name(node, "wandb.project", IN_NO_PROJECT, problems));
    settings.organization = organization.and_then(|node| name(node, "wandb.organization", "", problems));
    if let Some(name) = registry.and_then(|node| registry_name(node, problems)) {
        settings.registry = name;
    }
    settings.base_url = base_url.and_then(|node| address(node, problems));
    if let Some(node) = required {
        settings.is_required = node.boolean("wandb.required", problems).unwrap_or_default();
        settings.required_span = Some(node.span);
    }
    if let Some(node) = share_key {
        settings.shares_key = node.boolean("wandb.share_key", problems).unwrap_or_default();
        settings.share_key_span = Some(node.span);
    }
    if let Some(node) = data {
        settings.data = match node.one_of("wandb.data", &["reference", "upload"], problems) {
            Some("upload") => DataSharing::Upload,
            _ => DataSharing::Reference,
        };
    }
    if choice == RegistryChoice::Embedded {
        for (key, node) in [("registry", registry), ("organization", organization)] {
            if let Some(node) = node {
                problems.push(
                    Diagnostic::warning(
                        "no-effect",
                        format!(
                            "`wandb.{key}` has no effect: `registry: embedded` keeps the versions in the repository"
                        ),
                    )
                    .at(node.span)
                    .help("remove it, or write `registry: wandb`"),
                );
            }
        }
    }
    assume(&settings, choice, notes);
    Some(settings)
}

/// Notes what stands for absent keys.
fn assume(settings: &WandbSettings, choice: RegistryChoice, notes: &mut Notes) {
    if settings.entity.is_none() {
        notes.assume("wandb.entity", "the default of the key");
    }
    if settings.project.is_none() {
        notes.assume("wandb.project", "the model's name");
    }
    if choice != RegistryChoice::Embedded && settings.registry == REGISTRY {
        notes.assume("wandb.registry", REGISTRY);
    }
    if settings.required_span.is_none() {
        notes.assume("wandb.required", "false");
    }
}

/// The section without what looks like a secret; each is a problem that does not show it.
fn without_secrets(node: &Node, problems: &mut Diagnostics) -> Node {
    let Value::Map(entries) = &node.value else {
        return node.clone();
    };
    let is_secret = |entry: &&Entry| {
        let name = entry.key.to_ascii_lowercase();
        let is_scalar = matches!(entry.node.value, Value::Text(_) | Value::Number { .. } | Value::Null);
        SECRETS.iter().any(|part| name.contains(part)) && is_scalar && nearest(&name, KEYS.iter().copied()).is_none()
    };
    for entry in entries.iter().filter(is_secret) {
        let message = format!(
            "`wandb.{}` is no setting: a key does not stand in a file",
            shortened(&entry.key)
        );
        problems.push(in_file(message).at(entry.key_span));
    }
    let plain = entries.iter().filter(|entry| !is_secret(entry)).cloned();
    Node {
        value: Value::Map(plain.collect()),
        span: node.span,
    }
}

fn in_file(message: String) -> Diagnostic {
    Diagnostic::error("secret-in-config", message).help(
        "take it out and make a new key, since everybody who reads the repository has this one; give that to the action \
         as the input `wandb-api-key`, and to `mlops` as the variable `WANDB_API_KEY`",
    )
}

fn name(node: &Node, what: &str, never: &str, problems: &mut Diagnostics) -> Option<String> {
    let text = filled(node, what, problems)?;
    if hidden::is_key(&text) {
        problems.push(in_file(format!("`{what}` is a key of W&B, which does not stand in a file")).at(node.span));
        return None;
    }
    let why = if text.chars().count() > LONGEST {
        format!("it has more than {LONGEST} characters")
    } else if text.trim() != text {
        "it begins or ends with a blank".to_owned()
    } else if let Some(c) = text.chars().find(|c| c.is_control() || never.contains(*c)) {
        format!("W&B has no `{}` in such a name", c.escape_default())
    } else {
        return Some(text);
    };
    problems
        .push(bad_name(node, &text, what, &why).help("write the name as it stands in the address of its page in W&B"));
    None
}

fn bad_name(node: &Node, text: &str, what: &str, why: &str) -> Diagnostic {
    let message = format!("`{}` is not a usable `{what}`: {why}", shortened(text));
    Diagnostic::error("bad-name", message).at(node.span)
}

/// The registry without its prefix.
fn registry_name(node: &Node, problems: &mut Diagnostics) -> Option<String> {
    let what = "wandb.registry";
    let text = name(node, what, IN_NO_PROJECT, problems)?;
    if text == LEGACY {
        let why = "W&B has replaced it by registries of the organization";
        problems.push(bad_name(node, &text, what, why).help("write `model`, the registry that every organization has"));
        return None;
    }
    let short = text.strip_prefix(PREFIX).unwrap_or(&text);
    let longest = LONGEST - PREFIX.len();
    if short.is_empty() || short.chars().count() > longest {
        let why = format!("behind `{PREFIX}` stand 1 to {longest} characters");
        problems.push(bad_name(node, &text, what, &why).help("write a name such as `model`"));
        return None;
    }
    Some(short.to_owned())
}

/// `https://wandb.example.com`, or `http://` on this machine.
fn address(node: &Node, problems: &mut Diagnostics) -> Option<String> {
    let text = filled(node, "wandb.base_url", problems)?;
    let text = text.trim();
    // What stands before an `@` is not shown.
    let shown = if text.contains('@') {
        String::new()
    } else {
        format!(": `{}`", shortened(text))
    };
    let bad = |why: String, help: &str| Diagnostic::error("bad-address", why).at(node.span).help(help);
    let usual = "write it as `https://wandb.example.com`";
    let url = Url::parse(text).ok().filter(Url::has_host);
    let problem = match &url {
        None => bad(format!("`wandb.base_url` is no address{shown}"), usual),
        Some(url) if !url.username().is_empty() || url.password().is_some() => bad(
            "`wandb.base_url` has a user or a password".to_owned(),
            "take it out; the key is the input `wandb-api-key`, or the variable `WANDB_API_KEY`",
        ),
        Some(url) if PAGES.contains(&url.host_str().unwrap_or_default()) => bad(
            format!("`wandb.base_url` has the pages of W&B, not its API{shown}"),
            "remove the key: without it the public W&B is asked, which is `https://api.wandb.ai`",
        ),
        Some(url) if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(url)) => bad(
            format!("`wandb.base_url` does not begin with `https://`{shown}"),
            "a key is not sent unencrypted, except to a server on this very machine",
        ),
        Some(url) if url.query().is_some() || url.fragment().is_some() => bad(
            format!("`wandb.base_url` has more than a server and a path{shown}"),
            usual,
        ),
        Some(_) => return Some(text.trim_end_matches('/').to_owned()),
    };
    problems.push(problem);
    None
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Project, check};

    fn whole(more: &str) -> Result<Project, Diagnostics> {
        let text = format!("model: m\ndata: {{source: d.csv, target: y}}\ntrain: {{estimator: ridge}}\n{more}\n");
        check(&text).map(|checked| {
            assert!(checked.warnings.is_empty(), "{more}: {}", checked.warnings);
            checked.project
        })
    }

    fn checked(more: &str) -> Result<WandbSettings, String> {
        whole(more)
            .map(|project| project.wandb)
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_section_is_read() {
        let settings = checked(
            "registry: wandb\nwandb: {entity: acme, project: d, registry: wandb-registry-model, organization: 'Acme: A/B', \
             base_url: 'https://wandb.acme.example/', required: true, share_key: true, data: upload}",
        )
        .unwrap();
        assert_eq!(settings.entity.as_deref(), Some("acme"));
        assert_eq!(settings.organization.as_deref(), Some("Acme: A/B"));
        assert_eq!(settings.base_url.as_deref(), Some("https://wandb.acme.example"));
        assert_eq!(
            (settings.registry.as_str(), settings.is_required, settings.shares_key),
            ("model", true, true)
        );
        assert_eq!(settings.data, DataSharing::Upload);
        for none in ["registry: embedded", "registry: wandb", ""] {
            let none = checked(none).unwrap();
            assert_eq!(none, WandbSettings::default());
            assert!(!none.is_written && none.registry == REGISTRY);
        }
        assert!(checked("wandb: {}").unwrap().is_written);
        assert_eq!(
            checked("wandb: {entity: 2024}").unwrap().entity.as_deref(),
            Some("2024")
        );
    }

    #[test]
    fn defaults_are_told_where_they_count() {
        let told = |more: &str| {
            let defaults = whole(more).unwrap().defaults.into_iter();
            let ours = defaults.filter(|(key, _)| key.starts_with("wandb."));
            ours.map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>()
        };
        assert_eq!(told("registry: auto"), [""; 0]);
        let all = [
            "wandb.entity = the default of the key",
            "wandb.project = the model's name",
            "wandb.registry = model",
            "wandb.required = false",
        ];
        assert_eq!(told("registry: wandb"), all);
        assert_eq!(told("registry: wandb\nwandb: {entity: a, required: true}"), all[1..3]);
        assert_eq!(told("registry: embedded\nwandb: {project: p}"), [all[0], all[3]]);
    }

    #[test]
    fn a_key_is_refused_wherever_it_stands() {
        for name in [
            "api_key",
            "key",
            "token",
            "apikey",
            "password",
            "WANDB_API_KEY",
            "secret",
        ] {
            let told = checked(&format!("wandb: {{{name}: s3cr3ts3cr3ts3cr3t}}")).unwrap_err();
            assert!(told.contains("error[secret-in-config]"), "{told}");
            assert!(told.contains("`wandb-api-key`") && !told.contains("s3cr3t"), "{told}");
            assert!(!told.contains("unknown-key"), "{told}");
        }
        // A slip is a slip.
        let told = checked("wandb: {shared_key: yes}").unwrap_err();
        assert!(told.contains("did you mean `share_key`"), "{told}");
        let told = checked("wandb: {keys: 1, x: 2}").unwrap_err();
        assert!(!told.contains("did you mean `key`"), "{told}");
        let told = checked("wandb: {entity: 0123456789abcdef0123456789abcdef01234567}").unwrap_err();
        assert!(told.contains("`wandb.entity` is a key of W&B"), "{told}");
    }

    #[test]
    fn what_w_and_b_does_not_take_is_refused() {
        let long = "r".repeat(LONGEST - PREFIX.len() + 1);
        for (more, expected) in [
            ("{project: a/b}", "no `/`"),
            ("{project: 'a:b'}", "no `:`"),
            ("{project: ' a'}", "begins or ends with a blank"),
            ("{entity: ''}", "`wandb.entity` is an empty text"),
            ("{entity: a b}", "no ` `"),
            ("{registry: [model]}", "`wandb.registry` must be a text"),
            ("{registry: wandb-registry-}", "1 to 113 characters"),
            (&format!("{{registry: {long}}}"), "1 to 113 characters"),
            ("{registry: model-registry}", "write `model`"),
            ("{organization: \"a\\u0007\"}", "no `\\u{7}`"),
            ("{base_url: 'http://wandb.acme.example'}", "begin with `https://`"),
            ("{base_url: 'ftp://wandb.acme.example'}", "begin with `https://`"),
            (
                "{base_url: 'https://user:pass@wandb.acme.example'}",
                "a user or a password",
            ),
            ("{base_url: 'https://wandb.ai/acme'}", "not its API"),
            ("{base_url: 'https://w.example/?a=1'}", "more than a server"),
            ("{base_url: 'https://:80'}", "no address"),
            ("{base_url: wandb.acme.example}", "no address"),
            ("{base_url: 'localhost:8080'}", "no address"),
            ("{required: 7}", "`wandb.required`"),
            ("{share_key: 'yes'}", "`wandb.share_key`"),
            ("{data: both}", "`wandb.data`"),
            ("{projekt: x}", "did you mean `project`"),
            ("acme", "`wandb` must be a mapping"),
        ] {
            let told = checked(&format!("wandb: {more}")).unwrap_err();
            assert!(told.contains(expected), "{more}: {told}");
        }
        for local in ["http://localhost:8080", "http://127.0.0.1:8080/", "http://[::1]:1"] {
            assert!(checked(&format!("wandb: {{base_url: '{local}'}}")).is_ok(), "{local}");
        }
    }

    #[test]
    fn what_has_no_effect_is_said() {
        let text = "model: m\ndata: {source: d.csv, target: y}\ntrain: {estimator: ridge}\nregistry: embedded\n\
                    wandb: {registry: model, project: p}\n";
        let warnings = check(text).unwrap().warnings.to_string();
        assert!(warnings.contains("warning[no-effect]: `wandb.registry`"), "{warnings}");
        assert!(!warnings.contains("project"), "{warnings}");
    }
}
