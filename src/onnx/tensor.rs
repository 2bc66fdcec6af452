//! The values that a graph computes with. Pure.
//!
//! Whole numbers of every width are `i64`; what a width would wrap is not wrapped. A tensor has at most
//! [`MAX_ELEMENTS`], since what a hostile file asks for is made before anything can be said of it.

use std::sync::Arc;

use super::proto::{self, element};

/// Of one tensor, for one batch of rows.
pub const MAX_ELEMENTS: usize = 1 << 24;
const MAX_RANK: usize = 8;

/// Why an operator could not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("a value would have more than {MAX_ELEMENTS} elements, or all together take more than {} MiB", super::graph::MAX_LIVE_BYTES >> 20)]
    TooLarge,
    #[error("it would take more steps than a model may")]
    TooLong,
    #[error("{0}")]
    Wrong(String),
}

pub fn wrong<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Wrong(what.into()))
}

#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    Float(Vec<f32>),
    Double(Vec<f64>),
    Int(Vec<i64>),
    Bool(Vec<bool>),
    Text(Vec<Arc<str>>),
}

impl Data {
    pub fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Float(_) => "float",
            Self::Double(_) => "double",
            Self::Int(_) => "int64",
            Self::Bool(_) => "bool",
            Self::Text(_) => "string",
        }
    }

    /// The elements at `places`, which are in range.
    pub fn pick(&self, places: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Float(values) => Self::Float(places.map(|place| values[place]).collect()),
            Self::Double(values) => Self::Double(places.map(|place| values[place]).collect()),
            Self::Int(values) => Self::Int(places.map(|place| values[place]).collect()),
            Self::Bool(values) => Self::Bool(places.map(|place| values[place]).collect()),
            Self::Text(values) => Self::Text(places.map(|place| values[place].clone()).collect()),
        }
    }

    /// The first element `n` times.
    pub fn repeated(&self, n: usize) -> Self {
        match self {
            Self::Float(values) => Self::Float(vec![values[0]; n]),
            Self::Double(values) => Self::Double(vec![values[0]; n]),
            Self::Int(values) => Self::Int(vec![values[0]; n]),
            Self::Bool(values) => Self::Bool(vec![values[0]; n]),
            Self::Text(values) => Self::Text(vec![values[0].clone(); n]),
        }
    }

    /// Appends `other`, which has to be of the same kind.
    pub fn extend(&mut self, other: &Self) -> Result<(), Fault> {
        match (self, other) {
            (Self::Float(values), Self::Float(more)) => values.extend_from_slice(more),
            (Self::Double(values), Self::Double(more)) => values.extend_from_slice(more),
            (Self::Int(values), Self::Int(more)) => values.extend_from_slice(more),
            (Self::Bool(values), Self::Bool(more)) => values.extend_from_slice(more),
            (Self::Text(values), Self::Text(more)) => values.extend_from_slice(more),
            (one, other) => return wrong(format!("{} and {} can not be joined", one.name(), other.name())),
        }
        Ok(())
    }

    /// An empty list of the same kind.
    pub fn empty(&self) -> Self {
        self.pick(std::iter::empty())
    }
}

/// Elements in row-major order. There are as many as the shape says.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

impl Tensor {
    pub fn new(shape: Vec<usize>, data: Data) -> Result<Self, Fault> {
        if size(&shape)? == data.len() {
            Ok(Self { shape, data })
        } else {
            wrong(format!("{} elements are not of shape {shape:?}", data.len()))
        }
    }

    pub fn floats(shape: Vec<usize>, values: Vec<f32>) -> Result<Self, Fault> {
        Self::new(shape, Data::Float(values))
    }

