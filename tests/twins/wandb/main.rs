//! The twin as a program: `cargo run --example wandb-twin -- [--port 0] [--scenario FILE] [--for SECONDS]`.
//!
//! Prints one line, `{"url": …, "storage_url": …, "key": …, "seeded": …}`, and serves the loopback until its input ends or
//! the time is over. `admin.rs` says what a scenario is and what can be asked under `/_twin`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of tests"
)]

#[path = "mod.rs"]
mod twin;

use std::io::Read as _;
use std::sync::mpsc;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut port, mut scenario, mut seconds) = (0, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--port" => port = value.parse()?,
            "--scenario" => scenario = Some(serde_json::from_str(&std::fs::read_to_string(value)?)?),
            "--for" => seconds = Some(value.parse()?),
            other => return Err(format!("`{other}` is not known").into()),
        }
    }
    let twin = twin::Twin::start_on(port)?;
    let seeded = scenario.map(|scenario| twin.seed(&scenario)).transpose()?;
    let line = serde_json::json!({
        "url": twin.url(), "storage_url": twin.storage_url(), "key": twin.key(), "seeded": seeded,
    });
    println!("{line}");
    let (end, ended) = mpsc::channel();
    if let Some(seconds) = seconds {
        // Nobody sends: it is over when the time is.
        let _ = ended.recv_timeout(Duration::from_secs(seconds));
        drop::<mpsc::Sender<()>>(end);
        return Ok(());
    }
    // Whatever comes is of no interest, only that it ends.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
