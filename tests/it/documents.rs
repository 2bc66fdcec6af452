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

#[test]
fn the_guide_to_drift_lists_every_test() {
    let ran = Repository::of(&[]).run(&["schema", "--table", "tests"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    check(
        "docs/drift.md",
        &ran.stdout,
        Some(("<!-- tests -->", "<!-- /tests -->")),
    );
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

/// Every configuration that the guides to a repository's own code show, with what it leaves out.
#[test]
fn the_program_takes_what_the_guides_to_own_code_write() {
    let repository = Repository::example("diabetes");
    let rest = [
        ("model", "model: diabetes\n"),
        ("data", "data: {source: data/diabetes.csv, target: progression}\n"),
        ("train", "train: {estimator: ridge}\n"),
    ];
    let mut n_blocks = 0;
    for guide in [
        "README",
        "docs/trainers",
        "docs/environments",
        "docs/gates",
        "docs/steps",
        "docs/sandbox",
    ] {
        let text = std::fs::read_to_string(root().join(format!("{guide}.md"))).unwrap();
        for block in text
            .split("\n```yaml\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap())
        {
            // Of workflows and their steps; or a comment alone.
            if block.contains("\njobs:\n") || block.starts_with("- ") || block.starts_with('#') {
                continue;
            }
            let is_there = |key: &str| block.lines().any(|line| line.starts_with(&format!("{key}:")));
            let missing = rest.iter().filter(|(key, _)| !is_there(key)).map(|(_, text)| *text);
            let config = missing.chain([block]).collect::<String>();
            repository.write("mlops.yaml", &config);
            let ran = repository.run(&["doctor"]);
            assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{guide}.md:\n{config}");
            n_blocks += 1;
        }
    }
    assert!(n_blocks >= 12, "{n_blocks}");
}

/// Files, and headings in them.
#[test]
fn what_the_guides_link_to_is_there() {
    for guide in [
        "README.md",
        "docs/trainers.md",
        "docs/environments.md",
        "docs/gates.md",
        "docs/steps.md",
        "docs/sandbox.md",
    ] {
        let path = root().join(guide);
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let there = if file.is_empty() {
                path.clone()
            } else {
                path.parent().unwrap().join(file)
            };
            assert!(there.is_file() || there.is_dir(), "{guide}: {link}");
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&there).unwrap();
                let has = |line: &str| {
                    let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                    line.starts_with('#') && title.replace(|c: char| !c.is_alphanumeric() && c != '-', "") == heading
                };
                assert!(text.lines().any(has), "{guide}: {link}");
            }
        }
    }
}
