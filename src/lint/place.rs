//! Paths as tools print them, made relative to the root of the repository. Pure.

use crate::base::is_invisible;

/// A longer path is nobody's.
const MAX_PATH_BYTES: usize = 1024;

/// Where a command ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The repository, absolute, as the command saw it.
    pub root: &'a str,
    /// The directory it ran in, relative to the root; empty for the root itself.
    pub dir: &'a str,
}

impl Place<'_> {
    #[cfg(test)]
    pub fn at(root: &str) -> Place<'_> {
        Place { root, dir: "" }
    }

    /// The path below the root; nothing for what lies outside or is no path that one could show.
    pub fn relative(self, raw: &str) -> Option<String> {
        self.relative_to(self.dir, raw)
    }

    /// The same for a path that is relative to another directory, itself relative to the root or absolute.
    pub fn relative_to(self, dir: &str, raw: &str) -> Option<String> {
        if raw.is_empty() || raw.len() > MAX_PATH_BYTES || raw.chars().any(|c| c.is_control() || is_invisible(c)) {
            return None;
        }
        let joined = if raw.starts_with('/') || dir.is_empty() {
            raw.to_owned()
        } else {
            format!("{dir}/{raw}")
        };
        let inside = if joined.starts_with('/') {
            let rest = joined.strip_prefix(self.root.trim_end_matches('/'))?;
            rest.strip_prefix('/')?
        } else {
            &joined
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in inside.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        (!parts.is_empty()).then(|| parts.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_or_have_no_place() {
        let place = Place {
            root: "/repo/",
            dir: "ml",
        };
        for (raw, relative) in [
            ("a.py", Some("ml/a.py")),
            ("./a/./b.py", Some("ml/a/b.py")),
            ("../b.py", Some("b.py")),
            ("../../b.py", None),
            ("a/../../../etc/passwd", None),
            ("/repo/x y/ü.py", Some("x y/ü.py")),
            ("/repo//a.py", Some("a.py")),
            ("/repo/../a.py", None),
            ("/repository/a.py", None),
            ("/usr/lib/a.py", None),
            ("/repo", None),
            ("", None),
            ("a\u{202e}.py", None),
            ("a\u{1b}[0m.py", None),
        ] {
            assert_eq!(place.relative(raw).as_deref(), relative, "{raw:?}");
        }
        assert_eq!(Place::at("/").relative("/a.py").as_deref(), Some("a.py"));
    }
}
