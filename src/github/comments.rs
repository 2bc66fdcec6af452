//! The one comment of a pull request and a configuration: found by marker and author, edited in place.
//!
//! Parallel jobs may publish at once; after all have ended exactly one comment is left. "Live" is a comment of ours that
//! begins with the marker. The rules that make it so:
//!
//! 1. Whoever made a comment live, by posting or by editing, lists the live ones *afterwards* and deletes all but the
//!    lowest. Were two left at the end, then whoever made the last of them live would have seen both.
//! 2. Nobody deletes the lowest. It can only stop being live by a repost, which marks it as superseded *before* it posts
//!    the next one, so that the next one is never taken for a duplicate of it, and one comment is left, not none.
//! 3. Whoever finds his own text deleted in favour of a lower comment writes it there, and begins with rule 1 again.
//!
//! So of two that create, the later one ends up as an edit of the earlier. Of two that repost the same comment both mark
//! it, which is the same mark, and then are two that create. An edit that comes after the mark makes the old comment live
//! again: either the editor or the poster sees both and keeps the old one, which is then shown again if it was hidden.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Repository;
use super::author::{Author, Us};
use super::client::Client;
use super::error::GithubError;
use super::hidden;

/// Which comment: the pull request, and the configuration it speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sticky {
    pub issue: u64,
    pub key: String,
}

/// The comment as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub id: u64,
    pub node_id: String,
    pub url: String,
    /// All of it, with marker and data.
    pub body: String,
    /// What the last run left for this one. Whoever may edit comments may have changed it.
    pub data: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// In place, which notifies nobody.
    Edit,
    /// The old one becomes a line and is folded, and a new one is posted, which notifies.
    Repost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Unchanged,
    Created,
    Edited,
    Reposted,
}

/// GitHub takes 65,536 characters; less than that in bytes is never too long.
const BODY_LIMIT: usize = 60_000;
/// Comments of a pull request that are looked at.
const COMMENT_LIMIT: usize = 2000;
/// One round is enough for a writer alone, and two for one of many; more means that others never stop.
const ROUNDS: usize = 5;
const CUT: &str = "\n\n… the rest was left out, as it was too long for a comment.";

impl Sticky {
    fn marker(&self) -> String {
        hidden::marker("action", &self.key, "v1")
    }

    fn superseded(&self) -> String {
        format!(
            "{}\nSuperseded by a newer report below.",
            hidden::marker("action", &self.key, "superseded")
        )
    }

    /// The whole comment.
    fn text(&self, body: &str, data: &Value) -> String {
        let data = hidden::data_line(data);
        let marker = self.marker();
        let room = BODY_LIMIT.saturating_sub(marker.len() + data.len() + 4);
        let mut body = body.trim_end().to_owned();
        if body.len() > room {
            body.truncate(body.floor_char_boundary(room - CUT.len()));
            body.push_str(CUT);
        }
        format!("{marker}\n{body}\n\n{data}")
    }
}

/// How many bytes are left for the text beside the marker and this data.
pub fn body_budget(data: &Value) -> usize {
    BODY_LIMIT.saturating_sub(hidden::MARKER_LIMIT + hidden::data_line(data).len() + 4)
}

#[derive(Debug, Deserialize)]
struct Comment {
    id: u64,
    #[serde(default)]
    node_id: String,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<Author>,
    /// An object when it is folded.
    #[serde(default)]
    minimized: Option<Value>,
}

impl Comment {
    fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }
}

/// The comment of an earlier run, if it is there.
pub async fn find(client: &Client, repository: &Repository, sticky: &Sticky) -> Result<Option<Found>, GithubError> {
    let us = Us::ask(client).await;
    let live = live(client, repository, sticky, &us).await?;
    Ok(live.into_iter().next().map(|comment| Found {
        data: hidden::data(comment.body()),
        id: comment.id,
        node_id: comment.node_id,
        url: comment.html_url,
        body: comment.body.unwrap_or_default(),
    }))
}

/// Makes the comment say this, and tells where it is. `found` is what `find` found.
pub async fn publish(
    client: &Client,
    repository: &Repository,
    sticky: &Sticky,
    found: Option<Found>,
    body: &str,
    data: &Value,
    how: How,
) -> Result<(Outcome, String), GithubError> {
    let text = sticky.text(body, data);
    let us = Us::ask(client).await;
    let writer = Writer {
        client,
        repository,
        sticky,
        us: &us,
        text: &text,
    };
    let Some(found) = found else {
        let posted = writer.post().await?;
        return Ok((Outcome::Created, writer.settle(posted).await));
    };
    if is_same(&found.body, &text) {
        return Ok((Outcome::Unchanged, found.url));
    }
    match how {
        How::Edit => {
            if let Some(edited) = writer.write(found.id, &text).await? {
                return Ok((Outcome::Edited, writer.settle(edited).await));
            }
            let posted = writer.post().await?;
            Ok((Outcome::Created, writer.settle(posted).await))
        }
        How::Repost => {
            let is_there = writer.write(found.id, &sticky.superseded()).await?.is_some();
            if is_there && let Err(error) = fold(client, &found.node_id).await {
                tracing::warn!(%error, "the old comment is not folded");
            }
            let posted = writer.post().await?;
            Ok((Outcome::Reposted, writer.settle(posted).await))
        }
    }
}

