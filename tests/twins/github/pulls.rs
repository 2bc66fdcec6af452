//! Pull requests, from branches and from forks, their files, and what is between two commits.

use serde_json::{Value, json};

use super::git::{Commit, Object, Person};
use super::git_routes::show_whole;
use super::issues::Issue;
use super::repositories::Repository;
use super::server::{Answer, Request, invalid, not_found, ok};
use super::state::{State, user};

#[derive(Debug, Clone)]
pub struct Pull {
    pub id: u64,
    pub number: u64,
    pub title: String,
    pub author: String,
    /// `owner/name`; another than the base when it comes from a fork, none when the fork was deleted.
    pub head_repository: Option<String>,
    pub head_ref: String,
    pub head_sha: String,
    pub base_ref: String,
    pub base_sha: String,
    pub is_open: bool,
    pub is_draft: bool,
    pub merged_at: Option<String>,
    /// The trial merge while it is open, the merge afterwards; none with conflicts.
    pub merge_commit_sha: Option<String>,
}

/// What a test opens.
#[derive(Debug, Clone)]
pub struct PullSpec<'a> {
    pub title: &'a str,
    pub author: &'a str,
    pub head_repository: &'a str,
    pub head: &'a str,
    pub base: &'a str,
}

impl State {
    /// Opens a pull request of existing branches; its number.
    pub fn pull(&mut self, repository: &str, spec: &PullSpec<'_>) -> u64 {
        let (id, issue_id, at) = (self.next_id(), self.next_id(), self.now());
        let head = self
            .repository(spec.head_repository)
            .tip(spec.head)
            .expect("the head is a branch");
        let target = self.repository(repository);
        let number = target.next_number();
        let pull = Pull {
            id,
            number,
            title: spec.title.to_owned(),
            author: spec.author.to_owned(),
            head_repository: Some(spec.head_repository.to_owned()),
            head_ref: spec.head.to_owned(),
            head_sha: head,
            base_ref: spec.base.to_owned(),
            base_sha: target.tip(spec.base).expect("the base is a branch"),
            is_open: true,
            is_draft: false,
            merged_at: None,
            merge_commit_sha: None,
        };
        target.pulls.insert(number, pull);
        target
            .issues
            .insert(number, Issue::new(issue_id, number, spec.author, spec.title, "", &at));
        self.synchronize();
        number
    }

    /// Copies a repository as a fork of somebody, with all branches.
    pub fn fork(&mut self, repository: &str, fork: &str) {
        let source = self.repository(repository).clone();
        let target = self.repository(fork);
        target.is_fork = true;
        target.objects.absorb(&source.objects);
        target.refs = source
            .refs
            .into_iter()
            .filter(|(name, _)| name.starts_with("refs/heads/"))
            .collect();
    }

    /// Merges with a merge commit, as the green button does; the name of the commit.
    pub fn merge(&mut self, repository: &str, number: u64) -> String {
        self.synchronize();
        let at = self.now();
        let target = self.repository(repository);
        let pull = target.pulls.get_mut(&number).expect("the pull request is there");
        let sha = pull
            .merge_commit_sha
            .clone()
            .expect("the pull request has no conflicts");
        pull.is_open = false;
        pull.merged_at = Some(at);
        let branch = format!("refs/heads/{}", pull.base_ref);
        target.refs.insert(branch, sha.clone());
        if let Some(issue) = target.issues.get_mut(&number) {
            issue.is_open = false;
        }
        self.synchronize();
        sha
    }

    /// Open pull requests follow their branches: head, trial merge and the references of both.
    pub fn synchronize(&mut self) {
        let names: Vec<String> = self.repositories.keys().cloned().collect();
        for name in names {
            let open: Vec<Pull> = self.repositories[&name]
                .pulls
                .values()
                .filter(|pull| pull.is_open)
                .cloned()
                .collect();
            for mut pull in open {
                let source = pull
                    .head_repository
                    .as_ref()
                    .and_then(|head| self.repositories.get(head));
                let tip = source.and_then(|source| source.tip(&pull.head_ref));
                // The objects of a fork are reachable through the repository that it is of.
                let objects = source
                    .filter(|source| source.name != name)
                    .map(|source| source.objects.clone());
                let target = self.repository(&name);
                pull.head_sha = tip.unwrap_or(pull.head_sha);
                if let Some(objects) = objects {
                    target.objects.absorb(&objects);
                }
                pull.base_sha = target.tip(&pull.base_ref).unwrap_or(pull.base_sha);
                pull.merge_commit_sha = trial_merge(target, &pull);
                target
                    .refs
                    .insert(format!("refs/pull/{}/head", pull.number), pull.head_sha.clone());
                if let Some(sha) = &pull.merge_commit_sha {
                    target
                        .refs
                        .insert(format!("refs/pull/{}/merge", pull.number), sha.clone());
                }
                target.pulls.insert(pull.number, pull);
            }
        }
    }
}

