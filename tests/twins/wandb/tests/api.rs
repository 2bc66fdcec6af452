//! Documents, credentials, names, faults.

use std::time::Duration;

use serde_json::json;

use super::super::{Fault, Kind, Twin};
use super::{ask, ask_as, basic, call, data, member, run};

const VIEWER: &str = "{ viewer { username entity } }";

#[test]
fn documents_and_variables_are_held_against_the_schema() {
    let twin = Twin::start();
    let answer = ask(&twin, "{ viewer { shoeSize } }", &json!({}));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.message(), "Cannot query field \"shoeSize\" on type \"User\".");
    let stop = "mutation S($input: StopRunInput!) { stopRun(input: $input) { success } }";
    assert_eq!(
        ask(&twin, stop, &json!({ "input": { "id": "x", "why": 1 } })).status,
        400
    );
    assert_eq!(ask(&twin, stop, &json!({})).status, 400);
    assert_eq!(ask(&twin, "{ viewer", &json!({})).status, 400);
    assert_eq!(twin.violations().len(), 4);
    assert!(twin.writes().iter().all(|call| call.status == 400));
}

#[test]
fn limits_and_patterns_of_the_schema_hold() {
    let twin = Twin::start();
    run(&twin, "r");
    let add = "mutation A($input: AddAliasesInput!) { addAliases(input: $input) { success } }";
    let alias = |alias: &str| {
        json!({ "input": { "artifactID": "x", "aliases": [{ "entityName": "ml-team", "projectName": "demo",
            "artifactCollectionName": "c", "alias": alias }] } })
    };
    assert_eq!(ask(&twin, add, &alias(&"a".repeat(129))).status, 400);
    assert_eq!(ask(&twin, add, &alias(&"a".repeat(128))).status, 404);
    let update = "mutation U($input: UpdateArtifactInput!) { updateArtifact(input: $input) { artifact { id } } }";
    for (tag, status) in [
        ("good one", 404),
        ("-good_1", 404),
        (" bad", 400),
        ("b.ad", 400),
        ("bäd", 400),
    ] {
        let input = json!({ "input": { "artifactID": "x", "tagsToAdd": [{ "tagName": tag }] } });
        assert_eq!(ask(&twin, update, &input).status, status, "{tag}");
    }
    let tags = "mutation T($input: CreateArtifactCollectionTagAssignmentsInput!) \
                { createArtifactCollectionTagAssignments(input: $input) { tags { name } } }";
    let many: Vec<_> = (0..21)
        .map(|number| json!({ "tagName": format!("t{number}") }))
        .collect();
    let input = json!({ "input": { "entityName": "ml-team", "projectName": "demo", "artifactCollectionName": "c", "tags": many } });
    assert_eq!(ask(&twin, tags, &input).status, 400);
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn what_a_server_does_not_have_is_refused_without_a_breach() {
    let twin = Twin::start();
    let features = "{ serverInfo { features { name isEnabled } } }";
    let digest = "query D($id: ID!) { artifact(id: $id) { ...F } } fragment F on Artifact { digestAlgorithm }";
    assert_eq!(ask(&twin, features, &json!({})).status, 200);
    let answer = ask(&twin, digest, &json!({ "id": "x" }));
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.message(),
        "Cannot query field \"digestAlgorithm\" on type \"Artifact\"."
    );
    twin.state()
        .features
        .insert("ARTIFACT_DIGEST_ALGORITHM".to_owned(), true);
    assert_eq!(ask(&twin, digest, &json!({ "id": "x" })).status, 200);
    twin.state().is_old = true;
    let answer = ask(&twin, features, &json!({}));
    assert_eq!(
        answer.message(),
        "Cannot query field \"features\" on type \"ServerInfo\"."
    );
    assert_eq!(ask(&twin, digest, &json!({ "id": "x" })).status, 400);
    let using = "mutation U($input: UseArtifactInput!) { useArtifact(input: $input) { artifact { id } } }";
    let input = json!({ "input": { "artifactID": "x", "entityName": "ml-team", "projectName": "demo", "runName": "r",
        "artifactEntityName": "ml-team" } });
    assert_eq!(
        ask(&twin, using, &input).message(),
        "In field \"artifactEntityName\": Unknown field."
    );
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn a_caller_is_known_by_a_key_or_by_an_identity_token() {
    let twin = Twin::start();
    assert_eq!(
        data(&twin, VIEWER, &json!({}))["viewer"],
        json!({ "username": "ada", "entity": "ml-team" })
    );
    let wrong = ask_as(&twin, "wrong", VIEWER, &json!({}));
    assert_eq!((wrong.status, &wrong.json()["data"]["viewer"]), (200, &json!(null)));
    let wrong = ask_as(&twin, "wrong", "{ entity(name: \"ml-team\") { id } }", &json!({}));
    assert_eq!((wrong.status, wrong.message().as_str()), (401, "user is not logged in"));

    let url = format!("{}/oidc/token", twin.url());
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c";
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(call("POST", &url, &form, grant.as_bytes()).unwrap().status, 401);
    twin.state()
        .identity_tokens
        .insert("a.b.c".to_owned(), "ada".to_owned());
    assert_eq!(call("POST", &url, &form, b"assertion=a.b.c").unwrap().status, 400);
    let token = call("POST", &url, &form, grant.as_bytes()).unwrap().json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let look = || {
        let body = json!({ "query": VIEWER }).to_string();
        let url = format!("{}/graphql", twin.url());
        call("POST", &url, &[("authorization", &bearer)], body.as_bytes())
            .unwrap()
            .json()
    };
    assert_eq!(look()["data"]["viewer"]["username"], "ada");
    twin.state().ahead_seconds = 3601;
    assert_eq!(look()["data"]["viewer"], json!(null));
    let calls = twin.calls();
    assert_eq!(calls[0].scheme.as_deref(), Some("Basic"));
    assert_eq!(calls.last().unwrap().scheme.as_deref(), Some("Bearer"));
}

#[test]
fn runs_and_projects_have_the_names_that_they_may_have() {
    let twin = Twin::start();
    let upsert = "mutation U($name: String, $project: String, $entity: String, $config: JSONString) \
                  { upsertBucket(input: {name: $name, modelName: $project, entityName: $entity, config: $config}) \
                  { inserted bucket { name config project { name entity { name } } } } }";
    for name in ["a:b", "a/b", "a#b", "a?b", "a,b", "a;b", "it's", " a", "a "] {
        assert_eq!(
            ask(&twin, upsert, &json!({ "name": name, "project": "demo" })).status,
            400,
            "{name}"
        );
    }
    for project in ["a/b", "a\\b", "a#b", "a?b", "a%b", "a:b", &"a".repeat(129)] {
        assert_eq!(
            ask(&twin, upsert, &json!({ "name": "r", "project": project })).status,
            400,
            "{project}"
        );
    }
    assert_eq!(ask(&twin, upsert, &json!({ "name": "r", "config": "{" })).status, 400);
    let answer = ask(
        &twin,
        upsert,
        &json!({ "name": "r", "project": "demo", "entity": "nobody" }),
    );
    assert_eq!(
        (answer.status, answer.message().as_str()),
        (404, "entity nobody not found during upsertBucket")
    );
    twin.state().team("elsewhere", None);
    let answer = ask(
        &twin,
        upsert,
        &json!({ "name": "r", "project": "demo", "entity": "elsewhere" }),
    );
    let body = json!({ "errors": [{ "message": "permission denied", "path": ["upsertBucket"],
        "extensions": { "code": "PERMISSION_ERROR" } }], "data": { "upsertBucket": null } });
    assert_eq!((answer.status, answer.json()), (403, body));
    let answer = data(
        &twin,
        upsert,
        &json!({ "name": "r", "config": "{\"b\":{\"value\":1.0},\"a\":{\"value\":2}}" }),
    );
    let bucket = json!({ "name": "r", "config": "{\"a\":{\"value\":2},\"b\":{\"value\":1}}",
        "project": { "name": "uncategorized", "entity": { "name": "ml-team" } } });
    assert_eq!(answer["upsertBucket"], json!({ "inserted": true, "bucket": bucket }));
    assert_eq!(
        data(&twin, upsert, &json!({ "name": "r" }))["upsertBucket"]["inserted"],
        false
    );
}

#[test]
fn somebody_else_sees_nothing() {
    let twin = Twin::start();
    run(&twin, "r");
    let key = "e".repeat(40);
    twin.state().user("eve", &key);
    let look = "{ project(name: \"demo\", entityName: \"ml-team\") { run(name: \"r\") { state } } }";
    assert_eq!(
        ask_as(&twin, &key, look, &json!({})).json()["data"]["project"],
        json!(null)
    );
    let key = member(&twin);
    assert_eq!(
        ask_as(&twin, &key, look, &json!({})).json()["data"]["project"]["run"]["state"],
        "running"
    );
}

#[test]
fn it_fails_on_demand() {
    let twin = Twin::start();
    let tell = |query: &str| {
        let body = json!({ "query": query }).to_string();
        let key = basic(&twin.key());
        call(
            "POST",
            &format!("{}/graphql", twin.url()),
            &[("authorization", &key)],
            body.as_bytes(),
        )
    };
    let make = |name: &str| format!("mutation {{ upsertBucket(input: {{name: \"{name}\"}}) {{ inserted }} }}");
    let is_there = |name: &str| twin.state().run("ml-team", "uncategorized", name).is_some();
    twin.fault(Fault::once("upsertBucket", Kind::status(503)).after(1));
    assert_eq!(tell(&make("a")).unwrap().status, 200);
    assert_eq!(tell(VIEWER).unwrap().status, 200);
    assert_eq!((tell(&make("b")).unwrap().status, is_there("b")), (503, false));
    twin.fault(Fault::once("upsertBucket", Kind::rate_limited(0, 7, Some(3))));
    let limited = tell(&make("b")).unwrap();
    assert_eq!(
        (limited.status, limited.json()["error"].as_str()),
        (429, Some("rate limit exceeded"))
    );
    assert_eq!(
        (&*limited.headers["retry-after"], &*limited.headers["ratelimit-reset"]),
        ("3", "7")
    );
    twin.fault(Fault::once("upsertBucket", Kind::DropBefore));
    assert_eq!((tell(&make("c")).is_some(), is_there("c")), (false, false));
    twin.fault(Fault::once("upsertBucket", Kind::DropAfter));
    assert_eq!((tell(&make("d")).is_some(), is_there("d")), (false, true));
    let lost = Kind::StatusAfter {
        code: 502,
        body: json!({}),
    };
    twin.fault(Fault::once("upsertBucket", lost));
    assert_eq!((tell(&make("e")).unwrap().status, is_there("e")), (502, true));
    twin.fault(Fault::once("upsertBucket", Kind::Truncated));
    assert_eq!((tell(&make("f")).is_some(), is_there("f")), (false, true));
    twin.fault(Fault::once("viewer", Kind::Delay(Duration::from_millis(20))));
    assert_eq!(tell(VIEWER).unwrap().status, 200);
    let statuses: Vec<u16> = twin.writes().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [200, 503, 429, 0, 200, 200, 200]);
}

#[test]
fn it_goes_back_to_what_was_kept_and_forgets_a_call_that_never_ends() {
    let twin = Twin::start();
    run(&twin, "a");
    twin.state().keep();
    run(&twin, "b");
    assert!(twin.state().go_back());
    assert!(twin.state().run("ml-team", "demo", "a").is_some());
    assert!(twin.state().run("ml-team", "demo", "b").is_none());
    twin.fault(Fault::always("", Kind::Never));
    let url = format!("{}/graphql", twin.url());
    let asking = std::thread::spawn(move || call("POST", &url, &[], b"{}").is_some());
    while twin.calls().iter().all(|call| call.operation != "graphql") {
        std::thread::yield_now();
    }
    drop(twin);
    assert!(!asking.join().unwrap());
}
