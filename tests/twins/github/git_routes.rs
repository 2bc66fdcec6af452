//! Git data and contents over REST: blobs, trees, commits, references, files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::git::{Commit, Files, Object, Person};
use super::repositories::Repository;
use super::server::{Answer, Reply, Request, empty, not_found, ok, refuse};
use super::state::{State, moment};

pub fn handle(state: &mut State, request: &Request, method: &str, tail: &str) -> Option<Answer> {
    if tail.starts_with("/git/") && state.of(request).is_ok_and(|one| one.refs.is_empty()) {
        return Some(Err(refuse(409, "Git Repository is empty.")));
    }
    Some(match (method, tail) {
        ("POST", "/git/blobs") => create_blob(state, request),
        ("POST", "/git/trees") => create_tree(state, request),
        ("GET", "/git/trees/{tree_sha}") => get_tree(state, request),
        ("POST", "/git/commits") => create_commit(state, request),
        ("GET", "/git/commits/{commit_sha}") => {
            let url = state.url.clone();
            let sha = request.parameter("commit_sha");
            state.of(request).and_then(|repository| {
                let commit = repository.objects.commit(sha).ok_or_else(not_found)?;
                Ok(ok(200, show_commit(&url, &repository.name, sha, commit)))
            })
        }
        ("GET", "/git/blobs/{file_sha}") => get_blob(state, request),
        ("GET", "/git/matching-refs/{ref}") => matching_refs(state, request),
        ("GET", "/commits/{ref}") => get_commit(state, request),
        ("GET", "/branches/{branch}") => get_branch(state, request),
        ("GET", "/git/ref/{ref}") => get_ref(state, request),
        ("POST", "/git/refs") => create_ref(state, request),
        ("PATCH", "/git/refs/{ref}") => update_ref(state, request),
        ("DELETE", "/git/refs/{ref}") => delete_ref(state, request),
        ("GET", "/contents/{path}") => contents(state, request),
        ("PUT", "/contents/{path}") => put_contents(state, request),
        _ => return None,
    })
}

fn create_blob(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let content = request.text("content").unwrap_or_default();
    let bytes = match request.text("encoding").unwrap_or("utf-8") {
        "utf-8" => content.as_bytes().to_vec(),
        "base64" => decode(content).ok_or_else(|| refuse(422, "content is not valid Base64"))?,
        _ => return Err(refuse(422, "encoding must be `utf-8` or `base64`")),
    };
    let repository = state.of(request)?;
    let sha = repository.objects.write(Object::Blob(bytes));
    Ok(ok(
        201,
        json!({ "url": format!("{url}/repos/{}/git/blobs/{sha}", repository.name), "sha": sha }),
    ))
}

/// Base64 with line breaks, as GitHub takes and gives it.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.replace(['\n', '\r'], "")).ok()
}

/// Base64 in lines of 60, each ended, as GitHub writes it.
fn broken(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut lines = String::new();
    for at in (0..text.len()).step_by(60) {
        lines.push_str(&text[at..text.len().min(at + 60)]);
        lines.push('\n');
    }
    lines
}

fn create_tree(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let mut files = Files::new();
    if let Some(base) = request.text("base_tree") {
        let tree = tree_of(repository, base).ok_or_else(|| refuse(422, "base_tree is not a valid tree oid"))?;
        files = repository.objects.files(&tree);
    }
    for entry in request.body["tree"].as_array().into_iter().flatten() {
        let path = entry["path"]
            .as_str()
            .ok_or_else(|| refuse(422, "tree.path is missing"))?
            .to_owned();
        let is_wrong = path.split('/').any(|word| ["", ".", "..", ".git"].contains(&word));
        if is_wrong {
            return Err(refuse(422, "tree.path contains a malformed path component"));
        }
        if !entry["sha"].is_null() && !entry["content"].is_null() {
            return Err(refuse(422, "Must supply either tree.sha or tree.content"));
        }
        let mode = entry["mode"].as_str().unwrap_or("100644").to_owned();
        // Whatever was there, a file or a directory, gives way.
        let n_files = files.len();
        files.retain(|other, _| *other != path && !other.starts_with(&format!("{path}/")));
        if let Some(text) = entry["content"].as_str() {
            let sha = repository.objects.write(Object::Blob(text.as_bytes().to_vec()));
            files.insert(path, (mode, sha));
            continue;
        }
        match entry["sha"].as_str() {
            // No `sha` deletes, and there must be something to delete.
            None if files.len() == n_files => return Err(refuse(422, "GitRPC::BadObjectState")),
            None => {}
            Some(sha) if mode == "040000" && repository.objects.tree(sha).is_some() => {
                let below = repository.objects.files(sha);
                files.extend(below.into_iter().map(|(name, file)| (format!("{path}/{name}"), file)));
            }
            Some(sha) if mode != "040000" && repository.objects.blob(sha).is_some() => {
                files.insert(path, (mode, sha.to_owned()));
            }
            Some(sha) => {
                return Err(refuse(
                    422,
                    &format!("tree.sha {sha} is not a valid object of its type"),
                ));
            }
        }
    }
    let sha = repository.objects.write_tree(&files);
    Ok(ok(201, show_tree(&url, repository, &sha, "", false)))
}

