//! The two servers: the API and its storage. Reads a call, lets faults happen, keeps the journal, finds what answers.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _, ReadBuf};
use tokio_util::io::ReaderStream;

use super::faults::{self, Call, Kind};
use super::state::State;
use super::storage::{Content, Object, Permit, Taker};
use super::{admin, files, graphql, stream};

/// Larger calls of the API are no business of these tests.
const MAX_BODY: usize = 64 << 20;

/// Where a call came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Door {
    #[default]
    Api,
    Storage,
}

/// A call; what is sent to storage is not in it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub door: Door,
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub bytes: Vec<u8>,
    pub body: Value,
}

#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
    /// Instead of JSON: contents, from a place on, that many bytes.
    pub piece: Option<(Content, u64, u64)>,
}

pub fn ok(status: u16, body: Value) -> Reply {
    Reply {
        status,
        body,
        ..Reply::default()
    }
}

pub fn run(
    api: std::net::TcpListener,
    storage: std::net::TcpListener,
    state: Arc<Mutex<State>>,
    stopped: tokio::sync::oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async move {
        let listen = |listener| tokio::net::TcpListener::from_std(listener).expect("the listener is non-blocking");
        tokio::select! {
            _ = axum::serve(listen(api), router(Door::Api, &state)) => {}
            _ = axum::serve(listen(storage), router(Door::Storage, &state)) => {}
            _ = stopped => {}
        }
    });
    // Connections that wait for an answer end with the runtime.
    runtime.shutdown_background();
}

fn router(door: Door, state: &Arc<Mutex<State>>) -> axum::Router {
    let state = Arc::clone(state);
    axum::Router::new().fallback(move |request| {
        // Beside the connection: a server that was told something does it, whether or not anybody waits.
        let answering = tokio::spawn(answer(door, Arc::clone(&state), request));
        async {
            match answering.await {
                Ok(response) => response,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
    })
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(door: Door, state: Arc<Mutex<State>>, raw: axum::extract::Request) -> Response<Body> {
    let (parts, body) = raw.into_parts();
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut request = Request {
        door,
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query().unwrap_or_default()),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        ..Request::default()
    };
    let mut body = Some(body);
    if door == Door::Api {
        let bytes = axum::body::to_bytes(body.take().unwrap_or_default(), MAX_BODY).await;
        request.bytes = bytes.unwrap_or_default().to_vec();
        request.body = serde_json::from_slice(&request.bytes).unwrap_or(Value::Null);
        if request.path.starts_with("/_twin") {
            let reply = admin::answer(&mut lock(&state), &request);
            return response(reply, false).await;
        }
    }
    let (operation, is_write) = operation(&request);
    let kind = faults::next(&mut lock(&state).faults, &operation, &request.path);
    // The journal has the call before it is answered, since answering may read the journal, and tests wait for it.
    let place = {
        let mut state = lock(&state);
        let call = call(&state, &request, operation, is_write);
        state.calls.push(call);
        state.calls.len() - 1
    };
    if let Some(Kind::Delay(time)) = &kind {
        tokio::time::sleep(*time).await;
    }
    let mut reply = match &kind {
        Some(Kind::Status {
            code,
            headers,
            body: said,
        }) => {
            // Whoever sends a lot listens at the end only.
            drain(body.take()).await;
            Reply {
                headers: headers.clone(),
                ..ok(*code, said.clone())
            }
        }
        Some(Kind::DropBefore | Kind::Never) => ok(0, Value::Null),
        Some(Kind::Delay(_) | Kind::DropAfter | Kind::StatusAfter { .. } | Kind::Truncated) | None => match door {
            Door::Api => route(&mut lock(&state), &request),
            Door::Storage => storage(&state, &request, body.take()).await,
        },
    };
    // Nothing when the journal was forgotten meanwhile.
    if let Some(call) = lock(&state).calls.get_mut(place) {
        call.status = reply.status;
    }
    match &kind {
        Some(Kind::Never) => std::future::pending().await,
        // Unwinding without the panic hook ends the task of this connection, and with it the socket.
        Some(Kind::DropBefore | Kind::DropAfter) => std::panic::resume_unwind(Box::new("the connection is dropped")),
        Some(Kind::StatusAfter { code, body }) => reply = ok(*code, body.clone()),
        Some(Kind::Status { .. } | Kind::Delay(_) | Kind::Truncated) | None => {}
    }
    response(reply, matches!(kind, Some(Kind::Truncated))).await
}

async fn drain(body: Option<Body>) {
    let Some(body) = body else { return };
    let mut pieces = Box::pin(body.into_data_stream());
    while let Some(Ok(_)) = next(&mut pieces).await {}
}

/// The next piece of a body.
async fn next(
    pieces: &mut Pin<Box<axum::body::BodyDataStream>>,
) -> Option<Result<impl AsRef<[u8]> + use<>, axum::Error>> {
    use axum::body::HttpBody as _;
    std::future::poll_fn(|cx| {
        let body: Pin<&mut axum::body::BodyDataStream> = pieces.as_mut();
        body.poll_frame(cx)
    })
    .await
    .map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default()))
}

