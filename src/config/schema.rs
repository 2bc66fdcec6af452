//! The JSON Schema of `mlops.yaml` for editors, and the reference table that is made of it. Pure.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::base::Kind;
use crate::train::{ESTIMATORS, Estimator};

use super::data::{MAX_SEED, SEED, TASKS, TEST, TYPES};
use super::drift as drift_keys;
use super::gates::{SLICE_REGRESSION, SLICE_ROWS, TIMEOUT};
use super::train::{MAX_REPEATS, REPEATS, TIMEOUT as TRAIN_TIMEOUT};
use super::values::{shown_duration, shown_share};
use super::wandb::REGISTRY;
use crate::drift;
use crate::evaluate::METRICS;
use crate::steps::{self, ITEM, MAX_RETRIES};

/// JSON Schema (draft 7, which every editor reads) of the surface that is there now.
pub fn schema() -> Value {
    schema_with(ESTIMATORS)
}

/// Every key, its values, its default and its meaning as a Markdown table, made of [`schema`].
pub fn reference_table() -> String {
    reference_table_with(ESTIMATORS)
}

pub fn schema_with(estimators: &[Kind<dyn Estimator>]) -> Value {
    let mut root = mapping(
        "",
        json!({
            "model": {
                "description": "The model's name in the registry.",
                "title": "a name of letters, digits, `-`, `_`, `.`",
                "type": "string",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
            },
            "environment": {
                "description": "Where lint, tests and your own code run: `auto` is the Python environment of your lock or requirements, where there is one.",
                "enum": ["auto", "none"],
                "default": "auto",
            },
            "data": data(),
            "steps": steps(),
            "train": train(estimators),
            "evaluate": evaluate(),
            "gates": gates(),
            "registry": {
                "description": "Where model versions are kept; `auto` is W&B where there is a key, else the repository itself.",
                "enum": ["auto", "wandb", "embedded"],
                "default": "auto",
            },
            "wandb": wandb(),
            "promote": mapping("What happens to a version that passes every gate.", json!({
                "to": {
                    "description": "The alias that moves.",
                    "title": "a name other than `candidate`",
                    "type": "string",
                    "default": "production",
                },
                "approval": {
                    "description": "Who lets it move: a maintainer's comment, the GitHub environment's reviewers, or nobody.",
                    "enum": ["comment", "environment", "auto"],
                    "default": "comment",
                },
            }), &[]),
        }),
        &["model", "data", "train"],
    );
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
    whole.insert("title".to_owned(), "mlops.yaml".into());
    if let Value::Object(root) = &mut root {
        root.remove("description");
        whole.append(root);
    }
    Value::Object(whole)
}

