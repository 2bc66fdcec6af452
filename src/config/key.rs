//! What of a project decides the trained model, in a form that compares. Pure.

use serde_json::{Map, Value, json};

use crate::data::{ColumnType, Size, SplitKind};

use super::project::Project;

/// Everything in the configuration that the trained model depends on: data settings with declared types but without
/// the limits of the contract, split, estimator with every parameter, seed.
///
/// Equal settings have equal keys however they are written: defaults are written out, excluded columns are sorted.
/// The content of the data is not part of it.
pub fn training_key(project: &Project) -> Value {
    let data = &project.data;
    let mut exclude: Vec<&str> = data.exclude.iter().map(|(column, _)| column.as_str()).collect();
    exclude.sort_unstable();
    let split = data.split.as_ref().map(|split| match &split.kind {
        SplitKind::Random { test } => json!({"by": "random", "test": size(*test), "seed": split.seed}),
        SplitKind::Stratified { column, test } => {
            json!({"by": "stratify", "column": column, "test": size(*test), "seed": split.seed})
        }
        SplitKind::Group { column, test } => {
            json!({"by": "group", "column": column, "test": size(*test), "seed": split.seed})
        }
        SplitKind::Time { column, test } => json!({"by": "time", "column": column, "test": size(*test)}),
        SplitKind::Column {
            column,
            test,
            group,
            time,
        } => {
            json!({"by": "column", "column": column, "test": test, "group": group, "time": time})
        }
    });
    let types: Map<String, Value> = data
        .declared_types()
        .into_iter()
        .map(|(column, kind)| (column, type_name(kind).into()))
        .collect();
    let params: Map<String, Value> = project
        .train
        .trainer
        .params()
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    json!({
        "data": {
            "source": data.source,
            "target": data.target,
            "task": data.task.map(crate::base::Task::name),
            "exclude": exclude,
            "split": split,
            "types": types,
        },
        "train": {
            "estimator": project.train.trainer.name(),
            "params": params,
            "seed": project.train.seed,
        },
    })
}

fn size(size: Size) -> Value {
    match size {
        Size::Share(share) => json!({"share": share}),
        Size::Rows(rows) => json!({"rows": rows}),
    }
}

fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Float => "float",
        ColumnType::Integer => "integer",
        ColumnType::Boolean => "boolean",
        ColumnType::Text => "text",
        ColumnType::Timestamp => "timestamp",
    }
}
