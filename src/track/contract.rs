//! What every registry must do, whatever it is made of: each of them is put to [`check`], the directory as well as the
//! branch on a twin of GitHub.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{
    AliasMove, Judgement, LedgerEvent, ModelRegistry, MoveKind, NewVersion, RegistryError, VersionRef, content_digest,
};
use crate::base::{Alias, Digest, ModelName, Timestamp, VersionNumber};

/// Opens the registry of this name: the same name gives another writer to the same registry, a new one an empty one.
pub type Open<'a> = &'a (dyn Fn(&str) -> Box<dyn ModelRegistry> + Sync);

pub async fn check(open: Open<'_>) {
    empty(open("empty")).await;
    published(open("published")).await;
    idempotent(open("idempotent")).await;
    judged(open("judged"), open("judged")).await;
    aliases(open("aliases")).await;
    ledger(open("ledger"), open("ledger")).await;
    models_are_apart(open("apart")).await;
    contents_are_checked(open("contents")).await;
    odd_values_come_back(open("odd")).await;
    refused(open("refused")).await;
    two_writers(open).await;
    same_content_at_once(open).await;
}

pub fn model() -> ModelName {
    "diabetes".parse().unwrap()
}

pub fn version(content: &str) -> NewVersion {
    NewVersion {
        files: BTreeMap::from([
            ("model.json".to_owned(), content.into()),
            ("empty.bin".to_owned(), Vec::new().into()),
        ]),
        metadata: json!({"about": content}),
        actor: "ada".to_owned(),
        at: Timestamp(1_700_000_000),
    }
}

pub fn step(from: Option<u32>, to: Option<u32>) -> AliasMove {
    AliasMove {
        alias: Alias::production(),
        from: from.map(VersionNumber),
        to: to.map(VersionNumber),
        kind: MoveKind::Promotion,
        because: "every gate passed".to_owned(),
    }
}

fn number(number: u32) -> VersionRef {
    VersionRef::Number(VersionNumber(number))
}

const LATER: Timestamp = Timestamp(1_700_000_060);

async fn empty(registry: Box<dyn ModelRegistry>) {
    assert_eq!(registry.versions(&model()).await.unwrap(), []);
    assert_eq!(registry.aliases(&model()).await.unwrap(), BTreeMap::new());
    assert_eq!(registry.ledger(&model()).await.unwrap(), []);
    for which in [number(1), VersionRef::Alias(Alias::production())] {
        let error = registry.get(&model(), &which).await.unwrap_err();
        assert!(matches!(&error, RegistryError::NotFound { which: missing, .. } if *missing == which));
    }
    let error = registry
        .move_alias(&model(), step(None, Some(1)), "ada", LATER)
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
    assert_eq!(registry.ledger(&model()).await.unwrap(), []);
}

async fn published(registry: Box<dyn ModelRegistry>) {
    let new = version("one");
    let first = registry.publish(&model(), new.clone()).await.unwrap().version;
    assert_eq!((first.number, &first.model), (VersionNumber(1), &model()));
    assert_eq!(
        (&first.metadata, &first.actor, first.at),
        (&new.metadata, &new.actor, new.at)
    );
    assert_eq!(first.files, new.file_digests().unwrap());
    assert_eq!(first.digest, content_digest(&first.files));
    let second = registry.publish(&model(), version("two")).await.unwrap().version;
    assert_eq!(second.number, VersionNumber(2));
    assert_ne!(first.digest, second.digest);
    assert_eq!(registry.get(&model(), &number(1)).await.unwrap(), first);
    assert_eq!(registry.versions(&model()).await.unwrap(), [first.clone(), second]);
    assert_eq!(registry.read(&first, "model.json").await.unwrap(), b"one");
    assert_eq!(registry.read(&first, "empty.bin").await.unwrap(), b"");
}

