#![expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, lchown, symlink};

use super::super::plan::Paths;
use super::*;
use crate::exec::{Sandbox, User};

/// For something that is worth keeping.
const LONG: Duration = Duration::from_mins(1);

/// A machine of which only the folder for temporary files is of interest.
struct Scene {
    dir: tempfile::TempDir,
    env: BTreeMap<String, String>,
    sandbox: Sandbox,
    user: Option<User>,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["venv", "uv-cache", "python", "lists"] {
            std::fs::create_dir_all(dir.path().join("mlops").join(name)).unwrap();
        }
        Self {
            dir,
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            sandbox: Sandbox::open(),
            user: None,
        }
    }

    fn plan(&self) -> Plan {
        let at = |name: &str| self.dir.path().join("mlops").join(name);
        let key = Digest::of(b"environment");
        Plan {
            file: "uv.lock".to_owned(),
            is_locked: true,
            venv: at("venv").join(key.short()),
            key,
            steps: Vec::new(),
            lists: Vec::new(),
            is_reusable: true,
            is_active: false,
            has_own_python: true,
            notes: Vec::new(),
            at: Paths {
                root: self.dir.path().to_owned(),
                venvs: at("venv"),
                uv_cache: at("uv-cache"),
                pythons: at("python"),
                lists: at("lists"),
            },
        }
    }

    fn around(&self) -> Around<'_> {
        Around {
            root: self.dir.path(),
            env: &self.env,
            user: self.user,
            sandbox: &self.sandbox,
            temp: Some(self.dir.path()),
        }
    }

    /// What was made: with an interpreter of ours, a long name and something that was compiled.
    fn make(&self) {
        let plan = self.plan();
        let python = plan.at.pythons.join("cpython-3.12.5");
        let long = plan.venv.join("lib/python3.12/site-packages").join("p".repeat(120));
        for folder in [plan.venv.join("bin"), long.clone(), python.join("bin")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(python.join("bin/python"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(python.join("bin/python"), PermissionsExt::from_mode(0o755)).unwrap();
        symlink("cpython-3.12.5", plan.at.pythons.join("cpython-3.12")).unwrap();
        symlink(
            plan.at.pythons.join("cpython-3.12/bin/python"),
            plan.venv.join("bin/python"),
        )
        .unwrap();
        symlink("lib", plan.venv.join("lib64")).unwrap();
        std::fs::write(long.join("a module.py"), "x = 1\n").unwrap();
        std::fs::hard_link(long.join("a module.py"), long.join("another.py")).unwrap();
        // Without any pattern, so that no byte of the packed one is without meaning.
        let code: Vec<u8> = (0..2_000_u32)
            .flat_map(|n| Digest::of(&n.to_le_bytes()).hex().into_bytes())
            .collect();
        std::fs::write(long.join("native.so"), code).unwrap();
        std::fs::write(plan.venv.join(".mlops"), plan.key.hex()).unwrap();
    }

    fn clear(&self) {
        for folder in ["venv", "python"] {
            std::fs::remove_dir_all(self.dir.path().join("mlops").join(folder)).unwrap();
            std::fs::create_dir(self.dir.path().join("mlops").join(folder)).unwrap();
        }
    }

    /// Everything below the folders, with what it holds and who may do what with it.
    fn seen(&self) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.dir.path().join("mlops")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let about = path.symlink_metadata().unwrap();
                let content = if about.is_dir() {
                    folders.push(path.clone());
                    Vec::new()
                } else if about.is_symlink() {
                    std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                } else {
                    std::fs::read(&path).unwrap()
                };
                let time = if about.is_file() { about.mtime() } else { 0 };
                found.insert(path, (about.mode(), time, content));
            }
        }
        found
    }
}

#[tokio::test]
async fn an_environment_is_the_same_in_another_job() {
    let scene = Scene::new();
    scene.make();
    let before = scene.seen();
    let packed = pack(&scene.plan(), &scene.around(), LONG).await.unwrap().unwrap();
    assert_eq!(scene.seen(), before, "nothing is left beside it");
    scene.clear();
    assert!(!is_there(&scene.plan()));
    unpack(&scene.plan(), &scene.around(), packed).await.unwrap();
    assert!(is_there(&scene.plan()));
    assert_eq!(scene.seen(), before);
}

