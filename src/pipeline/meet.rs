//! The step that meets the champion, and what a reviewer should know about that meeting.

use std::sync::Arc;

use crate::base::Digest;
use crate::config::Project;
use crate::facts::{Champion, HistoryPoint, Outcome};
use crate::sys::Stopwatch;
use crate::track::{ModelVersion, RegistryError};

use super::compare::{self, Ground, Met};
use super::draft::{Draft, beside, chain};
use super::steps::Made;
use super::uses;
use super::{Event, Services};

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
        // Nobody failed: what could not be compared is undecided, and never reads as a pass.
        Err(RegistryError::Withheld { why }) => {
            draft.facts.alerts.push(format!("not compared with production: {why}"));
            draft.step(services, "compare", Outcome::Skipped, Some(why), watch.elapsed_ms());
            return;
        }
        Err(error) => {
            let detail = chain(&error);
            draft.step(services, "compare", Outcome::Error, Some(detail), watch.elapsed_ms());
            return;
        }
    };
    draft.facts.history = history(&versions, draft.facts.evaluation.as_ref().map_or("", |e| &e.primary));
    // Of a model of the repository's own the answers are a part.
    let trained = draft.facts.training.as_ref().map(|training| training.digest);
    let model = trained.unwrap_or_else(|| Digest::of(&made.bytes));
    let test = made.ready.prepared.facts.test_digest;
    let uses = uses::count(&services.root, &versions, test, model);
    let uses = uses
        .inspect_err(|error| tracing::warn!(%error, "could not count what this test set has judged"))
        .ok();
    meet(draft, project, services, made, (met, uses), &watch).await;
}

/// Meets a champion that is loaded already.
pub async fn compare_with(draft: &mut Draft, project: &Arc<Project>, services: &Services, made: &Made, met: Met) {
    services.tell(Event::StepStarted { step: "compare" });
    let watch = Stopwatch::start();
    meet(draft, project, services, made, (met, None), &watch).await;
}

async fn meet(
    draft: &mut Draft,
    project: &Arc<Project>,
    services: &Services,
    made: &Made,
    (met, uses): (Met, Option<u64>),
    watch: &Stopwatch,
) {
    if let Met::Nobody = met {
        let alert = "no production version yet: compared with a baseline that learns nothing";
        draft.facts.alerts.push(alert.to_owned());
    }
    let (of, prepared, metrics) = (
        Arc::clone(project),
        Arc::clone(&made.ready.prepared),
        Arc::clone(&made.ready.metrics),
    );
    let (evaluated, model, seen) = (
        Arc::clone(&made.evaluated),
        Arc::clone(&made.model),
        Arc::clone(&made.seen),
    );
    let compared = beside(move || {
        let ground = Ground {
            project: &of,
            prepared: &prepared,
            truth: &evaluated.truth,
            challenger: &evaluated.predictions,
            model: &model,
            seen: &seen,
            metrics: &metrics,
        };
        compare::compare(&ground, &met, uses)
    });
    match compared.await {
        Ok(comparison) => {
            if comparison.n_left_out > 0 {
                let (left_out, all) = (comparison.n_left_out, made.ready.prepared.partition.test.len());
                let alert =
                    format!("{left_out} of {all} test rows are left out of the comparison: they were trained on");
                draft.facts.alerts.push(alert);
            }
            if let (n @ 1.., Champion::Version { version, .. }) = (comparison.n_unanswered, &comparison.champion) {
                let all = made.ready.prepared.partition.test.len();
                let alert = format!(
                    "{n} of {all} test rows are left out of the comparison: {version} was made by the repository's own code, \
                     which never predicted them and left no ONNX file"
                );
                draft.facts.alerts.push(alert);
            }
            let first = comparison.metrics.first();
            if let (Champion::Version { version, .. }, Some(note)) = (
                &comparison.champion,
                first
                    .filter(|one| one.champion.is_none())
                    .and_then(|one| one.note.as_ref()),
            ) {
                draft
                    .facts
                    .alerts
                    .push(format!("{version} could not be compared: {note}"));
            }
            draft.facts.comparison = Some(comparison);
            draft.step(services, "compare", Outcome::Done, None, watch.elapsed_ms());
        }
        Err(panic) => draft.step(services, "compare", Outcome::Error, Some(panic), watch.elapsed_ms()),
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
