//! An end has one time for all of its parts, whatever of W&B does not answer.

use super::*;

/// A run that is open, of which `silent` does not answer any more, is ended within `time`.
async fn ended(silent: &str, time: Duration) -> (World, Result<Ended, TrackError>) {
    let world = World::start().await;
    let beginning = start("r");
    let online = world.online(&beginning);
    online.start(&beginning).await.unwrap();
    world.twin.fault(Fault::always(silent, Kind::Never));
    let watch = sys::Stopwatch::start();
    let ended = online.finish(end("r"), time).await;
    let took = watch.elapsed();
    // What is beyond the time is what a busy machine needs to notice.
    assert!(took < time + Duration::from_secs(1), "{silent}: {took:?}");
    world.twin.state().faults.clear();
    (world, ended)
}

/// Each part waits for its own time alone, so that the run is closed all the same.
#[tokio::test]
async fn a_part_that_does_not_answer_leaves_the_end_its_time() {
    const TIME: Duration = Duration::from_secs(3);
    let all = [
        ("createArtifact", "some tables of the run may not be shown in W&B: "),
        ("createArtifact", "the data is not linked to the run in W&B: "),
        (
            "useArtifact",
            "the version in production is not linked to the run in W&B: ",
        ),
        ("createRunFiles", "W&B has no pictures and tables of the run: "),
        ("createRunFiles", "W&B has not all files of the run: "),
        ("storage PUT", "W&B has no pictures and tables of the run: "),
        ("upsertBucket", "W&B has only the settings that the run began with: "),
    ];
    let mut tasks = tokio::task::JoinSet::new();
    for (silent, expected) in all {
        tasks.spawn(async move {
            let (world, ended) = ended(silent, TIME).await;
            let warnings = ended.unwrap().warnings;
            let said = warnings.iter().find(|warning| warning.starts_with(expected));
            assert!(
                said.is_some_and(|warning| warning.ends_with("the time for it was over")),
                "{silent}: {warnings:?}"
            );
            let run = world.run("r");
            assert_eq!(
                (&run["state"], rows(&run["history"]).len()),
                (&json!("finished"), 2),
                "{silent}"
            );
            assert_eq!(world.track("r").await.unwrap(), Ended::default(), "{silent}");
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// Then it is no run, and whoever tells it writes it down.
#[tokio::test]
async fn an_end_that_w_and_b_does_not_take_in_time_is_an_error() {
    for silent in ["", "file_stream"] {
        let (world, ended) = ended(silent, Duration::from_millis(300)).await;
        assert!(
            matches!(&ended, Err(TrackError::Broken { why }) if why.contains("in time")),
            "{ended:?}"
        );
        assert_eq!(world.run("r")["state"], "running");
        assert_eq!(world.track("r").await.unwrap(), Ended::default());
        world.assert_whole("r");
    }
}

#[test]
fn the_parts_share_one_time() {
    let minute = Time::from_now(A_MINUTE);
    let after = |moment: tokio::time::Instant| (moment - minute.tables).as_secs();
    assert_eq!(
        (after(minute.media), after(minute.files), after(minute.all)),
        (20, 30, 40),
        "ten seconds are left for the stream"
    );
    let nothing = Time::from_now(Duration::ZERO);
    assert_eq!(nothing.tables, nothing.all);
}
