//! `/mlops …` below a pull request: who may, what is followed, what is refused, and that nothing happens twice.

use serde_json::{Value, json};

use crate::pull_request::settings;
use crate::twins::{Fault, Kind};
use crate::world::{Job, REPOSITORY, Ran, World, hidden_data, with_hidden_data};

/// A repository whose `main` has published v1, and a pull request that proposes something.
fn published() -> (World, u64) {
    published_with(|config| config)
}

fn published_with(change: impl Fn(String) -> String) -> (World, u64) {
    let mut world = World::new();
    let config = change(world.config.clone());
    if config != world.config {
        world.push("main", &[("mlops.yaml", &config)]);
        world.config = config;
    }
    let ran = world.run(&world.main());
    assert_eq!(ran.code, 0, "{}", ran.log);
    let better = world.config.replace("alpha: 1.0", "alpha: 0.9");
    world.push("tune", &[("mlops.yaml", &better)]);
    let number = world.open("tune", "Tune the ridge");
    (world, number)
}

/// The pull request is judged, merged and published as v2.
fn merged() -> (World, u64) {
    let (world, number) = published();
    judge(&world, number);
    world.twin.state().merge(REPOSITORY, number);
    let ran = world.run(&world.main());
    assert_eq!(
        (ran.code, ran.outputs["model-version"].as_str()),
        (0, "v2"),
        "{}",
        ran.log
    );
    (world, number)
}

fn judge(world: &World, number: u64) {
    let ran = world.run(&world.pull_request(number, "synchronize"));
    assert_eq!(ran.code, 0, "{}", ran.log);
}

/// Where production is, by the ledger.
fn production(world: &World) -> Option<u64> {
    moves(world).last().and_then(|step| step["to"].as_u64())
}

/// Every move of production.
fn moves(world: &World) -> Vec<Value> {
    let ledger = world.ledger().into_iter();
    let moves = ledger.filter_map(|entry| entry["event"].get("moved").cloned());
    moves.filter(|step| step["alias"] == "production").collect()
}

/// What was answered to a comment, and what one sees at the comment itself.
fn answers(world: &World, number: u64, job: &Job) -> (Vec<String>, String) {
    let id = job.payload["comment"]["id"].as_u64().unwrap();
    let comments = world.twin.state().comments(REPOSITORY, number);
    let marker = format!("<!-- mlops-reply:{id}:v1 -->");
    let there = comments.iter().filter(|comment| comment.deleted_by.is_none());
    let replies = there.filter(|comment| comment.body().starts_with(&marker));
    let replies = replies.map(|comment| comment.body().to_owned()).collect();
    let asked = comments.iter().find(|comment| comment.id == id).unwrap();
    let reactions: Vec<&str> = asked.reactions.iter().map(|(_, _, content)| content.as_str()).collect();
    (replies, reactions.join(" "))
}

fn ask(world: &World, number: u64, who: &str, words: &str) -> (Ran, String, String) {
    let job = world.comment(number, who, words);
    let ran = world.run(&job);
    let (replies, reactions) = answers(world, number, &job);
    assert_eq!(replies.len(), 1, "{who} {words}: {replies:?}\n{}", ran.log);
    (ran, replies[0].clone(), reactions)
}

