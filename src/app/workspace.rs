//! Where a runner started us as root in somebody else's workspace: whose commands run there, and whose files stay.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::exec::{self, Limits, Sandbox, User};
use crate::pipeline::WorkFolder;
use crate::sys;

use super::Failure;

/// Giving files back takes no longer, so that a cancelled job still ends in time.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(1);

/// How the repository's commands run.
pub struct Children {
    pub env: BTreeMap<String, String>,
    /// None is who we are.
    pub user: Option<User>,
    pub sandbox: Sandbox,
}

/// The environment of the repository's commands, who they run as, and what they may touch and take.
///
/// On a runner that is the workspace's owner, with a home of its own that no later step of the job uses, who can write the
/// workspace and our folder for temporary files, and read what the machine's programs consist of. Elsewhere it is who we
/// are, with all that we may. What the machine can not hold is said once.
pub fn children(env: &BTreeMap<String, String>, root: &Path) -> Result<Children, Failure> {
    let mut child_env = exec::scrubbed_env(env);
    if !on_runner(env) {
        return Ok(Children {
            env: child_env,
            user: None,
            sandbox: Sandbox::open(),
        });
    }
    let user = User::owner_of(root).map_err(|source| Failure::Start { source })?;
    if user.is_none() && sys::is_root() {
        tracing::warn!("the workspace belongs to root, so its commands run as root, within reach of Docker");
    }
    if let (Some(user), Some(temp)) = (user, env.get("RUNNER_TEMP")) {
        let home = exec::prepare_home(Path::new(temp), Some(user))?;
        let home = home.display().to_string();
        // Where a shared run of W&B keeps its files; the checkout stays as it is.
        child_env.insert("WANDB_DIR".to_owned(), home.clone());
        child_env.insert("HOME".to_owned(), home);
    }
    let sandbox = confined(env, &child_env, root)?;
    match exec::enforced(&sandbox, user) {
        Ok(enforced) => {
            for shortcoming in enforced.shortcomings() {
                tracing::warn!("{shortcoming}");
            }
        }
        Err(error) => tracing::warn!(%error, "nobody knows what this machine makes of the sandbox of commands"),
    }
    Ok(Children {
        env: child_env,
        user,
        sandbox,
    })
}

/// Variables that name what programs read: lists of directories, or files.
const READ_BY: [&str; 9] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYENV_ROOT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
];

/// What the programs of a folder of `PATH` consist of, beside themselves.
fn behind(folder: &Path) -> Vec<PathBuf> {
    let Some(above) = folder.parent().filter(|above| *above != Path::new("/")) else {
        return Vec::new();
    };
    // A tool of `X/bin` has libraries in `X/lib`, and a shim stands for what is elsewhere in `X`.
    let mut found = vec![above.join("lib")];
    let is_environment = above.join("pyvenv.cfg").is_file();
    if is_environment || folder.file_name().is_some_and(|name| name == "shims") {
        found.push(above.to_owned());
    }
    // The Python of an environment is a link to one that has its library elsewhere.
    for name in ["python3", "python"] {
        let real = folder.join(name).canonicalize().ok();
        let prefix = real.as_deref().and_then(Path::parent).and_then(Path::parent);
        found.extend(prefix.filter(|prefix| *prefix != Path::new("/")).map(Path::to_owned));
    }
    found
}

fn confined(
    env: &BTreeMap<String, String>,
    child_env: &BTreeMap<String, String>,
    root: &Path,
) -> Result<Sandbox, Failure> {
    let workspace = env.get("GITHUB_WORKSPACE").map(PathBuf::from);
    let write: Vec<PathBuf> = env
        .get("RUNNER_TEMP")
        .map(|temp| PathBuf::from(temp).join("mlops"))
        .into_iter()
        .collect();
    let paths = READ_BY.iter().filter_map(|name| child_env.get(*name));
    let mut read: Vec<PathBuf> = paths
        .flat_map(|value| value.split(':'))
        .filter(|path| path.starts_with('/') && *path != "/")
        .map(PathBuf::from)
        .collect();
    let behind: Vec<PathBuf> = read.iter().flat_map(|folder| behind(folder)).collect();
    read.extend(behind);
    let mut sandbox = Sandbox::confined(&sys::absolute(root)?, &write, &read);
    if let (Some(files), Some(workspace)) = (&mut sandbox.files, workspace) {
        files.write.push(workspace);
    }
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    sandbox.limits = Limits::recommended(n_cores, exec::available_memory());
    Ok(sandbox)
}

