//! Folders as trainers leave them, right and wrong.
#![expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]

use super::*;

fn left(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Rows 4, 0 and 2 of a regression are held out.
fn regression(text: &str) -> Result<Vec<f64>, String> {
    let folder = left(&[("predictions.csv", text)]);
    let truth = texts(&["1.5", "2", "-3"]);
    let expected = Expected {
        rows: &[4, 0, 2],
        truth: &truth,
        task: Task::Regression,
        labels: &[],
    };
    match predictions(folder.path(), &expected) {
        Ok(Predictions::Numbers(values)) => Ok(values),
        Ok(Predictions::Classes { .. }) => panic!("numbers were asked for"),
        Err(error) => Err(error.to_string()),
    }
}

/// Codes, labels and probabilities.
type Classified = (Vec<u32>, Vec<String>, Vec<f64>);

fn classified(text: &str, labels: &[&str], truth: &[&str]) -> Result<Classified, String> {
    let folder = left(&[("predictions.csv", text)]);
    let (labels, truth) = (texts(labels), texts(truth));
    let rows: Vec<usize> = (0..truth.len()).collect();
    let task = if labels.len() == 2 {
        Task::Binary
    } else {
        Task::Multiclass
    };
    let expected = Expected {
        rows: &rows,
        truth: &truth,
        task,
        labels: &labels,
    };
    match predictions(folder.path(), &expected) {
        Ok(Predictions::Classes {
            codes,
            labels,
            probabilities,
        }) => Ok((codes, labels, probabilities)),
        Ok(Predictions::Numbers(_)) => panic!("classes were asked for"),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn lines_come_in_any_order_and_may_be_more() {
    let text = "truth,prediction,row\n2,2.25,0\n9,9,7\n-3.0000000001,-2,2\n1.5,1.25,4\n";
    assert_eq!(regression(text).unwrap(), [1.25, 2.25, -2.0]);
    assert_eq!(regression("row,prediction\n0,1\n2,2\n4,3\n").unwrap(), [3.0, 1.0, 2.0]);
}

#[test]
fn what_is_wrong_is_named() {
    let said = |text| regression(text).unwrap_err();
    insta::assert_snapshot!(said("row,truth\n0,1\n"), @"`predictions.csv` lacks 2 of the 3 held-out rows, the first is row 4: hold out the rows that `$MLOPS_SPLIT` marks as `test`, and predict every one of them");
    insta::assert_snapshot!(said("index,prediction\n0,1\n"), @"`predictions.csv` has no column `row`; its columns are `index`, `prediction`");
    insta::assert_snapshot!(said("row,prediction\n4,1\n1,2\n"), @"`predictions.csv` lacks 2 of the 3 held-out rows, the first is row 0: hold out the rows that `$MLOPS_SPLIT` marks as `test`, and predict every one of them");
    insta::assert_snapshot!(said("row,prediction\n4,1\n4,2\n"), @"row 4 is in `predictions.csv` twice, in lines 2 and 3");
    insta::assert_snapshot!(said("row,prediction\n0.5,1\n4,2\n"), @"`row` of line 2 of `predictions.csv` is no whole number from 0: it is the place of the row in the data, as `$MLOPS_SPLIT` has it");
    insta::assert_snapshot!(said("row,truth,prediction\n0,2,1\n2,-3,2\n4,7,3\n"), @"`truth` of row 4 is `7` in `predictions.csv`, and the data say `1.5`: the rows are mixed up");
    insta::assert_snapshot!(said("row,prediction\n0,1\n2,\n4,3\n"), @"`prediction` in line 3 of `predictions.csv` is no number");
    let folder = left(&[]);
    let expected = Expected {
        rows: &[],
        truth: &[],
        task: Task::Regression,
        labels: &[],
    };
    insta::assert_snapshot!(predictions(folder.path(), &expected).unwrap_err(), @"it left no `predictions.csv` in `$MLOPS_OUTPUT`: write one with the columns `row,truth,prediction` and a line for every row that `$MLOPS_SPLIT` marks as `test`");
}

#[test]
fn classes_have_the_labels_of_the_data() {
    // As pandas writes booleans.
    let text = "row,truth,prediction,p(False),p(True)\n0,True,True,0.25,0.75\n1,False,True,0.5,0.5\n";
    let (codes, labels, probabilities) = classified(text, &["false", "true"], &["true", "false"]).unwrap();
    assert_eq!((codes, labels), (vec![1, 1], texts(&["false", "true"])));
    assert_eq!(probabilities, [0.25, 0.75, 0.5, 0.5]);
    // The probability of the second class alone.
    let text = "row,prediction,probability\n0,M,0.75\n1,B,0.125\n";
    let (_, _, probabilities) = classified(text, &["B", "M"], &["M", "B"]).unwrap();
    assert_eq!(probabilities, [0.25, 0.75, 0.875, 0.125]);
    // A class that no training row has.
    let text = "row,prediction\n0,a\n1,d\n2,b\n";
    let (codes, labels, probabilities) = classified(text, &["a", "b", "c"], &["a", "b", "c"]).unwrap();
    assert_eq!((codes, labels), (vec![0, 3, 1], texts(&["a", "b", "c", "d"])));
    assert!(probabilities.is_empty());
    // Whole numbers that became floats on the way.
    let text = "row,prediction,p(0.0),p(1.0)\n0,1.0,0.1,0.9\n1,0.0,1,0\n";
    let (codes, _, _) = classified(text, &["0", "1"], &["1", "0"]).unwrap();
    assert_eq!(codes, [1, 0]);
    let said = |text| classified(text, &["a", "b", "c"], &["a", "b"]).unwrap_err();
    insta::assert_snapshot!(said("row,prediction,p(a),p(b)\n0,a,1,0\n1,b,0,1\n"), @"`predictions.csv` has probabilities, but none of the class `c`: add the column `p(c)`");
    insta::assert_snapshot!(said("row,prediction,p(a),p(b),p(c)\n0,a,1,0,0\n1,b,0,7,0\n"), @"`p(b)` in line 3 of `predictions.csv` is no probability");
}

#[test]
fn classes_that_look_alike_stay_apart() {
    let text = "row,prediction\n0,20240102\n1,20240101\n2,7\n3,007\n";
    let labels = ["20240101", "20240102", "007", "7"];
    let truth = ["20240102", "20240101", "7", "007"];
    assert_eq!(classified(text, &labels, &truth).unwrap().0, [1, 0, 3, 2]);
    let text = "row,prediction,p(a),p(b)\n0,a,1,0\n1,b,1,1\n";
    insta::assert_snapshot!(classified(text, &["a", "b"], &["a", "b"]).unwrap_err(), @"the probabilities in line 3 of `predictions.csv` sum to 2.0000, and they must to 1");
}

#[test]
fn claims_are_held_against_what_was_measured() {
    let folder = left(&[(METRICS, r#"{"rmse": 51.2, "mine": 1, "r2": 0.9, "model": "ridge"}"#)]);
    let (claims, n_left_out) = claims(folder.path()).unwrap();
    assert_eq!(n_left_out, 1);
    let measured = [("rmse".to_owned(), Some(51.234)), ("r2".to_owned(), Some(0.5))];
    let checked: Vec<_> = claims
        .into_iter()
        .map(|(metric, claimed)| checked(metric, claimed, &measured))
        .map(|claim| (claim.metric, claim.agrees))
        .collect();
    let of = |name: &str, agrees| (name.to_owned(), agrees);
    assert_eq!(
        checked,
        [of("rmse", Some(true)), of("mine", None), of("r2", Some(false))]
    );
    let broken = left(&[(METRICS, "{\"rmse\": NaN}")]);
    assert!(super::claims(broken.path()).is_err());
    assert_eq!(super::claims(left(&[]).path()).unwrap(), (Vec::new(), 0));
}

#[test]
fn only_plain_files_make_up_a_model() {
    let folder = left(&[
        ("model.pkl", "x"),
        ("notes.txt", ""),
        (METRICS, "{}"),
        ("predictions.csv", "row\n"),
    ]);
    let names: Vec<String> = files(folder.path()).unwrap().into_keys().collect();
    assert_eq!(names, ["model.pkl", "notes.txt"]);
    std::fs::create_dir(folder.path().join("saved")).unwrap();
    assert!(
        files(folder.path())
            .unwrap_err()
            .to_string()
            .contains("pack a folder into an archive")
    );
    let folder = left(&[("model.json", "{}")]);
    assert!(
        files(folder.path())
            .unwrap_err()
            .to_string()
            .contains("give it another name")
    );
    let folder = left(&[]);
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("model.pkl")).unwrap();
    assert!(files(folder.path()).unwrap_err().to_string().contains("is not a file"));
}

proptest::proptest! {
    #[test]
    fn whatever_was_left_is_taken_or_refused(text in "(row|truth|prediction|p\\(a\\)|[,\n\"0-9.eaN-]){0,60}") {
        let _ = regression(&text);
        let _ = classified(&text, &["a", "b"], &["a", "b"]);
    }
}