async fn idempotent(registry: Box<dyn ModelRegistry>) {
    let first = registry.publish(&model(), version("one")).await.unwrap().version;
    registry.publish(&model(), version("two")).await.unwrap();
    let mut again = version("one");
    again.metadata = json!("something else");
    again.actor = "grace".to_owned();
    again.at = LATER;
    let repeated = registry.publish(&model(), again).await.unwrap();
    assert!(repeated.existed);
    assert_eq!(repeated.version, first);
    let mut renamed = version("one");
    let content = renamed.files.remove("empty.bin").unwrap();
    renamed.files.insert("blank.bin".to_owned(), content);
    let third = registry.publish(&model(), renamed).await.unwrap().version;
    assert_eq!(
        third.number,
        VersionNumber(3),
        "a file's name is part of what a version is"
    );
    assert_eq!(registry.ledger(&model()).await.unwrap().len(), 3);
}

async fn aliases(registry: Box<dyn ModelRegistry>) {
    let first = registry.publish(&model(), version("one")).await.unwrap().version;
    registry.publish(&model(), version("two")).await.unwrap();
    let go = async |from, to| registry.move_alias(&model(), step(from, to), "ada", LATER).await;
    let production = async || {
        registry
            .aliases(&model())
            .await
            .unwrap()
            .get(&Alias::production())
            .copied()
    };

    go(None, Some(1)).await.unwrap();
    let which = VersionRef::Alias(Alias::production());
    assert_eq!(registry.get(&model(), &which).await.unwrap(), first);
    let error = go(None, Some(2)).await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Conflict {
                expected: None,
                found: Some(VersionNumber(1)),
                ..
            }
        ),
        "{error}"
    );
    let error = go(Some(2), Some(1)).await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Conflict {
                expected: Some(VersionNumber(2)),
                found: Some(VersionNumber(1)),
                ..
            }
        ),
        "{error}"
    );
    let error = go(Some(1), Some(3)).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
    assert_eq!(
        production().await,
        Some(VersionNumber(1)),
        "what failed has changed nothing"
    );
    go(Some(1), Some(2)).await.unwrap();
    assert_eq!(production().await, Some(VersionNumber(2)));
    go(Some(2), None).await.unwrap();
    assert_eq!(production().await, None);
    assert!(matches!(
        registry.get(&model(), &which).await,
        Err(RegistryError::NotFound { .. })
    ));
    assert_eq!(registry.ledger(&model()).await.unwrap().len(), 5);
    go(None, None).await.unwrap();
    assert_eq!(registry.ledger(&model()).await.unwrap().len(), 5, "no move, no entry");
}

async fn judged(registry: Box<dyn ModelRegistry>, other: Box<dyn ModelRegistry>) {
    let first = registry.publish(&model(), version("one")).await.unwrap().version;
    registry.publish(&model(), version("two")).await.unwrap();
    let judgement = |number: u32, text: &str| Judgement {
        version: VersionNumber(number),
        against: Some(VersionNumber(2)),
        passed: false,
        metadata: json!({"about": text}),
    };
    registry
        .judge(&model(), judgement(1, "judged anew"), "grace", LATER)
        .await
        .unwrap();
    let now = other.get(&model(), &number(1)).await.unwrap();
    assert_eq!(now.metadata, json!({"about": "judged anew"}));
    assert_eq!(
        (now.digest, &now.files, now.at),
        (first.digest, &first.files, first.at),
        "the rest stays"
    );
    assert_eq!(
        other.versions(&model()).await.unwrap()[1].metadata,
        json!({"about": "two"})
    );
    let event = LedgerEvent::Judged {
        version: VersionNumber(1),
        against: Some(VersionNumber(2)),
        passed: false,
    };
    assert_eq!(other.ledger(&model()).await.unwrap()[2].event, event);

    // The same again is nothing new, and publishing the same content does not bring the old judgement back.
    registry
        .judge(&model(), judgement(1, "judged anew"), "grace", LATER)
        .await
        .unwrap();
    let repeated = registry.publish(&model(), version("one")).await.unwrap();
    assert_eq!((repeated.existed, repeated.version), (true, now));
    assert_eq!(registry.ledger(&model()).await.unwrap().len(), 3);

    let error = registry
        .judge(&model(), judgement(3, "nobody"), "grace", LATER)
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
}

