//! The file stream, and the files of a run.

use serde_json::{Value, json};

use super::super::Twin;
use super::{Answer, ask, basic, call, data, put, run};

fn stream(twin: &Twin, name: &str, body: &Value) -> Answer {
    let url = format!("{}/files/ml-team/demo/{name}/file_stream", twin.url());
    let key = basic(&twin.key());
    call("POST", &url, &[("authorization", &key)], body.to_string().as_bytes()).unwrap()
}

fn history(offset: usize, lines: &[&str]) -> Value {
    json!({ "files": { "wandb-history.jsonl": { "offset": offset, "content": lines } } })
}

fn lines(twin: &Twin) -> Vec<String> {
    twin.state().run("ml-team", "demo", "r").unwrap().history.clone()
}

#[test]
fn lines_have_places_and_come_again() {
    let twin = Twin::start();
    run(&twin, "r");
    let two = [
        "{\"_step\":0,\"a\":NaN}",
        "{\"_step\":1,\"a\":-Infinity,\"b\":{\"c\":2}}",
    ];
    let answer = stream(&twin, "r", &history(0, &two));
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "exitcode": null, "limits": {} }))
    );
    stream(&twin, "r", &history(1, &[two[1], "{\"_step\":2,\"a\":3}"]));
    assert_eq!(lines(&twin), [two[0], two[1], "{\"_step\":2,\"a\":3}"]);
    let look = "{ project(name: \"demo\", entityName: \"ml-team\") { run(name: \"r\") { historyLineCount historyTail \
                history(minStep: 1) sampledHistory(specs: [\"{\\\"keys\\\":[\\\"_step\\\",\\\"b.c\\\"]}\"]) \
                parquetHistory(liveKeys: [\"a\"]) { liveData } } } }";
    let found = &data(&twin, look, &json!({}))["project"]["run"];
    assert_eq!(found["historyLineCount"], 3);
    assert_eq!(found["historyTail"], "[\"{\\\"_step\\\":2,\\\"a\\\":3}\"]");
    assert_eq!(found["history"][0], "{\"_step\":1,\"a\":\"-Infinity\",\"b\":{\"c\":2}}");
    assert_eq!(found["sampledHistory"], json!([[{ "_step": 1, "b.c": 2 }]]));
    assert_eq!(
        found["parquetHistory"]["liveData"][0],
        json!({ "_step": 0, "a": "NaN" })
    );
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn a_run_ends_when_it_says_so_and_goes_on_when_it_is_continued() {
    let twin = Twin::start();
    run(&twin, "r");
    let state = || twin.state().run("ml-team", "demo", "r").unwrap().state.clone();
    stream(&twin, "r", &json!({}));
    assert_eq!(state(), "running");
    let summary = json!({ "files": { "wandb-summary.json": { "offset": 0, "content": ["{\"a\":NaN}"] } },
        "uploaded": ["report.html"], "complete": true, "exitcode": 0 });
    assert_eq!(stream(&twin, "r", &summary).json()["exitcode"], 0);
    assert_eq!(state(), "finished");
    let run = twin.state().run("ml-team", "demo", "r").unwrap().clone();
    assert_eq!(
        (run.summary.as_str(), run.uploaded.as_slice()),
        ("{\"a\":NaN}", &["report.html".to_owned()][..])
    );
    assert_eq!(run.heartbeats_ms.len(), 2);
    stream(&twin, "r", &json!({}));
    assert_eq!(state(), "running");
    stream(&twin, "r", &json!({ "complete": true, "exitcode": 7 }));
    assert_eq!(state(), "failed");
    twin.state().runs.values_mut().for_each(|run| run.is_stopped = true);
    twin.state().rate = Some((3, 9));
    let answer = stream(&twin, "r", &json!({}));
    assert_eq!(answer.json()["stopped"], true);
    assert_eq!(
        (
            &*answer.headers["ratelimit-remaining"],
            &*answer.headers["ratelimit-reset"]
        ),
        ("3", "9")
    );
}

#[test]
fn what_breaks_the_contract_is_found() {
    let twin = Twin::start();
    run(&twin, "r");
    let big = "x".repeat((10 << 20) - (100 << 10) + 1);
    assert_eq!(stream(&twin, "r", &history(0, &[&big])).status, 413);
    let half = "x".repeat(6 << 20);
    assert_eq!(stream(&twin, "r", &history(0, &[&half, &half])).status, 413);
    assert_eq!(stream(&twin, "r", &json!({ "heartbeat": true })).status, 400);
    assert_eq!(stream(&twin, "r", &json!([])).status, 400);
    assert_eq!(lines(&twin), Vec::<String>::new());
    stream(&twin, "r", &history(2, &["{\"_step\":5}"]));
    stream(&twin, "r", &history(3, &["{\"_step\":5}"]));
    stream(&twin, "r", &history(4, &["no row"]));
    assert_eq!(stream(&twin, "nobody", &json!({})).status, 404);
    let url = format!("{}/files/ml-team/demo/r/file_stream", twin.url());
    assert_eq!(call("POST", &url, &[], b"{}").unwrap().status, 401);
    let key = basic(&twin.key());
    let packed = [("authorization", key.as_str()), ("content-encoding", "gzip")];
    assert_eq!(call("POST", &url, &packed, b"{}").unwrap().status, 415);
    assert_eq!(
        call("POST", &format!("{}/else", twin.url()), &[], b"").unwrap().status,
        404
    );
    let found = twin.violations();
    for (place, part) in [
        "a line of",
        "bytes of lines",
        "`heartbeat`",
        "no JSON object",
        "the next come at 2",
        "`_step` does not grow",
        "no JSON object in",
        "compressed",
        "is not known",
    ]
    .iter()
    .enumerate()
    {
        assert!(found[place].contains(part), "{part}: {found:?}");
    }
    assert_eq!(found.len(), 9, "{found:?}");
}

#[test]
fn files_of_a_run_are_sent_and_read() {
    let twin = Twin::start();
    run(&twin, "r");
    let create = "mutation C($files: [String!]!) { createRunFiles(input: {entityName: \"ml-team\", projectName: \"demo\", \
                  runName: \"r\", files: $files}) { runID uploadHeaders files { name uploadUrl } } }";
    for name in ["/etc/passwd", "../a", "a//b"] {
        assert_eq!(ask(&twin, create, &json!({ "files": [name] })).status, 400, "{name}");
    }
    let files = data(&twin, create, &json!({ "files": ["media/ä b.png", "report.html"] }))["createRunFiles"].clone();
    assert_eq!(files["files"][1]["name"], "report.html");
    assert_eq!(put(&files["files"][0]["uploadUrl"], &json!([]), b"png").status, 200);
    assert_eq!(
        twin.state().run_file("ml-team", "demo", "r", "media/ä b.png").unwrap(),
        b"png"
    );
    let look = "{ project(name: \"demo\", entityName: \"ml-team\") { run(name: \"r\") { fileCount \
                files(first: 10) { edges { node { name sizeBytes directUrl } } } } } }";
    let found = data(&twin, look, &json!({}))["project"]["run"].clone();
    assert_eq!(found["fileCount"], 1);
    let file = &found["files"]["edges"][0]["node"];
    assert_eq!(
        (file["name"].as_str(), file["sizeBytes"].as_u64()),
        (Some("media/ä b.png"), Some(3))
    );
    assert_eq!(
        call("GET", file["directUrl"].as_str().unwrap(), &[], b"")
            .unwrap()
            .bytes,
        b"png"
    );
}
