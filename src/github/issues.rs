//! Issues and their comments: reactions, replies that are given once, who may do what, and the one standing issue.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Repository;
use super::address::segment;
use super::author::{Author, Us};
use super::client::Client;
use super::error::GithubError;
use super::hidden;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    Eyes,
    Rocket,
    Confused,
}

impl Reaction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Eyes => "eyes",
            Self::Rocket => "rocket",
            Self::Confused => "confused",
        }
    }
}

/// What somebody may do in a repository, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    None,
    Read,
    Triage,
    Write,
    Maintain,
    Admin,
}

const COMMENT_LIMIT: usize = 2000;
const ISSUE_LIMIT: usize = 1000;

/// GitHub keeps one reaction of a kind and an author, so that a repeated one is none.
pub async fn react(
    client: &Client,
    repository: &Repository,
    comment_id: u64,
    reaction: Reaction,
) -> Result<(), GithubError> {
    let path = format!("/repos/{repository}/issues/comments/{comment_id}/reactions");
    let body = json!({ "content": reaction.as_str() });
    client.post_once::<Value>(&path, &body).await.map(drop)
}

#[derive(Debug, Deserialize)]
struct Comment {
    id: u64,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<Author>,
}

impl Comment {
    fn replied(self) -> Replied {
        let body = self.body.unwrap_or_default();
        Replied {
            id: self.id,
            url: self.html_url,
            data: hidden::data(&body),
            body,
        }
    }
}

/// An answer that was given, and what was left in it for whoever answers again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replied {
    pub id: u64,
    pub url: String,
    pub body: String,
    /// Untrusted, as of all comments.
    pub data: Option<Value>,
}

/// What was answered already. `key` names what is answered.
pub async fn replied(
    client: &Client,
    repository: &Repository,
    issue: u64,
    key: &str,
) -> Result<Option<Replied>, GithubError> {
    let us = Us::ask(client).await;
    let marker = hidden::marker("reply", key, "v1");
    let path = format!("/repos/{repository}/issues/{issue}/comments?per_page=100");
    let comments: Vec<Comment> = client.pages(&path, COMMENT_LIMIT).await?;
    let ours = comments.into_iter().find(|comment| {
        let body = comment.body.as_deref().unwrap_or_default();
        hidden::begins_with(body, &marker) && us.wrote(comment.user.as_ref())
    });
    Ok(ours.map(Comment::replied))
}

/// Answers, and tells the address. Who answers again finds the first answer, and leaves it as it is.
pub async fn reply(
    client: &Client,
    repository: &Repository,
    issue: u64,
    body: &str,
    key: &str,
) -> Result<String, GithubError> {
    let text = format!("{}\n{}", hidden::marker("reply", key, "v1"), bounded(body));
    let replied = match replied(client, repository, issue, key).await? {
        Some(replied) => replied,
        None => first(client, repository, issue, &text, key).await?,
    };
    Ok(replied.url)
}

/// Answers, or makes the answer that is there say this.
pub async fn reply_anew(
    client: &Client,
    repository: &Repository,
    issue: u64,
    body: &str,
    data: &Value,
    key: &str,
) -> Result<String, GithubError> {
    let marker = hidden::marker("reply", key, "v1");
    let text = format!("{marker}\n{}\n\n{}", bounded(body), hidden::data_line(data));
    let found = match replied(client, repository, issue, key).await? {
        Some(found) => found,
        None => first(client, repository, issue, &text, key).await?,
    };
    if found.body != text {
        let path = format!("/repos/{repository}/issues/comments/{}", found.id);
        client.patch::<Value>(&path, &json!({ "body": text })).await?;
    }
    Ok(found.url)
}

async fn first(
    client: &Client,
    repository: &Repository,
    issue: u64,
    text: &str,
    key: &str,
) -> Result<Replied, GithubError> {
    let path = format!("/repos/{repository}/issues/{issue}/comments");
    let look = async || {
        let found = replied(client, repository, issue, key).await?;
        Ok(found.map(|found| Comment {
            id: found.id,
            html_url: found.url,
            body: Some(found.body),
            user: None,
        }))
    };
    let comment: Comment = client.create(&path, &json!({ "body": text }), look).await?;
    Ok(comment.replied())
}

/// By the role where there is one that we know, else by the permission that it is built on.
pub async fn permission(client: &Client, repository: &Repository, user: &str) -> Result<Permission, GithubError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        role_name: Option<String>,
        permission: String,
    }
    let path = format!("/repos/{repository}/collaborators/{}/permission", segment(user));
    let answer: Answer = match client.get(&path).await {
        Ok(answer) => answer,
        // Strangers.
        Err(GithubError::NotFound { .. }) => return Ok(Permission::None),
        Err(error) => return Err(error),
    };
    let role = answer.role_name.as_deref().and_then(named);
    Ok(role.or_else(|| named(&answer.permission)).unwrap_or(Permission::None))
}

