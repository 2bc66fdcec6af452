//! The commit that is checked out, read from the repository's own files: no tool is started for it.

use std::path::Path;

use crate::sys;

/// The path from the repository's root to `root`, with slashes, if it is below one.
pub fn directory(root: &Path) -> Option<String> {
    let root = root.canonicalize().ok()?;
    let top = root.ancestors().find(|directory| directory.join(".git").exists())?;
    let parts: Vec<&str> = root
        .strip_prefix(top)
        .ok()?
        .iter()
        .map(|part| part.to_str())
        .collect::<Option<_>>()?;
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The 40 hexadecimal digits of `HEAD`, if `root` is inside a repository that says so.
pub fn head(root: &Path) -> Option<String> {
    let root = root.canonicalize().ok()?;
    let git = root
        .ancestors()
        .map(|directory| directory.join(".git"))
        .find(|path| path.exists())?;
    // In a linked worktree `.git` is a file that names the directory, and refs live in the common one.
    let directory = match sys::read_text(&git, LIMIT) {
        Ok(pointer) => git.parent()?.join(pointer.trim().strip_prefix("gitdir:")?.trim()),
        Err(_) => git,
    };
    let common = match sys::read_text(&directory.join("commondir"), LIMIT) {
        Ok(relative) => directory.join(relative.trim()),
        Err(_) => directory.clone(),
    };
    let head = sys::read_text(&directory.join("HEAD"), LIMIT).ok()?;
    let Some(name) = head.trim().strip_prefix("ref:").map(str::trim) else {
        return commit(head.trim());
    };
    if let Some(found) = sys::read_text(&common.join(name), LIMIT)
        .ok()
        .and_then(|text| commit(text.trim()))
    {
        return Some(found);
    }
    let packed = sys::read_text(&common.join("packed-refs"), 8 * 1024 * 1024).ok()?;
    packed.lines().find_map(|line| {
        line.split_once(' ')
            .filter(|(_, of)| *of == name)
            .and_then(|(id, _)| commit(id))
    })
}

const LIMIT: u64 = 4096;

fn commit(text: &str) -> Option<String> {
    (text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_below_the_repository_knows_its_directory() {
        let top = tempfile::tempdir().unwrap();
        let model = top.path().join("models/diabetes");
        sys::create_dir(&model).unwrap();
        sys::create_dir(&top.path().join(".git")).unwrap();
        assert_eq!(directory(&model).as_deref(), Some("models/diabetes"));
        assert_eq!(directory(top.path()), None);
    }
}