    pub fn ints(shape: Vec<usize>, values: Vec<i64>) -> Result<Self, Fault> {
        Self::new(shape, Data::Int(values))
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn data(&self) -> &Data {
        &self.data
    }

    pub fn into_data(self) -> Data {
        self.data
    }

    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// The same elements in another shape.
    pub fn shaped(&self, shape: Vec<usize>) -> Result<Self, Fault> {
        Self::new(shape, self.data.clone())
    }

    /// Rows and columns as the operators of `ai.onnx.ml` see them: a list is one row.
    pub fn rows_and_columns(&self) -> Result<(usize, usize), Fault> {
        match self.shape[..] {
            [n_columns] => Ok((1, n_columns)),
            [n_rows, n_columns] => Ok((n_rows, n_columns)),
            _ => wrong(format!("its input has shape {:?}, not rows and columns", self.shape)),
        }
    }

    /// The numbers as single precision; a text is refused.
    pub fn to_floats(&self) -> Result<Vec<f32>, Fault> {
        Ok(match &self.data {
            Data::Float(values) => values.clone(),
            Data::Double(values) => values.iter().map(|&value| single(value)).collect(),
            Data::Int(values) => values.iter().map(|&value| value as f32).collect(),
            Data::Bool(values) => values.iter().map(|&value| f32::from(u8::from(value))).collect(),
            Data::Text(_) => return wrong("its input is text, not numbers"),
        })
    }

    /// The numbers as double precision; a text is refused.
    pub fn to_doubles(&self) -> Result<Vec<f64>, Fault> {
        Ok(match &self.data {
            Data::Float(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Data::Double(values) => values.clone(),
            Data::Int(values) => values.iter().map(|&value| value as f64).collect(),
            Data::Bool(values) => values.iter().map(|&value| f64::from(u8::from(value))).collect(),
            Data::Text(_) => return wrong("its input is text, not numbers"),
        })
    }

    /// Double precision as the elements of `like` are: single if they are, otherwise double.
    pub fn like(shape: Vec<usize>, values: Vec<f64>, like: &Data) -> Result<Self, Fault> {
        Self::new(
            shape,
            match like {
                Data::Double(_) => Data::Double(values),
                _ => Data::Float(values.into_iter().map(single).collect()),
            },
        )
    }

    /// Whole numbers, such as axes and shapes are.
    pub fn as_ints(&self) -> Result<&[i64], Fault> {
        match &self.data {
            Data::Int(values) => Ok(values),
            other => wrong(format!("{} where whole numbers belong", other.name())),
        }
    }

    pub fn bytes(&self) -> usize {
        self.len()
            * match &self.data {
                Data::Float(_) => 4,
                Data::Double(_) | Data::Int(_) => 8,
                Data::Bool(_) => 1,
                Data::Text(_) => 16,
            }
    }

    /// What a file says. `Err` if it has not as many elements as it claims, or keeps them in another file.
    pub fn read(tensor: &proto::Tensor) -> Result<Self, Fault> {
        if tensor.location != 0 {
            return wrong("its numbers are in another file, which is not read: export the model as one file");
        }
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
        let Some(shape) = shape else {
            return wrong(format!("a length of {:?} is negative", tensor.dims));
        };
        let n = size(&shape)?;
        let raw = &tensor.raw[..];
        let data = match tensor.element {
            element::FLOAT => Data::Float(numbers(raw, &tensor.floats, f32::from_le_bytes)),
            element::DOUBLE => Data::Double(numbers(raw, &tensor.doubles, f64::from_le_bytes)),
            element::INT64 => Data::Int(numbers(raw, &tensor.int64s, i64::from_le_bytes)),
            element::INT32 => Data::Int(widths(raw, &tensor.int32s, i32::from_le_bytes)),
            element::INT16 => Data::Int(widths(raw, &tensor.int32s, i16::from_le_bytes)),
            element::UINT16 => Data::Int(widths(raw, &tensor.int32s, u16::from_le_bytes)),
            element::INT8 => Data::Int(widths(raw, &tensor.int32s, i8::from_le_bytes)),
            element::UINT8 => Data::Int(widths(raw, &tensor.int32s, u8::from_le_bytes)),
            element::BOOL if raw.is_empty() => Data::Bool(tensor.int32s.iter().map(|&value| value != 0).collect()),
            element::BOOL => Data::Bool(raw.iter().map(|&value| value != 0).collect()),
            element::UINT32 | element::UINT64 => {
                let values = if raw.is_empty() {
                    tensor.uint64s.clone()
                } else if tensor.element == element::UINT32 {
                    numbers(raw, &[], u32::from_le_bytes)
                        .into_iter()
                        .map(u64::from)
                        .collect()
                } else {
                    numbers(raw, &[], u64::from_le_bytes)
                };
                let values: Result<_, _> = values.into_iter().map(i64::try_from).collect();
                Data::Int(values.map_err(|_| Fault::Wrong("a whole number is out of range".to_owned()))?)
            }
            element::TEXT => Data::Text(tensor.texts.iter().map(|text| utf8(text)).collect::<Result<_, _>>()?),
            other => return wrong(format!("elements of kind {other} are not known")),
        };
        if data.len() == n {
            Ok(Self { shape, data })
        } else {
            wrong(format!("it has {} elements and claims {:?}", data.len(), tensor.dims))
        }
    }
}

fn numbers<const N: usize, T: Clone>(raw: &[u8], listed: &[T], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    if raw.is_empty() {
        listed.to_vec()
    } else {
        raw.as_chunks().0.iter().map(|&bytes| from(bytes)).collect()
    }
}

fn widths<const N: usize, T: Into<i64>>(raw: &[u8], listed: &[i32], from: impl Fn([u8; N]) -> T) -> Vec<i64> {
    if raw.is_empty() {
        listed.iter().map(|&value| value.into()).collect()
    } else {
        raw.as_chunks().0.iter().map(|&bytes| from(bytes).into()).collect()
    }
}

pub fn utf8(bytes: &[u8]) -> Result<Arc<str>, Fault> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(_) => wrong("a text is not UTF-8"),
    }
}

