use super::*;
use crate::stats::Rng;

/// Sentences of eight words out of `words`, the first ones more often.
fn sentences(words: &[&str], n: usize, rng: &mut Rng) -> Vec<String> {
    let mut word = || {
        let (a, b) = (rng.below(words.len()), rng.below(words.len()));
        words[a.min(b)]
    };
    (0..n)
        .map(|_| (0..8).map(|_| word()).collect::<Vec<_>>().join(" "))
        .collect()
}

fn categories(reference: &[String], current: &[String]) -> Categories {
    let mut counts: std::collections::BTreeMap<&str, [u64; 2]> = std::collections::BTreeMap::new();
    for (side, texts) in [reference, current].into_iter().enumerate() {
        for text in texts {
            counts.entry(text).or_default()[side] += 1;
        }
    }
    Categories {
        labels: counts.keys().map(|text| (*text).to_owned()).collect(),
        reference: counts.values().map(|counts| counts[0]).collect(),
        current: counts.values().map(|counts| counts[1]).collect(),
    }
}

const FILM: [&str; 12] = [
    "the", "film", "was", "a", "slow", "but", "lovely", "story", "of", "two", "old", "friends",
];
const FOOD: [&str; 12] = [
    "the", "soup", "was", "a", "cold", "but", "lovely", "plate", "of", "two", "old", "beans",
];

#[test]
fn other_words_are_told_and_named() {
    let mut rng = Rng::new(1);
    let both = categories(&sentences(&FILM, 150, &mut rng), &sentences(&FOOD, 120, &mut rng));
    let found = compare(&both).unwrap();
    assert!(found.auc > 0.99 && found.p < 1e-20, "{found:?}");
    assert_eq!(found.n, [150, 120]);
    for (side, words) in [
        (0, ["film", "slow", "story", "friends"]),
        (1, ["soup", "cold", "plate", "beans"]),
    ] {
        for word in words {
            assert!(
                found.tokens[side].contains(&word.to_owned()),
                "{word} {:?}",
                found.tokens
            );
        }
        assert!(!found.tokens[side].contains(&"the".to_owned()) || side == 0);
    }
    assert_eq!(found, compare(&both).unwrap());
}

#[test]
fn the_same_words_are_no_drift_and_p_is_uniform_enough() {
    let mut rng = Rng::new(2);
    let (mut below, n_trials) = ([0, 0], 120);
    for _ in 0..n_trials {
        let both = categories(&sentences(&FILM, 60, &mut rng), &sentences(&FILM, 40, &mut rng));
        let p = compare(&both).unwrap().p;
        below[0] += i32::from(p <= 0.05);
        below[1] += i32::from(p <= 0.5);
    }
    // 6 of 120 are expected at 0.05; 14 are passed once in a thousand.
    assert!(below[0] <= 14, "{below:?}");
    assert!((30..=85).contains(&below[1]), "{below:?}");
}

#[test]
fn duplicates_are_never_learnt_and_scored_at_once() {
    // The same twenty texts on both sides, other shares: if a copy were in the other half the AUC would be far above ½.
    let mut rng = Rng::new(3);
    let texts: Vec<String> = (0..40).map(|index| format!("unique{index} word{index}")).collect();
    let reference: Vec<String> = (0..300).map(|_| texts[rng.below(40)].clone()).collect();
    let current: Vec<String> = (0..300).map(|_| texts[rng.below(40)].clone()).collect();
    let found = compare(&categories(&reference, &current)).unwrap();
    assert!((found.auc - 0.5).abs() <= 1e-12, "{found:?}");
}

#[test]
fn ends_are_defined() {
    let few: Vec<String> = (0..19).map(|index| format!("text {index}")).collect();
    let many: Vec<String> = (0..30).map(|index| format!("text {index}")).collect();
    assert!(compare(&categories(&few, &many)).is_err() && compare(&categories(&many, &few)).is_err());
    assert!(compare(&categories(&[], &[])).is_err());
    // Without any word nothing tells them apart.
    let marks = |n: usize| (0..30).map(|index| "!".repeat(index + n)).collect::<Vec<_>>();
    let found = compare(&categories(&marks(1), &marks(40))).unwrap();
    assert!((found.auc - 0.5).abs() <= 1e-12 && found.p >= 0.5, "{found:?}");
    let one = vec!["same words".to_owned(); 30];
    let found = compare(&categories(&one, &one)).unwrap();
    assert!((found.auc - 0.5).abs() <= 0.0 && found.p >= 0.5, "{found:?}");
    let mut other = categories(&many, &many);
    other.labels.push("…".to_owned());
    other.reference.push(1000);
    other.current.push(0);
    assert_eq!(compare(&other).unwrap().n, [30, 30]);
    assert!(run(&Pair::Categories(other)).is_ok());
}

#[test]
fn random_scores_have_their_percentile() {
    // By hand: 0.5 + 1.644854·√(201/(12·100·100)).
    assert!((random_auc(0.95, [100, 100]) - 0.567_318_536).abs() < 1e-6);
    assert!((random_auc(0.5, [10, 20]) - 0.5).abs() < 1e-12);
    assert!(random_auc(1.0, [10, 20]) >= 1.0 && random_auc(0.999_999, [3, 3]) <= 1.0);
}

#[test]
fn auc_and_p_agree_with_scipy() {
    // scipy: mannwhitneyu([.1,.4,.4,.8,.9,.4,.6,.7], [.1,.2,.4,.5], alternative="greater", use_continuity=False,
    // method="asymptotic"), the first ones current.
    let scores = [0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
    let rows = [[1, 1], [1, 0], [1, 3], [1, 0], [0, 1], [0, 1], [0, 1], [0, 1]];
    let documents = documents(scores.iter().zip(rows).map(|(_, rows)| ("", rows)));
    let (found, p) = auc(&scores, &documents, [4, 8]);
    assert!((found - 24.0 / 32.0).abs() < 1e-15, "{found}");
    assert!((p - SCIPY_P).abs() < 1e-12, "{p}");
}

const SCIPY_P: f64 = 0.082_928_330_171_455_01;
