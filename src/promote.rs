//! May this version move to production, and where does a rollback lead? Pure: from what the registry says to a decision.

use serde_json::Value;

use crate::base::{Alias, VersionNumber};
use crate::track::{LedgerEntry, LedgerEvent, ModelVersion};

/// What to do with the alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Promote { because: String },
    Keep { because: String },
}

/// Promotes only a version whose own record says that every gate passed; what was not evaluated does not pass.
pub fn decide(version: &ModelVersion, at: Option<VersionNumber>, alias: &Alias) -> Decision {
    let keep = |because: String| Decision::Keep { because };
    if at == Some(version.number) {
        return keep(format!("`{alias}` is at {} already", version.number));
    }
    let Some(gates) = version.metadata.get("gates").and_then(Value::as_object) else {
        return keep(format!("{} has no record of its gates", version.number));
    };
    let failed: Vec<&str> = gates
        .iter()
        .filter(|(_, status)| *status == "fail")
        .map(|(name, _)| name.as_str())
        .collect();
    if !failed.is_empty() {
        return keep(format!("{} failed {}", version.number, quoted(&failed)));
    }
    if version.metadata.get("passed") != Some(&Value::Bool(true)) {
        return keep(format!("{} did not pass", version.number));
    }
    let warned: Vec<&str> = gates
        .iter()
        .filter(|(_, status)| *status == "warn")
        .map(|(name, _)| name.as_str())
        .collect();
    Decision::Promote {
        because: if warned.is_empty() {
            "every gate passed".to_owned()
        } else {
            format!("no gate failed; {} warned", quoted(&warned))
        },
    }
}

fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The reason that marks a move as a rollback in the ledger.
pub const ROLLED_BACK: &str = "rolled back";

/// Where `alias` was before its last promotion that still stands: promotions pile up, a rollback takes the top one off.
/// `None` when there is nothing below.
pub fn before(ledger: &[LedgerEntry], alias: &Alias) -> Option<VersionNumber> {
    let mut pile: Vec<VersionNumber> = Vec::new();
    for entry in ledger {
        if let LedgerEvent::Moved(step) = &entry.event
            && step.alias == *alias
        {
            match step.to {
                _ if step.because.starts_with(ROLLED_BACK) => drop(pile.pop()),
                Some(to) => pile.push(to),
                None => pile.clear(),
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

    fn says(metadata: Value) -> Decision {
        decide(&version(metadata), Some(VersionNumber(2)), &Alias::production())
    }

    #[test]
    fn only_a_record_of_passing_promotes() {
        let promote = |because: &str| Decision::Promote {
            because: because.into(),
        };
        let keep = |because: &str| Decision::Keep {
            because: because.into(),
        };
        let gates = |lint: &str, passed: bool| serde_json::json!({"gates": {"lint": lint}, "passed": passed});
        assert_eq!(says(gates("pass", true)), promote("every gate passed"));
        assert_eq!(says(gates("warn", true)), promote("no gate failed; `lint` warned"));
        assert_eq!(says(gates("fail", true)), keep("v3 failed `lint`"));
        assert_eq!(says(gates("pass", false)), keep("v3 did not pass"));
        assert_eq!(says(Value::Null), keep("v3 has no record of its gates"));
        let again = decide(
            &version(gates("pass", true)),
            Some(VersionNumber(3)),
            &Alias::production(),
        );
        assert_eq!(again, keep("`production` is at v3 already"));
    }

    #[test]
    fn rollbacks_go_down_the_pile_and_never_up_again() {
        let moves = [(Some(1), "p"), (Some(2), "p"), (Some(4), "p"), (Some(2), ROLLED_BACK)];
        let ledger: Vec<LedgerEntry> = (1..)
            .zip(moves)
            .map(|(sequence, (to, because))| LedgerEntry {
                sequence,
                at: Timestamp(0),
                actor: "ada".into(),
                model: "m".parse().unwrap(),
                event: LedgerEvent::Moved(AliasMove {
                    alias: Alias::production(),
                    from: None,
                    to: to.map(VersionNumber),
                    because: because.into(),
                }),
            })
            .collect();
        assert_eq!(before(&ledger[..1], &Alias::production()), None);
        assert_eq!(before(&ledger[..3], &Alias::production()), Some(VersionNumber(2)));
        assert_eq!(before(&ledger, &Alias::production()), Some(VersionNumber(1)));
        assert_eq!(before(&ledger, &Alias::candidate()), None);
    }
}
