//! The command files of a step, read as the runner reads them, and the transcript that everything ends in.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::log::Log;

pub const OUTPUT: &str = "set_output_1";
pub const ENV: &str = "set_env_1";
pub const PATH: &str = "add_path_1";
pub const STATE: &str = "save_state_1";
pub const SUMMARY: &str = "step_summary_1";
pub const ALL: [&str; 5] = [OUTPUT, ENV, PATH, STATE, SUMMARY];
const MAX_SUMMARY_BYTES: usize = 1024 * 1024;

/// What came of a step. A complaint of the runner fails one that ended well.
pub fn transcript(folder: &Path, mut log: Log, secrets: &[String], ended: Value) -> Value {
    // The runner follows links and takes what it finds; what is missing is as if it were empty.
    let read = |name: &str| String::from_utf8_lossy(&std::fs::read(folder.join(name)).unwrap_or_default()).into_owned();
    let mut values = |name: &str, from_log: Map<String, Value>| {
        let mut all = from_log;
        match records(&read(name)) {
            Ok(found) => all.extend(found),
            Err(why) => log.errors.push(format!("{name}: {why}")),
        }
        all
    };
    let (outputs, state) = (std::mem::take(&mut log.outputs), std::mem::take(&mut log.state));
    let outputs = values(OUTPUT, outputs);
    let state = values(STATE, state);
    let env = values(ENV, Map::new());
    if env.contains_key("NODE_OPTIONS") {
        log.errors.push("can't store NODE_OPTIONS".to_owned());
    }
    let path: Vec<String> = read(PATH).lines().map(str::to_owned).collect();
    let summary = read(SUMMARY);
    // Too long a summary is dropped as a whole, and the step does not fail.
    let is_too_long = summary.len() > MAX_SUMMARY_BYTES;
    let leaked = |text: &str| secrets.iter().any(|secret| text.contains(secret.as_str()));
    let n_log_leaks = log.leaks.len();
    let outputs_text = Value::Object(outputs.clone()).to_string();
    let mut result = ended;
    if !log.errors.is_empty() && result["conclusion"] == "success" {
        result["conclusion"] = json!("failure");
    }
    result["annotations"] = json!(log.annotations);
    result["groups"] = json!(log.groups);
    result["n_masks"] = json!(log.masks.len());
    result["runner_errors"] = json!(log.errors);
    result["commands_left_stopped"] = json!(log.is_stopped());
    result["leaks"] = json!({
        "log": n_log_leaks,
        "summary": leaked(&summary),
        "outputs": leaked(&outputs_text),
    });
    result["summary"] = if is_too_long {
        Value::Null
    } else {
        json!(log.masked(&summary))
    };
    result["outputs"] = Value::Object(outputs);
    result["state"] = Value::Object(state);
    result["env"] = Value::Object(env);
    result["path"] = json!(path);
    result["log"] = json!(log.lines);
    result
}

/// `NAME=VALUE` lines and `NAME<<END … END` blocks: the earlier of `=` and `<<` decides.
fn records(text: &str) -> Result<Map<String, Value>, String> {
    let mut found = Map::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        if line.is_empty() {
            continue;
        }
        let heredoc = line
            .find("<<")
            .filter(|at| line.find('=').is_none_or(|equals| *at < equals));
        if let Some(at) = heredoc {
            let (name, end) = (&line[..at], &line[at + 2..]);
            if name.is_empty() || end.is_empty() {
                return Err(format!("invalid format `{line}`"));
            }
            let mut value = Vec::new();
            loop {
                let (line, after) = rest
                    .split_once('\n')
                    .or_else(|| (rest == end).then_some((rest, "")))
                    .ok_or_else(|| format!("no delimiter for `{name}`"))?;
                rest = after;
                if line == end {
                    break;
                }
                value.push(line);
            }
            found.insert(name.to_owned(), json!(value.join("\n")));
        } else {
            let (name, value) = line.split_once('=').ok_or_else(|| format!("invalid format `{line}`"))?;
            if name.is_empty() {
                return Err(format!("invalid format `{line}`"));
            }
            found.insert(name.to_owned(), json!(value));
        }
    }
    Ok(found)
}
