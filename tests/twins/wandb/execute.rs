//! Answers a checked document from the state, field by field.

use std::cell::RefCell;

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonValue;
use serde_json::{Map, Value, json};

use super::contract::contract;
use super::people::Caller;
use super::state::State;
use super::{artifacts, collections, files, graphql, people, projects, runs};

/// What a field is: a value, an object of the state, or several.
#[derive(Debug, Clone)]
pub enum Out {
    Leaf(Value),
    Node(Node),
    List(Vec<Self>),
}

/// An object of the schema, by what it is called in the state.
#[derive(Debug, Clone)]
pub enum Node {
    Query,
    Mutation,
    User(String),
    Entity(String),
    Organization(String),
    Project(u64),
    Run(u64),
    Artifact(u64),
    Manifest(u64),
    Collection(u64),
    Membership(u64),
    /// A type of artifacts in a project.
    ArtifactType(u64, String),
    /// An object whose fields are known.
    Made {
        kind: &'static str,
        fields: Vec<(&'static str, Out)>,
    },
}

/// Why something is not done, and with which status that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
    pub code: Option<&'static str>,
}

pub type Answer = Result<Out, Refusal>;

/// The arguments of a field, or an input among them.
#[derive(Debug, Clone, Default)]
pub struct Args(pub Map<String, Value>);