fn named(role: &str) -> Option<Permission> {
    match role {
        "admin" => Some(Permission::Admin),
        "maintain" => Some(Permission::Maintain),
        "write" => Some(Permission::Write),
        "triage" => Some(Permission::Triage),
        "read" => Some(Permission::Read),
        "none" => Some(Permission::None),
        _ => None,
    }
}

/// The one open issue about a matter that goes on, such as drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub key: String,
    /// Given to it, and looked for; an issue that lost it is another one.
    pub label: Option<String>,
}

impl Standing {
    fn marker(&self) -> String {
        hidden::marker("issue", &self.key, "v1")
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct OpenIssue {
    pub number: u64,
    pub url: String,
    pub title: String,
    /// All of it, with marker and data.
    pub body: String,
    /// Untrusted, as of comments.
    pub data: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Issue {
    number: u64,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<Author>,
    #[serde(default)]
    pull_request: Option<Value>,
}

/// The open one, if there is one; of several the lowest.
pub async fn standing(
    client: &Client,
    repository: &Repository,
    standing: &Standing,
) -> Result<Option<OpenIssue>, GithubError> {
    let us = Us::ask(client).await;
    let open = open(client, repository, standing, &us).await?;
    Ok(open.into_iter().next().map(|issue| OpenIssue {
        number: issue.number,
        url: issue.html_url,
        title: issue.title,
        data: issue.body.as_deref().and_then(hidden::data),
        body: issue.body.unwrap_or_default(),
    }))
}

async fn open(
    client: &Client,
    repository: &Repository,
    standing: &Standing,
    us: &Us,
) -> Result<Vec<Issue>, GithubError> {
    let label = standing
        .label
        .as_deref()
        .map_or_else(String::new, |label| format!("&labels={}", segment(label)));
    let path = format!("/repos/{repository}/issues?state=open&per_page=100{label}");
    let marker = standing.marker();
    let mut open: Vec<Issue> = client.pages(&path, ISSUE_LIMIT).await?;
    open.retain(|issue| {
        issue.pull_request.is_none()
            && hidden::begins_with(issue.body.as_deref().unwrap_or_default(), &marker)
            && us.wrote(issue.user.as_ref())
    });
    open.sort_by_key(|issue| issue.number);
    Ok(open)
}

/// Opens the issue, or makes the open one say this, and tells its address. `found` is what `standing` found.
pub async fn raise(
    client: &Client,
    repository: &Repository,
    standing: &Standing,
    found: Option<OpenIssue>,
    title: &str,
    body: &str,
    data: &Value,
) -> Result<String, GithubError> {
    let body = format!(
        "{}\n{}\n\n{}",
        standing.marker(),
        bounded(body),
        hidden::data_line(data)
    );
    let title: String = title.chars().take(200).collect();
    if let Some(found) = found {
        if found.body == body && found.title == title {
            return Ok(found.url);
        }
        let path = format!("/repos/{repository}/issues/{}", found.number);
        let issue: Issue = client.patch(&path, &json!({ "title": title, "body": body })).await?;
        return Ok(issue.html_url);
    }
    let us = Us::ask(client).await;
    let look = async || Ok(open(client, repository, standing, &us).await?.into_iter().next());
    let mut new = json!({ "title": title, "body": body });
    if let Some(label) = &standing.label {
        new["labels"] = json!([label]);
    }
    let issue: Issue = client
        .create(&format!("/repos/{repository}/issues"), &new, look)
        .await?;
    // Two that opened one at once each see both, and close the same one.
    let mut all = open(client, repository, standing, &us).await?;
    let kept = if all.is_empty() { issue } else { all.remove(0) };
    for duplicate in all {
        close(client, repository, duplicate.number, "not_planned").await?;
    }
    Ok(kept.html_url)
}

/// Closes the issue as done. The last word is given before, and once.
pub async fn settle(
    client: &Client,
    repository: &Repository,
    standing: &Standing,
    found: &OpenIssue,
    last_word: &str,
) -> Result<(), GithubError> {
    let key = format!("{}:closed", standing.key);
    reply(client, repository, found.number, last_word, &key).await?;
    close(client, repository, found.number, "completed").await
}

async fn close(client: &Client, repository: &Repository, number: u64, reason: &str) -> Result<(), GithubError> {
    let path = format!("/repos/{repository}/issues/{number}");
    let body = json!({ "state": "closed", "state_reason": reason });
    client.patch::<Value>(&path, &body).await.map(drop)
}

/// As much as an issue or a comment may have, in bytes, with room for marker and data.
fn bounded(text: &str) -> String {
    let text = text.trim_end();
    text[..text.floor_char_boundary(50_000)].to_owned()
}
