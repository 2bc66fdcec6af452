//! What to install, exactly: one requirement a package with the hashes of its files, as pip and uv read them. Pure.

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From an index, with its version as `==1.2`; empty is any.
    Index(String),
    /// From an address, such as `git+https://…@commit`.
    Address(String),
    /// From a folder or file; relative paths are the repository's.
    Path { path: String, editable: bool },
}

/// One package of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// As the lock writes it, with its extras.
    pub name: String,
    pub origin: Origin,
    pub marker: Option<String>,
    /// `sha256:…`, of every file that may be taken.
    pub hashes: Vec<String>,
}

impl Requirement {
    /// The line for pip and uv; `root` is where relative paths begin.
    pub fn line(&self, root: &str) -> String {
        let mut line = match &self.origin {
            Origin::Index(version) => format!("{}{version}", self.name),
            Origin::Address(address) => format!("{} @ {address}", self.name),
            Origin::Path { path, editable: true } => format!("-e {}", under(root, path)),
            Origin::Path { path, editable: false } => under(root, path),
        };
        if let Some(marker) = &self.marker {
            line.push_str(" ; ");
            line.push_str(marker);
        }
        for hash in &self.hashes {
            line.push_str(" --hash=");
            line.push_str(hash);
        }
        line
    }

    fn is_verified(&self) -> bool {
        !self.hashes.is_empty()
    }
}

/// All packages of a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// In place of `pypi.org`. May hold `${NAME}` for a secret, or a secret.
    pub index: Option<String>,
    pub extra_indexes: Vec<String>,
    pub packages: Vec<Requirement>,
}

impl Requirements {
    /// Those with hashes, then those without; pip takes only one kind a file.
    pub fn texts(&self, root: &str) -> [Option<String>; 2] {
        [true, false].map(|verified| {
            let lines: Vec<String> = self
                .packages
                .iter()
                .filter(|package| package.is_verified() == verified)
                .map(|package| package.line(root))
                .collect();
            (!lines.is_empty()).then(|| self.indexes().into_iter().chain(lines).collect::<Vec<_>>().join("\n") + "\n")
        })
    }

    /// One file for uv, which verifies each package that has hashes.
    pub fn text(&self, root: &str) -> String {
        let lines = self.packages.iter().map(|package| package.line(root));
        self.indexes().into_iter().chain(lines).collect::<Vec<_>>().join("\n") + "\n"
    }

    fn indexes(&self) -> Vec<String> {
        let first = self.index.iter().map(|url| format!("--index-url {url}"));
        let others = self.extra_indexes.iter().map(|url| format!("--extra-index-url {url}"));
        first.chain(others).collect()
    }

    /// Names of what nothing but trust stands for.
    pub fn unverified(&self) -> Vec<&str> {
        let unverified = self.packages.iter().filter(|package| !package.is_verified());
        unverified.map(|package| package.name.as_str()).collect()
    }

    /// Whether files of the checkout are installed, so that the environment is this checkout's alone.
    pub fn has_paths(&self) -> bool {
        self.packages
            .iter()
            .any(|package| matches!(package.origin, Origin::Path { .. }))
    }

    /// Whether what is installed from the checkout is copied, so that an environment does not follow its files.
    pub fn has_copied_paths(&self) -> bool {
        let is_copied = |package: &Requirement| matches!(package.origin, Origin::Path { editable: false, .. });
        self.packages.iter().any(is_copied)
    }
}

/// A path below `root`, unless it is absolute or an address already.
fn under(root: &str, path: &str) -> String {
    if root.is_empty() || path.starts_with('/') || path.contains("://") {
        return path.to_owned();
    }
    let path = path.strip_prefix("./").unwrap_or(path);
    if path == "." {
        root.to_owned()
    } else {
        format!("{root}/{path}")
    }
}

/// A line without the users and passwords of the addresses in it.
pub fn redacted(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '`' | '<' | '>' | ')'))
            .unwrap_or(after.len());
        rest = if let Some(at_sign) = after[..end].rfind('@') {
            // `git@` is no secret, and `${NAME}` none yet.
            let user = &after[..at_sign];
            out.push_str(if user == "git" || user.starts_with("${") {
                user
            } else {
                "***"
            });
            &after[at_sign..]
        } else {
            after
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_line() {
        let line = |name: &str, origin, marker: Option<&str>, hashes: &[&str]| {
            let (marker, hashes) = (
                marker.map(str::to_owned),
                hashes.iter().map(|&hash| hash.to_owned()).collect(),
            );
            let name = name.to_owned();
            Requirement {
                name,
                origin,
                marker,
                hashes,
            }
            .line("/work")
        };
        let path = |path: &str, editable| Origin::Path {
            path: path.to_owned(),
            editable,
        };
        insta::assert_snapshot!(line("a[b]", Origin::Index("==1".to_owned()), Some("os_name == 'nt'"), &["sha256:1", "sha256:2"]), @"a[b]==1 ; os_name == 'nt' --hash=sha256:1 --hash=sha256:2");
        insta::assert_snapshot!(line("a", Origin::Address("git+https://h/a@c".to_owned()), None, &[]), @"a @ git+https://h/a@c");
        insta::assert_snapshot!(line("a", path(".", true), None, &[]), @"-e /work");
        insta::assert_snapshot!(line("a", path("./lib/a", true), None, &[]), @"-e /work/lib/a");
        insta::assert_snapshot!(line("a", path("../a", false), None, &[]), @"/work/../a");
        insta::assert_snapshot!(line("a", path("/srv/a.whl", false), None, &[]), @"/srv/a.whl");
    }

    #[test]
    fn no_password_is_left() {
        for (line, expected) in [
            (
                "-i https://u:p@h/simple and http://t@h2",
                "-i https://***@h/simple and http://***@h2",
            ),
            ("https://h/a?b=c@d", "https://h/a?b=c@d"),
            ("`https://u:p%40q@h`", "`https://***@h`"),
            ("https://u:p@ss@h/x", "https://***@h/x"),
            (
                "ssh://git@h/x https://${USER}:${TOKEN}@h",
                "ssh://git@h/x https://${USER}:${TOKEN}@h",
            ),
            ("://", "://"),
        ] {
            assert_eq!(redacted(line), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_password_never_comes_through(before in ".{0,20}", host in "[a-z.]{1,9}", after in ".{0,20}") {
            let line = format!("{before}https://user:hunter2@{host}/{after}");
            proptest::prop_assert!(!redacted(&line).contains("hunter2"));
        }
    }
}
