//! The file stream: history, summary, console and system metrics of a run by offset, heartbeats and the end; and reading
//! them again.

use serde_json::{Map, Value, json};

use super::execute::{Args, Out, leaf, made, null, texts};
use super::lines;
use super::pages::{Item, connection};
use super::people::{Caller, Role};
use super::runs::Run;
use super::server::{Reply, ok};
use super::state::State;

/// Longer lines are not taken.
pub const MAX_LINE: usize = (10 << 20) - (100 << 10);
/// More in one request is not taken; escapes are not counted.
pub const MAX_REQUEST: usize = 10 << 20;

pub fn moment(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).expect("the clock is in this century");
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Whether a path is that of a file stream, and of which run.
pub fn target(path: &str) -> Option<(String, String, String)> {
    let rest = path.strip_prefix("/files/")?.strip_suffix("/file_stream")?;
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let parts: Vec<String> = rest.split('/').map(decoded).collect();
    let [entity, project, run] = <[String; 3]>::try_from(parts).ok()?;
    Some((entity, project, run))
}

fn refused(status: u16, message: &str) -> Reply {
    ok(status, json!({ "error": message }))
}

pub fn answer(state: &mut State, caller: &Caller, target: &(String, String, String), body: &Value) -> Reply {
    let (entity, project, name) = target;
    if caller.username.is_none() {
        return refused(401, "user is not logged in");
    }
    let Some(project) = state.project_named(entity, project) else {
        return refused(404, "project not found");
    };
    if state
        .role_in(caller.name(), &state.projects[&project])
        .is_none_or(|role| role < Role::Member)
    {
        return refused(403, "permission denied");
    }
    let Some(id) = state.run_named(project, name) else {
        return refused(404, "run not found");
    };
    if let Err((status, message)) = check(body) {
        state.breach(format!("file_stream of {name}: {message}"));
        return refused(status, &message);
    }
    let now = state.now_ms();
    let run = state.runs.get_mut(&id).expect("it was found");
    run.heartbeats_ms.push(now);
    let mut breaches = Vec::new();
    for (file, chunk) in body["files"].as_object().into_iter().flatten() {
        breaches.extend(take(run, file, chunk));
    }
    let uploaded = body["uploaded"].as_array().into_iter().flatten();
    run.uploaded
        .extend(uploaded.filter_map(Value::as_str).map(str::to_owned));
    if body["complete"] == true {
        let code = body["exitcode"].as_i64();
        run.exit_code = code;
        let state = if code == Some(0) { "finished" } else { "failed" };
        state.clone_into(&mut run.state);
    } else {
        let state = if body["preempting"] == true {
            "preempting"
        } else {
            "running"
        };
        state.clone_into(&mut run.state);
        run.exit_code = None;
    }
    let mut reply = json!({ "exitcode": run.exit_code, "limits": {} });
    if run.is_stopped {
        reply["stopped"] = json!(true);
    }
    for breach in breaches {
        state.breach(format!("file_stream of {name}: {breach}"));
    }
    let mut reply = ok(200, reply);
    if let Some((remaining, reset)) = state.rate {
        reply
            .headers
            .insert("ratelimit-remaining".to_owned(), remaining.to_string());
        reply.headers.insert("ratelimit-reset".to_owned(), reset.to_string());
    }
    reply
}

/// The shape of a request and its limits.
fn check(body: &Value) -> Result<(), (u16, String)> {
    let wrong = |message: &str| Err((400, message.to_owned()));
    let Some(members) = body.as_object() else {
        return wrong("the body is no JSON object");
    };
    let known = ["files", "uploaded", "preempting", "complete", "exitcode", "dropped"];
    if let Some(other) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return wrong(&format!("`{other}` is not known"));
    }
    let mut n_bytes = 0;
    for (file, chunk) in body["files"].as_object().into_iter().flatten() {
        if chunk["offset"].as_u64().is_none() {
            return wrong(&format!("`{file}` has no offset"));
        }
        let Some(lines) = chunk["content"].as_array() else {
            return wrong(&format!("`{file}` has no content"));
        };
        for line in lines {
            let Some(line) = line.as_str() else {
                return wrong(&format!("a line of `{file}` is no text"));
            };
            if line.len() > MAX_LINE {
                return Err((413, format!("a line of `{file}` has {} bytes", line.len())));
            }
            n_bytes += line.len();
        }
    }
    if n_bytes > MAX_REQUEST {
        return Err((413, format!("the request has {n_bytes} bytes of lines")));
    }
    Ok(())
}