/// Names and values of a query or a form.
pub fn pairs(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, text)| (decode(name), decode(text)))
        .collect()
}

/// What a call is named in the journal and in faults, and whether it would change something.
fn operation(request: &Request) -> (String, bool) {
    if request.door == Door::Storage {
        return (format!("storage {}", request.method), request.method == "PUT");
    }
    match request.path.as_str() {
        "/graphql" => graphql::first_field(&request.body).unwrap_or_else(|| ("graphql".to_owned(), false)),
        "/oidc/token" => ("oidc".to_owned(), false),
        path if path.ends_with("/file_stream") => ("file_stream".to_owned(), true),
        path if path.starts_with("/artifactsV2/") => ("artifactsV2".to_owned(), false),
        path => (path.to_owned(), !["GET", "HEAD"].contains(&request.method.as_str())),
    }
}

fn call(state: &State, request: &Request, operation: String, is_write: bool) -> Call {
    let scheme = request
        .headers
        .get("authorization")
        .map(|text| text.split(' ').next().unwrap_or_default());
    let variables = if request.path == "/graphql" {
        request.body["variables"].clone()
    } else {
        request.body.clone()
    };
    Call {
        method: request.method.clone(),
        path: request.path.clone(),
        operation,
        variables,
        status: 0,
        user: state.caller(&request.headers).username,
        scheme: scheme.map(str::to_owned),
        is_write,
        at_ms: state.now_ms(),
    }
}

fn route(state: &mut State, request: &Request) -> Reply {
    let caller = state.caller(&request.headers);
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/graphql") => graphql::answer(state, &caller, &request.body),
        ("POST", "/oidc/token") => exchange(state, request),
        ("POST", path) => match stream::target(path) {
            Some(_) if request.headers.contains_key("content-encoding") => {
                state.breach("file_stream: this server takes no compressed calls".to_owned());
                ok(415, json!({ "error": "unsupported content encoding" }))
            }
            Some(target) => stream::answer(state, &caller, &target, &request.body),
            None => unknown(state, "POST", path),
        },
        ("GET", path) if path.starts_with("/artifactsV2/") => {
            if caller.username.is_none() {
                return ok(401, json!({ "error": "user is not logged in" }));
            }
            match files::fallback(state, &caller, path) {
                Some(url) => Reply {
                    headers: BTreeMap::from([("location".to_owned(), url)]),
                    ..ok(307, Value::Null)
                },
                None => ok(404, json!({ "error": "not found" })),
            }
        }
        (method, path) => unknown(state, method, path),
    }
}

/// No client of W&B asks for this.
fn unknown(state: &mut State, method: &str, path: &str) -> Reply {
    state.breach(format!("{method} {path} is not known"));
    ok(404, json!({ "error": "not found" }))
}

fn exchange(state: &mut State, request: &Request) -> Reply {
    let form = pairs(&String::from_utf8_lossy(&request.bytes));
    let kind = form.get("grant_type").map(String::as_str);
    if kind != Some("urn:ietf:params:oauth:grant-type:jwt-bearer") {
        return ok(400, json!({ "error": "unsupported_grant_type" }));
    }
    let assertion = form.get("assertion").map(String::as_str).unwrap_or_default();
    match state.exchange(assertion) {
        Some(token) => ok(200, token),
        None => ok(401, json!({ "error": "invalid_grant" })),
    }
}

/// An error as object stores write it.
fn object_error(status: u16, code: &str) -> Reply {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code></Error>");
    let length = text.len() as u64;
    let mut reply = ok(status, Value::Null);
    reply
        .headers
        .insert("content-type".to_owned(), "application/xml".to_owned());
    reply.piece = Some((Content::Memory(Arc::new(text.into_bytes())), 0, length));
    reply
}

async fn storage(state: &Mutex<State>, request: &Request, body: Option<Body>) -> Reply {
    if request.headers.contains_key("authorization") {
        lock(state).breach(format!(
            "credentials were sent to storage: {} {}",
            request.method, request.path
        ));
        drain(body).await;
        return object_error(400, "InvalidArgument");
    }
    let path = percent_encoding::percent_decode_str(&request.path)
        .decode_utf8_lossy()
        .into_owned();
    let permit = path.strip_prefix("/storage/").and_then(|path| {
        let permit = lock(state).permit(&request.method, path, &request.query)?;
        Some((path, permit))
    });
    match (request.method.as_str(), permit) {
        ("GET", Some((path, _))) => {
            let object = lock(state).objects.get(path).cloned();
            object.map_or_else(|| object_error(404, "NoSuchKey"), |object| get(request, &object))
        }
        ("PUT", Some((path, permit))) => put(state, request, path, &permit, body).await,
        _ => {
            drain(body).await;
            object_error(403, "AccessDenied")
        }
    }
}

