//! The operators, by domain and name. Pure.
//!
//! Each is made once from a node's attributes and is then a function from values to values. They compute as onnxruntime
//! does: in single precision where the model says `float`, products summed in double precision and rounded once.

mod encode;
mod linear;
mod math;
mod post;
mod scan;
mod shape;
mod svm;
mod trees;

use super::attributes::Attributes;
use super::graph::{Kernel, ML};
use super::tensor::Fault;

pub type Make = fn(&Attributes) -> Result<Kernel, Fault>;

pub fn find(domain: &str, name: &str) -> Option<Make> {
    let table = match domain {
        "" => STANDARD,
        ML => CLASSICAL,
        _ => return None,
    };
    table.iter().find(|(known, _)| *known == name).map(|(_, make)| *make)
}

const STANDARD: &[(&str, Make)] = &[
    ("Abs", |_| math::unary(f32::abs, f64::abs)),
    ("Add", |_| {
        math::arithmetic(|a, b| a + b, |a, b| a + b, i64::checked_add)
    }),
    ("And", |_| math::logic(|a, b| a && b)),
    ("ArgMax", |a| math::arg(a, |value, best| value > best)),
    ("ArgMin", |a| math::arg(a, |value, best| value < best)),
    ("Cast", shape::cast),
    ("Ceil", |_| math::unary(f32::ceil, f64::ceil)),
    ("Clip", math::clip),
    ("Concat", shape::concat),
    ("Constant", shape::constant),
    ("ConstantOfShape", shape::constant_of_shape),
    ("CumSum", math::cumulative),
    ("Div", |_| {
        math::arithmetic(|a, b| a / b, |a, b| a / b, i64::checked_div)
    }),
    ("Equal", |_| math::equal()),
    ("Exp", |_| math::unary(f32::exp, f64::exp)),
    ("Expand", |_| shape::expand()),
    ("Flatten", shape::flatten),
    ("Floor", |_| math::unary(f32::floor, f64::floor)),
    ("Gather", shape::gather),
    ("GatherElements", shape::gather_elements),
    ("Gemm", math::gemm),
    ("Greater", |_| math::compare(|a, b| a > b, |a, b| a > b)),
    ("GreaterOrEqual", |_| math::compare(|a, b| a >= b, |a, b| a >= b)),
    ("Identity", |_| shape::identity()),
    ("IsInf", |_| math::is(f64::is_infinite)),
    ("IsNaN", |_| math::is(f64::is_nan)),
    ("Less", |_| math::compare(|a, b| a < b, |a, b| a < b)),
    ("LessOrEqual", |_| math::compare(|a, b| a <= b, |a, b| a <= b)),
    ("Log", |_| math::unary(f32::ln, f64::ln)),
    ("LogSoftmax", |a| math::softmax(a, true)),
    ("LpNormalization", math::lp_normalization),
    ("MatMul", |_| math::matmul()),
    ("Max", |_| math::fold(f32_max, f64_max, |a, b| Some(a.max(b)), false)),
    ("Mean", |_| {
        math::fold(|a, b| a + b, |a, b| a + b, i64::checked_add, true)
    }),
    ("Min", |_| math::fold(f32_min, f64_min, |a, b| Some(a.min(b)), false)),
    ("Mul", |_| {
        math::arithmetic(|a, b| a * b, |a, b| a * b, i64::checked_mul)
    }),
    ("Neg", |_| math::unary(|value| -value, |value| -value)),
    ("Not", |_| math::not()),
    ("Or", |_| math::logic(|a, b| a || b)),
    ("Pow", |_| math::pow()),
    ("Reciprocal", |_| math::unary(f32::recip, f64::recip)),
    ("ReduceL1", |a| math::reduce(a, 18, math::l1)),
    ("ReduceL2", |a| math::reduce(a, 18, math::l2)),
    ("ReduceLogSum", |a| math::reduce(a, 18, |values| math::sum(values).ln())),
    ("ReduceLogSumExp", |a| math::reduce(a, 18, math::log_sum_exp)),
    ("ReduceMax", |a| {
        math::reduce(a, 18, |values| values.iter().copied().fold(f64::NEG_INFINITY, f64_max))
    }),
    ("ReduceMean", |a| {
        math::reduce(a, 18, |values| math::sum(values) / values.len() as f64)
    }),
    ("ReduceMin", |a| {
        math::reduce(a, 18, |values| values.iter().copied().fold(f64::INFINITY, f64_min))
    }),
    ("ReduceProd", |a| math::reduce(a, 18, |values| values.iter().product())),
    ("ReduceSum", |a| math::reduce(a, 13, math::sum)),
    ("ReduceSumSquare", |a| {
        math::reduce(a, 18, |values| values.iter().map(|value| value * value).sum())
    }),
    ("Relu", |_| {
        math::unary(|value| f32_max(value, 0.0), |value| f64_max(value, 0.0))
    }),
    ("Reshape", shape::reshape),
    ("Round", |_| math::unary(f32::round_ties_even, f64::round_ties_even)),
    ("Scan", scan::scan),
    ("Shape", shape::shape),
    ("Sigmoid", |_| math::wide_unary(post::logistic)),
    ("Sign", |_| {
        math::wide_unary(|value| if value == 0.0 { 0.0 } else { value.signum() })
    }),
    ("Slice", shape::slice),
    ("Softmax", |a| math::softmax(a, false)),
    ("Softplus", |_| {
        math::wide_unary(|value| f64_max(value, 0.0) + (-value.abs()).exp().ln_1p())
    }),
    ("Split", shape::split),
    ("Sqrt", |_| math::unary(f32::sqrt, f64::sqrt)),
    ("Squeeze", shape::squeeze),
    ("Sub", |_| {
        math::arithmetic(|a, b| a - b, |a, b| a - b, i64::checked_sub)
    }),
    ("Sum", |_| {
        math::fold(|a, b| a + b, |a, b| a + b, i64::checked_add, false)
    }),
    ("Tanh", |_| math::wide_unary(f64::tanh)),
    ("Tile", |_| shape::tile()),
    ("TopK", math::top_k),
    ("Transpose", shape::transpose),
    ("Unsqueeze", shape::unsqueeze),
    ("Where", |_| shape::choose()),
    ("Xor", |_| math::logic(|a, b| a != b)),
];

const CLASSICAL: &[(&str, Make)] = &[
    ("ArrayFeatureExtractor", |_| encode::array_feature_extractor()),
    ("Binarizer", encode::binarizer),
    ("CategoryMapper", encode::category_mapper),
    ("FeatureVectorizer", |_| encode::feature_vectorizer()),
    ("Imputer", encode::imputer),
    ("LabelEncoder", encode::label_encoder),
    ("LinearClassifier", linear::classifier),
    ("LinearRegressor", linear::regressor),
    ("Normalizer", encode::normalizer),
    ("OneHotEncoder", encode::one_hot_encoder),
    ("SVMClassifier", svm::classifier),
    ("SVMRegressor", svm::regressor),
    ("Scaler", encode::scaler),
    ("TreeEnsemble", trees::ensemble),
    ("TreeEnsembleClassifier", trees::classifier),
    ("TreeEnsembleRegressor", trees::regressor),
    ("ZipMap", encode::zip_map),
];

/// The greater, NaN if one is, unlike `f32::max`.
fn f32_max(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}

fn f64_max(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

fn f32_min(a: f32, b: f32) -> f32 {
    if a.is_nan() || a < b { a } else { b }
}

fn f64_min(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}