/// Merges whole files: a file that both sides changed differently is a conflict.
fn trial_merge(repository: &mut Repository, pull: &Pull) -> Option<String> {
    let base = repository.objects.merge_base(&pull.head_sha, &pull.base_sha);
    let before = base.map(|sha| repository.files_of(&sha)).unwrap_or_default();
    let (ours, theirs) = (repository.files_of(&pull.base_sha), repository.files_of(&pull.head_sha));
    let mut merged = ours.clone();
    let paths = before.keys().chain(theirs.keys());
    for path in paths.filter(|path| before.get(*path) != theirs.get(*path)) {
        if before.get(path) != ours.get(path) && ours.get(path) != theirs.get(path) {
            return None;
        }
        match theirs.get(path) {
            Some(file) => merged.insert(path.clone(), file.clone()),
            None => merged.remove(path),
        };
    }
    let at = repository.objects.commit(&pull.head_sha)?.author.at;
    let person = Person {
        name: "GitHub".to_owned(),
        email: "noreply@github.com".to_owned(),
        at,
    };
    let commit = Commit {
        tree: repository.objects.write_tree(&merged),
        parents: vec![pull.base_sha.clone(), pull.head_sha.clone()],
        author: person.clone(),
        committer: person,
        message: format!("Merge {} into {}", pull.head_sha, pull.base_sha),
    };
    Some(repository.objects.write(Object::Commit(commit)))
}

fn show(state: &State, repository: &Repository, pull: &Pull) -> Value {
    let api = format!("{}/repos/{}", state.url, repository.name);
    let page = format!("https://github.com/{}/pull/{}", repository.name, pull.number);
    let head = pull
        .head_repository
        .as_ref()
        .and_then(|name| state.repositories.get(name));
    let owner = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let head_owner = pull
        .head_repository
        .as_deref()
        .map_or_else(|| "unknown".to_owned(), owner);
    let link = |text: String| json!({ "href": text });
    let labels = repository
        .issues
        .get(&pull.number)
        .map(|issue| issue.labels.iter().collect::<Vec<_>>())
        .unwrap_or_default();
    json!({
        "id": pull.id,
        "node_id": format!("PR_kwDO{}", pull.id),
        "number": pull.number,
        "url": format!("{api}/pulls/{}", pull.number),
        "html_url": page,
        "issue_url": format!("{api}/issues/{}", pull.number),
        "title": pull.title,
        "body": null,
        "user": user(&pull.author),
        "state": if pull.is_open { "open" } else { "closed" },
        "draft": pull.is_draft,
        "locked": false,
        "merged": pull.merged_at.is_some(),
        "merged_at": pull.merged_at,
        "merge_commit_sha": pull.merge_commit_sha,
        "mergeable": pull.merge_commit_sha.is_some(),
        "labels": labels.iter().map(|name| json!({ "name": name, "color": "ededed" })).collect::<Vec<Value>>(),
        "head": {
            "label": format!("{head_owner}:{}", pull.head_ref), "ref": pull.head_ref, "sha": pull.head_sha,
            "user": user(&head_owner), "repo": head.map(|one| one.show(&state.url)),
        },
        "base": {
            "label": format!("{}:{}", repository.owner(), pull.base_ref), "ref": pull.base_ref, "sha": pull.base_sha,
            "user": user(repository.owner()), "repo": repository.show(&state.url),
        },
        "author_association": "CONTRIBUTOR",
        "_links": {
            "self": link(format!("{api}/pulls/{}", pull.number)), "html": link(page),
            "issue": link(format!("{api}/issues/{}", pull.number)),
            "comments": link(format!("{api}/issues/{}/comments", pull.number)),
            "review_comments": link(format!("{api}/pulls/{}/comments", pull.number)),
            "review_comment": link(format!("{api}/pulls/comments/{{number}}")),
            "commits": link(format!("{api}/pulls/{}/commits", pull.number)),
            "statuses": link(format!("{api}/statuses/{}", pull.head_sha)),
        },
    })
}

