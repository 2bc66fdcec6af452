//! The contract: which operation a call is, and whether its query, body and answer are what the official description
//! of the API says. Pure.
//!
//! `OpenAPI` 3.0 becomes JSON Schema draft 4 once a process; a validator is compiled when it is first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Map, Value, json};

const TEXT: &str = include_str!("../../../fixtures/github/openapi.json");

pub struct Contract {
    pub operations: Vec<Operation>,
    components: Value,
}

pub struct Operation {
    pub method: String,
    pub template: String,
    parameters: Vec<Parameter>,
    body: Option<Value>,
    is_body_required: bool,
    responses: BTreeMap<u16, Option<Value>>,
    validators: Mutex<BTreeMap<u16, Arc<jsonschema::Validator>>>,
}

struct Parameter {
    name: String,
    is_query: bool,
    is_required: bool,
    schema: Value,
}

/// The key of the request body among the validators; answers have their status.
const BODY: u16 = 0;

/// Parameters of a path that may hold slashes.
const GREEDY: [&str; 2] = ["{path}", "{ref}"];

/// The contract of this process.
pub fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| Contract::parse(TEXT))
}

impl Contract {
    fn parse(text: &str) -> Self {
        let mut document: Value = serde_json::from_str(text).expect("the fixture is JSON");
        let components = document["components"].take();
        let components = to_draft4(&components);
        let mut operations = Vec::new();
        for (template, methods) in document["paths"].as_object().expect("paths") {
            let methods = methods.as_object().expect("methods");
            for (method, operation) in methods.iter().filter(|(method, _)| *method != "parameters") {
                let operation = to_draft4(operation);
                let shared = methods.get("parameters").map(to_draft4);
                let own = operation["parameters"].as_array().into_iter().flatten();
                let parameters = shared
                    .iter()
                    .flat_map(|list| list.as_array().into_iter().flatten())
                    .chain(own);
                let body = &operation["requestBody"];
                let responses = operation["responses"].as_object().expect("responses");
                operations.push(Operation {
                    method: method.to_uppercase(),
                    template: template.clone(),
                    parameters: parameters.map(|one| parameter(resolve(&components, one))).collect(),
                    body: body.pointer("/content/application~1json/schema").cloned(),
                    is_body_required: body["required"] == true,
                    responses: responses
                        .iter()
                        .map(|(status, one)| response(&components, status, one))
                        .collect(),
                    validators: Mutex::default(),
                });
            }
        }
        Self { operations, components }
    }

    /// The operation of a call and the parameters in its path; the one with most literal words wins.
    pub fn find(&self, method: &str, path: &str) -> Option<(&Operation, BTreeMap<String, String>)> {
        let found = self
            .operations
            .iter()
            .filter(|operation| operation.method == method)
            .filter_map(|operation| {
                let template: Vec<&str> = operation.template.split('/').skip(1).collect();
                let words: Vec<&str> = path.split('/').skip(1).collect();
                let mut parameters = BTreeMap::new();
                match_words(&template, &words, &mut parameters).then_some((operation, parameters))
            });
        found.max_by_key(|(operation, _)| {
            let words = operation.template.split('/');
            words.filter(|word| !word.starts_with('{')).count()
        })
    }

