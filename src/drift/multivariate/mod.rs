//! Changes between columns that no column shows alone: reconstruction by principal components, and a classifier that
//! tells the two sides apart. Pure.

mod domain;
mod forest;
mod pca;
mod rank;
mod table;

pub use domain::{DomainRule, domain};
pub use forest::{Forest, Growth, grow};
pub use pca::{PcaModel, compare, fit, score};
pub use rank::rank_sum;
pub use table::{Binned, Cells, Feature, thin};

/// Numbers of one column: NaN and infinite are missing.
#[derive(Debug, Clone, Copy)]
pub struct NumberColumn<'a> {
    pub name: &'a str,
    pub values: &'a [f64],
}
