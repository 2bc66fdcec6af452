//! The branch on a twin of GitHub: the contract, faults at every call, many writers, damage, permissions.

use std::time::Duration;

use super::*;
use crate::base::{Alias, Secret, Timestamp, VersionNumber};
use crate::github::{Connection, Pace, Urls};
use crate::sys;
use crate::track::contract::{self, model, step, version};
use crate::track::{Judgement, Local, ModelRegistry, VersionRef};
use crate::twin::{Fault, Kind as Wrong, Twin};

const REPOSITORY: &str = "ada/models";

struct World {
    twin: Twin,
    client: Client,
}

/// A repository with a commit, and a job that may write to it.
fn world() -> World {
    let twin = Twin::start();
    twin.state().commit(REPOSITORY, "main", &[("data.csv", "x,y\n1,2\n")]);
    World::of(twin)
}

impl World {
    fn of(twin: Twin) -> Self {
        let token = twin.state().actions_token(REPOSITORY, &[("contents", "write")]);
        let client = client(&twin, &token, Duration::from_secs(20));
        Self { twin, client }
    }

    /// The branch as a program of its own opens it.
    fn open(&self, branch: &str) -> Branch {
        open(&self.client, branch)
    }

    fn assert_sound(&self) {
        assert_eq!(self.twin.violations(), Vec::<String>::new());
    }

    fn move_to(&self, branch: &str, commit: &str) {
        let mut state = self.twin.state();
        let refs = &mut state.repository(REPOSITORY).refs;
        refs.insert(format!("refs/heads/{branch}"), commit.to_owned());
    }
}

fn client(twin: &Twin, token: &str, request_timeout: Duration) -> Client {
    let urls = Urls {
        api: twin.url(),
        graphql: twin.graphql_url(),
        server: twin.url(),
    };
    let connection = Connection {
        budget: Duration::from_hours(1),
        pace: Pace(Duration::from_millis(1)),
        request_timeout,
        ..Connection::new(urls, Some(Secret::new(token)))
    };
    Client::new(connection).unwrap()
}

fn open(client: &Client, branch: &str) -> Branch {
    let repository = REPOSITORY.parse().unwrap();
    Branch::new(client.clone(), repository, branch.to_owned())
}

fn judgement(text: &str) -> Judgement {
    Judgement {
        version: VersionNumber(1),
        against: None,
        passed: true,
        metadata: serde_json::json!({"about": text}),
    }
}

/// Two versions, the first judged anew, `production` at the second; done again it is nothing new.
async fn life(registry: &dyn ModelRegistry) -> Result<(), RegistryError> {
    registry.publish(&model(), version("one")).await?;
    registry.publish(&model(), version("two")).await?;
    registry
        .judge(&model(), judgement("one, judged"), "ada", Timestamp(0))
        .await?;
    let at = registry.aliases(&model()).await?.get(&Alias::production()).copied();
    registry
        .move_alias(&model(), step(at.map(|at| at.0), Some(2)), "ada", Timestamp(0))
        .await
}

