//! The server: reads a call, lets faults happen, checks who calls, finds what answers, holds both against the contract.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::{Method, Response};
use serde_json::{Value, json};

use super::contract::{Operation, contract};
use super::faults::{self, Call, Kind};
use super::state::{State, Token};
use super::{admin, blobs, checks, deployments, git_routes, graphql, issues, pulls, repositories, results, workflows};

/// Larger bodies are no business of these tests.
const MAX_BODY: usize = 256 << 20;

/// A call, read whole.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    /// Without the base path of an enterprise server.
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub bytes: Vec<u8>,
    pub body: Value,
    /// Scheme, host, port and base path: what links begin with.
    pub base: String,
    /// What is in braces in the path of the operation.
    pub parameters: BTreeMap<String, String>,
    pub caller: Option<Token>,
}

#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
    /// Instead of JSON.
    pub bytes: Option<Vec<u8>>,
}

/// An answer, or a refusal of the same kind.
pub type Answer = Result<Reply, Box<Reply>>;

/// Too many calls: the next `times` are refused.
#[derive(Debug, Clone)]
pub struct Limit {
    /// 403 or 429: GitHub uses both.
    pub status: u16,
    pub times: usize,
    /// The hour's budget is spent until this moment (seconds since 1970); a secondary limit when there is none.
    pub reset: Option<u64>,
    pub retry_after: Option<u64>,
}

impl Request {
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    pub fn number(&self, name: &str) -> Result<u64, Box<Reply>> {
        self.parameter(name).parse().map_err(|_| not_found())
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }

    pub fn repository(&self) -> String {
        format!("{}/{}", self.parameter("owner"), self.parameter("repo"))
    }

    pub fn login(&self) -> String {
        self.caller
            .as_ref()
            .map_or_else(|| "ghost".to_owned(), |token| token.login.clone())
    }

    /// One page of a list, with the `Link` header of GitHub.
    pub fn page(&self, items: Vec<Value>) -> (Vec<Value>, BTreeMap<String, String>) {
        let number = |name: &str, default: usize| {
            self.query
                .get(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(default)
        };
        let size = number("per_page", 30).clamp(1, 100);
        let page = number("page", 1).max(1);
        let n_pages = items.len().div_ceil(size).max(1);
        let link = |page: usize, name: &str| {
            let others = self.query.iter().filter(|(name, _)| *name != "page");
            let mut query: Vec<String> = others.map(|(name, text)| format!("{name}={}", encode(text))).collect();
            query.push(format!("page={page}"));
            format!("<{}{}?{}>; rel=\"{name}\"", self.base, self.path, query.join("&"))
        };
        let mut links = Vec::new();
        if page > 1 {
            links.push(link(page - 1, "prev"));
            links.push(link(1, "first"));
        }
        if page < n_pages {
            links.push(link(page + 1, "next"));
            links.push(link(n_pages, "last"));
        }
        let mut headers = BTreeMap::new();
        if !links.is_empty() {
            headers.insert("link".to_owned(), links.join(", "));
        }
        (items.into_iter().skip((page - 1) * size).take(size).collect(), headers)
    }

    /// A page as the whole answer.
    pub fn list(&self, items: Vec<Value>) -> Reply {
        let (items, headers) = self.page(items);
        Reply {
            headers,
            ..ok(200, Value::Array(items))
        }
    }

    /// A page in an object with the count of all.
    pub fn counted(&self, name: &str, items: Vec<Value>) -> Reply {
        let n_items = items.len();
        let (items, headers) = self.page(items);
        Reply {
            headers,
            ..ok(200, json!({ "total_count": n_items, name: items }))
        }
    }
}

pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub fn ok(status: u16, body: Value) -> Reply {
    Reply {
        status,
        body,
        ..Reply::default()
    }
}

pub fn empty(status: u16) -> Reply {
    ok(status, Value::Null)
}

pub fn refuse(status: u16, message: &str) -> Box<Reply> {
    let body = json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() });
    Box::new(ok(status, body))
}

pub fn not_found() -> Box<Reply> {
    refuse(404, "Not Found")
}

/// 422 with one error, as most of GitHub's are.
pub fn invalid(resource: &str, field: &str, code: &str, message: &str) -> Box<Reply> {
    let mut refusal = refuse(422, "Validation Failed");
    refusal.body["errors"] = json!([{ "resource": resource, "field": field, "code": code, "message": message }]);
    refusal
}

