//! The two systems of equations that the linear estimators need. Pure.

use linfa_linalg::cholesky::SolveCInplace;
use linfa_linalg::qr::QRInto;
use linfa_linalg::svd::SVD;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, ShapeBuilder, Slice};

/// A matrix and a target with their means taken out, and what brings the intercept back.
#[derive(Debug)]
pub struct Centered {
    pub x: Array2<f64>,
    pub y: Array1<f64>,
    means: Array1<f64>,
    mean: f64,
}

impl Centered {
    /// `x` is n × p, `y` n, with n ≥ 1; columns keep the memory order of `x`.
    pub fn of(x: ArrayView2<'_, f64>, y: ArrayView1<'_, f64>) -> Self {
        let n = x.nrows().max(1) as f64;
        let means = x.sum_axis(Axis(0)) / n;
        let mean = y.sum() / n;
        Self {
            x: &x - &means,
            y: y.mapv(|value| value - mean),
            means,
            mean,
        }
    }

    /// The intercept that belongs to coefficients of the centered problem.
    pub fn intercept(&self, coef: &Array1<f64>) -> f64 {
        self.mean - self.means.dot(coef)
    }
}

/// Minimises ‖y − Xw‖² + `alpha`·‖w‖² for centered `x` (n × p) and `y` (n).
///
/// With `alpha` 0 and columns that depend on each other (or p > n) it is the solution of least norm; singular values
/// below max(n, p)·ε of the greatest count as zero. `None` if the decomposition fails.
///
/// Source: Golub and Van Loan, *Matrix Computations*, 4th ed., §5.5 and §6.1. Oracle: `fixtures/oracles/train.json`.
pub fn least_squares(x: &Array2<f64>, y: &Array1<f64>, alpha: f64) -> Option<Array1<f64>> {
    let (n, p) = x.dim();
    if p <= n && alpha > 0.0 {
        let mut gram = x.t().dot(x);
        let greatest = gram.diag().iter().fold(0.0_f64, |a, &b| a.max(b));
        // Forming XᵀX squares the condition number, which a penalty of this size bounds.
        if alpha >= 1e-6 * greatest {
            gram.diag_mut().mapv_inplace(|value| value + alpha);
            return positive_definite(&gram, &x.t().dot(y));
        }
    }
    if n > p {
        let (mut x, mut y) = triangle(x, y)?;
        // The last row says what no coefficient can explain.
        x.slice_axis_inplace(Axis(0), Slice::from(..p));
        y.slice_axis_inplace(Axis(0), Slice::from(..p));
        return by_singular_values(&x, &y, alpha, n);
    }
    by_singular_values(x, y, alpha, p)
}

/// What is left of a tall system (n × p with n > p) after reflecting \[x y\]: p + 1 rows with the same ‖y − xw‖ for every w,
/// column by column in memory. `None` if the decomposition fails.
///
/// Source: Golub and Van Loan, §5.3.
pub fn triangle(x: &Array2<f64>, y: &Array1<f64>) -> Option<(Array2<f64>, Array1<f64>)> {
    let (n, p) = x.dim();
    let mut tall = Array2::zeros((n, p + 1).f());
    tall.slice_axis_mut(Axis(1), Slice::from(..p)).assign(x);
    tall.column_mut(p).assign(y);
    let triangle = tall.qr_into().ok()?.into_r();
    let mut left = Array2::zeros((p + 1, p).f());
    left.assign(&triangle.slice_axis(Axis(1), Slice::from(..p)));
    Some((left, triangle.column(p).to_owned()))
}

/// `size` is the longer side of what `x` was reduced from.
fn by_singular_values(x: &Array2<f64>, y: &Array1<f64>, alpha: f64, size: usize) -> Option<Array1<f64>> {
    // The decomposition wants the tall side first.
    let tall = x.nrows() >= x.ncols();
    let decomposed = if tall {
        x.to_owned()
    } else {
        x.t().as_standard_layout().into_owned()
    };
    let (Some(left), singular, Some(right)) = decomposed.svd(true, true).ok()? else {
        return None;
    };
    let greatest = singular.iter().fold(0.0_f64, |a, &b| a.max(b.abs()));
    let cut = greatest * f64::EPSILON * size as f64;
    let inverse = singular.mapv(|value| {
        if value.abs() > cut {
            value / (value * value + alpha)
        } else {
            0.0
        }
    });
    let (left, right) = (left.view(), right.view());
    let left = left.split_at(Axis(1), singular.len()).0;
    let right = right.split_at(Axis(0), singular.len()).0;
    let coef = if tall {
        right.t().dot(&(left.t().dot(y) * &inverse))
    } else {
        left.dot(&(right.dot(y) * &inverse))
    };
    coef.iter().all(|value| value.is_finite()).then_some(coef)
}

