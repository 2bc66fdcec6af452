//! `action.yml` against the program, the documents and the workflows that use it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{Repository, root};
use crate::world::{COMMAND, Job, MAIN, PULL, World};

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

fn committed(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// The names below a key of `action.yml`, in its order.
fn declared(key: &str) -> Vec<String> {
    let action = yaml(&committed("action.yml"));
    action[key].as_object().unwrap().keys().cloned().collect()
}

/// What stands in backquotes, in order.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What `doctor` says of a step with these inputs.
fn doctored(with: &str) -> String {
    let repository = Repository::example("diabetes");
    repository.write(".git/HEAD", "ref: refs/heads/main\n");
    repository.write(
        ".github/workflows/mlops.yml",
        &format!(
            "name: mlops\non: push\njobs:\n  model:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: \
             mlops-action/mlops-action@v1\n        with: {{{with}}}\n"
        ),
    );
    repository.run(&["doctor"]).stdout
}

/// The list after these words, as the program gives it.
fn listed(text: &str, words: &str) -> Vec<String> {
    let (_, rest) = text
        .split_once(words)
        .unwrap_or_else(|| panic!("no `{words}` in {text}"));
    let line = rest.lines().next().unwrap();
    line.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn the_file_is_what_a_runner_takes() {
    let action = yaml(&committed("action.yml"));
    let runs = action["runs"].as_object().unwrap();
    assert_eq!(
        runs.keys().collect::<Vec<_>>(),
        ["using", "image", "entrypoint"],
        "no `args`: inputs come as variables"
    );
    assert_eq!(runs["using"], "docker");
    let entrypoint = runs["entrypoint"].as_str().unwrap();
    assert!(
        entrypoint.starts_with('/') && entrypoint.ends_with("/mlops-action"),
        "{entrypoint}"
    );
    assert!(
        committed("Dockerfile").contains(entrypoint),
        "the image has no {entrypoint}"
    );
    for key in ["inputs", "outputs"] {
        for (name, said) in action[key].as_object().unwrap() {
            let is_kebab = name
                .split('-')
                .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
            assert!(is_kebab, "{key}: {name}");
            assert!(!said["description"].as_str().unwrap().ends_with('.'), "{key}: {name}");
            let has_default = said.get("default").is_some_and(Value::is_string);
            assert_eq!(has_default, key == "inputs", "{key}: {name}");
            assert!(said.get("required").is_none(), "{name}: one line has to be enough");
        }
    }
}

#[test]
fn the_program_has_the_same_inputs_and_words() {
    let (world, inputs) = (World::new(), declared("inputs"));
    assert_eq!(listed(&doctored("qqqqqqqqqq: x"), "the inputs are: "), inputs);
    for name in ["command", "comment"] {
        let action = yaml(&committed("action.yml"));
        let described = action["inputs"][name]["description"].as_str().unwrap().to_owned();
        let values = listed(&doctored(&format!("{name}: qqqqqqqqqq")), "the values are: ");
        assert_eq!(quoted(&described), values, "{name}");
        let ran = world.run(&pushed(&world, true, &[(name, "qqqqqqqqqq")]));
        assert_eq!(listed(&ran.log, "it can be "), values, "{name}");
    }
}

/// A push of `main` with these inputs; of a branch that is gone when there shall be nothing to do.
fn pushed(world: &World, is_deleted: bool, inputs: &[(&'static str, &str)]) -> Job {
    let mut job = world.main();
    job.payload["deleted"] = json!(is_deleted);
    job.inputs = inputs
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    job
}

#[test]
fn every_input_is_read_and_its_default_is_as_none() {
    let world = World::new();
    let action = yaml(&committed("action.yml"));
    let mut by_default = pushed(&world, true, &[]);
    for (name, said) in action["inputs"].as_object().unwrap() {
        let value = said["default"].as_str().unwrap();
        if !value.contains("${{") {
            by_default.inputs.push((name.clone().leak(), value.to_owned()));
        }
    }
    let idle = world.run(&by_default);
    assert_eq!(idle.code, 0, "{}", idle.log);

    let mut tried = BTreeSet::new();
    for (name, value, named) in [
        ("command", "tests", "the input `command`"),
        ("version", "v3; x", "the input `version`"),
        ("comment", "sometimes", "the input `comment`"),
        ("github-token", "two words", "the input `github-token`"),
        ("accept-warnings", "perhaps", "the input `accept-warnings`"),
        ("check-run-id", "-1", "the input `check-run-id`"),
        ("wandb-api-key", "too-short", "what `WANDB_API_KEY` holds is too short"),
        ("config", "absent.yaml", "absent.yaml"),
        ("directory", "absent/folder", "absent/folder"),
    ] {
        let ran = world.run(&pushed(&world, false, &[(name, value)]));
        assert_eq!(ran.code, 2, "{name}: {}", ran.log);
        assert!(ran.log.contains(named), "{name}: {}", ran.log);
        tried.insert(name.to_owned());
    }
    // Any text is a reason; it is read when the ledger has it.
    let published = world.run(&world.main());
    assert_eq!(published.code, 0, "{}", published.log);
    let outputs: BTreeSet<String> = published.outputs.into_keys().collect();
    assert_eq!(outputs, declared("outputs").into_iter().collect());
    let mut promote = world.on_main("workflow_dispatch", json!({"inputs": {}}));
    promote.inputs = vec![
        ("command", "promote".to_owned()),
        ("reason", "the board agreed".to_owned()),
    ];
    let promoted = world.run(&promote);
    assert_eq!(promoted.code, 0, "{}", promoted.log);
    assert!(
        world
            .ledger_lines()
            .iter()
            .any(|line| line.contains("the board agreed"))
    );
    tried.insert("reason".to_owned());
    assert_eq!(tried, declared("inputs").into_iter().collect());
}

/// The names in the first column of a Markdown table with this heading.
fn first_column(text: &str, heading: &str) -> BTreeSet<String> {
    let start = format!("\n| {heading} |");
    let at = text.find(&start).unwrap_or_else(|| panic!("no table of {heading}"));
    text[at + 1..]
        .lines()
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| quoted(line.split('|').nth(1).unwrap())[0].to_owned())
        .collect()
}

#[test]
fn the_documents_list_what_there_is() {
    // The runner fills it in; nobody writes it.
    let inputs: BTreeSet<String> = declared("inputs")
        .into_iter()
        .filter(|name| name != "check-run-id")
        .collect();
    let outputs: BTreeSet<String> = declared("outputs").into_iter().collect();
    let action = yaml(&committed("action.yml"));
    for file in ["README.md", "docs/github.md"] {
        let text = committed(file);
        assert_eq!(first_column(&text, "input"), inputs, "{file}");
        assert_eq!(first_column(&text, "output"), outputs, "{file}");
        for name in ["command", "comment"] {
            let row = text
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}` |")))
                .unwrap();
            for word in quoted(action["inputs"][name]["description"].as_str().unwrap()) {
                assert!(row.contains(&format!("`{word}`")), "{file}: {name} has no {word}");
            }
        }
    }
}

/// Every fenced block of YAML that a document has.
fn blocks(file: &str) -> Vec<String> {
    let text = committed(file);
    let blocks = text.split("```yaml\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// The steps in a value that use this action.
fn steps<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            let uses = fields.get("uses").and_then(Value::as_str).unwrap_or_default();
            if uses.starts_with("mlops-action/mlops-action@") || uses == "./" {
                found.push(value);
            }
            fields.values().for_each(|inner| steps(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| steps(inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What `init` writes, with the workflow for an environment, by its name.
fn written() -> BTreeMap<String, String> {
    let repository = Repository::example("diabetes");
    repository.write(".git/HEAD", "ref: refs/heads/main\n");
    std::fs::remove_file(repository.path().join("mlops.yaml")).unwrap();
    let ran = repository.run(&["init", "--environment"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let folder = repository.path().join(".github/workflows");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn workflows_use_what_is_declared() {
    let mut all: Vec<(String, String)> = written().into_iter().collect();
    assert_eq!(all.len(), 4);
    for file in ["README.md", "docs/github.md"] {
        all.extend(blocks(file).into_iter().map(|block| (file.to_owned(), block)));
    }
    let (inputs, outputs) = (declared("inputs"), declared("outputs"));
    let mut used = BTreeSet::new();
    for (name, text) in all {
        let value = yaml(&text);
        let mut found = Vec::new();
        steps(&value, &mut found);
        for step in found {
            used.insert(name.clone());
            for key in step["with"].as_object().into_iter().flat_map(|with| with.keys()) {
                assert!(inputs.contains(key), "{name}: {key}");
            }
        }
        for (at, _) in text.match_indices(".outputs.") {
            let rest = &text[at + ".outputs.".len()..];
            let output: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            assert!(outputs.contains(&output), "{name}: {output}");
        }
    }
    assert_eq!(used.len(), 6, "{used:?}");
    // A dispatch that asks for something is passed on.
    for (name, text) in written() {
        let value = yaml(&text);
        let asked = value["on"]["workflow_dispatch"]["inputs"].as_object();
        for input in asked.into_iter().flat_map(|asked| asked.keys()) {
            assert!(
                text.contains(&format!("{input}: ${{{{ inputs.{input} }}}}")),
                "{name}: {input}"
            );
        }
    }
}

/// The jobs of these tests have the rights that `init` gives, no more and no less.
#[test]
fn jobs_have_the_permissions_that_init_writes() {
    let written = written();
    for (file, job, tested) in [
        ("mlops.yml", "model", PULL),
        ("mlops.yml", "publish", MAIN),
        ("mlops-command.yml", "command", COMMAND),
    ] {
        let permissions = &yaml(&written[file])["jobs"][job]["permissions"];
        let given: BTreeSet<(&str, &str)> = permissions
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, level)| (name.as_str(), level.as_str().unwrap()))
            .collect();
        assert_eq!(given, tested.iter().copied().collect(), "{file}: {job}");
    }
}
