//! W&B as this project uses it here: whose account, which registry and tracker, and what when there is none.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::Secret;
use crate::config::{RegistryChoice, WandbSettings};
use crate::exec::{self, SharedRun};
use crate::pipeline::chain;
use crate::sys;
use crate::track::record::RunStart;
use crate::track::tracker::{Offline, OfflinePlace, Online, OnlinePlace, Tracker};
use crate::track::{ModelRegistry, Place, Wandb, Withheld};
use crate::wandb::{
    Attribution, Client, Credentials, GithubIdentity, Hosts, Key, KeySource, Pace, Settings, netrc_password,
};

use super::Failure;
use super::patience::Patience;
use super::project::Opened;
use super::tracking::SPOOL;

const MAX_NETRC: u64 = 1 << 20;
const REGISTRY_PREFIX: &str = "wandb-registry-";

type Env = BTreeMap<String, String>;

/// How far this job may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A person's own machine.
    Local,
    /// A job with the repository's secrets.
    Trusted,
    /// A job of a fork and the like, which writes nothing outside of its runner.
    ReadOnly,
}

/// What a run and its versions are kept in.
#[derive(Default)]
pub struct Kept {
    /// None: the repository's own registry.
    pub registry: Option<(Box<dyn ModelRegistry>, String)>,
    /// None: nobody asked for one.
    pub tracker: Option<Arc<dyn Tracker>>,
    /// What a reader of the report should know.
    pub alert: Option<String>,
    pub account: Option<Account>,
    /// For the repository's own commands, beyond what each of them gets.
    pub child_env: Env,
    /// Where an offline run goes once it is delivered.
    pub offline: OfflinePlace,
}

/// Somebody's account, and where their things are.
#[derive(Clone)]
pub struct Account {
    pub client: Client,
    pub registry: Wandb,
    pub place: Place,
    /// What the log must not show.
    pub secret: Option<Secret>,
}

impl Kept {
    /// Ends the run that a registry has opened for what it wrote, where no tracker does.
    pub async fn close(&self, exit_code: u8) {
        let Some(account) = &self.account else { return };
        if let Err(error) = account.registry.close(exit_code).await {
            tracing::warn!(error = chain(&error), "the run in W&B stays open");
        }
    }
}

/// A value of the environment; one that is empty is none.
fn value<'a>(env: &'a Env, name: &str) -> Option<&'a str> {
    env.get(name)
        .map(|value| value.trim())
        .filter(|value| !value.is_empty())
}

/// Decides what this project's runs are kept in.
pub async fn choose(opened: &Opened, env: &Env, reach: Reach, start: &RunStart) -> Result<Kept, Failure> {
    let project = &opened.project;
    let settings = &project.wandb;
    let is_wanted = project.registry == RegistryChoice::Wandb || settings.is_written;
    let mode = value(env, "WANDB_MODE").unwrap_or("online");
    let may_ask = reach != Reach::ReadOnly && !matches!(mode, "offline" | "disabled" | "dryrun");
    let credentials = if may_ask && (is_wanted || project.registry == RegistryChoice::Auto) {
        credentials(env, settings, is_wanted)?
    } else {
        None
    };
    if credentials.is_none() && !is_wanted {
        return Ok(Kept::default());
    }
    let offline = || -> Option<Arc<dyn Tracker>> {
        let is_told = mode != "disabled" && reach != Reach::ReadOnly;
        is_told
            .then(|| Arc::new(Offline::new(&opened.root.join(SPOOL), offline_place(opened, env))) as Arc<dyn Tracker>)
    };
    let Some(credentials) = credentials else {
        return Ok(without_account(project.registry, reach, mode, offline()));
    };
    let secret = match &credentials {
        Credentials::Key(key) => Some(Secret::new(key.expose())),
        Credentials::IdentityFile(_) | Credentials::GithubIdentity(_) => None,
    };
    let client = connect(env, settings, credentials)?;
    let entity = match settings.entity.as_deref().or(value(env, "WANDB_ENTITY")) {
        Some(entity) => Ok(entity.to_owned()),
        None => default_entity(&client).await,
    };
    let entity = match entity {
        Ok(entity) => entity,
        Err(why) => {
            return Ok(Kept {
                registry: withheld(project.registry, &why, true),
                tracker: offline(),
                alert: Some(why),
                ..Kept::default()
            });
        }
    };
    let place = Place {
        entity,
        project: project_of(opened, env),
        registry: format!("{REGISTRY_PREFIX}{}", settings.registry),
        organization: settings
            .organization
            .as_deref()
            .or(value(env, "WANDB_ORGANIZATION"))
            .map(str::to_owned),
        run: start.clone(),
    };
    let registry = Wandb::new(client.clone(), place.clone());
    let is_registry = project.registry != RegistryChoice::Embedded;
    let online = OnlinePlace {
        entity: place.entity.clone(),
        project: place.project.clone(),
        registry: is_registry.then(|| registry.clone()),
    };
    let child_env = shared(settings, secret.as_ref(), &client, &place, reach);
    Ok(Kept {
        offline: offline_place(opened, env),
        registry: is_registry.then(|| {
            let shown = Wandb::shown(&place);
            (Box::new(registry.clone()) as Box<dyn ModelRegistry>, shown)
        }),
        tracker: Some(Arc::new(Online::new(client.clone(), online))),
        alert: None,
        account: Some(Account {
            client,
            registry,
            place,
            secret,
        }),
        child_env,
    })
}

/// Where the runs of this project go, as far as that is known without an account.
pub fn offline_place(opened: &Opened, env: &Env) -> OfflinePlace {
    let settings = &opened.project.wandb;
    let entity = settings.entity.as_deref().or(value(env, "WANDB_ENTITY"));
    OfflinePlace {
        entity: entity.unwrap_or_default().to_owned(),
        project: project_of(opened, env),
    }
}