/// A tree by its own name, by a commit's or by a reference.
fn tree_of(repository: &Repository, name: &str) -> Option<String> {
    if repository.objects.tree(name).is_some() {
        return Some(name.to_owned());
    }
    let commit = repository.resolve(name)?;
    repository.objects.commit(&commit).map(|commit| commit.tree.clone())
}

fn show_entries(
    url: &str,
    repository: &Repository,
    tree: &str,
    prefix: &str,
    is_recursive: bool,
    list: &mut Vec<Value>,
) {
    for entry in repository.objects.tree(tree).into_iter().flatten() {
        let path = format!("{prefix}{}", entry.name);
        let is_tree = entry.mode == "40000";
        let (kind, mode) = if is_tree {
            ("tree", "040000")
        } else {
            ("blob", entry.mode.as_str())
        };
        let mut shown = json!({
            "path": path, "mode": mode, "type": kind, "sha": entry.sha,
            "url": format!("{url}/repos/{}/git/{kind}s/{}", repository.name, entry.sha),
        });
        if let Some(bytes) = repository.objects.blob(&entry.sha) {
            shown["size"] = json!(bytes.len());
        }
        list.push(shown);
        if is_tree && is_recursive {
            show_entries(url, repository, &entry.sha, &format!("{path}/"), true, list);
        }
    }
}

fn show_tree(url: &str, repository: &Repository, sha: &str, prefix: &str, is_recursive: bool) -> Value {
    let mut entries = Vec::new();
    show_entries(url, repository, sha, prefix, is_recursive, &mut entries);
    json!({
        "sha": sha, "url": format!("{url}/repos/{}/git/trees/{sha}", repository.name), "tree": entries, "truncated": false,
    })
}

fn get_tree(state: &mut State, request: &Request) -> Answer {
    let (url, truncates) = (state.url.clone(), state.truncates_trees);
    let repository = state.of(request)?;
    let sha = tree_of(repository, request.parameter("tree_sha")).ok_or_else(not_found)?;
    // Any value counts, even `0`.
    let mut shown = show_tree(&url, repository, &sha, "", request.query.contains_key("recursive"));
    if truncates
        && request.query.contains_key("recursive")
        && let Some(entries) = shown["tree"].as_array_mut()
    {
        entries.truncate(entries.len() / 2);
        shown["truncated"] = json!(true);
    }
    Ok(ok(200, shown))
}

