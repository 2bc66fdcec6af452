//! The same against the twin, from the run that makes an artifact to the one that reads it.

use super::super::cache::{Restored, Saved};
use super::super::*;
use crate::github::handover::{self, FinishedRun, Handed, PREFIX, Received};
use crate::github::{Client, Connection, Urls};
use crate::twin::{Fault, Kind, Twin};

const NAME: &str = "ada/model";

fn job(twin: &Twin, run: u64, sizes: blob::Sizes) -> Results {
    let token = twin.state().runtime_token(NAME, run, "refs/pull/1/merge");
    let service = Service {
        runtime: Runtime {
            results_url: twin.results_url(),
            token: Secret::new(token),
        },
        server_url: twin.url(),
        cache: CacheMode::Unsaid,
        retention_days: None,
        budget: Duration::from_mins(1),
        pace: Pace(Duration::from_millis(1)),
        request_timeout: Duration::from_secs(30),
    };
    Results {
        sizes,
        ..Results::new(&service).unwrap()
    }
}

fn facts() -> Upload {
    Upload {
        name: handover::artifact_name("churn"),
        mime: Mime::Zip,
        content: handover::pack("{\"schema\": 1}").unwrap(),
        keep_days: None,
    }
}

async fn received(twin: &Twin, run: u64, head: &str) -> Received {
    let token = twin.state().actions_token(NAME, &[("actions", "read")]);
    let urls = Urls {
        api: twin.url(),
        graphql: twin.graphql_url(),
        server: twin.url(),
    };
    let client = Client::new(Connection {
        pace: Pace(Duration::from_millis(1)),
        request_timeout: Duration::from_secs(30),
        ..Connection::new(urls, Some(Secret::new(token)))
    })
    .unwrap();
    let head = head.parse().unwrap();
    let run = FinishedRun { id: run, head: &head };
    handover::fetch(&client, &NAME.parse().unwrap(), run, PREFIX)
        .await
        .unwrap()
}

/// A repository with a finished run of a fork's commit.
fn scene() -> (Twin, u64, String) {
    let twin = Twin::start();
    let head = twin.state().commit(NAME, "change", &[("mlops.yaml", "model: churn\n")]);
    let run = twin.state().run(NAME, "pull_request", &head, "change");
    (twin, run, head)
}

#[tokio::test]
async fn facts_come_from_one_run_to_another_whatever_fails_once() {
    let expected = vec![Handed {
        key: "churn".to_owned(),
        bytes: b"{\"schema\": 1}".to_vec(),
    }];
    let small = blob::Sizes { single: 10, block: 40 };
    let kinds = [Kind::DropBefore, Kind::DropAfter, Kind::status(503), Kind::Truncated];
    for sizes in [blob::SIZES, small] {
        for path in [
            "CreateArtifact",
            "FinalizeArtifact",
            "ListArtifacts",
            "blob",
            "/artifacts",
            "/zip",
        ] {
            // Only what is written to the storage is another thing in blocks.
            for kind in kinds.iter().filter(|_| path == "blob" || sizes.single > small.single) {
                let (twin, run, head) = scene();
                let method = if path.starts_with('/') {
                    "GET"
                } else if path == "blob" {
                    "PUT"
                } else {
                    "POST"
                };
                // What REST answers with half a body is the client's business.
                if !(method == "GET" && matches!(kind, Kind::Truncated)) {
                    twin.fault(Fault::once(method, path, kind.clone()));
                }
                job(&twin, run, sizes).upload(&facts()).await.unwrap();
                let received = received(&twin, run, &head).await;
                assert_eq!(received.handed, expected, "{path} {kind:?}");
                assert_eq!(twin.violations(), Vec::<String>::new());
            }
        }
    }
}

#[tokio::test]
async fn only_the_commit_of_the_event_is_believed() {
    let (twin, run, head) = scene();
    job(&twin, run, blob::SIZES).upload(&facts()).await.unwrap();
    // A second attempt and a parallel job; the newest is taken.
    let second = job(&twin, run, blob::SIZES).upload(&facts()).await.unwrap();
    assert_eq!(second.name, "mlops-report-churn.2");
    assert_eq!(received(&twin, run, &head).await.handed.len(), 1);
    let other = "a".repeat(40);
    let wrong = received(&twin, run, &other).await;
    assert_eq!((wrong.handed.len(), wrong.refused.len()), (0, 2));
}

#[tokio::test]
async fn models_travel_through_the_cache() {
    let (twin, run, _) = scene();
    let (first, second) = (job(&twin, run, blob::SIZES), job(&twin, run, blob::SIZES));
    let version = Digest::of(b"mlops-v1").hex();
    let keys = ["mlops-models-".to_owned()];
    assert_eq!(first.restore(&keys, &version).await.unwrap(), None);
    twin.fault(Fault::once("POST", "CreateCacheEntry", Kind::status(502)));
    twin.fault(Fault::once("POST", "FinalizeCacheEntryUpload", Kind::status(502)));
    assert_eq!(
        first.save("mlops-models-1", &version, b"models").await.unwrap(),
        Saved::Done
    );
    assert_eq!(
        second.save("mlops-models-1", &version, b"x").await.unwrap(),
        Saved::ExistsAlready
    );
    let found = second.restore(&keys, &version).await.unwrap().unwrap();
    assert_eq!(
        found,
        Restored {
            key: "mlops-models-1".to_owned(),
            bytes: b"models".to_vec()
        }
    );
    for token in twin.state().runtime_tokens.values_mut() {
        (token.reads_cache, token.writes_cache) = (false, false);
    }
    assert!(matches!(
        second.save("k", &version, b"x").await.unwrap(),
        Saved::Denied(_)
    ));
    assert!(matches!(
        second.restore(&keys, &version).await,
        Err(ResultsError::Denied { .. })
    ));
    assert_eq!(twin.violations(), Vec::<String>::new());
}
