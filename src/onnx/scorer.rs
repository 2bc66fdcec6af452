//! A whole model: what it asks for, what it answers, and the answers for a table. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use prost::Message;

use super::OnnxError;
use super::graph::{ML, Meter, Program, free_inputs};
use super::proto::{self, element};
use super::tensor::{Data, Fault, Tensor, Value, single, utf8, whole};

/// Versions of the operators that are known: before 7 the default domain repeats smaller inputs by other rules.
const VERSIONS: [(&str, i64, i64); 2] = [("", 7, 26), (ML, 1, 5)];

const BATCH_ROWS: usize = 1024;
/// What one call may take: a fixed part and one for each row, in steps of some nanoseconds.
const STEPS: u64 = 1 << 30;
const STEPS_A_ROW: u64 = 1 << 26;

/// What an input is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Float,
    Double,
    Int64,
    Bool,
    Text,
}

impl Kind {
    fn told(self) -> &'static str {
        match self {
            Self::Float | Self::Double => "numbers",
            Self::Int64 => "whole numbers without missing ones",
            Self::Bool => "booleans without missing ones",
            Self::Text => "text",
        }
    }
}

/// What a model asks for by one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub name: String,
    pub kind: Kind,
    /// The length of each axis, absent where it varies; one or two axes.
    pub shape: Vec<Option<usize>>,
}

impl Input {
    /// How many columns it takes, if the model says.
    pub fn n_columns(&self) -> Option<usize> {
        self.shape.get(1).copied().unwrap_or(Some(1))
    }
}

/// What a model answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Numbers, one or more a row.
    Values,
    /// A class a row, and scores of all classes unless the model keeps them to itself. The classes are in the order of
    /// the scores, and absent if the model does not name them.
    Classes { scores: bool, classes: Option<Vec<Label>> },
}

/// The name of a class.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    Int(i64),
    Text(Arc<str>),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The values of one column; NaN and the empty text are missing.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    Numbers(&'a [f64]),
    Texts(&'a [&'a str]),
}

impl Column<'_> {
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }
}

/// What a model said about a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Scores {
    /// Rows × targets, row by row.
    Values { values: Vec<f64>, n_targets: usize },
    /// `scores` are rows × classes, row by row, and empty if there are none. They are probabilities if the model's are.
    Classes {
        labels: Vec<Label>,
        scores: Vec<f64>,
        n_classes: usize,
    },
}

impl Scores {
    /// Adds the answers for the rows that come next.
    fn extend(&mut self, next: Self) -> Result<(), OnnxError> {
        let widths = match (self, next) {
            (
                Self::Values { values, n_targets },
                Self::Values {
                    values: next,
                    n_targets: width,
                },
            ) => {
                let before = if values.is_empty() { width } else { *n_targets };
                *n_targets = width;
                values.extend(next);
                (before, width)
            }
            (
                Self::Classes {
                    labels,
                    scores,
                    n_classes,
                },
                Self::Classes {
                    labels: next,
                    scores: more,
                    n_classes: width,
                },
            ) => {
                let before = if labels.is_empty() { width } else { *n_classes };
                *n_classes = width;
                labels.extend(next);
                scores.extend(more);
                (before, width)
            }
            _ => (0, 1),
        };
        if widths.0 == widths.1 {
            Ok(())
        } else {
            Err(OnnxError::Invalid(
                "it answers rows with different numbers of values".to_owned(),
            ))
        }
    }

    /// Whether the first row is what the only row of `alone` is.
    fn begins_with(&self, alone: &Self) -> bool {
        let same = |a: &[f64], b: &[f64]| {
            a.len() >= b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.total_cmp(b).is_eq() || (a.is_nan() && b.is_nan()))
        };
        match (self, alone) {
            (
                Self::Values { values, n_targets },
                Self::Values {
                    values: alone,
                    n_targets: width,
                },
            ) => n_targets == width && same(values, alone),
            (
                Self::Classes {
                    labels,
                    scores,
                    n_classes,
                },
                Self::Classes {
                    labels: label,
                    scores: alone,
                    n_classes: width,
                },
            ) => n_classes == width && labels.first() == label.first() && same(scores, alone),
            _ => false,
        }
    }
}

