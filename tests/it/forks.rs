//! Pull requests of people who may not write: their runs write nothing, and what they say is shown as what they say.

use std::io::{Cursor, Read as _, Write as _};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::{Value, json};

use crate::pull_request::{settings, without_masks};
use crate::world::{FORK, REPOSITORY, Ran, World, hidden_data};

const FACTS: &str = "mlops-facts.json";

/// A fork's pull request, judged by a run without rights.
struct Forked {
    world: World,
    number: u64,
    judged: Ran,
    /// The name of the artifact with its facts, and these.
    name: String,
    facts: Value,
}

impl Forked {
    fn new() -> Self {
        let world = World::new();
        let better = world.config.replace("alpha: 1.0", "alpha: 0.9");
        let number = world.fork("tune", &[("mlops.yaml", &better)]);
        let mut job = world.pull_request(number, "opened");
        job.has_results = true;
        let judged = world.run(&job);
        assert_eq!(judged.code, 0, "{}", judged.log);
        let artifacts = world.artifacts(&judged);
        let is_facts = |name: &&String| name.starts_with("mlops-report-") && !name.contains('.');
        let name = artifacts.keys().find(is_facts).unwrap().clone();
        let facts = serde_json::from_slice(&unzipped(&artifacts[&name])).unwrap();
        Self {
            world,
            number,
            judged,
            name,
            facts,
        }
    }

    /// The second run, after the first one left this in place of its facts.
    fn reported(&self, artifact: &[u8]) -> Ran {
        self.world.leave(&self.judged, &self.name, artifact);
        self.world.run(&self.world.workflow_run(&self.judged))
    }

