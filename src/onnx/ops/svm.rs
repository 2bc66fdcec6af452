//! Support vector machines. Pure.
//!
//! Sources: Chang and Lin, *LIBSVM* (2011); for probabilities of several classes Wu, Lin and Weng (2004), their second
//! method, with libsvm's limit of a hundred rounds.

use super::super::attributes::Attributes;
use super::super::graph::{Call, Kernel};
use super::super::tensor::{Fault, size, wrong};
use super::linear::answer;
use super::math::{check_products, kernel, one, products, singles};
use super::post::{Post, Second, logistic, two};

/// How alike two rows are.
#[derive(Debug, Clone, Copy)]
enum Likeness {
    Linear,
    Polynomial { gamma: f64, add: f64, degree: f64 },
    Radial { gamma: f32 },
    Sigmoid { gamma: f64, add: f64 },
}

impl Likeness {
    fn new(attributes: &Attributes) -> Result<Self, Fault> {
        let (gamma, add, degree) = match *attributes.floats("kernel_params")? {
            [] => (0.0, 0.0, 0.0),
            [gamma, add, degree, ..] => (gamma, add, degree),
            _ => return wrong("`kernel_params` are not three"),
        };
        let (wide, add) = (f64::from(gamma), f64::from(add));
        Ok(match &*attributes.text_or("kernel_type", "LINEAR")? {
            "LINEAR" => Self::Linear,
            "POLY" => Self::Polynomial {
                gamma: wide,
                add,
                degree: degree.into(),
            },
            "RBF" => Self::Radial { gamma },
            "SIGMOID" => Self::Sigmoid { gamma: wide, add },
            other => return wrong(format!("the kernel `{other}` is not known")),
        })
    }

    /// Of each row of `a` with each of `b`.
    fn of(self, call: &Call, a: &[f32], b: &[f32], n_features: usize) -> Result<Vec<f64>, Fault> {
        if let Self::Radial { gamma } = self {
            check_products(call, a, b, n_features)?;
            let distance = |a: &[f32], b: &[f32]| -> f64 {
                let squares = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
                (-f64::from(gamma) * squares.sum::<f64>()).exp()
            };
            let rows = a.chunks_exact(n_features);
            return Ok(rows
                .flat_map(|row| b.chunks_exact(n_features).map(move |other| distance(row, other)))
                .collect());
        }
        let mut values = products(call, a, b, n_features)?;
        match self {
            Self::Linear | Self::Radial { .. } => {}
            Self::Polynomial { gamma, add, degree } => {
                for value in &mut values {
                    *value = (gamma * *value + add).powf(degree);
                }
            }
            Self::Sigmoid { gamma, add } => {
                for value in &mut values {
                    *value = (gamma * *value + add).tanh();
                }
            }
        }
        Ok(values)
    }
}

fn count(value: i64) -> Result<usize, Fault> {
    match usize::try_from(value) {
        Ok(count) if count < 1 << 31 => Ok(count),
        _ => wrong(format!("{value} is not a count")),
    }
}

pub fn regressor(attributes: &Attributes) -> Result<Kernel, Fault> {
    let n_vectors = count(attributes.int_or("n_supports", 0)?)?;
    let one_class = attributes.int_or("one_class", 0)? != 0;
    let coefficients = attributes.floats("coefficients")?.to_vec();
    let Some(&rho) = attributes.floats("rho")?.first() else {
        return wrong("it has no `rho`");
    };
    let (likeness, vectors) = if n_vectors > 0 {
        (
            Likeness::new(attributes)?,
            attributes.floats("support_vectors")?.to_vec(),
        )
    } else {
        (Likeness::Linear, coefficients.clone())
    };
    let n = n_vectors.max(1);
    if vectors.is_empty() || !vectors.len().is_multiple_of(n) || (n_vectors > 0 && coefficients.len() != n) {
        return wrong(format!("{} numbers are not {n} vectors", vectors.len()));
    }
    let n_features = vectors.len() / n;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let (n_rows, n_columns) = x.rows_and_columns()?;
        if n_columns != n_features {
            return wrong(format!("it has {n_columns} features, not {n_features}"));
        }
        let alike = likeness.of(call, &x.to_floats()?, &vectors, n_features)?;
        let scores = alike.chunks(n).map(|row| {
            let sum: f64 = if n_vectors > 0 {
                row.iter()
                    .zip(&coefficients)
                    .map(|(&value, &by)| value * f64::from(by))
                    .sum()
            } else {
                row[0]
            };
            let score = sum + f64::from(rho);
            match (one_class, score > 0.0) {
                (false, _) => score,
                (true, true) => 1.0,
                (true, false) => -1.0,
            }
        });
        one(singles(vec![n_rows, 1], scores)?)
    })
}

