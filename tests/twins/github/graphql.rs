//! GraphQL, as far as the project asks: who am I, hide a comment, the texts of a directory.
//!
//! Fields, arguments and types that GitHub does not have are refused as GitHub refuses them: 200 with `errors`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::repositories::Repository;
use super::server::{Reply, Request, ok, refuse};
use super::state::State;

/// Texts above this size are cut by GitHub.
const MAX_TEXT: usize = 512_000;

#[derive(Debug, Clone, Default)]
struct Field {
    alias: String,
    name: String,
    arguments: BTreeMap<String, Value>,
    fields: Vec<Self>,
    /// The type of `... on Type`; such a field has no name.
    on: Option<String>,
}

/// What is wrong with a query, as its `type` and message.
type Failure = (&'static str, String);

pub fn answer(state: &mut State, request: &Request) -> Reply {
    if request.caller.is_none() && state.caller(request).is_none() {
        return *refuse(401, "This endpoint requires you to be authenticated.");
    }
    if request.method != "POST" {
        return *refuse(404, "Not Found");
    }
    let Some(query) = request.text("query") else {
        return *refuse(400, "A query attribute must be specified and must be a string.");
    };
    let body = match parse(query, &request.body["variables"])
        .and_then(|(is_mutation, fields)| run(state, request, is_mutation, &fields))
    {
        Ok(data) => json!({ "data": data }),
        Err((kind, message)) => {
            json!({ "data": null, "errors": [{ "type": kind, "message": message, "path": [], "locations": [] }] })
        }
    };
    ok(200, body)
}

/// The name of the first field, for the journal.
pub fn first_field(query: &str) -> Option<String> {
    parse(query, &Value::Null)
        .ok()
        .and_then(|(_, fields)| fields.into_iter().next())
        .map(|field| field.name)
}

fn run(state: &mut State, request: &Request, is_mutation: bool, fields: &[Field]) -> Result<Value, Failure> {
    let mut data = Map::new();
    for field in fields {
        let value = match (is_mutation, field.name.as_str()) {
            (false, "viewer") => viewer(state, request, field)?,
            (false, "repository") => repository(state, request, field)?,
            (true, "minimizeComment" | "unminimizeComment") => minimize(state, request, field)?,
            (true, other) => return Err(unknown(other, "Mutation")),
            (false, other) => return Err(unknown(other, "Query")),
        };
        data.insert(field.alias.clone(), value);
    }
    Ok(Value::Object(data))
}

fn unknown(field: &str, kind: &str) -> Failure {
    (
        "undefinedField",
        format!("Field '{field}' doesn't exist on type '{kind}'"),
    )
}

/// An object of simple fields; one that is asked for and not here does not exist.
fn pick(field: &Field, kind: &str, values: &Value) -> Result<Value, Failure> {
    if field.fields.is_empty() {
        return Err((
            "selectionMismatch",
            format!("Field must have selections (field '{}' returns {kind})", field.name),
        ));
    }
    let mut picked = Map::new();
    for one in &field.fields {
        let value = if one.name == "__typename" {
            json!(kind)
        } else {
            values.get(&one.name).cloned().ok_or_else(|| unknown(&one.name, kind))?
        };
        picked.insert(one.alias.clone(), value);
    }
    Ok(Value::Object(picked))
}

fn viewer(state: &State, request: &Request, field: &Field) -> Result<Value, Failure> {
    let login = state.caller(request).map(|token| token.login).unwrap_or_default();
    pick(
        field,
        "User",
        &json!({ "login": login, "id": format!("U_{login}"), "databaseId": 1, "url": format!("https://github.com/{login}") }),
    )
}

fn minimize(state: &mut State, request: &Request, field: &Field) -> Result<Value, Failure> {
    let input = field.arguments.get("input").cloned().unwrap_or_default();
    for name in input.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !["subjectId", "classifier", "clientMutationId"].contains(&name.as_str()) {
            return Err((
                "argumentNotAccepted",
                format!("InputObject 'MinimizeCommentInput' doesn't accept argument '{name}'"),
            ));
        }
    }
    let is_hiding = field.name == "minimizeComment";
    let classifier = input["classifier"].as_str().unwrap_or_default().to_owned();
    if is_hiding && !["SPAM", "ABUSE", "OFF_TOPIC", "OUTDATED", "DUPLICATE", "RESOLVED"].contains(&classifier.as_str())
    {
        return Err((
            "argumentLiteralsIncompatible",
            format!("`{classifier}` is no ReportedContentClassifiers"),
        ));
    }
    let id = input["subjectId"].as_str().unwrap_or_default();
    let token = state
        .caller(request)
        .unwrap_or_else(|| unreachable!("the caller was known"));
    let missing = || {
        (
            "NOT_FOUND",
            format!("Could not resolve to a node with the global id of '{id}'"),
        )
    };
    for (name, repository) in &mut state.repositories {
        let is_covered = token.repositories.as_ref().is_none_or(|names| names.contains(name));
        let Some(comment) = repository
            .comments
            .values_mut()
            .find(|one| one.node_id() == id && one.deleted_by.is_none())
        else {
            continue;
        };
        let permission = if repository.pulls.contains_key(&comment.issue) {
            "pull-requests"
        } else {
            "issues"
        };
        if !is_covered || token.permissions.get(permission).is_none_or(|level| level != "write") {
            return Err(("FORBIDDEN", "Resource not accessible by integration".to_owned()));
        }
        comment.minimized = is_hiding.then_some(classifier);
        let values = json!({
            "clientMutationId": input["clientMutationId"],
            "minimizedComment": { "isMinimized": is_hiding, "minimizedReason": comment.minimized.as_ref().map(|one| one.to_lowercase()) },
        });
        let mut picked = Map::new();
        for one in &field.fields {
            let value = match one.name.as_str() {
                "minimizedComment" | "unminimizedComment" => pick(one, "Minimizable", &values["minimizedComment"])?,
                "clientMutationId" => values["clientMutationId"].clone(),
                other => return Err(unknown(other, "MinimizeCommentPayload")),
            };
            picked.insert(one.alias.clone(), value);
        }
        return Ok(Value::Object(picked));
    }
    Err(missing())
}