/// A model that has been checked and can be asked.
#[derive(Debug)]
pub struct Scorer {
    program: Program,
    inputs: Vec<Input>,
    answer: Answer,
    batch_rows: usize,
}

impl Scorer {
    /// Reads a model of at most `limit_bytes`.
    ///
    /// # Errors
    /// What it says or asks for that is not known, by name; nothing of it is found out only when it is scored but that
    /// shapes do not fit.
    pub fn new(bytes: &[u8], limit_bytes: usize) -> Result<Self, OnnxError> {
        if bytes.len() > limit_bytes {
            return Err(OnnxError::TooLarge {
                size_bytes: bytes.len(),
                limit_bytes,
            });
        }
        proto::measure(bytes).map_err(OnnxError::Broken)?;
        let model = proto::Model::decode(bytes).map_err(OnnxError::Decode)?;
        let graph = model.graph.ok_or(OnnxError::Broken("it has no graph"))?;
        let opsets = opsets(&model.opsets)?;
        let inputs = free_inputs(&graph).map(input).collect::<Result<Vec<_>, _>>()?;
        if inputs.is_empty() {
            return Err(OnnxError::Invalid("it has no inputs".to_owned()));
        }
        let answer = answer(&graph)?;
        let program = Program::new(&graph, &opsets, 0)?;
        let fixed = inputs.iter().filter_map(|input| input.shape[0]).min();
        Ok(Self {
            program,
            inputs,
            answer,
            batch_rows: fixed.unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS),
        })
    }

    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The names of the columns to be given, unless the model has one input for all of them (or several for some).
    pub fn column_names(&self) -> Option<Vec<&str>> {
        let one_each = self.inputs.len() > 1 || self.inputs[0].n_columns() == Some(1);
        (one_each && self.inputs.iter().all(|input| input.n_columns().is_none_or(|n| n == 1)))
            .then(|| self.inputs.iter().map(|input| input.name.as_str()).collect())
    }

    /// The answers for each row. A model with an input a column finds its columns by name, and others are not looked
    /// at; a model with one matrix takes all columns as they stand.
    ///
    /// # Errors
    /// [`OnnxError::Columns`] and [`OnnxError::Column`] if the columns are not what the model asks for,
    /// [`OnnxError::Node`] if what they are does not fit together within.
    pub fn score(&self, columns: &[(&str, Column)]) -> Result<Scores, OnnxError> {
        let taken = self.taken(columns)?;
        let n_rows = columns.first().map_or(0, |(_, column)| column.len());
        if let Some((name, column)) = columns.iter().find(|(_, column)| column.len() != n_rows) {
            return Err(OnnxError::Columns {
                expected: "columns of equally many rows".to_owned(),
                found: format!("{n_rows} in `{}` and {} in `{name}`", columns[0].0, column.len()),
            });
        }
        let meter = Meter::new(STEPS.saturating_add(STEPS_A_ROW.saturating_mul(n_rows as u64)));
        let mut scores = self.nothing();
        let (mut start, mut batch_rows) = (0, self.batch_rows);
        while start < n_rows {
            let end = n_rows.min(start + batch_rows);
            match self.batch(&taken, start, end, &meter) {
                Ok(batch) => scores.extend(batch)?,
                Err(OnnxError::Node {
                    fault: Fault::TooLarge, ..
                }) if end - start > 1 => {
                    batch_rows = ((end - start) / 8).max(1);
                    continue;
                }
                Err(error) => return Err(error),
            }
            // Some shapes mean another thing for a single row, so that only an answer counts.
            if start == 0
                && end > 1
                && let Ok(alone) = self.batch(&taken, 0, 1, &meter)
                && !scores.begins_with(&alone)
            {
                return Err(OnnxError::Invalid(
                    "what it answers for a row depends on the other rows".to_owned(),
                ));
            }
            start = end;
        }
        Ok(scores)
    }

    fn nothing(&self) -> Scores {
        match &self.answer {
            Answer::Values => Scores::Values {
                values: Vec::new(),
                n_targets: 0,
            },
            Answer::Classes { .. } => Scores::Classes {
                labels: Vec::new(),
                scores: Vec::new(),
                n_classes: 0,
            },
        }
    }

    /// The answers for some of the rows.
    fn batch(
        &self,
        taken: &[Vec<(&str, Column)>],
        start: usize,
        end: usize,
        meter: &Meter,
    ) -> Result<Scores, OnnxError> {
        let inputs = self
            .inputs
            .iter()
            .zip(taken)
            .map(|(input, columns)| tensor(input, columns, start, end).map(|tensor| Arc::new(tensor.into())))
            .collect::<Result<_, _>>()?;
        let outputs = self.program.run(inputs, meter.fresh())?;
        let mut scores = self.nothing();
        append(&mut scores, &outputs, end - start)?;
        Ok(scores)
    }

    /// The columns of each input.
    fn taken<'a>(&self, columns: &'a [(&'a str, Column<'a>)]) -> Result<Vec<Vec<(&'a str, Column<'a>)>>, OnnxError> {
        if let Some(names) = self.column_names() {
            return names
                .into_iter()
                .map(
                    |wanted| match (columns.iter().find(|(name, _)| *name == wanted), columns) {
                        (Some(column), _) => Ok(vec![*column]),
                        // A matrix of one column has a name of its own.
                        (None, [only]) if self.inputs.len() == 1 => Ok(vec![*only]),
                        (None, _) => Err(OnnxError::Columns {
                            expected: format!("a column `{wanted}`"),
                            found: "none of that name".to_owned(),
                        }),
                    },
                )
                .collect();
        }
        let known: Option<Vec<usize>> = self.inputs.iter().map(Input::n_columns).collect();
        let widths = match known {
            Some(widths) => widths,
            None if self.inputs.len() == 1 => vec![columns.len()],
            None => {
                return Err(OnnxError::Invalid(
                    "it has several inputs and does not say how wide they are".to_owned(),
                ));
            }
        };
        let n_columns = widths.iter().try_fold(0_usize, |sum, &width| sum.checked_add(width));
        if n_columns != Some(columns.len()) || columns.is_empty() {
            return Err(OnnxError::Columns {
                expected: n_columns.map_or("more columns than there can be".to_owned(), |n| format!("{n} columns")),
                found: columns.len().to_string(),
            });
        }
        let mut rest = columns;
        Ok(widths
            .into_iter()
            .map(|width| {
                let (of_input, others) = rest.split_at(width);
                rest = others;
                of_input.to_vec()
            })
            .collect())
    }
}

