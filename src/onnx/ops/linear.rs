//! Linear models. Pure.

use super::super::attributes::Attributes;
use super::super::graph::Kernel;
use super::super::tensor::{Data, Fault, Tensor, wrong};
use super::math::{kernel, one, products, singles};
use super::post::{Post, Second, two};

pub fn regressor(attributes: &Attributes) -> Result<Kernel, Fault> {
    let post = Post::new(&attributes.text_or("post_transform", "NONE")?)?;
    let n_targets = usize::try_from(attributes.int_or("targets", 1)?).unwrap_or(0);
    let coefficients = attributes.floats("coefficients")?.to_vec();
    let intercepts = attributes.floats("intercepts")?.to_vec();
    if n_targets == 0 || coefficients.is_empty() || !coefficients.len().is_multiple_of(n_targets) {
        return wrong(format!(
            "{} coefficients are not those of {n_targets} targets",
            coefficients.len()
        ));
    }
    kernel(move |call| {
        let x = call.tensor(0)?;
        let (n_rows, n_columns) = x.rows_and_columns()?;
        if n_columns * n_targets != coefficients.len() {
            return wrong(format!("{n_columns} features meet {} coefficients", coefficients.len()));
        }
        let mut scores = products(call, &x.to_floats()?, &coefficients, n_columns)?;
        for row in scores.chunks_mut(n_targets) {
            // Only a complete list counts.
            if intercepts.len() == n_targets {
                row.iter_mut()
                    .zip(&intercepts)
                    .for_each(|(score, &added)| *score += f64::from(added));
            }
            if n_targets > 1 || post == Post::Probit {
                post.apply(row);
            }
        }
        one(singles(vec![n_rows, n_targets], scores)?)
    })
}

pub fn classifier(attributes: &Attributes) -> Result<Kernel, Fault> {
    let post = Post::new(&attributes.text_or("post_transform", "NONE")?)?;
    let labels = attributes.labels("classlabels_strings", "classlabels_ints")?;
    let coefficients = attributes.floats("coefficients")?.to_vec();
    let intercepts = attributes.floats("intercepts")?.to_vec();
    let n = intercepts.len();
    if n == 0 || coefficients.is_empty() || !coefficients.len().is_multiple_of(n) {
        return wrong(format!("{} coefficients do not fit {n} intercepts", coefficients.len()));
    }
    if labels.len() != n && (n, labels.len()) != (1, 2) {
        return wrong(format!("{n} scores do not fit {} classes", labels.len()));
    }
    kernel(move |call| {
        let x = call.tensor(0)?;
        let (n_rows, n_columns) = x.rows_and_columns()?;
        if n_columns * n != coefficients.len() {
            return wrong(format!("{n_columns} features meet {} coefficients", coefficients.len()));
        }
        let mut scores = products(call, &x.to_floats()?, &coefficients, n_columns)?;
        for row in scores.chunks_mut(n) {
            row.iter_mut()
                .zip(&intercepts)
                .for_each(|(score, &added)| *score += f64::from(added));
        }
        let chosen: Vec<usize> = scores.chunks(n).map(|row| best(row).min(labels.len() - 1)).collect();
        if labels.len() == 2 && n == 1 {
            let pairs = scores.iter().flat_map(|&score| match post {
                Post::Probit => [super::post::probit(score), 0.0],
                _ => two(score, Second::Complement, post),
            });
            let scores = singles(vec![n_rows, 2], pairs)?;
            return Ok(vec![answer(&labels, &chosen)?.into(), scores.into()]);
        }
        if n > 1 || post == Post::Probit {
            scores.chunks_mut(n).for_each(|row| post.apply(row));
        }
        Ok(vec![
            answer(&labels, &chosen)?.into(),
            singles(vec![n_rows, n], scores)?.into(),
        ])
    })
}

/// The class of a row: the first of the greatest, or of one score the second class if it is above zero.
fn best(row: &[f64]) -> usize {
    match row {
        [score] => usize::from(*score > 0.0),
        _ => (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }),
    }
}

pub fn answer(labels: &Data, chosen: &[usize]) -> Result<Tensor, Fault> {
    Tensor::new(vec![chosen.len()], labels.pick(chosen.iter().copied()))
}