#[tokio::test]
async fn what_is_not_of_this_environment_is_not_put_there() {
    let scene = Scene::new();
    scene.make();
    let plan = scene.plan();
    let packed = pack(&plan, &scene.around(), LONG).await.unwrap().unwrap();
    let another = Plan {
        key: Digest::of(b"another"),
        venv: plan.at.venvs.join(Digest::of(b"another").short()),
        ..plan.clone()
    };
    // Of another environment; cut off; with a byte that fell over; nothing at all.
    let mut damaged = packed.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let cut = packed[..packed.len() - 9].to_vec();
    for (plan, bytes) in [
        (&another, packed.clone()),
        (&plan, cut),
        (&plan, damaged),
        (&plan, b"no archive".to_vec()),
        (&plan, Vec::new()),
    ] {
        scene.clear();
        let empty = scene.seen();
        let n_bytes = bytes.len();
        let unpacked = unpack(plan, &scene.around(), bytes).await;
        assert!(unpacked.is_err(), "{n_bytes} bytes for {}", plan.venv.display());
        assert_eq!(scene.seen(), empty, "nothing of it is left");
    }
    // One that was never finished, or whose mark is of another.
    for mark in [None, Some("another")] {
        scene.clear();
        scene.make();
        std::fs::remove_file(plan.venv.join(".mlops")).unwrap();
        if let Some(mark) = mark {
            std::fs::write(plan.venv.join(".mlops"), mark).unwrap();
        }
        let packed = pack(&plan, &scene.around(), LONG).await.unwrap().unwrap();
        scene.clear();
        let error = unpack(&plan, &scene.around(), packed).await.unwrap_err();
        assert!(matches!(error, TravelError::Unfinished), "{error}");
        assert!(!plan.venv.exists());
    }
}

#[tokio::test]
async fn an_environment_that_leads_elsewhere_is_not_kept() {
    let scene = Scene::new();
    scene.make();
    symlink("/etc", scene.plan().venv.join("lib/etc")).unwrap();
    let error = pack(&scene.plan(), &scene.around(), LONG).await.unwrap_err();
    assert!(error.to_string().contains("it leads elsewhere"), "{error}");
    // What `tar` can not do is told.
    std::fs::remove_dir_all(scene.plan().venv).unwrap();
    let error = pack(&scene.plan(), &scene.around(), LONG).await.unwrap_err();
    assert!(
        matches!(&error, TravelError::Failed { why } if why.starts_with("failed: ")),
        "{error}"
    );
}

#[tokio::test]
async fn who_commands_run_as_unpacks_it() {
    if !sys::is_root() {
        eprintln!("not root: commands of another user were not tested");
        return;
    }
    let mut scene = Scene::new();
    scene.make();
    let packed = pack(&scene.plan(), &scene.around(), LONG).await.unwrap().unwrap();
    scene.clear();
    std::fs::set_permissions(scene.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    for name in ["", "venv", "python", "lists"] {
        lchown(scene.dir.path().join("mlops").join(name), Some(1001), Some(1001)).unwrap();
    }
    scene.user = Some(User { uid: 1001, gid: 1001 });
    unpack(&scene.plan(), &scene.around(), packed).await.unwrap();
    for path in [
        scene.plan().venv,
        scene.plan().at.pythons.join("cpython-3.12.5/bin/python"),
    ] {
        assert_eq!(path.symlink_metadata().unwrap().uid(), 1001, "{}", path.display());
    }
}

#[tokio::test]
async fn what_is_there_sooner_from_the_index_is_not_kept() {
    let scene = Scene::new();
    scene.make();
    let short = Duration::from_millis(900);
    assert_eq!(pack(&scene.plan(), &scene.around(), short).await.unwrap(), None);
    let large = 1000 << 20;
    for (seconds, bytes, expected) in [
        (1, 0, false),
        (2, 0, true),
        (5, 366 << 20, false),
        (9, 366 << 20, true),
        (20, large, false),
        (22, large, true),
    ] {
        assert_eq!(
            is_worth(Duration::from_secs(seconds), bytes),
            expected,
            "{seconds} s, {bytes}"
        );
    }
    assert!(!is_worth(Duration::from_hours(1), u64::MAX));
}

#[test]
fn only_what_is_the_same_tomorrow_has_a_key() {
    let plan = Scene::new().plan();
    let own = key(&plan).unwrap();
    assert!(own.starts_with("mlops-environment-") && own.len() == 82, "{own}");
    let another_place = Plan {
        venv: "/elsewhere/k".into(),
        ..plan.clone()
    };
    let another_lock = Plan {
        key: Digest::of(b"another"),
        ..plan.clone()
    };
    assert_ne!(key(&another_place).unwrap(), own);
    assert_ne!(key(&another_lock).unwrap(), own);
    for plan in [
        Plan {
            is_locked: false,
            ..plan.clone()
        },
        Plan {
            is_reusable: false,
            ..plan.clone()
        },
        Plan {
            is_active: true,
            ..plan
        },
    ] {
        assert_eq!(key(&plan), None);
    }
    let debian = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\nVERSION_ID=\"13\"\nID_LIKE=x\n";
    assert_eq!(release(debian), "ID=debian VERSION_ID=\"13\"");
}
