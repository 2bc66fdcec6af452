//! May this version move to production, and where does a rollback lead? Pure: from what the registry says to a decision.

use serde_json::Value;

use crate::base::{Alias, Digest, VersionNumber};
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

/// What a version has to hold against.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    pub alias: &'a Alias,
    /// What stands there now.
    pub at: Option<VersionNumber>,
    /// Of the gates that the configuration asks for today.
    pub gates: Digest,
    pub warnings: Warnings,
    /// Whether drift fails a version by today's configuration.
    pub fails_on_drift: bool,
}

/// The gates that need no champion: what they found stands whoever is in production.
const ALONE: [&str; 3] = ["lint", "test", "budget"];

/// Warnings of these do not hold a version back: that the data changed since production was trained is a reason to replace
/// it by a model that has learned from them.
const OF_DATA: [&str; 1] = ["drift"];

/// Promotes only a version whose newest judgement says that every gate passed: today's gates, against what is in
/// production now.
pub fn decide(version: &ModelVersion, ground: &Ground<'_>) -> Decision {
    let Ground { alias, at, .. } = *ground;
    let number = version.number;
    let keep = |because: String| Decision::Keep { because };
    if at == Some(number) {
        return keep(format!("`{alias}` is at {number} already"));
    }
    let Some(gates) = version.metadata.get("gates").and_then(Value::as_object) else {
        return keep(format!("{number} has no record of its gates"));
    };
    let with = |status: &str| -> Vec<&str> {
        gates
            .iter()
            .filter(|(_, of)| *of == status)
            .map(|(name, _)| name.as_str())
            .collect()
    };
    let (failed, mut warned) = (with("fail"), with("warn"));
    warned.retain(|name| !OF_DATA.contains(name));
    let alone: Vec<&str> = failed.iter().copied().filter(|name| ALONE.contains(name)).collect();
    if !alone.is_empty() {
        return keep(format!("{number} failed {}", quoted(&alone)));
    }
    let same_gates = version.metadata.get("gates_digest").and_then(Value::as_str) == Some(&ground.gates.to_string());
    if champion(version) != at || !same_gates {
        return Decision::CompareFirst;
    }
    let against = at.map_or_else(|| "against the baseline".to_owned(), |at| format!("against {at}"));
    if !failed.is_empty() {
        return keep(format!("{number} failed {} {against}", quoted(&failed)));
    }
    if version.metadata.get("passed") != Some(&Value::Bool(true)) {
        return keep(format!("{number} did not pass {against}"));
    }
    let has_drifted = gates.get("drift").is_some_and(|status| status == "warn");
    if has_drifted && ground.fails_on_drift {
        return keep(format!(
            "the data of {number} drifted, which fails by `gates.drift` now: run again, and let that judge it"
        ));
    }
    match (warned.as_slice(), ground.warnings) {
        ([], _) if has_drifted => Decision::Promote {
            because: format!("every gate passed {against}, but for drift, which is of the data and holds nothing back"),
        },
        ([], _) => Decision::Promote {
            because: format!("every gate passed {against}"),
        },
        (_, Warnings::Accept) => Decision::Promote {
            because: format!(
                "no gate failed {against}; the warning of {} was accepted",
                quoted(&warned)
            ),
        },
        ([_], Warnings::Refuse) => keep(format!("{} of {number} is not green", quoted(&warned))),
        (_, Warnings::Refuse) => keep(format!("{} of {number} are not green", quoted(&warned))),
    }
}

fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Whether a rollback took this version away from `alias`, and nobody has promoted it since.
pub fn rolled_back(ledger: &[LedgerEntry], alias: &Alias, version: VersionNumber) -> bool {
    let moves = ledger.iter().rev().filter_map(|entry| match &entry.event {
        LedgerEvent::Moved(step) if step.alias == *alias => Some(step),
        _ => None,
    });
    let mut about = moves.filter(|step| step.from == Some(version) || step.to == Some(version));
    about
        .next()
        .is_some_and(|step| step.kind == MoveKind::Rollback && step.from == Some(version))
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

    fn decided(metadata: Value, at: Option<u32>, warnings: Warnings) -> Decision {
        let alias = Alias::production();
        let at = at.map(VersionNumber);
        decide(
            &version(metadata),
            &Ground {
                alias: &alias,
                at,
                gates: Digest::of(b"gates"),
                warnings,
                fails_on_drift: false,
            },
        )
    }

    fn judged(gate: &str, status: &str, champion: Option<u32>) -> Value {
        json!({
            "gates": {gate: status}, "passed": status != "fail", "champion": champion,
            "gates_digest": Digest::of(b"gates"),
        })
    }

    #[test]
    fn only_a_judgement_by_todays_gates_against_what_is_there_now_promotes() {
        let promote = |because: &str| Decision::Promote {
            because: because.into(),
        };
        let keep = |because: &str| Decision::Keep {
            because: because.into(),
        };
        let refuse = |metadata: Value| decided(metadata, Some(2), Warnings::Refuse);
        assert_eq!(
            refuse(judged("data", "pass", Some(2))),
            promote("every gate passed against v2")
        );
        assert_eq!(
            refuse(judged("data", "skipped", Some(2))),
            promote("every gate passed against v2")
        );
        assert_eq!(
            refuse(judged("data", "warn", Some(2))),
            keep("`data` of v3 is not green")
        );
        assert_eq!(
            decided(judged("data", "warn", Some(2)), Some(2), Warnings::Accept),
            promote("no gate failed against v2; the warning of `data` was accepted")
        );
        assert_eq!(
            decided(judged("data", "fail", Some(2)), Some(2), Warnings::Accept),
            keep("v3 failed `data` against v2")
        );
        assert_eq!(refuse(Value::Null), keep("v3 has no record of its gates"));
        for stale in [None, Some(1), Some(3)] {
            assert_eq!(
                refuse(judged("data", "pass", stale)),
                Decision::CompareFirst,
                "{stale:?}"
            );
            // A failure against somebody who left may be none against who is there now; one of lint stays one.
            assert_eq!(
                refuse(judged("data", "fail", stale)),
                Decision::CompareFirst,
                "{stale:?}"
            );
            assert_eq!(refuse(judged("lint", "fail", stale)), keep("v3 failed `lint`"));
        }
        let mut other = judged("data", "pass", Some(2));
        other["gates_digest"] = json!(Digest::of(b"other gates"));
        assert_eq!(refuse(other), Decision::CompareFirst);
        let there = decided(judged("data", "pass", None), Some(3), Warnings::Refuse);
        assert_eq!(there, keep("`production` is at v3 already"));
        let first = decided(judged("data", "pass", None), None, Warnings::Refuse);
        assert_eq!(first, promote("every gate passed against the baseline"));
    }

    #[test]
    fn rollbacks_go_down_the_pile_and_never_up_again() {
        let moves = [
            (None, 1, MoveKind::Promotion),
            (Some(1), 2, MoveKind::Promotion),
            (Some(2), 4, MoveKind::Promotion),
            (Some(4), 2, MoveKind::Rollback),
        ];
        let ledger: Vec<LedgerEntry> = (1..)
            .zip(moves)
            .map(|(sequence, (from, to, kind))| LedgerEntry {
                sequence,
                at: Timestamp(0),
                actor: "ada".into(),
                model: "m".parse().unwrap(),
                event: LedgerEvent::Moved(AliasMove {
                    alias: Alias::production(),
                    from: from.map(VersionNumber),
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
        for (version, gone) in [(1, false), (2, false), (4, true), (7, false)] {
            assert_eq!(
                rolled_back(&ledger, &Alias::production(), VersionNumber(version)),
                gone,
                "v{version}"
            );
        }
        assert!(
            !rolled_back(&ledger[..3], &Alias::production(), VersionNumber(4)),
            "before the rollback"
        );
    }
}