/// One publication.
struct Writer<'a> {
    client: &'a Client,
    repository: &'a Repository,
    sticky: &'a Sticky,
    us: &'a Us,
    text: &'a str,
}

impl Writer<'_> {
    async fn live(&self) -> Result<Vec<Comment>, GithubError> {
        live(self.client, self.repository, self.sticky, self.us).await
    }

    async fn post(&self) -> Result<Comment, GithubError> {
        let look = async || {
            let live = self.live().await?;
            Ok(live.into_iter().find(|comment| is_same(comment.body(), self.text)))
        };
        let path = format!("/repos/{}/issues/{}/comments", self.repository, self.sticky.issue);
        self.client.create(&path, &json!({ "body": self.text }), look).await
    }

    /// Nothing when the comment is no more.
    async fn write(&self, id: u64, text: &str) -> Result<Option<Comment>, GithubError> {
        match self
            .client
            .patch(&comment(self.repository, id), &json!({ "body": text }))
            .await
        {
            Ok(comment) => Ok(Some(comment)),
            Err(GithubError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Leaves one comment, which says what we say, and tells its address. What was written stays written when this
    /// fails; the next run does it then.
    async fn settle(&self, written: Comment) -> String {
        let url = written.html_url.clone();
        match self.settled(written.id).await {
            Ok(Some(address)) => address,
            Ok(None) => url,
            Err(error) => {
                tracing::warn!(%error, "there may be more than one comment");
                url
            }
        }
    }

    async fn settled(&self, written: u64) -> Result<Option<String>, GithubError> {
        let mut written = written;
        for _ in 0..ROUNDS {
            let mut live = self.live().await?;
            let duplicates = live.split_off(1.min(live.len()));
            for duplicate in duplicates {
                match self.client.delete(&comment(self.repository, duplicate.id)).await {
                    // Another job was faster.
                    Ok(()) | Err(GithubError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            // None: another job has marked it as superseded, and posts its own.
            let Some(kept) = live.pop() else { return Ok(None) };
            if kept.id == written || is_same(kept.body(), self.text) {
                if kept.minimized.is_some() {
                    unfold(self.client, &kept.node_id).await?;
                }
                return Ok(Some(kept.html_url));
            }
            self.write(kept.id, self.text).await?;
            written = kept.id;
        }
        Ok(None)
    }
}

/// Ours with the marker, the lowest first.
async fn live(client: &Client, repository: &Repository, sticky: &Sticky, us: &Us) -> Result<Vec<Comment>, GithubError> {
    let marker = sticky.marker();
    let path = format!("/repos/{repository}/issues/{}/comments?per_page=100", sticky.issue);
    let mut live: Vec<Comment> = client.pages(&path, COMMENT_LIMIT).await?;
    live.retain(|comment| hidden::begins_with(comment.body(), &marker) && us.wrote(comment.user.as_ref()));
    live.sort_by_key(|comment| comment.id);
    Ok(live)
}

fn comment(repository: &Repository, id: u64) -> String {
    format!("/repos/{repository}/issues/comments/{id}")
}

/// GitHub's own editor ends lines as forms do.
fn is_same(left: &str, right: &str) -> bool {
    left == right || left.replace("\r\n", "\n").trim_end() == right.trim_end()
}

async fn fold(client: &Client, node_id: &str) -> Result<(), GithubError> {
    let mutation = "mutation($i:MinimizeCommentInput!){minimizeComment(input:$i){clientMutationId}}";
    let variables = json!({ "i": { "subjectId": node_id, "classifier": "OUTDATED" } });
    client.graphql::<Value>(mutation, variables).await.map(drop)
}

async fn unfold(client: &Client, node_id: &str) -> Result<(), GithubError> {
    let mutation = "mutation($i:UnminimizeCommentInput!){unminimizeComment(input:$i){clientMutationId}}";
    let variables = json!({ "i": { "subjectId": node_id } });
    client.graphql::<Value>(mutation, variables).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sticky() -> Sticky {
        Sticky {
            issue: 7,
            key: "churn".to_owned(),
        }
    }

    #[test]
    fn a_comment_carries_its_marker_first_and_its_data_last() {
        let data = json!({"verdict": "pass"});
        let text = sticky().text("**Better**\n", &data);
        assert!(
            text.starts_with("<!-- mlops-action:churn:v1 -->\n**Better**\n"),
            "{text}"
        );
        assert_eq!(hidden::data(&text), Some(data));
        assert!(!hidden::begins_with(&sticky().superseded(), &sticky().marker()));
    }

    #[test]
    fn a_text_within_the_budget_is_whole_and_any_text_fits() {
        let data = json!({"history": vec![0.5; 300]});
        let body = "é".repeat(body_budget(&data) / 2);
        let text = sticky().text(&body, &data);
        assert!(text.contains(&body) && text.len() <= 60_000);
        for key in ["churn", &"k".repeat(300)] {
            let sticky = Sticky {
                key: key.to_owned(),
                ..sticky()
            };
            let text = sticky.text(&"é".repeat(100_000), &data);
            assert!(text.len() <= 60_000 && text.contains("left out"), "{}", text.len());
            assert_eq!(hidden::data(&text), Some(data.clone()));
        }
    }
}
