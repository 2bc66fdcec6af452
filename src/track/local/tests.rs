//! Beyond the contract: damage, crashes, other processes.
#![expect(
    clippy::disallowed_methods,
    reason = "tests damage files and start processes themselves"
)]

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::*;
use crate::base::{Alias, Timestamp};
use crate::exec::{self, Exit, Task};
use crate::track::ModelRegistry as _;
use crate::track::contract::{self, model, step, version};
use crate::track::embedded::object_path;

const ROLE: &str = "MLOPS_TEST_ROLE";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    contract::check(&|name| Box::new(Local::new(dir.path().join(name)))).await;
}

/// Two versions, `production` at the second.
async fn filled(root: &Path) -> Local {
    let local = Local::new(root);
    local.publish(&model(), version("one")).await.unwrap();
    local.publish(&model(), version("two")).await.unwrap();
    local
        .move_alias(&model(), step(None, Some(2)), "ada", Timestamp(0))
        .await
        .unwrap();
    local
}

/// Reads all there is.
async fn read_all(local: &Local) -> Result<usize, RegistryError> {
    let mut n_files = 0;
    for version in local.versions(&model()).await? {
        for file in version.files.keys() {
            local.read(&version, file).await?;
            n_files += 1;
        }
    }
    local.ledger(&model()).await?;
    local.aliases(&model()).await?;
    Ok(n_files)
}

fn object_of(root: &Path, content: &str) -> PathBuf {
    root.join(object_path(&crate::base::Digest::of(content.as_bytes())))
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[tokio::test]
async fn the_ledger_is_readable_json() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let text = std::fs::read_to_string(dir.path().join("ledger/00000003.json")).unwrap();
    insta::assert_snapshot!(text, @r#"{"seal":"sha256:5bb48f00fd0ea60d999ebb2740cd9ba8a411326c31861d5b45055fdf083ac580","body":{"previous":"sha256:80b125eb610d9a19226bdf7b032d5faa2c59920ef23165bb3916791781af98b9","record":null,"entry":{"sequence":3,"at":"1970-01-01T00:00:00Z","actor":"ada","model":"diabetes","event":{"moved":{"alias":"production","from":null,"to":2,"kind":"promotion","because":"every gate passed"}}}}}"#);
    let first: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("ledger/00000001.json")).unwrap()).unwrap();
    assert_eq!(first["body"]["entry"]["event"]["published"]["version"], 1);
}

type Damage = fn(&Path);

fn entry(n: u32) -> String {
    format!("ledger/0000000{n}.json")
}