/// A mapping that knows its keys.
fn mapping(description: &str, properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({"description": description, "type": "object", "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema["properties"] = properties;
    schema
}

fn percent() -> Value {
    json!({"title": "a share such as `5%`", "type": "string", "pattern": "^[0-9]+(\\.[0-9]*)? *%$"})
}

fn share_or_percent() -> Value {
    json!([percent(), {"title": "a number from 0 to 1", "type": "number", "minimum": 0, "maximum": 1}])
}

fn margin() -> Value {
    json!([
        percent(),
        {"title": "a number in the metric's unit", "type": "number", "minimum": 0},
        {
            "title": "both, the greater counts: `{relative: 1%, absolute: 0.5}`",
            "type": "object",
            "additionalProperties": false,
            "minProperties": 1,
            "properties": {
                "relative": {"description": "As a share of production's value.", "anyOf": share_or_percent()},
                "absolute": {"description": "In the metric's unit.", "type": "number", "minimum": 0},
            },
        },
    ])
}

fn duration(description: &str) -> Value {
    json!({
        "description": description,
        "title": "a duration such as `90s`, `10m`, `1h30m`",
        "type": "string",
        "pattern": "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
    })
}

fn size(description: &str) -> Value {
    json!({
        "description": description,
        "title": "a size such as `10MB`, `10MiB`, or bytes",
        "type": ["string", "integer"],
        "pattern": "^[0-9]+(\\.[0-9]*)? *([KkMmGg][Ii]?)?[Bb]?$",
        "minimum": 1,
    })
}

fn column(description: &str) -> Value {
    json!({"description": description, "title": "a column", "type": ["string", "number"]})
}

fn data() -> Value {
    let bound = |description: &str| {
        json!({
            "description": description, "title": "a whole number", "type": "integer", "minimum": 0,
            "$comment": "no limit",
        })
    };
    let or_default = |mut schema: Value, comment: &str| {
        schema["$comment"] = comment.into();
        schema
    };
    let contract_column = json!({
        "description": "What one column must be; nothing after its name: it must be there.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "type": {"description": "What it holds; read as such.", "enum": TYPES, "$comment": "inferred"},
            "range": {
                "description": "The least and the greatest value, both allowed.",
                "title": "two numbers, `[10, 60]`",
                "type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2,
                "$comment": "no limit",
            },
            "nulls": {
                "description": "The greatest share of missing values.", "anyOf": share_or_percent(),
                "$comment": "no limit",
            },
            "one_of": {
                "description": "The allowed values.", "title": "a list of values", "type": "array",
                "items": {"type": ["string", "number", "boolean"]}, "minItems": 1, "$comment": "any",
            },
            "unique": {"description": "No value twice.", "type": "boolean", "default": false},
        },
    });
    let split = mapping(
        "Which rows are held out to judge the model.",
        json!({
            "test": {
                "description": "How much is held out; with `column` alone, its value that marks the held-out rows.",
                "title": "a share such as `0.2` or `20%`, or a number of rows",
                "type": ["number", "string"],
                "default": TEST,
            },
            "seed": {"description": "Fixes which rows are drawn.", "type": "integer", "minimum": 0, "maximum": MAX_SEED, "default": SEED},
            "stratify": or_default(column("Every value of this column is in both parts in its own share."), "none"),
            "group": or_default(column("No value of this column is in both parts; beside `column` it is checked."), "none"),
            "time": or_default(column("Beside `column`: no held-out row may be older by this column than a training row; it is checked."), "none"),
            "by": {"description": "`time`: the last values of `column` are held out.", "enum": ["time"], "$comment": "at random"},
            "column": or_default(column("The column with the time, or the one that marks the held-out rows."), "none"),
        }),
        &[],
    );
    let mut split = split;
    split["$comment"] = "20 % of the rows, stratified by the target for classes".into();
    let mut contract = mapping(
        "What data must be like; nothing trains on data that breaks it.",
        json!({
            "rows": mapping("How many rows there must be.", json!({
                "min": bound("The least number of rows."), "max": bound("The greatest number of rows."),
            }), &[]),
            "columns": {
                "description": "Column names and what each must be.",
                "type": "object",
                "additionalProperties": contract_column,
            },
        }),
        &[],
    );
    contract["$comment"] = "none".into();
    mapping(
        "What the model learns from.",
        json!({
            "source": {
                "description": "The data, relative to the repository's root.",
                "title": "a path or glob", "type": "string", "minLength": 1,
            },
            "target": column("The column to predict."),
            "task": {"description": "What is predicted.", "enum": TASKS, "$comment": "inferred from the target"},
            "exclude": {
                "description": "Columns that are not features.", "title": "a list of columns",
                "type": "array", "items": {"type": ["string", "number"]}, "default": [],
            },
            "split": split,
            "contract": contract,
        }),
        &["source", "target"],
    )
}

fn steps() -> Value {
    let list = |description: String, title: &str| {
        json!({
            "description": description, "title": title,
            "type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": true,
            "$comment": "none",
        })
    };
    let file = |description: &str, title: &str, pattern: &str| json!({"description": description, "title": title, "type": "string", "pattern": pattern, "$comment": "one of the three"});
    let mut timeout = duration("How long each attempt may take.");
    timeout["default"] = shown_duration(steps::TIMEOUT).into();
    let mut memory = size("How much memory it may take.");
    memory["$comment"] = "no limit".into();
    let properties = json!({
        "run": {
            "description": "A command, run by `sh` in the repository's root.", "title": "a command",
            "type": "string", "minLength": 1, "$comment": "one of the three",
        },
        "notebook": file("A notebook that is executed.", "the path of an `.ipynb` file", "\\.ipynb$"),
        "metaflow": file("A flow that is run.", "the path of a `.py` file", "\\.py$"),
        "params": {
            "description": format!("Parameters of the notebook or flow; `{ITEM}` in their texts is the item."),
            "title": "a mapping", "type": ["object", "null"], "default": {},
        },
        "inputs": list(
            format!("What it reads; it runs again when the content changed. `{ITEM}` is the item."),
            "a list of paths and globs; a directory is everything in it",
        ),
        "outputs": list(
            format!("What it makes; kept, and put back when it is gone. `{ITEM}` is the item."),
            "a list of paths and globs",
        ),
        "needs": list("Steps that come before, beside those whose outputs it reads.".to_owned(), "a list of steps"),
        "foreach": {
            "description": "Runs once for each item, at the same time where there are cores; the command has it as `$MLOPS_ITEM`.",
            "title": "a list of values", "type": "array", "items": {"type": ["string", "number", "boolean"]},
            "minItems": 1, "maxItems": steps::MAX_ITEMS, "uniqueItems": true, "$comment": "one run",
        },
        "retries": {
            "description": "How often a failed one is tried again.",
            "type": "integer", "minimum": 0, "maximum": MAX_RETRIES, "default": 0,
        },
        "timeout": timeout,
        "memory": memory,
        "network": {"description": "Whether it may use the network.", "type": "boolean", "default": true},
        "env": {
            "description": "Variables of the environment; never secrets.", "title": "names and texts",
            "type": "object", "patternProperties": {"^[A-Za-z_][A-Za-z0-9_]*$": {"type": ["string", "number", "boolean"]}},
            "additionalProperties": false, "default": {},
        },
    });
    let mut step = mapping(
        "One step: `run`, `notebook` or `metaflow`, and what it reads and makes.",
        properties,
        &[],
    );
    step["oneOf"] = json!([{"required": ["run"]}, {"required": ["notebook"]}, {"required": ["metaflow"]}]);
    step["title"] = "a mapping".into();
    json!({
        "description": "Your own steps before training, each run only when what it depends on changed.",
        "title": "names of `a` to `z`, digits, `-`, `_`",
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
        "additionalProperties": step,
        "$comment": "none",
    })
}

fn train(estimators: &[Kind<dyn Estimator>]) -> Value {
    let names: Vec<&str> = estimators.iter().map(|kind| kind.name).collect();
    let mut timeout = duration("How long your own trainer may take.");
    timeout["default"] = shown_duration(TRAIN_TIMEOUT).into();
    let path = |description: &str, pattern: &str| json!({"description": description, "title": "a path", "type": "string", "pattern": pattern, "$comment": "none"});
    let mut schema = mapping(
        "What learns: exactly one of `estimator`, `run`, `notebook`, `metaflow`.",
        json!({
            "estimator": {"description": "A built-in estimator.", "enum": names, "$comment": "none"},
            "run": {
                "description": "Your own trainer: a command that writes into `$MLOPS_OUTPUT`.",
                "title": "a command", "type": "string", "minLength": 1, "$comment": "none",
            },
            "notebook": path("Your own trainer: a notebook, executed with `params`.", "\\.ipynb$"),
            "metaflow": path("Your own trainer: a Metaflow flow, run with `params`.", "\\.py$"),
            "seed": {"description": "Fixes what training draws at random.", "type": "integer", "minimum": 0, "maximum": MAX_SEED, "default": SEED},
            "repeats": {
                "description": "With how many seeds, from `seed` on, a built-in estimator is trained; what they differ by is part of the comparison.",
                "type": "integer", "minimum": 1, "maximum": MAX_REPEATS, "default": REPEATS,
            },
            "params": {
                "description": "The estimator's own settings, named as in scikit-learn; or the parameters of your own trainer.",
                "type": ["object", "null"], "default": {},
            },
            "timeout": timeout,
            "memory": {
                "description": "How much memory the processes of your own trainer may take together.",
                "title": "a size such as `4GB`", "type": ["string", "integer"],
                "pattern": "^[0-9]+(\\.[0-9]*)? *([KkMmGg][Ii]?)?[Bb]?$", "minimum": 1, "$comment": "no limit",
            },
            "network": {"description": "Whether your own trainer may reach the network.", "type": "boolean", "default": true},
        }),
        &[],
    );
    schema["oneOf"] = ["estimator", "run", "notebook", "metaflow"]
        .map(|key| json!({"required": [key]}))
        .to_vec()
        .into();
    let of_each: Vec<Value> = estimators
        .iter()
        .map(|kind| {
            let mut params = (kind.schema)();
            params["type"] = json!(["object", "null"]);
            params["additionalProperties"] = false.into();
            for (_, param) in params["properties"].as_object_mut().into_iter().flatten() {
                param["description"] = sentence(param["description"].as_str().unwrap_or_default()).into();
            }
            json!({
                "if": {"properties": {"estimator": {"const": kind.name}}, "required": ["estimator"]},
                "then": {"properties": {"params": params}},
            })
        })
        .collect();
    if !of_each.is_empty() {
        schema["allOf"] = of_each.into();
    }
    schema
}

/// The estimators as a Markdown table.
pub fn estimator_table() -> String {
    let mut out = String::from("| `train.estimator` | what it is |\n|---|---|\n");
    for kind in ESTIMATORS {
        // Writing to a string can not fail.
        let _ = writeln!(out, "| `{}` | {} |", kind.name, sentence(kind.summary));
    }
    out
}

/// A remark as a sentence, like every other description.
fn sentence(remark: &str) -> String {
    let mut characters = remark.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(characters).chain(['.']).collect()
}

fn metric_names() -> Vec<&'static str> {
    METRICS.iter().map(|kind| kind.name).collect()
}

