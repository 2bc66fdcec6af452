//! Environments that travel through the cache of Actions: what one job made, the next one has without any installer.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::world::{Job, REPOSITORY, Ran, World};

const PREFIX: &str = "mlops-environment-";
const FROM_CACHE: &str = "from the cache of an earlier job";

/// A machine whose jobs all have the same folder for temporary files, as a runner's do, and whose `uv` is a script. It takes its time, since what is made in
/// no time is not kept. The tool
/// that it installs changes the environment, and does not run in one that was changed.
struct Machine {
    world: World,
    dir: tempfile::TempDir,
}

impl Machine {
    /// With a repository whose tests are a tool that only its environment has.
    fn new() -> Self {
        let world = World::new();
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let uv = format!(
            r##"#!/bin/sh
[ "$1" = --version ] && {{ echo "uv 0.13.9 (fake)"; exit; }}
echo "$1 $2" >> {}
case "$1 $2" in
"venv --quiet")
    for last; do :; done
    mkdir -p "$last/bin" "$last/lib/python3.11/site-packages/tool-1.dist-info"
    ln -s /bin/sh "$last/bin/python"
    echo "version_info = 3.11.7" > "$last/pyvenv.cfg" ;;
"pip install")
    sleep 2
    {{
        echo "#!$VIRTUAL_ENV/bin/python"
        echo '[ -e "$VIRTUAL_ENV/spoilt" ] && exit 1'
        echo 'touch "$VIRTUAL_ENV/spoilt" && echo "the tool of the environment ran"'
    }} > "$VIRTUAL_ENV/bin/tool"
    chmod +x "$VIRTUAL_ENV/bin/tool" ;;
esac
"##,
            dir.path().join("calls").display()
        );
        for (name, text) in [
            ("uv", uv.as_str()),
            ("python3", "#!/bin/sh\necho python 3.11.7 \"$0\"\n"),
        ] {
            std::fs::write(bin.join(name), text).unwrap();
            std::fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        let config = world.config.replace("python3 -m unittest discover -s tests", "tool");
        assert_ne!(config, world.config);
        world.push("main", &[("mlops.yaml", &config), ("requirements.txt", &locked(""))]);
        Self { world, dir }
    }

    fn temp(&self) -> PathBuf {
        self.dir.path().join("temp")
    }

    /// Runs a job on a new machine; what was asked of `uv` there.
    fn run(&self, mut job: Job) -> (Ran, String) {
        let calls = self.dir.path().join("calls");
        let _ = std::fs::remove_file(&calls); // Nobody may have called.
        let _ = std::fs::remove_dir_all(self.temp()); // The first job has none.
        std::fs::create_dir(self.temp()).unwrap();
        job.has_results = true;
        job.env.push(("RUNNER_TEMP", self.temp().display().to_string()));
        job.env.push((
            "PATH",
            format!("{}:/usr/bin:/bin", self.dir.path().join("bin").display()),
        ));
        let ran = self.world.run(&job);
        assert_eq!(ran.code, 0, "{}", ran.log);
        assert!(ran.log.contains("the tool of the environment ran"), "{}", ran.log);
        (ran, std::fs::read_to_string(calls).unwrap_or_default())
    }

    /// A pull request that changes nothing of the environment.
    fn pull_request(&self, branch: &str, files: &[(&str, &str)]) -> Job {
        self.world.push(branch, files);
        let number = self.world.open(branch, "Notes");
        self.world.pull_request(number, "opened")
    }

    /// What is kept, by scope.
    fn kept(&self) -> Vec<(String, String)> {
        let mut state = self.world.twin.state();
        let caches = state.repository(REPOSITORY).caches.iter();
        let ours = caches.filter(|cache| cache.key.starts_with(PREFIX));
        ours.map(|cache| (cache.scope.clone(), cache.key.clone())).collect()
    }
}

