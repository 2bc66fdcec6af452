//! Generated documents are what the program says today; `UPDATE=1 cargo test` rewrites them.

use crate::support::{Repository, root};

/// Compares a committed document, or a part of it between two marks, with its source.
pub fn check(file: &str, wanted: &str, marks: Option<(&str, &str)>) {
    let path = root().join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let whole = match marks {
        None => wanted.to_owned(),
        Some((begin, end)) => {
            let (head, rest) = text
                .split_once(begin)
                .unwrap_or_else(|| panic!("{file} has no `{begin}`"));
            let (_, tail) = rest.split_once(end).unwrap_or_else(|| panic!("{file} has no `{end}`"));
            format!("{head}{begin}\n\n{}\n\n{end}{tail}", wanted.trim())
        }
    };
    if text == whole {
        return;
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, whole).unwrap();
    } else {
        panic!("{file} is not what the program says today: run `UPDATE=1 cargo test`");
    }
}

#[test]
fn the_schema_is_committed() {
    let ran = Repository::of(&[]).run(&["schema"]);
    assert_eq!(ran.code, 0);
    check("docs/reference/mlops.schema.json", &ran.stdout, None);
}

#[test]
fn the_readme_lists_every_key_and_estimator() {
    for name in ["keys", "estimators"] {
        let ran = Repository::of(&[]).run(&["schema", "--table", name]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        check(
            "README.md",
            &ran.stdout,
            Some((&format!("<!-- {name} -->"), &format!("<!-- /{name} -->"))),
        );
    }
}

/// The first block of YAML and every `wandb: {…}` of the guide, in a configuration.
#[test]
fn the_program_takes_what_the_guide_to_wandb_writes() {
    let repository = Repository::example("diabetes");
    let config = repository.read("mlops.yaml");
    let guide = std::fs::read_to_string(root().join("docs/wandb.md")).unwrap();
    let block = guide.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let in_line = guide.split("`wandb: {").skip(1);
    let mut written: Vec<String> = in_line
        .map(|rest| format!("wandb: {{{}", rest.split('`').next().unwrap()))
        .collect();
    assert!(written.len() >= 5, "{written:?}");
    written.push(block.to_owned());
    for more in written {
        repository.write("mlops.yaml", &format!("{config}\n{more}\n"));
        let ran = repository.run(&["doctor"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{more}");
        assert!(ran.stdout.starts_with("missing[no-workflow]"), "{}", ran.stdout);
    }
}