/// The error with its causes, as people are shown it.
fn chain(error: &RegistryError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

/// All that can be read, as one value.
async fn all_of(registry: &dyn ModelRegistry) -> Result<String, RegistryError> {
    let versions = registry.versions(&model()).await?;
    let mut files = Vec::new();
    for version in &versions {
        for file in version.files.keys() {
            files.push(registry.read(version, file).await?);
        }
    }
    let ledger = registry.ledger(&model()).await?;
    let aliases = registry.aliases(&model()).await?;
    Ok(format!("{versions:#?}\n{files:?}\n{ledger:#?}\n{aliases:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let world = world();
    contract::check(&|name| Box::new(world.open(name))).await;
    world.assert_sound();
}

#[tokio::test]
async fn a_branch_of_its_own_with_one_commit_for_each_entry() {
    let world = world();
    life(&world.open(BRANCH)).await.unwrap();
    let state = world.twin.state();
    let history = state.history(REPOSITORY, BRANCH);
    let objects = &state.repositories[REPOSITORY].objects;
    let messages: Vec<&str> = history
        .iter()
        .map(|sha| objects.commit(sha).unwrap().message.as_str())
        .collect();
    insta::assert_snapshot!(messages.join("\n"), @r"
    mlops: move production of diabetes to v2
    mlops: judge v1 of diabetes
    mlops: publish v2 of diabetes
    mlops: publish v1 of diabetes
    ");
    let paths: Vec<String> = state.files(REPOSITORY, BRANCH).into_keys().collect();
    insta::with_settings!({filters => vec![("objects/[0-9a-f]{2}/[0-9a-f]{62}", "objects/[..]")]}, {
        insta::assert_snapshot!(paths.join("\n"), @r"
        README.md
        ledger/00000001.json
        ledger/00000002.json
        ledger/00000003.json
        ledger/00000004.json
        objects/[..]
        objects/[..]
        objects/[..]
        objects/[..]
        objects/[..]
        objects/[..]
        registry.json
        ");
    });
}

type Make = fn() -> Wrong;

/// Every call of a life fails once in every way; if that stopped it, it is lived again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_at_any_call_loses_or_doubles_anything() {
    let kinds: [(&str, Make); 9] = [
        ("409", || Wrong::status(409)),
        ("422", || Wrong::status(422)),
        ("500", || Wrong::status(500)),
        ("429", || Wrong::status(429)),
        ("403", || Wrong::status(403)),
        ("dropped-before", || Wrong::DropBefore),
        ("dropped-after", || Wrong::DropAfter),
        ("cut-off", || Wrong::Truncated),
        ("502-after", || Wrong::StatusAfter {
            code: 502,
            body: serde_json::Value::Null,
        }),
    ];
    let mut lives = tokio::task::JoinSet::new();
    for (name, kind) in kinds {
        lives.spawn(lives_with(name, kind));
    }
    let failed: BTreeMap<&str, usize> = lives.join_all().await.into_iter().collect();
    assert!(failed["403"] > 10, "what is refused is not hidden: {failed:?}");
    for passing in ["500", "429", "dropped-before", "dropped-after", "502-after"] {
        assert_eq!(failed[passing], 0, "{passing} passes: {failed:?}");
    }
}

/// How many lives were stopped by one fault of this kind.
async fn lives_with(name: &'static str, kind: Make) -> (&'static str, usize) {
    let world = world();
    life(&world.open("plain")).await.unwrap();
    let n_calls = world.twin.calls().len();
    let expected = all_of(&world.open("plain")).await.unwrap();
    let mut n_failed = 0;
    for skip in 0..n_calls {
        let branch = format!("{name}-{skip}");
        world.twin.fault(Fault {
            method: None,
            path_contains: String::new(),
            skip,
            times: 1,
            kind: kind(),
        });
        let first = life(&world.open(&branch)).await;
        world.twin.state().faults.clear();
        if first.is_err() {
            n_failed += 1;
            life(&world.open(&branch)).await.unwrap();
        }
        let found = all_of(&world.open(&branch)).await.unwrap();
        assert_eq!(found, expected, "{name} at call {skip}: {first:?}");
    }
    (name, n_failed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_is_not_answered_is_looked_up() {
    let world = world();
    let token = world.twin.state().actions_token(REPOSITORY, &[("contents", "write")]);
    let impatient = client(&world.twin, &token, Duration::from_millis(200));
    for kind in [Wrong::DropAfter, Wrong::Never, Wrong::DropBefore] {
        let branch = format!("{kind:?}");
        let registry = open(&impatient, &branch);
        registry.publish(&model(), version("one")).await.unwrap();
        // For each try of the client: whoever asks once more would be told that it is no fast-forward.
        world
            .twin
            .fault(Fault::always("PATCH", "/git/refs/heads/", kind.clone()).times(5));
        let made = registry.publish(&model(), version("two")).await.unwrap();
        assert!(!made.existed, "{kind:?}");
        assert_eq!(registry.ledger(&model()).await.unwrap().len(), 2);
    }
    world.assert_sound();
}

#[tokio::test]
async fn a_first_push_that_is_not_answered_is_looked_up() {
    let world = world();
    world
        .twin
        .fault(Fault::always("POST", "/git/refs", Wrong::DropAfter).times(5));
    let registry = world.open(BRANCH);
    let made = registry.publish(&model(), version("one")).await.unwrap();
    assert!(!made.existed);
    assert_eq!(world.open(BRANCH).ledger(&model()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_writers_lose_nothing() {
    let world = world();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 1..=50 {
        let registry = world.open(BRANCH);
        writers.spawn(async move {
            let made = registry.publish(&model(), version(&format!("{writer}"))).await.unwrap();
            let mut step = step(None, Some(made.version.number.0));
            step.alias = format!("writer-{writer}").parse().unwrap();
            let alias = step.alias.clone();
            registry
                .move_alias(&model(), step, "ada", Timestamp(writer))
                .await
                .unwrap();
            (alias, made.version.number)
        });
    }
    let made: BTreeMap<Alias, VersionNumber> = writers.join_all().await.into_iter().collect();
    let registry = world.open(BRANCH);
    let numbers: BTreeSet<u32> = made.values().map(|number| number.0).collect();
    assert_eq!(numbers, (1..=50).collect());
    assert_eq!(registry.versions(&model()).await.unwrap().len(), 50);
    assert_eq!(registry.aliases(&model()).await.unwrap(), made);
    assert_eq!(registry.ledger(&model()).await.unwrap().len(), 100);
    assert_eq!(world.twin.state().history(REPOSITORY, BRANCH).len(), 100);
    world.assert_sound();
}

/// The files of a registry in a directory.
fn files_below(root: &std::path::Path, prefix: &str, files: &mut Vec<(String, Option<Vec<u8>>)>) {
    for listed in sys::list(root).unwrap() {
        let name = listed.name.to_str().unwrap();
        let (path, place) = (format!("{prefix}{name}"), root.join(name));
        match listed.kind {
            sys::FileKind::Directory => files_below(&place, &format!("{path}/"), files),
            _ => files.push((path, Some(sys::read(&place, 1 << 20).unwrap()))),
        }
    }
}

#[tokio::test]
async fn a_directory_and_a_branch_have_one_layout() {
    let world = world();
    let dir = tempfile::tempdir().unwrap();
    let local = Local::new(dir.path());
    life(&local).await.unwrap();
    let mut files = Vec::new();
    files_below(dir.path(), "", &mut files);
    world.twin.state().commit_files(REPOSITORY, "copied", &files, "copy");
    let expected = all_of(&local).await.unwrap();
    assert_eq!(all_of(&world.open("copied")).await.unwrap(), expected);

    // The other way, and on it goes there.
    life(&world.open(BRANCH)).await.unwrap();
    let back = tempfile::tempdir().unwrap();
    for (path, content) in world.twin.state().files(REPOSITORY, BRANCH) {
        let place = back.path().join(path);
        sys::create_dir(place.parent().unwrap()).unwrap();
        sys::write_atomic(&place, &content).unwrap();
    }
    let local = Local::new(back.path());
    assert_eq!(all_of(&local).await.unwrap(), expected);
    let next = local.publish(&model(), version("three")).await.unwrap();
    assert_eq!(next.version.number, VersionNumber(3));
}

#[tokio::test]
async fn a_long_ledger_costs_few_calls() {
    let world = world();
    let dir = tempfile::tempdir().unwrap();
    let local = Local::new(dir.path());
    for i in 1..=60 {
        let made = local.publish(&model(), version(&format!("{i}"))).await.unwrap();
        let number = made.version.number;
        for about in 0..3 {
            let judgement = Judgement {
                version: number,
                ..judgement(&format!("{i} {about}"))
            };
            local.judge(&model(), judgement, "ada", Timestamp(i)).await.unwrap();
        }
        let from = (number.0 > 1).then(|| number.0 - 1);
        local
            .move_alias(&model(), step(from, Some(number.0)), "ada", Timestamp(i))
            .await
            .unwrap();
    }
    let mut files = Vec::new();
    files_below(dir.path(), "", &mut files);
    world.twin.state().commit_files(REPOSITORY, BRANCH, &files, "copy");

    let registry = world.open(BRANCH);
    let before = world.twin.calls().len();
    assert_eq!(registry.versions(&model()).await.unwrap().len(), 60);
    assert_eq!(registry.aliases(&model()).await.unwrap().len(), 1);
    assert_eq!(registry.ledger(&model()).await.unwrap().len(), 300);
    let n_calls = world.twin.calls().len() - before;
    assert!(n_calls < 12, "{n_calls} calls");
    assert_eq!(world.twin.writes().len(), 0, "who reads writes nothing");

    // Publishing one more version costs little more.
    let before = world.twin.calls().len();
    registry.publish(&model(), version("one more")).await.unwrap();
    let n_calls = world.twin.calls().len() - before;
    assert!(n_calls < 8, "{n_calls} calls");
    world.assert_sound();
}

#[tokio::test]
async fn without_the_bulk_query_and_with_cut_trees_it_reads_the_same() {
    let world = world();
    life(&world.open(BRANCH)).await.unwrap();
    let expected = all_of(&world.open(BRANCH)).await.unwrap();
    let null = serde_json::json!({"data": {"repository": null}});
    world.twin.fault(Fault::once(
        "POST",
        "graphql",
        Wrong::StatusAfter { code: 200, body: null },
    ));
    assert_eq!(all_of(&world.open(BRANCH)).await.unwrap(), expected);
    world.twin.fault(Fault::always("POST", "graphql", Wrong::status(403)));
    assert_eq!(all_of(&world.open(BRANCH)).await.unwrap(), expected);
    world.twin.state().truncates_trees = true;
    assert_eq!(all_of(&world.open(BRANCH)).await.unwrap(), expected);
    let made = world.open(BRANCH).publish(&model(), version("three")).await.unwrap();
    assert_eq!(made.version.number, VersionNumber(3));
    world.assert_sound();
}

#[tokio::test]
async fn who_may_only_read_reads_and_is_told_what_is_missing() {
    let world = world();
    life(&world.open(BRANCH)).await.unwrap();
    let token = world.twin.state().actions_token(REPOSITORY, &[("contents", "read")]);
    let n_writes = world.twin.writes().len();
    let reader = open(&client(&world.twin, &token, Duration::from_secs(20)), BRANCH);
    all_of(&reader).await.unwrap();
    assert!(reader.publish(&model(), version("one")).await.unwrap().existed);
    assert_eq!(world.twin.writes().len(), n_writes, "nothing new is nothing written");
    let error = reader.publish(&model(), version("three")).await.unwrap_err();
    insta::assert_snapshot!(error, @"not allowed to write to the branch `mlops-registry`: add `contents: write` to the job's permissions");
    let nobody = open(&client(&world.twin, "ghs_unknown", Duration::from_secs(20)), BRANCH);
    let error = nobody.versions(&model()).await.unwrap_err();
    insta::assert_snapshot!(error, @"not allowed to read the branch `mlops-registry`: the token is wrong, revoked or expired");
}

#[tokio::test]
async fn an_empty_repository_wants_a_first_commit() {
    let twin = Twin::start();
    twin.state().repository(REPOSITORY);
    let world = World::of(twin);
    let error = world.open(BRANCH).publish(&model(), version("one")).await.unwrap_err();
    insta::assert_snapshot!(chain(&error), @"the registry is out of reach: could not read the branch `mlops-registry`: the repository is empty: push a first commit");
}

#[tokio::test]
async fn a_branch_that_others_changed_is_damaged() {
    let world = world();
    life(&world.open(BRANCH)).await.unwrap();
    let registry = world.open(BRANCH);
    all_of(&registry).await.unwrap();
    let good = world.twin.state().history(REPOSITORY, BRANCH)[0].clone();
    let mut seen = Vec::new();
    let cases: [(&str, &str, Option<&str>); 7] = [
        ("edited entry", "ledger/00000002.json", Some("{}")),
        ("missing entry", "ledger/00000002.json", None),
        ("foreign file", "ledger/notes.txt", Some("x")),
        ("directory as entry", "ledger/00000005.json/x", Some("x")),
        ("no format", "registry.json", None),
        ("newer format", "registry.json", Some("{\"format\":2}")),
        ("notes beside it", "notes.txt", Some("x")),
    ];
    for (name, path, text) in cases {
        world.move_to(BRANCH, &good);
        let files = [(path.to_owned(), text.map(|text| text.as_bytes().to_vec()))];
        world.twin.state().commit_files(REPOSITORY, BRANCH, &files, "edit");
        for (who, registry) in [("anew", &world.open(BRANCH)), ("again", &registry)] {
            let said = match all_of(registry).await {
                Ok(_) => "reads".to_owned(),
                Err(error) => error.to_string(),
            };
            seen.push(format!("{name}, {who}: {said}"));
        }
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    edited entry, anew: the registry's `ledger/00000002.json` is damaged: it is cut off or was edited
    edited entry, again: the registry's `ledger/00000002.json` is damaged: the branch was written anew while this program read it
    missing entry, anew: the registry's `ledger/00000002.json` is damaged: it is missing, though later entries are there
    missing entry, again: the registry's `ledger/00000002.json` is damaged: the branch was written anew while this program read it
    foreign file, anew: the registry's `ledger/notes.txt` is damaged: it is not an entry of the ledger
    foreign file, again: the registry's `ledger/notes.txt` is damaged: it is not an entry of the ledger
    directory as entry, anew: the registry's `ledger/00000005.json` is damaged: it is not an ordinary file
    directory as entry, again: the registry's `ledger/00000005.json` is damaged: it is not an ordinary file
    no format, anew: the registry's `registry.json` is damaged: it is missing, though there is a ledger
    no format, again: the registry's `registry.json` is damaged: it is missing, though there is a ledger
    newer format, anew: the registry has format 2, and this program knows 1: use a newer one
    newer format, again: the registry has format 2, and this program knows 1: use a newer one
    notes beside it, anew: reads
    notes beside it, again: reads
    ");
}

#[tokio::test]
async fn an_echo_of_what_was_is_no_news() {
    let world = world();
    let registry = world.open(BRANCH);
    registry.publish(&model(), version("one")).await.unwrap();
    let old = world.twin.state().history(REPOSITORY, BRANCH)[0].clone();
    registry.publish(&model(), version("two")).await.unwrap();
    let now = world.twin.state().history(REPOSITORY, BRANCH)[0].clone();
    world.move_to(BRANCH, &old);
    assert_eq!(registry.versions(&model()).await.unwrap().len(), 2);
    world.move_to(BRANCH, &now);
    registry
        .move_alias(&model(), step(None, Some(2)), "ada", Timestamp(0))
        .await
        .unwrap();
    let which = VersionRef::Alias(Alias::production());
    assert_eq!(
        world.open(BRANCH).get(&model(), &which).await.unwrap().number,
        VersionNumber(2)
    );
}

#[tokio::test]
async fn a_rule_against_the_push_is_said_and_not_fought() {
    let world = world();
    let registry = world.open(BRANCH);
    registry.publish(&model(), version("one")).await.unwrap();
    world.twin.fault(Fault::always(
        "PATCH",
        "/git/refs/heads/",
        Wrong::Status {
            code: 422,
            headers: BTreeMap::new(),
            body: serde_json::json!({"message": "Repository rule violations found\n\nChanges must be made through a pull request."}),
        },
    ));
    let error = registry.publish(&model(), version("two")).await.unwrap_err();
    insta::assert_snapshot!(error, @"not allowed to write to the branch `mlops-registry`: it was refused: Repository rule violations found  Changes must be made through a pull request. (422)");
    let is_push = |call: &&crate::twin::Call| call.method == "PATCH";
    assert_eq!(world.twin.calls().iter().filter(is_push).count(), 1);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_before_anything_is_sent() {
    let world = world();
    let mut new = version("one");
    new.files
        .insert("model.onnx".to_owned(), vec![0; (50 << 20) + 1].into());
    let error = world.open(BRANCH).publish(&model(), new).await.unwrap_err();
    insta::assert_snapshot!(error, @"`model.onnx` can not be kept in the registry: it is larger than 52428800 bytes");
    assert_eq!(world.twin.calls().len(), 0);
}

#[tokio::test]
async fn large_files_come_back_and_are_sent_once() {
    let world = world();
    let registry = world.open(BRANCH);
    let large: Vec<u8> = (0..3_000_000_u32).map(|i| i.to_le_bytes()[1]).collect();
    let text = "row,1,2,3\n".repeat(70_000);
    for about in ["one", "two"] {
        let mut new = version(about);
        new.files.insert("model.onnx".to_owned(), large.clone().into());
        new.files.insert("predictions.csv".to_owned(), text.as_str().into());
        registry.publish(&model(), new).await.unwrap();
    }
    let calls = world.twin.calls();
    let n_sent = calls
        .iter()
        .filter(|call| call.method == "POST" && call.path.ends_with("/blobs"));
    assert_eq!(n_sent.count(), 3, "the two large files and the empty one, each once");
    let other = world.open(BRANCH);
    for version in other.versions(&model()).await.unwrap() {
        assert_eq!(other.read(&version, "model.onnx").await.unwrap(), large);
        assert_eq!(other.read(&version, "predictions.csv").await.unwrap(), text.as_bytes());
    }
    world.assert_sound();
}

#[tokio::test]
async fn what_is_not_what_its_name_says_is_not_believed() {
    let world = world();
    let made = world.open(BRANCH).publish(&model(), version("one")).await.unwrap();
    let body = serde_json::json!({"content": "dHdv", "encoding": "base64"});
    world.twin.fault(Fault::always(
        "GET",
        "/git/blobs/",
        Wrong::StatusAfter { code: 200, body },
    ));
    let error = world.open(BRANCH).read(&made.version, "model.json").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unavailable { .. }), "{error}");
    assert!(
        chain(&error).contains("its content is not what its name says"),
        "{}",
        chain(&error)
    );
}

#[tokio::test]
async fn a_branch_that_was_removed_is_made_anew_by_the_next_program() {
    let world = world();
    life(&world.open(BRANCH)).await.unwrap();
    world
        .twin
        .state()
        .repository(REPOSITORY)
        .refs
        .remove("refs/heads/mlops-registry");
    assert_eq!(world.open(BRANCH).versions(&model()).await.unwrap(), []);
    life(&world.open(BRANCH)).await.unwrap();
    assert_eq!(world.open(BRANCH).ledger(&model()).await.unwrap().len(), 4);
}
