//! The twin GitHub itself: what it takes and refuses, that it finds breaches of the contract, that it fails on demand.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::twins::{Fault, Kind, Limit, Object, Objects, PullSpec, Twin, hash};

const NAME: &str = "ada/churn";

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// One call as our program makes it; none when there was no answer.
fn call(twin: &Twin, token: &str, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
    ask(&twin.url(), token, method, path, body)
}

fn ask(base: &str, token: &str, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .user_agent("twin-test")
            .timeout(Duration::from_secs(20));
        let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{base}{path}")
        };
        let mut request = client
            .request(method.parse().unwrap(), url)
            .header("x-github-api-version", "2022-11-28");
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let bytes = response.bytes().await.ok()?;
        Some(Answer {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    })
}

fn get(twin: &Twin, token: &str, path: &str) -> Answer {
    call(twin, token, "GET", path, None).unwrap()
}

fn send(twin: &Twin, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    call(twin, token, method, path, Some(body)).unwrap()
}

/// A repository with a pull request, number 1, and a token that may do all of it.
fn prepared() -> (Twin, String, String) {
    let twin = Twin::start();
    let token = {
        let mut state = twin.state();
        state.commit(NAME, "main", &[("mlops.yaml", "seed: 1\n"), ("src/train.py", "pass\n")]);
        state.commit(NAME, "feature", &[("src/train.py", "fit()\n")]);
        let spec = PullSpec {
            title: "Fit",
            author: "bob",
            head_repository: NAME,
            head: "feature",
            base: "main",
        };
        assert_eq!(state.pull(NAME, &spec), 1);
        let names = [
            "checks",
            "contents",
            "pull-requests",
            "issues",
            "deployments",
            "actions",
            "statuses",
        ];
        state.actions_token(NAME, &names.map(|name| (name, "write")))
    };
    let head = twin.state().repositories[NAME].tip("feature").unwrap();
    (twin, token, head)
}

fn path(tail: &str) -> String {
    format!("/repos/{NAME}{tail}")
}

