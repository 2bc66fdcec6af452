//! Texts as weighted words, and a logistic regression on them. Pure.

/// Hashed places of words.
const N_PLACES: usize = 1 << 16;
const MAX_WORDS: usize = 64;
const N_ROUNDS: usize = 20;
/// The weight of the penalty ½‖β‖², with the loss summed over rows.
const PENALTY: f64 = 1.0;
const NONE: u32 = u32::MAX;

/// One distinct text.
pub struct Document {
    /// Rows of the reference and of the current side that have it.
    pub rows: [u64; 2],
    /// Places of its words, ascending, and how often each occurs.
    words: Vec<(u32, f64)>,
    /// A word of each place of `words`.
    names: Vec<String>,
    half: usize,
}

/// Distinct texts with their rows on each side.
pub fn documents<'a>(texts: impl Iterator<Item = (&'a str, [u64; 2])>) -> Vec<Document> {
    texts.map(|(text, rows)| document(text, rows)).collect()
}

fn document(text: &str, rows: [u64; 2]) -> Document {
    let lower = text.to_lowercase();
    let words = lower
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty());
    let mut places: Vec<(u32, &str)> = words.take(MAX_WORDS).map(|word| (place(word), word)).collect();
    places.sort_unstable();
    let mut counted = Vec::new();
    let mut names = Vec::new();
    for same in places.chunk_by(|a, b| a.0 == b.0) {
        counted.push((same[0].0, same.len() as f64));
        names.push(same[0].1.to_owned());
    }
    Document {
        rows,
        words: counted,
        names,
        half: usize::from(hash(text.as_bytes()) >> 63 == 1),
    }
}

/// FNV-1a with a last mix, so that its upper bits are as good as the lower ones.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The upper 16 bits.
fn place(word: &str) -> u32 {
    (hash(word.as_bytes()) >> 48) as u32
}

pub struct Scored {
    /// Of each document, by the model that did not see it; greater means more like the current side.
    pub scores: Vec<f64>,
    /// Words that occur in two rows or more, with the mean of their weights in both models.
    pub words: Vec<(String, f64)>,
}

/// Learns from each half of the documents and scores the other one.
pub fn fit_and_score(documents: &[Document]) -> Scored {
    let mut scores = vec![0.0; documents.len()];
    let mut weights = vec![0.0; N_PLACES];
    for half in 0..2 {
        let (learnt, held_out): (Vec<usize>, Vec<usize>) =
            (0..documents.len()).partition(|&index| documents[index].half == half);
        let model = Model::fit(documents, &learnt);
        for index in held_out {
            scores[index] = model.score(&documents[index]);
        }
        for (sum, weight) in weights.iter_mut().zip(&model.weights) {
            *sum += 0.5 * weight;
        }
    }
    Scored {
        scores,
        words: named(documents, &weights),
    }
}

fn named(documents: &[Document], weights: &[f64]) -> Vec<(String, f64)> {
    let mut rows = vec![0_u64; N_PLACES];
    let mut names: Vec<Option<&String>> = vec![None; N_PLACES];
    for document in documents {
        for ((place, _), name) in document.words.iter().zip(&document.names) {
            rows[*place as usize] += document.rows[0] + document.rows[1];
            names[*place as usize].get_or_insert(name);
        }
    }
    let each = names.into_iter().zip(rows).zip(weights);
    each.filter(|((_, rows), _)| *rows > 1)
        .filter_map(|((name, _), weight)| Some((name?.clone(), *weight)))
        .collect()
}

struct Model {
    weights: Vec<f64>,
    intercept: f64,
    /// By place; 0 for words that were not seen.
    idf: Vec<f64>,
}

/// The learnt documents' weights by word: `rows[starts[column]..starts[column + 1]]` have the word at `places[column]`.
struct Columns {
    places: Vec<u32>,
    starts: Vec<usize>,
    rows: Vec<u32>,
    values: Vec<f64>,
}

impl Model {
    fn fit(documents: &[Document], learnt: &[usize]) -> Self {
        let rows_of = |index: &usize| documents[*index].rows[0] + documents[*index].rows[1];
        let n_rows: u64 = learnt.iter().map(rows_of).sum();
        let mut idf = vec![0.0; N_PLACES];
        for index in learnt {
            for (place, _) in &documents[*index].words {
                idf[*place as usize] += rows_of(index) as f64;
            }
        }
        for rows in idf.iter_mut().filter(|rows| **rows > 0.0) {
            *rows = ((1.0 + n_rows as f64) / (1.0 + *rows)).ln() + 1.0;
        }
        let mut model = Self {
            weights: vec![0.0; N_PLACES],
            intercept: 0.0,
            idf,
        };
        let columns = model.columns(documents, learnt);
        model.descend(&columns, documents, learnt);
        model
    }

    /// The words of a document with their weights, a vector of length 1; empty when it has no word that was seen.
    fn weighted<'a>(&'a self, document: &'a Document) -> impl Iterator<Item = (u32, f64)> + 'a {
        let raw = |(place, count): &(u32, f64)| (*place, (1.0 + count.ln()) * self.idf[*place as usize]);
        let length = document
            .words
            .iter()
            .map(|word| raw(word).1.powi(2))
            .sum::<f64>()
            .sqrt();
        let seen = document.words.iter().map(raw).filter(|(_, value)| *value > 0.0);
        seen.map(move |(place, value)| (place, value / length))
    }

    /// Without the intercept, which is another one in each half: a text of unknown words is in the middle.
    fn score(&self, document: &Document) -> f64 {
        let terms = self
            .weighted(document)
            .map(|(place, value)| value * self.weights[place as usize]);
        terms.sum()
    }

