//! Documents and variables against the schema, by an implementation of GraphQL that knows nothing of ours.

use std::collections::BTreeSet;
use std::path::Path;

use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::{JsonMap, serde_json_bytes};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use serde::Serialize;
use serde_json::{Value, json};

use crate::sys;
use crate::wandb::operations::account::{EntityVariables, Nothing, RegistryVariables};
use crate::wandb::operations::artifacts::{ArtifactOnly, CreateInput, UpdateInput, UseInput};
use crate::wandb::operations::collections::{AliasesInput, LinkInput, UnlinkInput};
use crate::wandb::operations::downloads::FilesVariables;
use crate::wandb::operations::files::{CompleteVariables, FilesInput, ManifestVariables};
use crate::wandb::operations::runs::{RunAlert, RunFiles};
use crate::wandb::operations::shapes::Input;
use crate::wandb::operations::versions::{VersionVariables, VersionsVariables};
use crate::wandb::operations::*;

fn schema() -> Valid<Schema> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/wandb/schema.graphql");
    let text = sys::read_text(&path, 1 << 20).unwrap();
    Schema::parse_and_validate(text, &path).unwrap()
}

/// What is wrong with a document and its variables.
fn check(schema: &Valid<Schema>, text: &str, variables: &Value) -> Result<(), String> {
    let document =
        ExecutableDocument::parse_and_validate(schema, text, "test.graphql").map_err(|error| error.to_string())?;
    let operation = document.operations.get(None).map_err(|error| format!("{error:?}"))?;
    let bytes = serde_json::to_vec(variables).unwrap();
    let serde_json_bytes::Value::Object(map) = serde_json_bytes::Value::from_bytes(bytes.into()).unwrap() else {
        return Err("variables are an object".to_owned());
    };
    let map: JsonMap = map;
    // Coercion leaves out what no document declares, which W&B may not.
    for (name, _) in &map {
        if !operation
            .variables
            .iter()
            .any(|declared| declared.name.as_str() == name.as_str())
        {
            return Err(format!("`${}` is not declared", name.as_str()));
        }
    }
    coerce_variable_values(schema, operation, &map)
        .map(drop)
        .map_err(|error| error.message().to_string())
}

fn path() -> RunPath {
    RunPath {
        entity: "acme".to_owned(),
        project: "diabetes".to_owned(),
        run: "gh-17-1-evaluate".to_owned(),
    }
}

fn collection() -> CollectionPath {
    CollectionPath {
        entity: "acme-org_x1".to_owned(),
        project: "wandb-registry-model".to_owned(),
        collection: "diabetes".to_owned(),
    }
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|&text| text.to_owned()).collect()
}

fn of(variables: impl Serialize) -> Value {
    serde_json::to_value(variables).unwrap()
}

fn input(input: impl Serialize) -> Value {
    of(Input { input })
}