fn evaluate() -> Value {
    mapping(
        "How the model is judged.",
        json!({
            "metrics": {
                "description": "The metrics to report. The verdict stands on the first one that a gate judges, else on the first one here.",
                "title": "a list of metrics",
                "type": "array", "items": {"enum": metric_names()}, "$comment": "those of the task",
            },
            "slices": {
                "description": "Parts of the held-out rows that are looked at on their own.",
                "title": "a list of columns and `{column: [edges]}`",
                "type": "array",
                "items": {"anyOf": [
                    {"type": ["string", "number"]},
                    {
                        "type": "object", "minProperties": 1, "maxProperties": 1,
                        "additionalProperties": {"type": "array", "items": {"type": "number"}, "minItems": 2},
                    },
                ]},
                "default": [],
            },
        }),
        &[],
    )
}

/// How a linter is read that is not known by its name, and a look at notebooks.
fn lint_item() -> Value {
    let field = |description: &str| json!({"description": description, "title": "the name of a field", "type": "string", "$comment": "none"});
    json!({
        "title": "`{run: …, pattern: …}`, `{notebooks: …}`",
        "type": "object", "additionalProperties": false,
        "properties": {
            "run": {"description": "A linter that is not known by its name.", "title": "a command", "type": "string"},
            "pattern": {
                "description": "A regular expression for each line of its output, with the groups `path`, `line`, `column`, `rule`, `severity`, `message`.",
                "title": "a regular expression", "type": "string", "$comment": "none",
            },
            "format": {"description": "The format of its output.", "enum": ["sarif"], "$comment": "none"},
            "json": {
                "description": "Which fields of its JSON output are what.",
                "type": "object", "additionalProperties": false, "required": ["path"], "$comment": "none",
                "properties": {
                    "path": field("The file."),
                    "findings": field("The list of findings; without it the top is the list, or every line is one."),
                    "line": field("The line, from 1."),
                    "column": field("The column, from 1."),
                    "rule": field("The rule."),
                    "severity": field("The severity."),
                    "message": field("What is wrong."),
                },
            },
            "notebooks": {
                "description": "Notebooks that are looked at for kept outputs, order of execution and secrets.",
                "title": "a path or glob", "type": "string", "$comment": "none",
            },
        },
        "anyOf": [
            {"required": ["notebooks"]}, {"required": ["run", "pattern"]}, {"required": ["run", "format"]}, {"required": ["run", "json"]},
        ],
    })
}

