//! `registry` and `wandb`: where versions and runs are kept. Pure.

use crate::base::{Diagnostic, Diagnostics, Fields, Node, shortened};

use super::project::{DataSharing, RegistryChoice, WandbSettings};
use super::values::{Notes, filled};

const PREFIX: &str = "wandb-registry-";
/// Where somebody would write the secret, if they did.
const SECRETS: &[&str] = &["api_key", "key", "token", "apikey", "password"];

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

pub fn read(node: Option<&Node>, problems: &mut Diagnostics) -> Option<WandbSettings> {
    let mut settings = WandbSettings::default();
    let Some(node) = node else {
        return Some(settings);
    };
    let mut fields = Fields::of(node, "wandb", problems)?;
    settings.is_written = true;
    settings.span = Some(node.span);
    let (entity, project) = (fields.optional("entity"), fields.optional("project"));
    let (registry, organization) = (fields.optional("registry"), fields.optional("organization"));
    let base_url = fields.optional("base_url");
    let required = fields.optional("required");
    let share_key = fields.optional("share_key");
    let data = fields.optional("data");
    // A secret is named as what it is, and never shown.
    for name in SECRETS {
        if let Some(entry) = fields.entry(name) {
            problems.push(
                Diagnostic::error("secret-in-config", format!("`wandb.{name}` is no setting: a key does not stand in a file"))
                    .at(entry.key_span)
                    .snippet(&format!("{}{name}: …", " ".repeat(entry.key_span.column.saturating_sub(1) as usize)))
                    .help("take it out, make a new key, and give it to the action as the input `wandb-api-key` or as `WANDB_API_KEY`"),
            );
        }
    }
    fields.finish(problems);
    settings.entity = entity.and_then(|node| name(node, "wandb.entity", 128, "/ : ?#%", problems));
    settings.project = project.and_then(|node| name(node, "wandb.project", 128, "/\\#?%:", problems));
    settings.organization = organization.and_then(|node| name(node, "wandb.organization", 128, "/:", problems));
    if let Some(name) = registry.and_then(|node| name(node, "wandb.registry", 110, "/\\#?%: ", problems)) {
        name.strip_prefix(PREFIX)
            .unwrap_or(&name)
            .clone_into(&mut settings.registry);
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
    Some(settings)
}

fn name(node: &Node, what: &str, longest: usize, never: &str, problems: &mut Diagnostics) -> Option<String> {
    let text = filled(node, what, problems)?;
    let why = if text.chars().count() > longest {
        format!("it has more than {longest} characters")
    } else if let Some(c) = text.chars().find(|c| c.is_control() || never.contains(*c)) {
        format!("W&B has no `{}` in such a name", c.escape_default())
    } else {
        return Some(text);
    };
    problems.push(
        Diagnostic::error(
            "bad-name",
            format!("`{}` is not a usable {what}: {why}", shortened(&text)),
        )
        .at(node.span)
        .help("write the name as it stands in the address of the page in W&B"),
    );
    None
}

/// `https://wandb.example.com`, or `http://` on this machine.
fn address(node: &Node, problems: &mut Diagnostics) -> Option<String> {
    let text = filled(node, "wandb.base_url", problems)?;
    let local = ["http://localhost", "http://127.0.0.1", "http://[::1]"];
    let is_local = local.iter().any(|local| {
        text.strip_prefix(local)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    });
    let host = text
        .strip_prefix("https://")
        .map(|rest| rest.split('/').next().unwrap_or_default());
    let is_usable = is_local || host.is_some_and(|host| !host.is_empty() && !host.contains('@'));
    if is_usable && !text.contains(char::is_whitespace) {
        return Some(text);
    }
    problems.push(
        Diagnostic::error(
            "bad-address",
            format!("`{}` is not the address of a W&B server", shortened(&text)),
        )
        .at(node.span)
        .help("write it as `https://wandb.example.com`, without a user or a password"),
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;

    fn checked(more: &str) -> Result<WandbSettings, String> {
        let text = format!("model: m\ndata: {{source: d.csv, target: y}}\ntrain: {{estimator: ridge}}\n{more}\n");
        check(&text)
            .map(|checked| checked.project.wandb)
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_section_is_read() {
        let settings = checked(
            "registry: wandb\nwandb: {entity: acme, project: d, registry: wandb-registry-model, organization: Acme Inc, \
             base_url: 'https://wandb.acme.example', required: true, share_key: true, data: upload}",
        )
        .unwrap();
        assert_eq!(settings.entity.as_deref(), Some("acme"));
        assert_eq!(
            (settings.registry.as_str(), settings.is_required, settings.shares_key),
            ("model", true, true)
        );
        assert_eq!(settings.data, DataSharing::Upload);
        let none = checked("registry: embedded").unwrap();
        assert_eq!(none, WandbSettings::default());
        assert!(!none.is_written && none.registry == "model");
    }

    #[test]
    fn a_key_is_never_taken_or_shown() {
        for name in SECRETS {
            let told = checked(&format!("wandb: {{{name}: s3cr3ts3cr3ts3cr3t}}")).unwrap_err();
            assert!(
                told.contains("a key does not stand in a file") && told.contains("wandb-api-key"),
                "{told}"
            );
        }
    }

    #[test]
    fn what_w_and_b_does_not_take_is_refused() {
        for (more, expected) in [
            ("wandb: {project: a/b}", "no `/`"),
            ("wandb: {entity: ''}", "wandb.entity"),
            ("wandb: {registry: [model]}", "wandb.registry"),
            ("wandb: {base_url: 'http://wandb.acme.example'}", "not the address"),
            (
                "wandb: {base_url: 'https://user:pass@wandb.acme.example'}",
                "not the address",
            ),
            ("wandb: {required: 7}", "wandb.required"),
            ("wandb: {data: both}", "wandb.data"),
            ("wandb: {projekt: x}", "project"),
            ("registry: wndb", "wandb"),
        ] {
            let told = checked(more).unwrap_err();
            assert!(told.contains(expected), "{more}: {told}");
        }
        assert!(checked("wandb: {base_url: 'http://localhost:8080'}").is_ok());
    }
}
