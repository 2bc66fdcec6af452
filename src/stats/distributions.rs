//! The distributions behind intervals and p-values. Pure.
//!
//! Oracle for all of them: scipy, `fixtures/oracles/distributions.json`.

use std::f64::consts::SQRT_2;

use statrs::function::beta::checked_beta_reg;
use statrs::function::gamma::checked_gamma_ur;

/// P(Z ≤ z) of the standard normal. `z` unitless, infinities allowed; result in [0, 1]; NaN for NaN.
///
/// Source: erfc(−z/√2)/2, so that the far lower tail keeps its relative precision.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / SQRT_2)
}

/// P(Z > z) of the standard normal, precise in the far upper tail. As [`normal_cdf`] otherwise.
pub fn normal_sf(z: f64) -> f64 {
    normal_cdf(-z)
}

/// The z with P(Z ≤ z) = `p`. ±∞ at 0 and 1 and beyond; NaN for NaN.
///
/// Source: inversion of [`normal_sf`] by bisection to the last bit, which is cheap for the few that are needed.
pub fn normal_quantile(p: f64) -> f64 {
    invert(p, normal_sf)
}

/// P(T ≤ t) of Student's t with `df` > 0 degrees of freedom, not necessarily whole. Result in [0, 1]; NaN if an
/// argument is NaN or `df` is not positive.
///
/// Source: the regularized incomplete beta function, I(df/(df+t²); df/2, 1/2)/2 in the tail.
pub fn t_cdf(t: f64, df: f64) -> f64 {
    t_sf(-t, df)
}

/// P(T > t), precise in the far upper tail. As [`t_cdf`] otherwise.
pub fn t_sf(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if t < 0.0 {
        return 1.0 - t_sf(-t, df);
    }
    if df.is_infinite() {
        return normal_sf(t);
    }
    // The first form keeps the digits of a small tail, the second those of a small t; neither overflows.
    let ratio = t / df.sqrt();
    if t > 1.0 {
        let x = 1.0 / (1.0 + ratio * ratio);
        0.5 * beta_reg(0.5 * df, 0.5, x)
    } else {
        let x = ratio * ratio / (1.0 + ratio * ratio);
        0.5 - 0.5 * beta_reg(0.5, 0.5 * df, x)
    }
}

/// The t with P(T ≤ t) = `p` for `df` > 0. ±∞ at 0 and 1 and beyond; NaN if an argument is NaN or `df` is not positive.
///
/// Source: inversion of [`t_sf`] by bisection.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    invert(p, |t| t_sf(t, df))
}

/// P(X² > `x`) of the chi-squared distribution with `df` > 0 degrees of freedom, precise in the far upper tail. Result in
/// [0, 1]; NaN if an argument is NaN or `df` is not positive.
///
/// Source: the regularized upper incomplete gamma function, Q(df/2, x/2).
pub fn chi2_sf(x: f64, df: f64) -> f64 {
    if x.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    checked_gamma_ur(0.5 * df, 0.5 * x).map_or(f64::NAN, |p| p.clamp(0.0, 1.0))
}

/// I(x; a, b) for positive a, b; at the ends of x, where the continued fraction has nothing to do, its limits.
fn beta_reg(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    checked_beta_reg(a, b, x).map_or(f64::NAN, |p| p.clamp(0.0, 1.0))
}

/// The x of a distribution symmetric about 0 with P(X ≤ x) = `p`, given its upper tail.
fn invert(p: f64, upper_tail: impl Fn(f64) -> f64) -> f64 {
    if p.is_nan() {
        return f64::NAN;
    }
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    let (tail, sign) = if p < 0.5 { (p, -1.0) } else { (1.0 - p, 1.0) };
    let (mut low, mut high) = (0.0, 1.0);
    while upper_tail(high) > tail && high < f64::MAX / 4.0 {
        low = high;
        high *= 2.0;
    }
    // At most 1100 halvings are needed even for a subnormal answer; ordinary ones end after about 55.
    loop {
        let middle = low + 0.5 * (high - low);
        if middle <= low || middle >= high {
            return sign * high;
        }
        if upper_tail(middle) > tail {
            low = middle;
        } else {
            high = middle;
        }
        if high < 1e-300 {
            return 0.0;
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;
    use serde_json::Value;

    fn oracle() -> Value {
        serde_json::from_str(include_str!("../../fixtures/oracles/distributions.json")).unwrap()
    }

    /// Every record of `name`: its arguments, then the expected value.
    fn check(name: &str, tolerance: impl Fn(&[f64]) -> f64, ours: impl Fn(&[f64]) -> f64) {
        let oracle = oracle();
        let records = oracle[name].as_array().unwrap();
        assert!(records.len() >= 5, "{name}");
        for record in records {
            let record: Vec<f64> = record.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            let (expected, arguments) = record.split_last().unwrap();
            let got = ours(arguments);
            let error = (got - expected).abs() / expected.abs().max(1e-300);
            // An upper tail near one half is only known to the last place of 1.
            assert!(
                error <= tolerance(arguments) || (got - expected).abs() <= 4e-16,
                "{name}{arguments:?}: {got} is not {expected} ({error:.1e})"
            );
        }
    }

    #[test]
    fn agree_with_scipy() {
        // Rounding z/√2 costs z² units in the last place of a tail; at z = 37 that is 3e-13.
        check("normal_cdf", |_| 3e-13, |x| normal_cdf(x[0]));
        check("normal_sf", |_| 3e-13, |x| normal_sf(x[0]));
        check("normal_quantile", |_| 1e-14, |x| normal_quantile(x[0]));
        // The logarithms of the gamma function lose digits in proportion to the degrees of freedom.
        check("t_cdf", |x| 1e-11 + 1e-14 * x[1], |x| t_cdf(x[0], x[1]));
        check("chi2_sf", |x| 1e-11 + 1e-14 * x[1], |x| chi2_sf(x[0], x[1]));
        check("t_quantile", |x| 1e-11 + 1e-14 * x[1], |x| t_quantile(x[0], x[1]));
    }

    #[test]
    fn ends_and_nonsense_are_defined() {
        assert_eq!(normal_quantile(0.5).abs(), 0.0);
        assert_eq!(
            (normal_quantile(0.0), normal_quantile(1.0)),
            (f64::NEG_INFINITY, f64::INFINITY)
        );
        assert_eq!((normal_cdf(f64::INFINITY), normal_cdf(f64::NEG_INFINITY)), (1.0, 0.0));
        assert_eq!(
            (t_cdf(f64::INFINITY, 3.0), t_cdf(0.0, 3.0), t_sf(1e300, 2.0)),
            (1.0, 0.5, 0.0)
        );
        assert_eq!(
            (t_quantile(0.0, 4.0), t_quantile(1.0, 4.0)),
            (f64::NEG_INFINITY, f64::INFINITY)
        );
        assert_eq!(
            (chi2_sf(0.0, 3.0), chi2_sf(-1.0, 3.0), chi2_sf(f64::INFINITY, 3.0)),
            (1.0, 1.0, 0.0)
        );
        assert!(chi2_sf(1.0, 0.0).is_nan() && chi2_sf(f64::NAN, 1.0).is_nan());
        assert!(t_cdf(1.0, 0.0).is_nan() && t_quantile(0.9, -1.0).is_nan());
    }
}
