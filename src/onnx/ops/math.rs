//! Operators that calculate: element by element, along an axis, products of matrices. Pure.

use super::super::attributes::Attributes;
use super::super::graph::{Call, Kernel};
use super::super::tensor::{Data, Fault, Tensor, Value, Walk, axis, int, meeting, single, size, strides, whole, wrong};
use super::post;

#[expect(clippy::unnecessary_wraps, reason = "it ends functions that can fail")]
pub fn one(tensor: Tensor) -> Result<Vec<Value>, Fault> {
    Ok(vec![Value::Tensor(tensor)])
}

#[expect(clippy::unnecessary_wraps, reason = "it ends functions that can fail")]
pub fn kernel(function: impl Fn(&Call) -> Result<Vec<Value>, Fault> + Send + Sync + 'static) -> Result<Kernel, Fault> {
    Ok(Box::new(function))
}

/// Numbers to numbers; whole ones, for which few of these are defined, go by way of double precision.
pub fn unary(float: fn(f32) -> f32, double: fn(f64) -> f64) -> Result<Kernel, Fault> {
    kernel(move |call| {
        let x = call.tensor(0)?;
        let data = match x.data() {
            Data::Float(values) => Data::Float(values.iter().map(|&value| float(value)).collect()),
            Data::Double(values) => Data::Double(values.iter().map(|&value| double(value)).collect()),
            Data::Int(values) => Data::Int(values.iter().map(|&value| whole(double(value as f64))).collect()),
            other => return wrong(format!("{} are not numbers", other.name())),
        };
        one(Tensor::new(x.shape().to_vec(), data)?)
    })
}

/// As [`unary`], computed in double precision.
pub fn wide_unary(function: fn(f64) -> f64) -> Result<Kernel, Fault> {
    kernel(move |call| {
        let x = call.tensor(0)?;
        let values = x.to_doubles()?.into_iter().map(function);
        let shape = x.shape().to_vec();
        match x.data() {
            Data::Int(_) => one(Tensor::ints(shape, values.map(whole).collect())?),
            like => one(Tensor::like(shape, values.collect(), like)?),
        }
    })
}

/// Two lists, element by element, the smaller one repeated.
fn pairs<T: Clone, U>(a: &[T], b: &[T], shapes: [&[usize]; 3], function: impl Fn(&T, &T) -> U) -> Vec<U> {
    let [shape_a, shape_b, out] = shapes;
    if shape_a == out && shape_b == out {
        return a.iter().zip(b).map(|(a, b)| function(a, b)).collect();
    }
    if shape_a == out && b.len() == 1 {
        return a.iter().map(|a| function(a, &b[0])).collect();
    }
    Walk::broadcast(shape_a, out)
        .zip(Walk::broadcast(shape_b, out))
        .map(|(i, j)| function(&a[i], &b[j]))
        .collect()
}

fn arithmetic_of(
    a: &Tensor,
    b: &Tensor,
    float: fn(f32, f32) -> f32,
    double: fn(f64, f64) -> f64,
    int: fn(i64, i64) -> Option<i64>,
) -> Result<Tensor, Fault> {
    let out = meeting(a.shape(), b.shape())?;
    let shapes = [a.shape(), b.shape(), &out];
    let data = match (a.data(), b.data()) {
        (Data::Float(a), Data::Float(b)) => Data::Float(pairs(a, b, shapes, |&a, &b| float(a, b))),
        (Data::Double(a), Data::Double(b)) => Data::Double(pairs(a, b, shapes, |&a, &b| double(a, b))),
        (Data::Int(a), Data::Int(b)) => {
            let values: Option<Vec<_>> = pairs(a, b, shapes, |&a, &b| int(a, b)).into_iter().collect();
            Data::Int(values.ok_or_else(|| Fault::Wrong("a whole number overflows or is divided by zero".to_owned()))?)
        }
        (a, b) => return wrong(format!("{} and {} can not be calculated with", a.name(), b.name())),
    };
    Tensor::new(out, data)
}

pub fn arithmetic(
    float: fn(f32, f32) -> f32,
    double: fn(f64, f64) -> f64,
    int: fn(i64, i64) -> Option<i64>,
) -> Result<Kernel, Fault> {
    kernel(move |call| one(arithmetic_of(call.tensor(0)?, call.tensor(1)?, float, double, int)?))
}