#[test]
fn production_is_for_those_who_may_write() {
    let (world, number) = published();
    {
        let mut state = world.twin.state();
        let people = &mut state.repository(REPOSITORY).collaborators;
        people.insert("wes".to_owned(), "write".to_owned());
        people.insert("tia".to_owned(), "triage".to_owned());
    }
    for (who, words, code) in [
        ("zed", "/mlops help", 1),
        ("zed", "/mlops promote v1", 1),
        ("tom", "/mlops help", 0),
        ("tom", "/mlops status", 0),
        ("tom", "/mlops plan", 1),
        ("tom", "/mlops promote v1", 1),
        ("tom", "/mlops rollback", 1),
        ("tom", "/mlops retrain", 1),
        ("tia", "/mlops promote v1", 1),
    ] {
        let (ran, reply, reactions) = ask(&world, number, who, words);
        assert_eq!(ran.code, code, "{who} {words}: {}", ran.log);
        let mark = if code == 0 { "rocket" } else { "confused" };
        assert_eq!(reactions, format!("eyes {mark}"), "{who} {words}");
        assert_eq!(reply.contains("may not do this"), code == 1, "{who} {words}: {reply}");
        assert_eq!(production(&world), None, "{who} {words}");
    }
    for who in ["wes", "mia", "ada"] {
        let (ran, reply, _) = ask(&world, number, who, "/mlops promote v1");
        assert_eq!(ran.code, 0, "{who}: {}", ran.log);
        let word = if who == "wes" { "Promoted" } else { "Nothing moves" };
        assert!(reply.contains(word), "{who}: {reply}");
    }
    assert_eq!(moves(&world).len(), 1);
    assert!(
        world.ledger_lines().last().unwrap().contains("wes: "),
        "{:?}",
        world.ledger_lines()
    );
    let mut settings = settings();
    // Within a list they are words, which are kept from being emoji and commits.
    settings.add_filter(r"\d{4}-\d\d-\d\dT[\d:\u{200b}]{10,}Z", "[moment]");
    settings.add_filter(r"\([0-9a-f\u{200b}]{12,14}\)", "([digest])");
    let _bound = settings.bind_to_scope();
    insta::assert_snapshot!("commands", world.seen(number));
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

#[test]
fn talk_about_a_command_is_none() {
    let (world, number) = published();
    let said = |body: &str| world.comment(number, "ada", body);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut job = said("/mlops promote v1");
        change(&mut job.payload);
        job
    };
    let jobs = [
        said("> /mlops promote v1"),
        said("```\n/mlops promote v1\n```"),
        said("`/mlops promote v1`"),
        said("    /mlops promote v1"),
        said("<details>\n\n/mlops promote v1\n\n</details>"),
        said("please /mlops promote v1"),
        said("Looks good to me."),
        changed(&|payload| payload["action"] = "edited".into()),
        changed(&|payload| payload["action"] = "deleted".into()),
        changed(&|payload| payload["comment"]["user"]["type"] = "Bot".into()),
        changed(&|payload| payload["issue"]["pull_request"] = Value::Null),
    ];
    let before = world.writes().len();
    for job in jobs {
        let ran = world.run(&job);
        assert_eq!(ran.code, 0, "{}: {}", job.payload, ran.log);
        assert_eq!(
            world.writes().len(),
            before,
            "{}: {:?}",
            job.payload,
            &world.writes()[before..]
        );
        assert!(ran.log.contains("nothing to do"), "{}", ran.log);
    }
}

#[test]
fn what_can_not_be_followed_is_answered_once() {
    let (world, number) = published();
    for (words, says) in [
        ("/mlops promote v1\n/mlops rollback", "2 commands in one comment"),
        ("/mlops premote", "did you mean `promote`"),
        ("/mlops", "needs a word"),
        ("/mlops promote newest", "is not a version"),
        ("/mlops promote vx", "vx"),
        ("/mlops promote v99", "v99"),
        ("/mlops promote v1 --force", "no option `--force`"),
        ("/mlops rollback v1", "can not take"),
        ("/mlops rollback", "no earlier version"),
    ] {
        let job = world.comment(number, "ada", words);
        let (first, second) = (world.run(&job), world.run(&job));
        assert!((1..3).contains(&first.code), "{words}: {}", first.log);
        assert_eq!(first.code, second.code, "{words}");
        let (replies, reactions) = answers(&world, number, &job);
        assert_eq!(
            (replies.len(), reactions.as_str()),
            (1, "eyes confused"),
            "{words}: {replies:?}"
        );
        assert!(replies[0].contains(says), "{words}: {}", replies[0]);
    }
    assert_eq!(production(&world), None);
}

#[test]
fn what_is_delivered_twice_moves_once() {
    let (world, number) = merged();
    for (words, to, n_moves) in [
        ("/mlops promote v1", 1, 1),
        ("/mlops promote", 2, 2),
        ("/mlops promote v1", 1, 3),
        // Twice would be v1 again.
        ("/mlops rollback", 2, 4),
    ] {
        let job = world.comment(number, "mia", words);
        for _ in 0..2 {
            let ran = world.run(&job);
            assert_eq!(ran.code, 0, "{words}: {}", ran.log);
            assert_eq!(
                (production(&world), moves(&world).len()),
                (Some(to), n_moves),
                "{words}"
            );
        }
        let (replies, reactions) = answers(&world, number, &job);
        assert_eq!(
            (replies.len(), reactions.as_str()),
            (1, "eyes rocket"),
            "{words}: {replies:?}"
        );

        // Somebody deletes the answer, or it was never given: the ledger knows all the same.
        let id = job.payload["comment"]["id"].as_u64().unwrap();
        {
            let mut state = world.twin.state();
            let comments = &mut state.repository(REPOSITORY).comments;
            let marker = format!("<!-- mlops-reply:{id}:v1 -->");
            comments.retain(|_, comment| !comment.body().starts_with(&marker));
        }
        assert_eq!(world.run(&job).code, 0);
        assert_eq!(
            (production(&world), moves(&world).len()),
            (Some(to), n_moves),
            "{words}"
        );
        let (replies, _) = answers(&world, number, &job);
        assert!(
            replies.len() == 1 && replies[0].contains("Done before"),
            "{words}: {replies:?}"
        );
    }
    let deployments = world.twin.state().repository(REPOSITORY).deployments.len();
    assert_eq!(deployments, 4, "a move is one deployment");
}

