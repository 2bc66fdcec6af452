//! As whom the repository's commands run.

use std::io;
use std::path::{Path, PathBuf};

use crate::sys::{self, FileError, Owner};

/// In a container action the runner mounts it, and whoever may write to it owns the machine.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";
/// The group of those who have none.
const NO_GROUP: u32 = 65_534;

/// The user that a command runs as, with this group and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

impl User {
    /// The owner of a directory, as whom its commands should run when we are root: they can then neither read our
    /// memory nor reach what is root's, and what they leave behind is not root's either.
    ///
    /// None when we are not root, or when root owns it: then commands run as we do.
    pub fn owner_of(path: &Path) -> io::Result<Option<Self>> {
        if !sys::is_root() {
            return Ok(None);
        }
        let owner = sys::owner(path).map_err(io::Error::other)?;
        // Not there, or not to be looked at: then it has no group that could open it.
        let socket = sys::owner(Path::new(DOCKER_SOCKET)).ok();
        Ok(Self::of(owner, socket.map(|socket| socket.gid)))
    }

    pub fn owner(self) -> Owner {
        Owner {
            uid: self.uid,
            gid: self.gid,
        }
    }

    /// The group is the owner's, unless that is root's or opens Docker's socket.
    fn of(owner: Owner, socket_gid: Option<u32>) -> Option<Self> {
        let is_harmless = |gid: &u32| *gid != 0 && Some(*gid) != socket_gid;
        let gid = [owner.gid, owner.uid].into_iter().find(is_harmless).unwrap_or(NO_GROUP);
        (!owner.is_root()).then_some(Self { uid: owner.uid, gid })
    }
}

/// A home for commands, below the runner's folder for temporary files, that nobody but `user` can look into: what they
/// write there does not steer later steps of the job, whose home is another.
pub fn prepare_home(temp: &Path, user: Option<User>) -> Result<PathBuf, FileError> {
    sys::private_dir(temp, &["mlops", "home"], user.map(User::owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_never_opens_dockers_socket() {
        for (uid, gid, socket_gid, expected) in [
            (1001, 127, None, Some((1001, 127))),
            (1001, 127, Some(0), Some((1001, 127))),
            (1001, 127, Some(127), Some((1001, 1001))),
            (1001, 0, None, Some((1001, 1001))),
            (1001, 1001, Some(1001), Some((1001, NO_GROUP))),
            (0, 0, None, None),
            (0, 1001, Some(127), None),
        ] {
            let user = User::of(Owner { uid, gid }, socket_gid);
            assert_eq!(
                user.map(|user| (user.uid, user.gid)),
                expected,
                "{uid}:{gid}, {socket_gid:?}"
            );
        }
    }

    #[test]
    fn who_is_not_root_runs_commands_as_themselves() {
        let dir = tempfile::tempdir().unwrap();
        // Ours, so either we are not root, or root owns it.
        assert_eq!(User::owner_of(dir.path()).unwrap(), None);
        if sys::is_root() {
            std::os::unix::fs::lchown(dir.path(), Some(1001), Some(1002)).unwrap();
            let user = User::owner_of(dir.path()).unwrap();
            assert_eq!(user.map(|user| user.uid), Some(1001));
            assert!(User::owner_of(&dir.path().join("missing")).is_err());
        } else {
            eprintln!("not root: other users' directories were not tested");
        }
    }
}