#[test]
fn objects_have_the_names_that_git_gives_them() {
    assert_eq!(hash("blob", b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    let mut objects = Objects::default();
    assert_eq!(
        objects.write_tree(&BTreeMap::new()),
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    );
    // `a-b` comes before the directory `a`, which Git sorts as `a/`.
    let blob = objects.write(Object::Blob(b"hello\n".to_vec()));
    let files = ["a/x", "a-b", "ledger/2/y.json"].map(|path| (path.to_owned(), ("100644".to_owned(), blob.clone())));
    assert_eq!(
        objects.write_tree(&BTreeMap::from(files)),
        "5c023ceebe258d08e85fcba97e10d49f88471cfa"
    );
}

#[test]
fn a_commit_over_rest_is_what_git_would_make_and_only_fast_forwards_land() {
    let (twin, token, head) = prepared();
    let blob = send(
        &twin,
        &token,
        "POST",
        &path("/git/blobs"),
        &json!({ "content": "aGVsbG8K", "encoding": "base64" }),
    );
    assert_eq!(
        (blob.status, blob.body["sha"].as_str()),
        (201, Some("ce013625030ba8dba906f756967f9e9ca394464a"))
    );
    let entries =
        json!({ "tree": [{ "path": "ledger/1.json", "mode": "100644", "type": "blob", "content": "hello\n" }] });
    let tree = send(&twin, &token, "POST", &path("/git/trees"), &entries);
    let person = json!({ "name": "A", "email": "a@b.c", "date": "2026-11-23T10:00:00Z" });
    let body = json!({ "message": "first", "tree": tree.body["sha"], "parents": [], "author": person });
    let commit = send(&twin, &token, "POST", &path("/git/commits"), &body);
    assert_eq!(commit.body["sha"], "c594330c74fbdf2d8458e8fc4030ea0bc45f5436");
    let first = json!({ "ref": "refs/heads/registry", "sha": commit.body["sha"] });
    assert_eq!(send(&twin, &token, "POST", &path("/git/refs"), &first).status, 201);
    assert_eq!(send(&twin, &token, "POST", &path("/git/refs"), &first).status, 422);
    let other = json!({ "sha": head, "force": false });
    let refused = send(&twin, &token, "PATCH", &path("/git/refs/heads/registry"), &other);
    assert_eq!(
        (refused.status, refused.body["message"].as_str()),
        (422, Some("Update is not a fast forward"))
    );
    assert_eq!(twin.state().history(NAME, "registry").len(), 1);
    let blob = get(
        &twin,
        &token,
        &path("/git/blobs/ce013625030ba8dba906f756967f9e9ca394464a"),
    );
    assert_eq!((blob.status, blob.body["content"].as_str()), (200, Some("aGVsbG8K\n")));
    let tips = [
        "/commits/registry",
        "/branches/registry",
        "/git/matching-refs/heads/regis",
    ]
    .map(|tail| {
        let found = get(&twin, &token, &path(tail)).body;
        let sha = found["sha"]
            .as_str()
            .or(found["commit"]["sha"].as_str())
            .or(found[0]["object"]["sha"].as_str());
        sha.unwrap_or_default().to_owned()
    });
    assert_eq!(tips, [(); 3].map(|()| commit.body["sha"].as_str().unwrap().to_owned()));
    assert_eq!(get(&twin, &token, &path("/git/ref/heads/none")).status, 404);
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn comments_come_in_pages_with_links_and_keep_every_version() {
    let (twin, token, _) = prepared();
    for number in 0..35 {
        twin.state().comment(NAME, 1, "bob", &format!("comment {number}"));
    }
    let first = get(&twin, &token, &path("/issues/1/comments"));
    assert_eq!(first.body.as_array().unwrap().len(), 30);
    let link = &first.headers["link"];
    let next = link.split('>').next().unwrap().trim_start_matches('<').to_owned();
    assert!(link.contains("rel=\"next\"") && link.contains("rel=\"last\""), "{link}");
    assert_eq!(get(&twin, &token, &next).body.as_array().unwrap().len(), 5);
    let made = send(
        &twin,
        &token,
        "POST",
        &path("/issues/1/comments"),
        &json!({ "body": "one" }),
    );
    assert_eq!(
        (made.status, made.body["user"]["login"].as_str()),
        (201, Some("github-actions[bot]"))
    );
    let place = path(&format!("/issues/comments/{}", made.body["id"]));
    assert_eq!(
        send(&twin, &token, "PATCH", &place, &json!({ "body": "two" })).status,
        200
    );
    assert_eq!(
        send(&twin, &token, "PATCH", &place, &json!({ "body": "x".repeat(65_537) })).status,
        422
    );
    let comments = twin.state().comments(NAME, 1);
    let bodies: Vec<&str> = comments
        .last()
        .unwrap()
        .versions
        .iter()
        .map(|version| version.body.as_str())
        .collect();
    assert_eq!(bodies, ["one", "two"]);
    assert_eq!(call(&twin, &token, "DELETE", &place, None).unwrap().status, 204);
    assert_eq!(get(&twin, &token, &place).status, 404);
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn what_a_token_may_not_do_is_refused_as_github_refuses_it() {
    let (twin, _, head) = prepared();
    let reader = twin.state().actions_token(NAME, &[("contents", "read")]);
    let check = json!({ "name": "mlops", "head_sha": head });
    let refused = send(&twin, &reader, "POST", &path("/check-runs"), &check);
    assert_eq!(
        (refused.status, refused.body["message"].as_str()),
        (403, Some("Resource not accessible by integration"))
    );
    assert_eq!(refused.headers["x-accepted-github-permissions"], "checks=write");
    twin.state().hides_accepted_permissions = true;
    let refused = send(
        &twin,
        &reader,
        "POST",
        &path("/issues/1/comments"),
        &json!({ "body": "x" }),
    );
    assert_eq!(
        (refused.status, refused.headers.get("x-accepted-github-permissions")),
        (403, None)
    );
    let person = twin.state().user_token("ada", NAME, &[("checks", "write")]);
    assert_eq!(send(&twin, &person, "POST", &path("/check-runs"), &check).status, 403);
    assert_eq!(get(&twin, "nonsense", &path("")).body["message"], "Bad credentials");
    twin.state().repository(NAME).is_private = true;
    let nothing = twin.state().actions_token(NAME, &[]);
    assert_eq!(
        (
            get(&twin, &nothing, &path("")).status,
            get(&twin, &reader, &path("/issues/1/comments")).status
        ),
        (404, 403)
    );
    assert_eq!(twin.state().check_runs(NAME, &head).len(), 0);
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn check_runs_gather_annotations_and_need_a_conclusion() {
    let (twin, token, head) = prepared();
    let annotation =
        json!({ "path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m" });
    let output = |n: usize| json!({ "title": "t", "summary": "s", "annotations": vec![annotation.clone(); n] });
    let body = json!({ "name": "mlops", "head_sha": head, "status": "in_progress", "output": output(50) });
    let made = send(&twin, &token, "POST", &path("/check-runs"), &body);
    assert_eq!(made.status, 201, "{}", made.body);
    let place = path(&format!("/check-runs/{}", made.body["id"]));
    assert_eq!(
        send(&twin, &token, "PATCH", &place, &json!({ "output": output(3) })).body["output"]["annotations_count"],
        53
    );
    assert_eq!(
        send(&twin, &token, "PATCH", &place, &json!({ "conclusion": "failure" })).body["status"],
        "completed"
    );
    let annotations = get(&twin, &token, &format!("{place}/annotations?per_page=100"));
    assert_eq!(annotations.body.as_array().unwrap().len(), 53);
    let listed = get(
        &twin,
        &token,
        &path(&format!("/commits/{head}/check-runs?check_name=mlops")),
    );
    assert_eq!(listed.body["total_count"], 1);
    assert_eq!(twin.violations(), Vec::<String>::new());
    // What the official description forbids is a mistake of the caller, and a test sees it.
    for wrong in [
        json!({ "output": output(51) }),
        json!({ "status": "completed" }),
        json!({ "conclusion": "good" }),
        json!({ "outcome": "success" }),
    ] {
        assert_eq!(send(&twin, &token, "PATCH", &place, &wrong).status, 599, "{wrong}");
    }
    assert_eq!(get(&twin, &token, "/repos/ada/churn/nothing").status, 599);
    assert_eq!(twin.violations().len(), 5, "{:#?}", twin.violations());
}

#[test]
fn pull_requests_show_their_files_their_merge_and_the_fork() {
    let (twin, token, head) = prepared();
    let pull = get(&twin, &token, &path("/pulls/1"));
    assert_eq!(
        (pull.status, pull.body["head"]["sha"].as_str()),
        (200, Some(head.as_str())),
        "{}",
        pull.body
    );
    let files = get(&twin, &token, &path("/pulls/1/files"));
    assert_eq!(files.body[0]["patch"], "@@ -1,1 +1,1 @@\n-pass\n+fit()");
    let fork_head = {
        let mut state = twin.state();
        state.fork(NAME, "eve/churn");
        let sha = state.commit("eve/churn", "better", &[("notes.md", "hello\n")]);
        let spec = PullSpec {
            title: "Notes",
            author: "eve",
            head_repository: "eve/churn",
            head: "better",
            base: "main",
        };
        assert_eq!(state.pull(NAME, &spec), 2);
        sha
    };
    let found = get(&twin, &token, &path("/pulls?state=open&head=eve:better"));
    assert_ne!(found.body[0]["head"]["repo"]["id"], found.body[0]["base"]["repo"]["id"]);
    assert_eq!(
        get(&twin, &token, &path(&format!("/commits/{fork_head}/pulls"))).body[0]["number"],
        2
    );
    let merge = twin.state().merge(NAME, 1);
    let compared = get(&twin, &token, &path(&format!("/compare/{head}...{merge}")));
    assert_eq!(
        (
            compared.body["status"].as_str(),
            compared.body["merge_base_commit"]["sha"].as_str()
        ),
        (Some("ahead"), Some(head.as_str()))
    );
    assert_eq!(
        get(&twin, &token, &path(&format!("/commits/{merge}/pulls"))).body[0]["merge_commit_sha"],
        merge
    );
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn faults_happen_as_often_as_they_were_asked_for() {
    let (twin, token, _) = prepared();
    let comments = path("/issues/1/comments");
    let post = || call(&twin, &token, "POST", &comments, Some(&json!({ "body": "x" })));
    twin.fault(Fault::once("POST", "/comments", Kind::status(502)).times(2));
    twin.fault(Fault::once("POST", "/comments", Kind::DropBefore));
    twin.fault(Fault::once("POST", "/comments", Kind::DropAfter));
    twin.fault(Fault::once(
        "POST",
        "/comments",
        Kind::StatusAfter {
            code: 504,
            body: json!({ "message": "late" }),
        },
    ));
    twin.fault(Fault::once("POST", "/comments", Kind::Truncated));
    twin.fault(Fault::once("POST", "/comments", Kind::Delay(Duration::from_millis(1))));
    let statuses: Vec<u16> = (0..7).map(|_| post().map_or(0, |answer| answer.status)).collect();
    assert_eq!(statuses, [502, 502, 0, 0, 504, 201, 201]);
    // The dropped answer, the replaced one, the cut one and the late one were committed.
    assert_eq!(twin.state().comments(NAME, 1).len(), 4);
    assert_eq!(
        twin.writes().iter().map(|call| call.status).collect::<Vec<_>>(),
        [502, 502, 0, 201, 201, 201, 201]
    );
    twin.state().limit = Some(Limit {
        status: 429,
        times: 1,
        reset: Some(7),
        retry_after: None,
    });
    let limited = get(&twin, &token, &comments);
    assert_eq!(
        (limited.status, limited.headers["x-ratelimit-remaining"].as_str()),
        (429, "0")
    );
    assert_eq!(get(&twin, &token, &comments).status, 200);
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn a_call_that_is_never_answered_ends_with_the_twin() {
    let (twin, token, _) = prepared();
    twin.fault(Fault::once("GET", "/issues/1", Kind::Never));
    let url = twin.url();
    let caller = std::thread::spawn(move || ask(&url, &token, "GET", &path("/issues/1"), None).is_none());
    // The caller gives up after a while, which ends the waiting.
    while !caller.is_finished() && twin.calls().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(twin.calls().iter().map(|call| call.status).collect::<Vec<_>>(), [0]);
    assert!(!caller.is_finished());
    drop(twin);
    assert!(caller.join().unwrap());
}

#[test]
fn an_enterprise_server_has_its_paths() {
    let (twin, token, _) = prepared();
    let repository = get(&twin, &token, &format!("{}{}", twin.enterprise_url(), path("")));
    assert_eq!(repository.body["full_name"], NAME);
    let query = json!({ "query": "{ viewer { login } }" });
    assert_eq!(
        send(&twin, &token, "POST", &twin.enterprise_graphql_url(), &query).status,
        200
    );
    assert_eq!(twin.violations(), Vec::<String>::new());
    let wrong = format!("{}/graphql", twin.enterprise_url());
    assert_eq!(send(&twin, &token, "POST", &wrong, &query).status, 599);
}

#[test]
fn graphql_knows_who_calls_hides_comments_and_reads_a_directory() {
    let (twin, token, _) = prepared();
    let ask = |query: &str, variables: Value| {
        send(
            &twin,
            &token,
            "POST",
            "/graphql",
            &json!({ "query": query, "variables": variables }),
        )
        .body
    };
    assert_eq!(
        ask("query { viewer { login } }", json!({}))["data"]["viewer"]["login"],
        "github-actions[bot]"
    );
    assert!(
        ask("{ viewer { nickname } }", json!({}))["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("nickname")
    );
    let id = twin.state().comment(NAME, 1, "github-actions[bot]", "old");
    let mutation = "mutation($i:MinimizeCommentInput!){minimizeComment(input:$i){clientMutationId}}";
    let node = twin.state().comments(NAME, 1)[0].node_id();
    let input = json!({ "i": { "subjectId": node, "classifier": "OUTDATED" } });
    assert!(ask(mutation, input)["errors"].is_null());
    assert_eq!(
        twin.state().repositories[NAME].comments[&id].minimized.as_deref(),
        Some("OUTDATED")
    );
    let unknown = ask(
        mutation,
        json!({ "i": { "subjectId": "IC_0", "classifier": "OUTDATED" } }),
    );
    assert_eq!(unknown["errors"][0]["type"], "NOT_FOUND");
    let tree = r#"query { repository(owner: "ada", name: "churn") { object(expression: "main:src") { ... on Tree { entries {
        name object { ... on Blob { oid byteSize isTruncated text } } } } } } }"#;
    let entries = &ask(tree, json!({}))["data"]["repository"]["object"]["entries"];
    assert_eq!(
        (entries[0]["name"].as_str(), entries[0]["object"]["text"].as_str()),
        (Some("train.py"), Some("pass\n"))
    );
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn deployments_need_green_contexts_and_give_way_to_the_next() {
    let (twin, token, head) = prepared();
    let red = json!({ "state": "failure", "context": "ci" });
    assert_eq!(
        send(&twin, &token, "POST", &path(&format!("/statuses/{head}")), &red).status,
        201
    );
    let deploy = |body: &Value| send(&twin, &token, "POST", &path("/deployments"), body);
    assert_eq!(deploy(&json!({ "ref": "nowhere" })).status, 422);
    assert_eq!(deploy(&json!({ "ref": "feature" })).status, 409);
    twin.state().commit(NAME, "main", &[("README.md", "x\n")]);
    assert_eq!(deploy(&json!({ "ref": "feature" })).status, 202);
    let body = json!({ "ref": "feature", "auto_merge": false, "required_contexts": [], "environment": "staging" });
    let ids = [deploy(&body), deploy(&body)].map(|made| {
        assert_eq!(made.status, 201, "{}", made.body);
        made.body["id"].as_u64().unwrap()
    });
    for id in ids {
        let status = json!({ "state": "success", "log_url": "https://example.com" });
        assert_eq!(
            send(
                &twin,
                &token,
                "POST",
                &path(&format!("/deployments/{id}/statuses")),
                &status
            )
            .status,
            201
        );
    }
    let states =
        ids.map(|id| get(&twin, &token, &path(&format!("/deployments/{id}/statuses"))).body[0]["state"].clone());
    assert_eq!(states, ["inactive", "success"]);
    let listed = get(&twin, &token, &path("/deployments?environment=staging"));
    assert_eq!(listed.body.as_array().unwrap().len(), 2);
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn a_workflow_is_dispatched_with_its_inputs_only() {
    let (twin, token, _) = prepared();
    twin.state().workflow(NAME, "promote.yml", &["model!", "version"]);
    let place = path("/actions/workflows/promote.yml/dispatches");
    let dispatch = |place: &str, body: Value| send(&twin, &token, "POST", place, &body);
    let inputs = json!({ "model": "churn" });
    assert_eq!(
        dispatch(&path("/actions/workflows/no.yml/dispatches"), json!({ "ref": "main" })).status,
        404
    );
    assert_eq!(dispatch(&place, json!({ "ref": "main" })).status, 422);
    assert_eq!(
        dispatch(
            &place,
            json!({ "ref": "main", "inputs": { "model": "x", "other": "y" } })
        )
        .status,
        422
    );
    assert_eq!(dispatch(&place, json!({ "ref": "none", "inputs": inputs })).status, 422);
    assert_eq!(dispatch(&place, json!({ "ref": "main", "inputs": inputs })).status, 204);
    let details = dispatch(
        &place,
        json!({ "ref": "main", "inputs": inputs, "return_run_details": true }),
    );
    let run = details.body["workflow_run_id"].as_u64().unwrap();
    assert_eq!(
        get(&twin, &token, &path(&format!("/actions/runs/{run}"))).body["event"],
        "workflow_dispatch"
    );
    assert_eq!(
        dispatch(&path("/dispatches"), json!({ "event_type": "retrain" })).status,
        204
    );
    assert_eq!(twin.state().repositories[NAME].dispatches.len(), 3);
    twin.state()
        .repository(NAME)
        .collaborators
        .insert("bob".to_owned(), "maintain".to_owned());
    let bob = get(&twin, &token, &path("/collaborators/bob/permission"));
    assert_eq!(
        (bob.body["permission"].as_str(), bob.body["role_name"].as_str()),
        (Some("write"), Some("maintain"))
    );
    assert_eq!(get(&twin, &token, &path("/collaborators/eve/permission")).status, 404);
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn an_artifact_is_created_uploaded_finalized_and_downloaded() {
    let (twin, token, head) = prepared();
    let run = twin.state().run(NAME, "pull_request", &head, "feature");
    let job = twin.state().runtime_token(NAME, run, "refs/pull/1/merge");
    let (run_backend, job_backend) = {
        let state = twin.state();
        let token = &state.runtime_tokens[&job];
        (token.run_backend.clone(), token.job_backend.clone())
    };
    let ask = |token: &str, method: &str, body: &Value| {
        let mut body = body.clone();
        body["workflow_run_backend_id"] = json!(run_backend);
        body["workflow_job_run_backend_id"] = json!(job_backend);
        send(
            &twin,
            token,
            "POST",
            &format!("/twirp/github.actions.results.api.v1.ArtifactService/{method}"),
            &body,
        )
    };
    let artifact = json!({ "name": "report.html", "version": 7, "mime_type": "text/html" });
    assert_eq!(ask(&token, "CreateArtifact", &artifact).status, 401);
    let made = ask(&job, "CreateArtifact", &artifact);
    let url = made.body["signed_upload_url"].as_str().unwrap().to_owned();
    assert_eq!(ask(&job, "CreateArtifact", &artifact).body["code"], "already_exists");
    let hello = json!("hello");
    // Without its header a blob has no type, with a token the address has two proofs, and it is signed.
    assert_eq!(send(&twin, "", "PUT", &url, &hello).status, 400);
    assert_eq!(send(&twin, &token, "PUT", &url, &hello).status, 403);
    assert_eq!(
        send(&twin, "", "PUT", &url.replace("sig=", "sig=A"), &hello).status,
        403
    );
    assert_eq!(
        send(&twin, "", "PUT", &format!("{url}&comp=block&blockid=MDAw"), &hello).status,
        201
    );
    let blocks = "<BlockList><Latest>MDAw</Latest></BlockList>";
    assert_eq!(
        send(&twin, "", "PUT", &format!("{url}&comp=blocklist"), &json!(blocks)).status,
        201
    );
    let hash = "sha256:5aa762ae383fbb727af3c7a36d4940a5b8c40a989452d2304fc958ff3f354e7a";
    let finalize = |size: &str, hash: &str| {
        ask(
            &job,
            "FinalizeArtifact",
            &json!({ "name": "report.html", "size": size, "hash": hash }),
        )
    };
    assert_eq!(
        (finalize("6", hash).status, finalize("7", "sha256:00").status),
        (400, 400)
    );
    let done = finalize("7", hash);
    assert_eq!(
        (done.status, done.body["ok"].as_bool()),
        (200, Some(true)),
        "{}",
        done.body
    );
    let listed = get(
        &twin,
        &token,
        &path(&format!("/actions/runs/{run}/artifacts?name=report.html")),
    );
    let shown = &listed.body["artifacts"][0];
    assert_eq!(
        (shown["digest"].as_str(), shown["workflow_run"]["head_sha"].as_str()),
        (Some(hash), Some(head.as_str()))
    );
    let archive = get(&twin, &token, &path(&format!("/actions/artifacts/{}/zip", shown["id"])));
    let place = archive.headers["location"].clone();
    assert_eq!((archive.status, get(&twin, &token, &place).status), (302, 403));
    assert_eq!(get(&twin, "", &place).body, hello);
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn caches_are_read_from_the_own_branch_and_the_default_one_and_written_once() {
    let (twin, _, head) = prepared();
    let run = twin.state().run(NAME, "pull_request", &head, "feature");
    let [main, pull, other] = ["refs/heads/main", "refs/pull/1/merge", "refs/heads/other"]
        .map(|scope| twin.state().runtime_token(NAME, run, scope));
    let version = "ab".repeat(32);
    let ask = |token: &str, method: &str, body: Value| {
        let mut body = body;
        body["version"] = json!(version);
        send(
            &twin,
            token,
            "POST",
            &format!("/twirp/github.actions.results.api.v1.CacheService/{method}"),
            &body,
        )
    };
    let save = |token: &str, key: &str| {
        let made = ask(token, "CreateCacheEntry", json!({ "key": key }));
        let url = made.body["signed_upload_url"].as_str().unwrap().to_owned();
        assert_eq!(
            send(&twin, "", "PUT", &format!("{url}&comp=block&blockid=MDAw"), &json!("x")).status,
            201
        );
        let blocks = json!("<BlockList><Latest>MDAw</Latest></BlockList>");
        assert_eq!(
            send(&twin, "", "PUT", &format!("{url}&comp=blocklist"), &blocks).status,
            201
        );
        let wrong = ask(
            token,
            "FinalizeCacheEntryUpload",
            json!({ "key": key, "size_bytes": "4" }),
        );
        assert_eq!(wrong.body["code"], "invalid_argument");
        assert_eq!(
            ask(
                token,
                "FinalizeCacheEntryUpload",
                json!({ "key": key, "size_bytes": "3" })
            )
            .body["ok"],
            true
        );
    };
    save(&main, "data-1");
    save(&pull, "data-2");
    let find = |token: &str, key: &str| {
        let body = json!({ "key": key, "restore_keys": ["data-"] });
        ask(token, "GetCacheEntryDownloadURL", body).body["matched_key"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        [find(&pull, "data-9"), find(&main, "data-9"), find(&other, "data-9")],
        ["data-2", "data-1", "data-1"]
    );
    assert_eq!(
        ask(&main, "CreateCacheEntry", json!({ "key": "data-1" })).body["code"],
        "already_exists"
    );
    twin.state().runtime_tokens.get_mut(&pull).unwrap().writes_cache = false;
    let denied = ask(&pull, "CreateCacheEntry", json!({ "key": "data-3" }));
    assert!(
        denied.body["msg"].as_str().unwrap().starts_with("cache write denied:"),
        "{}",
        denied.body
    );
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn a_scenario_is_seeded_and_seen_as_people_would_see_it() {
    let twin = Twin::start();
    let scenario = json!({
        "repositories": [{
            "name": NAME, "private": true, "collaborators": { "bob": "write" }, "workflows": { "promote.yml": ["model!"] },
            "commits": [
                { "branch": "main", "message": "first", "files": { "a.txt": "one\n", "b.bin": { "base64": "AP8=" } } },
                { "branch": "feature", "files": { "a.txt": null } },
            ],
            "pulls": [{ "title": "Without a", "author": "bob", "head": "feature", "base": "main" }],
        }],
        "tokens": [{ "repository": NAME, "permissions": { "pull-requests": "write", "issues": "write" } }],
        "runs": [{ "repository": NAME, "event": "push", "head_branch": "main" }],
    });
    let seeded = send(&twin, "", "POST", "/_twin/scenario", &scenario);
    let token = seeded.body["tokens"][0].as_str().unwrap();
    assert_eq!(seeded.body["repositories"][NAME]["pulls"], json!([1]));
    assert!(seeded.body["runs"][0]["runtime_token"].is_string());
    let issue = send(
        &twin,
        token,
        "POST",
        &path("/issues"),
        &json!({ "title": "Drift", "labels": ["mlops:drift"] }),
    );
    assert_eq!(issue.status, 201, "{}", issue.body);
    let closed = send(&twin, token, "PATCH", &path("/issues/2"), &json!({ "state": "closed" }));
    assert_eq!(closed.body["state_reason"], "completed");
    assert_eq!(
        get(&twin, token, &path("/issues?labels=mlops:drift&state=all"))
            .body
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let fault = json!({ "method": "POST", "path_contains": "/comments", "kind": "status", "code": 503 });
    assert_eq!(send(&twin, "", "POST", "/_twin/faults", &fault).status, 200);
    assert_eq!(
        send(
            &twin,
            token,
            "POST",
            &path("/issues/1/comments"),
            &json!({ "body": "x" })
        )
        .status,
        503
    );
    let made = send(
        &twin,
        token,
        "POST",
        &path("/issues/1/comments"),
        &json!({ "body": "x" }),
    );
    let reactions = path(&format!("/issues/comments/{}/reactions", made.body["id"]));
    let react = || send(&twin, token, "POST", &reactions, &json!({ "content": "eyes" })).status;
    assert_eq!((react(), react()), (201, 200));
    assert_eq!(get(&twin, token, "/user").status, 403);
    let ada = twin.state().user_token("ada", NAME, &[]);
    assert_eq!(get(&twin, &ada, "/user").body["login"], "ada");
    let seen = get(&twin, "", "/_twin/snapshot").body[NAME].clone();
    assert_eq!(
        seen["branches"]["feature"]["files"],
        json!({ "b.bin": { "base64": "AP8=" } })
    );
    assert_eq!(
        seen["comments"][0]["reactions"],
        json!([["github-actions[bot]", "eyes"]])
    );
    assert_eq!(
        (
            seen["issues"][1]["is_open"].as_bool(),
            seen["comments"].as_array().unwrap().len()
        ),
        (Some(false), 1)
    );
    assert_eq!(get(&twin, "", "/_twin/violations").body, json!([]));
}