pub fn handle(state: &mut State, request: &Request, method: &str, tail: &str) -> Option<Answer> {
    Some(match (method, tail) {
        ("GET", "/pulls/{pull_number}") => with_pull(state, request, |state, repository, pull| {
            ok(200, show(state, repository, pull))
        }),
        ("GET", "/pulls/{pull_number}/files") => with_pull(state, request, |_, repository, pull| {
            let base = repository
                .objects
                .merge_base(&pull.base_sha, &pull.head_sha)
                .unwrap_or_default();
            request.list(changes(repository, &base, &pull.head_sha))
        }),
        ("GET", "/pulls") => list(state, request),
        ("POST", "/pulls") => create(state, request),
        ("GET", "/commits/{commit_sha}/pulls") => of_commit(state, request),
        ("GET", "/compare/{basehead}") => compare(state, request),
        _ => return None,
    })
}

fn with_pull(
    state: &mut State,
    request: &Request,
    show: impl FnOnce(&State, &Repository, &Pull) -> super::server::Reply,
) -> Answer {
    let number = request.number("pull_number")?;
    state.of(request)?;
    let repository = &state.repositories[&request.repository()];
    Ok(show(
        state,
        repository,
        repository.pulls.get(&number).ok_or_else(not_found)?,
    ))
}

fn list(state: &mut State, request: &Request) -> Answer {
    state.of(request)?;
    let repository = &state.repositories[&request.repository()];
    let wanted = request.query.get("state").map_or("open", String::as_str);
    let mut pulls: Vec<&Pull> = repository.pulls.values().collect();
    pulls.retain(|pull| wanted == "all" || (wanted == "open") == pull.is_open);
    pulls.retain(|pull| request.query.get("base").is_none_or(|name| *name == pull.base_ref));
    pulls.retain(|pull| {
        let owner = pull
            .head_repository
            .as_deref()
            .and_then(|name| name.split('/').next())
            .unwrap_or_default();
        // GitHub ignores a `head` without an owner.
        request
            .query
            .get("head")
            .filter(|text| text.contains(':'))
            .is_none_or(|text| *text == format!("{owner}:{}", pull.head_ref))
    });
    pulls.reverse();
    Ok(request.list(pulls.into_iter().map(|pull| show(state, repository, pull)).collect()))
}

fn create(state: &mut State, request: &Request) -> Answer {
    let name = request.repository();
    let head = request.text("head").unwrap_or_default();
    let head = head.rsplit_once(':').map_or(head, |(_, branch)| branch).to_owned();
    let base = request.text("base").unwrap_or_default().to_owned();
    let repository = state.of(request)?;
    for (field, branch) in [("head", &head), ("base", &base)] {
        if repository.tip(branch).is_none() {
            return Err(invalid("PullRequest", field, "invalid", "is no branch"));
        }
    }
    if repository.tip(&head) == repository.tip(&base) {
        return Err(invalid(
            "PullRequest",
            "head",
            "custom",
            &format!("No commits between {base} and {head}"),
        ));
    }
    if repository
        .pulls
        .values()
        .any(|pull| pull.is_open && pull.head_ref == head && pull.base_ref == base)
    {
        return Err(invalid(
            "PullRequest",
            "head",
            "custom",
            &format!("A pull request already exists for {head}"),
        ));
    }
    let login = request.login();
    let title = request.text("title").unwrap_or_default();
    let spec = PullSpec {
        title,
        author: &login,
        head_repository: &name,
        head: &head,
        base: &base,
    };
    let number = state.pull(&name, &spec);
    let repository = &state.repositories[&name];
    Ok(ok(201, show(state, repository, &repository.pulls[&number])))
}

/// Open pull requests with the commit among their own, or the merged one that brought it.
fn of_commit(state: &mut State, request: &Request) -> Answer {
    state.of(request)?;
    let repository = &state.repositories[&request.repository()];
    let sha = repository
        .resolve(request.parameter("commit_sha"))
        .ok_or_else(not_found)?;
    let is_in_default = repository
        .tip(&repository.default_branch)
        .is_some_and(|tip| repository.objects.ancestors(&tip).contains(&sha));
    let pulls = repository.pulls.values().filter(|pull| {
        let is_own = repository.objects.ancestors(&pull.head_sha).contains(&sha)
            && !(pull.is_open && repository.objects.ancestors(&pull.base_sha).contains(&sha));
        let is_merge = pull.merged_at.is_some() && pull.merge_commit_sha.as_ref() == Some(&sha);
        is_merge || (is_own && (pull.is_open || pull.merged_at.is_some() || !is_in_default))
    });
    Ok(request.list(pulls.map(|pull| show(state, repository, pull)).collect()))
}

