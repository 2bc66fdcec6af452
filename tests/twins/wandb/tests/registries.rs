//! Registries: linking, aliases that move, who may do what, and what is read of it.

use serde_json::{Value, json};

use super::super::seeds::Version;
use super::super::state::global_id;
use super::super::{Role, Twin};
use super::{Answer, ask_as, data, member, run};

const LINK: &str = "mutation L($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }";
const ADD: &str = "mutation A($input: AddAliasesInput!) { addAliases(input: $input) { success } }";
const DELETE: &str = "mutation D($input: DeleteAliasesInput!) { deleteAliases(input: $input) { success } }";
const ORG: &str = "acme_k7x2q";
const MODEL: &str = "wandb-registry-model";

/// A committed version of `ml-team/demo/net`, by what is in it.
fn version(twin: &Twin, text: &str) -> Value {
    version_of(twin, "ml-team", "model", text)
}

fn version_of(twin: &Twin, entity: &str, type_name: &str, text: &str) -> Value {
    let id = twin.state().seed_version(&Version {
        entity,
        project: "demo",
        collection: &format!("net-{type_name}"),
        type_name,
        run: "r",
        files: [("m.bin".to_owned(), text.as_bytes().to_vec())].into(),
        metadata: json!({ "rmse": 0.5 }),
        aliases: Vec::new(),
    });
    json!(global_id("Artifact", id))
}

fn link(twin: &Twin, key: &str, artifact: &Value, project: &str, aliases: &[&str]) -> Answer {
    let aliases = aliases
        .iter()
        .map(|alias| json!({ "artifactCollectionName": "demo", "alias": alias }));
    let input = json!({ "artifactID": artifact, "artifactPortfolioName": "demo", "entityName": ORG, "projectName": project,
        "aliases": aliases.collect::<Vec<Value>>() });
    ask_as(twin, key, LINK, &json!({ "input": input }))
}

fn change(twin: &Twin, key: &str, query: &str, artifact: &Value, alias: &str) -> Answer {
    let alias = json!({ "entityName": ORG, "projectName": MODEL, "artifactCollectionName": "demo", "alias": alias });
    ask_as(
        twin,
        key,
        query,
        &json!({ "input": { "artifactID": artifact, "aliases": [alias] } }),
    )
}

/// The number of a link that goes well.
fn number(answer: &Answer) -> u64 {
    answer.json()["data"]["linkArtifact"]["versionIndex"].as_u64().unwrap()
}

fn aliases(twin: &Twin, name: &str) -> Vec<String> {
    twin.state().aliases_at(ORG, MODEL, name)
}