fn locked(more: &str) -> String {
    let hash = "--hash=sha256:8bb5376d2006950386f8c6427613334a2acadc5f559cb80e638d00b4df957e37";
    format!("tool==1.0 {hash}\n{more}")
}

const MADE: &str = "venv --quiet\npip install\n";

fn notices(ran: &Ran) -> Vec<&str> {
    let lines = ran.log.lines().filter(|line| line.starts_with("::notice"));
    lines.filter(|line| line.contains("environment")).collect()
}

#[test]
fn the_next_job_has_the_environment_of_this_one() {
    let machine = Machine::new();
    let (first, calls) = machine.run(machine.world.main());
    assert_eq!(calls, MADE);
    assert!(!first.log.contains(FROM_CACHE), "{}", first.log);
    let kept = machine.kept();
    assert_eq!(kept.len(), 1, "{kept:?}: {}", first.log);
    assert_eq!(kept[0].0, "refs/heads/main");
    assert_eq!(notices(&first), Vec::<&str>::new());

    let (second, calls) = machine.run(machine.pull_request("notes", &[("NOTES.md", "changed")]));
    assert_eq!(calls, "", "nothing is installed");
    assert!(second.log.contains(FROM_CACHE), "{}", second.log);
    assert_eq!(machine.kept(), kept, "and nothing is kept twice");
    assert_eq!(notices(&second), Vec::<&str>::new());

    // Another lock is another environment, which the branch keeps for itself.
    let (third, calls) = machine.run(machine.pull_request("more", &[("requirements.txt", &locked("# more\n"))]));
    assert_eq!(calls, MADE);
    assert!(!third.log.contains(FROM_CACHE));
    let scopes: Vec<String> = machine.kept().into_iter().map(|(scope, _)| scope).collect();
    assert_eq!(scopes.len(), 2);
    assert!(scopes[1].starts_with("refs/pull/"), "{scopes:?}");
}

#[test]
fn a_fork_reads_what_is_kept_and_keeps_nothing() {
    let machine = Machine::new();
    machine.run(machine.world.main());
    let kept = machine.kept();
    let number = machine.world.fork("notes", &[("NOTES.md", "changed")]);
    let (_, calls) = machine.run(machine.world.pull_request(number, "opened"));
    assert_eq!(calls, "");
    let number = machine
        .world
        .fork("other", &[("requirements.txt", &locked("# theirs\n"))]);
    let (ran, calls) = machine.run(machine.world.pull_request(number, "opened"));
    assert_eq!(calls, MADE);
    assert_eq!(machine.kept(), kept);
    assert_eq!(notices(&ran), Vec::<&str>::new());
}

#[test]
fn an_entry_that_is_no_environment_is_told_once_and_made_anew() {
    let machine = Machine::new();
    machine.run(machine.world.main());
    let blob = {
        let mut state = machine.world.twin.state();
        let caches = &state.repository(REPOSITORY).caches;
        let ours = caches.iter().find(|cache| cache.key.starts_with(PREFIX));
        ours.unwrap().blob.clone()
    };
    let honest = machine.world.twin.state().blobs[&blob].bytes.clone();
    for (what, poisoned) in [
        ("no archive", b"poison".to_vec()),
        ("broken off", honest[..honest.len() / 2].to_vec()),
        ("nothing", Vec::new()),
    ] {
        machine.world.twin.state().blobs.get_mut(&blob).unwrap().bytes = poisoned;
        let (ran, calls) = machine.run(machine.world.main());
        assert_eq!(calls, MADE, "{what}");
        let notices = notices(&ran);
        assert_eq!(notices.len(), 1, "{what}: {notices:?}");
        assert!(
            notices[0].contains("the environment in the cache can not be used: "),
            "{notices:?}"
        );
    }
    machine.world.twin.state().blobs.get_mut(&blob).unwrap().bytes = honest;
    let (ran, calls) = machine.run(machine.world.main());
    assert_eq!((calls.as_str(), notices(&ran)), ("", Vec::new()));
}
