//! Tables: a file of the run, which charts are drawn from, and an artifact, which is where the app looks for them. Pure.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json, json};

use super::{Medium, Value, path, safe};
use crate::base::Digest;
use crate::wandb::artifacts::ClientIds;
use crate::wandb::lines;

/// The most that the name of an artifact may have.
const MAX_NAME: usize = 128;

#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub key: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

/// A table as a file of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct TableFile {
    pub path: String,
    pub bytes: Vec<u8>,
    key: String,
    sha256: String,
    n_columns: usize,
    n_rows: usize,
}

/// A table as an artifact of type `run_table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTable {
    pub name: String,
    /// Of its only file.
    pub path: String,
    pub bytes: Vec<u8>,
}

impl Table {
    /// As it belongs to a step of the run.
    pub fn file(&self, step: u64) -> TableFile {
        let bytes = self.written().into_bytes();
        let sha256 = Digest::of(&bytes).hex();
        TableFile {
            path: path("table", &self.key, step, &sha256, ".table.json"),
            key: self.key.clone(),
            n_columns: self.columns.len(),
            n_rows: self.rows.len(),
            bytes,
            sha256,
        }
    }

    /// One row after the other; what is no number stays as it is.
    fn written(&self) -> String {
        let list = |values: Vec<String>| format!("[{}]", values.join(","));
        let columns = list(self.columns.iter().map(|column| lines::text(column)).collect());
        let rows = self.rows.iter();
        let rows = list(rows.map(|row| list(row.iter().map(Value::written).collect())).collect());
        format!("{{\"columns\":{columns},\"data\":{rows}}}")
    }

    /// With the types of the columns; what is no number is missing.
    pub fn artifact(&self, run: &str) -> RunTable {
        let data: Vec<Json> = self
            .rows
            .iter()
            .map(|row| row.iter().map(json_of).collect::<Vec<_>>().into())
            .collect();
        let types: Map<String, Json> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| (column.clone(), self.type_of(at)))
            .collect();
        let content = json!({
            "_type": "table",
            "column_types": {"params": {"type_map": types}, "wb_type": "typedDict"},
            "columns": self.columns,
            "data": data,
            "log_mode": "IMMUTABLE",
            "ncols": self.columns.len(),
            "nrows": self.rows.len(),
        });
        RunTable {
            name: artifact_name(&format!("run-{run}-{}", self.key)),
            path: artifact_path(&self.key),
            bytes: content.to_string().into_bytes(),
        }
    }

    /// Everything may be missing; where there is more than one type, anything goes.
    fn type_of(&self, column: usize) -> Json {
        let found: BTreeSet<&str> = self
            .rows
            .iter()
            .filter_map(|row| match row.get(column)? {
                Value::Number(value) if !value.is_finite() => None,
                Value::Number(_) | Value::Whole(_) => Some("number"),
                Value::Truth(_) => Some("boolean"),
                Value::Text(_) => Some("string"),
                Value::Json(_) => Some("any"),
                Value::Missing => None,
            })
            .collect();
        let only = found.iter().next().copied().unwrap_or("none");
        if found.len() > 1 || only == "any" {
            return json!({"wb_type": "any"});
        }
        if only == "none" {
            return json!({"wb_type": "none"});
        }
        let allowed: Vec<Json> = BTreeSet::from([only, "none"])
            .into_iter()
            .map(|name| json!({ "wb_type": name }))
            .collect();
        json!({"params": {"allowed_types": allowed}, "wb_type": "union"})
    }
}

impl TableFile {
    /// What the history says; `artifact` is how the one with the same table is known.
    pub fn cell(&self, artifact: Option<&ClientIds>) -> Value {
        let mut cell = json!({
            "_type": "table-file",
            "path": self.path,
            "sha256": self.sha256,
            "size": self.bytes.len(),
            "ncols": self.n_columns,
            "nrows": self.n_rows,
            "log_mode": "IMMUTABLE",
        });
        if let Some(ids) = artifact {
            let file = artifact_path(&self.key);
            cell["artifact_path"] = format!("wandb-client-artifact://{}/{file}", ids.artifact).into();
            cell["_latest_artifact_path"] = format!("wandb-client-artifact://{}:latest/{file}", ids.sequence).into();
        }
        Value::Json(cell)
    }

    pub fn medium(self, artifact: Option<&ClientIds>) -> Medium {
        Medium {
            cell: self.cell(artifact),
            path: self.path,
            bytes: self.bytes,
        }
    }
}

fn artifact_path(key: &str) -> String {
    format!("{}.table.json", safe(key))
}

/// Only what names of artifacts may have; a name that had more is told apart by its checksum.
fn artifact_name(name: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let plain: String = name.chars().filter(is_plain).collect();
    if plain == name && name.len() <= MAX_NAME {
        return plain;
    }
    let checksum = URL_SAFE_NO_PAD.encode(crc32fast::hash(name.as_bytes()).to_be_bytes());
    let room = MAX_NAME - checksum.len() - 1;
    format!("{}-{checksum}", plain.get(..room).unwrap_or(&plain))
}

