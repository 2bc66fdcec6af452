//! The schema of W&B, held against every document and every variable, and what of it needs a feature. Pure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use apollo_compiler::ast::{DirectiveList, Value as Literal};
use apollo_compiler::executable::{ExecutableDocument, Selection, SelectionSet};
use apollo_compiler::schema::{ExtendedType, Schema, Type};
use apollo_compiler::validation::Valid;
use serde_json::Value;

use super::execute::{Refusal, refuse};

const SCHEMA: &str = include_str!("../../../fixtures/wandb/schema.graphql");

/// Fields that only servers with a feature have; `*` is every server that is not old.
const NEEDS: [(&str, &str, &str); 11] = [
    ("Artifact", "digestAlgorithm", "ARTIFACT_DIGEST_ALGORITHM"),
    (
        "ArtifactCollectionMembership",
        "files",
        "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
    ),
    ("ArtifactSequence", "digestAlgorithm", "ARTIFACT_DIGEST_ALGORITHM"),
    ("Entity", "artifactCollections", "ARTIFACT_REGISTRY_SEARCH"),
    ("Entity", "artifactMemberships", "ARTIFACT_REGISTRY_SEARCH"),
    ("Entity", "xxhashDigestsEnabled", "ARTIFACT_DIGEST_ALGORITHM"),
    ("FileConnection", "totalCount", "TOTAL_COUNT_IN_FILE_CONNECTION"),
    (
        "LinkArtifactPayload",
        "artifactMembership",
        "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE",
    ),
    ("Mutation", "markRunFilesUploaded", "MARK_RUN_FILES_UPLOADED"),
    (
        "Organization",
        "advancedRegistryFeatures",
        "ARTIFACT_COLLECTIONS_FILTERING_SORTING",
    ),
    ("ServerInfo", "features", "*"),
];

/// The same for what is said to the server.
const INPUT_NEEDS: [(&str, &str, &str); 6] = [
    ("CreateArtifactFileSpecInput", "digest", "ARTIFACT_DIGEST_ALGORITHM"),
    (
        "CreateArtifactFilesInput",
        "digestAlgorithm",
        "ARTIFACT_DIGEST_ALGORITHM",
    ),
    (
        "UseArtifactInput",
        "artifactEntityName",
        "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
    ),
    (
        "UseArtifactInput",
        "artifactProjectName",
        "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
    ),
    (
        "UpsertModelInput",
        "allowAllArtifactTypesInRegistry",
        "INCLUDE_ARTIFACT_TYPES_IN_REGISTRY_CREATION",
    ),
    (
        "UpsertModelInput",
        "artifactTypes",
        "INCLUDE_ARTIFACT_TYPES_IN_REGISTRY_CREATION",
    ),
];

type Checked = Result<Arc<Valid<ExecutableDocument>>, Vec<String>>;

pub struct Contract {
    pub schema: Valid<Schema>,
    /// Documents that were checked before: clients send few different ones.
    documents: Mutex<HashMap<String, Checked>>,
}

/// The schema, read once.
pub fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| Contract {
        schema: Schema::parse_and_validate(SCHEMA, "schema.graphql").expect("the schema of the fixtures is valid"),
        documents: Mutex::new(HashMap::new()),
    })
}

impl Contract {
    /// The document, or all that is wrong with it in the words of GraphQL servers.
    pub fn document(&self, text: &str) -> Checked {
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = documents.get(text) {
            return known.clone();
        }
        let parsed = ExecutableDocument::parse_and_validate(&self.schema, text, "document");
        let checked = parsed.map(Arc::new).map_err(|found| {
            let messages = found.errors.iter();
            let mut messages: Vec<String> = messages.map(|one| one.unstable_to_json_compat().message).collect();
            // What clients look for comes first.
            messages.sort_by_key(|message| !message.starts_with("Cannot query field"));
            messages
        });
        documents.insert(text.to_owned(), checked.clone());
        checked
    }

    /// Holds a value against the limits and patterns that stand in the schema, and against what this server takes.
    pub fn check_value(
        &self,
        ty: &Type,
        directives: &DirectiveList,
        value: &Value,
        has: &dyn Fn(&str) -> bool,
    ) -> Result<(), Refusal> {
        if let Some(constraints) = directives.get("constraints") {
            let argument = |name: &str| constraints.specified_argument_by_name(name).map(AsRef::as_ref);
            let max = match argument("max") {
                Some(Literal::Int(max)) => max.try_to_i32().ok().and_then(|max| usize::try_from(max).ok()),
                _ => None,
            };
            let length = match value {
                Value::String(text) => text.chars().count(),
                Value::Array(list) => list.len(),
                _ => 0,
            };
            if max.is_some_and(|max| length > max) {
                return Err(refuse(
                    400,
                    format!("invalid value: {length} is above the maximum of {}", max.unwrap_or(0)),
                ));
            }
            if let (Some(Literal::String(pattern)), Value::String(text)) = (argument("pattern"), value)
                && !is_tag(text, pattern.contains('.'))
            {
                return Err(refuse(
                    400,
                    format!("invalid value: `{text}` does not match `{pattern}`"),
                ));
            }
        }
        match value {
            Value::Array(list) => {
                let none = DirectiveList::new();
                list.iter()
                    .try_for_each(|one| self.check_value(ty.item_type(), &none, one, has))
            }
            Value::Object(fields) => {
                let Some(ExtendedType::InputObject(input)) = self.schema.types.get(ty.inner_named_type()) else {
                    return Ok(());
                };
                for (name, value) in fields {
                    let kind = input.name.as_str();
                    let need = INPUT_NEEDS.iter().find(|(of, field, _)| *of == kind && field == name);
                    if need.is_some_and(|(_, _, feature)| !has(feature)) {
                        return Err(refuse(400, format!("In field \"{name}\": Unknown field.")));
                    }
                    if let Some(field) = input.fields.get(name.as_str()) {
                        self.check_value(&field.ty, &field.directives, value, has)?;
                    }
                }
                Ok(())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }
}

/// The two patterns of the schema: words of letters, digits, `_` and `-` (and `.` after the first) with spaces between.
fn is_tag(text: &str, allows_dot: bool) -> bool {
    let is_good =
        |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter) || (allows_dot && letter == '.');
    let has_edges = !text.is_empty() && !text.starts_with([' ', '.']) && !text.ends_with(' ');
    has_edges && text.chars().all(|letter| letter == ' ' || is_good(letter))
}

/// The first field that this server does not have, in its words.
pub fn missing_in(document: &ExecutableDocument, set: &SelectionSet, has: &dyn Fn(&str) -> bool) -> Option<String> {
    set.selections.iter().find_map(|selection| match selection {
        Selection::Field(field) => {
            let need = NEEDS
                .iter()
                .find(|(kind, name, _)| *kind == set.ty.as_str() && *name == field.name.as_str());
            if need.is_some_and(|(_, _, feature)| !has(feature)) {
                return Some(format!("Cannot query field \"{}\" on type \"{}\".", field.name, set.ty));
            }
            missing_in(document, &field.selection_set, has)
        }
        Selection::InlineFragment(inline) => missing_in(document, &inline.selection_set, has),
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.fragment_name)?;
            missing_in(document, &fragment.selection_set, has)
        }
    })
}