pub fn run(listener: std::net::TcpListener, state: Arc<Mutex<State>>, stopped: tokio::sync::oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("the listener is non-blocking");
        let router = axum::Router::new().fallback(move |request| {
            // Beside the connection: a server that was told something does it, whether or not anybody waits.
            let answering = tokio::spawn(answer(Arc::clone(&state), request));
            async {
                match answering.await {
                    Ok(response) => response,
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                }
            }
        });
        tokio::select! {
            _ = axum::serve(listener, router) => {}
            _ = stopped => {}
        }
    });
    // Connections that wait for an answer end with the runtime.
    runtime.shutdown_background();
}

async fn answer(state: Arc<Mutex<State>>, raw: axum::extract::Request) -> Response<Body> {
    let (parts, body) = raw.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_BODY).await.unwrap_or_default().to_vec();
    let whole = parts.uri.path();
    let (base, path) = whole
        .strip_prefix("/api/v3")
        .map_or(("", whole), |path| ("/api/v3", path));
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let url = lock(&state).url.clone();
    let request = Request {
        method: parts.method.to_string(),
        path: path.to_owned(),
        query: query(parts.uri.query().unwrap_or_default()),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        bytes,
        base: format!("{url}{base}"),
        ..Request::default()
    };
    if request.path.starts_with("/_twin") {
        return response(&parts.method, admin::answer(&mut lock(&state), &request), &request);
    }
    let kind = faults::next(&mut lock(&state).faults, &request.method, &request.path);
    let raw_query = parts.uri.query().unwrap_or_default();
    let early = match &kind {
        Some(Kind::Status { code, headers, body }) => Some(Reply {
            status: *code,
            headers: headers.clone(),
            body: body.clone(),
            bytes: None,
        }),
        Some(Kind::DropBefore | Kind::Never) => Some(empty(0)),
        Some(Kind::Delay(_) | Kind::DropAfter | Kind::StatusAfter { .. } | Kind::Truncated) | None => None,
    };
    // The journal has the call before it is answered, since answering may read the journal, and tests wait for it.
    let place = {
        let mut state = lock(&state);
        let call = call(&state, &request, raw_query, 0);
        state.calls.push(call);
        state.calls.len() - 1
    };
    if let Some(Kind::Delay(time)) = &kind {
        tokio::time::sleep(*time).await;
    }
    let mut reply = {
        let mut state = lock(&state);
        let reply = early.unwrap_or_else(|| route(&mut state, &request));
        // Nothing when the journal was forgotten meanwhile.
        if let Some(call) = state.calls.get_mut(place) {
            call.status = reply.status;
        }
        reply
    };
    match kind {
        Some(Kind::Never) => std::future::pending().await,
        // Unwinding without the panic hook ends the task of this connection, and with it the socket.
        Some(Kind::DropBefore | Kind::DropAfter) => std::panic::resume_unwind(Box::new("the connection is dropped")),
        Some(Kind::StatusAfter { code, body }) => reply = ok(code, body),
        Some(Kind::Truncated) => {
            let mut bytes = reply
                .bytes
                .take()
                .unwrap_or_else(|| reply.body.to_string().into_bytes());
            bytes.truncate(bytes.len() / 2);
            reply.bytes = Some(bytes);
            reply
                .headers
                .insert("content-type".to_owned(), "application/json; charset=utf-8".to_owned());
        }
        Some(Kind::Status { .. } | Kind::Delay(_)) | None => {}
    }
    response(&parts.method, reply, &request)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn query(text: &str) -> BTreeMap<String, String> {
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

fn call(state: &State, request: &Request, query: &str, status: u16) -> Call {
    let is_graphql = ["/graphql", "/api/graphql"].contains(&request.path.as_str());
    let operation = if is_graphql {
        graphql::first_field(request.text("query").unwrap_or_default())
    } else {
        request
            .path
            .strip_prefix("/twirp/")
            .and_then(|rest| rest.rsplit('/').next())
            .map(str::to_owned)
    };
    let is_write = if is_graphql {
        request
            .text("query")
            .unwrap_or_default()
            .trim_start()
            .starts_with("mutation")
    } else if let Some(operation) = operation.as_ref().filter(|_| request.path.starts_with("/twirp/")) {
        !operation.starts_with("Get") && !operation.starts_with("List")
    } else {
        !["GET", "HEAD"].contains(&request.method.as_str())
    };
    Call {
        method: request.method.clone(),
        path: request.path.clone(),
        query: query.to_owned(),
        status,
        login: state.caller(request).map(|token| token.login),
        operation,
        is_write,
    }
}

fn response(method: &Method, mut reply: Reply, request: &Request) -> Response<Body> {
    let mut builder = Response::builder()
        .status(reply.status)
        .header("x-github-request-id", "TWIN:1:2:3:4");
    if reply.bytes.is_none() && !reply.body.is_null() {
        reply
            .headers
            .entry("content-type".to_owned())
            .or_insert_with(|| "application/json; charset=utf-8".to_owned());
    }
    let version = request
        .headers
        .get("x-github-api-version")
        .filter(|_| request.path != "/graphql");
    builder = version.into_iter().fold(builder, |builder, version| {
        builder.header("x-github-api-version-selected", version)
    });
    builder = reply
        .headers
        .iter()
        .fold(builder, |builder, (name, value)| builder.header(name, value));
    let bytes = match reply.bytes {
        Some(bytes) => bytes,
        None if reply.body.is_null() || method == Method::HEAD => Vec::new(),
        None => reply.body.to_string().into_bytes(),
    };
    builder
        .body(Body::from(bytes))
        .expect("the twin's headers are well formed")
}

fn route(state: &mut State, request: &Request) -> Reply {
    if request.path.starts_with("/twirp/") {
        return results::answer(state, request);
    }
    if request.path.starts_with(blobs::CONTAINER) {
        return blobs::answer(state, request);
    }
    let mut reply = if request
        .headers
        .get("user-agent")
        .is_none_or(|text| text.trim().is_empty())
    {
        let why = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
        *refuse(403, why)
    } else if let Some(refusal) = limited(state) {
        refusal
    } else if request.headers.contains_key("authorization") && state.caller(request).is_none() {
        *refuse(401, "Bad credentials")
    } else if (request.path == "/graphql" && !request.base.ends_with("/api/v3")) || request.path == "/api/graphql" {
        graphql::answer(state, request)
    } else {
        rest(state, request)
    };
    state.n_used += 1;
    let budget = 1000_u64;
    let remaining = if reply.headers.contains_key("x-ratelimit-remaining") {
        0
    } else {
        budget.saturating_sub(state.n_used)
    };
    for (name, text) in [
        ("x-ratelimit-limit", budget.to_string()),
        ("x-ratelimit-remaining", remaining.to_string()),
        ("x-ratelimit-used", (budget - remaining).to_string()),
        ("x-ratelimit-reset", "4102444800".to_owned()),
        ("x-ratelimit-resource", "core".to_owned()),
    ] {
        reply.headers.entry(name.to_owned()).or_insert(text);
    }
    reply
}

fn limited(state: &mut State) -> Option<Reply> {
    let limit = state.limit.as_mut().filter(|limit| limit.times > 0)?;
    limit.times = limit.times.saturating_sub(usize::from(limit.times != usize::MAX));
    let message = match limit.reset {
        Some(_) => "API rate limit exceeded for installation ID 1.",
        None => "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    };
    let mut reply = *refuse(limit.status, message);
    if let Some(reset) = limit.reset {
        reply.headers.insert("x-ratelimit-remaining".to_owned(), "0".to_owned());
        reply.headers.insert("x-ratelimit-reset".to_owned(), reset.to_string());
    }
    if let Some(seconds) = limit.retry_after {
        reply.headers.insert("retry-after".to_owned(), seconds.to_string());
    }
    Some(reply)
}

fn breach(state: &mut State, request: &Request, wrong: &[String]) -> Reply {
    let found = format!("{} {}: {}", request.method, request.path, wrong.join("; "));
    state.violations.push(found.clone());
    ok(599, json!({ "message": "the contract is broken", "violation": found }))
}

fn rest(state: &mut State, request: &Request) -> Reply {
    let Some((operation, parameters)) = contract().find(&request.method, &request.path) else {
        return breach(state, request, &["is no operation of the contract".to_owned()]);
    };
    let mut request = Request {
        parameters,
        caller: state.caller(request),
        ..request.clone()
    };
    if let Err(refusal) = allow(state, &request, operation) {
        return *refusal;
    }
    let mut wrong = contract().check_request(operation, &request.query, &request.body);
    if request.body.is_null() && !request.bytes.is_empty() {
        wrong.push("the body is not JSON".to_owned());
    }
    if state.is_version_required && !request.headers.contains_key("x-github-api-version") {
        wrong.push("header X-GitHub-Api-Version is missing".to_owned());
    }
    if !wrong.is_empty() {
        return breach(state, &request, &wrong);
    }
    request.query.retain(|_, text| !text.is_empty());
    let mut reply = handle(state, &request, operation).unwrap_or_else(|refusal| *refusal);
    if reply.bytes.is_some() {
        return reply;
    }
    let wrong = contract().check_response(operation, reply.status, &mut reply.body);
    if wrong.is_empty() {
        reply
    } else {
        breach(state, &request, &wrong)
    }
}

/// Whether a caller may do it: GitHub hides what may not be read, and names what is missing otherwise.
fn allow(state: &State, request: &Request, operation: &Operation) -> Result<(), Box<Reply>> {
    let Some(tail) = operation.template.strip_prefix("/repos/{owner}/{repo}") else {
        return Ok(());
    };
    let name = request.repository();
    let repository = state.repositories.get(&name).ok_or_else(not_found)?;
    let is_write = operation.method != "GET";
    let Some(token) = &request.caller else {
        return match (repository.is_private, is_write) {
            (true, _) => Err(not_found()),
            (false, true) => Err(refuse(401, "Requires authentication")),
            (false, false) => Ok(()),
        };
    };
    let is_covered = token.repositories.as_ref().is_none_or(|names| names.contains(&name));
    if repository.is_private && (!is_covered || token.permissions.is_empty()) {
        return Err(not_found());
    }
    let (names, accepted) = needs(repository, request, tail);
    let wanted = if is_write { "write" } else { "read" };
    let has = |one: &&str| {
        token
            .permissions
            .get(*one)
            .is_some_and(|level| level == wanted || level == "write")
    };
    let is_open = !is_write && !repository.is_private;
    if is_open || names.is_empty() || (is_covered && names.iter().any(has)) {
        let needs_app = is_write && tail.starts_with("/check-runs");
        return if needs_app && !token.is_app {
            Err(refuse(403, "You must authenticate via a GitHub App."))
        } else {
            Ok(())
        };
    }
    let message = if token.is_app {
        "Resource not accessible by integration"
    } else {
        "Resource not accessible by personal access token"
    };
    let mut refusal = refuse(403, message);
    if !state.hides_accepted_permissions {
        let accepted: Vec<String> = accepted
            .iter()
            .map(|one| format!("{}={wanted}", one.replace('-', "_")))
            .collect();
        refusal
            .headers
            .insert("x-accepted-github-permissions".to_owned(), accepted.join("; "));
    }
    Err(refusal)
}

/// The permissions of which one is needed here, and the ones that the refusal names.
fn needs(
    repository: &repositories::Repository,
    request: &Request,
    tail: &str,
) -> (Vec<&'static str>, Vec<&'static str>) {
    let word = tail.split('/').nth(1).unwrap_or_default();
    let one = |name: &'static str| (vec![name], vec![name]);
    match word {
        "" | "collaborators" => (Vec::new(), vec!["metadata"]),
        "check-runs" => one("checks"),
        "statuses" => one("statuses"),
        "commits" if tail.ends_with("check-runs") => one("checks"),
        "commits" if tail.ends_with("status") => one("statuses"),
        "commits" if !tail.ends_with("pulls") => one("contents"),
        "commits" | "pulls" => one("pull-requests"),
        "labels" => (vec!["issues", "pull-requests"], vec!["issues", "pull-requests"]),
        "issues" => {
            let comment = request
                .parameter("comment_id")
                .parse()
                .ok()
                .and_then(|id: u64| repository.comments.get(&id));
            let number = request
                .parameter("issue_number")
                .parse()
                .ok()
                .or(comment.map(|comment| comment.issue));
            let is_pull = number.is_some_and(|number| repository.pulls.contains_key(&number));
            (
                vec![if is_pull { "pull-requests" } else { "issues" }],
                vec!["issues", "pull-requests"],
            )
        }
        "deployments" => one("deployments"),
        "environments" | "actions" => one("actions"),
        "attestations" => one("attestations"),
        _ => one("contents"),
    }
}

fn handle(state: &mut State, request: &Request, operation: &Operation) -> Answer {
    let tail = operation
        .template
        .strip_prefix("/repos/{owner}/{repo}")
        .unwrap_or(&operation.template);
    let known = [
        repositories::handle,
        issues::handle,
        checks::handle,
        pulls::handle,
        git_routes::handle,
        deployments::handle,
        workflows::handle,
    ];
    for handle in known {
        if let Some(answer) = handle(state, request, &operation.method, tail) {
            return answer;
        }
    }
    Err(refuse(501, "the twin does not play this operation"))
}