/// Any number of inputs, one after the other; divided by their number if `mean`.
pub fn fold(
    float: fn(f32, f32) -> f32,
    double: fn(f64, f64) -> f64,
    int: fn(i64, i64) -> Option<i64>,
    mean: bool,
) -> Result<Kernel, Fault> {
    kernel(move |call| {
        let mut sum = call.tensor(0)?.clone();
        for i in 1..call.inputs.len() {
            sum = arithmetic_of(&sum, call.tensor(i)?, float, double, int)?;
        }
        if mean {
            let n = call.inputs.len() as f64;
            let values = sum.to_doubles()?.into_iter().map(|value| value / n).collect();
            sum = Tensor::like(sum.shape().to_vec(), values, sum.data())?;
        }
        one(sum)
    })
}

pub fn compare(number: fn(f64, f64) -> bool, int: fn(i64, i64) -> bool) -> Result<Kernel, Fault> {
    kernel(move |call| {
        let (a, b) = (call.tensor(0)?, call.tensor(1)?);
        let out = meeting(a.shape(), b.shape())?;
        let shapes = [a.shape(), b.shape(), &out];
        let data = match (a.data(), b.data()) {
            (Data::Float(a), Data::Float(b)) => pairs(a, b, shapes, |&a, &b| number(a.into(), b.into())),
            (Data::Double(a), Data::Double(b)) => pairs(a, b, shapes, |&a, &b| number(a, b)),
            (Data::Int(a), Data::Int(b)) => pairs(a, b, shapes, |&a, &b| int(a, b)),
            (a, b) => return wrong(format!("{} and {} can not be compared", a.name(), b.name())),
        };
        one(Tensor::new(out, Data::Bool(data))?)
    })
}

pub fn equal() -> Result<Kernel, Fault> {
    kernel(|call| {
        let (a, b) = (call.tensor(0)?, call.tensor(1)?);
        let out = meeting(a.shape(), b.shape())?;
        let shapes = [a.shape(), b.shape(), &out];
        #[expect(clippy::float_cmp, reason = "the operator asks for exactly equal")]
        let data = match (a.data(), b.data()) {
            (Data::Float(a), Data::Float(b)) => pairs(a, b, shapes, |a, b| a == b),
            (Data::Double(a), Data::Double(b)) => pairs(a, b, shapes, |a, b| a == b),
            (Data::Int(a), Data::Int(b)) => pairs(a, b, shapes, |a, b| a == b),
            (Data::Bool(a), Data::Bool(b)) => pairs(a, b, shapes, |a, b| a == b),
            (Data::Text(a), Data::Text(b)) => pairs(a, b, shapes, |a, b| a == b),
            (a, b) => return wrong(format!("{} and {} can not be compared", a.name(), b.name())),
        };
        one(Tensor::new(out, Data::Bool(data))?)
    })
}

pub fn logic(function: fn(bool, bool) -> bool) -> Result<Kernel, Fault> {
    kernel(move |call| {
        let (a, b) = (call.tensor(0)?, call.tensor(1)?);
        let out = meeting(a.shape(), b.shape())?;
        let (Data::Bool(x), Data::Bool(y)) = (a.data(), b.data()) else {
            return wrong("its inputs are not booleans");
        };
        let data = pairs(x, y, [a.shape(), b.shape(), &out], |&a, &b| function(a, b));
        one(Tensor::new(out, Data::Bool(data))?)
    })
}

pub fn not() -> Result<Kernel, Fault> {
    kernel(|call| {
        let x = call.tensor(0)?;
        let Data::Bool(values) = x.data() else {
            return wrong("its input is not booleans");
        };
        one(Tensor::new(
            x.shape().to_vec(),
            Data::Bool(values.iter().map(|value| !value).collect()),
        )?)
    })
}

pub fn is(test: fn(f64) -> bool) -> Result<Kernel, Fault> {
    kernel(move |call| {
        let x = call.tensor(0)?;
        let values = x.to_doubles()?.into_iter().map(test).collect();
        one(Tensor::new(x.shape().to_vec(), Data::Bool(values))?)
    })
}