fn project_of(opened: &Opened, env: &Env) -> String {
    let named = opened.project.wandb.project.as_deref().or(value(env, "WANDB_PROJECT"));
    named.map_or_else(|| opened.project.model.to_string(), str::to_owned)
}

/// A project that is about W&B, without an account of it.
fn without_account(choice: RegistryChoice, reach: Reach, mode: &str, offline: Option<Arc<dyn Tracker>>) -> Kept {
    let why = why_no_account(mode, reach);
    // On a laptop without a key people work with the registry beside their files.
    let is_elsewhere = choice == RegistryChoice::Wandb || reach != Reach::Local;
    let registry = is_elsewhere
        .then(|| withheld(choice, &format!("production is in W&B, and {why}"), false))
        .flatten();
    let alert = (registry.is_none() && choice == RegistryChoice::Auto)
        .then(|| format!("{why}: this is about the registry beside the repository, not about the one in W&B"));
    Kept {
        registry,
        tracker: offline,
        alert,
        ..Kept::default()
    }
}

fn withheld(choice: RegistryChoice, why: &str, is_failure: bool) -> Option<(Box<dyn ModelRegistry>, String)> {
    let registry = Withheld {
        why: why.to_owned(),
        is_failure,
    };
    (choice != RegistryChoice::Embedded).then(|| (Box::new(registry) as Box<dyn ModelRegistry>, "W&B".to_owned()))
}

fn why_no_account(mode: &str, reach: Reach) -> String {
    match reach {
        Reach::ReadOnly => "this run gets no key, as it has no rights".to_owned(),
        Reach::Local | Reach::Trusted if mode != "online" => format!("`WANDB_MODE` is `{mode}`"),
        Reach::Local => "there is no key: set `WANDB_API_KEY`".to_owned(),
        Reach::Trusted => "this job has no key: give it the input `wandb-api-key`".to_owned(),
    }
}

/// For the repository's own commands: their runs join the group of this one where the configuration lets them.
fn shared(settings: &WandbSettings, secret: Option<&Secret>, client: &Client, place: &Place, reach: Reach) -> Env {
    let Some(key) = secret.filter(|_| settings.shares_key && reach != Reach::ReadOnly) else {
        return Env::new();
    };
    exec::wandb_env(&SharedRun {
        key,
        base_url: client.hosts().api(),
        entity: &place.entity,
        project: &place.project,
        group: place.run.group.as_ref().unwrap_or(&place.run.id),
    })
}

/// An identity before a key; what is not in the environment only where the project is about W&B.
fn credentials(env: &Env, settings: &WandbSettings, is_wanted: bool) -> Result<Option<Credentials>, Failure> {
    if let Some(path) = value(env, "WANDB_IDENTITY_TOKEN_FILE") {
        return Ok(Some(Credentials::IdentityFile(PathBuf::from(path))));
    }
    if let Some(key) = value(env, "WANDB_API_KEY") {
        let key = Key::parse(key, KeySource::Environment).map_err(|error| Failure::Unusable(error.to_string()))?;
        return Ok(Some(Credentials::Key(key)));
    }
    if !is_wanted {
        return Ok(None);
    }
    let hosts = hosts(env, settings)?;
    if let (Some(url), Some(token)) = (
        value(env, "ACTIONS_ID_TOKEN_REQUEST_URL"),
        value(env, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ) {
        return Ok(Some(Credentials::GithubIdentity(GithubIdentity {
            url: url.to_owned(),
            token: Secret::new(token),
            audience: hosts.api().to_owned(),
        })));
    }
    let netrc = value(env, "NETRC")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(value(env, "HOME")?).join(".netrc")));
    let text = netrc.and_then(|path| sys::read_text(&path, MAX_NETRC).ok());
    let Some(password) = text.and_then(|text| netrc_password(&text, &hosts.machine())) else {
        return Ok(None);
    };
    let key = Key::parse(password.expose(), KeySource::Netrc).map_err(|error| Failure::Unusable(error.to_string()))?;
    Ok(Some(Credentials::Key(key)))
}

fn hosts(env: &Env, settings: &WandbSettings) -> Result<Hosts, Failure> {
    let base = settings.base_url.as_deref().or(value(env, "WANDB_BASE_URL"));
    Hosts::new(base, value(env, "WANDB_APP_URL")).map_err(|error| Failure::Unusable(error.to_string()))
}

fn connect(env: &Env, settings: &WandbSettings, credentials: Credentials) -> Result<Client, Failure> {
    let mut connection = Settings::new(hosts(env, settings)?, credentials);
    connection.attributed_to = Attribution {
        username: value(env, "WANDB_USERNAME").map(str::to_owned),
        email: value(env, "WANDB_USER_EMAIL").map(str::to_owned),
    };
    let patience = Patience::read(env, "WANDB")?;
    connection.pace = Pace(patience.second);
    connection.deadlines.graphql.attempt = patience.timeout;
    connection.deadlines.stream.attempt = patience.timeout;
    connection.deadlines.storage.attempt = patience.timeout;
    if let Some(warning) = connection.hosts.warning() {
        tracing::warn!("{warning}");
    }
    Client::new(connection).map_err(|error| Failure::Unusable(error.to_string()))
}

/// Where the account's runs go when nobody says where.
async fn default_entity(client: &Client) -> Result<String, String> {
    match client.viewer().await {
        Ok(viewer) => viewer
            .entity
            .clone()
            .ok_or_else(|| "this account has no default entity: set `wandb.entity`".to_owned()),
        Err(error) => Err(chain(&error)),
    }
}