/// A command with the report that it leaves.
fn test_item() -> Value {
    json!({
        "title": "`{run: …, junit: …}`",
        "type": "object", "additionalProperties": false, "required": ["run", "junit"],
        "properties": {
            "run": {"description": "A command whose tests are not known by its name.", "title": "a command", "type": "string"},
            "junit": {"description": "The JUnit report that it leaves.", "title": "a path", "type": "string", "minLength": 1},
        },
    })
}

fn gates() -> Value {
    let command = |description: &str, is_lint: bool| {
        let one = json!({"title": "a command", "type": "string"});
        let item = if is_lint {
            json!({"anyOf": [{"type": "string"}, lint_item()]})
        } else {
            json!({"anyOf": [{"type": "string"}, test_item()]})
        };
        let list = json!({"title": "a list of commands", "type": "array", "items": item, "minItems": 1});
        let mut timeout = duration("How long each command may take.");
        timeout["default"] = shown_duration(TIMEOUT).into();
        let mut properties = json!({
            "run": {"description": "The commands.", "anyOf": [one, list]},
            "timeout": timeout,
        });
        let mut ways = vec![json!({"title": "a command", "type": "string"}), list.clone()];
        if is_lint {
            properties["filter"] = json!({
                "description": "Which findings count on GitHub: those on lines that a change added, in files that it changed, or all.",
                "enum": ["added", "file", "all"], "default": "added",
            });
        }
        ways.push(json!({
            "title": "`{run: […], timeout: 10m}`",
            "type": "object", "additionalProperties": false, "required": ["run"],
            "properties": properties,
        }));
        ways.push(if is_lint { lint_item() } else { test_item() });
        json!({
            "description": description,
            "anyOf": ways,
            "$comment": "none",
        })
    };
    let metric = json!({
        "description": "What one metric must do; nothing after its name: the default margin.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "min": {"description": "The least value that passes.", "type": "number", "$comment": "no limit"},
            "max": {"description": "The greatest value that passes.", "type": "number", "$comment": "no limit"},
            "max_regression": {
                "description": "How much worse than production, on the same rows, is still the same.",
                "anyOf": margin(),
                "$comment": "2 % for errors, 0.01 for scores",
            },
            "require": {"description": "`improvement`: as good as production is not enough.", "enum": ["improvement"], "$comment": "nothing more"},
            "informational": {"description": "Shown, never judged.", "type": "boolean", "default": false},
        },
    });
    let metrics: Map<String, Value> = metric_names()
        .into_iter()
        .map(|name| (name.to_owned(), metric.clone()))
        .collect();
    let mut slices = mapping(
        "How the slices are judged.",
        json!({
            "max_regression": {
                "description": "How much worse a slice may be.", "anyOf": margin(),
                "default": shown_share(SLICE_REGRESSION),
            },
            "min_rows": {
                "description": "Slices with fewer rows are shown, not judged.",
                "type": "integer", "minimum": 2, "default": SLICE_ROWS,
            },
        }),
        &[],
    );
    slices["$comment"] = "shown, not judged".into();
    let mut train_time = duration("How long training may take.");
    train_time["$comment"] = "no limit".into();
    let mut model_size = size("How large the model may be.");
    model_size["$comment"] = "no limit".into();
    let mut budget = mapping(
        "What the model may cost.",
        json!({
            "model_size": model_size,
            "train_time": train_time,
        }),
        &[],
    );
    budget["$comment"] = "none".into();
    budget["minProperties"] = 1.into();
    mapping(
        "What must hold before a model is published; each is a check of its own.",
        json!({
            "lint": command("Commands that check the code.", true),
            "test": command("Commands that test the code.", false),
            "metrics": {
                "description": "Metrics and what each must do.",
                "type": "object", "additionalProperties": false, "properties": metrics,
                "$comment": "the first metric, with its default margin",
            },
            "slices": slices,
            "drift": drift_gate(),
            "budget": budget,
            "on_inconclusive": {
                "description": "What a comparison does that the rows can not decide.",
                "enum": ["warn", "fail"], "default": "warn",
            },
        }),
        &[],
    )
}

