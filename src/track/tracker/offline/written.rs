//! Values of a run as records of its log. Pure.

use crate::track::record::RunStart;
use crate::wandb::log::item;
use crate::wandb::log::records::Moment as Instant;
use crate::wandb::log::records::{
    Artifact, Content, Exit, File, Files, Git, History, Item, Items, Kind, Manifest, Metric, MetricOptions,
    MetricSummary, Output, PolicyConfig, Run, Step,
};
use crate::wandb::media::{Extras, Moment, OWN};
use crate::wandb::{Described, RunPath};

const STDOUT: i32 = 1;
/// When the run is over.
const AT_THE_END: i32 = 1;
const OF_WANDB: i32 = 1;
const MEDIA: i32 = 2;

fn instant(at_ms: i64) -> Instant {
    let below_a_second = i32::try_from(at_ms.rem_euclid(1000)).unwrap_or_default();
    Instant {
        seconds: at_ms.div_euclid(1000),
        nanos: below_a_second * 1_000_000,
    }
}

fn items<'a>(values: impl IntoIterator<Item = (&'a str, String)>) -> Vec<Item> {
    values.into_iter().map(|(name, value)| item(name, value)).collect()
}

type Settings = std::collections::BTreeMap<String, serde_json::Value>;

fn settings(config: &Settings) -> Vec<Item> {
    let own = |(name, _): &(&String, _)| *name != OWN;
    items(
        config
            .iter()
            .filter(own)
            .map(|(name, value)| (name.as_str(), value.to_string())),
    )
}

pub fn begun(run: &RunPath, start: &RunStart) -> Kind {
    Kind::Run(Run {
        run_id: run.run.clone(),
        entity: run.entity.clone(),
        project: run.project.clone(),
        config: Some(Items {
            update: settings(&start.config),
            remove: Vec::new(),
        }),
        run_group: start.group.clone().unwrap_or_default(),
        job_type: start.job_type.clone(),
        display_name: start.display_name.clone(),
        notes: start.notes.clone().unwrap_or_default(),
        tags: start.tags.clone(),
        host: start.host.clone().unwrap_or_default(),
        start_time: Some(instant(start.started.0.saturating_mul(1000))),
        git: start.git.as_ref().map(|git| Git {
            remote_url: git.remote.clone(),
            commit: git.commit.clone(),
        }),
    })
}

pub fn said(moment: Moment, line: &str) -> Kind {
    Kind::Output(Output {
        output_type: STDOUT,
        timestamp: Some(instant(moment.at_ms)),
        line: format!("{line}\n"),
    })
}

/// Settings that joined, and the panels of charts.
pub fn found(config: &Settings, extras: &Extras) -> Kind {
    let mut update = settings(config);
    update.extend(extras.panels.iter().map(|(key, panel)| Item {
        key: String::new(),
        nested_key: [OWN, "visualize", key].map(str::to_owned).to_vec(),
        value_json: panel.to_string(),
    }));
    Kind::Config(Items {
        update,
        remove: Vec::new(),
    })
}

/// A value that gets no panel of its own.
pub fn hidden(name: &str) -> Kind {
    Kind::Metric(Metric {
        name: name.to_owned(),
        options: Some(MetricOptions {
            hidden: true,
            defined: true,
            ..MetricOptions::default()
        }),
        summary: Some(MetricSummary::default()),
        ..Metric::default()
    })
}

pub fn history<'a>(step: u64, values: impl IntoIterator<Item = (&'a str, String)>) -> Kind {
    Kind::History(History {
        item: items(values),
        step: Some(Step {
            num: i64::try_from(step).unwrap_or(i64::MAX),
        }),
    })
}

pub fn summary<'a>(values: impl IntoIterator<Item = (&'a str, String)>) -> Kind {
    Kind::Summary(Items {
        update: items(values),
        remove: Vec::new(),
    })
}

pub fn files(names: impl IntoIterator<Item = String>) -> Kind {
    let kind = |name: &str| match name {
        "config.yaml" | "wandb-summary.json" | "wandb-metadata.json" | "output.log" => OF_WANDB,
        name if name.starts_with("media/") => MEDIA,
        _ => 0,
    };
    let file = |name: String| File {
        kind: kind(&name),
        policy: AT_THE_END,
        path: name,
    };
    Kind::Files(Files {
        files: names.into_iter().map(file).collect(),
    })
}

/// An artifact whose files are in `folder`, as the log names it.
pub fn artifact(run: &RunPath, artifact: Described, folder: &str, is_given: bool) -> Kind {
    let entry = |entry: crate::wandb::DescribedEntry| Content {
        digest: entry.digest,
        local_path: match &entry.reference {
            None => format!("{folder}/{}", entry.path),
            Some(_) => String::new(),
        },
        reference: entry.reference.unwrap_or_default(),
        size: i64::try_from(entry.size_bytes).unwrap_or(i64::MAX),
        path: entry.path,
    };
    Kind::Artifact(Artifact {
        run_id: run.run.clone(),
        project: run.project.clone(),
        entity: run.entity.clone(),
        type_name: artifact.type_name,
        name: artifact.name,
        digest: artifact.digest,
        description: String::new(),
        metadata: artifact
            .metadata
            .map(|metadata| metadata.to_string())
            .unwrap_or_default(),
        use_after_commit: is_given,
        aliases: vec!["latest".to_owned()],
        manifest: Some(Manifest {
            version: 1,
            storage_policy: "wandb-storage-policy-v1".to_owned(),
            policy_config: vec![PolicyConfig {
                key: "storageLayout".to_owned(),
                value_json: "\"V2\"".to_owned(),
            }],
            contents: artifact.entries.into_iter().map(entry).collect(),
        }),
        finalize: true,
        client_id: artifact.client_ids.artifact,
        sequence_client_id: artifact.client_ids.sequence,
        tags: Vec::new(),
    })
}

pub fn exit(moment: Moment, exit_code: u8) -> Kind {
    Kind::Exit(Exit {
        exit_code: i32::from(exit_code),
        runtime: i32::try_from(moment.runtime_ms / 1000).unwrap_or(i32::MAX),
    })
}
