//! Who moved what, when and why, where W&B itself keeps only where an alias is now. Pure: the lines, and what follows from
//! them.
//!
//! A line is an artifact of the collection `NAME-ledger`, which the server numbers, so all writers see one order. A line
//! about an alias names the line before it that it was decided on. Of two that name the same one the first counts and the
//! other is void: that is the compare-and-set that aliases of W&B lack. The line is written before the alias is moved;
//! one whose move never came about is told by the next line, or by the alias.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{Alias, Digest, ModelName, Timestamp, VersionNumber};
use crate::track::{AliasMove, LedgerEntry, LedgerEvent, ModelVersion, MoveKind};

pub const TYPE: &str = "mlops-ledger";
pub const FILE: &str = "entry.json";
/// What the line stands below in the artifact's metadata.
pub const KEY: &str = "entry";
/// A collection's name has at most 128 characters.
pub const MAX_NAME: usize = 128 - SUFFIX.len();
const SUFFIX: &str = "-ledger";

pub fn collection(model: &ModelName) -> String {
    format!("{model}{SUFFIX}")
}

/// One line as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub format: u64,
    pub model: ModelName,
    pub at: Timestamp,
    pub actor: String,
    pub event: LedgerEvent,
    /// The line about this alias that this one was decided on: its number in the collection.
    pub after: Option<u32>,
    /// The move of the line before never came about.
    pub abandons: bool,
    /// How many versions there were.
    pub n_versions: u32,
    /// Of a judgement: what was found.
    pub found: Option<Digest>,
    /// Tells two lines apart that say the same.
    pub writer: String,
}

/// A line with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbered {
    pub index: u32,
    pub line: Line,
}

/// The last line about an alias that counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Last {
    pub index: u32,
    pub step: AliasMove,
    pub writer: String,
}

/// The lines that count, each with whether its move came about as far as later lines tell.
fn counted(lines: &[Numbered]) -> Vec<(&Numbered, bool)> {
    let mut last: BTreeMap<&Alias, usize> = BTreeMap::new();
    let mut counted: Vec<(&Numbered, bool)> = Vec::new();
    for numbered in lines {
        if let LedgerEvent::Moved(step) = &numbered.line.event {
            let before = last.get(&step.alias).copied();
            if before.map(|before| counted[before].0.index) != numbered.line.after {
                continue;
            }
            if let (Some(before), true) = (before, numbered.line.abandons) {
                counted[before].1 = false;
            }
            last.insert(&step.alias, counted.len());
        }
        counted.push((numbered, true));
    }
    counted
}

/// The last line about the alias that counts, which the next one has to name.
pub fn last(lines: &[Numbered], alias: &Alias) -> Option<Last> {
    let counted = counted(lines);
    counted
        .iter()
        .rev()
        .find_map(|(numbered, _)| match &numbered.line.event {
            LedgerEvent::Moved(step) if step.alias == *alias => Some(Last {
                index: numbered.index,
                step: step.clone(),
                writer: numbered.line.writer.clone(),
            }),
            _ => None,
        })
}

/// Whether the line that this writer made is one that counts.
pub fn counts(lines: &[Numbered], writer: &str) -> bool {
    counted(lines)
        .iter()
        .any(|(numbered, _)| numbered.line.writer == writer)
}

/// What was found about a version when it was last judged.
pub fn last_found(lines: &[Numbered], version: VersionNumber) -> Option<Digest> {
    lines.iter().rev().find_map(|numbered| match &numbered.line.event {
        LedgerEvent::Judged { version: judged, .. } if *judged == version => numbered.line.found,
        _ => None,
    })
}

/// The ledger: publications follow from the versions, moves and judgements from the lines, and what an alias did that no
/// line tells of from where it is.
pub fn entries(
    model: &ModelName,
    versions: &[ModelVersion],
    aliases: &BTreeMap<Alias, VersionNumber>,
    lines: &[Numbered],
) -> Vec<LedgerEntry> {
    let mut entries: Vec<LedgerEntry> = Vec::new();
    let mut add = |at, actor: &str, event| {
        entries.push(LedgerEntry {
            sequence: entries.len() as u64 + 1,
            at,
            actor: actor.to_owned(),
            model: model.clone(),
            event,
        });
    };
    let published = |version: &ModelVersion| LedgerEvent::Published {
        version: version.number,
        digest: version.digest,
    };
    let mut versions = versions.iter().peekable();
    let mut at: BTreeMap<&Alias, Option<VersionNumber>> = BTreeMap::new();
    let (counted, mut newest) = (counted(lines), Timestamp(0));
    for (position, (numbered, came_about)) in counted.iter().enumerate() {
        let line = &numbered.line;
        while let Some(version) = versions.next_if(|version| version.number.0 < line.n_versions) {
            add(version.at, &version.actor, published(version));
        }
        newest = newest.max(line.at);
        match &line.event {
            LedgerEvent::Moved(step) => {
                let is_last = !counted[position + 1..]
                    .iter()
                    .any(|(later, _)| is_about(later, &step.alias));
                let is_there = aliases.get(&step.alias).copied() == step.to;
                let never_was = is_last && !is_there && aliases.get(&step.alias).copied() == step.from;
                if !came_about || never_was {
                    continue;
                }
                // Between two lines somebody moved it by hand.
                let before = at.get(&step.alias).copied().flatten();
                if before != step.from {
                    add(
                        line.at,
                        SOMEBODY,
                        LedgerEvent::Moved(by_hand(&step.alias, before, step.from)),
                    );
                }
                at.insert(&step.alias, step.to);
                add(line.at, &line.actor, line.event.clone());
            }
            LedgerEvent::Judged { .. } | LedgerEvent::Published { .. } => add(line.at, &line.actor, line.event.clone()),
        }
    }
    for version in versions {
        newest = newest.max(version.at);
        add(version.at, &version.actor, published(version));
    }
    for (alias, told) in at {
        let is = aliases.get(alias).copied();
        if is != told {
            add(newest, SOMEBODY, LedgerEvent::Moved(by_hand(alias, told, is)));
        }
    }
    entries
}

