//! Whether data changed: tests of one column, of many together, and of what a model makes of them. Pure.

mod calibrated;
mod column;
mod compare;
mod decide;
mod degradation;
mod evidently;
mod findings;
mod gather;
mod golden;
mod kept;
mod kinds;
mod multivariate;
mod pair;
mod quantiles;
mod result;
mod season;
mod settings;
mod shape;
mod sketch;
mod stream;
mod univariate;
mod unlabelled;

pub use calibrated::Beside;
pub use compare::{CheckedTest, Differences, Half, Knowledge, all_tests, compare};
pub use degradation::{DegradationRule, degradation};
pub use gather::{Gather, Gathered, Limits};
pub use kept::Kept;
pub use multivariate::{
    Cells, DomainRule, Feature, NumberColumn, PcaModel, compare as compare_pca, domain, fit as fit_pca,
    score as score_pca,
};
pub use result::{
    ColumnDrift, DomainDrift, DriftResult, Finding, Level, MissingDrift, Mode, Multivariate, PcaDrift, Performance,
    Picture, Policy, Role, SCHEMA, Side, Summary,
};
#[cfg(test)]
pub use result::{DatasetDrift, Location};
pub use season::{one_season_earlier, same_season};
pub use settings::{ALPHA, MAX_SHARE, MIN_EFFECT, MIN_ROWS, Season, Settings, known_test};
pub use sketch::{ColumnSketch, NumberSketch, Scratch, Seen, TextSketch};
pub use stream::{DETECTORS, DetectorKind, detect};
pub use univariate::effective::rows as effective_rows;
pub use univariate::table::{TESTS, kind_name, markdown as test_table};
pub use univariate::{Kind, Op, ScoreKind};
pub use unlabelled::{
    Answers, Estimated, EstimatedMetric, Labelled, MIN_ROWS as MIN_UNLABELLED, Method, THRESHOLD, estimate_classes,
    estimate_many, estimate_numbers,
};
