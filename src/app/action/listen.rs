//! A running pipeline in the runner's log: a group a step, its commands' output inside.

use tokio::sync::mpsc::UnboundedReceiver;

use crate::github::runner;
use crate::pipeline::Event;

use super::super::{print, progress};

/// Listens until the pipeline is done.
pub async fn listen(mut events: UnboundedReceiver<Event>) {
    let mut open = None;
    while let Some(event) = events.recv().await {
        // Nobody to read the log is no reason to stop.
        print(&lines(&event, &mut open)).ok();
    }
}

/// What an event adds to the log; `open` is the group that is not closed yet.
fn lines(event: &Event, open: &mut Option<&'static str>) -> String {
    let mut lines = Vec::new();
    match event {
        Event::StepStarted { step } => {
            lines.extend(open.replace(step).map(|_| runner::end_group()));
            lines.push(runner::group(step));
        }
        Event::Output { line, .. } => lines.push(line.clone()),
        Event::StepFinished { .. } => {
            lines.extend(open.take().map(|_| runner::end_group()));
            lines.extend(progress::line(event, true, false));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Outcome;

    #[test]
    fn groups_open_and_close_in_turn() {
        let mut open = None;
        let finished = |step| Event::StepFinished {
            step,
            outcome: Outcome::Done,
            detail: None,
            elapsed_ms: 5,
        };
        let events = [
            Event::StepStarted { step: "lint" },
            Event::Output {
                step: "lint",
                line: "all fine".into(),
            },
            finished("lint"),
            finished("data"),
            Event::StepStarted { step: "train" },
            Event::StepStarted { step: "evaluate" },
        ];
        let log: Vec<String> = events.iter().map(|event| lines(event, &mut open)).collect();
        let log = log.join("\n");
        insta::assert_snapshot!(log, @r"
        ::group::lint
        all fine
        ::endgroup::
          ✓ lint
          ✓ data
        ::group::train
        ::endgroup::
        ::group::evaluate
        ");
    }
}
