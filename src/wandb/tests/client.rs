//! Each kind of call and each fault: exactly as many requests as there may be, and the right error.

use std::time::Duration;

use serde_json::{Value, json};

use super::canned::{BASIC, Canned, KEY, Server, answer, answer_with};
use crate::wandb::client::{Attribution, Client, Settings, Upload};
use crate::wandb::error::WandbError;
use crate::wandb::hosts::Hosts;
use crate::wandb::operations::Operation;
use crate::wandb::retry::{Deadlines, Fault, Pace, Stage};

const READ: Operation = Operation {
    name: "Read",
    text: "query Read($x: Int) { x }",
    is_idempotent: true,
};
/// Must not be done twice.
const ADD: Operation = Operation {
    name: "Add",
    text: "mutation Add { x }",
    is_idempotent: false,
};
const UPSERT: Operation = Operation {
    name: "UpsertRun",
    text: "mutation UpsertRun { x }",
    is_idempotent: true,
};

/// A call of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Add,
    Upsert,
    Stream,
    Put,
    Get,
}

const ALL: [Kind; 6] = [Kind::Read, Kind::Add, Kind::Upsert, Kind::Stream, Kind::Put, Kind::Get];

impl Kind {
    async fn call(self, client: &Client) -> Result<(), WandbError> {
        let url = format!("{}/bucket/x?sig=s3cret", client.hosts().api());
        match self {
            Self::Read => client
                .execute::<Value>(&READ, &json!({"entity": "acme"}))
                .await
                .map(drop),
            Self::Add => client.execute::<Value>(&ADD, &json!({})).await.map(drop),
            Self::Upsert => client.execute::<Value>(&UPSERT, &json!({})).await.map(drop),
            Self::Stream => client.post_stream("acme", "p", "r", "{}".to_owned()).await.map(drop),
            Self::Put => client.put(&url, &[], &Upload::Bytes(b"x".to_vec())).await.map(drop),
            Self::Get => client.get(&url, 100).await.map(drop),
        }
    }

    fn is_storage(self) -> bool {
        matches!(self, Self::Put | Self::Get)
    }

    fn attempts(self) -> usize {
        match self {
            Self::Read | Self::Add | Self::Upsert => 5,
            Self::Stream | Self::Put | Self::Get => 10,
        }
    }
}