#[test]
fn an_alias_is_on_one_version_and_latest_on_the_newest() {
    let twin = Twin::start();
    let key = twin.key();
    let (one, two) = (version(&twin, "one"), version(&twin, "two"));
    assert_eq!(number(&link(&twin, &key, &two, MODEL, &["candidate"])), 0);
    assert_eq!(number(&link(&twin, &key, &one, MODEL, &["candidate"])), 1);
    assert_eq!(
        (aliases(&twin, "demo:v0"), aliases(&twin, "demo:v1")),
        (vec![], vec!["candidate".into(), "latest".into()])
    );
    assert_eq!(number(&link(&twin, &key, &two, MODEL, &["latest", "shadow"])), 0);
    assert_eq!(aliases(&twin, "demo:v0"), ["shadow"]);
    assert_eq!(change(&twin, &key, ADD, &two, "candidate").status, 200);
    assert_eq!(
        (aliases(&twin, "demo:candidate"), aliases(&twin, "demo:v1")),
        (vec!["candidate".into(), "shadow".into()], vec!["latest".into()])
    );
    // Somebody else's alias is not taken away.
    assert_eq!(change(&twin, &key, DELETE, &one, "candidate").status, 200);
    assert_eq!(aliases(&twin, "demo:v0"), ["candidate", "shadow"]);
    assert_eq!(change(&twin, &key, DELETE, &two, "candidate").status, 200);
    assert_eq!(aliases(&twin, "demo:v0"), ["shadow"]);
    for alias in ["a/b", "a:b", "v3", ""] {
        assert_eq!(change(&twin, &key, ADD, &two, alias).status, 400, "{alias}");
    }
    let collection = twin
        .state()
        .collections
        .values()
        .find(|one| one.name == "demo")
        .unwrap()
        .id;
    let collection = global_id("ArtifactCollection", collection);
    let unlink = "mutation U($input: UnlinkArtifactInput!) { unlinkArtifact(input: $input) { success } }";
    let gone = json!({ "input": { "artifactID": one, "artifactPortfolioID": collection } });
    data(&twin, unlink, &gone);
    assert_eq!(
        (aliases(&twin, "demo:v0"), aliases(&twin, "demo:v1")),
        (vec!["latest".into(), "shadow".into()], vec![])
    );
    assert_eq!(ask_as(&twin, &key, unlink, &gone).status, 404);
    assert_eq!(number(&link(&twin, &key, &one, MODEL, &[])), 2);
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn what_can_not_be_linked_is_refused() {
    let twin = Twin::start();
    let key = twin.key();
    run(&twin, "r");
    let create = "mutation C($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id } } }";
    let input = json!({ "entityName": "ml-team", "projectName": "demo", "runName": "r", "artifactTypeName": "model",
        "artifactCollectionName": "raw", "digest": "0".repeat(32), "digestAlgorithm": "MANIFEST_MD5", "clientID": "c1" });
    let pending = data(&twin, create, &json!({ "input": input }))["createArtifact"]["artifact"]["id"].clone();
    assert_eq!(link(&twin, &key, &pending, MODEL, &[]).status, 400);
    for client_id in ["c1", "c2"] {
        let input =
            json!({ "clientID": client_id, "artifactPortfolioName": "demo", "entityName": ORG, "projectName": MODEL });
        let answer = ask_as(&twin, &key, LINK, &json!({ "input": input }));
        assert_eq!(
            (answer.status, answer.message().as_str()),
            (404, "failed to map client id")
        );
    }
    let good = version(&twin, "good");
    assert_eq!(link(&twin, &key, &good, "wandb-registry-nowhere", &[]).status, 404);
    assert_eq!(
        link(&twin, &key, &version_of(&twin, "ada", "model", "own"), MODEL, &[]).status,
        400
    );
    twin.state().organization("Other", "other_1");
    twin.state()
        .team("others", Some("Other"))
        .members
        .insert("ada".to_owned(), Role::Admin);
    assert_eq!(
        link(&twin, &key, &version_of(&twin, "others", "model", "theirs"), MODEL, &[]).status,
        400
    );
    assert_eq!(link(&twin, &key, &good, MODEL, &["v1"]).status, 400);
    assert!(twin.state().collections.values().all(|one| one.name != "demo"));
    assert_eq!(link(&twin, &key, &good, MODEL, &[]).status, 200);
    assert_eq!(
        link(
            &twin,
            &key,
            &version_of(&twin, "ml-team", "dataset", "rows"),
            MODEL,
            &[]
        )
        .status,
        400
    );
    twin.state().registry("Acme", "dataset").types = Some(["dataset".to_owned()].into());
    assert_eq!(link(&twin, &key, &good, "wandb-registry-dataset", &[]).status, 400);
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn roles_and_protected_aliases_hold() {
    let twin = Twin::start();
    let key = member(&twin);
    let (one, two) = (version(&twin, "one"), version(&twin, "two"));
    {
        let mut state = twin.state();
        let registry = state.registry("Acme", "model");
        registry.protected.insert("production".to_owned());
        registry.members.insert("ada".to_owned(), Role::Admin);
    }
    let denied = json!({ "errors": [{ "message": "permission denied", "path": ["addAliases"],
        "extensions": { "code": "PERMISSION_ERROR" } }], "data": { "addAliases": null } });
    assert_eq!(link(&twin, &key, &one, MODEL, &["production"]).status, 403);
    assert_eq!(link(&twin, &key, &one, MODEL, &["candidate"]).status, 200);
    let answer = change(&twin, &key, ADD, &one, "production");
    assert_eq!((answer.status, answer.json()), (403, denied));
    assert_eq!(change(&twin, &twin.key(), ADD, &one, "production").status, 200);
    assert_eq!(change(&twin, &key, DELETE, &one, "production").status, 403);
    assert_eq!(aliases(&twin, "demo:production"), ["candidate", "latest", "production"]);
    let collection = twin
        .state()
        .collections
        .values()
        .find(|one| one.name == "demo")
        .unwrap()
        .id;
    let input = json!({ "artifactID": one, "artifactPortfolioID": global_id("ArtifactCollection", collection) });
    let unlink = "mutation U($input: UnlinkArtifactInput!) { unlinkArtifact(input: $input) { success } }";
    assert_eq!(ask_as(&twin, &key, unlink, &json!({ "input": input })).status, 403);

    twin.state()
        .registry("Acme", "model")
        .members
        .insert("mia".to_owned(), Role::Viewer);
    assert_eq!(link(&twin, &key, &two, MODEL, &[]).status, 403);
    assert_eq!(change(&twin, &key, ADD, &one, "shadow").status, 403);
    let look = format!("{{ project(name: \"{MODEL}\", entityName: \"{ORG}\") {{ readOnly }} }}");
    let seen = |key: &str| ask_as(&twin, key, &look, &json!({})).json()["data"]["project"].clone();
    assert_eq!(seen(&key), json!({ "readOnly": true }));
    assert_eq!(seen(&twin.key()), json!({ "readOnly": false }));
    let eve = "e".repeat(40);
    twin.state().user("eve", &eve);
    assert_eq!(seen(&eve), json!(null));
    twin.state().registry("Acme", "model").default_role = None;
    twin.state().registry("Acme", "model").members.remove("mia");
    assert_eq!(seen(&key), json!(null));
}

#[test]
fn what_is_in_production_is_one_question() {
    let twin = Twin::start();
    let key = twin.key();
    let (one, two) = (version(&twin, "one"), version(&twin, "two"));
    link(&twin, &key, &one, MODEL, &["production"]);
    link(&twin, &key, &two, MODEL, &[]);
    let look = "query V($name: String!) { project(name: \"wandb-registry-model\", entityName: \"acme_k7x2q\") { \
                artifactCollectionMembership(name: $name) { versionIndex aliases { alias artifactCollection { name project { \
                name entity { name } } } } artifactCollection { __typename } artifact { id metadata artifactSequence { name } \
                createdBy { __typename ... on Run { name } } } } } }";
    let seen = |name: &str| {
        let found = data(&twin, look, &json!({ "name": name }));
        found["project"]["artifactCollectionMembership"].clone()
    };
    let alias = json!({ "alias": "production", "artifactCollection": { "name": "demo", "project": { "name": MODEL,
        "entity": { "name": ORG } } } });
    let champion = json!({ "versionIndex": 0, "aliases": [alias], "artifactCollection": { "__typename": "ArtifactPortfolio" },
        "artifact": { "id": one, "metadata": "{\"rmse\":0.5}", "artifactSequence": { "name": "net-model" },
        "createdBy": { "__typename": "Run", "name": "r" } } });
    assert_eq!(seen("demo:production"), champion);
    assert_eq!(seen("demo:v0"), champion);
    assert_eq!(seen("demo")["artifact"]["id"], two);
    for name in ["demo:nothing", "other:production", "demo:v9"] {
        assert_eq!(seen(name), json!(null), "{name}");
    }
    let list = "query L($after: String) { project(name: \"wandb-registry-model\", entityName: \"acme_k7x2q\") { \
                artifactCollection(name: \"demo\") { artifacts(first: 1, after: $after) { totalCount pageInfo { endCursor \
                hasNextPage } edges { version node { id } } } } } }";
    let page = |after: Value| {
        let found = data(&twin, list, &json!({ "after": after }));
        found["project"]["artifactCollection"]["artifacts"].clone()
    };
    let first = page(json!(null));
    assert_eq!(
        (&first["totalCount"], &first["edges"][0]["version"]),
        (&json!(2), &json!("v1"))
    );
    let second = page(first["pageInfo"]["endCursor"].clone());
    assert_eq!(
        (&second["edges"][0]["version"], &second["pageInfo"]["hasNextPage"]),
        (&json!("v0"), &json!(false))
    );
    let organization = "{ entity(name: \"ml-team\") { organization { name orgEntity { name } } user { id } } }";
    let found = data(&twin, organization, &json!({}));
    assert_eq!(
        found["entity"],
        json!({ "organization": { "name": "Acme", "orgEntity": { "name": ORG } }, "user": null })
    );
}

#[test]
fn scenarios_make_the_world_of_a_program() {
    let twin = Twin::start();
    let scenario = json!({
        "users": [{ "name": "bob", "key": "b".repeat(40), "default_entity": "ml-team" }],
        "teams": [{ "name": "ml-team", "members": { "bob": "member" } }],
        "registries": [
            { "organization": "Acme", "name": "model", "members": { "bob": "viewer" }, "protected": ["production"] },
            { "organization": "Acme", "name": "dataset", "gone": true },
        ],
        "versions": [{ "entity": "ml-team", "project": "churn", "collection": "churn", "type": "model", "run": "first",
            "files": { "model.json": "{}" }, "metadata": { "rmse": 0.5 }, "aliases": ["best"],
            "links": [{ "organization": "Acme", "registry": "model", "collection": "churn", "aliases": ["production"] }] }],
    });
    twin.seed(&scenario).unwrap();
    assert!(
        twin.seed(&json!({ "teams": [{ "name": "x", "members": { "bob": "king" } }] }))
            .is_err()
    );
    let seen = twin.snapshot();
    let versions = &seen["projects"]["acme_k7x2q/wandb-registry-model"]["collections"]["churn"]["versions"];
    assert_eq!(versions[0]["aliases"], json!(["latest", "production"]));
    assert_eq!(versions[0]["source"], "churn:v0");
    assert_eq!(
        seen["projects"]["ml-team/churn"]["runs"]["first"]["outputs"],
        json!(["churn:v0"])
    );
    assert_eq!(seen["projects"]["acme_k7x2q/wandb-registry-dataset"], json!(null));
}
