//! Operators of `ai.onnx.ml` that prepare features. Pure.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::super::attributes::Attributes;
use super::super::graph::Kernel;
use super::super::tensor::{Data, Fault, Tensor, Value, int, single, size, whole, wrong};
use super::math::{kernel, one};

pub fn scaler(attributes: &Attributes) -> Result<Kernel, Fault> {
    let offset = attributes.floats("offset")?.to_vec();
    let scale = attributes.floats("scale")?.to_vec();
    if scale.is_empty() || offset.is_empty() {
        return wrong("it has no `offset` or no `scale`");
    }
    kernel(move |call| {
        let x = call.tensor(0)?;
        let n_columns = x.shape().last().copied().unwrap_or(1);
        let of = |list: &[f32]| match list.len() {
            1 => Ok(vec![list[0]; n_columns]),
            n if n == n_columns => Ok(list.to_vec()),
            n => wrong(format!("it scales {n} columns, not {n_columns}")),
        };
        let (offset, scale) = (of(&offset)?, of(&scale)?);
        let columns = offset.iter().zip(&scale).cycle();
        let values = match x.data() {
            Data::Double(values) => values
                .iter()
                .zip(columns)
                .map(|(&value, (&offset, &scale))| single((value - f64::from(offset)) * f64::from(scale)))
                .collect(),
            _ => x
                .to_floats()?
                .into_iter()
                .zip(columns)
                .map(|(value, (offset, scale))| (value - offset) * scale)
                .collect(),
        };
        one(Tensor::floats(x.shape().to_vec(), values)?)
    })
}

pub fn imputer(attributes: &Attributes) -> Result<Kernel, Fault> {
    let floats = attributes.floats("imputed_value_floats")?.to_vec();
    let ints = attributes.ints("imputed_value_int64s")?.to_vec();
    let replaced = attributes.float_or("replaced_value_float", 0.0)?;
    let replaced_int = attributes.int_or("replaced_value_int64", 0)?;
    if floats.is_empty() == ints.is_empty() {
        return wrong("it has not one list of values to fill in");
    }
    kernel(move |call| {
        let x = call.tensor(0)?;
        let n_columns = x.shape().get(1).or(x.shape().first()).copied().unwrap_or(1).max(1);
        let data = match x.data() {
            Data::Int(values) if !ints.is_empty() => {
                Data::Int(filled(values, &ints, n_columns, |value| value == replaced_int))
            }
            Data::Float(values) if !floats.is_empty() => {
                #[expect(clippy::float_cmp, reason = "the value that stands for a missing one is written out")]
                let missing = |value: f32| value == replaced || (value.is_nan() && replaced.is_nan());
                Data::Float(filled(values, &floats, n_columns, missing))
            }
            Data::Double(values) if !floats.is_empty() => {
                let replaced = f64::from(replaced);
                let floats: Vec<f64> = floats.iter().map(|&value| value.into()).collect();
                #[expect(clippy::float_cmp, reason = "the value that stands for a missing one is written out")]
                let missing = |value: f64| value == replaced || (value.is_nan() && replaced.is_nan());
                Data::Double(filled(values, &floats, n_columns, missing))
            }
            other => return wrong(format!("{} can not be filled in with what it has", other.name())),
        };
        one(Tensor::new(x.shape().to_vec(), data)?)
    })
}

fn filled<T: Copy>(values: &[T], with: &[T], n_columns: usize, missing: impl Fn(T) -> bool) -> Vec<T> {
    let with = |column: usize| if with.len() == n_columns { with[column] } else { with[0] };
    values
        .iter()
        .enumerate()
        .map(|(i, &value)| if missing(value) { with(i % n_columns) } else { value })
        .collect()
}

/// One column more for each category, 1 where it is met. Numbers are cut to whole ones.
pub fn one_hot_encoder(attributes: &Attributes) -> Result<Kernel, Fault> {
    let categories = attributes.labels("cats_strings", "cats_int64s")?;
    let zeros = attributes.int_or("zeros", 1)? != 0;
    let n = categories.len();
    let texts: HashMap<Arc<str>, usize> = match &categories {
        Data::Text(texts) => numbered(texts),
        _ => HashMap::new(),
    };
    let ints: HashMap<i64, usize> = match &categories {
        Data::Int(ints) => numbered(ints),
        _ => HashMap::new(),
    };
    kernel(move |call| {
        let x = call.tensor(0)?;
        let shape = [x.shape(), &[n]].concat();
        let mut values = vec![0.0_f32; size(&shape)?];
        let found: Vec<Option<usize>> = match x.data() {
            Data::Text(values) => values.iter().map(|value| texts.get(value).copied()).collect(),
            Data::Int(values) => values.iter().map(|value| ints.get(value).copied()).collect(),
            _ => x
                .to_doubles()?
                .into_iter()
                .map(|value| ints.get(&whole(value)).copied())
                .collect(),
        };
        for (row, found) in found.into_iter().enumerate() {
            match found {
                Some(category) => values[row * n + category] = 1.0,
                None if zeros => {}
                None => return wrong("a category is not known to the model"),
            }
        }
        one(Tensor::floats(shape, values)?)
    })
}

