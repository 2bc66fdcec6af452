//! The log of a step: commands in it, in both forms, masks, annotations with their limits.

use serde_json::{Map, Value, json};

const COMMANDS: &[&str] = &[
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];
const MAX_ANNOTATIONS: usize = 10;
const MAX_MESSAGE_UNITS: usize = 4096;

/// Everything that was said, as the runner understands it.
#[derive(Default)]
pub struct Log {
    pub lines: Vec<String>,
    pub annotations: Vec<Value>,
    pub groups: Vec<String>,
    pub masks: Vec<String>,
    /// Outputs and state that came through the old commands, which still work.
    pub outputs: Map<String, Value>,
    pub state: Map<String, Value>,
    /// What the runner complains about; each fails the step.
    pub errors: Vec<String>,
    /// Which of the secrets were said, before anything is masked.
    pub leaks: Vec<String>,
    stopped_by: Option<String>,
    secrets: Vec<String>,
    is_debug: bool,
}

impl Log {
    pub fn new(secrets: &[String], is_debug: bool) -> Self {
        Self {
            secrets: secrets.to_vec(),
            is_debug,
            ..Self::default()
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped_by.is_some()
    }

    pub fn line(&mut self, line: &str) {
        if let Some(token) = &self.stopped_by {
            let is_resumed = line.trim_start() == format!("::{token}::");
            if is_resumed {
                self.stopped_by = None;
            } else {
                self.say(line);
            }
            return;
        }
        match parse_new(line).or_else(|| parse_old(line)) {
            Some((name, properties, data)) => self.act(&name, &properties, &data),
            None => self.say(line),
        }
    }

    fn say(&mut self, line: &str) {
        for secret in &self.secrets {
            if line.contains(secret) && !self.leaks.contains(secret) {
                self.leaks.push(secret.clone());
            }
        }
        self.lines.push(self.masked(line));
    }

    pub fn masked(&self, text: &str) -> String {
        let all = self.secrets.iter().chain(&self.masks);
        let mut values: Vec<&str> = all
            .flat_map(|value| [value.as_str()].into_iter().chain(value.lines()))
            .collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values
            .into_iter()
            .filter(|value| !value.trim().is_empty())
            .fold(text.to_owned(), |text, value| text.replace(value, "***"))
    }

    fn act(&mut self, name: &str, properties: &[(String, String)], data: &str) {
        let property = |wanted: &str| {
            let found = properties.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.as_str())
        };
        match name {
            "error" | "warning" | "notice" => {
                let annotation = self.annotation(name, data, &property);
                self.say(&format!("##[{name}]{data}"));
                self.annotations.push(annotation);
            }
            "debug" if !self.is_debug => {}
            "debug" => self.say(&format!("##[debug]{data}")),
            "group" => {
                self.groups.push(self.masked(data));
                self.say(&format!("##[group]{data}"));
            }
            "endgroup" => self.say("##[endgroup]"),
            "add-mask" if data.trim().is_empty() => {
                self.errors.push("can't add secret mask for empty string".to_owned());
            }
            "add-mask" => self.masks.push(data.to_owned()),
            "stop-commands" if data.is_empty() || data == "pause-logging" || COMMANDS.contains(&data) => {
                self.errors.push(format!("invalid stop token `{data}`"));
            }
            "stop-commands" => self.stopped_by = Some(data.to_owned()),
            "set-output" | "save-state" => match property("name") {
                Some(key) => {
                    let into = if name == "set-output" {
                        &mut self.outputs
                    } else {
                        &mut self.state
                    };
                    into.insert(key.to_owned(), json!(data));
                }
                None => self.errors.push(format!("`{name}` without a name")),
            },
            "set-env" | "add-path" => self.errors.push(format!("the `{name}` command is disabled")),
            _ => {}
        }
    }

    fn annotation<'a>(&self, level: &str, message: &str, property: &dyn Fn(&str) -> Option<&'a str>) -> Value {
        let number = |name: &str| property(name).and_then(|text| text.parse::<u64>().ok());
        let (mut line, mut end_line) = (number("line"), number("endLine"));
        let (mut column, mut end_column) = (number("col"), number("endColumn"));
        line = line.or(end_line);
        if let (Some(begin), Some(end)) = (line, end_line)
            && end < begin
        {
            (line, end_line) = (None, None);
        }
        let is_one_line = line.is_some() && end_line.is_none_or(|end| Some(end) == line);
        column = column.or(end_column);
        let is_backwards = end_column.is_some_and(|end| column.is_some_and(|begin| end < begin));
        if !is_one_line || is_backwards {
            (column, end_column) = (None, None);
        }
        let n_before = self.annotations.iter().filter(|one| one["level"] == level).count();
        let mut annotation = json!({"level": level, "message": self.masked(&cut(message))});
        for (name, value) in [
            ("title", property("title").map(|text| json!(self.masked(text)))),
            ("file", property("file").map(|text| json!(text))),
            ("line", line.map(|n| json!(n))),
            ("end_line", end_line.map(|n| json!(n))),
            ("column", column.map(|n| json!(n))),
            ("end_column", end_column.map(|n| json!(n))),
        ] {
            if let Some(value) = value {
                annotation[name] = value;
            }
        }
        annotation["shown"] = json!(n_before < MAX_ANNOTATIONS);
        annotation
    }
}

type Parsed = (String, Vec<(String, String)>, String);

/// `::name key=value,key=value::data` at the beginning of a line.
fn parse_new(line: &str) -> Option<Parsed> {
    let rest = line.trim_start().strip_prefix("::")?;
    let (head, data) = rest.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let unescape = |text: &str| unescaped(text, &[("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ",")]);
    let data = unescaped(data, &[("%0D", "\r"), ("%0A", "\n")]);
    known(name).map(|name| (name, pairs(properties, ',', unescape), data))
}

/// `##[name key=value;key=value]data` anywhere in a line.
fn parse_old(line: &str) -> Option<Parsed> {
    let (_, rest) = line.split_once("##[")?;
    let (head, data) = rest.split_once(']')?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let escapes = [("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]")];
    let unescape = |text: &str| unescaped(text, &escapes);
    known(name).map(|name| (name, pairs(properties, ';', unescape), unescape(data)))
}

fn known(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    COMMANDS.contains(&name.as_str()).then_some(name)
}

fn pairs(text: &str, separator: char, unescape: impl Fn(&str) -> String) -> Vec<(String, String)> {
    text.trim()
        .split(separator)
        .filter_map(|pair| pair.split_once('='))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.trim().to_owned(), unescape(value)))
        .collect()
}

fn unescaped(text: &str, escapes: &[(&str, &str)]) -> String {
    escapes
        .iter()
        .fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
        .replace("%25", "%")
}

fn cut(message: &str) -> String {
    let units: Vec<u16> = message.encode_utf16().take(MAX_MESSAGE_UNITS).collect();
    String::from_utf16_lossy(&units)
}