/// Puts lines where they belong; what is wrong with them.
fn take(run: &mut Run, file: &str, chunk: &Value) -> Vec<String> {
    let offset = chunk["offset"]
        .as_u64()
        .and_then(|offset| usize::try_from(offset).ok())
        .unwrap_or(0);
    let content = chunk["content"].as_array().into_iter().flatten();
    let content: Vec<String> = content.filter_map(Value::as_str).map(str::to_owned).collect();
    let mut wrong = Vec::new();
    let place = match file {
        "wandb-history.jsonl" => &mut run.history,
        "wandb-events.jsonl" => &mut run.events,
        "output.log" => &mut run.output,
        "wandb-summary.json" => {
            match content.last() {
                Some(line) if lines::parse(line).is_some() => run.summary.clone_from(line),
                Some(_) => wrong.push("the summary is no JSON object".to_owned()),
                None => {}
            }
            return wrong;
        }
        other => return vec![format!("`{other}` is no file of the stream")],
    };
    // The console may be edited anywhere.
    if offset > place.len() && file != "output.log" {
        wrong.push(format!(
            "`{file}` has {} lines, and the next come at {offset}",
            place.len()
        ));
    }
    if file != "output.log" {
        let bad = content.iter().filter(|line| lines::parse(line).is_none());
        wrong.extend(bad.map(|line| {
            format!(
                "no JSON object in `{file}`: {}",
                line.chars().take(80).collect::<String>()
            )
        }));
    }
    while place.len() < offset {
        place.push(if file == "output.log" {
            String::new()
        } else {
            "{}".to_owned()
        });
    }
    for (index, line) in content.into_iter().enumerate() {
        match place.get_mut(offset + index) {
            Some(old) => *old = line,
            None => place.push(line),
        }
    }
    if file == "wandb-history.jsonl" {
        let new = place.iter().skip(offset.saturating_sub(1));
        let steps: Vec<i64> = new
            .filter_map(|line| lines::parse(line))
            .map(|row| lines::step(&row))
            .collect();
        if steps.windows(2).any(|pair| pair[0] >= pair[1]) {
            wrong.push("`_step` does not grow".to_owned());
        }
    }
    wrong
}

fn rows(run: &Run) -> impl Iterator<Item = Map<String, Value>> {
    run.history.iter().filter_map(|line| lines::parse(line))
}

/// The fields of a run that are about its lines.
pub fn field(run: &Run, field: &str, args: &Args) -> Option<Out> {
    Some(match field {
        "historyLineCount" => leaf(run.history.len()),
        "eventsLineCount" => leaf(run.events.len()),
        "logLineCount" => leaf(run.output.len()),
        "historyTail" => leaf(tail(&run.history)),
        "eventsTail" => leaf(tail(&run.events)),
        "systemMetrics" => leaf(
            run.events
                .last()
                .map_or_else(|| "{}".to_owned(), |line| lines::quoted(line)),
        ),
        "historyKeys" => leaf(keys(run)),
        "history" => {
            let (min, max) = (
                args.integer("minStep").unwrap_or(0),
                args.integer("maxStep").unwrap_or(i64::MAX),
            );
            let rows = rows(run).filter(|row| (min..max).contains(&lines::step(row)));
            let rows = rows.map(|row| Value::Object(row).to_string()).collect();
            texts(&thinned(rows, args.number("samples")))
        }
        "events" => {
            let rows = run.events.iter().map(|line| lines::quoted(line)).collect();
            texts(&thinned(rows, args.number("samples")))
        }
        "sampledHistory" => {
            let specs = args.texts("specs").unwrap_or_default();
            let sampled = specs.iter().map(|spec| leaf(sampled(run, spec)));
            Out::List(sampled.collect())
        }
        "parquetHistory" => {
            let wanted = args.texts("liveKeys").unwrap_or_default();
            let rows = rows(run)
                .map(|row| picked(&row, &wanted))
                .filter(|row| row.len() > 1 || wanted.is_empty());
            let live = rows.map(|row| leaf(Value::Object(row))).collect();
            made(
                "ParquetHistory",
                vec![("parquetUrls", Out::List(Vec::new())), ("liveData", Out::List(live))],
            )
        }
        "logLines" => log_lines(run, args),
        _ => return None,
    })
}

