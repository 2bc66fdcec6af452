//! The files of a version, and what is known about it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::data::Frame;
use crate::evaluate::{Predictions, Truth};
use crate::facts::{Champion, Facts};
use crate::track::{Content, ModelRegistry, ModelVersion, RegistryError};
use crate::train::Model;

use super::draft::chain;
use super::drift;
use super::learn::Evaluated;
use super::onnx::OnnxModel;
use super::predictor::{HELD_OUT_FILE, HeldOut, Manifest, OwnModel, Predictor};
use super::seen::{self, Seen};
use super::steps::Made;

/// What `predict` and the next comparison load.
pub const MODEL_FILE: &str = "model.json";

const ONNX_FILE: &str = "model.onnx";
const PREDICTIONS_FILE: &str = "predictions.csv";
const PROFILE_FILE: &str = "profile.json";
/// Beyond this the answers of a model are not read back.
const MAX_HELD_OUT_BYTES: usize = 1 << 30;

/// The names that our own files have in a version that the repository's own code made.
pub const RESERVED: [&str; 7] = [
    MODEL_FILE,
    HELD_OUT_FILE,
    PREDICTIONS_FILE,
    PROFILE_FILE,
    seen::FILE,
    drift::FILE,
    drift::HELD_OUT_ROWS,
];

/// `model.json`, `model.onnx`, `predictions.csv`, `profile.json`, `drift.json`, `train_rows.bin`, `test_rows.bin`: the same for the same data, configuration
/// and seed. Of the repository's own model `held_out.json` and what it left stand in the place of `model.onnx`.
pub fn files(made: &Made) -> BTreeMap<String, Content> {
    let prepared = &made.ready.prepared;
    let profile = serde_json::to_vec(&prepared.profile).expect("a profile has text keys and finite numbers only");
    let predictions = predictions(&prepared.frame, &prepared.partition.test, &made.evaluated).into_bytes();
    let mut files: BTreeMap<String, Content> = [
        (MODEL_FILE, made.bytes.clone()),
        (PREDICTIONS_FILE, predictions),
        (PROFILE_FILE, profile),
        (seen::FILE, made.seen.to_bytes()),
        (
            drift::FILE,
            drift::kept(prepared, &made.evaluated.predictions).to_bytes(),
        ),
        (
            drift::HELD_OUT_ROWS,
            Seen::of(&prepared.frame, &made.model, &prepared.partition.test).to_bytes(),
        ),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes.into()))
    .into();
    match made.model.as_ref() {
        Predictor::BuiltIn(model) => {
            files.insert(ONNX_FILE.to_owned(), model.to_onnx().into());
        }
        Predictor::Own(own) => {
            files.insert(HELD_OUT_FILE.to_owned(), own.held_out.to_bytes().into());
        }
    }
    let left = made.left.iter();
    files.extend(left.map(|(name, content)| (name.clone(), content.clone())));
    files
}

/// `file,line,truth,prediction[,probability of each class]`, a line a held-out row.
fn predictions(frame: &Frame, rows: &[usize], evaluated: &Evaluated) -> String {
    let mut out = String::from("file,line,truth,prediction");
    if let Predictions::Classes { labels, .. } = &evaluated.predictions {
        for label in labels {
            out.push(',');
            out.push_str(&csv_field(&format!("p({label})")));
        }
    }
    out.push('\n');
    for (position, &row) in rows.iter().enumerate() {
        let place = frame.place(row);
        let truth = match &evaluated.truth {
            Truth::Numbers(values) => values[position].to_string(),
            Truth::Classes { codes, labels } => csv_field(label(labels, codes[position])),
        };
        // Writing to a string can not fail.
        let _ = write!(out, "{},{},{truth},", csv_field(&place.file), place.line);
        match &evaluated.predictions {
            Predictions::Numbers(values) => out.push_str(&values[position].to_string()),
            Predictions::Classes {
                codes,
                labels,
                probabilities,
            } => {
                out.push_str(&csv_field(label(labels, codes[position])));
                for p in probabilities.iter().skip(position * labels.len()).take(labels.len()) {
                    let _ = write!(out, ",{p}");
                }
            }
        }
        out.push('\n');
    }
    out
}

fn label(labels: &[String], code: u32) -> &str {
    labels.get(code as usize).map_or("", String::as_str)
}