fn numbered<T: Clone + Hash + Eq>(keys: &[T]) -> HashMap<T, usize> {
    keys.iter().cloned().zip(0..).collect()
}

/// What a key is looked up by. All that is not a number is one key, and both zeros are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Text(Arc<str>),
    Int(i64),
    Bits(u64),
}

fn keys(data: &Data) -> Vec<Key> {
    let bits = |value: f64| Key::Bits(if value.is_nan() { f64::NAN } else { value + 0.0 }.to_bits());
    match data {
        Data::Text(texts) => texts.iter().cloned().map(Key::Text).collect(),
        Data::Int(ints) => ints.iter().copied().map(Key::Int).collect(),
        Data::Bool(values) => values.iter().map(|&value| Key::Int(value.into())).collect(),
        Data::Float(values) => values.iter().map(|&value| bits(value.into())).collect(),
        Data::Double(values) => values.iter().map(|&value| bits(value)).collect(),
    }
}

/// Values for keys, of the kinds that the node names; version 1 numbers a list of texts.
pub fn label_encoder(attributes: &Attributes) -> Result<Kernel, Fault> {
    if attributes.version < 2 {
        let classes = attributes.texts("classes_strings")?;
        let ints = Data::Int((0..int(classes.len())).collect());
        return two_ways(attributes, Data::Text(classes), ints);
    }
    let list = |side: &str| -> Result<Data, Fault> {
        if let Some(tensor) = attributes.tensor(&format!("{side}_tensor"))? {
            return Ok(tensor.data().clone());
        }
        let (texts, ints, floats) = (
            format!("{side}_strings"),
            format!("{side}_int64s"),
            format!("{side}_floats"),
        );
        Ok(if attributes.has(&texts) {
            Data::Text(attributes.texts(&texts)?)
        } else if attributes.has(&ints) {
            Data::Int(attributes.ints(&ints)?.to_vec())
        } else {
            Data::Float(attributes.floats(&floats)?.to_vec())
        })
    };
    let (from, mut to) = (list("keys")?, list("values")?);
    if from.len() != to.len() || from.len() == 0 {
        return wrong(format!("it has {} keys and {} values", from.len(), to.len()));
    }
    let mut map = HashMap::new();
    for (key, place) in keys(&from).into_iter().zip(0..) {
        // What is not a number is a key since version 4.
        if attributes.version >= 4 || key != Key::Bits(f64::NAN.to_bits()) {
            map.entry(key).or_insert(place);
        }
    }
    let default = to.len();
    to.extend(&match (&to, attributes.tensor("default_tensor")?) {
        (_, Some(tensor)) if tensor.len() == 1 => tensor.data().clone(),
        (Data::Text(_), _) => Data::Text(vec![attributes.text_or("default_string", "_Unused")?]),
        (Data::Int(_), _) => Data::Int(vec![attributes.int_or("default_int64", -1)?]),
        (Data::Double(_), _) => Data::Double(vec![f64::from(attributes.float_or("default_float", -0.0)?)]),
        (_, _) => Data::Float(vec![attributes.float_or("default_float", -0.0)?]),
    })?;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let places = keys(x.data())
            .into_iter()
            .map(|key| map.get(&key).copied().unwrap_or(default));
        one(Tensor::new(x.shape().to_vec(), to.pick(places))?)
    })
}

pub fn category_mapper(attributes: &Attributes) -> Result<Kernel, Fault> {
    let texts = attributes.texts("cats_strings")?;
    let ints = attributes.ints("cats_int64s")?.to_vec();
    two_ways(attributes, Data::Text(texts), Data::Int(ints))
}

/// Texts to numbers, and numbers to texts.
fn two_ways(attributes: &Attributes, texts: Data, ints: Data) -> Result<Kernel, Fault> {
    if texts.len() != ints.len() {
        return wrong(format!("it has {} texts and {} numbers", texts.len(), ints.len()));
    }
    let map: HashMap<Key, usize> = keys(&texts)
        .into_iter()
        .zip(0..)
        .chain(keys(&ints).into_iter().zip(0..))
        .collect();
    let default = texts.len();
    let (mut texts, mut ints) = (texts, ints);
    texts.extend(&Data::Text(vec![attributes.text_or("default_string", "_Unused")?]))?;
    ints.extend(&Data::Int(vec![attributes.int_or("default_int64", -1)?]))?;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let to = match x.data() {
            Data::Text(_) => &ints,
            Data::Int(_) => &texts,
            other => return wrong(format!("{} are not categories", other.name())),
        };
        let places = keys(x.data())
            .into_iter()
            .map(|key| map.get(&key).copied().unwrap_or(default));
        one(Tensor::new(x.shape().to_vec(), to.pick(places))?)
    })
}