    fn comments(&self) -> Vec<String> {
        let comments = self.world.twin.state().comments(REPOSITORY, self.number);
        comments.iter().map(|comment| comment.body().to_owned()).collect()
    }
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut found = Vec::new();
    archive.by_name(FACTS).unwrap().read_to_end(&mut found).unwrap();
    found
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn packed(facts: &Value) -> Vec<u8> {
    zipped(&[(FACTS, facts.to_string().as_bytes())])
}

#[test]
fn a_fork_writes_nothing_and_a_second_run_shows_what_it_found() {
    let _bound = settings().bind_to_scope();
    let forked = Forked::new();
    let world = &forked.world;
    assert_eq!(world.writes(), Vec::<String>::new());
    let artifacts: Vec<String> = world.artifacts(&forked.judged).into_keys().collect();
    assert_eq!(artifacts.len(), 3, "page, facts, model: {artifacts:?}");
    assert!(forked.judged.summary.contains("diabetes-progression"));
    assert!(
        forked
            .judged
            .summary
            .contains("https://github.com/ada/diabetes/actions/runs/"),
        "the report's page"
    );
    insta::assert_snapshot!("fork_log", without_masks(&forked.judged.log));

    let reported = world.run(&world.workflow_run(&forked.judged));
    assert_eq!(reported.code, 0, "{}", reported.log);
    insta::assert_snapshot!("fork_reported", world.seen(forked.number));
    let checks = world.twin.state().check_runs(REPOSITORY, &forked.judged.head);
    assert!(!checks.is_empty());
    for check in checks {
        assert!(
            check.name.starts_with("mlops / diabetes-progression (fork)"),
            "{}",
            check.name
        );
        assert_ne!(check.conclusion.as_deref(), Some("success"), "{}", check.name);
    }
    let data = hidden_data(&forked.comments()[0]);
    assert!(data["version"].is_null() && data["digest"].is_null(), "{data}");
    assert!(!reported.outputs.contains_key("passed"), "{:?}", reported.outputs);

    // The runner repeats it: it is all there. Nobody promotes what is only proposed.
    let before = world.writes().len();
    assert_eq!(world.run(&world.workflow_run(&forked.judged)).code, 0);
    let comments = world.writes()[before..]
        .iter()
        .filter(|call| call.contains("/comments"))
        .count();
    assert_eq!(comments, 0, "{:?}", &world.writes()[before..]);
    let asked = world.run(&world.comment(forked.number, "mia", "/mlops promote"));
    assert_eq!(asked.code, 1, "{}", asked.log);
    assert!(forked.comments()[2].contains("not merged"), "{:?}", forked.comments());
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

#[test]
fn a_fork_that_fails_says_so_in_its_log_and_exit_code() {
    let world = World::new();
    let worse = world.config.replace("rmse: {max: 60", "rmse: {max: 1");
    let number = world.fork("worse", &[("mlops.yaml", &worse)]);
    let mut job = world.pull_request(number, "opened");
    job.has_results = true;
    let judged = world.run(&job);
    assert_eq!(judged.code, 1, "{}", judged.log);
    assert!(judged.log.contains("::error "), "{}", judged.log);
    assert!(judged.log.contains("file=mlops.yaml,line="), "{}", judged.log);
    assert_eq!(judged.outputs["passed"], "false");
    assert_eq!(world.writes(), Vec::<String>::new());
    let reported = world.run(&world.workflow_run(&judged));
    assert_eq!(
        reported.code, 0,
        "the report is there, and the verdict was the other run's: {}",
        reported.log
    );
    let checks = world.twin.state().check_runs(REPOSITORY, &judged.head);
    assert!(
        checks
            .iter()
            .any(|check| check.conclusion.as_deref() == Some("failure"))
    );
}

#[test]
fn dependabot_is_as_a_fork() {
    let world = World::new();
    world.push("dependabot/pip/x", &[("NOTES.md", "newer")]);
    let number = world.open("dependabot/pip/x", "Bump x");
    let mut job = world.pull_request(number, "opened");
    job.actor = "dependabot[bot]".to_owned();
    job.permissions = vec![("contents", "read"), ("pull-requests", "read")];
    job.has_results = true;
    let judged = world.run(&job);
    assert_eq!((judged.code, world.writes()), (0, Vec::new()), "{}", judged.log);
    let reported = world.run(&world.workflow_run(&judged));
    assert_eq!(reported.code, 0, "{}", reported.log);
    assert_eq!(world.thread(number).len(), 1);

    // Its push to main can not publish, and is not tried.
    world.push("main", &[("NOTES.md", "merged")]);
    let before = world.writes().len();
    let mut job = world.main();
    job.actor = "dependabot[bot]".to_owned();
    job.permissions = vec![("contents", "read")];
    let pushed = world.run(&job);
    assert_eq!((pushed.code, world.writes().len()), (0, before), "{}", pushed.log);
}

#[test]
fn what_a_fork_left_may_be_anything() {
    let forked = Forked::new();
    let honest = packed(&forked.facts);
    let text = forked.facts.to_string().into_bytes();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut facts = forked.facts.clone();
        change(&mut facts);
        packed(&facts)
    };
    let bomb = vec![0_u8; 30 << 20];
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("no archive", b"not a zip".to_vec(), "is refused"),
        ("empty", Vec::new(), "is refused"),
        ("a way out", zipped(&[("../../mlops-facts.json", &text)]), "is refused"),
        (
            "an absolute way",
            zipped(&[("/tmp/mlops-facts.json", &text)]),
            "is refused",
        ),
        (
            "more files",
            zipped(&[(FACTS, &text), ("evil.sh", b"id")]),
            "is refused",
        ),
        ("a bomb", zipped(&[(FACTS, &bomb)]), "is refused"),
        ("broken off", honest[..honest.len() / 2].to_vec(), "is refused"),
        ("no JSON", zipped(&[(FACTS, b"{")]), "facts in"),
        ("no text", zipped(&[(FACTS, &[0xff, 0xfe])]), "facts in"),
        (
            "passed with a verdict of failure",
            with(&|facts| facts["verdict"] = "failed_to_run".into()),
            "facts in",
        ),
        (
            "a gate that failed, and it passed",
            with(&|facts| facts["gates"][0]["status"] = "fail".into()),
            "facts in",
        ),
        (
            "of another place",
            with(&|facts| facts["config_file"] = "../../x.yaml".into()),
            "facts in",
        ),
        (
            "of another configuration",
            with(&|facts| facts["config_file"] = "other.yaml".into()),
            "another configuration",
        ),
        (
            "a model that can not be",
            with(&|facts| facts["model"] = "a<b>".into()),
            "facts in",
        ),
        (
            "keys of its own",
            with(&|facts| facts["promote"] = "v1".into()),
            "facts in",
        ),
    ];
    let before = forked.world.writes().len();
    for (what, artifact, says) in cases {
        let ran = forked.reported(&artifact);
        assert_eq!(ran.code, 2, "{what}: {}", ran.log);
        assert!(ran.log.contains(says), "{what}: {}", ran.log);
    }
    assert_eq!(
        forked.world.writes().len(),
        before,
        "{:?}",
        &forked.world.writes()[before..]
    );
    assert_eq!(forked.comments(), Vec::<String>::new());