#[test]
fn a_promotion_is_of_what_was_reported_and_nothing_else() {
    let (world, number) = published();
    let refused = |says: &str| {
        let (ran, reply, reactions) = ask(&world, number, "mia", "/mlops promote");
        assert_eq!(
            (ran.code, reactions.as_str()),
            (1, "eyes confused"),
            "{says}: {}",
            ran.log
        );
        assert!(reply.contains(says), "{says}: {reply}");
        assert_eq!(production(&world), None, "{says}");
        let (ran, reply, _) = ask(&world, number, "mia", "/mlops plan");
        assert!(ran.code == 1 && reply.contains(says), "plan, {says}: {reply}");
    };
    refused("no report");
    judge(&world, number);
    refused("not merged");
    world.push("tune", &[("NOTES.md", "more")]);
    refused("new commits since the report");
    judge(&world, number);
    refused("not merged");
    world.twin.state().merge(REPOSITORY, number);
    refused("has not published");
    let ran = world.run(&world.main());
    assert_eq!(
        (ran.code, ran.outputs["model-version"].as_str()),
        (0, "v2"),
        "{}",
        ran.log
    );

    // Whoever may edit comments changes what the report hides.
    let sticky = world.thread(number).pop().unwrap();
    let data = hidden_data(sticky.body());
    let edit = |change: &dyn Fn(&mut Value)| {
        let mut data = data.clone();
        change(&mut data);
        let body = with_hidden_data(sticky.body(), &data);
        let mut state = world.twin.state();
        let comment = state.repository(REPOSITORY).comments.get_mut(&sticky.id).unwrap();
        comment.versions.last_mut().unwrap().body = body;
    };
    edit(&|data| data["version"] = 1.into());
    refused("is not what the report of this pull request was about");
    edit(&|data| data["digest"] = format!("sha256:{}", "a".repeat(64)).into());
    refused("is not what the report of this pull request was about");
    // What names nothing that was published is not believed; the registry's own record of the merge is.
    edit(&|data| data["head"] = "a".repeat(40).into());
    let (ran, reply, _) = ask(&world, number, "mia", "/mlops promote");
    assert_eq!((ran.code, production(&world)), (0, Some(2)), "{}", ran.log);
    assert!(reply.contains("v2"), "{reply}");
}

#[test]
fn an_environment_is_asked_and_its_job_moves() {
    let (world, number) = published_with(|config| format!("{config}\npromote: {{approval: environment}}\n"));
    let (ran, reply, _) = ask(&world, number, "mia", "/mlops promote v1");
    assert!(
        ran.code > 0 && reply.contains("mlops-promote.yml"),
        "{}: {reply}",
        ran.code
    );
    {
        let mut state = world.twin.state();
        state.workflow(REPOSITORY, "mlops-promote.yml", &["command!", "version!", "reason"]);
    }
    let job = world.comment(number, "mia", "/mlops promote v1");
    for _ in 0..2 {
        let ran = world.run(&job);
        assert_eq!(ran.code, 0, "{}", ran.log);
    }
    let (replies, _) = answers(&world, number, &job);
    assert!(
        replies.len() == 1 && replies[0].contains("/actions/runs/"),
        "{replies:?}"
    );
    assert!(replies[0].contains("waits for the reviewers"), "{replies:?}");
    assert_eq!(production(&world), None);
    let dispatches = world.twin.state().repository(REPOSITORY).dispatches.clone();
    assert_eq!(dispatches.len(), 1, "one approval for one comment: {dispatches:?}");
    assert_eq!(dispatches[0].git_ref.as_deref(), Some("main"));

    let mut approved = world.on_main("workflow_dispatch", json!({ "inputs": dispatches[0].inputs }));
    approved.permissions = vec![("contents", "write"), ("deployments", "write")];
    for name in ["command", "version", "reason"] {
        let value = dispatches[0].inputs[name].as_str().unwrap().to_owned();
        approved.inputs.push((name, value));
    }
    let ran = world.run(&approved);
    assert_eq!((ran.code, production(&world)), (0, Some(1)), "{}", ran.log);
    let entry = world.ledger().pop().unwrap();
    assert_eq!(entry["actor"], "ada", "who started the job: {entry}");
    let because = entry["event"]["moved"]["because"].as_str().unwrap();
    assert!(because.contains(&format!("asked for by mia in #{number}")), "{because}");
    // GitHub records the deployment of such a job itself.
    assert!(world.twin.state().repository(REPOSITORY).deployments.is_empty());
}

