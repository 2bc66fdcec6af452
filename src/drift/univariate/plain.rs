//! What tests of numbers share. Pure.

use super::super::pair::{Numbers, Pair};
use super::Undefined;

/// The numbers of a pair of columns.
pub fn numbers(pair: &Pair) -> Result<&Numbers, Undefined> {
    match pair {
        Pair::Numbers(numbers) => Ok(numbers),
        Pair::Categories(_) => Err(Undefined("the column has categories, not numbers".to_owned())),
    }
}

/// The sum of squared differences from the mean, of the reference (0) or of the current side (1), as numpy has it:
/// infinite or 0 where squares leave the range of numbers.
pub fn squares(numbers: &Numbers, side: usize) -> f64 {
    let moments = numbers.moments[side];
    if numbers.rank_error > 0.0 {
        return moments.sd * moments.sd * moments.n as f64;
    }
    let counts = if side == 0 {
        &numbers.reference
    } else {
        &numbers.current
    };
    let mut lanes = [0.0; 4];
    for (index, (value, count)) in numbers.values.iter().zip(counts).enumerate() {
        if *count > 0 {
            let difference = value - moments.mean;
            lanes[index & 3] += *count as f64 * (difference * difference);
        }
    }
    lanes.iter().sum()
}

/// The standard deviation with divisor n, with the limits of [`squares`].
pub fn plain_sd(numbers: &Numbers, side: usize) -> f64 {
    (squares(numbers, side) / numbers.moments[side].n as f64).sqrt()
}