/// What passes from node to node.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Tensor(Tensor),
    /// A sequence of maps, one a row: the same keys for all, scores of rows × keys.
    Maps {
        keys: Data,
        scores: Tensor,
    },
}

impl Value {
    pub fn bytes(&self) -> usize {
        match self {
            Self::Tensor(tensor) => tensor.bytes(),
            Self::Maps { scores, .. } => scores.bytes(),
        }
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

/// How many elements a shape has. `Err` if there are more than are made.
pub fn size(shape: &[usize]) -> Result<usize, Fault> {
    let n = shape.iter().try_fold(1_usize, |n, &dim| n.checked_mul(dim));
    match n {
        _ if shape.len() > MAX_RANK => wrong(format!("a shape of {} dimensions is not known", shape.len())),
        Some(n) if n <= MAX_ELEMENTS => Ok(n),
        _ => Err(Fault::TooLarge),
    }
}

/// An axis counted from the end if negative, of `rank` axes.
pub fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let from_start = if axis < 0 { axis + int(rank) } else { axis };
    match usize::try_from(from_start) {
        Ok(found) if found < rank => Ok(found),
        _ => wrong(format!("there is no axis {axis} of {rank}")),
    }
}

/// How far apart the neighbours on each axis are.
pub fn strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut step = 1;
    for (stride, &dim) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        step *= dim.cast_signed();
    }
    strides
}

/// The places of a tensor's elements in the order of a shape: `start`, moved by `strides` along each axis.
#[derive(Debug)]
pub struct Walk<'a> {
    shape: &'a [usize],
    strides: Vec<isize>,
    index: Vec<usize>,
    place: isize,
    left: usize,
}

impl<'a> Walk<'a> {
    pub fn new(shape: &'a [usize], strides: Vec<isize>, start: usize) -> Self {
        Self {
            shape,
            strides,
            index: vec![0; shape.len()],
            place: start.cast_signed(),
            left: shape.iter().product(),
        }
    }

    /// The elements of `shape` repeated as they are when something of shape `out` meets it.
    pub fn broadcast(shape: &[usize], out: &'a [usize]) -> Self {
        let missing = out.len() - shape.len();
        let mut steps = vec![0; out.len()];
        for (i, stride) in strides(shape).into_iter().enumerate() {
            if shape[i] != 1 {
                steps[missing + i] = stride;
            }
        }
        Self::new(out, steps, 0)
    }
}

impl Iterator for Walk<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.place.cast_unsigned();
        for axis in (0..self.shape.len()).rev() {
            self.index[axis] += 1;
            self.place += self.strides[axis];
            if self.index[axis] < self.shape[axis] {
                break;
            }
            self.place -= self.strides[axis] * self.shape[axis].cast_signed();
            self.index[axis] = 0;
        }
        Some(place)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// The shape in which two meet: an axis of one is repeated.
pub fn meeting(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Fault> {
    let rank = a.len().max(b.len());
    let dim = |shape: &[usize], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    let shape: Option<Vec<usize>> = (0..rank)
        .map(|i| match (dim(a, i), dim(b, i)) {
            (a, b) if a == b => Some(a),
            (1, b) => Some(b),
            (a, 1) => Some(a),
            _ => None,
        })
        .collect();
    let Some(shape) = shape else {
        return wrong(format!("shapes {a:?} and {b:?} do not fit together"));
    };
    size(&shape)?;
    Ok(shape)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to the nearest is what is asked for"
)]
pub fn single(value: f64) -> f32 {
    value as f32
}

/// A count as whole numbers are kept.
pub fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The whole number before the point; the nearest there is beyond the range, 0 for NaN.
#[expect(clippy::cast_possible_truncation, reason = "cutting off is what is asked for")]
pub fn whole(value: f64) -> i64 {
    value as i64
}
