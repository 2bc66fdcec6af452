//! Reads the named files one by one and profiles them, each for as long as it takes: `cargo bench --bench read -- FILE…`.
//!
//! It prints what it found; measure with `perf stat` or `/usr/bin/time`. `read` alone leaves out the profile.

#![allow(
    dead_code,
    unused_imports,
    reason = "two modules of the program without those that use them"
)]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench is its own main")]

#[path = "../src/base/mod.rs"]
mod base;
#[path = "../src/data/mod.rs"]
mod data;

use std::path::Path;

fn main() {
    let mut profiled = true;
    for argument in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        if argument == "read" {
            profiled = false;
            continue;
        }
        let settings = data::Settings {
            source: argument,
            source_span: base::Span::new(1, 1, 1),
            target: String::new(),
            target_span: base::Span::new(1, 1, 1),
            task: None,
            exclude: Vec::new(),
            split: None,
            contract: None,
        };
        match data::read(Path::new("."), &settings) {
            Ok(loaded) => {
                let frame = loaded.frame;
                println!(
                    "{}: {} rows, {} columns",
                    settings.source,
                    frame.n_rows(),
                    frame.columns().len()
                );
                if profiled {
                    let distinct = data::profile(&frame, None)
                        .columns
                        .into_iter()
                        .map(|column| column.n_distinct);
                    println!("distinct: {:?}", distinct.collect::<Vec<_>>());
                }
            }
            Err(data::DataError::Problems(problems)) => println!("{problems}"),
            Err(data::DataError::Io(error)) => println!("{error}: {}", error.source),
        }
    }
}