/// The policy alone, or everything about it.
fn drift_gate() -> Value {
    let policy =
        |description: &str| json!({"description": description, "enum": drift_keys::POLICIES, "default": "warn"});
    let names = |description: &str| {
        json!({
            "description": description, "title": "a list of columns",
            "type": "array", "items": {"type": ["string", "number"]}, "default": [],
        })
    };
    let part = |description: &str, default: f64| {
        json!({
            "description": description, "title": "a share such as `30%`",
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": "^[0-9]+(\\.[0-9]*)? *%$"},
            ],
            "default": default,
        })
    };
    let test = |kind: &str, of: drift::Kind| json!({"description": format!("The test of {kind}."), "enum": drift_tests(Some(of)), "$comment": "as Evidently chooses"});
    let method = json!({
        "description": "Mode `evidently`: the tests in the place of those that it chooses.",
        "type": "object", "additionalProperties": false, "$comment": "as Evidently chooses",
        "properties": {
            "num": test("numbers", drift::Kind::Num), "cat": test("categories", drift::Kind::Cat), "text": test("texts", drift::Kind::Text),
            "columns": {
                "description": "The test of one column.", "title": "columns and tests",
                "type": "object", "additionalProperties": {"enum": drift_tests(None)}, "default": {},
            },
        },
    });
    let threshold = json!({
        "description": "Mode `evidently`: the thresholds in the place of each test's own.",
        "title": "a number, or `{default: …, columns: {…}}`", "$comment": "each test's own",
        "anyOf": [
            {"type": "number", "minimum": 0},
            {
                "type": "object", "additionalProperties": false,
                "properties": {
                    "default": {"description": "The threshold of every test.", "type": "number", "minimum": 0, "$comment": "each test's own"},
                    "columns": {
                        "description": "The threshold of one column.", "title": "columns and numbers", "type": "object",
                        "additionalProperties": {"type": "number", "minimum": 0}, "default": {},
                    },
                },
            },
        ],
    });
    let whole = mapping(
        "Whether the data changed since production was trained.",
        json!({
            "policy": policy("What follows from drift; `retrain` trains on a schedule only when it drifted or is due."),
            "max_share": part("From this share of drifted columns on the whole data set drifted.", drift::MAX_SHARE),
            "mode": {
                "description": "`calibrated` corrects for the number of columns and for changes too small to matter; `evidently` \
                                computes what Evidently does.",
                "enum": drift_keys::MODES, "default": "calibrated",
            },
            "alpha": part("The chance of any false alarm over all columns.", drift::ALPHA),
            "min_effect": part("A smaller change is none: in standard deviations, or as a distance of shares.", drift::MIN_EFFECT),
            "min_rows": {"description": "Fewer rows decide nothing.", "type": "integer", "minimum": 2, "default": drift::MIN_ROWS},
            "include": names("Only these columns."),
            "exclude": names("Columns that are left out."),
            "types": {
                "description": "What a column is, where it is not as it looks.", "title": "columns and types",
                "type": "object", "additionalProperties": {"enum": drift_keys::KINDS}, "default": {},
            },
            "method": method,
            "threshold": threshold,
            "time_column": {
                "description": "Rows follow one another in the order of this column, so that fewer of them count.",
                "title": "a column", "type": ["string", "number"], "$comment": "none",
            },
            "seasonal": {
                "description": "Only reference rows of the same season are compared with; where there are too few, numbers by their change \
                                since one season earlier.",
                "enum": drift::Season::NAMES, "$comment": "all rows",
            },
            "reference": {
                "description": "Data in the place of what production was trained on.", "title": "a path or glob",
                "type": "string", "minLength": 1, "$comment": "what production was trained on",
            },
            "max_age": {
                "description": "Production that is older is due to be trained again.", "title": "a number of days such as `30d`",
                "type": "string", "pattern": "^[0-9]+d$", "$comment": "never",
            },
            "min_new_rows": {
                "description": "So many rows that production does not know make it due.",
                "type": "integer", "minimum": 1, "$comment": "never",
            },
        }),
        &[],
    );
    json!({
        "description": "Whether the data changed since production was trained, and what follows.",
        "title": "`ignore`, `warn`, `fail`, `retrain`; or `{policy: fail, max_share: 30%}`",
        "anyOf": [policy("What follows from drift."), whole],
        "default": "warn",
    })
}

