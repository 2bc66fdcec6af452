//! Each method and fault: exactly as many requests as there may be, and the right error.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::canned::{Canned, Server, TOKEN, answer, answer_with};
use crate::base::Secret;
use crate::github::retry::Fault;
use crate::github::{Client, Connection, GithubError, Pace, Urls};

/// A call of each method; `create` finds nothing when it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Pages,
    Bytes,
    Patch,
    Delete,
    PostOnce,
    Create,
    Graphql,
}

const ALL: [Method; 8] = [
    Method::Get,
    Method::Pages,
    Method::Bytes,
    Method::Patch,
    Method::Delete,
    Method::PostOnce,
    Method::Create,
    Method::Graphql,
];

impl Method {
    async fn call(self, client: &Client) -> Result<(), GithubError> {
        let (path, body) = ("/repos/o/r/check-runs", json!({"name": "x"}));
        match self {
            Self::Get => client.get::<Value>(path).await.map(drop),
            Self::Pages => client.pages::<Value>(path, 10).await.map(drop),
            Self::Bytes => client.get_bytes(path, 100).await.map(drop),
            Self::Patch => client.patch::<Value>(path, &body).await.map(drop),
            Self::Delete => client.delete(path).await,
            Self::PostOnce => client.post_once::<Value>(path, &body).await.map(drop),
            Self::Create => client
                .create::<Value, _>(path, &body, async || Ok(None))
                .await
                .map(drop),
            Self::Graphql => client.graphql::<Value>("query{x}", json!({})).await.map(drop),
        }
    }

