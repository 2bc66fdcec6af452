//! Issues, their comments with every version ever shown, labels and reactions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::repositories::Repository;
use super::server::{Answer, Reply, Request, empty, invalid, not_found, ok, refuse};
use super::state::{State, user};

/// GitHub counts characters.
const MAX_BODY: usize = 65_536;

#[derive(Debug, Clone)]
pub struct Issue {
    pub id: u64,
    pub number: u64,
    pub title: String,
    pub body: String,
    pub author: String,
    pub is_open: bool,
    pub state_reason: Option<String>,
    pub labels: BTreeSet<String>,
    pub created_at: String,
    pub updated_at: String,
    /// How often its title, body, state or labels were changed.
    pub n_edits: usize,
}

#[derive(Debug, Clone)]
pub struct Comment {
    pub id: u64,
    pub issue: u64,
    pub author: String,
    /// The first is what was posted; the last is what people see.
    pub versions: Vec<Version>,
    /// The reason, as GraphQL writes it: `OUTDATED`.
    pub minimized: Option<String>,
    pub deleted_by: Option<String>,
    /// Who reacted with what, in order: `("github-actions[bot]", "eyes")`.
    pub reactions: Vec<(u64, String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub body: String,
    pub by: String,
    pub at: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub id: u64,
    pub name: String,
    pub color: String,
    pub description: Option<String>,
}

impl Comment {
    pub fn body(&self) -> &str {
        self.versions.last().map_or("", |version| version.body.as_str())
    }

    pub fn node_id(&self) -> String {
        format!("IC_kwDO{}", self.id)
    }
}

impl State {
    /// A comment of a person.
    pub fn comment(&mut self, repository: &str, issue: u64, login: &str, body: &str) -> u64 {
        let (id, at) = (self.next_id(), self.now());
        let version = Version {
            body: body.to_owned(),
            by: login.to_owned(),
            at,
        };
        let comment = Comment {
            id,
            issue,
            author: login.to_owned(),
            versions: vec![version],
            minimized: None,
            deleted_by: None,
            reactions: Vec::new(),
        };
        self.repository(repository).comments.insert(id, comment);
        id
    }

    /// The comments of an issue or pull request that are there now.
    pub fn comments(&self, repository: &str, issue: u64) -> Vec<Comment> {
        let comments = self
            .repositories
            .get(repository)
            .map(|one| one.comments.values())
            .into_iter()
            .flatten();
        comments
            .filter(|one| one.issue == issue && one.deleted_by.is_none())
            .cloned()
            .collect()
    }

    /// An issue of a person; its number.
    pub fn issue(&mut self, repository: &str, login: &str, title: &str, body: &str) -> u64 {
        let (id, at) = (self.next_id(), self.now());
        let repository = self.repository(repository);
        let number = repository.next_number();
        repository
            .issues
            .insert(number, Issue::new(id, number, login, title, body, &at));
        number
    }
}

impl Issue {
    pub fn new(id: u64, number: u64, author: &str, title: &str, body: &str, at: &str) -> Self {
        Self {
            id,
            number,
            title: title.to_owned(),
            body: body.to_owned(),
            author: author.to_owned(),
            is_open: true,
            state_reason: None,
            labels: BTreeSet::new(),
            created_at: at.to_owned(),
            updated_at: at.to_owned(),
            n_edits: 0,
        }
    }
}

fn association(repository: &Repository, login: &str) -> &'static str {
    if login == repository.owner() {
        "OWNER"
    } else if repository.collaborators.contains_key(login) {
        "COLLABORATOR"
    } else {
        "NONE"
    }
}

fn show_comment(state: &State, repository: &Repository, comment: &Comment) -> Value {
    let api = format!("{}/repos/{}", state.url, repository.name);
    let page = if repository.pulls.contains_key(&comment.issue) {
        "pull"
    } else {
        "issues"
    };
    let counts = |content: &str| comment.reactions.iter().filter(|(_, _, one)| one == content).count();
    json!({
        "id": comment.id,
        "node_id": comment.node_id(),
        "url": format!("{api}/issues/comments/{}", comment.id),
        "html_url": format!("https://github.com/{}/{page}/{}#issuecomment-{}", repository.name, comment.issue, comment.id),
        "issue_url": format!("{api}/issues/{}", comment.issue),
        "user": user(&comment.author),
        "body": comment.body(),
        "author_association": association(repository, &comment.author),
        "created_at": comment.versions[0].at,
        "updated_at": comment.versions.last().map(|version| version.at.clone()),
        "minimized": comment.minimized.as_ref().map(|reason| json!({ "reason": reason.to_lowercase() })),
        "performed_via_github_app": null,
        "reactions": {
            "url": format!("{api}/issues/comments/{}/reactions", comment.id),
            "total_count": comment.reactions.len(),
            "+1": counts("+1"), "-1": counts("-1"), "laugh": counts("laugh"), "hooray": counts("hooray"),
            "confused": counts("confused"), "heart": counts("heart"), "rocket": counts("rocket"), "eyes": counts("eyes"),
        },
    })
}