/// The names of all tests, or of those for one kind of columns.
fn drift_tests(kind: Option<drift::Kind>) -> Vec<&'static str> {
    let fitting = drift::TESTS
        .iter()
        .filter(|test| kind.is_none_or(|kind| test.kinds.contains(&kind)));
    fitting.map(|test| test.name).collect()
}

fn wandb() -> Value {
    let name = |description: &str, absent: &str| {
        json!({
            "description": description, "title": "a name", "type": ["string", "number"], "minLength": 1,
            "maxLength": 128, "$comment": absent,
        })
    };
    let mut registry = name(
        "The registry that versions are linked to, with or without `wandb-registry-` before it.",
        "",
    );
    registry["default"] = REGISTRY.into();
    mapping(
        "Where runs and versions are in W&B. The key never stands here: it is the input `wandb-api-key` or the variable \
         `WANDB_API_KEY`.",
        json!({
            "entity": name("The team that runs and models belong to.", "the default of the key"),
            "project": name("The project of the runs.", "the model's name"),
            "registry": registry,
            "organization": name("Whose registry it is, by its name or its entity.", "that of the team"),
            "base_url": {
                "description": "The address of a server of your own.",
                "title": "an address such as `https://wandb.example.com`",
                "type": "string", "pattern": "^https?://[^@?#]+$",
                "$comment": "`WANDB_BASE_URL`, else the public W&B",
            },
            "required": {
                "description": "Whether a run that could not be tracked has not passed.",
                "type": "boolean", "default": false,
            },
            "share_key": {
                "description": "Whether lint, tests and training of this repository see the key, so that their own runs join the \
                                same group. Never in runs of forks.",
                "type": "boolean", "default": false,
            },
            "data": {
                "description": "`reference`: W&B knows the data by address and digest; `upload`: it gets a copy.",
                "enum": ["reference", "upload"], "default": "reference",
            },
        }),
        &[],
    )
}

