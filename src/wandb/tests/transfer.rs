//! Files to and from storage: exact, bounded, and without a key where there must be none.
#![expect(clippy::disallowed_methods, reason = "tests make and damage files themselves")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::canned::{BASIC, Canned, Server, answer, answer_with};
use crate::wandb::client::{Piece, Upload};
use crate::wandb::error::WandbError;

/// Bytes that repeat in no period that a buffer has.
fn noise(n: usize) -> Vec<u8> {
    (0..n)
        .map(|at| ((at * 31) ^ (at >> 7) ^ (at >> 15)).to_le_bytes()[0])
        .collect()
}

fn headers(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[tokio::test]
async fn a_file_is_sent_in_pieces_with_its_exact_length() {
    let server = Server::in_turn(vec![answer_with(200, &[("etag", "\"abc\"")], "")]).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.bin");
    // A prime number of bytes again and again, so that no piece is like another.
    let content: Vec<u8> = noise(1_000_003).into_iter().cycle().take(64 << 20).collect();
    std::fs::write(&path, &content).unwrap();
    let client = server.client();
    let url = format!("{}/bucket/model.bin?sig=x", server.url);
    let lines = headers(&[
        "Content-MD5:XUFAKrxLKna5cZ2REBfFkg==",
        "Content-Type: application/octet-stream",
        "x-ms-meta: a:b ",
        "malformed",
        ": empty",
        "Content-Length: 7",
        "Transfer-Encoding: chunked",
        "Host: elsewhere.example",
    ]);
    let upload = Upload::File {
        path: path.clone(),
        offset: 0,
        length: 64 << 20,
    };
    assert_eq!(
        client.put(&url, &lines, &upload).await.unwrap().as_deref(),
        Some("\"abc\"")
    );
    let asked = server.asked();
    let asked = &asked[0];
    assert_eq!(asked.line, "PUT /bucket/model.bin?sig=x");
    assert_eq!(asked.header("content-length"), Some("67108864"));
    assert_eq!(asked.header("transfer-encoding"), None);
    assert_eq!(asked.header("content-md5"), Some("XUFAKrxLKna5cZ2REBfFkg=="));
    assert_eq!(asked.header("content-type"), Some("application/octet-stream"));
    assert_eq!(asked.header("x-ms-meta"), Some("a:b"));
    assert!(server.url.ends_with(asked.header("host").unwrap()));
    assert_eq!(asked.header("authorization"), None);
    assert_eq!(asked.body.len(), 64 << 20);
    assert!(asked.body == content, "byte for byte");

    server.answers(vec![answer(200, "")]);
    let part = Upload::File {
        path,
        offset: 1_000_003,
        length: 700_001,
    };
    assert_eq!(client.put(&url, &[], &part).await.unwrap(), None);
    assert_eq!(server.asked()[0].body, content[1_000_003..1_700_004]);
}

#[tokio::test]
async fn nothing_has_a_length_too_and_bytes_are_sent_as_they_are() {
    let server = Server::in_turn(vec![answer(200, "")]).await;
    let client = server.client();
    let url = format!("{}/x", server.url);
    for bytes in [Vec::new(), b"hello".to_vec(), noise(1 << 20)] {
        server.answers(vec![Canned::Drop, answer(503, ""), answer(200, "")]);
        client.put(&url, &[], &Upload::Bytes(bytes.clone())).await.unwrap();
        let asked = server.asked();
        assert_eq!(asked.len(), 3);
        for asked in asked {
            let length = bytes.len().to_string();
            assert_eq!(asked.header("content-length"), Some(length.as_str()));
            assert_eq!(asked.header("transfer-encoding"), None);
            assert_eq!(asked.body, bytes);
        }
    }
}

#[tokio::test]
async fn a_file_that_is_not_as_it_was_is_named_and_not_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.bin");
    std::fs::write(&path, b"12345").unwrap();
    let server = Server::in_turn(vec![answer(200, "")]).await;
    let client = server.client();
    let url = format!("{}/x", server.url);
    let upload = |offset, length| Upload::File {
        path: path.clone(),
        offset,
        length,
    };
    for upload in [upload(0, 6), upload(3, 3), upload(u64::MAX, 2)] {
        let error = client.put(&url, &[], &upload).await.unwrap_err();
        let is_right = matches!(&error, WandbError::File { why } if why.contains("model.bin"));
        assert!(is_right, "{error:?}");
    }
    assert_eq!(server.n_asked(), 0);

    // It loses its end while it is sent.
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(64 << 20).unwrap();
    let (shrunk, n_begun) = (path.clone(), Arc::new(AtomicUsize::new(0)));
    let n = Arc::clone(&n_begun);
    let server = Server::taking(move || {
        n.fetch_add(1, Ordering::Relaxed);
        let file = std::fs::OpenOptions::new().write(true).open(&shrunk).unwrap();
        file.set_len(1 << 20).unwrap();
    })
    .await;
    let url = format!("{}/x", server.url);
    let error = server.client().put(&url, &[], &upload(0, 64 << 20)).await.unwrap_err();
    let is_right = matches!(&error, WandbError::File { why } if why.contains("became shorter"));
    assert!(is_right, "{error:?}");
    assert_eq!(n_begun.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_download_has_a_limit_and_begins_again_when_it_breaks_off() {
    let server = Server::in_turn(vec![answer(200, "12345")]).await;
    let client = server.client();
    let url = format!("{}/x?sig=y", server.url);
    assert_eq!(client.get(&url, 5).await.unwrap(), b"12345");
    assert_eq!(server.asked()[0].header("authorization"), None);
    let error = client.get(&url, 4).await.unwrap_err();
    assert!(matches!(&error, WandbError::Malformed { why, .. } if why == "it is larger than 4 bytes"));

    server.answers(vec![Canned::Half, answer(200, "12345")]);
    let (mut kept, mut n_begun) = (Vec::new(), 0);
    let n_bytes = client
        .receive(&url, 100, |piece| {
            match piece {
                Piece::Begin => {
                    n_begun += 1;
                    kept.clear();
                }
                Piece::Bytes(bytes) => kept.extend_from_slice(bytes),
            }
            Ok(())
        })
        .await;
    assert_eq!((n_bytes.unwrap(), kept.as_slice(), n_begun), (5, &b"12345"[..], 2));

    server.answers(vec![answer(200, "12345")]);
    let full = |piece: Piece<'_>| match piece {
        Piece::Begin => Ok(()),
        Piece::Bytes(_) => Err(std::io::Error::other("the disk is full")),
    };
    let error = client.receive(&url, 100, full).await.unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    assert_eq!(server.n_asked(), 1);

    let big = noise(8 << 20);
    let body = big.clone();
    let server = Server::start(move |_, _| Canned::Answer {
        status: 200,
        headers: Vec::new(),
        body: body.clone(),
    })
    .await;
    let url = format!("{}/x", server.url);
    assert_eq!(server.client().get(&url, 8 << 20).await.unwrap(), big);
}

#[tokio::test]
async fn refusals_of_storage_tell_its_code_and_not_the_signature() {
    let body = "<Error><Code>AccessDenied</Code><StringToSign>sig=s3cret</StringToSign></Error>";
    let server = Server::in_turn(vec![answer(403, body)]).await;
    let client = server.client();
    let url = format!("{}/x?sig=s3cret", server.url);
    let error = client.get(&url, 5).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the storage of W&B refused a download: it answered 403 AccessDenied"
    );
    let error = client.put(&url, &[], &Upload::Bytes(b"x".to_vec())).await.unwrap_err();
    assert!(matches!(&error, WandbError::Storage { status: 403, code: Some(code), .. } if code == "AccessDenied"));
}