/// One against one, with votes; or (without vectors) one score a class.
pub fn classifier(attributes: &Attributes) -> Result<Kernel, Fault> {
    let post = Post::new(&attributes.text_or("post_transform", "NONE")?)?;
    let labels = attributes.labels("classlabels_strings", "classlabels_ints")?;
    let n_classes = labels.len();
    let coefficients = attributes.floats("coefficients")?.to_vec();
    let rho = attributes.floats("rho")?.to_vec();
    let (prob_a, prob_b) = (
        attributes.floats("prob_a")?.to_vec(),
        attributes.floats("prob_b")?.to_vec(),
    );
    let mut starts = vec![0];
    for &n in attributes.ints("vectors_per_class")? {
        starts.push(starts[starts.len() - 1] + count(n)?);
    }
    let n_vectors = starts[starts.len() - 1];
    if rho.is_empty() || coefficients.is_empty() {
        return wrong("it has no `rho` or no `coefficients`");
    }
    if n_vectors == 0 {
        if !coefficients.len().is_multiple_of(n_classes) {
            return wrong(format!(
                "{} coefficients are not those of {n_classes} classes",
                coefficients.len()
            ));
        }
        let positive = coefficients.iter().all(|&value| value >= 0.0);
        return kernel(move |call| {
            let x = call.tensor(0)?;
            let (n_rows, n_columns) = x.rows_and_columns()?;
            if n_columns * n_classes != coefficients.len() {
                return wrong(format!("{n_columns} features meet {} coefficients", coefficients.len()));
            }
            let mut scores = products(call, &x.to_floats()?, &coefficients, n_columns)?;
            for score in &mut scores {
                *score += f64::from(rho[0]);
            }
            let mut chosen = Vec::with_capacity(n_rows);
            for row in scores.chunks_mut(n_classes) {
                let best = (1..n_classes).fold(0, |best, i| if row[i] > row[best] { i } else { best });
                let upper = n_classes == 2 && if positive { row[best] >= 0.5 } else { row[best] > 0.0 };
                chosen.push(if upper { 1 } else { best });
                if n_classes > 1 {
                    post.apply(row);
                }
            }
            Ok(vec![
                answer(&labels, &chosen)?.into(),
                singles(vec![n_rows, n_classes], scores)?.into(),
            ])
        });
    }

    let vectors = attributes.floats("support_vectors")?.to_vec();
    let likeness = Likeness::new(attributes)?;
    let n_pairs = n_classes * n_classes.saturating_sub(1) / 2;
    if n_classes < 2 || starts.len() != n_classes + 1 || n_classes > 1 << 12 {
        return wrong(format!(
            "vectors of {} classes are not those of {n_classes}",
            starts.len() - 1
        ));
    }
    if vectors.is_empty() || !vectors.len().is_multiple_of(n_vectors) {
        return wrong(format!("{} numbers are not {n_vectors} vectors", vectors.len()));
    }
    let short = |list: &[f32]| !list.is_empty() && list.len() < n_pairs;
    if coefficients.len() < (n_classes - 1) * n_vectors || rho.len() < n_pairs || short(&prob_a) || short(&prob_b) {
        return wrong(format!("its numbers do not suffice for {n_pairs} pairs of classes"));
    }
    if prob_a.len() != prob_b.len() {
        return wrong("`prob_a` and `prob_b` are not equally many");
    }
    let n_features = vectors.len() / n_vectors;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let (n_rows, n_columns) = x.rows_and_columns()?;
        if n_columns != n_features {
            return wrong(format!("it has {n_columns} features, not {n_features}"));
        }
        let alike = likeness.of(call, &x.to_floats()?, &vectors, n_features)?;
        call.meter.spend_product(&[n_rows, n_classes, n_vectors])?;
        size(&[n_rows, n_pairs])?;
        let (mut chosen, mut scores) = (Vec::with_capacity(n_rows), Vec::new());
        for alike in alike.chunks(n_vectors) {
            let mut votes = vec![0_usize; n_classes];
            let mut pairs = Vec::with_capacity(n_pairs);
            for i in 0..n_classes {
                for j in i + 1..n_classes {
                    let part = |row: usize, class: usize| -> f64 {
                        let of_class = starts[class]..starts[class + 1];
                        let by = &coefficients[row * n_vectors..][of_class.clone()];
                        alike[of_class]
                            .iter()
                            .zip(by)
                            .map(|(&value, &by)| value * f64::from(by))
                            .sum()
                    };
                    let score = part(j - 1, i) + part(i, j) + f64::from(rho[pairs.len()]);
                    votes[if score > 0.0 { i } else { j }] += 1;
                    pairs.push(score);
                }
            }
            let best = (1..n_classes).fold(0, |best, i| if votes[i] > votes[best] { i } else { best });
            chosen.push(best);
            if prob_a.is_empty() {
                if n_classes == 2 {
                    let second = if post == Post::None {
                        Second::Opposite
                    } else {
                        Second::Complement
                    };
                    scores.extend(two(pairs[0], second, post));
                } else {
                    post.apply(&mut pairs);
                    scores.extend(pairs);
                }
                continue;
            }
            call.meter.spend_product(&[100, n_classes, n_classes])?;
            for ((score, &a), &b) in pairs.iter_mut().zip(&prob_a).zip(&prob_b) {
                let probability = 1.0 - logistic(*score * f64::from(a) + f64::from(b));
                *score = probability.clamp(1e-7, 1.0 - 1e-7);
            }
            let mut probabilities = together(n_classes, &pairs);
            post.apply(&mut probabilities);
            scores.extend(probabilities);
        }
        let n = scores.len().checked_div(n_rows).unwrap_or(0);
        Ok(vec![
            answer(&labels, &chosen)?.into(),
            singles(vec![n_rows, n], scores)?.into(),
        ])
    })
}

