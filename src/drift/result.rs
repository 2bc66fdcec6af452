//! What a comparison of two data sets found: plain values, the same for terminal, page, checks and JSON. Pure.

use serde::{Deserialize, Serialize};

use super::degradation::Degradation;
use super::univariate::{Kind, Op, ScoreKind};
use super::unlabelled::Estimated;

/// More bins or bars are none that we made.
const MAX_SHARES: usize = 100;

pub const SCHEMA: &str = "mlops-drift/1";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Calibrated,
    Evidently,
}

impl Mode {
    pub fn word(self) -> &'static str {
        match self {
            Self::Calibrated => "calibrated",
            Self::Evidently => "evidently",
        }
    }
}

/// What follows from drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    Ignore,
    #[default]
    Warn,
    Fail,
    Retrain,
}

impl Policy {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Retrain => "retrain",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftResult {
    /// [`SCHEMA`].
    pub schema: String,
    pub mode: Mode,
    pub reference: Side,
    pub current: Side,
    pub dataset: DatasetDrift,
    /// In the order of the reference, then columns that only the current data has.
    pub columns: Vec<ColumnDrift>,
    /// Whether values are missing more or less often: a family of its own.
    pub missing: Vec<MissingDrift>,
    pub data_quality: Vec<Finding>,
    pub multivariate: Option<Multivariate>,
    /// Whether the model that was trained on the reference errs more now, where the answers are known.
    #[serde(default)]
    pub performance: Option<Performance>,
    /// How good the model is expected to be where the answers are not known yet.
    #[serde(default)]
    pub estimated: Option<Estimated>,
    /// What to know about the whole: rows that were left out, what was approximated.
    pub notes: Vec<String>,
}

impl DriftResult {
    /// Whether every picture has as many shares as it has bins or bars: what a drawing relies on.
    pub fn is_consistent(&self) -> bool {
        self.columns.iter().all(|column| match &column.picture {
            None => true,
            Some(Picture::Histogram {
                edges,
                reference,
                current,
            }) => {
                let n = reference.len();
                n == current.len() && edges.len() == n + 1 && n <= MAX_SHARES && edges.is_sorted()
            }
            Some(Picture::Bars {
                labels,
                reference,
                current,
            }) => {
                let n = reference.len();
                n == current.len() && labels.len() == n && n <= MAX_SHARES
            }
        })
    }
}

/// One of the two data sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// A path, or `training data of v3 (production)`.
    pub source: String,
    pub rows: u64,
    pub sha256: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetDrift {
    pub tested: usize,
    pub drifted: usize,
    /// Columns whose location moved and whose distribution alone did not say so.
    pub moved: usize,
    /// `drifted / tested`; 0 when nothing was tested.
    pub share: f64,
    /// At this share the whole data set drifted.
    pub threshold: f64,
    pub drift: bool,
    /// What the policy made of it: `ignore`, `pass`, `warn`, `fail`, `retrain`.
    pub decision: String,
    /// The sum of the drifted columns' severities, 0 to 1.
    pub severity: f64,
    /// Why the decision, a sentence each.
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Feature,
    Target,
    Prediction,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnDrift {
    pub column: String,
    pub role: Role,
    #[serde(rename = "type")]
    pub kind: Kind,
    /// `computed`, `skipped: why`, `inconclusive: why`.
    pub status: String,
    /// Numbers that are compared by what they changed since the row so much earlier: `one year`, `one week`, `one day`.
    /// Statistic, effect, summary and picture are of these changes, and `n` counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_in: Option<String>,
    pub test: Option<String>,
    #[serde(with = "number", default)]
    pub score: Option<f64>,
    pub score_kind: Option<ScoreKind>,
    pub threshold: Option<f64>,
    pub op: Option<Op>,
    #[serde(with = "number", default)]
    pub statistic: Option<f64>,
    #[serde(with = "number", default)]
    pub p: Option<f64>,
    /// After the correction for the number of columns.
    #[serde(with = "number", default)]
    pub p_adj: Option<f64>,
    #[serde(with = "number", default)]
    pub effect: Option<f64>,
    /// `wasserstein_std`, `jensenshannon`, `roc_auc`.
    pub effect_kind: Option<String>,
    pub drifted: bool,
    /// A second look at numbers: whether they moved as a whole.
    pub location: Option<Location>,
    /// How much it matters: effect, weighted by the importance of the feature where that is known; 0 to 1.
    pub severity: f64,
    /// The feature's share in the model, 0 to 1.
    pub importance: Option<f64>,
    /// Known values of the reference and of the current side.
    pub n: [u64; 2],
    pub missing: [u64; 2],
    pub infinite: [u64; 2],
    /// At most twenty, the most frequent first, with their rows.
    pub new_categories: Vec<(String, u64)>,
    pub lost_categories: Vec<(String, u64)>,
    pub notes: Vec<String>,
    /// Numbers only.
    pub summary: Option<[Summary; 2]>,
    pub picture: Option<Picture>,
    /// The greatest error of the distribution functions where they are not exact.
    pub approximate: Option<f64>,
}

/// Mann and Whitney's test, two-sided, with its own correction and a stricter level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Location {
    pub p: f64,
    pub p_adj: f64,
    pub moved: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub mean: f64,
    pub sd: f64,
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

/// What to draw: shares of rows, each side summing to 1 over what it knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// `edges` has one entry more than the shares. Values beyond the edges are in the outermost bins.
    Histogram {
        edges: Vec<f64>,
        reference: Vec<f64>,
        current: Vec<f64>,
    },
    /// At most twelve; the rest is the last, named `other`.
    Bars {
        labels: Vec<String>,
        reference: Vec<f64>,
        current: Vec<f64>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissingDrift {
    pub column: String,
    pub missing_reference: u64,
    pub missing_current: u64,
    pub p: f64,
    pub p_adj: f64,
    /// The difference of the shares, without sign.
    pub effect: f64,
    pub drifted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Info,
    Warn,
    Fail,
}

/// Something about the data that is no change of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// `missing_column`, `new_column`, `type_change`, `new_categories`, `out_of_range`, `empty_column`, `infinite`.
    pub check: String,
    pub column: String,
    pub level: Level,
    /// A sentence without a full stop.
    pub message: String,
}

/// A model's errors then and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// `mean absolute error`, `share of wrong answers`.
    pub measure: String,
    #[serde(flatten)]
    pub found: Degradation,
}

/// Changes between columns that no column shows alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Multivariate {
    pub pca_reconstruction: Option<PcaDrift>,
    pub domain_classifier: Option<DomainDrift>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PcaDrift {
    /// The mean error of the current rows.
    pub value: f64,
    pub lower: f64,
    pub upper: f64,
    pub sampling_error: f64,
    pub n_components: usize,
    pub n_columns: usize,
    pub alert: bool,
}

/// How well a classifier tells the two sides apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DomainDrift {
    pub auc: f64,
    pub p: f64,
    pub drifted: bool,
    /// Rows of each side that it learned from.
    pub n: [u64; 2],
    /// Column and share, the most telling first, at most ten.
    pub importance: Vec<(String, f64)>,
}

/// JSON has no infinite numbers: they are written as texts.
mod number {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            None => serializer.serialize_none(),
            Some(value) if value.is_finite() => serializer.serialize_f64(*value),
            Some(value) if value.is_nan() => serializer.serialize_str("NaN"),
            Some(value) if *value > 0.0 => serializer.serialize_str("Infinity"),
            Some(_) => serializer.serialize_str("-Infinity"),
        }
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        match Option::<Written>::deserialize(deserializer)? {
            None => Ok(None),
            Some(Written::Number(number)) => Ok(Some(number)),
            Some(Written::Text(text)) => match text.as_str() {
                "NaN" => Ok(Some(f64::NAN)),
                "Infinity" => Ok(Some(f64::INFINITY)),
                "-Infinity" => Ok(Some(f64::NEG_INFINITY)),
                other => Err(D::Error::custom(format!("`{other}` is no number"))),
            },
        }
    }
}
