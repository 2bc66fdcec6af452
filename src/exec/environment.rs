//! What a command of the repository may know of the environment. Pure.

use std::collections::BTreeMap;

use crate::base::Secret;

/// Passed on as they are: who and where we are, the language, the Python environment, where caches and certificates
/// lie, how many threads numeric libraries take.
const ALLOWED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "PKG_CONFIG_PATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "PYTHONPATH",
    "PYTHONHASHSEED",
    "PIPENV_PIPFILE",
    "POETRY_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "PIP_CACHE_DIR",
    "UV_CACHE_DIR",
    "UV_PYTHON",
    "UV_PYTHON_DOWNLOADS",
    "UV_PYTHON_DOWNLOADS_JSON_URL",
    "UV_PYTHON_INSTALL_MIRROR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "SOURCE_DATE_EPOCH",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    // Addresses; left out when they carry a user or a password.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
];

/// Never passed on, even where the list above would let them: a locale category can have any name.
const SECRET_WORDS: &[&str] = &["TOKEN", "SECRET", "KEY", "PASSWORD", "PASSWD", "CREDENTIAL"];

/// Set for every command, whatever the parent says.
const FIXED: &[(&str, &str)] = &[
    ("CI", "true"),
    ("NO_COLOR", "1"),
    ("TERM", "dumb"),
    ("PYTHONUNBUFFERED", "1"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    // `wandb.init()` fails without a key. Offline it works, but waiting for an artifact, using one or linking one does
    // not, and it leaves a folder behind; disabled, all of it does nothing.
    ("WANDB_MODE", "disabled"),
];

/// A run in W&B that the repository's own runs may join.
#[derive(Debug)]
pub struct SharedRun<'a> {
    pub key: &'a Secret,
    pub base_url: &'a str,
    pub entity: &'a str,
    pub project: &'a str,
    pub group: &'a str,
}

/// What `wandb.init()` in a command of the repository needs to join a run's group; it goes over [`scrubbed_env`].
///
/// The console is left to us, who have it already.
pub fn wandb_env(shared: &SharedRun<'_>) -> BTreeMap<String, String> {
    [
        ("WANDB_MODE", "online"),
        ("WANDB_API_KEY", shared.key.expose()),
        ("WANDB_BASE_URL", shared.base_url),
        ("WANDB_ENTITY", shared.entity),
        ("WANDB_PROJECT", shared.project),
        ("WANDB_RUN_GROUP", shared.group),
        ("WANDB_JOB_TYPE", "train"),
        ("WANDB_SILENT", "true"),
        ("WANDB_CONSOLE", "off"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The environment for a command of the repository: an allow-list, so that a secret nobody thought of stays here too.
///
/// Nothing of `GITHUB_*`, `RUNNER_*`, `ACTIONS_*`, `INPUT_*`, `WANDB_*` or `AWS_*` is on it. A value with a user or a
/// password in an address is left out with its variable. What a command needs beyond this is added by name. Runs in W&B
/// are switched off, also for a key that lies in the home of whoever we are.
pub fn scrubbed_env(parent: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut child: BTreeMap<String, String> = parent
        .iter()
        .filter(|(name, value)| is_allowed(name) && !has_credentials(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    child
        .entry("PATH".to_owned())
        .or_insert_with(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
    for (name, value) in FIXED {
        child.insert((*name).to_owned(), (*value).to_owned());
    }
    child
}

fn is_allowed(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    (ALLOWED.contains(&name) || name.starts_with("LC_")) && !SECRET_WORDS.iter().any(|word| upper.contains(word))
}

/// `scheme://user@host` or `scheme://user:password@host`, anywhere in the value.
fn has_credentials(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        authority.contains('@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(pairs: &[(&str, &str)]) -> Vec<String> {
        let parent = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        scrubbed_env(&parent)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn only_what_is_listed_comes_through() {
        let parent = [
            ("PATH", "/bin"),
            ("LC_ALL", "C.UTF-8"),
            ("LC_TOKEN", "s"),
            ("TERM", "xterm-256color"),
            ("GITHUB_TOKEN", "s"),
            ("GITHUB_ENV", "/f"),
            ("RUNNER_TEMP", "/t"),
            ("ACTIONS_RUNTIME_URL", "s"),
            ("INPUT_GITHUB-TOKEN", "s"),
            ("WANDB_API_KEY", "s"),
            ("WANDB_MODE", "online"),
            ("WANDB_BASE_URL", "https://w.example"),
            ("AWS_PROFILE", "s"),
            ("PIP_INDEX_URL", "https://user:password@pypi.example/simple"),
            ("UV_DEFAULT_INDEX", "https://pypi.example/simple"),
            ("HTTPS_PROXY", "http://token@proxy.example:3128"),
            ("LD_PRELOAD", "/evil.so"),
            ("BASH_ENV", "/evil"),
            ("SSH_AUTH_SOCK", "/s"),
            ("SOMETHING_NEW", "s"),
        ];
        assert_eq!(
            scrub(&parent),
            [
                "CI=true",
                "LC_ALL=C.UTF-8",
                "NO_COLOR=1",
                "PATH=/bin",
                "PYTHONDONTWRITEBYTECODE=1",
                "PYTHONUNBUFFERED=1",
                "TERM=dumb",
                "UV_DEFAULT_INDEX=https://pypi.example/simple",
                "WANDB_MODE=disabled",
            ]
        );
    }

    #[test]
    fn a_shared_run_is_joined() {
        let mut env = scrubbed_env(&BTreeMap::new());
        let n_before = env.len();
        env.append(&mut wandb_env(&SharedRun {
            key: &Secret::new("k"),
            base_url: "https://w.example",
            entity: "acme",
            project: "d",
            group: "pull-7",
        }));
        let ours: Vec<String> = env
            .iter()
            .filter(|(name, _)| name.starts_with("WANDB_"))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            ours,
            [
                "WANDB_API_KEY=k",
                "WANDB_BASE_URL=https://w.example",
                "WANDB_CONSOLE=off",
                "WANDB_ENTITY=acme",
                "WANDB_JOB_TYPE=train",
                "WANDB_MODE=online",
                "WANDB_PROJECT=d",
                "WANDB_RUN_GROUP=pull-7",
                "WANDB_SILENT=true",
            ]
        );
        assert_eq!(env.len(), n_before + ours.len() - 1, "nothing else changes");
    }

    #[test]
    fn a_path_there_always_is() {
        assert!(scrub(&[]).contains(&"PATH=/usr/local/bin:/usr/bin:/bin".to_owned()));
    }
}