fn repository(state: &State, request: &Request, field: &Field) -> Result<Value, Failure> {
    let text = |name: &str| field.arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = format!("{}/{}", text("owner"), text("name"));
    let missing = || {
        (
            "NOT_FOUND",
            format!("Could not resolve to a Repository with the name '{name}'."),
        )
    };
    let repository = state.repositories.get(&name).ok_or_else(missing)?;
    let token = state
        .caller(request)
        .unwrap_or_else(|| unreachable!("the caller was known"));
    let is_covered = token.repositories.as_ref().is_none_or(|names| names.contains(&name));
    if repository.is_private && !(is_covered && token.permissions.contains_key("contents")) {
        return Err(missing());
    }
    let mut picked = Map::new();
    for one in &field.fields {
        let value = match one.name.as_str() {
            "object" => {
                let name = one
                    .arguments
                    .get("expression")
                    .or_else(|| one.arguments.get("oid"))
                    .and_then(Value::as_str);
                let name =
                    name.ok_or_else(|| ("missingRequiredArguments", "`object` needs an expression".to_owned()))?;
                find(repository, name).map_or(Ok(Value::Null), |sha| object(repository, &sha, &one.fields))?
            }
            "databaseId" => json!(repository.id),
            "nameWithOwner" => json!(repository.name),
            "isPrivate" => json!(repository.is_private),
            other => return Err(unknown(other, "Repository")),
        };
        picked.insert(one.alias.clone(), value);
    }
    Ok(Value::Object(picked))
}

/// `SHA`, `branch`, `SHA:path`.
fn find(repository: &Repository, expression: &str) -> Option<String> {
    let (revision, path) = expression
        .split_once(':')
        .map_or((expression, None), |(revision, path)| (revision, Some(path)));
    let commit = repository
        .resolve(revision)
        .or_else(|| repository.objects.get(revision).map(|_| revision.to_owned()))?;
    let Some(path) = path else { return Some(commit) };
    let tree = repository.objects.commit(&commit)?.tree.clone();
    path.split('/')
        .filter(|word| !word.is_empty())
        .try_fold(tree, |tree, word| {
            repository
                .objects
                .tree(&tree)?
                .iter()
                .find(|entry| entry.name == word)
                .map(|entry| entry.sha.clone())
        })
}

fn object(repository: &Repository, sha: &str, fields: &[Field]) -> Result<Value, Failure> {
    let objects = &repository.objects;
    let kind = match (objects.blob(sha), objects.tree(sha)) {
        (Some(_), _) => "Blob",
        (_, Some(_)) => "Tree",
        (None, None) => "Commit",
    };
    let mut picked = Map::new();
    for field in fields {
        if let Some(on) = &field.on {
            if on == kind {
                let Value::Object(more) = object(repository, sha, &field.fields)? else {
                    continue;
                };
                picked.extend(more);
            } else if !["Blob", "Tree", "Commit", "Tag"].contains(&on.as_str()) {
                return Err((
                    "undefinedType",
                    format!("No such type {on}, so it can't be a fragment condition"),
                ));
            }
            continue;
        }
        let bytes = objects.blob(sha).unwrap_or_default();
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        let value = match (kind, field.name.as_str()) {
            (_, "__typename") => json!(kind),
            (_, "oid") => json!(sha),
            ("Blob", "byteSize") => json!(bytes.len()),
            ("Blob", "isBinary") => json!(text.is_none()),
            ("Blob", "isTruncated") => json!(bytes.len() > MAX_TEXT),
            ("Blob", "text") => json!(text.map(|text| &text[..text.floor_char_boundary(MAX_TEXT)])),
            ("Tree", "entries") => {
                let entries = objects.tree(sha).into_iter().flatten();
                Value::Array(
                    entries
                        .map(|one| entry(repository, one, &field.fields))
                        .collect::<Result<_, Failure>>()?,
                )
            }
            (_, other) => return Err(unknown(other, kind)),
        };
        picked.insert(field.alias.clone(), value);
    }
    Ok(Value::Object(picked))
}