fn compare(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let (base, head) = request.parameter("basehead").split_once("...").ok_or_else(not_found)?;
    // `owner:branch` and `owner:repository:branch` name forks, whose objects are here.
    let find = |name: &str| {
        repository
            .resolve(name.rsplit(':').next().unwrap_or(name))
            .ok_or_else(not_found)
    };
    let (base, head) = (find(base)?, find(head)?);
    let merge_base = repository.objects.merge_base(&base, &head).ok_or_else(not_found)?;
    let (ours, theirs) = (repository.objects.ancestors(&base), repository.objects.ancestors(&head));
    let ahead: Vec<&String> = theirs.difference(&ours).collect();
    let n_behind = ours.difference(&theirs).count();
    let status = match (ahead.is_empty(), n_behind == 0) {
        (true, true) => "identical",
        (true, false) => "behind",
        (false, true) => "ahead",
        (false, false) => "diverged",
    };
    let show = |sha: &str| {
        let commit = repository.objects.commit(sha).expect("ancestors are commits");
        show_whole(&url, repository, sha, commit)
    };
    let mut ordered: Vec<&String> = repository
        .objects
        .history(&head)
        .iter()
        .filter_map(|sha| theirs.get(sha))
        .collect();
    ordered.retain(|sha| ahead.contains(sha));
    ordered.reverse();
    Ok(ok(
        200,
        json!({
            "url": format!("{}{}", request.base, request.path),
            "status": status, "ahead_by": ahead.len(), "behind_by": n_behind, "total_commits": ahead.len(),
            "base_commit": show(&base), "merge_base_commit": show(&merge_base),
            "commits": ordered.iter().map(|sha| show(sha)).collect::<Vec<Value>>(),
            "files": changes(repository, &merge_base, &head),
        }),
    ))
}

/// The files that differ between two commits, with patches of texts.
fn changes(repository: &Repository, from: &str, to: &str) -> Vec<Value> {
    let (before, after) = (repository.files_of(from), repository.files_of(to));
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.retain(|path| before.get(*path) != after.get(*path));
    let text = |file: Option<&(String, String)>| {
        let bytes = file
            .and_then(|(_, sha)| repository.objects.blob(sha))
            .unwrap_or_default();
        std::str::from_utf8(bytes)
            .ok()
            .filter(|text| !text.contains('\0'))
            .map(str::to_owned)
    };
    let change = |path: &&String| {
        let (old, new) = (before.get(*path), after.get(*path));
        let status = match (old, new) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(_), Some(_)) => "modified",
        };
        let patch = text(old).zip(text(new)).map(|(old, new)| patch(&old, &new));
        let (additions, deletions) = patch
            .as_ref()
            .map_or((0, 0), |(_, additions, deletions)| (*additions, *deletions));
        let mut shown = json!({
            "sha": new.or(old).map(|(_, sha)| sha), "filename": path, "status": status, "additions": additions,
            "deletions": deletions, "changes": additions + deletions,
            "blob_url": format!("https://github.com/{}/blob/{to}/{path}", repository.name),
            "raw_url": format!("https://github.com/{}/raw/{to}/{path}", repository.name),
            "contents_url": format!("https://api.github.com/repos/{}/contents/{path}", repository.name),
        });
        // A binary file has no patch.
        if let Some((text, _, _)) = patch {
            shown["patch"] = json!(text);
        }
        shown
    };
    paths.iter().map(change).collect()
}

/// One hunk from the first to the last line that differs, with three lines around it.
fn patch(old: &str, new: &str) -> (String, usize, usize) {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let start = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let tail = old[start..]
        .iter()
        .rev()
        .zip(new[start..].iter().rev())
        .take_while(|(one, other)| one == other)
        .count();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let from = start.saturating_sub(3);
    let after = tail.min(3);
    let line = |at: usize, count: usize| if count == 0 { 0 } else { at + 1 };
    let (n_old, n_new) = (old_end + after - from, new_end + after - from);
    let mut lines = vec![format!(
        "@@ -{},{n_old} +{},{n_new} @@",
        line(from, n_old),
        line(from, n_new)
    )];
    lines.extend(old[from..start].iter().map(|text| format!(" {text}")));
    lines.extend(old[start..old_end].iter().map(|text| format!("-{text}")));
    lines.extend(new[start..new_end].iter().map(|text| format!("+{text}")));
    lines.extend(old[old_end..old_end + after].iter().map(|text| format!(" {text}")));
    (lines.join("\n"), new_end - start, old_end - start)
}