/// A power; the kinds of the two numbers may differ, the result is of the first.
pub fn pow() -> Result<Kernel, Fault> {
    kernel(|call| {
        let (a, b) = (call.tensor(0)?, call.tensor(1)?);
        let out = meeting(a.shape(), b.shape())?;
        let (x, y) = (a.to_doubles()?, b.to_doubles()?);
        let values = pairs(&x, &y, [a.shape(), b.shape(), &out], |a, b| a.powf(*b));
        match a.data() {
            Data::Int(_) => one(Tensor::ints(out, values.into_iter().map(whole).collect())?),
            like => one(Tensor::like(out, values, like)?),
        }
    })
}

/// Bounds are attributes before version 11, inputs since.
pub fn clip(attributes: &Attributes) -> Result<Kernel, Fault> {
    let of_version = attributes.version < 11;
    let (least, greatest) = if of_version {
        (attributes.float("min")?, attributes.float("max")?)
    } else {
        (None, None)
    };
    kernel(move |call| {
        let x = call.tensor(0)?;
        let bound = |i: usize, given: Option<f32>| -> Result<Option<f64>, Fault> {
            match call.optional(i)? {
                Some(bound) if !of_version => Ok(bound.to_doubles()?.first().copied()),
                _ => Ok(given.map(f64::from)),
            }
        };
        let (least, greatest) = (bound(1, least)?, bound(2, greatest)?);
        let values = x.to_doubles()?.into_iter().map(|value| {
            let value = least.map_or(value, |least| if value < least { least } else { value });
            greatest.map_or(value, |greatest| if value > greatest { greatest } else { value })
        });
        let shape = x.shape().to_vec();
        match x.data() {
            Data::Int(_) => one(Tensor::ints(shape, values.map(whole).collect())?),
            like => one(Tensor::like(shape, values.collect(), like)?),
        }
    })
}

pub fn sum(values: &[f64]) -> f64 {
    values.iter().sum()
}

pub fn l1(values: &[f64]) -> f64 {
    values.iter().map(|value| value.abs()).sum()
}

pub fn l2(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

pub fn log_sum_exp(values: &[f64]) -> f64 {
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if greatest.is_finite() {
        greatest + values.iter().map(|value| (value - greatest).exp()).sum::<f64>().ln()
    } else {
        greatest
    }
}

/// The axes in an attribute, or since version `input_since` in the second input.
pub fn axes_of(call: &Call, given: &[i64]) -> Result<Vec<i64>, Fault> {
    Ok(match call.optional(1)? {
        Some(axes) => axes.as_ints()?.to_vec(),
        None => given.to_vec(),
    })
}

/// One number of those along some axes; all axes if none is named.
pub fn reduce(attributes: &Attributes, input_since: i64, function: fn(&[f64]) -> f64) -> Result<Kernel, Fault> {
    let given = if attributes.version < input_since {
        attributes.ints("axes")?.to_vec()
    } else {
        Vec::new()
    };
    let keep = attributes.int_or("keepdims", 1)? != 0;
    let noop = attributes.int_or("noop_with_empty_axes", 0)? != 0;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let named = axes_of(call, &given)?;
        if named.is_empty() && noop {
            return one(x.clone());
        }
        let rank = x.shape().len();
        let mut reduced = vec![named.is_empty(); rank];
        for &named in &named {
            reduced[axis(named, rank)?] = true;
        }
        // The reduced axes last, so that what belongs together stands together.
        let order: Vec<usize> = (0..rank)
            .filter(|&i| !reduced[i])
            .chain((0..rank).filter(|&i| reduced[i]))
            .collect();
        let steps = strides(x.shape());
        let walked: Vec<usize> = order.iter().map(|&i| x.shape()[i]).collect();
        let walk = Walk::new(&walked, order.iter().map(|&i| steps[i]).collect(), 0);
        let doubles = x.to_doubles()?;
        let values: Vec<f64> = walk.map(|place| doubles[place]).collect();
        let n: usize = (0..rank).filter(|&i| reduced[i]).map(|i| x.shape()[i]).product();
        let n_out: usize = (0..rank).filter(|&i| !reduced[i]).map(|i| x.shape()[i]).product();
        let values: Vec<f64> = (0..n_out).map(|i| function(&values[i * n..(i + 1) * n])).collect();
        let shape = (0..rank)
            .filter(|&i| keep || !reduced[i])
            .map(|i| if reduced[i] { 1 } else { x.shape()[i] })
            .collect();
        match x.data() {
            Data::Int(_) => one(Tensor::ints(shape, values.into_iter().map(whole).collect())?),
            like => one(Tensor::like(shape, values, like)?),
        }
    })
}