/// As the artifact has it, which must be JSON.
fn json_of(value: &Value) -> Json {
    match value {
        Value::Number(value) => (*value).into(), // Null, if it is none.
        Value::Whole(value) => (*value).into(),
        Value::Truth(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
        Value::Missing => Json::Null,
        Value::Json(value) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let text = |text: &str| Value::Text(text.to_owned());
        Table {
            key: "pre/tab le".to_owned(),
            columns: ["id", "p", "ok", "name"].map(str::to_owned).to_vec(),
            rows: vec![
                vec![Value::Whole(1), Value::Number(0.5), Value::Truth(true), text("a")],
                vec![
                    Value::Whole(2),
                    Value::Number(f64::NAN),
                    Value::Truth(false),
                    text("é\""),
                ],
                vec![Value::Whole(3), Value::Number(1.0), Value::Missing, Value::Missing],
            ],
        }
    }

    /// Written by the official client 0.31.0 for the same table at step 0.
    #[test]
    fn the_file_is_the_one_of_the_official_client() {
        let file = table().file(0);
        let expected =
            r#"{"columns":["id","p","ok","name"],"data":[[1,0.5,true,"a"],[2,NaN,false,"é\""],[3,1.0,null,null]]}"#;
        assert_eq!(String::from_utf8(file.bytes.clone()).unwrap(), expected);
        assert_eq!(file.path, "media/table/pre/tab le_0_f4d9077a4d5e769dfdb9.table.json");
        let ids = ClientIds {
            artifact: "aaa".to_owned(),
            sequence: "sss".to_owned(),
        };
        let mut cell = json!({
            "_type": "table-file", "ncols": 4, "nrows": 3, "size": 99, "log_mode": "IMMUTABLE",
            "sha256": "f4d9077a4d5e769dfdb9c987c3aa3eda1c4e0a49b851ee2fa62ed8183fab1660",
            "path": "media/table/pre/tab le_0_f4d9077a4d5e769dfdb9.table.json",
        });
        assert_eq!(file.cell(None), Value::Json(cell.clone()));
        cell["artifact_path"] = "wandb-client-artifact://aaa/pre/tab le.table.json".into();
        cell["_latest_artifact_path"] = "wandb-client-artifact://sss:latest/pre/tab le.table.json".into();
        assert_eq!(file.cell(Some(&ids)), Value::Json(cell));
    }

    /// Name, path and content as the official client 0.31.0 has them for the same table of the run `r1`.
    #[test]
    fn the_artifact_is_the_one_of_the_official_client() {
        let artifact = table().artifact("r1");
        assert_eq!(artifact.name, "run-r1-pretable-8Va1OA");
        assert_eq!(artifact.path, "pre/tab le.table.json");
        let expected = r#"{"_type": "table", "column_types": {"params": {"type_map": {"id": {"params": {"allowed_types": [{"wb_type": "none"}, {"wb_type": "number"}]}, "wb_type": "union"}, "name": {"params": {"allowed_types": [{"wb_type": "none"}, {"wb_type": "string"}]}, "wb_type": "union"}, "ok": {"params": {"allowed_types": [{"wb_type": "boolean"}, {"wb_type": "none"}]}, "wb_type": "union"}, "p": {"params": {"allowed_types": [{"wb_type": "none"}, {"wb_type": "number"}]}, "wb_type": "union"}}}, "wb_type": "typedDict"}, "columns": ["id", "p", "ok", "name"], "data": [[1, 0.5, true, "a"], [2, null, false, "\u00e9\""], [3, 1.0, null, null]], "log_mode": "IMMUTABLE", "ncols": 4, "nrows": 3}"#;
        let ours: Json = serde_json::from_slice(&artifact.bytes).unwrap();
        assert_eq!(ours, serde_json::from_str::<Json>(expected).unwrap());
    }

    #[test]
    fn columns_without_one_type_hold_anything() {
        let column = |values: Vec<Value>| {
            let table = Table {
                key: String::new(),
                columns: vec!["x".to_owned()],
                rows: values.into_iter().map(|value| vec![value]).collect(),
            };
            table.type_of(0)
        };
        let mixed = column(vec![Value::Whole(1), Value::Text("x".to_owned())]);
        assert_eq!(mixed, json!({"wb_type": "any"}));
        assert_eq!(column(vec![Value::Json(json!({}))]), json!({"wb_type": "any"}));
        let nothing = json!({"wb_type": "none"});
        assert_eq!(column(vec![Value::Missing, Value::Number(f64::INFINITY)]), nothing);
        assert_eq!(column(Vec::new()), nothing);
    }

    #[test]
    fn names_of_artifacts_stay_apart() {
        assert_eq!(artifact_name("run-r1-sc_table"), "run-r1-sc_table");
        assert_eq!(artifact_name("run-r1-c/line_table"), "run-r1-cline_table-G4rtlQ");
        let (one, other) = (
            artifact_name(&"x".repeat(129)),
            artifact_name(&format!("{}y", "x".repeat(128))),
        );
        assert_eq!(one.len(), MAX_NAME);
        assert_ne!(one, other);
    }
}
