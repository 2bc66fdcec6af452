//! Champion against challenger, scored now on the same held-out rows.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{Alias, ModelName, Verdict};
use crate::config::Project;
use crate::evaluate::{
    self, ALPHA, ClassCounts, CompareRule, Comparison, Evidence, MIN_ROWS, MetricKind, Noise, Ordered, Predictions,
    SliceComparison, Truth,
};
use crate::facts::{Champion, ComparisonFacts};
use crate::gates::MetricGate;
use crate::track::{ModelRegistry, ModelVersion, RegistryError, VersionRef};
use crate::train::{self, TargetError};

use super::bundle::load_model;
use super::draft::chain;
use super::learn::{Prepared, cut};
use super::predictor::{Answers, Predictor};
use super::seen::{self, Seen};

/// Who is met: a version that was loaded, one that can not be used and why, or nobody yet. `alias` is the name it was
/// met under, such as `production`.
pub enum Met {
    Version {
        version: ModelVersion,
        model: Arc<Predictor>,
        seen: Option<Seen>,
        alias: Option<String>,
    },
    Unusable {
        version: ModelVersion,
        why: String,
        alias: Option<String>,
    },
    Nobody,
}

/// Loads what stands in production.
pub async fn champion(registry: &dyn ModelRegistry, name: &ModelName, alias: &Alias) -> Result<Met, RegistryError> {
    match load(registry, name, &VersionRef::Alias(alias.clone())).await {
        Err(RegistryError::NotFound { .. }) => Ok(Met::Nobody),
        found => found,
    }
}

/// Loads a version.
pub async fn load(registry: &dyn ModelRegistry, name: &ModelName, which: &VersionRef) -> Result<Met, RegistryError> {
    let version = registry.get(name, which).await?;
    let alias = match which {
        VersionRef::Alias(alias) => Some(alias.to_string()),
        VersionRef::Number(_) => None,
    };
    let model = match load_model(registry, &version).await? {
        Ok(model) => Arc::new(model),
        Err(why) => return Ok(Met::Unusable { version, why, alias }),
    };
    let seen = if version.files.contains_key(seen::FILE) {
        Some(Seen::from_bytes(&registry.read(&version, seen::FILE).await?))
    } else {
        None
    };
    Ok(Met::Version {
        version,
        model,
        seen,
        alias,
    })
}

/// What a comparison stands on.
pub struct Ground<'a> {
    pub project: &'a Project,
    pub prepared: &'a Prepared,
    pub truth: &'a Truth,
    pub challenger: &'a Predictions,
    pub model: &'a Predictor,
    pub seen: &'a Seen,
    pub metrics: &'a [&'static MetricKind],
    /// What models of the same training with other seeds say about the test rows.
    pub repeats: &'a [Predictions],
}

/// What is known from before this run.
#[derive(Debug, Default)]
pub struct Past {
    /// What the metric that decides varies by while nothing changes.
    pub noise: Option<Noise>,
    /// What the same training was called before against the same champion.
    pub earlier: Vec<Verdict>,
    /// Rows of each class in the data of the champion.
    pub classes: Option<ClassCounts>,
    /// How many challengers this test set has judged, this one included.
    pub uses: Option<u64>,
}

/// The champion's side of a comparison.
struct Side {
    who: Champion,
    answers: Result<Answers, String>,
    /// The positions among the test rows that neither was trained on; `None`: all of them.
    unseen: Option<Vec<usize>>,
}

