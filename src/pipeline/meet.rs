//! The step that meets the champion, and what a reviewer should know about that meeting.

use std::sync::Arc;

use crate::base::Digest;
use crate::config::Project;
use crate::facts::{HistoryPoint, Outcome};
use crate::sys::Stopwatch;
use crate::track::{ModelVersion, RegistryError};

use super::compare::{self, Ground, Met};
use super::draft::{Draft, beside, chain};
use super::steps::Made;
use super::{Event, Services};

/// A test set that has judged this many challengers is worn: the best of many looks better than it is.
const WORN: u64 = 5;

/// Meets what stands in production; a registry that can not be read makes it an error, never a pass.
pub async fn compare_with_production(draft: &mut Draft, project: &Arc<Project>, services: &Services, made: &Made) {
    services.tell(Event::StepStarted { step: "compare" });
    let watch = Stopwatch::start();
    let registry = services.registry.as_ref();
    let found = async {
        let versions = registry.versions(&project.model).await?;
        let met = compare::champion(registry, &project.model, &project.promote.to).await?;
        Ok::<_, RegistryError>((versions, met))
    };
    let (versions, met) = match found.await {
        Ok(found) => found,
        Err(error) => {
            let detail = chain(&error);
            draft
                .facts
                .alerts
                .push(format!("production could not be read: {detail}"));
            draft.step(services, "compare", Outcome::Error, Some(detail), watch.elapsed_ms());
            return;
        }
    };
    draft.facts.history = history(&versions, draft.facts.evaluation.as_ref().map_or("", |e| &e.primary));
    let model = draft.facts.training.as_ref().map(|training| training.digest);
    let uses = uses(&versions, &made.ready.prepared.facts.test_digest, model);
    if uses >= WORN {
        draft.facts.alerts.push(format!(
            "this test set has judged {uses} models: it is worn, take fresh rows"
        ));
    }
    meet(draft, project, services, made, met, uses, &watch).await;
}

/// Meets a champion that is loaded already.
pub async fn compare_with(draft: &mut Draft, project: &Arc<Project>, services: &Services, made: &Made, met: Met) {
    services.tell(Event::StepStarted { step: "compare" });
    let watch = Stopwatch::start();
    meet(draft, project, services, made, met, 1, &watch).await;
}

async fn meet(
    draft: &mut Draft,
    project: &Arc<Project>,
    services: &Services,
    made: &Made,
    met: Met,
    uses: u64,
    watch: &Stopwatch,
) {
    alerts(draft, &met, made);
    let (of, prepared, metrics, evaluated) = (
        Arc::clone(project),
        Arc::clone(&made.ready.prepared),
        Arc::clone(&made.ready.metrics),
        Arc::clone(&made.evaluated),
    );
    let compared = beside(move || {
        let ground = Ground {
            project: &of,
            prepared: &prepared,
            truth: &evaluated.truth,
            challenger: &evaluated.predictions,
            metrics: &metrics,
        };
        compare::compare(&ground, &met, uses)
    });
    match compared.await {
        Ok(comparison) => {
            draft.facts.comparison = Some(comparison);
            draft.step(services, "compare", Outcome::Done, None, watch.elapsed_ms());
        }
        Err(panic) => draft.step(services, "compare", Outcome::Error, Some(panic), watch.elapsed_ms()),
    }
}

/// What a reviewer should know about the meeting itself.
fn alerts(draft: &mut Draft, met: &Met, made: &Made) {
    let facts = &mut draft.facts;
    match met {
        Met::Nobody => facts
            .alerts
            .push("no production version yet: compared with a baseline that learns nothing".to_owned()),
        Met::Unusable { version, why } => facts
            .alerts
            .push(format!("{} can not be compared: {why}", version.number)),
        Met::Version { version, .. } => {
            let split = version.metadata.pointer("/data/split").and_then(|split| split.as_str());
            let digest = version
                .metadata
                .pointer("/data/digest")
                .and_then(|digest| digest.as_str());
            let same_data = digest == Some(made.ready.prepared.facts.digest.to_string().as_str());
            if same_data && split.is_some_and(|split| split != made.ready.prepared.facts.split) {
                facts.alerts.push(format!(
                    "{} was trained with another split of the same data: it may have seen rows that it is scored on",
                    version.number
                ));
            }
        }
    }
}

fn history(versions: &[ModelVersion], primary: &str) -> Vec<HistoryPoint> {
    let newest = versions.len().saturating_sub(20);
    versions[newest..]
        .iter()
        .filter_map(|version| {
            let value = version.metadata.get("metrics")?.get(primary)?.as_f64()?;
            Some(HistoryPoint {
                label: version.number.to_string(),
                value,
            })
        })
        .collect()
}

/// How many different models this test set has judged, this one included.
fn uses(versions: &[ModelVersion], test: &Digest, model: Option<Digest>) -> u64 {
    let test = test.to_string();
    let at = |version: &ModelVersion, pointer: &str| {
        version
            .metadata
            .pointer(pointer)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    let mut models: std::collections::BTreeSet<String> = versions
        .iter()
        .filter(|version| at(version, "/data/test_digest").as_deref() == Some(test.as_str()))
        .filter_map(|version| at(version, "/training/model_digest"))
        .collect();
    models.extend(model.map(|model| model.to_string()));
    models.len() as u64
}
