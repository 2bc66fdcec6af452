//! Moving what production is, each move with its evidence: the same for the command line and for a comment.

use crate::base::{Alias, VersionNumber};
use crate::drift::Policy;
use crate::pipeline::{self, Options, Services};
use crate::promote::{self, Decision, Ground, Warnings};
use crate::track::{AliasMove, Judgement, ModelVersion, MoveKind, RegistryError, VersionRef};

use super::Failure;
use super::project::Opened;

/// What somebody wants in production.
pub struct Wanted {
    pub version: VersionRef,
    pub warnings: Warnings,
    /// Where and by whom it was asked for, for the ledger; none when the actor says it all.
    pub asked: Option<String>,
}

impl Wanted {
    pub fn candidate() -> Self {
        Self {
            version: VersionRef::Alias(Alias::candidate()),
            warnings: Warnings::Refuse,
            asked: None,
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Move(AliasMove),
    Stays {
        because: String,
        /// It is where it was wanted.
        is_there: bool,
        /// Only a warning stands in the way, and a person may accept it.
        can_accept: bool,
    },
}

/// Moves the production alias to a version whose gates are green against what is in production now.
pub async fn promote(opened: &Opened, services: &Services, wanted: &Wanted) -> Result<Outcome, Failure> {
    let outcome = decide(opened, services, wanted, Judging::Recorded).await?;
    let Outcome::Move(step) = &outcome else {
        return Ok(outcome);
    };
    match act(opened, services, step).await {
        // Somebody was faster, with the very same.
        Err(Failure::Registry(RegistryError::Conflict { found, .. })) if found == step.to => Ok(Outcome::Stays {
            because: format!("`{}` was moved there meanwhile", step.alias),
            is_there: true,
            can_accept: false,
        }),
        acted => acted.map(|()| outcome),
    }
}

/// What [`promote`] would do now; nothing is written.
pub async fn plan(opened: &Opened, services: &Services, wanted: &Wanted) -> Result<Outcome, Failure> {
    decide(opened, services, wanted, Judging::Forgotten).await
}

/// Moves the production alias back to where it was before.
pub async fn roll_back(opened: &Opened, services: &Services, asked: Option<&str>) -> Result<Outcome, Failure> {
    let (model, alias) = (&opened.project.model, &opened.project.promote.to);
    let registry = services.registry.as_ref();
    let from = registry.aliases(model).await?.get(alias).copied();
    let ledger = registry.ledger(model).await?;
    let Some(to) = promote::before(&ledger, alias) else {
        return Ok(Outcome::Stays {
            because: format!("`{alias}` has no earlier version to go back to"),
            is_there: false,
            can_accept: false,
        });
    };
    let step = AliasMove {
        alias: alias.clone(),
        from,
        to: Some(to),
        kind: MoveKind::Rollback,
        because: because("rolled back", asked),
    };
    act(opened, services, &step).await?;
    Ok(Outcome::Move(step))
}

/// Whether what a comparison finds on the way becomes the version's newest judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judging {
    Recorded,
    Forgotten,
}

async fn decide(opened: &Opened, services: &Services, wanted: &Wanted, judging: Judging) -> Result<Outcome, Failure> {
    let (model, alias) = (&opened.project.model, &opened.project.promote.to);
    let registry = services.registry.as_ref();
    let mut version = registry.get(model, &wanted.version).await?;
    let from = registry.aliases(model).await?.get(alias).copied();
    let ground = Ground {
        alias,
        at: from,
        gates: pipeline::gates_digest(&opened.project),
        warnings: wanted.warnings,
        fails_on_drift: opened.project.gates.drift.settings.policy == Policy::Fail,
    };
    let mut decision = promote::decide(&version, &ground);
    if decision == Decision::CompareFirst {
        version = compare_again(opened, services, version, from, judging).await?;
        decision = promote::decide(&version, &ground);
    }
    Ok(match decision {
        Decision::Promote { because: evidence } => Outcome::Move(AliasMove {
            alias: alias.clone(),
            from,
            to: Some(version.number),
            kind: MoveKind::Promotion,
            because: because(&evidence, wanted.asked.as_deref()),
        }),
        Decision::Keep { because } => {
            let is_there = from == Some(version.number);
            let can_accept = !is_there && wanted.warnings == Warnings::Refuse && because.ends_with("not green");
            Outcome::Stays {
                because,
                is_there,
                can_accept,
            }
        }
        Decision::CompareFirst => Outcome::Stays {
            because: format!(
                "{} was judged against a version that is not in production",
                version.number
            ),
            is_there: false,
            can_accept: false,
        },
    })
}

fn because(evidence: &str, asked: Option<&str>) -> String {
    asked.map_or_else(|| evidence.to_owned(), |asked| format!("{evidence}; {asked}"))
}

/// Moves the alias, once the version that it goes to was seen to be whole.
async fn act(opened: &Opened, services: &Services, step: &AliasMove) -> Result<(), Failure> {
    let model = &opened.project.model;
    let registry = services.registry.as_ref();
    if let Some(to) = step.to {
        let target = registry.get(model, &VersionRef::Number(to)).await?;
        if let Err(why) = pipeline::load_model(registry, &target).await? {
            return Err(Failure::Unusable(format!("{to} can not be used: {why}")));
        }
    }
    Ok(registry
        .move_alias(model, step.clone(), &services.actor, services.now)
        .await?)
}

/// Compares the version with what is in production now, on today's held-out rows.
async fn compare_again(
    opened: &Opened,
    services: &Services,
    version: ModelVersion,
    champion: Option<VersionNumber>,
    judging: Judging,
) -> Result<ModelVersion, Failure> {
    let options = Options::looking(&opened.file);
    let (met, number) = (champion.map(VersionRef::Number), VersionRef::Number(version.number));
    let mut finished = pipeline::compare_versions(&opened.project, services, &options, met.as_ref(), &number).await?;
    finished.problems.locate(&opened.file, &opened.text);
    if finished.problems.has_errors() {
        return Err(finished.problems.into());
    }
    if finished.could_not_find_out || finished.facts.comparison.is_none() {
        let why = format!(
            "{} could not be compared with what is in production: {}",
            version.number, finished.facts.reason
        );
        return Err(Failure::Unusable(why));
    }
    let metadata = pipeline::judged_again(&version.metadata, &finished.facts);
    if judging == Judging::Forgotten {
        return Ok(ModelVersion { metadata, ..version });
    }
    let passed = metadata["passed"] == true;
    let judgement = Judgement {
        version: version.number,
        against: champion,
        passed,
        metadata,
    };
    services
        .registry
        .judge(&version.model, judgement, &services.actor, services.now)
        .await?;
    Ok(services
        .registry
        .get(&version.model, &VersionRef::Number(version.number))
        .await?)
}
