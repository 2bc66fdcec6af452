//! Fisher's exact test of a table of two rows and two columns. Pure.

/// The two-sided p-value of Fisher's exact test: the probability, with both margins fixed, of a table that is no more
/// likely than `table` is. `table` holds counts; result in [0, 1], 1 when a row or a column is empty. It is 0 only where
/// it is below 1e-300.
///
/// Tables whose probabilities differ by less than one part in 10⁹ count as equally likely. Steps: as many as there are
/// tables between this one and the most likely one, and a few standard deviations more.
///
/// Source: Fisher, *Statistical Methods for Research Workers* (1934), §21.02. Oracle: `scipy.stats.fisher_exact`.
pub fn fisher_exact(table: [[u64; 2]; 2]) -> f64 {
    let a = table[0][0];
    let (row, column) = (a + table[0][1], a + table[1][0]);
    let n = row + table[1][0] + table[1][1];
    let least = (row + column).saturating_sub(n);
    let most = row.min(column);
    if least == most {
        return 1.0;
    }
    let law = Law { row, column, n };
    // All probabilities are in units of that of this table, so that a tiny p keeps its digits.
    let mut all = Weights::default();
    all.add(1.0);
    let mut weight = 1.0;
    for x in a..most {
        weight *= law.up(x);
        if !all.add(weight) {
            break;
        }
    }
    weight = 1.0;
    for x in (least..a).rev() {
        weight /= law.up(x);
        if !all.add(weight) {
            break;
        }
    }
    if all.total.is_finite() {
        (all.no_more_likely / all.total).min(1.0)
    } else {
        0.0
    }
}

/// The hypergeometric law of the first cell.
struct Law {
    row: u64,
    column: u64,
    n: u64,
}

impl Law {
    /// P(x + 1) / P(x).
    fn up(&self, x: u64) -> f64 {
        let (row, column) = ((self.row - x) as f64, (self.column - x) as f64);
        row * column / ((x + 1) as f64 * (self.n + x + 1 - self.row - self.column) as f64)
    }
}

#[derive(Default)]
struct Weights {
    total: f64,
    no_more_likely: f64,
    last: f64,
}

impl Weights {
    /// Whether going on in this direction can still change anything: the weights rise, or matter.
    fn add(&mut self, weight: f64) -> bool {
        self.total += weight;
        if weight <= 1.0 + 1e-9 {
            self.no_more_likely += weight;
        }
        let goes_on = weight > self.last || weight > self.no_more_likely * 1e-18;
        self.last = weight;
        goes_on && self.total.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 1e-11 * expected, "{got} is not {expected}");
    }

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1: fisher_exact(table).pvalue; with a million rows exact fractions, since scipy is off by 4e-10 there.
        for (table, p) in SCIPY {
            close(fisher_exact(*table), *p);
        }
    }

    const SCIPY: &[([[u64; 2]; 2], f64)] = &[
        ([[3, 2], [2, 3]], 1.0),
        ([[1, 4], [0, 5]], 1.0),
        ([[0, 5], [5, 0]], 0.007_936_507_936_507_938),
        ([[165, 135], [180, 120]], 0.247_585_793_380_217_33),
        ([[605, 595], [757, 743]], 1.0),
        ([[5, 35], [0, 60]], 0.008_739_934_586_768_163),
        ([[364, 1844], [7, 1971]], 2.833_367_989_255_896_7e-96),
        ([[604, 1604], [16, 1962]], 4.868_215_240_767_443_5e-161),
        ([[12, 988], [30, 970]], 0.007_287_953_507_168_595),
        ([[1, 999_999], [15, 999_985]], 0.000_518_775_024_777_067),
        ([[3000, 7000], [3300, 6700]], 5.310_728_689_816_579e-6),
        ([[0, 40], [60, 0]], 7.274_719_675_172_516e-29),
        ([[90, 1410], [40, 2000]], 3.450_152_594_206_870_5e-10),
        ([[2, 1], [2, 1]], 1.0),
    ];

    #[test]
    fn ends_are_defined() {
        for table in [[[0, 0], [3, 4]], [[0, 5], [0, 9]], [[0, 0], [0, 0]], [[7, 0], [9, 0]]] {
            assert!((fisher_exact(table) - 1.0).abs() <= 0.0, "{table:?}");
        }
        assert!(fisher_exact([[100_000, 0], [0, 100_000]]) <= 1e-300);
        assert!(fisher_exact([[500_000, 500_000], [500_000, 500_000]]) > 0.999);
    }

    proptest! {
        #[test]
        fn is_a_probability_that_symmetries_keep(a in 0_u64..60, b in 0_u64..60, c in 0_u64..60, d in 0_u64..60) {
            let p = fisher_exact([[a, b], [c, d]]);
            prop_assert!((0.0..=1.0).contains(&p));
            for other in [[[c, d], [a, b]], [[b, a], [d, c]], [[a, c], [b, d]]] {
                prop_assert!((fisher_exact(other) - p).abs() <= 1e-12);
            }
        }

        #[test]
        fn is_the_sum_over_all_tables(a in 0_u64..12, b in 0_u64..12, c in 0_u64..12, d in 0_u64..12) {
            let choose = |n: u64, k: u64| (0..k).map(|i| (n - i) as f64 / (k - i) as f64).product::<f64>();
            let (row, column, n) = (a + b, a + c, a + b + c + d);
            let law = |x: u64| choose(row, x) * choose(n - row, column - x) / choose(n, column);
            let p: f64 = ((row + column).saturating_sub(n)..=row.min(column))
                .map(law)
                .filter(|p| *p <= law(a) * (1.0 + 1e-9))
                .sum();
            prop_assert!((fisher_exact([[a, b], [c, d]]) - p).abs() <= 1e-12, "{p}");
        }
    }
}