#[tokio::test]
async fn only_the_api_itself_is_shown_the_key() {
    let other = Server::in_turn(vec![answer(200, "elsewhere")]).await;
    let server = Server::in_turn(vec![answer(200, "here")]).await;
    let client = server.client();
    // An address without a server is one of the API.
    assert_eq!(client.get("/artifactsV2/x", 10).await.unwrap(), b"here");
    client.put("/upload/x", &[], &Upload::Bytes(Vec::new())).await.unwrap();
    for asked in server.asked() {
        assert_eq!(asked.header("authorization"), Some(BASIC), "{}", asked.line);
    }
    // Two slashes begin a server only for those who join addresses.
    server.answers(vec![answer(200, "here")]);
    let tricky = format!("//{}/x", other.url.trim_start_matches("http://"));
    assert_eq!(client.get(&tricky, 10).await.unwrap(), b"here");
    // Neither a server nor the key may be led elsewhere.
    for status in [301, 302, 303, 307, 308] {
        let leads = answer_with(status, &[("location", &format!("{}/x", other.url))], "");
        server.answers(vec![leads.clone()]);
        let error = client.viewer().await.unwrap_err();
        assert!(error.to_string().contains("it leads to another address"), "{error}");
        let error = client.post_stream("e", "p", "r", "{}".to_owned()).await.unwrap_err();
        assert!(matches!(&error, WandbError::Malformed { .. }), "{error:?}");
        let put = client.put("/upload/x", &[], &Upload::Bytes(b"x".to_vec())).await;
        assert!(matches!(&put, Err(WandbError::Storage { .. })), "{put:?}");
        assert_eq!(other.n_asked(), 0, "{status}");
        // A download lies where it lies.
        assert_eq!(client.get("/artifactsV2/x", 10).await.unwrap(), b"elsewhere");
        assert_eq!(other.asked()[0].header("authorization"), None);
        other.answers(vec![answer(200, "elsewhere")]);
    }
    // Back to the API, but by its whole address: what somebody else wrote gets no key.
    server.answers(vec![
        answer_with(302, &[("location", "/second?sig=x")], ""),
        answer(200, "second"),
    ]);
    assert_eq!(client.get("/first", 10).await.unwrap(), b"second");
    assert_eq!(server.asked()[0].header("authorization"), Some(BASIC));
    assert_eq!(server.asked()[1].header("authorization"), None);
    server.answers(vec![answer_with(302, &[("location", "/x")], "")]);
    let error = client.get("/x", 10).await.unwrap_err();
    assert!(error.to_string().contains("round and round"), "{error}");
    assert_eq!(server.n_asked(), 4);
    for location in [
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "http://[fe80::1]/",
        "",
    ] {
        server.answers(vec![answer_with(302, &[("location", location)], ""), answer(404, "")]);
        client.get("/x", 10).await.unwrap_err();
        assert!(server.n_asked() <= 2, "{location}");
    }
}