async fn ledger(registry: Box<dyn ModelRegistry>, other: Box<dyn ModelRegistry>) {
    let mut before = Vec::new();
    let first = registry.publish(&model(), version("one")).await.unwrap().version;
    for (from, to) in [(None, Some(1)), (Some(1), None), (None, Some(1))] {
        registry
            .move_alias(&model(), step(from, to), "grace", LATER)
            .await
            .unwrap();
        let now = other.ledger(&model()).await.unwrap();
        assert_eq!(now[..before.len()], before[..], "entries stay as they are");
        before = now;
    }
    let sequence: Vec<u64> = before.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequence, [1, 2, 3, 4]);
    assert_eq!(
        before[0].event,
        LedgerEvent::Published {
            version: first.number,
            digest: first.digest
        }
    );
    assert_eq!(before[1].event, LedgerEvent::Moved(step(None, Some(1))));
    assert_eq!((before[1].actor.as_str(), before[1].at), ("grace", LATER));
}

async fn models_are_apart(registry: Box<dyn ModelRegistry>) {
    let other: ModelName = "other".parse().unwrap();
    registry.publish(&model(), version("one")).await.unwrap();
    registry.publish(&model(), version("two")).await.unwrap();
    let same = registry.publish(&other, version("one")).await.unwrap().version;
    assert_eq!((same.number, &same.model), (VersionNumber(1), &other));
    registry
        .move_alias(&model(), step(None, Some(2)), "ada", LATER)
        .await
        .unwrap();
    assert_eq!(registry.aliases(&other).await.unwrap(), BTreeMap::new());
    assert!(matches!(
        registry.get(&other, &number(2)).await,
        Err(RegistryError::NotFound { .. })
    ));
    let about: BTreeSet<ModelName> = registry
        .ledger(&other)
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.model)
        .collect();
    assert_eq!(about, BTreeSet::from([other]));
}

async fn contents_are_checked(registry: Box<dyn ModelRegistry>) {
    let good = registry.publish(&model(), version("one")).await.unwrap().version;
    let mut wrong = good.clone();
    wrong
        .files
        .insert("model.json".to_owned(), Digest::of(b"something else"));
    assert!(registry.read(&wrong, "model.json").await.is_err());
    for name in ["other.json", "../model.json", ""] {
        let error = registry.read(&good, name).await.unwrap_err();
        assert!(matches!(error, RegistryError::NoFile { .. }), "{error}");
    }
}

async fn odd_values_come_back(registry: Box<dyn ModelRegistry>) {
    let mut deep = json!(1);
    for _ in 0..60 {
        deep = json!([deep]);
    }
    let mut new = version("odd");
    new.metadata = json!({
        "größe 数 \u{1f980} \u{202e}": "\u{0}\u{7f}\u{feff}\\ \" </script> ::error::x",
        "": null,
        "$serde_json::private::Number": "1",
        "floats": [0.1 + 0.2, 1e308, 5e-324, -0.5, 1.0],
        "whole": [u64::MAX, i64::MIN, 0],
        "order": {"b": 1, "a": 2},
        "deep": deep,
    });
    new.actor = "name\nwith a line".to_owned();
    new.files.insert("größe 数.bin".to_owned(), vec![0, 255, 10, 13].into());
    let made = registry.publish(&model(), new.clone()).await.unwrap().version;
    let found = registry.get(&model(), &number(1)).await.unwrap();
    assert_eq!(found, made);
    assert_eq!(found.metadata.to_string(), new.metadata.to_string(), "to the letter");
    assert_eq!(found.actor, new.actor);
    assert_eq!(registry.read(&found, "größe 数.bin").await.unwrap(), [0, 255, 10, 13]);
    let mut odd = step(None, Some(1));
    odd.because = "\u{1b}[31m\n\"because\" 数".to_owned();
    registry
        .move_alias(&model(), odd.clone(), "\u{0}", LATER)
        .await
        .unwrap();
    assert_eq!(
        registry.ledger(&model()).await.unwrap()[1].event,
        LedgerEvent::Moved(odd)
    );
}

