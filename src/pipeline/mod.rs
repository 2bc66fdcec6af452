//! The run: data → training → evaluation → comparison → gates → version, each step a fact whatever happens.

mod bundle;
mod cache;
mod commit;
mod compare;
mod draft;
mod drift;
mod environment;
mod judge;
mod learn;
mod left;
mod meet;
mod onnx;
mod own;
mod past_tests;
mod pickles;
mod predictor;
mod publish;
mod repeats;
mod run;
mod seen;
mod steps;
mod store;
mod uses;
mod work;
mod workflow;

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::{Digest, Timestamp};
use crate::exec::{Sandbox, User};
use crate::facts::Outcome;
use crate::lint::Changed;
use crate::track::ModelRegistry;

pub use bundle::{csv_field, judged_again, load_model, metadata as version_metadata};
pub use cache::{is_packed_name, pack as cache_pack, unpack as cache_unpack};
pub use commit::head as head_commit;
pub use draft::{beside, chain, gates_digest};
pub use drift::{Change, Sources, Spot, Watch, Watched, drift_of_files, watch};
pub use environment::{Built, Fetching, Shelf};
pub use predictor::{AnswerError, Answers, Predictor};
pub use publish::{digest as bundle_digest, publish_run};
pub use run::{Finished, Options, check, compare_versions, measure_drift, run, run_step};
pub use store::{
    RunFiles, StoreError, check_state, directory as run_directory, latest, load, load_facts, run_named, save,
};
pub use work::WorkFolder;
pub use workflow::shown as step_shown;

/// What a run acts with. Everything that differs between a laptop and a runner is in here.
pub struct Services {
    /// The repository's root: paths of the configuration are relative to it.
    pub root: PathBuf,
    pub registry: Box<dyn ModelRegistry>,
    /// Where the registry is, for people: `.mlops/registry`.
    pub registry_place: String,
    /// The environment of child processes, scrubbed already.
    pub child_env: BTreeMap<String, String>,
    /// Who child processes run as; none is who we are.
    pub child_user: Option<User>,
    /// What they may touch and take.
    pub sandbox: Sandbox,
    /// A folder for what they leave us, which is not part of the repository.
    pub work: WorkFolder,
    /// The runner's folder for temporary files; none on a laptop.
    pub temp: Option<PathBuf>,
    /// Where environments are kept between jobs; none on a laptop.
    pub shelf: Option<Shelf>,
    /// Which environment commands run in, once it is there.
    pub environment: Option<Digest>,
    /// What the change under judgement touched; none: everything counts.
    pub changed: Option<Changed>,
    /// The branch of a pull request, for what keeps runs apart by branch: `pr_7`.
    pub branch: Option<String>,
    pub actor: String,
    pub now: Timestamp,
    /// The run on GitHub, where this is one.
    pub run: Option<RunPage>,
    /// Progress for people; nobody has to listen.
    pub events: UnboundedSender<Event>,
}

/// A run on GitHub; those of one repository differ in the number only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPage {
    /// The address of every run's page, but for its number: `https://github.com/ada/diabetes/actions/runs/`.
    pub base: String,
    pub id: u64,
}

impl Services {
    /// Tells whoever listens; a run goes on without listeners.
    pub fn tell(&self, event: Event) {
        self.events.send(event).ok();
    }
}

/// The one stream out of a running pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    StepStarted {
        step: &'static str,
    },
    /// One line that a command printed, made inert already.
    Output {
        step: &'static str,
        line: String,
    },
    StepFinished {
        step: &'static str,
        outcome: Outcome,
        detail: Option<String>,
        elapsed_ms: u64,
    },
}