#[test]
fn an_automatic_promotion_moves_with_the_push() {
    let (world, _) = published_with(|config| format!("{config}\npromote: {{approval: auto}}\n"));
    assert_eq!(production(&world), Some(1));
}

#[test]
fn a_warning_is_accepted_by_a_person_or_not_at_all() {
    let (world, number) = published_with(|config| {
        config.replace(
            "rmse: {max: 60, max_regression: 2%}",
            "rmse: {max: 60, max_regression: {relative: 0%}}",
        )
    });
    assert_eq!(ask(&world, number, "mia", "/mlops promote v1").0.code, 0);
    world.push(
        "tune",
        &[(
            "mlops.yaml",
            &world.config.replace("target:", "exclude: [s2]\n  target:"),
        )],
    );
    judge(&world, number);
    world.twin.state().merge(REPOSITORY, number);
    let ran = world.run(&world.main());
    assert_eq!(
        (ran.code, ran.outputs["verdict"].as_str()),
        (0, "inconclusive"),
        "{}",
        ran.log
    );

    let (ran, reply, _) = ask(&world, number, "mia", "/mlops promote");
    assert_eq!((ran.code, production(&world)), (1, Some(1)), "{}", ran.log);
    assert!(
        reply.contains("not green") && reply.contains("--accept-warnings"),
        "{reply}"
    );
    let (ran, reply, _) = ask(&world, number, "mia", "/mlops promote --accept-warnings");
    assert_eq!((ran.code, production(&world)), (0, Some(2)), "{}: {reply}", ran.log);
    let step = moves(&world).pop().unwrap();
    assert!(step["because"].as_str().unwrap().contains("was accepted"), "{step}");
}

#[test]
fn a_retraining_is_of_the_tip_of_the_default_branch() {
    let (world, number) = published();
    let rows = world.data.trim_end().rsplit_once('\n').unwrap().0;
    let old = world.tip("main");
    let test = "import unittest\n\n\nclass Any(unittest.TestCase):\n    def test_any(self):\n        pass\n";
    world.push(
        "main",
        &[
            ("data/diabetes.csv", &format!("{rows}\n")),
            ("tests/test_data.py", test),
        ],
    );
    let mut elsewhere = world.comment(number, "mia", "/mlops retrain");
    elsewhere.checkout = old;
    elsewhere.env.push(("GITHUB_SHA", world.tip("main")));
    let ran = world.run(&elsewhere);
    assert_eq!(ran.code, 1, "{}", ran.log);
    let (replies, _) = answers(&world, number, &elsewhere);
    assert!(replies[0].contains("not the tip of the default branch"), "{replies:?}");

    let (ran, reply, reactions) = ask(&world, number, "mia", "/mlops retrain");
    assert_eq!((ran.code, reactions.as_str()), (0, "eyes rocket"), "{}", ran.log);
    assert!(reply.contains("Trained"), "{reply}");
    assert_eq!(ran.outputs["model-version"].as_str(), "v2", "{}", ran.log);
    let published = world
        .ledger()
        .into_iter()
        .filter(|entry| !entry["event"]["published"].is_null());
    assert_eq!(published.count(), 2, "{:?}", world.ledger_lines());
}

#[test]
fn a_registry_out_of_reach_is_said_and_tried_again() {
    let (world, number) = published();
    let refused = Fault::always(
        "GET",
        "/git/",
        Kind::Status {
            code: 503,
            headers: std::collections::BTreeMap::new(),
            body: json!({"message": "out of service"}),
        },
    );
    world.twin.fault(refused);
    let job = world.comment(number, "mia", "/mlops promote v1");
    let ran = world.run(&job);
    assert_eq!(ran.code, 3, "{}", ran.log);
    let (replies, reactions) = answers(&world, number, &job);
    assert_eq!((replies.len(), reactions.as_str()), (1, "eyes confused"), "{replies:?}");
    let said = replies[0].lines().nth(1).unwrap();
    assert!(said.contains("registry") && said.contains("503"), "{said}");

    // The job is started again: the same answer says what became of it.
    world.twin.state().faults.clear();
    assert_eq!(world.run(&job).code, 0);
    let (replies, _) = answers(&world, number, &job);
    assert!(replies.len() == 1 && replies[0].contains("Promoted"), "{replies:?}");
    assert_eq!(production(&world), Some(1));
}