/// Compares on every metric of the run and on every slice, over the rows that neither model has seen.
pub fn compare(ground: &Ground<'_>, met: &Met, past: &Past) -> ComparisonFacts {
    let itself = matches!(met, Met::Version { model, .. } if **model == *ground.model);
    let side = side(ground, met);
    let n_rows = ground.truth.len();
    let unseen: Vec<usize> = side.unseen.unwrap_or_else(|| (0..n_rows).collect());
    let known = side.answers.as_ref().ok().and_then(|answers| answers.known.clone());
    let kept: Vec<usize> = match &known {
        Some(known) => unseen.iter().copied().filter(|&row| known[row]).collect(),
        None => unseen.clone(),
    };
    let truth = ground.truth.select(&kept);
    let challenger = ground.challenger.select(&kept);
    let champion = side.answers.map(|answers| answers.predictions.select(&kept));
    let groups: Option<Vec<u32>> = ground
        .prepared
        .groups
        .as_ref()
        .map(|groups| kept.iter().map(|&row| groups[row]).collect());
    let times: Option<Vec<f64>> = ground
        .prepared
        .times
        .as_ref()
        .map(|times| kept.iter().map(|&row| times[row]).collect());
    let seed = ground.project.train.seed;
    // Of the champion itself there is but the one that stands in production.
    let repeats = if itself { &[] } else { ground.repeats };
    let repeats: Vec<Predictions> = repeats.iter().map(|one| one.select(&kept)).collect();
    let challengers: Vec<&Predictions> = std::iter::once(&challenger).chain(&repeats).collect();
    let metrics: Vec<Comparison> = ground
        .metrics
        .iter()
        .map(|kind| match &champion {
            Ok(champion) => {
                let margin = margin(ground.project, kind);
                let rule = CompareRule {
                    margin,
                    min_rows: MIN_ROWS,
                    groups: groups.as_deref(),
                    order: times.as_deref().map(|times| Ordered { horizon: 1, times }),
                    ..CompareRule::default()
                };
                match challengers.as_slice() {
                    [_, _, ..] => evaluate::compare_repeats(&truth, champion, &challengers, kind, &rule, seed),
                    _ => evaluate::compare(&truth, champion, &challenger, kind, &rule, seed),
                }
            }
            Err(why) => not_comparable(kind, &truth, &challenger, why),
        })
        .collect();
    let slices = champion.as_ref().ok().map(|champion| {
        let gate = ground.project.gates.slices.as_ref();
        let margin = gate.map(|gate| gate.max_regression).unwrap_or_default();
        let min_rows = gate.map_or(MIN_ROWS, |gate| gate.min_rows);
        let cut = among(&kept, cut(ground.project, ground.prepared));
        evaluate::compare_slices(&truth, champion, &challenger, &cut, groups.as_deref(), margin, min_rows)
    });
    let slices = slices.unwrap_or_default();
    ComparisonFacts {
        reasons: reasons(ground, past, &metrics, &slices),
        champion: side.who,
        metrics,
        slices,
        itself,
        n_left_out: n_rows - unseen.len(),
        n_unanswered: unseen.len() - kept.len(),
        test_set_uses: past.uses,
    }
}

/// What all evidence says beyond the gates, whose verdict stays as it is, and how far to trust it.
fn reasons(ground: &Ground<'_>, past: &Past, metrics: &[Comparison], slices: &[SliceComparison]) -> Vec<String> {
    let Some((primary, others)) = metrics.split_first() else {
        return Vec::new();
    };
    if primary.champion.is_none() {
        return Vec::new();
    }
    let guardrails = guardrails(&ground.project.gates.metrics, others);
    let now = evaluate::class_counts(ground.truth);
    let prevalence = past.classes.as_ref();
    let prevalence = prevalence.and_then(|before| evaluate::prevalence_shift(before, &now));
    let decision = evaluate::decide(&Evidence {
        guardrails: &guardrails,
        slices,
        noise: past.noise.as_ref(),
        earlier: &past.earlier,
        prevalence: prevalence.as_ref(),
        test_set_uses: past.uses,
        ..Evidence::of(primary)
    });
    let beyond = decision.beyond(word(primary, &guardrails));
    beyond.into_iter().chain(decision.doubts).collect()
}

/// The metrics beside the first one that gates judge. One that is not held against production can be worse, and else says
/// nothing.
fn guardrails<'a>(gates: &[MetricGate], others: &'a [Comparison]) -> Vec<&'a Comparison> {
    let judged = |one: &&Comparison| {
        gates
            .iter()
            .filter(|gate| gate.metric == one.metric && !gate.informational)
            .any(|gate| gate.max_regression.is_some() || gate.require_improvement || is_lost(one.verdict))
    };
    others.iter().filter(judged).collect()
}