async fn refused(registry: Box<dyn ModelRegistry>) {
    let long = "x".repeat(256);
    for name in [
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "..",
        ".",
        "",
        "a\0b",
        "a\nb",
        &long,
    ] {
        let mut new = version("one");
        new.files.insert(name.to_owned(), Vec::new().into());
        let error = registry.publish(&model(), new).await.unwrap_err();
        assert!(matches!(error, RegistryError::Refused { .. }), "{name:?}: {error}");
    }
    let mut none = version("one");
    none.files.clear();
    assert!(registry.publish(&model(), none).await.is_err());
    let mut deep = version("one");
    for _ in 0..1000 {
        deep.metadata = json!({"x": deep.metadata});
    }
    assert!(registry.publish(&model(), deep).await.is_err());
    assert_eq!(registry.versions(&model()).await.unwrap(), []);
}

/// Each of four writers publishes and moves `production` one version on at a time: nothing gets lost, nothing doubles.
async fn two_writers(open: Open<'_>) {
    const N_WRITERS: usize = 4;
    const N_EACH: usize = 6;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..N_WRITERS {
        let registry = open("writers");
        writers.spawn(async move {
            let mut numbers = Vec::new();
            for i in 0..N_EACH {
                let content = format!("writer {writer}, version {i}");
                let made = registry.publish(&model(), version(&content)).await.unwrap().version;
                assert_eq!(made.metadata, json!({"about": content}));
                numbers.push(made.number);
                loop {
                    let at = registry
                        .aliases(&model())
                        .await
                        .unwrap()
                        .get(&Alias::production())
                        .copied();
                    let on = at.map_or(1, |at| at.0 % 6 + 1).min(made.number.0);
                    let mut step = step(at.map(|at| at.0), Some(on));
                    step.because = content.clone();
                    if step.from == step.to {
                        break;
                    }
                    match registry.move_alias(&model(), step, "ada", LATER).await {
                        Ok(()) => break,
                        Err(RegistryError::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            numbers
        });
    }
    let mut numbers: Vec<VersionNumber> = writers.join_all().await.into_iter().flatten().collect();
    numbers.sort();
    let expected: Vec<VersionNumber> = (1..).map(VersionNumber).take(N_WRITERS * N_EACH).collect();
    assert_eq!(numbers, expected);

    let registry = open("writers");
    let versions = registry.versions(&model()).await.unwrap();
    assert_eq!(versions.iter().map(|v| v.number).collect::<Vec<_>>(), expected);
    let mut at = None;
    let mut seen = BTreeSet::new();
    for (entry, sequence) in registry.ledger(&model()).await.unwrap().iter().zip(1..) {
        assert_eq!(entry.sequence, sequence);
        if let LedgerEvent::Moved(step) = &entry.event {
            assert_eq!(step.from, at, "each move begins where the one before it ended");
            assert!(seen.insert(step.because.clone()), "each move is there once");
            at = step.to;
        }
    }
    assert_eq!(
        registry
            .aliases(&model())
            .await
            .unwrap()
            .get(&Alias::production())
            .copied(),
        at
    );
}

async fn same_content_at_once(open: Open<'_>) {
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let registry = open("same");
        writers.spawn(async move { registry.publish(&model(), version("one")).await.unwrap().version });
    }
    let made = writers.join_all().await;
    assert!(made.iter().all(|version| *version == made[0]));
    assert_eq!(open("same").ledger(&model()).await.unwrap().len(), 1);
}