/// Solves `matrix`·w = `right` for a symmetric positive definite matrix.
///
/// When rounding made it semidefinite, the smallest multiple of the identity that helps is added. `None` if none does.
pub fn positive_definite(matrix: &Array2<f64>, right: &Array1<f64>) -> Option<Array1<f64>> {
    let greatest = matrix.diag().iter().fold(0.0_f64, |a, &b| a.max(b.abs()));
    let mut shift = 0.0;
    for _ in 0..8 {
        let mut shifted = matrix.clone();
        shifted.diag_mut().mapv_inplace(|value| value + shift);
        if let Ok(solution) = shifted.solvec_into(right.clone().insert_axis(Axis(1)))
            && solution.iter().all(|value| value.is_finite())
        {
            return Some(solution.remove_axis(Axis(1)));
        }
        shift = if shift == 0.0 { 1e-14 * greatest } else { shift * 100.0 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn duplicate_columns_share_the_weight_and_a_wide_matrix_gets_the_least_norm() {
        // NumPy: np.linalg.lstsq([[-1,-1],[0,0],[1,1]], [-2,0,2]) = [1, 1].
        let coef = least_squares(
            &array![[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]],
            &array![-2.0, 0.0, 2.0],
            0.0,
        )
        .unwrap();
        assert!((coef - array![1.0, 1.0]).iter().all(|d| d.abs() < 1e-14));
        // One equation in three unknowns: w = xᵀ y / ‖x‖².
        let coef = least_squares(&array![[1.0, 2.0, 2.0]], &array![9.0], 0.0).unwrap();
        assert!((coef - array![1.0, 2.0, 2.0]).iter().all(|d| d.abs() < 1e-14));
    }

    #[test]
    fn both_ways_to_a_penalised_solution_agree() {
        let x = array![[1.0, 2.0], [-3.0, 0.5], [2.0, -2.5]];
        let y = array![1.0, -2.0, 1.0];
        let by_gram = least_squares(&x, &y, 0.1).unwrap();
        // Below the bound on the penalty the singular values are used; a wide matrix always uses them.
        let wide = least_squares(&x.t().to_owned(), &array![1.0, -2.0], 0.1).unwrap();
        let dual =
            x.dot(&positive_definite(&(x.t().dot(&x) + 0.1 * Array2::<f64>::eye(2)), &array![1.0, -2.0]).unwrap());
        assert!((wide - dual).iter().all(|d| d.abs() < 1e-14));
        let residual = x.t().dot(&(&y - &x.dot(&by_gram))) - 0.1 * &by_gram;
        assert!(residual.iter().all(|d| d.abs() < 1e-13));
    }

    #[test]
    fn a_triangle_has_the_same_residuals() {
        let x = Array2::from_shape_fn((9, 2), |(i, j)| ((i * 7 + j * 5) % 11) as f64);
        let y = Array1::from_shape_fn(9, |i| (i * i % 7) as f64);
        let (small, right) = triangle(&x, &y).unwrap();
        assert_eq!((small.dim(), right.len()), ((3, 2), 3));
        for w in [array![0.0, 0.0], array![1.0, -2.0], array![0.3, 0.4]] {
            let norm = |x: &Array2<f64>, y: &Array1<f64>| (y - &x.dot(&w)).mapv(|r| r * r).sum();
            assert!((norm(&x, &y) / norm(&small, &right) - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn a_matrix_of_zeros_gives_zeros() {
        assert_eq!(
            least_squares(&Array2::zeros((3, 2)), &array![1.0, -1.0, 0.0], 0.0).unwrap(),
            array![0.0, 0.0]
        );
    }
}
