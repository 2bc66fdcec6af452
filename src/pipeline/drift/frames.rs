//! Two tables that are in memory: order in time, seasons, and the tests of many columns together.

use std::collections::BTreeMap;

use crate::data::{self, Column, ColumnType, Frame, MISSING, Values};
use crate::drift::{
    Cells, DomainRule, Feature, Multivariate, NumberColumn, PcaModel, Season, Settings, compare_pca, domain,
    effective_rows, same_season, score_pca,
};

/// Rows of a table.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    pub frame: &'a Frame,
    pub rows: &'a [usize],
}

impl Rows<'_> {
    /// The numbers of a column in the order of the rows, NaN where unknown; empty where it holds none.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        match self.frame.column(name).map(|column| &column.values) {
            Some(Values::Numbers(all)) => self.rows.iter().map(|&row| all[row]).collect(),
            Some(Values::Texts { .. }) | None => Vec::new(),
        }
    }

    /// The moments of the rows; the error says why the column does not tell them.
    pub fn moments(&self, name: &str) -> Result<Vec<f64>, String> {
        let column = self
            .frame
            .column(name)
            .ok_or_else(|| format!("there is no column `{name}` to order rows by"))?;
        match (&column.values, column.kind) {
            (Values::Numbers(_), ColumnType::Timestamp | ColumnType::Integer | ColumnType::Float) => {
                Ok(self.numbers(name))
            }
            (Values::Texts { codes, levels }, _) => {
                let known = year_first(levels).ok_or_else(|| no_moments(name))?;
                let of_row = |row: &usize| known.get(codes[*row] as usize).copied().unwrap_or(f64::NAN);
                Ok(self.rows.iter().map(of_row).collect())
            }
            (Values::Numbers(_), _) => Err(no_moments(name)),
        }
    }
}

fn no_moments(name: &str) -> String {
    format!("`{name}` holds no numbers or dates such as 2024-01-31 to order rows by")
}

/// Seconds of Unix time of dates whose year comes first and that are no ISO 8601, as `2012/1/31` and `2012.01.31 06:00`;
/// `None` where any is none, or where there are none.
fn year_first(texts: &[String]) -> Option<Vec<f64>> {
    let moment = |text: &String| {
        let (head, rest) = text
            .trim()
            .split_at(text.trim().find([' ', 'T']).unwrap_or(text.trim().len()));
        let parts: Vec<&str> = head.split(['/', '.']).collect();
        let [year, month, day] = parts[..] else { return None };
        (year.len() == 4).then_some(())?;
        data::timestamp(&format!("{year}-{month:0>2}-{day:0>2}{rest}"))
    };
    (!texts.is_empty()).then(|| texts.iter().map(moment).collect())?
}

/// The same rows in the order of time; those without a moment come last.
pub fn in_time(of: Rows<'_>, time: &str) -> Result<Vec<usize>, String> {
    let moments = of.moments(time)?;
    let mut order: Vec<usize> = (0..of.rows.len()).collect();
    order.sort_by(|a, b| {
        let key = |at: usize| {
            if moments[at].is_nan() {
                f64::INFINITY
            } else {
                moments[at]
            }
        };
        key(*a).total_cmp(&key(*b)).then(a.cmp(b))
    });
    Ok(order.into_iter().map(|at| of.rows[at]).collect())
}

/// How many independent rows the rows of each side are worth, for each column of numbers that both have. Both sides are in
/// the order of time.
pub fn effective(reference: Rows<'_>, current: Rows<'_>) -> BTreeMap<String, [f64; 2]> {
    let names = reference.frame.columns().iter().map(|column| column.name.clone());
    names
        .filter_map(|name| {
            let sides = [reference.numbers(&name), current.numbers(&name)];
            (!sides.iter().any(Vec::is_empty)).then(|| {
                let [before, after] = sides;
                (name, [effective_rows(&before), effective_rows(&after)])
            })
        })
        .collect()
}

/// As the moments of the rows, which have to be dates: a number is of no season.
pub fn dates(side: Rows<'_>, time: &str) -> Result<Vec<f64>, String> {
    let is_number = side.frame.column(time).is_some_and(is_number);
    let moments = side.moments(time).ok().filter(|_| !is_number);
    moments.ok_or_else(|| format!("`{time}` holds no dates, so that nothing is known of seasons"))
}

/// The rows of the reference of the same season as the current ones.
pub fn seasonal(reference: Rows<'_>, current: Rows<'_>, time: &str, season: Season) -> Result<Vec<usize>, String> {
    let (before, after) = (dates(reference, time)?, dates(current, time)?);
    let found = same_season(&before, &after, season)?;
    Ok(found.into_iter().map(|at| reference.rows[at]).collect())
}