/// The versions of the domains that are known. Of others there are no operators.
fn opsets(given: &[proto::Opset]) -> Result<BTreeMap<String, i64>, OnnxError> {
    let mut opsets = BTreeMap::new();
    for proto::Opset { domain, version } in given {
        let domain = if domain == "ai.onnx" { "" } else { domain.as_str() };
        if let Some(&(_, oldest, newest)) = VERSIONS.iter().find(|(known, ..)| *known == domain) {
            if !(oldest..=newest).contains(version) {
                return Err(OnnxError::Version {
                    domain: if domain.is_empty() {
                        "ai.onnx".to_owned()
                    } else {
                        domain.to_owned()
                    },
                    version: *version,
                    oldest,
                    newest,
                });
            }
            opsets.insert(domain.to_owned(), *version);
        }
    }
    Ok(opsets)
}

fn input(value: &proto::Value) -> Result<Input, OnnxError> {
    let refused = |what: &str| OnnxError::Invalid(format!("its input `{}` {what}", value.name));
    let tensor = value.of.as_ref().and_then(|of| of.tensor.as_ref());
    let tensor = tensor.ok_or_else(|| refused("is not a tensor"))?;
    let kind = match tensor.element {
        element::FLOAT => Kind::Float,
        element::DOUBLE => Kind::Double,
        element::INT64 | element::INT32 => Kind::Int64,
        element::BOOL => Kind::Bool,
        element::TEXT => Kind::Text,
        _ => return Err(refused("is of a kind that is not known")),
    };
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dims);
    let shape = dims
        .iter()
        .map(|dim| match dim.length {
            // Some exporters write what varies as 0 or −1.
            Some(length) if length > 0 => usize::try_from(length).map(Some).map_err(|_| refused("is too long")),
            _ => Ok(None),
        })
        .collect::<Result<Vec<_>, _>>()?;
    match shape.len() {
        // Nothing is said: rows and columns.
        0 => Ok(vec![None, None]),
        1 | 2 => Ok(shape),
        n => Err(refused(&format!("has {n} axes, not rows and columns"))),
    }
    .map(|shape| Input {
        name: value.name.clone(),
        kind,
        shape,
    })
}