fn success() -> Canned {
    answer(200, r#"{"data":{"x":1}}"#)
}

/// Seconds of a tenth of a millisecond.
fn hurried(server: &Server) -> Settings {
    Settings {
        pace: Pace(Duration::from_micros(100)),
        ..server.settings()
    }
}

#[tokio::test]
async fn an_operation_is_asked_as_the_protocol_says() {
    let server = Server::in_turn(vec![answer(200, r#"{"data":{"x":7}}"#)]).await;
    let data: Value = server.client().execute(&READ, &json!({"x": 1})).await.unwrap();
    assert_eq!(data, json!({"x": 7}));
    let attributed = Client::new(Settings {
        attributed_to: Attribution {
            username: Some("ada".to_owned()),
            email: Some("ada@example.com".to_owned()),
        },
        user_agent: "ours/1".to_owned(),
        ..server.settings()
    });
    let attributed = attributed.unwrap();
    attributed
        .post_stream("a b", "p/q", "r", "{\"x\":1}".to_owned())
        .await
        .unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /graphql");
    assert_eq!(asked[0].header("authorization"), Some(BASIC));
    assert_eq!(asked[0].header("content-type"), Some("application/json"));
    assert_eq!(asked[0].header("x-wandb-username"), None);
    assert!(asked[0].header("user-agent").unwrap().starts_with("mlops-action/"));
    assert_eq!(
        asked[0].json(),
        json!({"query": READ.text, "variables": {"x": 1}, "operationName": "Read"})
    );
    assert_eq!(asked[1].line, "POST /files/a%20b/p%2Fq/r/file_stream");
    assert_eq!(asked[1].text(), "{\"x\":1}");
    assert_eq!(asked[1].header("authorization"), Some(BASIC));
    assert_eq!(asked[1].header("user-agent"), Some("ours/1"));
    assert_eq!(asked[1].header("x-wandb-username"), Some("ada"));
    assert_eq!(asked[1].header("x-wandb-user-email"), Some("ada@example.com"));
}

#[tokio::test]
async fn each_status_is_repeated_by_the_kinds_it_may_pass_for() {
    let server = Server::in_turn(vec![success()]).await;
    let client = Client::new(hurried(&server)).unwrap();
    for kind in ALL {
        for status in [
            400, 401, 402, 403, 404, 408, 409, 410, 413, 418, 422, 429, 500, 501, 502, 503, 504, 520, 599,
        ] {
            let is_repeated = match status {
                409 => kind == Kind::Upsert,
                408 | 418 => !kind.is_storage(),
                429 | 500 | 502 | 503 | 504 | 520 | 599 => true,
                _ => false,
            };
            let is_lost = is_repeated && status != 429;
            let is_doubtful = is_lost && kind == Kind::Add;
            let canned = answer(status, r#"{"error":"why"}"#);
            if is_repeated && !is_doubtful {
                server.answers(vec![canned.clone(), canned.clone(), success()]);
                kind.call(&client).await.unwrap();
                assert_eq!(server.n_asked(), 3, "{kind:?} {status}");
            }
            server.answers(vec![canned]);
            let error = kind.call(&client).await.unwrap_err();
            let n_expected = if is_repeated && !is_doubtful {
                kind.attempts()
            } else {
                1
            };
            assert_eq!(server.n_asked(), n_expected, "{kind:?} {status}");
            let is_right = match &error {
                WandbError::Doubtful { source, .. } => is_doubtful && *source == Fault::Status(status),
                WandbError::Unavailable { source, .. } => is_lost && *source == Fault::Status(status),
                WandbError::RateLimited { .. } => status == 429,
                WandbError::Storage { status: said, .. } => kind.is_storage() && *said == status,
                WandbError::Unauthorized { .. } => status == 401,
                WandbError::Forbidden { .. } => matches!(status, 402 | 403),
                WandbError::NotFound { .. } => matches!(status, 404 | 410),
                WandbError::Conflict { .. } => status == 409,
                WandbError::Invalid { .. } => matches!(status, 400 | 413 | 422 | 501),
                _ => false,
            };
            assert!(is_right, "{kind:?} {status} {error:?}");
            let passes = is_lost || status == 429 || (status == 501 && kind.is_storage());
            assert_eq!(error.may_pass(), passes, "{kind:?} {status}");
            let said = format!("{error} {error:?}");
            assert!(!said.contains(KEY) && !said.contains("s3cret"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_only_if_that_does_nothing_twice() {
    let server = Server::in_turn(vec![success()]).await;
    let client = Client::new(hurried(&server)).unwrap();
    for kind in ALL {
        for fault in [Canned::Drop, Canned::Half, Canned::Hangup] {
            server.answers(vec![fault.clone(), fault.clone(), success()]);
            let outcome = kind.call(&client).await;
            if kind == Kind::Add {
                let error = outcome.unwrap_err();
                assert!(
                    matches!(
                        &error,
                        WandbError::Doubtful {
                            source: Fault::Dropped(_),
                            ..
                        }
                    ),
                    "{error:?}"
                );
                assert_eq!(server.n_asked(), 1, "{fault:?}");
            } else {
                outcome.unwrap();
                assert_eq!(server.n_asked(), 3, "{kind:?} {fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_was_never_connected_was_not_done() {
    // The port was ours a moment ago, and nobody listens there now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let server = Server::in_turn(vec![success()]).await;
    let client = Client::new(Settings {
        hosts: Hosts::new(Some(&url), None).unwrap(),
        ..hurried(&server)
    });
    let client = client.unwrap();
    for kind in ALL {
        let error = kind.call(&client).await.unwrap_err();
        assert!(
            matches!(
                &error,
                WandbError::Unavailable {
                    source: Fault::Connect(_),
                    ..
                }
            ),
            "{kind:?} {error:?}"
        );
    }
    assert_eq!(server.n_asked(), 0);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::in_turn(vec![Canned::Silence]).await;
    let stage = Stage {
        attempts: 2,
        whole: Duration::from_mins(1),
        attempt: Duration::from_millis(30),
    };
    let client = Client::new(Settings {
        deadlines: Deadlines {
            graphql: stage,
            stream: stage,
            storage: stage,
            ..Deadlines::default()
        },
        ..hurried(&server)
    });
    let client = client.unwrap();
    for kind in ALL {
        let error = kind.call(&client).await.unwrap_err();
        let is_right = match &error {
            WandbError::Doubtful { source, .. } => kind == Kind::Add && *source == Fault::Timeout,
            WandbError::Unavailable { source, .. } => kind != Kind::Add && *source == Fault::Timeout,
            _ => false,
        };
        assert!(is_right, "{kind:?} {error:?}");
    }
    // The whole is over before the attempts are.
    let client = Client::new(Settings {
        deadlines: Deadlines {
            graphql: Stage {
                attempts: 1000,
                whole: Duration::from_millis(100),
                attempt: Duration::from_mins(1),
            },
            ..Deadlines::default()
        },
        ..hurried(&server)
    });
    let error = Kind::Read.call(&client.unwrap()).await.unwrap_err();
    assert!(matches!(&error, WandbError::OutOfTime { .. }), "{error:?}");
}

#[tokio::test]
async fn a_wait_that_there_is_no_time_for_is_told_at_once() {
    let server = Server::in_turn(vec![success()]).await;
    // With whole seconds: a wait would be noticed.
    let client = Client::new(Settings {
        pace: Pace::default(),
        ..server.settings()
    });
    let client = client.unwrap();
    for headers in [
        &[("retry-after", "3600")][..],
        &[("ratelimit-remaining", "0"), ("ratelimit-reset", "3600")],
    ] {
        for kind in ALL {
            server.answers(vec![answer_with(429, headers, r#"{"error":"rate limit exceeded"}"#)]);
            let error = kind.call(&client).await.unwrap_err();
            assert!(
                matches!(
                    &error,
                    WandbError::RateLimited {
                        seconds: Some(3600),
                        ..
                    }
                ),
                "{kind:?} {error:?}"
            );
            assert_eq!(server.n_asked(), 1, "{kind:?}");
        }
    }
    // A limit is no outage: W&B is still asked.
    server.answers(vec![answer_with(429, &[("retry-after", "0")], ""), success()]);
    Kind::Add.call(&client).await.unwrap();
    assert_eq!(server.n_asked(), 2);
    // Neither is a long wait begun that a server in trouble asks for.
    server.answers(vec![answer_with(503, &[("retry-after", "3600")], "")]);
    let error = Kind::Read.call(&client).await.unwrap_err();
    assert!(matches!(
        &error,
        WandbError::Unavailable {
            source: Fault::Status(503),
            ..
        }
    ));
    assert_eq!(server.n_asked(), 1);
}

#[tokio::test]
async fn after_an_outage_nothing_is_asked_any_more() {
    let server = Server::in_turn(vec![answer(500, "")]).await;
    let client = Client::new(Settings {
        deadlines: Deadlines {
            outage: Duration::from_millis(200),
            ..Deadlines::default()
        },
        pace: Pace(Duration::from_millis(10)),
        ..server.settings()
    });
    let client = client.unwrap();
    // Storage alone would wait for 3 s: 20, 40, 80 and 160 ms are the waits of the budget.
    let error = Kind::Get.call(&client).await.unwrap_err();
    assert!(
        matches!(
            &error,
            WandbError::Unavailable {
                source: Fault::Status(500),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(server.n_asked() <= 4, "{}", server.n_asked());
    server.answers(vec![success()]);
    for kind in ALL {
        let error = kind.call(&client).await.unwrap_err();
        assert!(
            matches!(
                &error,
                WandbError::Unavailable {
                    source: Fault::GivenUp(_),
                    ..
                }
            ),
            "{kind:?} {error:?}"
        );
    }
    assert_eq!(server.n_asked(), 0);
}

#[tokio::test]
async fn an_answer_in_between_ends_the_outage() {
    let server = Server::start(|_, n| {
        // A refusal is an answer too.
        match n % 4 {
            0 | 2 => answer(503, ""),
            1 => success(),
            _ => answer(404, ""),
        }
    })
    .await;
    let client = Client::new(Settings {
        deadlines: Deadlines {
            outage: Duration::from_secs(1),
            ..Deadlines::default()
        },
        // Each wait takes 100 ms at least: twenty are twice as long as the outage may be.
        pace: Pace(Duration::from_millis(50)),
        ..server.settings()
    });
    let client = client.unwrap();
    for _ in 0..10 {
        Kind::Read.call(&client).await.unwrap();
        let error = Kind::Read.call(&client).await.unwrap_err();
        assert!(matches!(&error, WandbError::NotFound { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn errors_come_with_status_200_too() {
    let server = Server::in_turn(vec![success()]).await;
    let client = Client::new(hurried(&server)).unwrap();
    let denied =
        r#"{"data":{"x":null},"errors":[{"message":"permission denied","extensions":{"code":"PERMISSION_ERROR"}}]}"#;
    server.answers(vec![answer(200, denied)]);
    let error = Kind::Read.call(&client).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "W&B refused `Read`: the owner of the key may not read entity `acme` (permission denied); is that the right \
         entity, and is this user a member of it?"
    );
    server.answers(vec![
        answer(200, r#"{"errors":[{"message":"Rate limit exceeded"}]}"#),
        success(),
    ]);
    Kind::Add.call(&client).await.unwrap();
    assert_eq!(server.n_asked(), 2);
    for body in ["<html>log in</html>", "[]", r#"{"data":7,"errors":7}"#] {
        server.answers(vec![answer(200, body)]);
        let error = Kind::Read.call(&client).await.unwrap_err();
        assert!(matches!(&error, WandbError::Malformed { .. }), "{body} {error:?}");
    }
    let breaks_off = answer(200, r#"{"data":{"x":"#);
    server.answers(vec![breaks_off.clone(), success()]);
    Kind::Read.call(&client).await.unwrap();
    server.answers(vec![breaks_off]);
    let error = Kind::Add.call(&client).await.unwrap_err();
    assert!(matches!(&error, WandbError::Doubtful { .. }), "{error:?}");
    server.answers(vec![answer(200, &format!(r#"{{"data":"{}"}}"#, "x".repeat(33 << 20)))]);
    let error = Kind::Read.call(&client).await.unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
}

#[tokio::test]
async fn a_key_belongs_to_somebody_and_is_asked_about_once() {
    let viewer = r#"{"data":{"viewer":{"id":"VXNlcjox","username":"ci-bot","entity":"acme","email":null,
        "teams":{"edges":[{"node":{"name":"acme"}},{"node":null}]}}}}"#;
    let server = Server::in_turn(vec![answer(200, viewer)]).await;
    let client = Client::new(hurried(&server)).unwrap();
    for _ in 0..2 {
        let viewer = client.viewer().await.unwrap();
        assert_eq!(viewer.username.as_deref(), Some("ci-bot"));
        assert_eq!(viewer.entity.as_deref(), Some("acme"));
        assert_eq!(viewer.teams, ["acme"]);
    }
    assert_eq!(server.n_asked(), 1);
    // From now on messages name the user.
    server.answers(vec![answer(403, "")]);
    let error = client
        .execute::<Value>(&UPSERT, &json!({"entity": "acme", "project": "diabetes"}))
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("user `ci-bot` may not write to project `acme/diabetes`"),
        "{said}"
    );
    // Nobody, and no error, is how an unknown key looks.
    server.answers(vec![answer(200, r#"{"data":{"viewer":null}}"#)]);
    let error = Client::new(hurried(&server)).unwrap().viewer().await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("does not accept the key in `WANDB_API_KEY`"), "{said}");
    assert!(said.contains(&server.url) && !said.contains(KEY), "{said}");
}

#[tokio::test]
async fn an_old_server_has_no_features() {
    let new =
        r#"{"data":{"serverInfo":{"features":[{"name":"A","isEnabled":true},{"name":"B","isEnabled":false},null]}}}"#;
    let old = r#"{"errors":[{"message":"Cannot query field \"features\" on type \"ServerInfo\"."}]}"#;
    let server = Server::in_turn(vec![answer(200, new)]).await;
    let client = Client::new(hurried(&server)).unwrap();
    for _ in 0..2 {
        let features = client.features().await.unwrap();
        assert!(features.has("A") && !features.has("B") && !features.has("C"));
    }
    assert_eq!(server.n_asked(), 1);
    for (canned, n) in [
        (answer(400, old), 1),
        (answer(200, old), 1),
        (answer(200, r#"{"data":{"serverInfo":null}}"#), 1),
    ] {
        server.answers(vec![canned]);
        let client = Client::new(hurried(&server)).unwrap();
        for _ in 0..2 {
            assert!(!client.features().await.unwrap().has("A"));
        }
        assert_eq!(server.n_asked(), n);
    }
    // What may be an outage is not taken for an old server.
    server.answers(vec![answer(500, ""), answer(403, ""), answer(200, new)]);
    let client = Client::new(hurried(&server)).unwrap();
    client.features().await.unwrap_err();
    assert!(client.features().await.unwrap().has("A"));
}

#[test]
fn a_client_shows_no_key_and_may_change_threads() {
    fn is_send<T: Send>(_: T) {}
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = Server::in_turn(vec![success()]).await;
        let client = server.client();
        let variables = json!({});
        is_send(client.execute::<Value>(&READ, &variables));
        is_send(client.viewer());
        is_send(client.features());
        is_send(client.get("/x", 1));
        is_send(client.put("/x", &[], &Upload::Bytes(Vec::new())));
        assert!(!format!("{client:?} {:?}", server.settings()).contains(KEY));
    });
}