    /// What is wrong with a request; nothing when it keeps the contract.
    pub fn check_request(&self, operation: &Operation, query: &BTreeMap<String, String>, body: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, text) in query {
            match operation
                .parameters
                .iter()
                .find(|one| one.is_query && one.name == *name)
            {
                None => wrong.push(format!("query `{name}` is not known")),
                Some(parameter) if !is_allowed(&parameter.schema, text) => {
                    wrong.push(format!("query `{name}` can not be `{text}`"));
                }
                Some(_) => {}
            }
        }
        let required = operation
            .parameters
            .iter()
            .filter(|one| one.is_query && one.is_required);
        wrong.extend(
            required
                .filter(|one| !query.contains_key(&one.name))
                .map(|one| format!("query `{}` is missing", one.name)),
        );
        match &operation.body {
            None if !body.is_null() && operation.method != "DELETE" => wrong.push("a body is not known".to_owned()),
            None => {}
            Some(_) if body.is_null() && !operation.is_body_required => {}
            Some(schema) => {
                let validator = self.validator(operation, BODY, schema);
                wrong.extend(
                    validator
                        .iter_errors(body)
                        .map(|error| format!("body{}", describe(&error))),
                );
                unknown_fields(resolve(&self.components, schema), body, "body", &mut wrong);
            }
        }
        wrong
    }

    /// Fills what the contract demands and the twin has no opinion about, then says what is wrong.
    pub fn check_response(&self, operation: &Operation, status: u16, body: &mut Value) -> Vec<String> {
        match operation.responses.get(&status) {
            Some(Some(schema)) => {
                self.complete(schema, body, 0);
                let validator = self.validator(operation, status, schema);
                validator
                    .iter_errors(body)
                    .map(|error| format!("answer {status}{}", describe(&error)))
                    .collect()
            }
            Some(None) if body.is_null() || (status >= 400 && body["message"].is_string()) => Vec::new(),
            Some(None) => vec![format!("answer {status} has no body in the contract")],
            // Statuses that the description leaves out (401, 403, 5xx) have GitHub's common shape of an error.
            None if status >= 400 && body["message"].is_string() => Vec::new(),
            None => vec![format!("answer {status} is not in the contract")],
        }
    }

    fn validator(&self, operation: &Operation, key: u16, schema: &Value) -> Arc<jsonschema::Validator> {
        let mut known = operation.validators.lock().expect("nobody panics while holding it");
        let build = || {
            let mut names = BTreeSet::new();
            self.reached(schema, &mut names);
            let schemas: Map<String, Value> = names
                .into_iter()
                .map(|name| (name.clone(), self.components["schemas"][&name].clone()))
                .collect();
            let whole = json!({ "allOf": [schema], "components": { "schemas": schemas } });
            Arc::new(
                jsonschema::draft4::options()
                    // GitHub's own answers have empty addresses where there is none.
                    .with_format("uri", |text: &str| text.is_empty() || text.contains("://"))
                    .build(&whole)
                    .expect("GitHub's schemas compile"),
            )
        };
        Arc::clone(known.entry(key).or_insert_with(build))
    }

    fn reached(&self, schema: &Value, names: &mut BTreeSet<String>) {
        match schema {
            Value::Object(map) => {
                let name = map
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(|one| one.strip_prefix("#/components/schemas/"));
                if let Some(name) = name
                    && names.insert(name.to_owned())
                {
                    self.reached(&self.components["schemas"][name], names);
                }
                map.values().for_each(|one| self.reached(one, names));
            }
            Value::Array(list) => list.iter().for_each(|one| self.reached(one, names)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn complete(&self, schema: &Value, value: &mut Value, depth: usize) {
        let schema = resolve(&self.components, schema);
        for word in ["oneOf", "anyOf"] {
            let branches = schema[word]
                .as_array()
                .into_iter()
                .flatten()
                .map(|one| resolve(&self.components, one));
            if let Some(branch) = branches.filter(|_| !value.is_null()).find(|one| fits(one, value)) {
                self.complete(branch, value, depth + 1);
            }
        }
        for one in schema["allOf"].as_array().into_iter().flatten() {
            self.complete(one, value, depth + 1);
        }
        for one in value.as_array_mut().into_iter().flatten() {
            self.complete(&schema["items"], one, depth + 1);
        }
        if let Value::Object(map) = value {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(one) = map.get_mut(name) {
                    self.complete(property, one, depth + 1);
                }
            }
            for name in schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                if !map.contains_key(name) {
                    map.insert(name.to_owned(), self.sample(&schema["properties"][name], depth + 1));
                }
            }
        }
    }

    /// The plainest value that a schema allows.
    fn sample(&self, schema: &Value, depth: usize) -> Value {
        let schema = resolve(&self.components, schema);
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        let branches: Vec<&Value> = ["oneOf", "anyOf"]
            .iter()
            .flat_map(|word| schema[word].as_array().into_iter().flatten())
            .collect();
        if branches.iter().any(|one| one["type"] == "null") {
            return Value::Null;
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind.as_str()],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if kinds.contains(&"null") {
            return Value::Null;
        }
        match (kinds.first().copied(), branches.first()) {
            (Some("string"), _) => match schema["format"].as_str() {
                Some("date-time") => json!("2026-11-23T10:00:00Z"),
                Some("uri") => json!("https://api.github.com/unused"),
                _ => json!(""),
            },
            (Some("integer" | "number"), _) => json!(schema["minimum"].as_i64().unwrap_or(0)),
            (Some("boolean"), _) => json!(false),
            (Some("array"), _) => json!([]),
            (None, Some(branch)) => self.sample(branch, depth + 1),
            _ => {
                let mut value = json!({});
                if depth < 12 {
                    self.complete(schema, &mut value, depth);
                }
                value
            }
        }
    }
}