/// Changes that no column shows alone: by principal components, whose model may be kept, and by a classifier, which needs
/// rows of both sides. What can not be asked says why.
pub fn many(
    reference: Option<Rows<'_>>,
    current: Rows<'_>,
    pca: Option<&PcaModel>,
    is_feature: &dyn Fn(&str) -> bool,
    settings: &Settings,
) -> (Option<Multivariate>, Vec<String>) {
    let mut notes = Vec::new();
    let after = number_columns(current, is_feature);
    let reconstruction = match (pca, reference) {
        (Some(model), _) => Some(score_pca(model, &borrowed(&after))),
        (None, Some(reference)) => {
            let before = number_columns(reference, is_feature);
            let both: Vec<_> = before
                .into_iter()
                .filter(|(name, _)| after.iter().any(|(other, _)| other == name))
                .collect();
            (both.len() >= 3).then(|| compare_pca(&borrowed(&both), &borrowed(&after)))
        }
        (None, None) => None,
    };
    let reconstruction = reconstruction.and_then(|found| {
        found
            .map_err(|why| notes.push(format!("how columns hang together was not looked at: {why}")))
            .ok()
    });
    let classifier = reference.and_then(|reference| {
        let cells = paired(reference, current, is_feature, settings);
        let features: Vec<Feature<'_>> = cells.iter().map(Both::feature).collect();
        if features.len() < 2 {
            return None;
        }
        let rule = DomainRule {
            alpha: settings.alpha,
            seed: settings.seed,
            ..DomainRule::default()
        };
        domain(&features, &rule)
            .map_err(|why| notes.push(format!("no classifier was asked to tell the two apart: {why}")))
            .ok()
    });
    let found = Multivariate {
        pca_reconstruction: reconstruction,
        domain_classifier: classifier,
    };
    let is_any = found.pca_reconstruction.is_some() || found.domain_classifier.is_some();
    (is_any.then_some(found), notes)
}

pub fn is_number(column: &Column) -> bool {
    matches!(column.kind, ColumnType::Float | ColumnType::Integer)
}

/// Columns of numbers by name.
pub fn number_columns(of: Rows<'_>, is_feature: &dyn Fn(&str) -> bool) -> Vec<(String, Vec<f64>)> {
    let columns = of.frame.columns().iter();
    columns
        .filter(|column| is_number(column) && is_feature(&column.name))
        .map(|column| (column.name.clone(), of.numbers(&column.name)))
        .collect()
}

pub fn borrowed(columns: &[(String, Vec<f64>)]) -> Vec<NumberColumn<'_>> {
    columns
        .iter()
        .map(|(name, values)| NumberColumn { name, values })
        .collect()
}

/// One column of both sides, for what learns from both.
pub enum Both {
    Numbers(String, [Vec<f64>; 2]),
    Codes(String, [Vec<u32>; 2]),
}

impl Both {
    pub fn feature(&self) -> Feature<'_> {
        match self {
            Self::Numbers(name, [reference, current]) => Feature {
                name,
                reference: Cells::Numbers(reference),
                current: Cells::Numbers(current),
            },
            Self::Codes(name, [reference, current]) => Feature {
                name,
                reference: Cells::Codes(reference),
                current: Cells::Codes(current),
            },
        }
    }
}

/// Columns that both sides have with the same type; identifiers and dates tell any two tables apart and are left out.
pub fn paired(
    reference: Rows<'_>,
    current: Rows<'_>,
    is_feature: &dyn Fn(&str) -> bool,
    settings: &Settings,
) -> Vec<Both> {
    let is_time = |name: &str| settings.time_column.as_deref() == Some(name);
    let columns =
        reference.frame.columns().iter().filter(|column| {
            is_feature(&column.name) && !is_time(&column.name) && column.kind != ColumnType::Timestamp
        });
    columns
        .filter_map(|before| {
            let after = current.frame.column(&before.name)?;
            let name = before.name.clone();
            match (&before.values, &after.values) {
                (Values::Numbers(_), Values::Numbers(_)) if after.kind != ColumnType::Timestamp => {
                    let sides = [reference.numbers(&name), current.numbers(&name)];
                    Some(Both::Numbers(name, sides))
                }
                (Values::Texts { .. }, Values::Texts { .. }) => {
                    codes(before, after, reference.rows, current.rows).map(|sides| Both::Codes(name, sides))
                }
                _ => None,
            }
        })
        .collect()
}

/// Texts of both sides by one list; nothing where nearly every row has a text of its own.
fn codes(before: &Column, after: &Column, reference: &[usize], current: &[usize]) -> Option<[Vec<u32>; 2]> {
    let mut known: BTreeMap<&str, u32> = BTreeMap::new();
    let mut sides = [Vec::with_capacity(reference.len()), Vec::with_capacity(current.len())];
    for (side, (column, rows)) in [(before, reference), (after, current)].into_iter().enumerate() {
        let Values::Texts { codes, levels } = &column.values else {
            return None;
        };
        let mut renamed = vec![MISSING; levels.len()];
        for &row in rows {
            let code = codes[row];
            if code == MISSING {
                sides[side].push(MISSING);
                continue;
            }
            let place = &mut renamed[code as usize];
            if *place == MISSING {
                let next = u32::try_from(known.len()).ok()?;
                *place = *known.entry(levels[code as usize].as_str()).or_insert(next);
            }
            sides[side].push(*place);
        }
    }
    let n_rows = reference.len() + current.len();
    (known.len() * 2 <= n_rows).then_some(sides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_with_slashes_or_points_are_moments_if_the_year_comes_first() {
        let read = |texts: &[&str]| year_first(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let day = 86_400.0;
        assert_eq!(read(&["1970/01/02", "1970.1.3"]), Some(vec![day, 2.0 * day]));
        assert_eq!(read(&["1970/1/2 06:00:00"]), Some(vec![day + 6.0 * 3600.0]));
        // Which of the two is the month is not said.
        assert_eq!(read(&["01/02/1970"]), None);
        for broken in [
            "1970/13/02",
            "1970/01",
            "1970/01/02/03",
            "",
            "soon",
            "1970/0a/02",
            "19700/1/1",
        ] {
            assert_eq!(read(&["1970/01/02", broken]), None, "{broken}");
        }
        assert_eq!(read(&[]), None);
    }
}