/// Values if the first output is real numbers, classes if it is whole numbers or texts.
fn answer(graph: &proto::Graph) -> Result<Answer, OnnxError> {
    let element = |output: &proto::Value| {
        output
            .of
            .as_ref()
            .and_then(|of| of.tensor.as_ref())
            .map(|tensor| tensor.element)
    };
    let Some(first) = graph.outputs.first() else {
        return Err(OnnxError::Invalid("it has no outputs".to_owned()));
    };
    match element(first) {
        Some(element::FLOAT | element::DOUBLE) if graph.outputs.len() == 1 => Ok(Answer::Values),
        Some(element::TEXT | element::INT64 | element::INT32) => {
            let scored = |output: &proto::Value| {
                matches!(element(output), Some(element::FLOAT | element::DOUBLE))
                    || output.of.as_ref().is_some_and(|of| of.sequence.is_some())
            };
            if !graph.outputs[1..].iter().all(scored) {
                return Err(OnnxError::Invalid(format!(
                    "its outputs {:?} are not a class and its scores",
                    graph.outputs.iter().map(|output| &output.name).collect::<Vec<_>>()
                )));
            }
            Ok(Answer::Classes {
                scores: graph.outputs.len() > 1,
                classes: classes(graph),
            })
        }
        _ => Err(OnnxError::Invalid(format!(
            "its outputs {:?} are neither one list of numbers, nor a class and its scores",
            graph.outputs.iter().map(|output| &output.name).collect::<Vec<_>>()
        ))),
    }
}

/// The classes in the order of the scores, from where the scores or the labels are named: the keys of a `ZipMap`, the
/// labels of a classifier, or the constant list of which the best one is taken.
fn classes(graph: &proto::Graph) -> Option<Vec<Label>> {
    let makers: BTreeMap<&str, &proto::Node> = graph
        .nodes
        .iter()
        .flat_map(|node| node.outputs.iter().map(move |output| (output.as_str(), node)))
        .collect();
    let constants: BTreeSet<&str> = graph.initializers.iter().map(|tensor| tensor.name.as_str()).collect();
    let from = |name: &str| {
        let mut name = name;
        // As long as the class stays what it is.
        for _ in 0..16 {
            let node = makers.get(name)?;
            if let Some(labels) = named_classes(node) {
                return Some(labels);
            }
            let first = node.inputs.first()?.as_str();
            match node.operator.as_str() {
                "ArrayFeatureExtractor" | "Gather" if constants.contains(first) => {
                    return labels(Program::constant(graph, first)?.data()).ok();
                }
                "Cast" | "Identity" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" => name = first,
                _ => return None,
            }
        }
        None
    };
    let maps = graph.outputs.get(1).and_then(|scores| makers.get(scores.name.as_str()));
    let maps = maps
        .filter(|node| node.operator == "ZipMap")
        .and_then(|node| named_classes(node));
    maps.or_else(|| from(&graph.outputs[0].name))
}

fn named_classes(node: &proto::Node) -> Option<Vec<Label>> {
    node.attributes
        .iter()
        .filter(|attribute| attribute.name.starts_with("classlabels_"))
        .find_map(|attribute| {
            let texts = attribute.texts.iter().map(|text| utf8(text).ok().map(Label::Text));
            let ints = attribute.ints.iter().map(|&value| Some(Label::Int(value)));
            let labels: Vec<Label> = texts.chain(ints).collect::<Option<_>>()?;
            (!labels.is_empty()).then_some(labels)
        })
}

fn labels(data: &Data) -> Result<Vec<Label>, OnnxError> {
    match data {
        Data::Text(texts) => Ok(texts.iter().cloned().map(Label::Text).collect()),
        Data::Int(values) => Ok(values.iter().copied().map(Label::Int).collect()),
        other => Err(OnnxError::Invalid(format!("its classes are {}", other.name()))),
    }
}

