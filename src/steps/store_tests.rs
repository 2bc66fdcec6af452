#![expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]

use super::super::digests::Digests;
use super::super::files::Root;
use super::super::pattern::Pattern;
use super::super::search::Side;
use super::*;

#[test]
fn unchanged_files_are_not_read_again() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    let n = 300;
    for i in 0..n {
        std::fs::write(dir.path().join(format!("in/{i}")), i.to_string()).unwrap();
    }
    let root = Root::open(dir.path()).unwrap();
    prepare(&root).unwrap();
    let pattern = [Pattern::parse("in").unwrap()];
    let look = |digests: &Digests| {
        let (files, without) = root.expand(&pattern, Side::Inputs).unwrap();
        assert!(without.is_empty());
        let found = digests.of(&root, &files).unwrap();
        (found, digests.n_read())
    };
    let first = Digests::load(&root);
    let (before, n_read) = look(&first);
    assert_eq!((before.len(), n_read), (n, n));
    // What was written a moment ago is read until it has been at rest.
    let watch = crate::sys::Stopwatch::start();
    let known = loop {
        let again = Digests::load(&root);
        let (found, n_read) = look(&again);
        assert_eq!(found, before);
        again.save(&root).unwrap();
        if n_read == 0 {
            break again;
        }
        assert!(watch.elapsed() < std::time::Duration::from_secs(20), "never at rest");
    };
    // As long as before, with the old time of its content: its change shows all the same.
    let path = dir.path().join("in/7");
    let modified = path.metadata().unwrap().modified().unwrap();
    std::fs::write(&path, "9").unwrap();
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let (found, n_read) = look(&known);
    assert_eq!(n_read, 1);
    assert_eq!(found.iter().zip(&before).filter(|(a, b)| a != b).count(), 1);
}

#[test]
fn what_was_not_used_for_longest_gives_way() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open(dir.path()).unwrap();
    for (at, name) in [
        "objects/a",
        "records/a.json",
        "objects/b",
        "records/b.json",
        "last/x.json",
    ]
    .iter()
    .enumerate()
    {
        let path = format!("{PLACE}/{name}");
        root.write(&path, &[0; 100]).unwrap();
        let moment = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 + at as u64);
        let file = std::fs::File::options()
            .write(true)
            .open(dir.path().join(&path))
            .unwrap();
        file.set_modified(moment).unwrap();
    }
    let left = || -> Vec<String> {
        let all = ["last", "objects", "records"].map(|name| root.files_in(&format!("{PLACE}/{name}")).unwrap());
        let mut names: Vec<String> = all.into_iter().flatten().map(|(name, _)| name).collect();
        names.sort();
        names
    };
    root.touch(&format!("{PLACE}/objects/a")).unwrap();
    forget_beyond(&root, 1000, 10).unwrap();
    assert_eq!(left().len(), 5);
    forget_beyond(&root, 350, 10).unwrap();
    assert_eq!(left(), ["a", "b.json", "x.json"]);
    forget_beyond(&root, 1000, 0).unwrap();
    assert_eq!(left(), ["a", "x.json"]);
}