/// The probabilities of all classes from those of each pair, in which `pairs` has the first of the two.
fn together(n: usize, pairs: &[f64]) -> Vec<f64> {
    let mut r = vec![0.0; n * n];
    let mut of_pair = pairs.iter();
    for i in 0..n {
        for j in i + 1..n {
            let first = of_pair.next().copied().unwrap_or(0.5);
            r[i * n + j] = first;
            r[j * n + i] = 1.0 - first;
        }
    }
    let mut q = vec![0.0; n * n];
    for i in 0..n {
        for j in (0..n).filter(|&j| j != i) {
            q[i * n + i] += r[j * n + i] * r[j * n + i];
            q[i * n + j] = -r[j * n + i] * r[i * n + j];
        }
    }
    let mut p = vec![1.0 / n as f64; n];
    for _ in 0..100 {
        let mut qp: Vec<f64> = q
            .chunks(n)
            .map(|row| row.iter().zip(&p).map(|(q, p)| q * p).sum())
            .collect();
        let mut pqp: f64 = p.iter().zip(&qp).map(|(p, qp)| p * qp).sum();
        if qp.iter().all(|value| (value - pqp).abs() < 0.005 / n as f64) {
            break;
        }
        for i in 0..n {
            let diff = (pqp - qp[i]) / q[i * n + i];
            p[i] += diff;
            pqp = (pqp + diff * (diff * q[i * n + i] + 2.0 * qp[i])) / (1.0 + diff) / (1.0 + diff);
            for j in 0..n {
                qp[j] = (qp[j] + diff * q[i * n + j]) / (1.0 + diff);
                p[j] /= 1.0 + diff;
            }
        }
    }
    p
}