/// What [`gates::overall`](crate::gates::overall) calls these metrics: the first one's word, unless another is worse.
fn word(primary: &Comparison, guardrails: &[&Comparison]) -> Verdict {
    let others = guardrails.iter().map(|one| one.verdict);
    let worse = others.filter(|verdict| is_lost(*verdict));
    worse.fold(primary.verdict, Verdict::max)
}

fn is_lost(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Worse | Verdict::FailedToRun)
}

fn side(ground: &Ground<'_>, met: &Met) -> Side {
    let test = &ground.prepared.partition.test;
    match met {
        Met::Version {
            version,
            model,
            seen,
            alias,
        } => Side {
            who: named(version, alias.as_deref()),
            answers: score(ground, version, model),
            unseen: seen.as_ref().and_then(|seen| {
                let theirs = seen.among(&ground.prepared.frame, model, test)?;
                let ours = ground.seen.among(&ground.prepared.frame, ground.model, test)?;
                Some((0..test.len()).filter(|&row| !theirs[row] && !ours[row]).collect())
            }),
        },
        Met::Unusable { version, why, alias } => Side {
            who: named(version, alias.as_deref()),
            answers: Err(format!("{}: {why}", version.number)),
            unseen: None,
        },
        Met::Nobody => {
            let (name, predictions) = baseline(ground);
            Side {
                who: Champion::Baseline { name: name.to_owned() },
                answers: predictions
                    .map(|predictions| Answers {
                        predictions,
                        known: None,
                    })
                    .map_err(|error| error.to_string()),
                unseen: None,
            }
        }
    }
}

/// What a version says about the test rows, if it was made for the same question.
fn score(ground: &Ground<'_>, version: &ModelVersion, model: &Predictor) -> Result<Answers, String> {
    answers(ground.project, ground.prepared, version, model)?;
    model
        .answer(&ground.prepared.frame, &ground.prepared.partition.test)
        .map_err(|error| format!("{} can not score these rows: {}", version.number, chain(&error)))
}

/// Whether a model answers the question that the configuration asks; the error says why not.
pub fn answers(
    project: &Project,
    prepared: &Prepared,
    version: &ModelVersion,
    model: &Predictor,
) -> Result<(), String> {
    let (target, task) = (&project.data.target, prepared.task);
    if model.target() != target {
        return Err(format!(
            "{} predicts `{}`, not `{target}`",
            version.number,
            model.target()
        ));
    }
    if model.task() != task {
        let (theirs, ours) = (model.task().name(), task.name());
        return Err(format!(
            "{} is a model for {theirs}, and this is {ours}",
            version.number
        ));
    }
    Ok(())
}

/// Slices of all test rows as slices of the kept ones.
fn among(kept: &[usize], slices: Vec<(String, Vec<usize>)>) -> Vec<(String, Vec<usize>)> {
    let position: HashMap<usize, usize> = kept.iter().enumerate().map(|(at, &row)| (row, at)).collect();
    slices
        .into_iter()
        .map(|(name, rows)| (name, rows.iter().filter_map(|row| position.get(row).copied()).collect()))
        .collect()
}

/// The challenger's side alone, inconclusive with its reason.
fn not_comparable(kind: &MetricKind, truth: &Truth, challenger: &Predictions, why: &str) -> Comparison {
    Comparison {
        metric: kind.name.to_owned(),
        direction: kind.direction,
        champion: None,
        challenger: kind.score(truth, challenger),
        difference: None,
        difference_interval: None,
        gain: None,
        lower: None,
        upper: None,
        margin: 0.0,
        method: "none".to_owned(),
        n_rows: truth.len(),
        verdict: Verdict::Inconclusive,
        rows_needed: None,
        note: Some(why.to_owned()),
        alpha: ALPHA,
        secondary: Vec::new(),
    }
}

fn named(version: &ModelVersion, alias: Option<&str>) -> Champion {
    let alias = alias.map(str::to_owned);
    let commit = version
        .metadata
        .get("commit")
        .and_then(|commit| commit.as_str())
        .map(str::to_owned);
    Champion::Version {
        version: version.number,
        alias,
        commit,
    }
}