/// Damages a registry and says what reading it all says then.
async fn damage(how: Damage) -> String {
    let dir = tempfile::tempdir().unwrap();
    let local = filled(dir.path()).await;
    assert_eq!(read_all(&local).await.unwrap(), 4);
    how(dir.path());
    match read_all(&local).await {
        Ok(n_files) => format!("read {n_files} files"),
        Err(error @ (RegistryError::Damaged { .. } | RegistryError::Newer { .. })) => error.to_string(),
        Err(other) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn damage_is_found_and_named() {
    let cases: [(&str, Damage); 21] = [
        ("edited entry", |r| edit(&r.join(entry(1)), "ada", "eve")),
        ("edited last entry", |r| edit(&r.join(entry(3)), "ada", "eve")),
        ("entry with another's text", |r| {
            std::fs::copy(r.join(entry(2)), r.join(entry(3))).unwrap();
        }),
        ("resealed entry", |r| {
            let text = std::fs::read_to_string(r.join(entry(1))).unwrap();
            let json = text
                .split_once(r#","body":"#)
                .unwrap()
                .1
                .trim_end()
                .strip_suffix('}')
                .unwrap();
            let json = json.replace("ada", "eve");
            let seal = crate::base::Digest::of(json.as_bytes());
            std::fs::write(r.join(entry(1)), format!("{{\"seal\":\"{seal}\",\"body\":{json}}}\n")).unwrap();
        }),
        ("missing entry", |r| std::fs::remove_file(r.join(entry(2))).unwrap()),
        ("empty entry", |r| std::fs::write(r.join(entry(2)), "").unwrap()),
        ("binary entry", |r| std::fs::write(r.join(entry(2)), b"\xff\0").unwrap()),
        ("huge entry", |r| {
            std::fs::write(r.join(entry(2)), vec![b' '; 2 << 20]).unwrap();
        }),
        ("foreign file", |r| {
            std::fs::write(r.join("ledger/notes.txt"), "x").unwrap();
        }),
        ("number in short", |r| {
            std::fs::write(r.join("ledger/4.json"), "x").unwrap();
        }),
        ("linked entry", |r| {
            std::fs::rename(r.join(entry(2)), r.join("elsewhere")).unwrap();
            symlink("../elsewhere", r.join(entry(2))).unwrap();
        }),
        ("directory as entry", |r| {
            std::fs::create_dir(r.join("ledger/00000004.json")).unwrap();
        }),
        ("truncated object", |r| {
            std::fs::write(object_of(r, "two"), "tw").unwrap();
        }),
        ("missing object", |r| std::fs::remove_file(object_of(r, "two")).unwrap()),
        ("linked object", |r| {
            std::fs::rename(object_of(r, "two"), r.join("elsewhere")).unwrap();
            symlink(r.join("elsewhere"), object_of(r, "two")).unwrap();
        }),
        ("linked object directory", |r| {
            std::fs::rename(r.join("objects"), r.join("elsewhere")).unwrap();
            symlink("elsewhere", r.join("objects")).unwrap();
        }),
        ("no format", |r| std::fs::remove_file(r.join("registry.json")).unwrap()),
        ("newer format", |r| {
            std::fs::write(r.join("registry.json"), "{\"format\":2}").unwrap();
        }),
        ("nonsense format", |r| {
            std::fs::write(r.join("registry.json"), "{}").unwrap();
        }),
        ("stale file of a dead writer", |r| {
            std::fs::write(r.join("ledger/.mlops-tmp-x"), "x").unwrap();
        }),
        ("object that nothing names", |r| {
            std::fs::write(r.join("objects/loose"), "x").unwrap();
        }),
    ];
    let mut seen = Vec::new();
    for (name, how) in cases {
        seen.push(format!("{name}: {}", damage(how).await));
    }
    insta::with_settings!({filters => vec![("objects/[0-9a-f]{2}/[0-9a-f]{62}", "objects/[..]"), ("/tmp/[^`]*", "[dir]")]}, {
        insta::assert_snapshot!(seen.join("\n"), @r"
        edited entry: the registry's `ledger/00000001.json` is damaged: its content does not fit its seal: it was edited
        edited last entry: the registry's `ledger/00000003.json` is damaged: its content does not fit its seal: it was edited
        entry with another's text: the registry's `ledger/00000003.json` is damaged: its number is not that of its name
        resealed entry: the registry's `ledger/00000002.json` is damaged: it does not follow the entry before it: one of the two was changed
        missing entry: the registry's `ledger/00000002.json` is damaged: it is missing, though later entries are there
        empty entry: the registry's `ledger/00000002.json` is damaged: it is cut off or was edited
        binary entry: the registry's `ledger/00000002.json` is damaged: it is not text
        huge entry: the registry's `ledger/00000002.json` is damaged: it is too large for an entry
        foreign file: the registry's `ledger/notes.txt` is damaged: it is not an entry of the ledger
        number in short: the registry's `ledger/4.json` is damaged: it is not an entry of the ledger
        linked entry: the registry's `ledger/00000002.json` is damaged: it is not an ordinary file
        directory as entry: the registry's `ledger/00000004.json` is damaged: it is not an ordinary file
        truncated object: the registry's `objects/[..]` is damaged: its content is not what its name says
        missing object: the registry's `objects/[..]` is damaged: it is missing
        linked object: the registry's `objects/[..]` is damaged: it is not an ordinary file
        linked object directory: the registry's `objects/[..]` is damaged: it is not an ordinary file
        no format: the registry's `registry.json` is damaged: it is missing, though there is a ledger
        newer format: the registry has format 2, and this program knows 1: use a newer one
        nonsense format: the registry's `registry.json` is damaged: missing field `format` at line 1 column 2
        stale file of a dead writer: read 4 files
        object that nothing names: read 4 files
        ");
    });
}

#[tokio::test]
async fn publishing_again_mends_an_object() {
    let dir = tempfile::tempdir().unwrap();
    let local = filled(dir.path()).await;
    std::fs::write(object_of(dir.path(), "two"), "tw").unwrap();
    let mut new = version("two");
    new.files.insert("more.txt".to_owned(), "more".into());
    let third = local.publish(&model(), new).await.unwrap().version;
    assert_eq!(local.read(&third, "model.json").await.unwrap(), b"two");
    assert_eq!(read_all(&local).await.unwrap(), 7);
}

#[tokio::test]
async fn writing_does_not_follow_links() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("registry"), dir.path().join("outside"));
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    symlink(&outside, root.join("objects")).unwrap();
    let error = Local::new(&root).publish(&model(), version("one")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Damaged { .. }), "{error}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn a_root_that_can_not_be_is_out_of_reach() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let local = Local::new(dir.path().join("file/registry"));
    let error = local.publish(&model(), version("one")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unavailable { .. }), "{error:?}");
}

/// Runs a test of this file again as a process of its own with a role to play.
async fn again(test: &str, role: String) -> (Exit, String) {
    let me = std::env::current_exe().unwrap();
    let task = Task {
        command: format!(
            "exec '{}' --exact track::local::tests::{test} --nocapture",
            me.display()
        ),
        cwd: std::env::temp_dir(),
        env: BTreeMap::from([(ROLE.to_owned(), role)]),
        timeout: Duration::from_mins(2),
        user: None,
        sandbox: crate::exec::Sandbox::open(),
    };
    let mut said = String::new();
    let exit = exec::run(&task, &mut |line| said.extend([line, "\n"])).await.unwrap();
    (exit, said)
}

fn assert_passed((exit, said): &(Exit, String)) {
    assert!(exit.code == Some(0) && said.contains("1 passed"), "{exit:?}\n{said}");
}

fn role() -> Option<(u32, PathBuf)> {
    let role = std::env::var(ROLE).ok()?;
    let (number, dir) = role.split_once(' ')?;
    Some((number.parse().unwrap(), dir.into()))
}

/// What the writer that gets killed does, and what is done again after it.
async fn life(local: &Local) -> Result<(), RegistryError> {
    local.publish(&model(), version("one")).await?;
    local.publish(&model(), version("two")).await?;
    let at = local.aliases(&model()).await?.get(&Alias::production()).copied();
    local
        .move_alias(&model(), step(at.map(|at| at.0), Some(2)), "ada", Timestamp(0))
        .await
}

#[tokio::test]
async fn killed_between_any_two_steps_it_opens_and_goes_on() {
    if let Some((n_steps, dir)) = role() {
        sys::die_after(n_steps.into());
        life(&Local::new(dir)).await.unwrap();
        return;
    }
    let mut n_deaths = 0;
    for n_steps in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("registry");
        let role = format!("{n_steps} {}", root.display());
        let child = again("killed_between_any_two_steps_it_opens_and_goes_on", role).await;
        let local = Local::new(&root);
        let n_files = read_all(&local).await.unwrap();
        assert!(n_files.is_multiple_of(2), "a version is there as a whole or not at all");
        life(&local).await.unwrap();
        assert_eq!(read_all(&local).await.unwrap(), 4);
        assert_eq!(local.ledger(&model()).await.unwrap().len(), 3);
        local.publish(&model(), version("three")).await.unwrap();
        assert_eq!(temps(&root), 0, "after {n_steps} steps");
        if child.0.signal != Some(9) {
            assert_passed(&child);
            break;
        }
        n_deaths += 1;
    }
    assert!(n_deaths > 30, "{n_deaths} deaths");
}

fn temps(dir: &Path) -> usize {
    sys::list(dir)
        .unwrap()
        .iter()
        .map(|entry| match entry.kind {
            sys::FileKind::Directory => temps(&dir.join(&entry.name)),
            _ => usize::from(sys::is_temp(&entry.name.to_string_lossy())),
        })
        .sum()
}

#[tokio::test]
async fn many_processes_write_at_once() {
    if let Some((writer, dir)) = role() {
        let local = Local::new(dir);
        for i in 0..10 {
            local
                .publish(&model(), version(&format!("{writer} {i}")))
                .await
                .unwrap();
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let role = format!("{writer} {}", dir.path().display());
        writers.spawn(again("many_processes_write_at_once", role));
    }
    for writer in writers.join_all().await {
        assert_passed(&writer);
    }
    let local = Local::new(dir.path());
    assert_eq!(read_all(&local).await.unwrap(), 80);
    let versions = local.versions(&model()).await.unwrap();
    assert!(versions.iter().map(|v| v.number.0).eq(1..=40));
}