/// A tensor seen as lists along one axis: how many before, how long, and how many after.
fn around(shape: &[usize], along: usize) -> (usize, usize, usize) {
    (
        shape[..along].iter().product(),
        shape[along],
        shape[along + 1..].iter().product(),
    )
}

/// Where along an axis the best one is; the first of equals, or the last if the model says so.
pub fn arg(attributes: &Attributes, better: fn(f64, f64) -> bool) -> Result<Kernel, Fault> {
    let along = attributes.int_or("axis", 0)?;
    let keep = attributes.int_or("keepdims", 1)? != 0;
    let last = attributes.int_or("select_last_index", 0)? != 0;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let along = axis(along, x.shape().len())?;
        let (before, n, after) = around(x.shape(), along);
        if n == 0 {
            return wrong("an empty axis has no greatest element");
        }
        let values = x.to_doubles()?;
        let mut found = Vec::with_capacity(before * after);
        for outer in 0..before {
            for inner in 0..after {
                let at = |i: usize| values[(outer * n + i) * after + inner];
                let mut best = 0;
                for i in 1..n {
                    if better(at(i), at(best)) || (last && !better(at(best), at(i))) {
                        best = i;
                    }
                }
                found.push(int(best));
            }
        }
        let mut shape = x.shape().to_vec();
        shape[along] = 1;
        if !keep {
            shape.remove(along);
        }
        one(Tensor::ints(shape, found)?)
    })
}

/// The best `k` along an axis and where they were, the best first, the earlier of equals first.
pub fn top_k(attributes: &Attributes) -> Result<Kernel, Fault> {
    let along = attributes.int_or("axis", -1)?;
    let largest = attributes.int_or("largest", 1)? != 0;
    let given = if attributes.version < 10 {
        attributes.int("k")?
    } else {
        None
    };
    kernel(move |call| {
        let x = call.tensor(0)?;
        let k = match (given, call.optional(1)?) {
            (Some(k), _) => k,
            (None, Some(k)) => k.as_ints()?.first().copied().unwrap_or(-1),
            (None, None) => return wrong("it does not say how many"),
        };
        let along = axis(along, x.shape().len())?;
        let (before, n, after) = around(x.shape(), along);
        let k = match usize::try_from(k) {
            Ok(k) if k <= n => k,
            _ => return wrong(format!("the best {k} of {n} can not be taken")),
        };
        call.meter.spend_product(&[x.len(), 1 + n.max(1).ilog2() as usize])?;
        let values = x.to_doubles()?;
        let mut shape = x.shape().to_vec();
        shape[along] = k;
        let mut places = vec![0; before * k * after];
        let mut found = vec![0; before * k * after];
        let mut order: Vec<usize> = Vec::with_capacity(n);
        for outer in 0..before {
            for inner in 0..after {
                let place = |i: usize| (outer * n + i) * after + inner;
                order.clear();
                order.extend(0..n);
                order.sort_by(|&i, &j| {
                    let (one, other) = (values[place(i)], values[place(j)]);
                    let order = if largest {
                        other.partial_cmp(&one)
                    } else {
                        one.partial_cmp(&other)
                    };
                    // What is not a number comes last, so that there is an order.
                    order.unwrap_or_else(|| one.is_nan().cmp(&other.is_nan()))
                });
                for (i, &chosen) in order[..k].iter().enumerate() {
                    places[(outer * k + i) * after + inner] = place(chosen);
                    found[(outer * k + i) * after + inner] = int(chosen);
                }
            }
        }
        let best = Tensor::new(shape.clone(), x.data().pick(places.into_iter()))?;
        Ok(vec![best.into(), Tensor::ints(shape, found)?.into()])
    })
}

