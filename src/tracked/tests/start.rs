//! A run as it begins.

use super::super::start;
use super::{COMMIT, setting, snapshots};

#[test]
fn a_pull_request() {
    let mut run = start(&setting());
    let config = serde_json::to_string_pretty(&std::mem::take(&mut run.config)).unwrap();
    insta::assert_debug_snapshot!(run, @r#"
    RunStart {
        id: "gh-987-2-evaluate-d7d2d1d4fdab",
        display_name: "diabetes #7 a1b2c3d",
        group: Some(
            "pr-7",
        ),
        job_type: "evaluate",
        tags: [
            "mlops",
            "diabetes",
            "evaluate",
            "random_forest",
            "pull_request",
            "pr-7",
        ],
        notes: Some(
            "[Pull request 7](https://github.com/ada/models/pull/7) · [Workflow run 987, attempt 2](https://github.com/ada/models/actions/runs/987/attempts/2) · [Commit a1b2c3d](https://github.com/ada/models/commit/a1b2c3d4e5f60718293a4b5c6d7e8f9012345678)\n\n`diabetes` as `mlops.yaml` says, for `pull_request` by `ada` on `refs/pull/7/merge`; job `model` of `mlops`",
        ),
        config: {},
        git: Some(
            GitState {
                remote: "https://github.com/ada/models",
                commit: "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
            },
        ),
        program: "mlops",
        host: Some(
            "runner-1",
        ),
        started: Timestamp(
            1795000000,
        ),
    }
    "#);
    snapshots().bind(|| insta::assert_snapshot!("configuration", config));
}

#[test]
fn a_branch_and_a_laptop() {
    let mut setting = setting();
    let github = setting.github.as_mut().unwrap();
    (github.pull_request, github.git_ref) = (None, "refs/heads/feature/x".to_owned());
    setting.job_type = "publish".to_owned();
    let run = start(&setting);
    assert_eq!(run.display_name, "diabetes feature/x a1b2c3d");
    assert_eq!(run.group.as_deref(), Some("feature/x"));
    assert_eq!(
        run.tags,
        [
            "mlops",
            "diabetes",
            "publish",
            "random_forest",
            "pull_request",
            "feature-x"
        ]
    );

    (setting.github, setting.commit) = (None, None);
    let run = start(&setting);
    assert_eq!(run.display_name, "diabetes");
    assert_eq!((run.group, run.git), (None, None));
    assert_eq!(run.tags, ["mlops", "diabetes", "publish", "random_forest", "local"]);
    assert_eq!(run.notes.unwrap(), "`diabetes` as `mlops.yaml` says, on `runner-1`");
    assert!(run.config["github"].is_null());
    assert!(run.id.starts_with("local-") && run.id.len() == 18, "{}", run.id);
}

#[test]
fn the_identity_tells_jobs_apart_and_nothing_else() {
    let id = |change: fn(&mut super::Setting)| {
        let mut setting = setting();
        change(&mut setting);
        start(&setting).id
    };
    let first = id(|_| {});
    assert_eq!(first, id(|_| {}));
    assert_eq!(first, id(|setting| setting.started.0 += 60));
    assert_eq!(first, id(|setting| setting.host = None));
    for other in [
        id(|setting| setting.configured.model = "other".to_owned()),
        id(|setting| setting.config_file = "other.yaml".to_owned()),
        id(|setting| setting.directory = Some("models/b".to_owned())),
        id(|setting| setting.job_type = "promote".to_owned()),
        id(|setting| setting.github.as_mut().unwrap().job = "other".to_owned()),
        id(|setting| setting.github.as_mut().unwrap().attempt = 3),
        id(|setting| setting.github.as_mut().unwrap().run_id = 988),
    ] {
        assert_ne!(first, other);
    }

    // Without GitHub the moment and the host are all that tells two runs apart.
    let local = |change: fn(&mut super::Setting)| {
        let mut setting = setting();
        setting.github = None;
        change(&mut setting);
        start(&setting).id
    };
    assert_eq!(local(|_| {}), local(|_| {}));
    assert_ne!(local(|_| {}), local(|setting| setting.started.0 += 1));
    assert_ne!(local(|_| {}), local(|setting| setting.host = None));
}

#[test]
fn links_are_made_of_checked_pieces_alone() {
    for (server, repository) in [
        ("https://github.com", "ada/models)[x](https://evil.example"),
        ("https://evil.example/)", "ada/models"),
        ("javascript:alert(1)//", "ada/models"),
        ("https://", "ada/models"),
        ("https://github.com", "ada"),
        ("https://github.com", "ada/.."),
        ("https://github.com", "ada/models/x"),
        ("https://a@github.com", "ada/models"),
    ] {
        let mut setting = setting();
        let github = setting.github.as_mut().unwrap();
        (github.server, github.repository) = (server.to_owned(), repository.to_owned());
        let run = start(&setting);
        let notes = run.notes.unwrap();
        assert!(!notes.contains("]("), "{notes}");
        assert_eq!(run.git, None);
        assert!(run.config["github"]["page"].is_null());
    }
    for commit in ["a1b2c3d", "HEAD", &COMMIT.to_uppercase(), &"é".repeat(20)] {
        let mut setting = setting();
        setting.commit = Some(commit.to_owned());
        let run = start(&setting);
        assert_eq!(run.git, None);
        assert_eq!(run.display_name, "diabetes #7");
    }
}

#[test]
fn names_of_others_stay_text() {
    let mut setting = setting();
    let github = setting.github.as_mut().unwrap();
    github.actor = "](https://evil.example)`<img src=x>".to_owned();
    github.git_ref = "refs/heads/a\u{202e}`b`\n# heading".to_owned();
    github.workflow = "\u{1b}[31m@octocat #1".to_owned();
    (github.job, github.pull_request) = (" ".to_owned(), None);
    setting.job_type = "Pro mote/..".to_owned();
    let run = start(&setting);
    assert_eq!(run.display_name, "diabetes a`b` # heading a1b2c3d");
    assert_eq!(run.job_type, "pro-mote");
    assert_eq!(run.tags[5], "a-b- - heading");
    insta::assert_snapshot!(run.notes.unwrap(), @r"
    [Workflow run 987, attempt 2](https://github.com/ada/models/actions/runs/987/attempts/2) · [Commit a1b2c3d](https://github.com/ada/models/commit/a1b2c3d4e5f60718293a4b5c6d7e8f9012345678)

    `diabetes` as `mlops.yaml` says, for `pull_request` by `](https://evil.example)'<img src=x>` on `refs/heads/a'b' # heading`; job — of `@octocat #1`
    ");
}
