//! May this version move to production, and where does a rollback lead? Pure: from what the registry says to a decision.

use serde_json::Value;

use crate::base::{Alias, VersionNumber};
use crate::track::{LedgerEntry, LedgerEvent, ModelVersion, MoveKind};

/// What to do with the alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Promote {
        because: String,
    },
    /// What the version was judged against is not in production any more: compare, then decide again.
    CompareFirst,
    Keep {
        because: String,
    },
}

/// Who lets a gate that warned count as passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warnings {
    /// Nobody: production moves only with every gate green.
    Refuse,
    /// A person who said so; it stands in the ledger.
    Accept,
}

/// Promotes only a version whose newest judgement says that every gate passed, against what is in production now.
pub fn decide(version: &ModelVersion, at: Option<VersionNumber>, alias: &Alias, warnings: Warnings) -> Decision {
    let keep = |because: String| Decision::Keep { because };
    if at == Some(version.number) {
        return keep(format!("`{alias}` is at {} already", version.number));
    }
    let Some(gates) = version.metadata.get("gates").and_then(Value::as_object) else {
        return keep(format!("{} has no record of its gates", version.number));
    };
    let with = |status: &str| {
        let named = gates
            .iter()
            .filter(|(_, of)| *of == status)
            .map(|(name, _)| format!("`{name}`"));
        named.collect::<Vec<_>>().join(", ")
    };
    let (failed, warned) = (with("fail"), with("warn"));
    if !failed.is_empty() {
        return keep(format!("{} failed {failed}", version.number));
    }
    if version.metadata.get("passed") != Some(&Value::Bool(true)) {
        return keep(format!("{} did not pass", version.number));
    }
    if champion(version) != at {
        return Decision::CompareFirst;
    }
    match (warned.is_empty(), warnings) {
        (true, _) => Decision::Promote {
            because: "every gate passed".to_owned(),
        },
        (false, Warnings::Accept) => Decision::Promote {
            because: format!("no gate failed; the warning of {warned} was accepted"),
        },
        (false, Warnings::Refuse) => keep(format!("{warned} of {} is not green", version.number)),
    }
}

/// The version that this one was last judged against; `None` is the baseline.
fn champion(version: &ModelVersion) -> Option<VersionNumber> {
    let number = version.metadata.get("champion").and_then(Value::as_u64)?;
    u32::try_from(number).ok().map(VersionNumber)
}

/// Where `alias` was before its last promotion that still stands: promotions pile up, a rollback takes the top one off.
/// `None` when there is nothing below.
pub fn before(ledger: &[LedgerEntry], alias: &Alias) -> Option<VersionNumber> {
    let mut pile: Vec<VersionNumber> = Vec::new();
    for entry in ledger {
        if let LedgerEvent::Moved(step) = &entry.event
            && step.alias == *alias
        {
            match (step.kind, step.to) {
                (MoveKind::Rollback, _) => drop(pile.pop()),
                (MoveKind::Promotion | MoveKind::Publication, Some(to)) => pile.push(to),
                (MoveKind::Promotion | MoveKind::Publication, None) => pile.clear(),
            }
        }
    }
    pile.pop();
    pile.pop()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Digest, ModelName, Timestamp};
    use crate::track::AliasMove;
    use serde_json::json;

    fn version(metadata: Value) -> ModelVersion {
        ModelVersion {
            model: "m".parse::<ModelName>().unwrap(),
            number: VersionNumber(3),
            digest: Digest::of(b""),
            files: std::collections::BTreeMap::new(),
            metadata,
            actor: "ada".into(),
            at: Timestamp(0),
        }
    }

    fn says(metadata: Value, warnings: Warnings) -> Decision {
        decide(
            &version(metadata),
            Some(VersionNumber(2)),
            &Alias::production(),
            warnings,
        )
    }

    #[test]
    fn only_a_judgement_against_what_is_there_now_promotes() {
        let promote = |because: &str| Decision::Promote {
            because: because.into(),
        };
        let keep = |because: &str| Decision::Keep {
            because: because.into(),
        };
        let judged = |lint: &str, passed: bool, champion: Option<u32>| json!({"gates": {"lint": lint}, "passed": passed, "champion": champion});
        let refuse = |metadata: Value| says(metadata, Warnings::Refuse);
        assert_eq!(refuse(judged("pass", true, Some(2))), promote("every gate passed"));
        assert_eq!(refuse(judged("skipped", true, Some(2))), promote("every gate passed"));
        assert_eq!(refuse(judged("warn", true, Some(2))), keep("`lint` of v3 is not green"));
        assert_eq!(
            says(judged("warn", true, Some(2)), Warnings::Accept),
            promote("no gate failed; the warning of `lint` was accepted")
        );
        assert_eq!(
            says(judged("fail", true, Some(2)), Warnings::Accept),
            keep("v3 failed `lint`")
        );
        assert_eq!(refuse(judged("pass", false, Some(2))), keep("v3 did not pass"));
        assert_eq!(refuse(Value::Null), keep("v3 has no record of its gates"));
        for stale in [None, Some(1), Some(3)] {
            assert_eq!(refuse(judged("pass", true, stale)), Decision::CompareFirst, "{stale:?}");
        }
        let there = decide(
            &version(judged("pass", true, None)),
            Some(VersionNumber(3)),
            &Alias::production(),
            Warnings::Refuse,
        );
        assert_eq!(there, keep("`production` is at v3 already"));
        let first = decide(
            &version(judged("pass", true, None)),
            None,
            &Alias::production(),
            Warnings::Refuse,
        );
        assert_eq!(first, promote("every gate passed"));
    }

    #[test]
    fn rollbacks_go_down_the_pile_and_never_up_again() {
        let moves = [
            (1, MoveKind::Promotion),
            (2, MoveKind::Promotion),
            (4, MoveKind::Promotion),
            (2, MoveKind::Rollback),
        ];
        let ledger: Vec<LedgerEntry> = (1..)
            .zip(moves)
            .map(|(sequence, (to, kind))| LedgerEntry {
                sequence,
                at: Timestamp(0),
                actor: "ada".into(),
                model: "m".parse().unwrap(),
                event: LedgerEvent::Moved(AliasMove {
                    alias: Alias::production(),
                    from: None,
                    to: Some(VersionNumber(to)),
                    kind,
                    because: String::new(),
                }),
            })
            .collect();
        assert_eq!(before(&ledger[..1], &Alias::production()), None);
        assert_eq!(before(&ledger[..3], &Alias::production()), Some(VersionNumber(2)));
        assert_eq!(before(&ledger, &Alias::production()), Some(VersionNumber(1)));
        assert_eq!(before(&ledger, &Alias::candidate()), None);
    }
}