pub fn normalizer(attributes: &Attributes) -> Result<Kernel, Fault> {
    let norm: fn(&[f32]) -> f32 = match &*attributes.text_or("norm", "MAX")? {
        "MAX" => |row| row.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        "L1" => |row| row.iter().map(|value| value.abs()).sum(),
        "L2" => |row| row.iter().map(|value| value * value).sum::<f32>().sqrt(),
        other => return wrong(format!("the norm `{other}` is not known")),
    };
    kernel(move |call| {
        let x = call.tensor(0)?;
        let (_, n_columns) = x.rows_and_columns()?;
        let mut values = x.to_floats()?;
        for row in values.chunks_mut(n_columns.max(1)) {
            let length = norm(row);
            if length != 0.0 {
                for value in row {
                    *value /= length;
                }
            }
        }
        one(Tensor::floats(x.shape().to_vec(), values)?)
    })
}

pub fn binarizer(attributes: &Attributes) -> Result<Kernel, Fault> {
    let threshold = attributes.float_or("threshold", 0.0)?;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let values = x.to_doubles()?.into_iter();
        let values: Vec<f64> = values
            .map(|value| f64::from(u8::from(value > f64::from(threshold))))
            .collect();
        match x.data() {
            Data::Int(_) => one(Tensor::ints(
                x.shape().to_vec(),
                values.into_iter().map(whole).collect(),
            )?),
            like => one(Tensor::like(x.shape().to_vec(), values, like)?),
        }
    })
}

/// Some of the columns; a list is one row.
pub fn array_feature_extractor() -> Result<Kernel, Fault> {
    kernel(|call| {
        let (x, indices) = (call.tensor(0)?, call.tensor(1)?);
        let Some(&n_columns) = x.shape().last() else {
            return wrong("its input is a single value");
        };
        let columns: Option<Vec<usize>> = indices
            .as_ints()?
            .iter()
            .map(|&i| usize::try_from(i).ok().filter(|&i| i < n_columns))
            .collect();
        let Some(columns) = columns.filter(|columns| !columns.is_empty()) else {
            return wrong(format!("it takes columns that are not among the {n_columns}"));
        };
        let n_rows = x.len() / n_columns;
        let mut shape = x.shape().to_vec();
        match &mut shape[..] {
            [only] => {
                *only = columns.len();
                shape.insert(0, 1);
            }
            [.., last] => *last = columns.len(),
            [] => {}
        }
        size(&shape)?;
        let columns = &columns;
        let places = (0..n_rows).flat_map(|row| columns.iter().map(move |column| row * n_columns + column));
        one(Tensor::new(shape, x.data().pick(places))?)
    })
}

/// Its inputs side by side, as single precision.
pub fn feature_vectorizer() -> Result<Kernel, Fault> {
    kernel(|call| {
        let mut parts = Vec::new();
        for i in 0..call.inputs.len() {
            let x = call.tensor(i)?;
            let (n_rows, n_columns) = match *x.shape() {
                [n_rows] => (n_rows, 1),
                _ => x.rows_and_columns()?,
            };
            parts.push((n_rows, n_columns, x.to_floats()?));
        }
        let n_rows = parts.first().map_or(0, |part| part.0);
        if parts.iter().any(|part| part.0 != n_rows) {
            return wrong("its inputs have not equally many rows");
        }
        let n_columns: usize = parts.iter().map(|part| part.1).sum();
        let mut values = Vec::with_capacity(size(&[n_rows, n_columns])?);
        for row in 0..n_rows {
            for (_, n, part) in &parts {
                values.extend_from_slice(&part[row * n..(row + 1) * n]);
            }
        }
        one(Tensor::floats(vec![n_rows, n_columns], values)?)
    })
}

pub fn zip_map(attributes: &Attributes) -> Result<Kernel, Fault> {
    let keys = attributes.labels("classlabels_strings", "classlabels_int64s")?;
    kernel(move |call| {
        let scores = call.tensor(0)?;
        let (_, n_columns) = scores.rows_and_columns()?;
        if n_columns != keys.len() {
            return wrong(format!("{n_columns} scores can not have {} names", keys.len()));
        }
        Ok(vec![Value::Maps {
            keys: keys.clone(),
            scores: scores.clone(),
        }])
    })
}