/// The place, what is wrong there, and how the value begins.
fn describe(error: &jsonschema::ValidationError<'_>) -> String {
    let value: String = error.instance().to_string().chars().take(120).collect();
    format!("{}: {} ({value})", error.instance_path(), error.masked())
}

fn parameter(one: &Value) -> Parameter {
    Parameter {
        name: one["name"].as_str().unwrap_or_default().to_owned(),
        is_query: one["in"] == "query",
        is_required: one["required"] == true,
        schema: one["schema"].clone(),
    }
}

fn response(components: &Value, status: &str, one: &Value) -> (u16, Option<Value>) {
    let schema = resolve(components, one)
        .pointer("/content/application~1json/schema")
        .cloned();
    (status.parse().expect("a status is a number"), schema)
}

fn resolve<'a>(components: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix("#/components"));
    target.map_or(schema, |path| {
        resolve(components, components.pointer(path).expect("references lead somewhere"))
    })
}

/// `nullable` is written in the type, in the list of values, or as a branch of its own.
fn to_draft4(value: &Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.iter().map(to_draft4).collect()),
        Value::Object(map) => {
            let is_nullable = map.get("nullable") == Some(&json!(true));
            let rest = map
                .iter()
                .filter(|(name, one)| !(*name == "nullable" && one.is_boolean()));
            let mut converted: Map<String, Value> = rest.map(|(name, one)| (name.clone(), to_draft4(one))).collect();
            if !is_nullable {
                return Value::Object(converted);
            }
            match converted.get("type").cloned() {
                Some(kind) => {
                    converted.insert("type".to_owned(), json!([kind, "null"]));
                    if let Some(Value::Array(values)) = converted.get_mut("enum")
                        && !values.contains(&Value::Null)
                    {
                        values.push(Value::Null);
                    }
                    Value::Object(converted)
                }
                None => json!({ "anyOf": [{ "type": "null" }, converted] }),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn match_words(template: &[&str], words: &[&str], parameters: &mut BTreeMap<String, String>) -> bool {
    let (Some((first, rest)), Some((word, others))) = (template.split_first(), words.split_first()) else {
        return template.is_empty() && words.is_empty();
    };
    if !first.starts_with('{') {
        return first == word && match_words(rest, others, parameters);
    }
    let longest = if GREEDY.contains(first) {
        words.len().saturating_sub(rest.len())
    } else {
        1
    };
    for n_words in (1..=longest.max(1)).rev() {
        let text = words[..n_words].join("/");
        // An empty path is the root of `contents`; anywhere else an empty word is no parameter.
        if (!text.is_empty() || *first == "{path}") && match_words(rest, &words[n_words..], parameters) {
            let text = percent_encoding::percent_decode_str(&text)
                .decode_utf8_lossy()
                .into_owned();
            parameters.insert(first.trim_matches(['{', '}']).to_owned(), text);
            return true;
        }
    }
    false
}

fn is_allowed(schema: &Value, text: &str) -> bool {
    let is_kind = match schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().is_ok(),
        Some("boolean") => ["true", "false"].contains(&text),
        _ => true,
    };
    is_kind
        && schema["enum"]
            .as_array()
            .is_none_or(|values| values.contains(&json!(text)))
}

/// A misspelled field would pass the schemas, which all allow more fields.
fn unknown_fields(schema: &Value, value: &Value, place: &str, wrong: &mut Vec<String>) {
    let (Some(properties), Some(map)) = (schema["properties"].as_object(), value.as_object()) else {
        return;
    };
    let is_open = schema["additionalProperties"].is_object() || schema["additionalProperties"] == true;
    for (name, one) in map {
        match properties.get(name) {
            Some(property) => unknown_fields(property, one, &format!("{place}.{name}"), wrong),
            None if is_open => {}
            None => wrong.push(format!("{place}.{name} is not known")),
        }
    }
}

/// Whether a value could be meant by a branch: its kind, and the fields whose values the branch enumerates.
fn fits(schema: &Value, value: &Value) -> bool {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_kind = match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(kinds) => kinds.contains(&json!(kind)),
        _ => true,
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    is_kind
        && properties
            .filter(|(name, _)| value.get(name.as_str()).is_some())
            .all(|(name, property)| {
                property["enum"]
                    .as_array()
                    .is_none_or(|values| values.contains(&value[name.as_str()]))
            })
}