pub fn show_commit(url: &str, repository: &str, sha: &str, commit: &Commit) -> Value {
    let api = format!("{url}/repos/{repository}");
    let person = |one: &Person| json!({ "name": one.name, "email": one.email, "date": moment(one.at) });
    let parent = |sha: &String| {
        json!({
            "sha": sha, "url": format!("{api}/git/commits/{sha}"),
            "html_url": format!("https://github.com/{repository}/commit/{sha}"),
        })
    };
    json!({
        "sha": sha,
        "node_id": format!("C_{sha}"),
        "url": format!("{api}/git/commits/{sha}"),
        "html_url": format!("https://github.com/{repository}/commit/{sha}"),
        "author": person(&commit.author),
        "committer": person(&commit.committer),
        "message": commit.message,
        "tree": { "sha": commit.tree, "url": format!("{api}/git/trees/{}", commit.tree) },
        "parents": commit.parents.iter().map(parent).collect::<Vec<Value>>(),
        "verification": { "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null },
    })
}

fn create_commit(state: &mut State, request: &Request) -> Answer {
    let (url, at, login) = (state.url.clone(), state.tick(), request.login());
    let repository = state.of(request)?;
    let tree = request.text("tree").unwrap_or_default().to_owned();
    if repository.objects.tree(&tree).is_none() {
        return Err(refuse(422, "Tree SHA does not exist"));
    }
    let parents = request.body["parents"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let parents: Vec<String> = parents.map(str::to_owned).collect();
    if parents.iter().any(|sha| repository.objects.commit(sha).is_none()) {
        return Err(refuse(422, "Parent SHA does not exist or is not a commit object"));
    }
    let own = Person {
        name: login.clone(),
        email: format!("{login}@users.noreply.github.com"),
        at,
    };
    let author = person(&request.body["author"], &own)?;
    let committer = person(&request.body["committer"], &author)?;
    let message = request.text("message").unwrap_or_default().to_owned();
    let commit = Commit {
        tree,
        parents,
        author,
        committer,
        message,
    };
    let sha = repository.objects.write(Object::Commit(commit.clone()));
    Ok(ok(201, show_commit(&url, &repository.name, &sha, &commit)))
}

fn person(value: &Value, default: &Person) -> Result<Person, Box<Reply>> {
    let text = |name: &str, default: &str| value[name].as_str().unwrap_or(default).to_owned();
    let at = match value["date"].as_str() {
        Some(date) => date
            .parse::<jiff::Timestamp>()
            .map_err(|_| refuse(422, "date is malformed"))?
            .as_second(),
        None => default.at,
    };
    Ok(Person {
        name: text("name", &default.name),
        email: text("email", &default.email),
        at,
    })
}

fn show_ref(url: &str, repository: &str, name: &str, sha: &str) -> Value {
    json!({
        "ref": name,
        "node_id": format!("REF_{name}"),
        "url": format!("{url}/repos/{repository}/git/{name}"),
        "object": { "type": "commit", "sha": sha, "url": format!("{url}/repos/{repository}/git/commits/{sha}") },
    })
}

fn get_ref(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let name = format!("refs/{}", request.parameter("ref"));
    let sha = repository.refs.get(&name).ok_or_else(not_found)?;
    Ok(ok(200, show_ref(&url, &repository.name, &name, sha)))
}

fn get_blob(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let sha = request.parameter("file_sha");
    let bytes = repository.objects.blob(sha).ok_or_else(not_found)?;
    let shown = json!({
        "sha": sha, "node_id": format!("B_{sha}"), "size": bytes.len(), "content": broken(bytes), "encoding": "base64",
        "url": format!("{url}/repos/{}/git/blobs/{sha}", repository.name),
    });
    Ok(ok(200, shown))
}

fn matching_refs(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let prefix = format!("refs/{}", request.parameter("ref"));
    let found = repository.refs.iter().filter(|(name, _)| name.starts_with(&prefix));
    Ok(ok(
        200,
        Value::Array(
            found
                .map(|(name, sha)| show_ref(&url, &repository.name, name, sha))
                .collect(),
        ),
    ))
}

/// A commit as it stands in lists of the repository.
pub fn show_whole(url: &str, repository: &Repository, sha: &str, commit: &Commit) -> Value {
    let plain = show_commit(url, &repository.name, sha, commit);
    json!({
        "sha": sha, "node_id": plain["node_id"], "url": format!("{url}/repos/{}/commits/{sha}", repository.name),
        "html_url": plain["html_url"], "commit": plain, "author": null, "committer": null, "parents": plain["parents"],
    })
}

fn get_commit(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let name = request.parameter("ref");
    let sha = repository
        .resolve(name)
        .ok_or_else(|| refuse(422, &format!("No commit found for SHA: {name}")))?;
    let commit = repository.objects.commit(&sha).ok_or_else(not_found)?;
    Ok(ok(200, show_whole(&url, repository, &sha, commit)))
}

fn get_branch(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let name = request.parameter("branch");
    let sha = repository.tip(name).ok_or_else(|| refuse(404, "Branch not found"))?;
    let commit = repository.objects.commit(&sha).ok_or_else(not_found)?;
    Ok(ok(
        200,
        json!({ "name": name, "commit": show_whole(&url, repository, &sha, commit), "protected": false }),
    ))
}

fn create_ref(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let name = request.text("ref").unwrap_or_default().to_owned();
    let sha = request.text("sha").unwrap_or_default().to_owned();
    if !name.starts_with("refs/") || name.split('/').count() < 3 {
        return Err(refuse(
            422,
            "Reference name must start with 'refs/' and have at least two slashes",
        ));
    }
    if repository.objects.commit(&sha).is_none() {
        return Err(refuse(422, "Object does not exist"));
    }
    if repository.refs.contains_key(&name) {
        return Err(refuse(422, "Reference already exists"));
    }
    let reply = ok(201, show_ref(&url, &repository.name, &name, &sha));
    repository.refs.insert(name, sha);
    state.synchronize();
    Ok(reply)
}

fn update_ref(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let name = format!("refs/{}", request.parameter("ref"));
    let sha = request.text("sha").unwrap_or_default().to_owned();
    let Some(tip) = repository.refs.get(&name) else {
        return Err(refuse(422, "Reference does not exist"));
    };
    if repository.objects.commit(&sha).is_none() {
        return Err(refuse(422, "Object does not exist"));
    }
    if request.body["force"] != true && !repository.objects.ancestors(&sha).contains(tip) {
        return Err(refuse(422, "Update is not a fast forward"));
    }
    let reply = ok(200, show_ref(&url, &repository.name, &name, &sha));
    repository.refs.insert(name, sha);
    state.synchronize();
    Ok(reply)
}

fn delete_ref(state: &mut State, request: &Request) -> Answer {
    let name = format!("refs/{}", request.parameter("ref"));
    let gone = state.of(request)?.refs.remove(&name);
    gone.map(|_| empty(204))
        .ok_or_else(|| refuse(422, "Reference does not exist"))
}

/// Files above this size have no content in JSON.
const MAX_INLINE: usize = 1 << 20;

fn show_file(url: &str, repository: &Repository, path: &str, sha: &str, with_content: bool) -> Value {
    let bytes = repository.objects.blob(sha).unwrap_or_default();
    let mut shown = json!({
        "type": "file", "name": path.rsplit('/').next(), "path": path, "sha": sha, "size": bytes.len(),
        "url": format!("{url}/repos/{}/contents/{path}", repository.name),
        "git_url": format!("{url}/repos/{}/git/blobs/{sha}", repository.name),
        "html_url": format!("https://github.com/{}/blob/main/{path}", repository.name),
        "download_url": format!("https://raw.githubusercontent.com/{}/main/{path}", repository.name),
    });
    if with_content {
        let is_inline = bytes.len() <= MAX_INLINE;
        shown["content"] = json!(if is_inline { broken(bytes) } else { String::new() });
        shown["encoding"] = json!(if is_inline { "base64" } else { "none" });
    }
    shown
}

fn contents(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let name = request.query.get("ref").map_or("", String::as_str);
    if repository.refs.is_empty() {
        return Err(refuse(404, "This repository is empty."));
    }
    let commit = repository
        .resolve(name)
        .ok_or_else(|| refuse(404, &format!("No commit found for the ref {name}")))?;
    let path = request.parameter("path").trim_matches('/').to_owned();
    let files = repository.files_of(&commit);
    if let Some((_, sha)) = files.get(&path) {
        if request.headers.get("accept").is_some_and(|text| text.contains(".raw")) {
            let headers = [(
                "content-type".to_owned(),
                "application/vnd.github.raw+json; charset=utf-8".to_owned(),
            )];
            let bytes = repository.objects.blob(sha).map(<[u8]>::to_vec);
            return Ok(Reply {
                status: 200,
                headers: headers.into(),
                body: Value::Null,
                bytes,
            });
        }
        return Ok(ok(200, show_file(&url, repository, &path, sha, true)));
    }
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("{path}/")
    };
    let tree = repository
        .objects
        .commit(&commit)
        .map(|commit| commit.tree.clone())
        .unwrap_or_default();
    let directory = prefix
        .split('/')
        .filter(|word| !word.is_empty())
        .try_fold(tree, |tree, word| {
            let entry = repository
                .objects
                .tree(&tree)?
                .iter()
                .find(|entry| entry.name == word)?;
            Some(entry.sha.clone())
        });
    let entries = repository
        .objects
        .tree(&directory.ok_or_else(not_found)?)
        .ok_or_else(not_found)?;
    let shown = entries.iter().map(|entry| {
        let mut shown = show_file(&url, repository, &format!("{prefix}{}", entry.name), &entry.sha, false);
        if entry.mode == "40000" {
            shown["type"] = json!("dir");
            shown["download_url"] = Value::Null;
        }
        shown
    });
    Ok(ok(200, Value::Array(shown.collect())))
}

fn put_contents(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let name = request.repository();
    let path = request.parameter("path").to_owned();
    let repository = state.of(request)?;
    let branch = request.text("branch").unwrap_or(&repository.default_branch).to_owned();
    let old = repository
        .tip(&branch)
        .and_then(|tip| repository.files_of(&tip).get(&path).map(|(_, sha)| sha.clone()));
    match (&old, request.text("sha")) {
        (Some(_), None) => return Err(refuse(422, "Invalid request.\n\n\"sha\" wasn't supplied.")),
        (Some(old), Some(sha)) if old != sha => return Err(refuse(409, &format!("{path} does not match {sha}"))),
        (None, Some(sha)) => return Err(refuse(409, &format!("{path} does not match {sha}"))),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let bytes = decode(request.text("content").unwrap_or_default())
        .ok_or_else(|| refuse(422, "content is not valid Base64"))?;
    let message = request.text("message").unwrap_or_default().to_owned();
    let sha = state.commit_files(&name, &branch, &[(path.clone(), Some(bytes))], &message);
    let repository = &state.repositories[&name];
    let blob = repository.files_of(&sha)[&path].1.clone();
    let commit = repository.objects.commit(&sha).ok_or_else(not_found)?;
    let shown = json!({
        "content": show_file(&url, repository, &path, &blob, true), "commit": show_commit(&url, &name, &sha, commit),
    });
    Ok(ok(if old.is_some() { 200 } else { 201 }, shown))
}