impl Args {
    /// An argument that is an object.
    pub fn input(&self, name: &str) -> Self {
        Self(self.0.get(name).and_then(Value::as_object).cloned().unwrap_or_default())
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// A text that the schema demands.
    pub fn needed(&self, name: &str) -> String {
        self.owned(name).unwrap_or_default()
    }

    pub fn number(&self, name: &str) -> Option<usize> {
        let number = self.integer(name)?;
        usize::try_from(number).ok()
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    pub fn truth(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.0.get(name)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// A list of inputs.
    pub fn inputs(&self, name: &str) -> Vec<Self> {
        let list = self.0.get(name).and_then(Value::as_array);
        let inputs = list.into_iter().flatten().filter_map(Value::as_object);
        inputs.cloned().map(Self).collect()
    }
}

pub fn refuse(status: u16, message: impl Into<String>) -> Refusal {
    Refusal {
        status,
        message: message.into(),
        code: None,
    }
}

pub fn denied() -> Refusal {
    Refusal {
        code: Some("PERMISSION_ERROR"),
        ..refuse(403, "permission denied")
    }
}

pub fn unplayed(kind: &str, field: &str) -> Answer {
    Err(refuse(501, format!("the twin does not play `{kind}.{field}`")))
}

pub fn leaf(value: impl Into<Leaf>) -> Out {
    Out::Leaf(value.into().0)
}

pub fn null() -> Out {
    Out::Leaf(Value::Null)
}

pub fn node(one: Node) -> Out {
    Out::Node(one)
}

pub fn texts(some: &[String]) -> Out {
    Out::List(some.iter().map(|text| leaf(text.as_str())).collect())
}

pub fn nodes(some: impl IntoIterator<Item = Node>) -> Out {
    Out::List(some.into_iter().map(Out::Node).collect())
}

/// An object whose fields are known.
pub fn made(kind: &'static str, fields: Vec<(&'static str, Out)>) -> Out {
    node(Node::Made { kind, fields })
}

/// A plain value.
pub struct Leaf(Value);

impl From<Value> for Leaf {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl From<&str> for Leaf {
    fn from(text: &str) -> Self {
        Self(json!(text))
    }
}

impl From<String> for Leaf {
    fn from(text: String) -> Self {
        Self(Value::String(text))
    }
}

impl From<Option<String>> for Leaf {
    fn from(text: Option<String>) -> Self {
        Self(json!(text))
    }
}

impl From<bool> for Leaf {
    fn from(truth: bool) -> Self {
        Self(json!(truth))
    }
}

impl From<usize> for Leaf {
    fn from(number: usize) -> Self {
        Self(json!(number))
    }
}

impl From<u64> for Leaf {
    fn from(number: u64) -> Self {
        Self(json!(number))
    }
}

impl From<i32> for Leaf {
    fn from(number: i32) -> Self {
        Self(json!(number))
    }
}

/// One execution: who asks, what there is, and why it was refused.
pub struct Context<'a> {
    pub state: RefCell<&'a mut State>,
    pub caller: Caller,
    pub refusal: RefCell<Option<Refusal>>,
}

pub struct Object<'c, 's> {
    cx: &'c Context<'s>,
    node: Node,
    kind: &'static str,
}

impl<'c, 's> Object<'c, 's> {
    pub fn new(cx: &'c Context<'s>, node: Node) -> Self {
        let kind = match &node {
            Node::Query => "Query",
            Node::Mutation => "Mutation",
            Node::User(_) => "User",
            Node::Entity(_) => "Entity",
            Node::Organization(_) => "Organization",
            Node::Project(_) => "Project",
            Node::Run(_) => "Run",
            Node::Artifact(_) => "Artifact",
            Node::Manifest(_) => "ArtifactManifest",
            Node::Collection(id) => collections::kind(&cx.state.borrow(), *id),
            Node::Membership(_) => "ArtifactCollectionMembership",
            Node::ArtifactType(..) => "ArtifactType",
            Node::Made { kind, .. } => kind,
        };
        Self { cx, node, kind }
    }

    fn answer(&self, info: &ResolveInfo<'_>) -> Answer {
        let field = info.field_name();
        let args = serde_json::to_value(info.arguments()).map_err(|error| refuse(400, error.to_string()))?;
        for argument in &info.field_definition().arguments {
            if let Some(value) = args.get(argument.name.as_str()) {
                let features = |name: &str| self.cx.state.borrow().is_enabled(name);
                contract().check_value(&argument.ty, &argument.directives, value, &features)?;
            }
        }
        let args = Args(args.as_object().cloned().unwrap_or_default());
        if let Node::Mutation = self.node {
            return graphql::mutation(&mut self.cx.state.borrow_mut(), &self.cx.caller, field, &args);
        }
        let state = &**self.cx.state.borrow();
        let caller = &self.cx.caller;
        match &self.node {
            Node::Query | Node::Mutation => graphql::query(state, caller, field, &args),
            Node::User(name) => people::user_field(state, name, field),
            Node::Entity(name) => people::entity_field(state, caller, name, field, &args),
            Node::Organization(name) => people::organization_field(state, name, field),
            Node::Project(id) => projects::field(state, caller, *id, field, &args),
            Node::Run(id) => runs::field(state, *id, field, &args),
            Node::Artifact(id) => artifacts::field(state, caller, *id, field, &args),
            Node::Manifest(id) => files::manifest_field(state, *id, field),
            Node::Collection(id) => collections::field(state, *id, field, &args),
            Node::Membership(id) => collections::membership_field(state, *id, field, &args),
            Node::ArtifactType(project, name) => projects::type_field(state, *project, name, field, &args),
            Node::Made { kind, fields } => {
                let found = fields.iter().find(|(name, _)| *name == field);
                found.map_or_else(|| unplayed(kind, field), |(_, out)| Ok(out.clone()))
            }
        }
    }
}

fn resolved<'r>(cx: &'r Context<'_>, out: Out) -> ResolvedValue<'r> {
    match out {
        Out::Leaf(value) => ResolvedValue::Leaf(JsonValue::from(value)),
        Out::Node(node) => ResolvedValue::object(Object::new(cx, node)),
        Out::List(list) => {
            let list: Vec<ResolvedValue<'r>> = list.into_iter().map(|one| resolved(cx, one)).collect();
            ResolvedValue::list(list)
        }
    }
}

impl ObjectValue for Object<'_, '_> {
    fn type_name(&self) -> &str {
        self.kind
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        match self.answer(info) {
            Ok(out) => Ok(resolved(self.cx, out)),
            Err(refusal) => {
                let message = refusal.message.clone();
                self.cx.refusal.borrow_mut().get_or_insert(refusal);
                Err(FieldError { message })
            }
        }
    }
}