/// The last line, as a list in a text.
fn tail(lines: &[String]) -> String {
    let last: Vec<String> = lines.last().map(|line| lines::quoted(line)).into_iter().collect();
    json!(last).to_string()
}

/// Every so-manieth row, when there are more than are wanted.
fn thinned(rows: Vec<String>, samples: Option<usize>) -> Vec<String> {
    match samples.filter(|samples| *samples > 0 && rows.len() > *samples) {
        Some(samples) => {
            let n_rows = rows.len();
            let mut rows: Vec<Option<String>> = rows.into_iter().map(Some).collect();
            let places = (0..samples).map(|index| index * n_rows / samples);
            places.filter_map(|place| rows[place].take()).collect()
        }
        None => rows,
    }
}

/// The metrics that are wanted, all when none are named, and the step.
fn picked(row: &Map<String, Value>, wanted: &[String]) -> Map<String, Value> {
    if wanted.is_empty() {
        return row.clone();
    }
    let own = ["_step".to_owned()];
    let names = own.iter().chain(wanted.iter().filter(|name| *name != "_step"));
    names
        .filter_map(|name| lines::metric(row, name).map(|value| (name.clone(), value.clone())))
        .collect()
}

/// Rows that have every wanted metric.
fn sampled(run: &Run, spec: &str) -> Value {
    let spec: Value = serde_json::from_str(spec).unwrap_or_default();
    let keys = spec["keys"].as_array().into_iter().flatten();
    let keys: Vec<String> = keys.filter_map(Value::as_str).map(str::to_owned).collect();
    let samples = spec["samples"].as_u64().and_then(|number| usize::try_from(number).ok());
    let whole = rows(run).filter(|row| keys.iter().all(|key| lines::metric(row, key).is_some()));
    let rows = whole.map(|row| {
        let fields = keys
            .iter()
            .filter_map(|key| lines::metric(&row, key).map(|value| (key.clone(), value.clone())));
        Value::Object(fields.collect()).to_string()
    });
    let rows = thinned(rows.collect(), samples);
    let rows = rows.iter().filter_map(|row| serde_json::from_str(row).ok());
    Value::Array(rows.collect())
}

fn keys(run: &Run) -> Value {
    let mut keys: Map<String, Value> = Map::new();
    for row in rows(run) {
        for (name, value) in row {
            let kind = match value {
                Value::Number(_) => "number",
                Value::Object(_) => "map",
                _ => "string",
            };
            let known = keys
                .entry(name)
                .or_insert_with(|| json!({ "typeCounts": [{ "type": kind, "count": 0 }], "monotonic": false }));
            let count = known["typeCounts"][0]["count"].as_u64().unwrap_or(0);
            known["typeCounts"][0]["count"] = json!(count + 1);
        }
    }
    let last = rows(run).last().map_or(-1, |row| lines::step(&row));
    json!({ "keys": keys, "sets": [], "lastStep": last })
}

fn log_lines(run: &Run, args: &Args) -> Out {
    let lines = run.output.iter().enumerate().map(|(number, line)| {
        // Structured lines are JSON.
        let parts: Value = serde_json::from_str(line).unwrap_or_default();
        let part = |name: &str| parts[name].as_str().map(str::to_owned);
        let text = part("content").unwrap_or_else(|| line.clone());
        let fields = vec![
            ("number", leaf(number)),
            ("timestamp", leaf(part("ts"))),
            ("level", leaf(part("level"))),
            ("label", leaf(part("label"))),
            ("line", leaf(text)),
        ];
        Item::made(made("LogLine", fields))
    });
    let mut lines: Vec<Item> = lines.collect();
    if let Some(last) = args.number("last") {
        lines.drain(..lines.len().saturating_sub(last));
    }
    connection("LogLineConnection", "LogLineEdge", args, lines)
}