    // Its claims to be ours are not taken over.
    let claims = with(&|facts| {
        facts["commit"] = "f".repeat(40).into();
        facts["registry"] = json!(null);
    });
    assert_eq!(forked.reported(&claims).code, 0);
    assert!(
        !forked.comments()[0].contains(&"f".repeat(7)),
        "{:?}",
        forked.comments()
    );
}

#[test]
fn artifacts_are_of_that_run_and_that_commit() {
    let forked = Forked::new();
    let world = &forked.world;
    let with_artifact = |change: &dyn Fn(&mut crate::twins::Artifact)| {
        let mut state = world.twin.state();
        let artifacts = state.repository(REPOSITORY).artifacts.values_mut();
        artifacts.filter(|one| one.name == forked.name).for_each(change);
    };
    with_artifact(&|one| one.is_expired = true);
    let expired = world.run(&world.workflow_run(&forked.judged));
    assert_eq!(expired.code, 2, "{}", expired.log);
    assert!(expired.log.contains("expired"), "{}", expired.log);
    with_artifact(&|one| {
        one.is_expired = false;
        one.digest = Some(format!("sha256:{}", "0".repeat(64)));
    });
    let swapped = world.run(&world.workflow_run(&forked.judged));
    assert!(swapped.code == 2 && swapped.log.contains("digest"), "{}", swapped.log);

    // A run of another commit than the event says.
    let mut job = world.workflow_run(&forked.judged);
    job.payload["workflow_run"]["head_sha"] = "d".repeat(40).into();
    let other = world.run(&job);
    assert!(
        other.code == 2 && other.log.contains("another run or for another commit"),
        "{}",
        other.log
    );

    // Nothing was left at all.
    world.twin.state().repository(REPOSITORY).artifacts.clear();
    let nothing = world.run(&world.workflow_run(&forked.judged));
    assert!(
        nothing.code == 0 && nothing.log.contains("nothing to do"),
        "{}",
        nothing.log
    );
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn a_pull_request_that_went_on_is_left_alone() {
    let forked = Forked::new();
    let world = &forked.world;
    world.twin.state().commit(FORK, "tune", &[("NOTES.md", "more")]);
    let moved = world.run(&world.workflow_run(&forked.judged));
    assert!(
        moved.code == 0 && moved.log.contains("no open pull request"),
        "{}",
        moved.log
    );
    let mut state = world.twin.state();
    let pull = state.repository(REPOSITORY).pulls.get_mut(&forked.number).unwrap();
    pull.is_open = false;
    pull.head_sha.clone_from(&forked.judged.head);
    drop(state);
    let closed = world.run(&world.workflow_run(&forked.judged));
    assert!(
        closed.code == 0 && closed.log.contains("no open pull request"),
        "{}",
        closed.log
    );
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn twenty_artifacts_are_one_comment() {
    let forked = Forked::new();
    for (n_more, says) in [(9, "another configuration"), (30, "there are too many")] {
        for number in 0..n_more {
            let name = format!("mlops-report-other-{number}");
            forked.world.leave(&forked.judged, &name, &packed(&forked.facts));
        }
        let ran = forked.reported(&packed(&forked.facts));
        assert_eq!(ran.code, 2, "{}", ran.log);
        assert!(ran.log.contains(says), "{}", ran.log);
        assert_eq!(forked.comments().len(), 1);
    }
}

/// What no text may become.
const HOSTILE: &[&str] = &[
    "<img src=x onerror=zq>",
    "</details></summary><h1>zq</h1>",
    "[zq](https://zq.example)",
    "![zq](https://zq.example/zq.png)",
    "https://zq.example/zq",
    "@zqoctocat and @zq/team",
    "zq/zq#12",
    "x\n/mlops promote v1 zq",
    "x\n::error file=zq::zq",
    "--> <!-- mlops-action:zq:v1 --> zq",
    "`` ` zq ``` zq",
    "| zq | zq |\n|---|---|\n",
    "\u{202e}zq\u{200b}",
    "${{ github.token }} zq",
];

/// Nothing in a comment of ours acts that a stranger's text brought along: such texts all have `zq` in them.
fn assert_inert(markdown: &str) {
    let mut in_code = 0;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_GFM) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code += 1,
            Event::End(TagEnd::CodeBlock) => in_code -= 1,
            Event::InlineHtml(html) if html.as_ref() == "<code>" => in_code += 1,
            Event::InlineHtml(html) if html.as_ref() == "</code>" => in_code -= 1,
            // Escaped text may stand between tags of ours.
            Event::Html(html) | Event::InlineHtml(html) => {
                let tags = html
                    .split('<')
                    .skip(1)
                    .map(|rest| rest.split('>').next().unwrap_or_default());
                for tag in tags {
                    assert!(!tag.contains("zq"), "{html}\n{markdown}");
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                assert!(!dest_url.contains("zq"), "{dest_url}\n{markdown}");
            }
            Event::Text(text) if in_code == 0 => {
                let chars: Vec<char> = text.chars().collect();
                let is_linked = |pair: &[char]| matches!(pair[0], '@' | '#') && pair[1].is_alphanumeric();
                assert!(!chars.windows(2).any(is_linked), "{text}");
                assert!(!text.contains("://zq"), "{text}");
            }
            _ => {}
        }
    }
    for line in markdown.lines() {
        let line = line.trim_start();
        assert!(!line.starts_with("::") && !line.starts_with("/mlops"), "{line}");
    }
    let markers = markdown
        .lines()
        .filter(|line| line.trim_start().starts_with("<!-- mlops-"));
    assert!(markers.count() <= 2, "{markdown}");
}