fn show_label(state: &State, repository: &Repository, name: &str) -> Value {
    let label = repository.labels.get(name);
    json!({
        "id": label.map_or(0, |one| one.id),
        "node_id": format!("LA_{}", label.map_or(0, |one| one.id)),
        "url": format!("{}/repos/{}/labels/{}", state.url, repository.name, super::server::encode(name)),
        "name": name,
        "color": label.map_or("ededed", |one| one.color.as_str()),
        "default": false,
        "description": label.and_then(|one| one.description.clone()),
    })
}

fn show_issue(state: &State, repository: &Repository, issue: &Issue) -> Value {
    let api = format!("{}/repos/{}", state.url, repository.name);
    let is_pull = repository.pulls.contains_key(&issue.number);
    let page = if is_pull { "pull" } else { "issues" };
    let comments = repository.comments.values();
    let mut value = json!({
        "id": issue.id,
        "node_id": format!("I_kwDO{}", issue.id),
        "url": format!("{api}/issues/{}", issue.number),
        "repository_url": api,
        "html_url": format!("https://github.com/{}/{page}/{}", repository.name, issue.number),
        "number": issue.number,
        "title": issue.title,
        "body": issue.body,
        "user": user(&issue.author),
        "state": if issue.is_open { "open" } else { "closed" },
        "state_reason": issue.state_reason,
        "labels": issue.labels.iter().map(|name| show_label(state, repository, name)).collect::<Vec<Value>>(),
        "comments": comments.filter(|one| one.issue == issue.number && one.deleted_by.is_none()).count(),
        "author_association": association(repository, &issue.author),
        "created_at": issue.created_at,
        "updated_at": issue.updated_at,
        "closed_at": if issue.is_open { Value::Null } else { json!(issue.updated_at) },
        "assignees": [],
        "locked": false,
    });
    if is_pull {
        value["pull_request"] = json!({
            "url": format!("{api}/pulls/{}", issue.number),
            "html_url": format!("https://github.com/{}/pull/{}", repository.name, issue.number),
            "diff_url": null, "patch_url": null,
        });
    }
    value
}

pub fn handle(state: &mut State, request: &Request, method: &str, tail: &str) -> Option<Answer> {
    Some(match (method, tail) {
        ("GET", "/issues/{issue_number}/comments") => list_comments(state, request),
        ("POST", "/issues/{issue_number}/comments") => create_comment(state, request),
        ("GET", "/issues/comments/{comment_id}") => with_comment(state, request, |_| Ok(())),
        ("PATCH", "/issues/comments/{comment_id}") => edit_comment(state, request),
        ("DELETE", "/issues/comments/{comment_id}") => {
            let login = request.login();
            let deleted = with_comment(state, request, |comment| {
                comment.deleted_by = Some(login);
                Ok(())
            });
            deleted.map(|_| empty(204))
        }
        ("GET", "/issues/comments/{comment_id}/reactions") => list_reactions(state, request),
        ("POST", "/issues/comments/{comment_id}/reactions") => react(state, request),
        ("DELETE", "/issues/comments/{comment_id}/reactions/{reaction_id}") => unreact(state, request),
        ("GET", "/issues/{issue_number}/labels") => labels_of(state, request),
        ("POST" | "PUT", "/issues/{issue_number}/labels") => set_labels(state, request, method == "PUT"),
        ("DELETE", "/issues/{issue_number}/labels/{name}") => remove_label(state, request),
        ("GET", "/labels") => list_labels(state, request),
        ("POST", "/labels") => create_label(state, request),
        ("GET", "/issues") => list_issues(state, request),
        ("POST", "/issues") => create_issue(state, request),
        ("GET", "/issues/{issue_number}") => issue_reply(state, request, 200),
        ("PATCH", "/issues/{issue_number}") => edit_issue(state, request),
        _ => return None,
    })
}

fn issue_of<'a>(state: &'a mut State, request: &Request) -> Result<&'a mut Issue, Box<Reply>> {
    let number = request.number("issue_number")?;
    state.of(request)?.issues.get_mut(&number).ok_or_else(not_found)
}

fn issue_reply(state: &mut State, request: &Request, status: u16) -> Answer {
    let issue = issue_of(state, request)?.clone();
    let repository = &state.repositories[&request.repository()];
    Ok(ok(status, show_issue(state, repository, &issue)))
}