fn get(request: &Request, object: &Object) -> Reply {
    let mut reply = ok(200, Value::Null);
    let (mut start, mut end) = (0, object.size);
    if let Some(range) = request.headers.get("range") {
        let ends = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
        let ends = ends.and_then(|(first, last)| {
            let last = if last.is_empty() {
                object.size.checked_sub(1)?
            } else {
                last.parse().ok()?
            };
            Some((first.parse::<u64>().ok()?, last.min(object.size.checked_sub(1)?)))
        });
        let Some((first, last)) = ends.filter(|(first, last)| first <= last) else {
            return object_error(416, "InvalidRange");
        };
        (start, end) = (first, last + 1);
        reply.status = 206;
        let range = format!("bytes {first}-{last}/{}", object.size);
        reply.headers.insert("content-range".to_owned(), range);
    }
    let kind = object
        .content_type
        .clone()
        .unwrap_or_else(|| "application/octet-stream".to_owned());
    reply.headers.insert("content-type".to_owned(), kind);
    reply.headers.insert("etag".to_owned(), object.etag());
    reply.piece = Some((object.content.clone(), start, end - start));
    reply
}

async fn put(state: &Mutex<State>, request: &Request, path: &str, permit: &Permit, body: Option<Body>) -> Reply {
    let said = |name: &str| request.headers.get(name);
    let refusal = if said("content-length").is_none() {
        Some((411, "MissingContentLength"))
    } else if permit
        .digest
        .as_ref()
        .is_some_and(|digest| said("content-md5") != Some(digest))
        || permit
            .content_type
            .as_ref()
            .is_some_and(|kind| said("content-type") != Some(kind))
    {
        Some((403, "SignatureDoesNotMatch"))
    } else if permit
        .part
        .as_ref()
        .is_some_and(|(upload, _)| !lock(state).multiparts.contains_key(upload))
    {
        Some((404, "NoSuchUpload"))
    } else {
        None
    };
    if let Some((status, code)) = refusal {
        drain(body).await;
        return object_error(status, code);
    }
    let mut taker = Taker::new();
    let mut pieces = Box::pin(body.unwrap_or_default().into_data_stream());
    while let Some(piece) = next(&mut pieces).await {
        let taken = piece
            .map_err(io::Error::other)
            .and_then(|piece| taker.take(piece.as_ref()));
        if taken.is_err() {
            return object_error(400, "IncompleteBody");
        }
    }
    let object = taker.object(said("content-type").cloned());
    if said("content-md5").is_some_and(|digest| *digest != object.md5) {
        return object_error(400, "BadDigest");
    }
    let mut reply = ok(200, Value::Null);
    reply.headers.insert("etag".to_owned(), object.etag());
    lock(state).store(path, permit, object);
    reply
}

async fn response(reply: Reply, is_truncated: bool) -> Response<Body> {
    let mut builder = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        builder = builder.header(name, value);
    }
    let (content, start, length) = match reply.piece {
        Some(piece) => piece,
        None if reply.body.is_null() => (Content::Memory(Arc::default()), 0, 0),
        None => {
            builder = builder.header("content-type", "application/json; charset=utf-8");
            let bytes = reply.body.to_string().into_bytes();
            let length = bytes.len() as u64;
            (Content::Memory(Arc::new(bytes)), 0, length)
        }
    };
    let sent = if is_truncated { length / 2 } else { length };
    builder = builder.header("content-length", length);
    let body = match content {
        Content::Memory(_) if !is_truncated => Body::from(piece(&content, start, sent)),
        Content::Memory(_) => {
            let half = io::Cursor::new(piece(&content, start, sent));
            Body::from_stream(ReaderStream::new(half.chain(BrokenOff)))
        }
        Content::File(file) => {
            let opened = tokio::fs::File::open(file.path()).await;
            let mut opened = opened.expect("a temporary file stays while it is named");
            opened
                .seek(io::SeekFrom::Start(start))
                .await
                .expect("a file has places");
            let taken = opened.take(sent);
            // The name is kept until the last byte is sent.
            let held = Held {
                reader: taken,
                _file: file,
            };
            if is_truncated {
                Body::from_stream(ReaderStream::new(held.chain(BrokenOff)))
            } else {
                Body::from_stream(ReaderStream::new(held))
            }
        }
    };
    builder.body(body).expect("the twin's headers are well formed")
}

fn piece(content: &Content, start: u64, length: u64) -> Vec<u8> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    content.piece(start, length).expect("memory can be read")
}

/// The end of an answer that breaks off.
struct BrokenOff;

impl AsyncRead for BrokenOff {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("the answer breaks off")))
    }
}

struct Held<R> {
    reader: R,
    _file: Arc<tempfile::NamedTempFile>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Held<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buffer)
    }
}
