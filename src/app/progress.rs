//! Shows a running pipeline's events on stderr: a line a step, and what commands print when asked for.

use std::io::Write as _;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::facts::Outcome;
use crate::pipeline::Event;

/// Listens until the pipeline is done.
pub async fn listen(mut events: UnboundedReceiver<Event>, quiet: bool, verbose: bool, color: bool) {
    while let Some(event) = events.recv().await {
        if !quiet && let Some(line) = line(&event, verbose, color) {
            // Nobody to read it is no reason to stop.
            writeln!(std::io::stderr().lock(), "{line}").ok();
        }
    }
}

/// The line of an event, if it is worth one.
pub fn line(event: &Event, verbose: bool, color: bool) -> Option<String> {
    match event {
        Event::StepStarted { step } => verbose.then(|| format!("  … {step}")),
        Event::Output { step, line } => verbose.then(|| format!("    {step} | {line}")),
        Event::StepFinished {
            step,
            outcome,
            detail,
            elapsed_ms,
        } => {
            let (symbol, word, code) = match outcome {
                Outcome::Done => ("✓", "", "32"),
                Outcome::Reused => ("✓", "reused: ", "32"),
                Outcome::Skipped => ("-", "skipped: ", "33"),
                Outcome::Failed => ("✗", "failed: ", "31"),
                Outcome::Error => ("!", "error: ", "31"),
            };
            let symbol = if color {
                format!("\u{1b}[{code}m{symbol}\u{1b}[0m")
            } else {
                symbol.to_owned()
            };
            let detail = detail.as_deref().unwrap_or_default();
            let time = if *elapsed_ms >= 1000 {
                format!(" ({:.1} s)", *elapsed_ms as f64 / 1000.0)
            } else {
                String::new()
            };
            Some(
                format!("  {symbol} {step:<9} {word}{}{time}", crate::exec::neutralise(detail))
                    .trim_end()
                    .to_owned(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line() {
        let finished = |outcome, detail: &str| {
            let event = Event::StepFinished {
                step: "train",
                outcome,
                detail: Some(detail.to_owned()),
                elapsed_ms: 1500,
            };
            line(&event, false, false).unwrap()
        };
        assert_eq!(finished(Outcome::Done, "`ridge`"), "  ✓ train     `ridge` (1.5 s)");
        assert_eq!(
            finished(Outcome::Skipped, "no data"),
            "  - train     skipped: no data (1.5 s)"
        );
        assert_eq!(line(&Event::StepStarted { step: "train" }, false, false), None);
    }
}