/// Who moves aliases where we do not see it.
const SOMEBODY: &str = "somebody";

fn by_hand(alias: &Alias, from: Option<VersionNumber>, to: Option<VersionNumber>) -> AliasMove {
    AliasMove {
        alias: alias.clone(),
        from,
        to,
        kind: MoveKind::Promotion,
        because: "moved in W&B itself, at a moment that is not known".to_owned(),
    }
}

fn is_about(numbered: &Numbered, alias: &Alias) -> bool {
    matches!(&numbered.line.event, LedgerEvent::Moved(step) if step.alias == *alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> ModelName {
        "diabetes".parse().unwrap()
    }

    fn moved(index: u32, after: Option<u32>, from: Option<u32>, to: Option<u32>) -> Numbered {
        let step = AliasMove {
            alias: Alias::production(),
            from: from.map(VersionNumber),
            to: to.map(VersionNumber),
            kind: MoveKind::Promotion,
            because: format!("line {index}"),
        };
        Numbered {
            index,
            line: Line {
                format: 1,
                model: model(),
                at: Timestamp(i64::from(index)),
                actor: "ada".to_owned(),
                event: LedgerEvent::Moved(step),
                after,
                abandons: false,
                n_versions: 0,
                found: None,
                writer: index.to_string(),
            },
        }
    }

    /// The moves of the ledger, as `from→to`.
    fn told(lines: &[Numbered], at: Option<u32>) -> Vec<String> {
        let aliases = at.map(|at| (Alias::production(), VersionNumber(at)));
        let entries = entries(&model(), &[], &aliases.into_iter().collect(), lines);
        let shown =
            |version: Option<VersionNumber>| version.map_or_else(|| "-".to_owned(), |version| version.0.to_string());
        let told = entries.iter().map(|entry| match &entry.event {
            LedgerEvent::Moved(step) => format!("{}→{} {}", shown(step.from), shown(step.to), entry.actor),
            _ => String::new(),
        });
        told.collect()
    }

    #[test]
    fn of_two_that_were_decided_on_the_same_the_first_counts() {
        let lines = [
            moved(0, None, None, Some(0)),
            moved(1, Some(0), Some(0), Some(1)),
            moved(2, Some(0), Some(0), Some(2)),
            moved(3, Some(1), Some(1), Some(3)),
        ];
        assert_eq!(told(&lines, Some(3)), ["-→0 ada", "0→1 ada", "1→3 ada"]);
        assert!(counts(&lines, "1") && !counts(&lines, "2"));
        assert_eq!(last(&lines, &Alias::production()).unwrap().index, 3);
    }

    #[test]
    fn a_move_that_never_came_about_is_not_told() {
        let mut lines = vec![moved(0, None, None, Some(0)), moved(1, Some(0), Some(0), Some(1))];
        assert_eq!(
            told(&lines, Some(0)),
            ["-→0 ada"],
            "the last one, by where the alias is"
        );
        let mut next = moved(2, Some(1), Some(0), Some(2));
        next.line.abandons = true;
        lines.push(next);
        assert_eq!(
            told(&lines, Some(2)),
            ["-→0 ada", "0→2 ada"],
            "an earlier one, by the next line"
        );
    }

    #[test]
    fn what_somebody_moved_by_hand_is_told_too() {
        let lines = [moved(0, None, None, Some(0)), moved(1, Some(0), Some(5), Some(6))];
        assert_eq!(told(&lines, Some(6)), ["-→0 ada", "0→5 somebody", "5→6 ada"]);
        assert_eq!(
            told(&lines, Some(2)),
            ["-→0 ada", "0→5 somebody", "5→6 ada", "6→2 somebody"]
        );
        assert_eq!(told(&lines, None).last().unwrap(), "6→- somebody");
    }

    #[test]
    fn publications_stand_before_what_was_decided_on_them() {
        let version = |number: u32| ModelVersion {
            model: model(),
            number: VersionNumber(number),
            digest: Digest::of(&number.to_le_bytes()),
            files: BTreeMap::new(),
            metadata: serde_json::Value::Null,
            actor: "ada".to_owned(),
            at: Timestamp(0),
        };
        let mut line = moved(0, None, None, Some(0));
        line.line.n_versions = 1;
        let aliases = BTreeMap::from([(Alias::production(), VersionNumber(0))]);
        let entries = entries(&model(), &[version(0), version(1)], &aliases, &[line]);
        let kinds: Vec<&str> = entries
            .iter()
            .map(|entry| match entry.event {
                LedgerEvent::Published { .. } => "published",
                LedgerEvent::Moved(_) => "moved",
                LedgerEvent::Judged { .. } => "judged",
            })
            .collect();
        assert_eq!(kinds, ["published", "moved", "published"]);
        assert_eq!(
            entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(),
            [1, 2, 3]
        );
    }
}