fn list_comments(state: &mut State, request: &Request) -> Answer {
    let number = issue_of(state, request)?.number;
    let comments = state.comments(&request.repository(), number);
    let repository = &state.repositories[&request.repository()];
    let since = request.query.get("since").cloned().unwrap_or_default();
    let comments = comments
        .iter()
        .filter(|one| one.versions.last().is_some_and(|version| version.at >= since));
    Ok(request.list(comments.map(|one| show_comment(state, repository, one)).collect()))
}

fn check_body(body: &str) -> Result<(), Box<Reply>> {
    if body.chars().count() > MAX_BODY {
        let message = format!("Body is too long (maximum is {MAX_BODY} characters)");
        return Err(invalid("IssueComment", "data", "unprocessable", &message));
    }
    if body.trim().is_empty() {
        return Err(invalid(
            "IssueComment",
            "data",
            "unprocessable",
            "Body can not be blank",
        ));
    }
    Ok(())
}

fn create_comment(state: &mut State, request: &Request) -> Answer {
    let number = issue_of(state, request)?.number;
    let body = request.text("body").unwrap_or_default();
    check_body(body)?;
    let id = state.comment(&request.repository(), number, &request.login(), body);
    let repository = &state.repositories[&request.repository()];
    Ok(ok(201, show_comment(state, repository, &repository.comments[&id])))
}

fn with_comment(
    state: &mut State,
    request: &Request,
    change: impl FnOnce(&mut Comment) -> Result<(), Box<Reply>>,
) -> Answer {
    let id = request.number("comment_id")?;
    let comment = state
        .of(request)?
        .comments
        .get_mut(&id)
        .filter(|one| one.deleted_by.is_none())
        .ok_or_else(not_found)?;
    change(comment)?;
    let repository = &state.repositories[&request.repository()];
    Ok(ok(200, show_comment(state, repository, &repository.comments[&id])))
}

fn edit_comment(state: &mut State, request: &Request) -> Answer {
    let version = Version {
        body: request.text("body").unwrap_or_default().to_owned(),
        by: request.login(),
        at: state.now(),
    };
    with_comment(state, request, |comment| {
        check_body(&version.body)?;
        comment.versions.push(version);
        Ok(())
    })
}

fn show_reaction(reaction: &(u64, String, String)) -> Value {
    json!({ "id": reaction.0, "node_id": format!("REA_{}", reaction.0), "user": user(&reaction.1), "content": reaction.2 })
}

fn list_reactions(state: &mut State, request: &Request) -> Answer {
    let mut found = Vec::new();
    with_comment(state, request, |comment| {
        found = comment.reactions.iter().map(show_reaction).collect();
        Ok(())
    })?;
    Ok(request.list(found))
}

fn react(state: &mut State, request: &Request) -> Answer {
    let (id, login) = (state.next_id(), request.login());
    let content = request.text("content").unwrap_or_default().to_owned();
    let mut reply = empty(200);
    with_comment(state, request, |comment| {
        let old = comment
            .reactions
            .iter()
            .find(|(_, who, what)| *who == login && *what == content)
            .cloned();
        let reaction = old.clone().unwrap_or((id, login, content));
        if old.is_none() {
            comment.reactions.push(reaction.clone());
        }
        reply = ok(if old.is_some() { 200 } else { 201 }, show_reaction(&reaction));
        Ok(())
    })?;
    Ok(reply)
}

fn unreact(state: &mut State, request: &Request) -> Answer {
    let id = request.number("reaction_id")?;
    with_comment(state, request, |comment| {
        let place = comment
            .reactions
            .iter()
            .position(|(one, _, _)| *one == id)
            .ok_or_else(not_found)?;
        comment.reactions.remove(place);
        Ok(())
    })?;
    Ok(empty(204))
}

fn list_labels(state: &State, request: &Request) -> Answer {
    let repository = state.repositories.get(&request.repository()).ok_or_else(not_found)?;
    let names = repository.labels.keys();
    Ok(request.list(names.map(|name| show_label(state, repository, name)).collect()))
}

fn labels_of(state: &mut State, request: &Request) -> Answer {
    let labels = issue_of(state, request)?.labels.clone();
    let repository = &state.repositories[&request.repository()];
    Ok(request.list(labels.iter().map(|name| show_label(state, repository, name)).collect()))
}

fn names(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(|one| one.as_str().or_else(|| one["name"].as_str()))
        .map(str::to_owned)
        .collect()
}

/// A label that an issue gets and the repository does not have yet is made.
fn learn(state: &mut State, request: &Request, names: &[String]) -> Result<(), Box<Reply>> {
    for name in names {
        let id = state.next_id();
        let label = Label {
            id,
            name: name.clone(),
            color: "ededed".to_owned(),
            description: None,
        };
        state.of(request)?.labels.entry(name.clone()).or_insert(label);
    }
    Ok(())
}