/// The margin that a gate allows; metrics without a gate are shown with their usual one.
fn margin(project: &Project, kind: &MetricKind) -> evaluate::Margin {
    let gate: Option<&MetricGate> = project.gates.metrics.iter().find(|gate| gate.metric == kind.name);
    gate.and_then(|gate| gate.max_regression).unwrap_or(kind.default_margin)
}

/// The dummy that the first model meets: it knows the training targets and nothing else.
fn baseline(ground: &Ground<'_>) -> (&'static str, Result<Predictions, TargetError>) {
    let Prepared {
        frame, partition, task, ..
    } = ground.prepared;
    // It knows the classes that the challenger knows, those of the training rows.
    let (name, known) = match ground.challenger {
        Predictions::Numbers(_) => ("the training mean", None),
        Predictions::Classes { labels, .. } => ("the class frequencies", Some(labels.as_slice())),
    };
    let train = train::truth(frame, &partition.train, &ground.project.data.target, *task, known);
    (name, train.map(|train| evaluate::baseline(&train, ground.truth.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::gates::{self, OnInconclusive};

    fn one(name: &str, verdict: Verdict) -> Comparison {
        let truth = Truth::Numbers((0..40).map(f64::from).collect());
        let side = Predictions::Numbers((0..40).map(|i| f64::from(i) + f64::from(i % 3)).collect());
        let kind = evaluate::metric(name).unwrap();
        let alike = evaluate::compare(&truth, &side, &side, kind, &CompareRule::default(), 1);
        Comparison { verdict, ..alike }
    }

    fn gate(metric: &str) -> MetricGate {
        MetricGate {
            metric: metric.to_owned(),
            max: None,
            min: None,
            max_regression: None,
            require_improvement: false,
            informational: false,
            span: Span {
                line: 1,
                column: 1,
                end_column: 2,
            },
        }
    }

    #[test]
    fn evidence_begins_with_the_word_of_the_gates() {
        let verdicts = [
            Verdict::Better,
            Verdict::Same,
            Verdict::Inconclusive,
            Verdict::Worse,
            Verdict::FailedToRun,
        ];
        let primary_gate = MetricGate {
            max_regression: Some(evaluate::Margin::default()),
            ..gate("rmse")
        };
        let other_gates = [
            MetricGate {
                max_regression: Some(evaluate::Margin::default()),
                ..gate("mae")
            },
            MetricGate {
                max: Some(1e9),
                ..gate("mae")
            },
            MetricGate {
                informational: true,
                ..gate("mae")
            },
        ];
        let mut n_beyond = 0;
        for (own, other) in verdicts.iter().flat_map(|own| verdicts.map(|other| (*own, other))) {
            let (primary, other) = (one("rmse", own), one("mae", other));
            for second in &other_gates {
                let gates = [primary_gate.clone(), second.clone()];
                let results: Vec<gates::GateResult> = gates
                    .iter()
                    .zip([&primary, &other])
                    .map(|(gate, compared)| {
                        let result = evaluate::MetricResult {
                            name: compared.metric.clone(),
                            direction: compared.direction,
                            value: compared.challenger,
                            interval: None,
                            note: None,
                        };
                        gates::judge_metric(gate, Some(&result), Some(compared), OnInconclusive::Warn)
                    })
                    .collect();
                let others = [other.clone()];
                let guardrails = guardrails(&gates, &others);
                let word = word(&primary, &guardrails);
                assert_eq!(
                    gates::overall(&results, Some(&primary)).0,
                    word,
                    "{own:?} {other:?} {second:?}"
                );
                let decision = evaluate::decide(&Evidence {
                    guardrails: &guardrails,
                    ..Evidence::of(&primary)
                });
                // All evidence is never kinder, and says so wherever it is not the same.
                assert!(decision.verdict >= word);
                assert_eq!(decision.beyond(word).is_some(), decision.verdict != word);
                n_beyond += usize::from(decision.verdict != word);
            }
        }
        assert_eq!(
            n_beyond, 2,
            "better and the same, beside what is compared and undecided"
        );
    }
}