/// Some rows of an input's columns, side by side.
fn tensor(input: &Input, columns: &[(&str, Column)], start: usize, end: usize) -> Result<Tensor, OnnxError> {
    let refused = |column: &str, found: String| OnnxError::Column {
        input: input.name.clone(),
        column: column.to_owned(),
        expected: input.kind.told(),
        found,
    };
    let (n_rows, n) = (end - start, columns.len());
    let mut texts: Vec<Arc<str>> = Vec::new();
    let mut numbers = Vec::new();
    let empty: Arc<str> = "".into();
    match input.kind {
        Kind::Text => texts = vec![empty; n_rows * n],
        _ => numbers = vec![0.0; n_rows * n],
    }
    for (place, (name, column)) in columns.iter().enumerate() {
        match column {
            Column::Numbers(values) if input.kind != Kind::Text => {
                for (row, &value) in values[start..end].iter().enumerate() {
                    let exact = match input.kind {
                        Kind::Int64 => value.trunc().total_cmp(&value).is_eq() && value.abs() < 9.0e15,
                        Kind::Bool => value == 0.0 || value.total_cmp(&1.0).is_eq(),
                        Kind::Float | Kind::Double | Kind::Text => true,
                    };
                    if !exact {
                        return Err(refused(name, format!("{value} in row {}", start + row + 1)));
                    }
                    numbers[row * n + place] = value;
                }
            }
            Column::Texts(values) if input.kind == Kind::Text => {
                for (row, &value) in values[start..end].iter().enumerate() {
                    if !value.is_empty() {
                        texts[row * n + place] = value.into();
                    }
                }
            }
            Column::Numbers(_) => return Err(refused(name, "numbers".to_owned())),
            Column::Texts(_) => return Err(refused(name, "text".to_owned())),
        }
    }
    let data = match input.kind {
        Kind::Float => Data::Float(numbers.into_iter().map(single).collect()),
        Kind::Double => Data::Double(numbers),
        Kind::Int64 => Data::Int(numbers.into_iter().map(whole).collect()),
        Kind::Bool => Data::Bool(numbers.into_iter().map(|value| value != 0.0).collect()),
        Kind::Text => Data::Text(texts),
    };
    let shape = if input.shape.len() == 1 {
        vec![n_rows]
    } else {
        vec![n_rows, n]
    };
    Tensor::new(shape, data).map_err(|fault| OnnxError::Invalid(format!("its input `{}`: {fault}", input.name)))
}

/// Adds what the model said about a batch.
fn append(scores: &mut Scores, outputs: &[Arc<Value>], n_rows: usize) -> Result<(), OnnxError> {
    let wide = |value: &Value| -> Result<(Vec<f64>, usize), OnnxError> {
        let (Value::Tensor(tensor) | Value::Maps { scores: tensor, .. }) = value;
        let found = tensor
            .to_doubles()
            .map_err(|fault| OnnxError::Invalid(format!("its scores: {fault}")))?;
        match found.len().checked_div(n_rows) {
            Some(width) if width * n_rows == found.len() && width > 0 && tensor.shape().first() == Some(&n_rows) => {
                Ok((found, width))
            }
            _ => Err(OnnxError::Invalid(format!(
                "it answers in shape {:?} for {n_rows} rows",
                tensor.shape()
            ))),
        }
    };
    match scores {
        Scores::Values { values, n_targets } => {
            let (found, width) = wide(&outputs[0])?;
            *n_targets = width;
            values.extend(found);
        }
        Scores::Classes {
            labels: known,
            scores,
            n_classes,
        } => {
            let found = match &*outputs[0] {
                Value::Tensor(tensor) => labels(tensor.data())?,
                Value::Maps { .. } => return Err(OnnxError::Invalid("its classes are maps".to_owned())),
            };
            if found.len() != n_rows {
                return Err(OnnxError::Invalid(format!(
                    "it gives {} classes for {n_rows} rows",
                    found.len()
                )));
            }
            known.extend(found);
            let parts = outputs[1..]
                .iter()
                .map(|value| wide(value))
                .collect::<Result<Vec<_>, _>>()?;
            *n_classes = parts.iter().map(|(_, width)| width).sum();
            for row in 0..n_rows {
                for (part, width) in &parts {
                    scores.extend_from_slice(&part[row * width..(row + 1) * width]);
                }
            }
        }
    }
    Ok(())
}