    fn success(self) -> Canned {
        match self {
            Self::Pages => answer(200, "[1]"),
            Self::Delete => answer(204, ""),
            Self::Graphql => answer(200, r#"{"data":{}}"#),
            Self::Get | Self::Bytes | Self::Patch | Self::PostOnce | Self::Create => answer(200, r#"{"id":1}"#),
        }
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_by_every_method_and_five_times_in_all() {
    let server = Server::in_turn(vec![answer(500, "")]).await;
    let client = server.client();
    for method in ALL {
        for fault in [
            answer(500, ""),
            answer(502, "<html>"),
            answer(503, r#"{"message":"later"}"#),
            answer(504, ""),
            Canned::Drop,
            Canned::Half,
            answer_with(429, &[("retry-after", "2")], ""),
            answer_with(
                403,
                &[("retry-after", "2")],
                r#"{"message":"You have exceeded a secondary rate limit"}"#,
            ),
        ] {
            server.answers(vec![fault.clone(), fault.clone(), method.success()]);
            method.call(&client).await.unwrap();
            assert_eq!(server.lines().len(), 3, "{method:?} {fault:?}");

            server.answers(vec![fault.clone()]);
            let error = method.call(&client).await.unwrap_err();
            assert_eq!(server.lines().len(), 5, "{method:?} {fault:?}");
            let is_right = match fault {
                Canned::Answer { status: 403 | 429, .. } => matches!(error, GithubError::RateLimited { .. }),
                Canned::Answer { status, .. } => {
                    matches!(error, GithubError::Unavailable { source: Fault::Status(n), .. } if n == status)
                }
                Canned::Drop | Canned::Half => {
                    matches!(
                        error,
                        GithubError::Unavailable {
                            source: Fault::Dropped(_),
                            ..
                        }
                    )
                }
                Canned::Silence => false,
            };
            assert!(is_right, "{method:?} {fault:?} {error:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_silent_or_absent_is_given_up() {
    let server = Server::in_turn(vec![Canned::Silence]).await;
    let silent = Client::new(Connection {
        request_timeout: Duration::from_millis(30),
        ..server.connection()
    });
    let silent = silent.unwrap();
    // The port was ours a moment ago, and nobody listens there now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let absent = Client::new(Connection {
        urls: Urls {
            api: url.clone(),
            graphql: format!("{url}/graphql"),
            server: url,
        },
        ..server.connection()
    });
    let absent = absent.unwrap();
    for method in ALL {
        server.answers(vec![Canned::Silence]);
        let error = method.call(&silent).await.unwrap_err();
        assert!(
            matches!(
                error,
                GithubError::Unavailable {
                    source: Fault::Timeout,
                    ..
                }
            ),
            "{error:?}"
        );
        // On a loaded machine a try may end before its request is read.
        assert!(server.lines().len() <= 5, "{method:?}");
        let error = method.call(&absent).await.unwrap_err();
        assert!(
            matches!(
                error,
                GithubError::Unavailable {
                    source: Fault::Connect(_),
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn what_is_final_is_asked_once() {
    let server = Server::in_turn(vec![answer(500, "")]).await;
    let client = server.client();
    let refused = r#"{"message":"Resource not accessible by integration"}"#;
    for method in ALL {
        for (canned, is_right) in [
            (
                answer(401, r#"{"message":"Bad credentials"}"#),
                (|error| matches!(error, GithubError::Unauthorized)) as fn(&GithubError) -> bool,
            ),
            (answer(403, refused), |error| {
                matches!(error, GithubError::Forbidden { .. })
            }),
            (
                answer_with(403, &[("x-accepted-github-permissions", "checks=write")], refused),
                |error| error.missing_permission() == Some("checks: write"),
            ),
            (answer(404, ""), |error| matches!(error, GithubError::NotFound { .. })),
            (answer(409, ""), |error| matches!(error, GithubError::Conflict { .. })),
            (answer(422, r#"{"message":"Validation Failed"}"#), |error| {
                matches!(error, GithubError::Invalid { .. })
            }),
            (answer(418, ""), |error| matches!(error, GithubError::Invalid { .. })),
            (answer_with(302, &[("location", "http://127.0.0.2:1/x")], ""), |error| {
                matches!(error, GithubError::Malformed { .. } | GithubError::Unavailable { .. })
            }),
        ] {
            server.answers(vec![canned.clone()]);
            let error = method.call(&client).await.unwrap_err();
            assert!(is_right(&error), "{method:?} {canned:?} {error:?}");
            let is_download = method == Method::Bytes && matches!(canned, Canned::Answer { status: 302, .. });
            assert_eq!(
                server.lines().len(),
                if is_download { 5 } else { 1 },
                "{method:?} {canned:?}"
            );
        }
    }
}

#[tokio::test]
async fn headers_are_those_of_the_contract_and_the_token_goes_to_github_alone() {
    let other = Server::in_turn(vec![answer(200, "bytes")]).await;
    let elsewhere = format!("{}/signed?sig=s3cret", other.url);
    let server = Server::start(move |asked, _| {
        if asked.line.contains("zip") {
            answer_with(302, &[("location", &elsewhere)], "")
        } else {
            answer(200, "{}")
        }
    })
    .await;
    let client = server.client();
    client.get::<Value>("/repos/o/r").await.unwrap();
    assert_eq!(
        client
            .get_bytes("/repos/o/r/actions/artifacts/1/zip", 100)
            .await
            .unwrap(),
        b"bytes"
    );
    for asked in server.asked() {
        assert_eq!(asked.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        assert_eq!(asked.header("accept"), Some("application/vnd.github+json"));
        assert_eq!(asked.header("x-github-api-version"), Some("2022-11-28"));
        assert!(asked.header("user-agent").unwrap().starts_with("mlops-action/"));
        assert_eq!(asked.headers.matches("authorization").count(), 1);
    }
    assert_eq!(other.lines(), ["GET /signed?sig=s3cret"]);
    assert_eq!(other.asked()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_download_is_bounded_and_its_signed_address_is_not_shown() {
    let large = "x".repeat(101);
    let other = Server::in_turn(vec![answer(200, &large), answer(403, "")]).await;
    let elsewhere = format!("{}/signed?sig=s3cret", other.url);
    let server = Server::in_turn(vec![answer_with(302, &[("location", &elsewhere)], "")]).await;
    let error = server.client().get_bytes("/x/zip", 100).await.unwrap_err();
    assert!(matches!(error, GithubError::Malformed { .. }), "{error:?}");
    let error = server.client().get_bytes("/x/zip", 100).await.unwrap_err();
    assert_eq!(other.lines().len(), 6, "an address that is refused is asked for anew");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn a_post_that_was_lost_after_it_was_done_is_not_done_again() {
    for fault in [Canned::Drop, Canned::Half, answer(502, ""), answer(500, "")] {
        let server = Server::in_turn(vec![fault.clone()]).await;
        let client = server.client();
        let found = client
            .create::<Value, _>("/x", &json!({}), async || Ok(Some(json!({"id": 7}))))
            .await
            .unwrap();
        assert_eq!(found, json!({"id": 7}));
        assert_eq!(server.lines(), ["POST /x"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_post_is_not_repeated_when_nobody_can_say_whether_it_was_done() {
    let server = Server::in_turn(vec![answer(502, "")]).await;
    let client = server.client();
    let look = async || client.get::<Option<Value>>("/look").await;
    let error = client.create::<Value, _>("/x", &json!({}), look).await.unwrap_err();
    assert!(
        matches!(
            error,
            GithubError::Unavailable {
                source: Fault::Status(502),
                ..
            }
        ),
        "{error:?}"
    );
    let posts = server.lines().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn a_post_over_a_limit_or_without_connection_was_not_done_and_nobody_looks() {
    let server = Server::in_turn(vec![answer_with(429, &[("retry-after", "1")], ""), answer(201, "{}")]).await;
    let client = server.client();
    let look = async || -> Result<Option<Value>, GithubError> { panic!("nothing was done") };
    client.create::<Value, _>("/x", &json!({}), look).await.unwrap();
    assert_eq!(server.lines(), ["POST /x", "POST /x"]);
}

#[tokio::test]
async fn a_post_that_appears_late_is_found_when_it_is_in_its_own_way() {
    let server = Server::in_turn(vec![Canned::Drop, answer(422, r#"{"message":"already exists"}"#)]).await;
    let client = server.client();
    let looks = Mutex::new(0);
    let look = async || {
        let mut looks = looks.lock().unwrap();
        *looks += 1;
        Ok((*looks == 2).then(|| json!({"id": 7})))
    };
    let found = client.create::<Value, _>("/x", &json!({}), look).await.unwrap();
    assert_eq!(found, json!({"id": 7}));
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn no_wait_is_begun_that_the_budget_does_not_cover() {
    let late = answer_with(429, &[("retry-after", "3600")], "");
    let reset = answer_with(
        403,
        &[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1800000000"),
            ("date", "Fri, 15 Jan 2027 07:00:00 GMT"),
        ],
        r#"{"message":"API rate limit exceeded"}"#,
    );
    for (canned, seconds) in [(late, 3600), (reset, 3601)] {
        let server = Server::in_turn(vec![canned]).await;
        let client = Client::new(Connection {
            pace: Pace::default(),
            ..server.connection()
        });
        let error = client.unwrap().get::<Value>("/x").await.unwrap_err();
        let GithubError::RateLimited { seconds: said, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(said, Some(seconds));
        assert_eq!(server.lines().len(), 1);
    }
}

/// Where nobody is, twenty calls take the time of a few tries, and the first one that gets through is as any other.
#[tokio::test]
async fn what_is_out_of_reach_is_tried_once_until_it_is_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}");
    let client = Client::new(Connection {
        pace: Pace(Duration::from_millis(100)),
        // Two calls with all their tries would take it all.
        budget: Duration::from_millis(2900),
        ..Connection::new(
            Urls {
                api: url.clone(),
                graphql: format!("{url}/graphql"),
                server: url,
            },
            None,
        )
    })
    .unwrap();
    for _ in 0..20 {
        let error = client.get::<Value>("/x").await.unwrap_err();
        let is_lost = matches!(
            &error,
            GithubError::Unavailable {
                source: Fault::Connect(_),
                ..
            }
        );
        assert!(is_lost, "{error:?}");
    }
}

#[tokio::test]
async fn a_budget_is_for_all_calls_together() {
    let server = Server::in_turn(vec![Canned::Silence]).await;
    let client = Client::new(Connection {
        budget: Duration::from_millis(60),
        request_timeout: Duration::from_secs(30),
        ..server.connection()
    })
    .unwrap();
    client.get::<Value>("/x").await.unwrap_err();
    let error = client.get::<Value>("/y").await.unwrap_err();
    assert!(matches!(error, GithubError::OutOfTime { .. }), "{error:?}");
    let lines = server.lines();
    assert!(!lines.iter().any(|line| line.contains("/y")), "{lines:?}");
    // Whoever is in a hurry has time of his own.
    let hurried = client.hurried(Duration::from_millis(60));
    let error = hurried.get::<Value>("/z").await.unwrap_err();
    assert!(!matches!(error, GithubError::OutOfTime { .. }), "{error:?}");
}

#[tokio::test]
async fn lists_are_read_to_their_end_or_to_the_number_asked_for() {
    let server = Server::start(|asked, _| {
        let page: usize = asked.line.rsplit('=').next().unwrap().parse().unwrap();
        let link = format!(
            "</x?page={}>; rel=\"prev\", </x?page={}>; rel=\"next\"",
            page - 1,
            page + 1
        );
        let headers: &[(&str, &str)] = if page < 4 { &[("link", &link)] } else { &[] };
        answer_with(200, headers, &format!("[{page},{page}]"))
    })
    .await;
    let client = server.client();
    assert_eq!(
        client.pages::<u64>("/x?page=1", 100).await.unwrap(),
        [1, 1, 2, 2, 3, 3, 4, 4]
    );
    assert_eq!(client.pages::<u64>("/x?page=1", 3).await.unwrap(), [1, 1, 2]);
    assert_eq!(server.lines().len(), 6);
}

#[tokio::test]
async fn a_next_page_on_another_server_is_refused_and_endless_lists_end() {
    for other in [
        "http://127.0.0.2:9/x",
        "https://api.github.com/x",
        "//127.0.0.2/x",
        "http://user@127.0.0.1/x",
    ] {
        let link = format!("<{other}>; rel=\"next\"");
        let server = Server::in_turn(vec![answer_with(200, &[("link", &link)], "[1]")]).await;
        let error = server.client().pages::<u64>("/x", 100).await.unwrap_err();
        assert!(matches!(error, GithubError::Malformed { .. }), "{error:?}");
        assert_eq!(server.lines().len(), 1);
    }
    let server = Server::in_turn(vec![answer_with(200, &[("link", "</x?page=2>; rel=\"next\"")], "[]")]).await;
    assert!(server.client().pages::<u64>("/x", 100).await.unwrap().is_empty());
    assert_eq!(server.lines().len(), 50);
}

#[tokio::test]
async fn an_enterprise_server_has_its_prefix_for_rest_alone() {
    let server = Server::start(|asked, n| match n {
        0 => answer_with(200, &[("link", "</api/v3/repos/o/r/x?page=2>; rel=\"next\"")], "[1]"),
        1 => answer(200, "[2]"),
        2 => answer_with(200, &[("link", "</other/x?page=2>; rel=\"next\"")], "[1]"),
        _ if asked.line.contains("/moved") => answer_with(301, &[("location", "/api/v3/repositories/7")], ""),
        _ => answer(200, r#"{"data":{"viewer":{"login":"ada"}}}"#),
    })
    .await;
    let client = Client::new(Connection {
        urls: Urls {
            api: format!("{}/api/v3", server.url),
            graphql: format!("{}/api/graphql", server.url),
            server: server.url.clone(),
        },
        ..server.connection()
    })
    .unwrap();
    assert_eq!(client.pages::<u64>("/repos/o/r/x", 9).await.unwrap(), [1, 2]);
    client.pages::<u64>("/repos/o/r/x", 9).await.unwrap_err();
    client.patch::<Value>("/repos/o/moved", &json!({"a": 1})).await.unwrap();
    assert_eq!(client.viewer().await.unwrap(), "ada");
    assert_eq!(client.clone().viewer().await.unwrap(), "ada", "and asked for once");
    assert_eq!(
        server.lines(),
        [
            "GET /api/v3/repos/o/r/x",
            "GET /api/v3/repos/o/r/x?page=2",
            "GET /api/v3/repos/o/r/x",
            "PATCH /api/v3/repos/o/moved",
            "PATCH /api/v3/repositories/7",
            "POST /api/graphql",
        ]
    );
    assert_eq!(server.asked()[4].body, r#"{"a":1}"#);
}

#[tokio::test]
async fn what_graphql_refuses_it_says_in_an_answer_that_looks_well() {
    let server = Server::in_turn(vec![answer(500, "")]).await;
    let client = server.client();
    for (kind, is_right) in [
        (
            "FORBIDDEN",
            (|error| matches!(error, GithubError::Forbidden { .. })) as fn(&GithubError) -> bool,
        ),
        ("NOT_FOUND", |error| matches!(error, GithubError::NotFound { .. })),
        ("RATE_LIMITED", |error| matches!(error, GithubError::RateLimited { .. })),
        ("UNPROCESSABLE", |error| matches!(error, GithubError::Invalid { .. })),
    ] {
        let body = json!({"data": null, "errors": [{"type": kind, "message": "no"}]}).to_string();
        server.answers(vec![answer(200, &body)]);
        let error = client.graphql::<Value>("query{x}", json!({})).await.unwrap_err();
        assert!(is_right(&error), "{error:?}");
    }
}

#[tokio::test]
async fn answers_that_are_none_are_said_to_be_none() {
    let large = answer(200, &format!("\"{}\"", "x".repeat(16 << 20)));
    for canned in [
        answer(200, "<html>"),
        answer(200, r#"{"id":"no"}"#),
        large,
        answer_with(302, &[("location", "/x")], ""),
    ] {
        #[derive(Debug, serde::Deserialize)]
        struct Id {
            #[expect(dead_code, reason = "read by the derive alone")]
            id: u64,
        }
        let server = Server::in_turn(vec![canned]).await;
        let error = server.client().get::<Id>("/x").await.unwrap_err();
        assert!(matches!(error, GithubError::Malformed { .. }), "{error:?}");
        assert!(error.to_string().len() < 400, "{error}");
    }
}

#[test]
fn what_can_not_be_an_address_or_a_token_is_refused_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let good = Urls {
        api: "https://api.github.com".to_owned(),
        graphql: "https://api.github.com/graphql".to_owned(),
        server: "https://github.com".to_owned(),
    };
    for api in [
        "",
        "api.github.com",
        "ftp://x",
        "file:///etc/passwd",
        "https://user:pw@x",
        "https://x?y",
    ] {
        let urls = Urls {
            api: api.to_owned(),
            ..good.clone()
        };
        let error = Client::new(Connection::new(urls, None)).unwrap_err();
        assert!(matches!(error, GithubError::Invalid { .. }), "{error:?}");
    }
    for token in ["", "ghs_a\nb", "gh s", "ghs_ä"] {
        let error = Client::new(Connection::new(good.clone(), Some(Secret::new(token)))).unwrap_err();
        assert!(!format!("{error:?}{error}").contains("ghs"), "{error:?}");
    }
}

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_error_and_no_log_shows_the_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // With one subscriber alone, a place that another thread reaches first is taken for one that nobody listens to.
    let second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let mut shown = String::new();
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let server = Server::in_turn(vec![answer(500, "")]).await;
            let client = server.client();
            shown = format!("{client:?} {:?}", server.connection());
            for canned in [
                answer(401, "{}"),
                answer(403, "{}"),
                answer(502, ""),
                Canned::Drop,
                answer(200, "<"),
            ] {
                server.answers(vec![canned]);
                for method in ALL {
                    if let Err(error) = method.call(&client).await {
                        shown = format!("{shown}{error} {error:?}");
                    }
                }
            }
        });
    });
    drop(second);
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("a call failed"), "{logged}");
    assert!(shown.contains("502"));
    for text in [&logged, &shown] {
        assert!(!text.contains("ghs_") && !text.contains("secret_value"), "{text}");
    }
}

#[tokio::test]
async fn calls_can_be_made_from_any_thread() {
    let server = Server::in_turn(vec![answer(200, "{}")]).await;
    let client = server.client();
    let task = tokio::spawn(async move {
        let look = || client.get::<Option<Value>>("/look");
        client.create::<Value, _>("/x", &json!({}), look).await
    });
    task.await.unwrap().unwrap();
}
