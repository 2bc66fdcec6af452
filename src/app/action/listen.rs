//! A running pipeline in the runner's log: a group a step, its commands' output inside.

use tokio::sync::mpsc::UnboundedReceiver;

use crate::github::runner;
use crate::pipeline::Event;

use super::super::{print, progress};

/// Listens until the pipeline is done.
pub async fn listen(mut events: UnboundedReceiver<Event>) {
    let mut is_open = false;
    while let Some(event) = events.recv().await {
        let lines = lines(&event, &mut is_open);
        if !lines.is_empty() {
            // Nobody to read the log is no reason to stop.
            print(&lines.join("\n")).ok();
        }
    }
}

/// What an event adds to the log. A group is opened by the first line that a step prints.
fn lines(event: &Event, is_open: &mut bool) -> Vec<String> {
    let mut lines = Vec::new();
    match event {
        Event::StepStarted { .. } => {}
        Event::Output { step, line } => {
            if !std::mem::replace(is_open, true) {
                lines.push(runner::group(step));
            }
            lines.push(line.clone());
        }
        Event::StepFinished { .. } => {
            if std::mem::take(is_open) {
                lines.push(runner::end_group());
            }
            lines.extend(progress::line(event, true, false));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Outcome;

    #[test]
    fn only_what_prints_has_a_group() {
        let output = |line: &str| Event::Output {
            step: "lint",
            line: line.into(),
        };
        let finished = |step| Event::StepFinished {
            step,
            outcome: Outcome::Done,
            detail: None,
            elapsed_ms: 5,
        };
        let events = [
            Event::StepStarted { step: "lint" },
            output("one"),
            output("two"),
            finished("lint"),
            Event::StepStarted { step: "train" },
            finished("train"),
        ];
        let mut is_open = false;
        let log: Vec<String> = events.iter().flat_map(|event| lines(event, &mut is_open)).collect();
        insta::assert_snapshot!(log.join("\n"), @r"
        ::group::lint
        one
        two
        ::endgroup::
          ✓ lint
          ✓ train
        ");
    }
}