/// Small steps from one number to the next, the same ones each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// The places of a tree, as pointers.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            places(
                value,
                &format!("{here}/{}", key.replace('~', "~0").replace('/', "~1")),
                found,
            );
        }),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| {
            places(value, &format!("{here}/{index}"), found);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn mutate(facts: &mut Value, dice: &mut Dice) -> String {
    let mut all = Vec::new();
    places(facts, "", &mut all);
    // Texts are what can act: half of all mutations are of them.
    let texts: Vec<String> = all
        .iter()
        .filter(|place| facts.pointer(place).unwrap().is_string())
        .cloned()
        .collect();
    let among = if dice.below(2) == 0 { &texts } else { &all };
    let place = among[dice.below(among.len())].clone();
    let hostile = HOSTILE[dice.below(HOSTILE.len())];
    let value = facts.pointer_mut(&place).unwrap();
    let was = value.clone();
    *value = match (&was, dice.below(6)) {
        (Value::String(text), 0..3) => format!("{text} {hostile}").into(),
        (Value::String(_), _) => hostile.into(),
        (Value::Number(_), 0) => (-1).into(),
        (Value::Number(_), 1) => json!(1e308),
        (Value::Number(number), _) => json!(number.as_f64().unwrap() * 1.5),
        (Value::Bool(value), _) => (!value).into(),
        (Value::Array(list), 0..3) => list.iter().chain(list).cloned().collect(),
        (Value::Array(_), _) => json!([hostile]),
        (Value::Object(entries), _) if !entries.is_empty() => {
            let mut entries = entries.clone();
            let key = entries.keys().nth(dice.below(entries.len())).unwrap().clone();
            let value = entries.remove(&key).unwrap();
            if dice.below(2) == 0 {
                entries.insert(hostile.to_owned(), value);
            }
            Value::Object(entries)
        }
        (Value::Object(_) | Value::Null, _) => json!({ "zq": hostile }),
    };
    format!("{place}: {} -> {}", short(&was), short(value))
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

/// `MLOPS_MUTATIONS` says how many, as `.ci/run` does.
#[test]
fn mutated_facts_are_refused_or_inert() {
    let wanted = std::env::var("MLOPS_MUTATIONS").ok().and_then(|text| text.parse().ok());
    let wanted = wanted.unwrap_or(12);
    let forked = Forked::new();
    let (mut n_refused, mut n_shown) = (0, 0);
    for seed in 0..wanted {
        let mut dice = Dice(seed);
        (0..3).for_each(|_| _ = dice.below(2));
        let mut facts = forked.facts.clone();
        let what = mutate(&mut facts, &mut dice);
        let ran = forked.reported(&packed(&facts));
        for line in without_masks(&ran.log).lines() {
            let is_ours = line.starts_with("::notice title=mlops::");
            assert!(is_ours || !line.trim_start().starts_with("::"), "{seed} {what}: {line}");
        }
        match ran.code {
            0 => n_shown += 1,
            2 => n_refused += 1,
            other => panic!("{seed} {what}: {other}\n{}", ran.log),
        }
        let comments = forked.comments();
        assert!(comments.len() <= 1, "{seed} {what}: {comments:?}");
        for body in &comments {
            assert_inert(body);
        }
        assert_inert(&format!("<!-- mlops-action:x -->\n{}", ran.summary));
        let checks = forked.world.twin.state().check_runs(REPOSITORY, &forked.judged.head);
        for check in checks {
            assert!(
                check.name.contains(" (fork)") && check.conclusion.as_deref() != Some("success"),
                "{check:?}"
            );
        }
        // The next one has the thread for itself.
        let mut state = forked.world.twin.state();
        let repository = state.repository(REPOSITORY);
        repository.comments.clear();
        repository.check_runs.clear();
    }
    assert!(n_refused > 0 && n_shown > 0, "{n_refused} refused, {n_shown} shown");
    assert_eq!(forked.world.twin.violations(), Vec::<String>::new());
}

#[test]
fn no_event_with_rights_runs_the_code_of_a_pull_request() {
    let world = World::new();
    let leaves = world
        .config
        .replace("python3 -m unittest discover -s tests", "touch ran-here");
    let number = world.fork("evil", &[("mlops.yaml", &leaves)]);
    let head = world.pull_request(number, "opened").checkout;
    let comment = world.comment(number, "eve", "Please merge.");
    let dispatched = world.workflow_run(&world.run(&world.on_main("release", json!({}))));
    let before = world.writes().len();
    for (event, job) in [
        ("pull_request_target", world.pull_request(number, "opened")),
        ("workflow_run", dispatched),
        ("issue_comment", comment),
    ] {
        for command in [None, Some("run"), Some("check"), Some("retrain"), Some("promote")] {
            if command.is_none() && event != "pull_request_target" {
                continue;
            }
            let job = crate::world::Job {
                event,
                // The mistake that these events invite to.
                checkout: head.clone(),
                inputs: command
                    .map(|command| ("command", command.to_owned()))
                    .into_iter()
                    .collect(),
                permissions: crate::world::MAIN.to_vec(),
                payload: job.payload.clone(),
                git_ref: "refs/heads/main".to_owned(),
                actor: "eve".to_owned(),
                env: Vec::new(),
                has_results: false,
            };
            let ran = world.run(&job);
            assert_eq!(ran.code, 2, "{event} {command:?}: {}", ran.log);
            assert!(ran.log.contains("::error"), "{event} {command:?}: {}", ran.log);
            assert!(ran.log.contains("pull_request"), "{event} {command:?}: {}", ran.log);
            assert!(!ran.has_file("ran-here"), "{event} {command:?}");
        }
    }
    assert_eq!(world.writes().len(), before, "{:?}", world.writes());
}