/// A folder for what the repository's commands leave us: beside the checkout on a runner, below our own folder elsewhere.
pub fn work(env: &BTreeMap<String, String>, root: &Path, user: Option<User>) -> Result<WorkFolder, Failure> {
    let (root, below) = match temp(env) {
        Some(temp) => (temp, ["mlops", "work"]),
        None => (sys::absolute(root)?, [".mlops", "work"]),
    };
    Ok(WorkFolder {
        root,
        below: below.map(str::to_owned).to_vec(),
        user,
    })
}

/// The runner's folder for temporary files.
pub fn temp(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    env.get("RUNNER_TEMP").filter(|_| on_runner(env)).map(PathBuf::from)
}

/// Gives what we made as root to the workspace's owner, so that later steps and the next job can change and remove it.
/// Called last, however the run ended.
pub fn give_back(env: &BTreeMap<String, String>) {
    let Some(workspace) = env.get("GITHUB_WORKSPACE").filter(|_| on_runner(env)) else {
        return;
    };
    let workspace = Path::new(workspace);
    let ours = env.get("RUNNER_TEMP").map(|temp| PathBuf::from(temp).join("mlops"));
    match sys::owner(workspace) {
        Ok(owner) => {
            let paths: Vec<&Path> = [Some(workspace), ours.as_deref()].into_iter().flatten().collect();
            let done = sys::hand_over(&paths, owner, GIVE_BACK_WITHIN);
            if done.n_failed > 0 || !done.is_complete {
                tracing::warn!(?done, "some files of this run still belong to root");
            }
        }
        Err(error) => tracing::warn!(%error, "the workspace has no owner to give files back to"),
    }
}

fn on_runner(env: &BTreeMap<String, String>) -> bool {
    env.get("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, lchown};

    use super::*;

    fn runner(dir: &Path) -> BTreeMap<String, String> {
        let at = |name: &str| dir.join(name).display().to_string();
        [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_WORKSPACE", at("work")),
            ("RUNNER_TEMP", at("temp")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    #[test]
    fn on_a_runner_commands_are_the_owners_and_files_become_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let env = runner(dir.path());
        for name in ["work", "temp"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            if sys::is_root() {
                lchown(dir.path().join(name), Some(1001), Some(1001)).unwrap();
            }
        }
        let work = dir.path().join("work");
        std::fs::write(work.join("report"), "").unwrap();
        let Children {
            env: child_env,
            user,
            sandbox,
        } = children(&env, &work).unwrap();
        give_back(&env);
        assert!(sandbox.files.is_some_and(|files| files.write.contains(&work)));
        if sys::is_root() {
            assert_eq!(user.map(|user| user.uid), Some(1001));
            assert_eq!(
                child_env["HOME"],
                dir.path().join("temp/mlops/home").display().to_string()
            );
            assert_eq!(child_env["WANDB_DIR"], child_env["HOME"]);
            assert_eq!(work.join("report").metadata().unwrap().uid(), 1001);
        } else {
            eprintln!("not root: only that commands run as we do was tested");
            assert_eq!(user, None);
        }
    }

    #[test]
    fn elsewhere_nothing_changes_hands() {
        let dir = tempfile::tempdir().unwrap();
        let mut env = runner(dir.path());
        env.remove("GITHUB_ACTIONS");
        env.insert("HOME".to_owned(), "/home/me".to_owned());
        let work = dir.path().join("work");
        std::fs::create_dir(&work).unwrap();
        if sys::is_root() {
            lchown(&work, Some(1001), Some(1001)).unwrap();
        }
        std::fs::write(work.join("file"), "").unwrap();
        let before = work.join("file").metadata().unwrap().uid();
        let Children {
            env: child_env,
            user,
            sandbox,
        } = children(&env, &work).unwrap();
        give_back(&env);
        assert_eq!(sandbox, Sandbox::open());
        assert_eq!((user, child_env["HOME"].as_str()), (None, "/home/me"));
        assert_eq!(work.join("file").metadata().unwrap().uid(), before);
    }
}