/// A CSV field; quoted when it has to be.
pub fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// What the registry keeps beside the files: enough to gate a promotion and to draw a history.
pub fn metadata(facts: &Facts) -> Value {
    let evaluation = facts.evaluation.as_ref();
    let metrics: Map<String, Value> = evaluation
        .map(|evaluation| {
            evaluation
                .metrics
                .iter()
                .map(|m| (m.name.clone(), json!(m.value)))
                .collect()
        })
        .unwrap_or_default();
    let gates: Map<String, Value> = facts
        .gates
        .iter()
        .map(|gate| (gate.name.clone(), json!(gate.status.word())))
        .collect();
    json!({
        "program_version": facts.program_version,
        "commit": facts.commit,
        "verdict": facts.verdict,
        "reason": facts.reason,
        "passed": facts.passed,
        "gates_digest": facts.gates_digest,
        "champion": facts.comparison.as_ref().and_then(|comparison| match &comparison.champion {
            Champion::Version { version, .. } => Some(*version),
            Champion::Baseline { .. } => None,
        }),
        "primary": evaluation.map(|evaluation| &evaluation.primary),
        "metrics": metrics,
        "gates": gates,
        "task": facts.data.as_ref().map(|data| data.task),
        "data": facts.data.as_ref().map(|data| json!({
            "source": data.source,
            "digest": data.digest,
            "rows": data.n_rows,
            "train": data.n_train,
            "test": data.n_test,
            "split": data.split,
            "test_digest": data.test_digest,
        })),
        "training": facts.training.as_ref().map(|training| json!({
            "estimator": training.estimator,
            "params": training.params.iter().cloned().collect::<BTreeMap<String, String>>(),
            "seed": training.seed,
            "model_digest": training.digest,
        })),
    })
}

/// What is known about a version after it met another champion: lint, tests and budget stand, the rest is new.
pub fn judged_again(before: &Value, facts: &Facts) -> Value {
    let mut after = before.clone();
    let fresh = metadata(facts);
    for key in [
        "gates_digest",
        "champion",
        "verdict",
        "reason",
        "primary",
        "metrics",
        "task",
        "data",
    ] {
        after[key] = fresh[key].clone();
    }
    if let (Some(gates), Some(fresh)) = (after["gates"].as_object_mut(), fresh["gates"].as_object()) {
        gates.extend(fresh.iter().map(|(name, status)| (name.clone(), status.clone())));
    }
    let any_failed = after["gates"]
        .as_object()
        .is_none_or(|gates| gates.values().any(|status| status == "fail"));
    after["passed"] = (facts.passed && !any_failed).into();
    after
}

/// The model of a version; the inner error says why its file can not be used.
pub async fn load_model(
    registry: &dyn ModelRegistry,
    version: &ModelVersion,
) -> Result<Result<Predictor, String>, RegistryError> {
    let has = |name: &str| version.files.contains_key(name);
    if !has(MODEL_FILE) {
        return Ok(Err(format!("it has no `{MODEL_FILE}`")));
    }
    let bytes = registry.read(version, MODEL_FILE).await?;
    let manifest = match Manifest::from_bytes(&bytes) {
        None => {
            let model = Model::from_bytes(&bytes).map_err(|error| error.to_string());
            return Ok(model.map(|model| Predictor::BuiltIn(Box::new(model))));
        }
        Some(Err(why)) => return Ok(Err(why)),
        Some(Ok(manifest)) => manifest,
    };
    if !has(HELD_OUT_FILE) {
        return Ok(Err(format!("it has no `{HELD_OUT_FILE}`")));
    }
    let answers = registry.read(version, HELD_OUT_FILE).await?;
    if answers.len() > MAX_HELD_OUT_BYTES {
        return Ok(Err(format!("its `{HELD_OUT_FILE}` is too large")));
    }
    let held_out = match HeldOut::from_bytes(&answers, manifest.task, manifest.labels.len()) {
        Ok(held_out) => held_out,
        Err(why) => return Ok(Err(format!("its `{HELD_OUT_FILE}` can not be used: {why}"))),
    };
    let onnx = match manifest.onnx.as_deref().filter(|name| has(name)) {
        None => None,
        Some(name) => match OnnxModel::new(&registry.read(version, name).await?) {
            Ok(onnx) => Some(onnx),
            Err(error) => return Ok(Err(format!("its `{name}` can not be used: {}", chain(&error)))),
        },
    };
    Ok(Ok(Predictor::Own(Box::new(OwnModel {
        manifest,
        held_out,
        onnx,
    }))))
}
