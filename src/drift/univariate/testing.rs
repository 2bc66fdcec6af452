//! Small pairs of columns for the tests of every test.

use super::super::pair::{Numbers, Pair};
use super::super::sketch::{NumberSketch, Scratch};

pub fn sketch(values: &[f64], is_whole: bool) -> NumberSketch {
    NumberSketch::of(values.iter().copied(), is_whole, &mut Scratch::default())
        .sketch
        .unwrap()
}

pub fn merged(reference: &[f64], current: &[f64]) -> Numbers {
    Numbers::merge(&sketch(reference, false), &sketch(current, false))
}

pub fn sides(reference: &[f64], current: &[f64]) -> Pair {
    Pair::Numbers(merged(reference, current))
}
