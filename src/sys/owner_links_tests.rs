//! Folders in which somebody else has put links.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn a_link_on_the_way_leads_nowhere() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kept = elsewhere.path().join("train");
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("file"), "kept").unwrap();
    symlink(elsewhere.path(), root.path().join("work")).unwrap();
    assert!(private_dir_anew(root.path(), &["work", "train"], None).is_err());
    assert!(write_beneath(root.path(), &["work", "train", "file"], b"x", 0o644).is_err());
    assert_eq!(std::fs::read(kept.join("file")).unwrap(), b"kept");
    // The folder itself as a link: it goes, and what it leads to stays.
    std::fs::remove_file(root.path().join("work")).unwrap();
    std::fs::create_dir(root.path().join("work")).unwrap();
    symlink(&kept, root.path().join("work/train")).unwrap();
    let made = private_dir_anew(root.path(), &["work", "train"], None).unwrap();
    assert!(std::fs::symlink_metadata(&made).unwrap().is_dir());
    assert_eq!(std::fs::read(kept.join("file")).unwrap(), b"kept");
    // A file as a link is replaced, never written through.
    symlink(kept.join("file"), made.join("file")).unwrap();
    let written = write_beneath(root.path(), &["work", "train", "file"], b"ours", 0o755).unwrap();
    assert_eq!(std::fs::read(&written).unwrap(), b"ours");
    assert_eq!(std::fs::read(kept.join("file")).unwrap(), b"kept");
    // What an earlier run left is gone.
    private_dir_anew(root.path(), &["work", "train"], None).unwrap();
    assert!(!written.exists());
}