pub fn reference_table_with(estimators: &[Kind<dyn Estimator>]) -> String {
    let mut out = "| key | values | default | meaning |\n|---|---|---|---|\n".to_owned();
    rows(&schema_with(estimators), "", &mut out);
    out
}

/// One row for every key below `schema`, in order.
fn rows(schema: &Value, path: &str, out: &mut String) {
    let join = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    // The metrics all have the same keys.
    let metrics = path == "gates.metrics";
    let properties = schema["properties"].as_object().into_iter().flatten();
    for (key, inner) in properties.take(if metrics { 1 } else { usize::MAX }) {
        let path = join(if metrics { "METRIC" } else { key });
        row(&path, inner, required.contains(&key.as_str()), out);
        rows(inner, &path, out);
    }
    if schema["additionalProperties"].is_object() {
        let path = join(if path == "steps" { "NAME" } else { "COLUMN" });
        row(&path, &schema["additionalProperties"], false, out);
        rows(&schema["additionalProperties"], &path, out);
    }
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        rows(alternative, path, out);
    }
    for conditional in schema["allOf"].as_array().into_iter().flatten() {
        let name = conditional["if"]["properties"]["estimator"]["const"]
            .as_str()
            .unwrap_or_default();
        let params = &conditional["then"]["properties"]["params"];
        for (key, inner) in params["properties"].as_object().into_iter().flatten() {
            row(&format!("{path}.params.{key}` (`{name}`)"), inner, false, out);
        }
    }
}

fn row(path: &str, schema: &Value, required: bool, out: &mut String) {
    let key = if path.ends_with(')') {
        format!("`{path}")
    } else {
        format!("`{path}`")
    };
    let default = if required {
        "required".to_owned()
    } else {
        match (&schema["default"], &schema["$comment"]) {
            (Value::Null, Value::String(comment)) => comment.clone(),
            (Value::Null, _) => String::new(),
            (Value::String(text), _) => format!("`{text}`"),
            (Value::Array(items), _) if items.is_empty() => "none".to_owned(),
            (Value::Object(entries), _) if entries.is_empty() => "none".to_owned(),
            (value, _) => format!("`{value}`"),
        }
    };
    let meaning = schema["description"].as_str().unwrap_or_default();
    let cells = [key, values(schema), default, meaning.to_owned()].map(|cell| cell.replace('|', "\\|"));
    let _ = writeln!(out, "| {} |", cells.join(" | ")); // Writing to a string can not fail.
}

/// The values of a key in words.
fn values(schema: &Value) -> String {
    if let Some(title) = schema["title"].as_str() {
        return title.to_owned();
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().map(|word| {
            word.as_str()
                .map_or_else(|| format!("`{word}`"), |word| format!("`{word}`"))
        });
        return words.collect::<Vec<_>>().join(", ");
    }
    if let Some(alternatives) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        return alternatives.iter().map(values).collect::<Vec<_>>().join("; or ");
    }
    let limits = |one: &str| {
        let number = |key: &str| schema[key].as_f64().filter(|limit| limit.abs() < 1e15);
        let lower = number("minimum").map(|limit| format!("at least {limit}"));
        let above = number("exclusiveMinimum").map(|limit| format!("above {limit}"));
        let upper = number("maximum").map(|limit| format!("at most {limit}"));
        let below = number("exclusiveMaximum").map(|limit| format!("below {limit}"));
        let all: Vec<String> = [lower, above, upper, below].into_iter().flatten().collect();
        if all.is_empty() {
            one.to_owned()
        } else {
            format!("{one}, {}", all.join(", "))
        }
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let words = types.iter().filter(|one| **one != "null").map(|one| match *one {
        "integer" => limits("a whole number"),
        "number" => limits("a number"),
        "boolean" => "`true`, `false`".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "a mapping".to_owned(),
        _ => "a text".to_owned(),
    });
    words.collect::<Vec<_>>().join(" or ")
}
