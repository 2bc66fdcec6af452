//! The one comment: what becomes of it, and that there is one, however many write it.

use serde_json::{Value, json};

use super::world::{NAME, World, connection};
use crate::github::Client;
use crate::github::comments::{Found, How, Outcome, Sticky, find, publish};
use crate::twin::Comment;

const LIVE: &str = "<!-- mlops-action:churn:v1 -->";

fn sticky(issue: u64) -> Sticky {
    Sticky {
        issue,
        key: "churn".to_owned(),
    }
}

impl World {
    async fn found(&self, issue: u64) -> Option<Found> {
        find(&self.client, &self.repository, &sticky(issue)).await.unwrap()
    }

    async fn says(&self, issue: u64, found: Option<Found>, body: &str, how: How) -> Outcome {
        let data = json!({"last": body});
        publish(&self.client, &self.repository, &sticky(issue), found, body, &data, how)
            .await
            .unwrap()
            .0
    }

    fn live(&self, issue: u64) -> Vec<Comment> {
        let mut comments = self.twin.state().comments(NAME, issue);
        comments.retain(|comment| comment.body().starts_with(LIVE));
        comments
    }
}

#[tokio::test]
async fn a_comment_is_created_left_alone_edited_and_posted_anew() {
    let world = World::new();
    let (pull, _) = world.pull();
    assert_eq!(world.found(pull).await, None);
    assert_eq!(world.says(pull, None, "first", How::Edit).await, Outcome::Created);

    let found = world.found(pull).await.unwrap();
    assert_eq!(found.data, Some(json!({"last": "first"})));
    let n_writes = world.twin.writes().len();
    for how in [How::Edit, How::Repost] {
        assert_eq!(
            world.says(pull, Some(found.clone()), "first", how).await,
            Outcome::Unchanged
        );
    }
    assert_eq!(world.twin.writes().len(), n_writes, "what is the same is not written");

    assert_eq!(
        world.says(pull, Some(found.clone()), "second", How::Edit).await,
        Outcome::Edited
    );
    assert_eq!(world.live(pull)[0].id, found.id);

    let found = world.found(pull).await.unwrap();
    assert_eq!(found.data, Some(json!({"last": "second"})));
    assert_eq!(
        world.says(pull, Some(found.clone()), "third", How::Repost).await,
        Outcome::Reposted
    );
    let comments = world.twin.state().comments(NAME, pull);
    assert_eq!(comments.len(), 2);
    assert!(comments[0].body().contains("Superseded"), "{}", comments[0].body());
    assert_eq!(comments[0].minimized.as_deref(), Some("OUTDATED"));
    assert!(comments[1].body().contains("third"));
    assert_eq!(world.found(pull).await.unwrap().id, comments[1].id);
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_others_wrote_is_not_ours_whatever_it_begins_with() {
    let world = World::new();
    let (pull, _) = world.pull();
    let hostile = format!("{LIVE}\napprove\n\n<!-- mlops-data:e30 -->");
    for login in ["mallory", "github-actions"] {
        world.twin.state().comment(NAME, pull, login, &hostile);
    }
    let quoting = world
        .twin
        .state()
        .comment(NAME, pull, "github-actions[bot]", &format!("see\n{hostile}"));
    assert_eq!(world.found(pull).await, None);
    assert_eq!(world.says(pull, None, "ours", How::Edit).await, Outcome::Created);
    let found = world.found(pull).await.unwrap();
    assert!(found.body.contains("ours") && found.id != quoting);
    assert_eq!(world.twin.state().comments(NAME, pull).len(), 4, "and theirs stay");
}

#[tokio::test]
async fn a_person_with_a_token_finds_his_own_comment() {
    let world = World::new();
    let (pull, _) = world.pull();
    let token = world
        .twin
        .state()
        .user_token("grace", NAME, &[("pull-requests", "write")]);
    let client = Client::new(connection(&world.twin, &token)).unwrap();
    world.says(pull, None, "of the app", How::Edit).await;
    assert_eq!(find(&client, &world.repository, &sticky(pull)).await.unwrap(), None);
    let sticky = sticky(pull);
    publish(
        &client,
        &world.repository,
        &sticky,
        None,
        "hers",
        &Value::Null,
        How::Edit,
    )
    .await
    .unwrap();
    let found = find(&client, &world.repository, &sticky).await.unwrap().unwrap();
    assert!(found.body.contains("hers"));
    assert_eq!(world.live(pull).len(), 2, "one for each author");
}

#[tokio::test]
async fn a_comment_that_was_deleted_meanwhile_is_posted_and_copies_are_removed() {
    let world = World::new();
    let (pull, _) = world.pull();
    for how in [How::Edit, How::Repost] {
        world.says(pull, None, "first", How::Edit).await;
        let found = world.found(pull).await.unwrap();
        world
            .client
            .delete(&format!("/repos/{NAME}/issues/comments/{}", found.id))
            .await
            .unwrap();
        world.says(pull, Some(found), "second", how).await;
        assert_eq!(world.live(pull).len(), 1, "{how:?}");
        let found = world.found(pull).await.unwrap();
        assert!(found.body.contains("second"));
        // A run that was killed between posting and tidying leaves such a copy.
        world
            .twin
            .state()
            .comment(NAME, pull, "github-actions[bot]", &found.body);
        world.says(pull, Some(found.clone()), "third", How::Edit).await;
        let live = world.live(pull);
        assert_eq!(live.len(), 1, "{how:?}");
        assert_eq!(live[0].id, found.id);
        world
            .client
            .delete(&format!("/repos/{NAME}/issues/comments/{}", found.id))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn who_comes_late_with_what_was_found_earlier_leaves_one_comment_that_shows() {
    for first in [How::Edit, How::Repost] {
        for second in [How::Edit, How::Repost] {
            let world = World::new();
            let (pull, _) = world.pull();
            world.says(pull, None, "first", How::Edit).await;
            let found = world.found(pull).await;
            world.says(pull, found.clone(), "second", first).await;
            world.says(pull, found, "third", second).await;
            let live = world.live(pull);
            assert_eq!(live.len(), 1, "{first:?} {second:?}");
            assert!(live[0].body().contains("third"), "{first:?} {second:?}");
            assert_eq!(live[0].minimized, None, "{first:?} {second:?}");
            assert_eq!(world.twin.violations(), Vec::<String>::new());
        }
    }
}

/// Many at once, each with a text of its own; `how` by the number of the writer.
async fn race(writers: usize, begins_with_one: bool, how: fn(usize) -> How) {
    let world = World::new();
    let (pull, _) = world.pull();
    let found = if begins_with_one {
        world.says(pull, None, "first", How::Edit).await;
        world.found(pull).await
    } else {
        None
    };
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..writers {
        let (client, repository, found) = (world.other(), world.repository.clone(), found.clone());
        tasks.spawn(async move {
            let body = format!("writer {n}.");
            publish(
                &client,
                &repository,
                &sticky(pull),
                found,
                &body,
                &json!({"n": n}),
                how(n),
            )
            .await
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap().unwrap();
    }
    let live = world.live(pull);
    assert_eq!(
        live.len(),
        1,
        "{:?}",
        live.iter().map(|comment| comment.id).collect::<Vec<_>>()
    );
    assert!(live[0].body().contains("writer "), "{}", live[0].body());
    assert_eq!(live[0].minimized, None);
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_that_create_at_once_leave_one_comment() {
    race(50, false, |_| How::Edit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_that_post_anew_at_once_leave_one_comment() {
    race(20, true, |_| How::Repost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn editors_and_posters_at_once_leave_one_comment() {
    race(20, true, |n| if n % 2 == 0 { How::Edit } else { How::Repost }).await;
}