/// What is sent with each document, with all that may be left out there and left out.
fn samples() -> Vec<(&'static Operation, Value)> {
    let mut samples: Vec<(&'static Operation, Value)> = Vec::new();
    let mut add = |operation: &'static Operation, variables: Value| samples.push((operation, variables));
    add(&VIEWER, of(Nothing {}));
    add(&SERVER_FEATURES, of(Nothing {}));
    add(&ORG_OF_ENTITY, of(EntityVariables { entity: "acme" }));
    add(
        &REGISTRY,
        of(RegistryVariables {
            entity: "acme-org_x1",
            name: "wandb-registry-model",
        }),
    );

    let bare = UpsertRun {
        name: "r".to_owned(),
        project: "diabetes".to_owned(),
        ..UpsertRun::default()
    };
    add(&UPSERT_RUN, of(&bare));
    let full = UpsertRun {
        id: Some("UnVuOnYx".to_owned()),
        name: "gh-17-1-evaluate".to_owned(),
        entity: Some("acme".to_owned()),
        project: "diabetes".to_owned(),
        display_name: Some("evaluate #17".to_owned()),
        group: Some("pull-3".to_owned()),
        job_type: Some("evaluate".to_owned()),
        tags: Some(texts(&["ci"])),
        notes: Some("[run](https://example.com)".to_owned()),
        config: Some(json!({"lr": {"value": 0.1}, "_wandb": {"value": {"t": {"13": "linux-x86_64"}}}})),
        summary: Some(json!({"rmse": 55.5})),
        commit: Some("0123456".to_owned()),
        repository: Some("https://github.com/acme/diabetes".to_owned()),
        program: Some("mlops".to_owned()),
        host: Some("runner".to_owned()),
    };
    add(&UPSERT_RUN, of(&full));
    let untagged = UpsertRun {
        tags: Some(Vec::new()),
        ..bare
    };
    add(&UPSERT_RUN, of(&untagged));

    add(&RUN_RESUME, of(path()));
    add(&RUN_READ, of(path()));
    let files = texts(&["media/images/roc_0_0123456789abcdef0123.png", "config.yaml"]);
    let run = path();
    add(
        &CREATE_RUN_FILES,
        of(RunFiles {
            run: &run,
            files: &files,
        }),
    );
    for (severity, wait_ms) in [
        (AlertSeverity::Info, None),
        (AlertSeverity::Warn, Some(60_000)),
        (AlertSeverity::Error, Some(0)),
    ] {
        let alert = Alert {
            title: "the model is worse".to_owned(),
            text: "rmse went from 54 to 56".to_owned(),
            severity,
            wait_ms,
        };
        add(
            &ALERT,
            of(RunAlert {
                run: &run,
                alert: &alert,
            }),
        );
    }

    let bare = CreateArtifact {
        entity: "acme".to_owned(),
        project: "diabetes".to_owned(),
        type_name: "model".to_owned(),
        name: "diabetes".to_owned(),
        digest: "64e7c61456b10382e2f3b571ac24b659".to_owned(),
        ..CreateArtifact::default()
    };
    add(&CREATE_ARTIFACT, input(CreateInput::of(&bare)));
    let full = CreateArtifact {
        run: Some("gh-17-1-evaluate".to_owned()),
        description: Some("what it is".to_owned()),
        metadata: Some(json!({"rmse": 55.5, "gates": [{"name": "g", "verdict": "pass"}]})),
        aliases: texts(&["latest", "candidate"]),
        tags: texts(&["ci"]),
        client_id: Some("c".repeat(128)),
        sequence_client_id: Some("q".repeat(128)),
        ..bare
    };
    add(&CREATE_ARTIFACT, input(CreateInput::of(&full)));
    let first = CreateManifest {
        artifact: "QXJ0aWZhY3Q6MQ==".to_owned(),
        entity: "acme".to_owned(),
        project: "diabetes".to_owned(),
        ..CreateManifest::default()
    };
    add(&CREATE_ARTIFACT_MANIFEST, of(ManifestVariables::of(&first)));
    let second = CreateManifest {
        base: Some("QXJ0aWZhY3Q6MA==".to_owned()),
        digest: "XUFAKrxLKna5cZ2REBfFkg==".to_owned(),
        run: "r".to_owned(),
        ..first
    };
    add(&CREATE_ARTIFACT_MANIFEST, of(ManifestVariables::of(&second)));
    let small = ArtifactFileSpec {
        artifact: "QXJ0aWZhY3Q6MQ==".to_owned(),
        name: "model.json".to_owned(),
        md5: "XUFAKrxLKna5cZ2REBfFkg==".to_owned(),
        ..ArtifactFileSpec::default()
    };
    let parts = vec![
        Part {
            number: 1,
            hex_md5: "5d41402abc4b2a76b9719d911017c592".to_owned(),
        },
        Part {
            number: 2,
            hex_md5: "\"5d41402abc4b2a76b9719d911017c592\"".to_owned(),
        },
    ];
    let large = ArtifactFileSpec {
        manifest: Some("TWFuaWZlc3Q6MQ==".to_owned()),
        mimetype: Some("application/json".to_owned()),
        parts: parts.clone(),
        ..small.clone()
    };
    add(&CREATE_ARTIFACT_FILES, input(FilesInput::of(&[small, large])));
    add(&CREATE_ARTIFACT_FILES, input(FilesInput::of(&[])));
    let complete = CompleteMultipart {
        artifact: "QXJ0aWZhY3Q6MQ==".to_owned(),
        path: "wandb_artifacts/1/2/abc".to_owned(),
        upload: "upload".to_owned(),
        parts,
    };
    add(&COMPLETE_MULTIPART, of(CompleteVariables::of(&complete)));
    let artifact = "QXJ0aWZhY3Q6MQ==";
    add(&COMMIT_ARTIFACT, of(ArtifactOnly { artifact }));
    add(&MANIFEST_URL, of(ArtifactOnly { artifact }));
    let bare = UpdateArtifact {
        artifact: artifact.to_owned(),
        ..UpdateArtifact::default()
    };
    add(&UPDATE_ARTIFACT, input(UpdateInput::of(&bare)));
    let full = UpdateArtifact {
        description: Some(String::new()),
        metadata: Some(json!({})),
        tags_to_add: texts(&["approved by hand"]),
        tags_to_delete: texts(&["candidate"]),
        ..bare
    };
    add(&UPDATE_ARTIFACT, input(UpdateInput::of(&full)));
    let bare = UseArtifact {
        artifact: artifact.to_owned(),
        run: path(),
        found_in: None,
        used_as: None,
    };
    add(&USE_ARTIFACT, input(UseInput::of(&bare)));
    let full = UseArtifact {
        found_in: Some(("acme".to_owned(), "diabetes".to_owned())),
        used_as: Some("test data".to_owned()),
        ..bare
    };
    add(&USE_ARTIFACT, input(UseInput::of(&full)));

    let place = collection();
    let aliases = texts(&["production", "stable"]);
    for operation in [&ADD_ALIASES, &DELETE_ALIASES] {
        add(operation, input(AliasesInput::of(artifact, &place, &aliases)));
        add(operation, input(AliasesInput::of(artifact, &place, &[])));
    }
    for aliases in [Vec::new(), aliases] {
        let link = LinkArtifact {
            artifact: artifact.to_owned(),
            collection: collection(),
            aliases,
        };
        add(&LINK_ARTIFACT, input(LinkInput::of(&link)));
    }
    let portfolio = "UG9ydGZvbGlvOjE=";
    add(&UNLINK_ARTIFACT, input(UnlinkInput { artifact, portfolio }));
    let (entity, project) = ("acme-org_x1", "wandb-registry-model");
    let name = "diabetes:production";
    add(&VERSION, of(VersionVariables { entity, project, name }));
    for after in [None, Some("Y3Vyc29y")] {
        let collection = "diabetes";
        add(
            &VERSIONS,
            of(VersionsVariables {
                entity,
                project,
                collection,
                first: 100,
                after,
            }),
        );
        add(
            &MEMBERSHIP_FILE_URLS,
            of(FilesVariables {
                entity,
                project,
                collection,
                alias: "v3",
                first: 1000,
                after,
            }),
        );
    }
    samples
}

#[test]
fn everything_that_is_sent_is_in_the_schema() {
    let schema = schema();
    let samples = samples();
    for (operation, variables) in &samples {
        if let Err(error) = check(&schema, operation.text, variables) {
            panic!("{}: {error}\n{variables:#}", operation.name);
        }
    }
    let sampled: BTreeSet<&str> = samples.iter().map(|(operation, _)| operation.name).collect();
    let known: BTreeSet<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    assert_eq!(sampled, known, "each document has a sample");
    assert_eq!((known.len(), OPERATIONS.len()), (24, 24));
}

#[test]
fn names_are_those_of_the_documents() {
    let schema = schema();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wandb/ops");
    let mut files: BTreeSet<String> = sys::list(&folder)
        .unwrap()
        .into_iter()
        .map(|file| sys::read_text(&folder.join(file.name), 1 << 20).unwrap())
        .collect();
    for operation in OPERATIONS {
        let document = ExecutableDocument::parse_and_validate(&schema, operation.text, "test.graphql").unwrap();
        assert!(
            document.operations.named.contains_key(operation.name),
            "{}",
            operation.name
        );
        assert!(files.remove(operation.text), "{} is a file of its own", operation.name);
    }
    assert!(files.is_empty(), "no file is left over");
}

#[test]
fn queries_may_be_repeated_and_what_takes_from_others_may_not() {
    let schema = schema();
    let once: Vec<&str> = OPERATIONS
        .iter()
        .filter(|operation| !operation.is_idempotent)
        .map(|operation| operation.name)
        .collect();
    assert_eq!(
        once,
        [
            "AddAliases",
            "Alert",
            "CommitArtifact",
            "CompleteMultipart",
            "DeleteAliases",
            "LinkArtifact",
            "UnlinkArtifact"
        ]
    );
    for operation in OPERATIONS {
        let document = ExecutableDocument::parse_and_validate(&schema, operation.text, "test.graphql").unwrap();
        let is_query = document.operations.get(None).unwrap().is_query();
        assert!(operation.is_idempotent || !is_query, "{}", operation.name);
    }
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let schema = schema();
    let wrong = |what: &str, text: &str, variables: Value| {
        assert!(check(&schema, text, &variables).is_err(), "{what}");
    };
    let with = |operation: &Operation, from: &str, to: &str| {
        assert!(operation.text.contains(from));
        operation.text.replace(from, to)
    };
    let variables_of = |operation: &Operation| {
        let samples = samples();
        let found = samples.into_iter().find(|(one, _)| one.name == operation.name);
        found.unwrap().1
    };
    let (viewer, commit) = (variables_of(&VIEWER), variables_of(&COMMIT_ARTIFACT));
    wrong(
        "a field that is not there",
        &with(&VIEWER, "email", "mail"),
        viewer.clone(),
    );
    wrong(
        "an object without its fields",
        "query Q { viewer { teams } }",
        viewer.clone(),
    );
    wrong(
        "an argument that is not there",
        &with(&COMMIT_ARTIFACT, "artifactID:", "id:"),
        commit.clone(),
    );
    wrong(
        "a variable of another type",
        &with(&COMMIT_ARTIFACT, "$artifact: ID!", "$artifact: Int!"),
        json!({"artifact": 1}),
    );
    wrong("a required variable left out", COMMIT_ARTIFACT.text, json!({}));
    wrong(
        "a variable that is not declared",
        COMMIT_ARTIFACT.text,
        json!({"artifact": "x", "more": 1}),
    );
    let mut create = variables_of(&CREATE_ARTIFACT);
    create["input"]["digestAlgorithm"] = json!("MANIFEST_SHA1");
    wrong("a word that its enum does not have", CREATE_ARTIFACT.text, create);
    // The aliases of a version and those of a collection look alike and are not.
    let mut aliases = variables_of(&ADD_ALIASES);
    aliases["input"]["aliases"] = json!([{"artifactCollectionName": "diabetes", "alias": "production"}]);
    wrong("an alias without its place", ADD_ALIASES.text, aliases);
    let mut link = variables_of(&LINK_ARTIFACT);
    link["input"]["aliases"] = variables_of(&ADD_ALIASES)["input"]["aliases"].clone();
    wrong("an alias with a place", LINK_ARTIFACT.text, link);
    assert_eq!(check(&schema, VIEWER.text, &viewer), Ok(()));
    assert_eq!(check(&schema, COMMIT_ARTIFACT.text, &commit), Ok(()));
}
