//! Identities that are exchanged for tokens, against a server that is both sides.
#![expect(clippy::disallowed_methods, reason = "tests make and damage files themselves")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::canned::{Canned, Server, answer};
use crate::base::Secret;
use crate::wandb::client::{Client, Settings};
use crate::wandb::error::WandbError;
use crate::wandb::oidc::{Credentials, GithubIdentity};
use crate::wandb::operations::Operation;

const READ: Operation = Operation {
    name: "Read",
    text: "query Read { x }",
    is_idempotent: true,
};
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_";

async fn read(client: &Client) -> Result<(), WandbError> {
    client.execute::<Value>(&READ, &json!({})).await.map(drop)
}

fn with_file(server: &Server, path: PathBuf) -> Client {
    Client::new(Settings {
        credentials: Credentials::IdentityFile(path),
        ..server.settings()
    })
    .unwrap()
}

/// Gives out `token-1`, `token-2`, … of a life.
async fn exchange(expires_in: u64) -> Server {
    let n_given = Arc::new(AtomicUsize::new(0));
    Server::start(move |asked, _| {
        if asked.line != "POST /oidc/token" {
            return answer(200, r#"{"data":{}}"#);
        }
        let n = n_given.fetch_add(1, Ordering::Relaxed) + 1;
        let token = json!({"access_token": format!("token-{n}"), "expires_in": expires_in, "token_type": "Bearer"});
        answer(200, &token.to_string())
    })
    .await
}

fn shown(server: &Server) -> Vec<String> {
    let asked = server.asked();
    let shown = asked.iter().filter(|asked| asked.line == "POST /graphql");
    shown
        .map(|asked| asked.header("authorization").unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_token_is_made_of_the_file_and_used_until_it_is_stale() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, format!("  {JWT}\n")).unwrap();
    let server = exchange(3600).await;
    let client = with_file(&server, path.clone());
    let (first, second) = tokio::join!(read(&client), read(&client));
    first.unwrap();
    second.unwrap();
    read(&client).await.unwrap();
    assert_eq!(shown(&server), ["Bearer token-1"; 3]);
    let asked = server.asked();
    let exchanges: Vec<_> = asked.iter().filter(|asked| asked.line == "POST /oidc/token").collect();
    assert_eq!(exchanges.len(), 1, "calls side by side make one exchange");
    assert_eq!(
        exchanges[0].text(),
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={JWT}")
    );
    assert_eq!(
        exchanges[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(exchanges[0].header("authorization"), None);

    // One without a life is made anew each time, and of what is in the file then.
    let server = exchange(0).await;
    let client = with_file(&server, path.clone());
    read(&client).await.unwrap();
    std::fs::write(&path, "a.b.c").unwrap();
    read(&client).await.unwrap();
    assert_eq!(shown(&server), ["Bearer token-1", "Bearer token-2"]);
    let last = server
        .asked()
        .into_iter()
        .rfind(|asked| asked.line == "POST /oidc/token");
    assert!(last.unwrap().text().ends_with("&assertion=a.b.c"));
}

#[tokio::test]
async fn an_exchange_is_tried_three_times_and_a_refusal_is_final() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, JWT).unwrap();
    let token = answer(200, r#"{"access_token":"t","expires_in":3600}"#);
    let data = answer(200, r#"{"data":{}}"#);
    let server = Server::in_turn(vec![data.clone()]).await;
    for fault in [
        answer(500, ""),
        answer(429, ""),
        answer(501, ""),
        Canned::Drop,
        Canned::Half,
    ] {
        server.answers(vec![fault.clone(), fault.clone(), token.clone(), data.clone()]);
        read(&with_file(&server, path.clone())).await.unwrap();
        server.answers(vec![fault.clone()]);
        let error = read(&with_file(&server, path.clone())).await.unwrap_err();
        assert_eq!(server.n_asked(), 3, "{fault:?} {error}");
        assert!(error.may_pass(), "{error:?}");
    }
    for status in [400, 401, 403, 404, 408, 422] {
        server.answers(vec![answer(status, r#"{"error":"unknown issuer"}"#)]);
        let error = read(&with_file(&server, path.clone())).await.unwrap_err();
        assert_eq!(server.n_asked(), 1, "{status}");
        let said = error.to_string();
        assert!(
            said.contains("does not accept the identity in `") && said.contains("unknown issuer"),
            "{said}"
        );
        assert!(!said.contains(JWT), "{said}");
    }
    server.answers(vec![answer(200, r#"{"access_token":7}"#)]);
    let error = read(&with_file(&server, path)).await.unwrap_err();
    assert!(matches!(&error, WandbError::Malformed { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_no_identity_is_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let server = Server::in_turn(vec![answer(200, "{}")]).await;
    let error = read(&with_file(&server, path.clone())).await.unwrap_err();
    assert!(error.to_string().contains("could not open `"), "{error}");
    for text in ["", "a.b", "a.b.c.d", "a..c", "a.b.c d", "not a token"] {
        std::fs::write(&path, text).unwrap();
        let error = read(&with_file(&server, path.clone())).await.unwrap_err();
        assert!(
            matches!(&error, WandbError::Identity { why } if why.ends_with("is no JWT")),
            "{error:?}"
        );
    }
    assert_eq!(server.n_asked(), 0);
}

#[tokio::test]
async fn github_says_who_the_job_is_and_sees_only_its_own_token() {
    let github = Server::in_turn(vec![answer(200, &json!({"count": 1, "value": JWT}).to_string())]).await;
    let server = exchange(3600).await;
    let client = |url: String| {
        Client::new(Settings {
            credentials: Credentials::GithubIdentity(GithubIdentity {
                url,
                token: Secret::new("runner-token"),
                audience: "https://api.wandb.ai".to_owned(),
            }),
            ..server.settings()
        })
        .unwrap()
    };
    read(&client(format!("{}/id?api-version=2.0", github.url)))
        .await
        .unwrap();
    let asked = github.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].line,
        "GET /id?api-version=2.0&audience=https%3A%2F%2Fapi.wandb.ai"
    );
    assert_eq!(asked[0].header("authorization"), Some("Bearer runner-token"));
    assert_eq!(shown(&server), ["Bearer token-1"]);
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| !asked.text().contains("runner-token"))
    );

    github.answers(vec![answer(403, r#"{"message":"no"}"#)]);
    let error = read(&client(github.url.clone())).await.unwrap_err();
    assert!(error.to_string().contains("has the job `id-token: write`?"), "{error}");
    assert_eq!(github.asked()[0].line, "GET /?audience=https%3A%2F%2Fapi.wandb.ai");
    for url in ["http://github.example/id", "nothing"] {
        let error = read(&client(url.to_owned())).await.unwrap_err();
        assert!(matches!(&error, WandbError::Identity { .. }), "{error:?}");
    }
}