fn set_labels(state: &mut State, request: &Request, is_replaced: bool) -> Answer {
    let names = names(&request.body["labels"]);
    issue_of(state, request)?;
    learn(state, request, &names)?;
    let issue = issue_of(state, request)?;
    if is_replaced {
        issue.labels.clear();
    }
    issue.labels.extend(names);
    labels_of(state, request)
}

fn remove_label(state: &mut State, request: &Request) -> Answer {
    if !issue_of(state, request)?.labels.remove(request.parameter("name")) {
        return Err(refuse(404, "Label does not exist"));
    }
    labels_of(state, request)
}

fn create_label(state: &mut State, request: &Request) -> Answer {
    let id = state.next_id();
    let name = request.text("name").unwrap_or_default().to_owned();
    let color = request.text("color").unwrap_or("ededed").to_owned();
    let repository = state.of(request)?;
    if repository.labels.keys().any(|one| one.eq_ignore_ascii_case(&name)) {
        return Err(invalid("Label", "name", "already_exists", "already exists"));
    }
    if color.len() != 6 || !color.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(invalid("Label", "color", "invalid", "color is invalid"));
    }
    let description = request.text("description").map(str::to_owned);
    if description.as_ref().is_some_and(|text| text.chars().count() > 100) {
        return Err(invalid(
            "Label",
            "description",
            "invalid",
            "description is too long (maximum is 100 characters)",
        ));
    }
    repository.labels.insert(
        name.clone(),
        Label {
            id,
            name: name.clone(),
            color,
            description,
        },
    );
    let repository = &state.repositories[&request.repository()];
    Ok(ok(201, show_label(state, repository, &name)))
}

fn list_issues(state: &mut State, request: &Request) -> Answer {
    let wanted = request.query.get("state").map_or("open", String::as_str);
    let labels: Vec<&str> = request
        .query
        .get("labels")
        .map(|text| text.split(',').collect())
        .unwrap_or_default();
    let creator = request.query.get("creator");
    state.of(request)?;
    let repository = &state.repositories[&request.repository()];
    let mut issues: Vec<&Issue> = repository.issues.values().collect();
    issues.retain(|issue| wanted == "all" || (wanted == "open") == issue.is_open);
    issues.retain(|issue| labels.iter().all(|name| issue.labels.contains(*name)));
    issues.retain(|issue| creator.is_none_or(|login| *login == issue.author));
    // The newest first, which is GitHub's order.
    if request.query.get("direction").is_none_or(|order| order == "desc") {
        issues.reverse();
    }
    Ok(request.list(
        issues
            .into_iter()
            .map(|issue| show_issue(state, repository, issue))
            .collect(),
    ))
}

fn title_of(request: &Request) -> Option<String> {
    request.body["title"]
        .as_str()
        .map(str::to_owned)
        .or_else(|| request.body["title"].as_i64().map(|one| one.to_string()))
}

fn create_issue(state: &mut State, request: &Request) -> Answer {
    let title = title_of(request).unwrap_or_default();
    let body = request.text("body").unwrap_or_default().to_owned();
    if title.trim().is_empty() {
        return Err(invalid("Issue", "title", "missing_field", "title is missing"));
    }
    if body.chars().count() > MAX_BODY {
        return Err(invalid(
            "Issue",
            "body",
            "invalid",
            &format!("body is too long (maximum is {MAX_BODY} characters)"),
        ));
    }
    let names = names(&request.body["labels"]);
    learn(state, request, &names)?;
    let number = state.issue(&request.repository(), &request.login(), &title, &body);
    let repository = state.of(request)?;
    let issue = repository.issues.get_mut(&number).expect("it was made");
    issue.labels.extend(names);
    let issue = issue.clone();
    let repository = &state.repositories[&request.repository()];
    Ok(ok(201, show_issue(state, repository, &issue)))
}

fn edit_issue(state: &mut State, request: &Request) -> Answer {
    let now = state.now();
    let names = request.body.get("labels").map(names);
    issue_of(state, request)?;
    learn(state, request, names.as_deref().unwrap_or_default())?;
    let issue = issue_of(state, request)?;
    if let Some(body) = request.text("body") {
        if body.chars().count() > MAX_BODY {
            return Err(invalid(
                "Issue",
                "body",
                "invalid",
                "body is too long (maximum is 65536 characters)",
            ));
        }
        body.clone_into(&mut issue.body);
    }
    if let Some(title) = title_of(request) {
        issue.title = title;
    }
    if let Some(text) = request.text("state") {
        issue.is_open = text == "open";
        let reason = if issue.is_open {
            Some("reopened")
        } else {
            request.text("state_reason").or(Some("completed"))
        };
        issue.state_reason = reason.map(str::to_owned);
    }
    if let Some(names) = names {
        issue.labels = names.into_iter().collect();
    }
    issue.updated_at = now;
    issue.n_edits += 1;
    issue_reply(state, request, 200)
}