pub fn cumulative(attributes: &Attributes) -> Result<Kernel, Fault> {
    let exclusive = attributes.int_or("exclusive", 0)? != 0;
    let reverse = attributes.int_or("reverse", 0)? != 0;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let Some(&along) = call.tensor(1)?.as_ints()?.first() else {
            return wrong("it does not say along which axis");
        };
        let (before, n, after) = around(x.shape(), axis(along, x.shape().len())?);
        let mut values = x.to_doubles()?;
        for outer in 0..before {
            for inner in 0..after {
                let mut total = 0.0;
                for i in 0..n {
                    let i = if reverse { n - 1 - i } else { i };
                    let value = &mut values[(outer * n + i) * after + inner];
                    let with = total + *value;
                    *value = if exclusive { total } else { with };
                    total = with;
                }
            }
        }
        let shape = x.shape().to_vec();
        match x.data() {
            Data::Int(_) => one(Tensor::ints(shape, values.into_iter().map(whole).collect())?),
            like => one(Tensor::like(shape, values, like)?),
        }
    })
}

/// Before version 13 over everything from the axis on, since along it alone.
pub fn softmax(attributes: &Attributes, log: bool) -> Result<Kernel, Fault> {
    let flat = attributes.version < 13;
    let along = attributes.int_or("axis", if flat { 1 } else { -1 })?;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let along = axis(along, x.shape().len())?;
        let (before, n, after) = if flat {
            (
                x.shape()[..along].iter().product(),
                x.shape()[along..].iter().product(),
                1,
            )
        } else {
            around(x.shape(), along)
        };
        let mut values = x.to_doubles()?;
        let mut list = vec![0.0; n];
        for outer in 0..before {
            for inner in 0..after {
                let place = |i: usize| (outer * n + i) * after + inner;
                for (i, value) in list.iter_mut().enumerate() {
                    *value = values[place(i)];
                }
                if log {
                    let total = log_sum_exp(&list);
                    for value in &mut list {
                        *value -= total;
                    }
                } else {
                    post::softmax(&mut list);
                }
                for (i, value) in list.iter().enumerate() {
                    values[place(i)] = *value;
                }
            }
        }
        one(Tensor::like(x.shape().to_vec(), values, x.data())?)
    })
}

pub fn lp_normalization(attributes: &Attributes) -> Result<Kernel, Fault> {
    let along = attributes.int_or("axis", -1)?;
    let norm = match attributes.int_or("p", 2)? {
        1 => l1,
        2 => l2,
        other => return wrong(format!("a norm of order {other} is not known")),
    };
    kernel(move |call| {
        let x = call.tensor(0)?;
        let (before, n, after) = around(x.shape(), axis(along, x.shape().len())?);
        let mut values = x.to_doubles()?;
        for outer in 0..before {
            for inner in 0..after {
                let place = |i: usize| (outer * n + i) * after + inner;
                let length = norm(&(0..n).map(|i| values[place(i)]).collect::<Vec<_>>());
                if length != 0.0 {
                    for i in 0..n {
                        values[place(i)] /= length;
                    }
                }
            }
        }
        one(Tensor::like(x.shape().to_vec(), values, x.data())?)
    })
}

/// Whether all rows of `a` with all rows of `b` are not too many.
pub fn check_products(call: &Call, a: &[f32], b: &[f32], n_features: usize) -> Result<(), Fault> {
    let n_others = b.len().checked_div(n_features).unwrap_or(0);
    call.meter.spend_product(&[a.len(), n_others])?;
    size(&[a.len().checked_div(n_features).unwrap_or(0), n_others])?;
    Ok(())
}

/// A number for each row of `a` with each row of `b`: the sum of their products.
pub fn products(call: &Call, a: &[f32], b: &[f32], n_features: usize) -> Result<Vec<f64>, Fault> {
    check_products(call, a, b, n_features)?;
    let mut out = Vec::new();
    if n_features > 0 {
        for row in a.chunks_exact(n_features) {
            for other in b.chunks_exact(n_features) {
                out.push(row.iter().zip(other).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum());
            }
        }
    }
    Ok(out)
}