fn entry(repository: &Repository, entry: &super::git::Entry, fields: &[Field]) -> Result<Value, Failure> {
    let mut picked = Map::new();
    for field in fields {
        let is_tree = entry.mode == "40000";
        let value = match field.name.as_str() {
            "name" => json!(entry.name),
            "oid" => json!(entry.sha),
            "type" => json!(if is_tree { "tree" } else { "blob" }),
            "mode" => json!(u32::from_str_radix(&entry.mode, 8).unwrap_or_default()),
            "size" => json!(repository.objects.blob(&entry.sha).map_or(0, <[u8]>::len)),
            "object" => object(repository, &entry.sha, &field.fields)?,
            other => return Err(unknown(other, "TreeEntry")),
        };
        picked.insert(field.alias.clone(), value);
    }
    Ok(Value::Object(picked))
}

/// Whether it is a mutation, and its fields with variables put in.
fn parse(query: &str, variables: &Value) -> Result<(bool, Vec<Field>), Failure> {
    let mut tokens = tokens(query)?;
    tokens.reverse();
    let mut parser = Parser { tokens, variables };
    let is_mutation = parser.peek() == Some("mutation");
    if is_mutation || parser.peek() == Some("query") {
        parser.tokens.pop();
        while parser.peek().is_some_and(|token| token != "{" && token != "(") {
            parser.tokens.pop();
        }
        if parser.peek() == Some("(") {
            while parser.take()? != ")" {}
        }
    }
    let fields = parser.selection()?;
    parser.peek().map_or(Ok((is_mutation, fields)), |more| {
        Err(("parse", format!("unexpected `{more}`")))
    })
}

fn tokens(query: &str) -> Result<Vec<String>, Failure> {
    let mut tokens = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let size = match first {
            '"' => {
                let mut is_escaped = false;
                let end = rest[1..].find(|letter| {
                    let is_end = letter == '"' && !is_escaped;
                    is_escaped = letter == '\\' && !is_escaped;
                    is_end
                });
                end.ok_or_else(|| ("parse", "a string does not end".to_owned()))? + 2
            }
            '.' if rest.starts_with("...") => 3,
            '{' | '}' | '(' | ')' | ':' | ',' | '!' | '[' | ']' | '=' | '$' => 1,
            letter if letter.is_ascii_alphanumeric() || letter == '_' || letter == '-' => rest
                .find(|one: char| !(one.is_ascii_alphanumeric() || "_-.".contains(one)))
                .unwrap_or(rest.len()),
            other => return Err(("parse", format!("unexpected character `{other}`"))),
        };
        if first != ',' {
            tokens.push(rest[..size].to_owned());
        }
        rest = rest[size..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    /// The next is the last.
    tokens: Vec<String>,
    variables: &'a Value,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.last().map(String::as_str)
    }

    fn take(&mut self) -> Result<String, Failure> {
        self.tokens
            .pop()
            .ok_or_else(|| ("parse", "the query ends too early".to_owned()))
    }

    fn expect(&mut self, wanted: &str) -> Result<(), Failure> {
        let token = self.take()?;
        if token == wanted {
            Ok(())
        } else {
            Err(("parse", format!("expected `{wanted}`, found `{token}`")))
        }
    }

    fn selection(&mut self) -> Result<Vec<Field>, Failure> {
        self.expect("{")?;
        let mut fields = Vec::new();
        while self.peek() != Some("}") {
            fields.push(self.field()?);
        }
        self.expect("}")?;
        Ok(fields)
    }

    fn field(&mut self) -> Result<Field, Failure> {
        let mut field = Field {
            name: self.take()?,
            ..Field::default()
        };
        if field.name == "..." {
            self.expect("on")?;
            field.on = Some(self.take()?);
        }
        field.alias.clone_from(&field.name);
        if self.peek() == Some(":") {
            self.expect(":")?;
            field.name = self.take()?;
        }
        if self.peek() == Some("(") {
            self.expect("(")?;
            while self.peek() != Some(")") {
                let name = self.take()?;
                self.expect(":")?;
                let value = self.value()?;
                field.arguments.insert(name, value);
            }
            self.expect(")")?;
        }
        if self.peek() == Some("{") {
            field.fields = self.selection()?;
        }
        Ok(field)
    }

    fn value(&mut self) -> Result<Value, Failure> {
        let token = self.take()?;
        match token.as_str() {
            "$" => {
                let name = self.take()?;
                Ok(self.variables[&name].clone())
            }
            "{" => {
                let mut map = Map::new();
                while self.peek() != Some("}") {
                    let name = self.take()?;
                    self.expect(":")?;
                    map.insert(name, self.value()?);
                }
                self.expect("}")?;
                Ok(Value::Object(map))
            }
            "true" => Ok(json!(true)),
            "false" => Ok(json!(false)),
            "null" => Ok(Value::Null),
            // Strings and numbers are JSON; what is neither is the word of an enumeration.
            other => Ok(serde_json::from_str(other).unwrap_or_else(|_| json!(other))),
        }
    }
}
