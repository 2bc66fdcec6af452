//! The twin of W&B as a program.

fn main() {}