/// The product of `a` (n × k) and `b` (k × m) in double precision.
fn multiply(call: &Call, a: &[f64], b: &[f64], sizes: [usize; 3]) -> Result<Vec<f64>, Fault> {
    let [n_rows, n_inner, n_columns] = sizes;
    call.meter.spend_product(&sizes)?;
    let mut out = vec![0.0; size(&[n_rows, n_columns])?];
    if n_columns > 0 && n_inner > 0 {
        for (row, factors) in out.chunks_exact_mut(n_columns).zip(a.chunks_exact(n_inner)) {
            for (factor, values) in factors.iter().zip(b.chunks_exact(n_columns)) {
                for (sum, value) in row.iter_mut().zip(values) {
                    *sum += factor * value;
                }
            }
        }
    }
    Ok(out)
}

/// Of matrices and lists; many matrices at once are not known.
pub fn matmul() -> Result<Kernel, Fault> {
    kernel(|call| {
        let (a, b) = (call.tensor(0)?, call.tensor(1)?);
        let (n_rows, n_inner) = match *a.shape() {
            [n_inner] => (1, n_inner),
            [n_rows, n_inner] => (n_rows, n_inner),
            _ => return wrong(format!("a product of shape {:?} is not known", a.shape())),
        };
        let (inner, n_columns) = match *b.shape() {
            [inner] => (inner, 1),
            [inner, n_columns] => (inner, n_columns),
            _ => return wrong(format!("a product with shape {:?} is not known", b.shape())),
        };
        if inner != n_inner {
            return wrong(format!("shapes {:?} and {:?} have no product", a.shape(), b.shape()));
        }
        let values = multiply(call, &a.to_doubles()?, &b.to_doubles()?, [n_rows, n_inner, n_columns])?;
        let shape = match (a.shape().len(), b.shape().len()) {
            (1, 1) => vec![],
            (1, _) => vec![n_columns],
            (_, 1) => vec![n_rows],
            _ => vec![n_rows, n_columns],
        };
        match a.data() {
            Data::Int(_) => one(Tensor::ints(shape, values.into_iter().map(whole).collect())?),
            like => one(Tensor::like(shape, values, like)?),
        }
    })
}

pub fn gemm(attributes: &Attributes) -> Result<Kernel, Fault> {
    let alpha = f64::from(attributes.float_or("alpha", 1.0)?);
    let beta = f64::from(attributes.float_or("beta", 1.0)?);
    let turn_a = attributes.int_or("transA", 0)? != 0;
    let turn_b = attributes.int_or("transB", 0)? != 0;
    kernel(move |call| {
        let (a, b) = (call.tensor(0)?, call.tensor(1)?);
        let (values_a, n_rows, n_inner) = matrix(a, turn_a)?;
        let (values_b, inner, n_columns) = matrix(b, turn_b)?;
        if inner != n_inner {
            return wrong(format!("shapes {:?} and {:?} have no product", a.shape(), b.shape()));
        }
        let mut values = multiply(call, &values_a, &values_b, [n_rows, n_inner, n_columns])?;
        for value in &mut values {
            *value *= alpha;
        }
        if let Some(c) = call.optional(2)? {
            let out = [n_rows, n_columns];
            if meeting(c.shape(), &out)? != out {
                return wrong(format!("shape {:?} can not be added to {out:?}", c.shape()));
            }
            let added = c.to_doubles()?;
            for (value, place) in values.iter_mut().zip(Walk::broadcast(c.shape(), &out)) {
                *value += beta * added[place];
            }
        }
        one(Tensor::like(vec![n_rows, n_columns], values, a.data())?)
    })
}

/// A matrix, turned over if asked, with its rows and columns.
fn matrix(tensor: &Tensor, turned: bool) -> Result<(Vec<f64>, usize, usize), Fault> {
    let [n, m] = *tensor.shape() else {
        return wrong(format!("shape {:?} is not a matrix", tensor.shape()));
    };
    let values = tensor.to_doubles()?;
    if turned {
        let out = [m, n];
        let walk = Walk::new(&out, vec![1, m.cast_signed()], 0);
        Ok((walk.map(|place| values[place]).collect(), m, n))
    } else {
        Ok((values, n, m))
    }
}

/// To single precision, as the operators of `ai.onnx.ml` answer.
pub fn singles(shape: Vec<usize>, values: impl IntoIterator<Item = f64>) -> Result<Tensor, Fault> {
    Tensor::floats(shape, values.into_iter().map(single).collect())
}