    fn columns(&self, documents: &[Document], learnt: &[usize]) -> Columns {
        let mut counts = vec![0_usize; N_PLACES];
        for index in learnt {
            for (place, _) in self.weighted(&documents[*index]) {
                counts[place as usize] += 1;
            }
        }
        let mut column_of = vec![NONE; N_PLACES];
        let (mut places, mut starts) = (Vec::new(), vec![0]);
        for (place, count) in (0_u32..).zip(&counts).filter(|(_, count)| **count > 0) {
            column_of[place as usize] = u32::try_from(places.len()).unwrap_or(NONE);
            places.push(place);
            starts.push(starts[starts.len() - 1] + count);
        }
        let total = starts[starts.len() - 1];
        let (mut rows, mut values) = (vec![0; total], vec![0.0; total]);
        let mut next = starts.clone();
        for (row, index) in (0_u32..).zip(learnt) {
            for (place, value) in self.weighted(&documents[*index]) {
                let at = &mut next[column_of[place as usize] as usize];
                (rows[*at], values[*at]) = (row, value);
                *at += 1;
            }
        }
        Columns {
            places,
            starts,
            rows,
            values,
        }
    }

    /// Newton's steps with the greatest curvature that the loss can have, so that each one lowers it.
    fn descend(&mut self, columns: &Columns, documents: &[Document], learnt: &[usize]) {
        let side = |side: usize| learnt.iter().map(|index| documents[*index].rows[side]).sum::<u64>() as f64;
        let (n, m) = (side(0), side(1));
        if n <= 0.0 || m <= 0.0 {
            return;
        }
        // Both sides weigh the same, whatever their rows.
        let (of_reference, of_current) = (0.5 * (n + m) / n, 0.5 * (n + m) / m);
        let rows: Vec<[f64; 2]> = learnt
            .iter()
            .map(|index| documents[*index].rows)
            .map(|[a, b]| [a as f64 * of_reference, b as f64 * of_current])
            .collect();
        let slope = |chance: f64, [a, b]: [f64; 2]| (a + b) * chance - b;
        let mut margins = vec![0.0_f64; rows.len()];
        let mut chances = vec![0.5_f64; rows.len()];
        let curvature: Vec<f64> = (0..columns.places.len())
            .map(|column| {
                let span = columns.starts[column]..columns.starts[column + 1];
                let squares = span.map(|at| {
                    let [a, b] = rows[columns.rows[at] as usize];
                    (a + b) * columns.values[at] * columns.values[at]
                });
                0.25 * squares.sum::<f64>() + PENALTY
            })
            .collect();
        for _ in 0..N_ROUNDS {
            let slopes = chances.iter().zip(&rows).map(|(chance, rows)| slope(*chance, *rows));
            let step = slopes.sum::<f64>() / (0.25 * (n + m));
            self.intercept -= step;
            for (margin, chance) in margins.iter_mut().zip(&mut chances) {
                *margin -= step;
                *chance = logistic(*margin);
            }
            for (column, place) in columns.places.iter().enumerate() {
                let span = columns.starts[column]..columns.starts[column + 1];
                let weight = &mut self.weights[*place as usize];
                let mut gradient = PENALTY * *weight;
                for at in span.clone() {
                    let row = columns.rows[at] as usize;
                    gradient += columns.values[at] * slope(chances[row], rows[row]);
                }
                let step = gradient / curvature[column];
                *weight -= step;
                for at in span {
                    let row = columns.rows[at] as usize;
                    margins[row] -= step * columns.values[at];
                    chances[row] = logistic(margins[row]);
                }
            }
        }
    }
}

fn logistic(margin: f64) -> f64 {
    1.0 / (1.0 + (-margin).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        let document = document("The the CAT-42, Ünïcode 猫!", [1, 0]);
        let mut names: Vec<&str> = document.names.iter().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["42", "cat", "the", "ünïcode", "猫"]);
        let the = document
            .words
            .iter()
            .zip(&document.names)
            .find(|(_, name)| *name == "the");
        assert!((the.unwrap().0.1 - 2.0).abs() <= 0.0);
        let long = "w ".repeat(5000) + "last";
        assert_eq!(super::document(&long, [1, 0]).names, ["w"]);
    }

    #[test]
    fn descent_reaches_the_minimum() {
        // At the minimum of ½‖β‖² + Σ loss every partial derivative is 0; after 20 rounds it is nearly so.
        let texts = [
            "red apple",
            "green apple",
            "red car",
            "blue car",
            "blue sky",
            "green sky red",
        ];
        let rows = [[3, 0], [2, 1], [1, 1], [0, 2], [1, 3], [0, 1]];
        let documents = documents(texts.into_iter().zip(rows));
        let learnt: Vec<usize> = (0..documents.len()).collect();
        let model = Model::fit(&documents, &learnt);
        let (n, m): (f64, f64) = (7.0, 8.0);
        for place in 0..N_PLACES {
            let mut gradient = PENALTY * model.weights[place];
            for document in &documents {
                let value = model.weighted(document).find(|(at, _)| *at as usize == place);
                let [a, b] = document.rows.map(|rows| rows as f64);
                let (a, b) = (a * 0.5 * (n + m) / n, b * 0.5 * (n + m) / m);
                let chance = logistic(model.intercept + model.score(document));
                gradient += value.map_or(0.0, |(_, value)| value) * ((a + b) * chance - b);
            }
            assert!(gradient.abs() < 1e-3, "{gradient}");
        }
        assert!(model.weights[place("apple") as usize] < 0.0 && model.weights[place("blue") as usize] > 0.0);
    }
}
