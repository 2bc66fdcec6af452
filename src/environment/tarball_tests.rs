use super::*;

/// One entry as GNU's `tar` writes it.
fn entry(kind: u8, name: &str, link: &str, content: &[u8]) -> Vec<u8> {
    with_mode(kind, name, link, content, 0o644)
}

fn with_mode(kind: u8, name: &str, link: &str, content: &[u8], mode: u32) -> Vec<u8> {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(format!("{mode:07o}").as_bytes());
    block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link.as_bytes());
    block[257..265].copy_from_slice(b"ustar  \0");
    signed(&mut block);
    let mut entry = block.to_vec();
    entry.extend_from_slice(content);
    entry.resize(entry.len().next_multiple_of(BLOCK), 0);
    entry
}

fn signed(block: &mut [u8]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut all = entries.concat();
    all.extend([0; 2 * BLOCK]);
    all
}

fn rules() -> Rules {
    Rules {
        base: "/t/mlops".into(),
        roots: vec!["venv/k".into(), "python".into()],
        programs: vec!["venv/k/bin".into()],
        max_bytes: 10_000,
        max_entries: 8,
    }
}

/// What is said of an archive, whose copy is the archive itself if nothing is.
fn said(archive: &[u8]) -> Result<(), String> {
    let mut copy = Vec::new();
    copy_checked(&mut &*archive, &mut copy, &rules()).map_err(|error| error.to_string())?;
    assert_eq!(copy, archive);
    Ok(())
}

#[test]
fn an_environment_is_copied_as_it_is() {
    let long = format!("venv/k/lib/{}", "x".repeat(150));
    let entries = [
        with_mode(b'5', "venv/k/", "", b"", 0o755),
        entry(b'0', "venv/k/pyvenv.cfg", "", b"version = 3.11.7"),
        entry(b'2', "venv/k/lib64", "lib", b""),
        entry(b'2', "venv/k/bin/python", "/usr/bin/python3.11", b""),
        entry(b'2', "venv/k/bin/python3", "python", b""),
        entry(b'2', "python/cpython-3.12", "/t/mlops/python/cpython-3.12.5", b""),
        entry(b'L', "././@LongLink", "", format!("{long}\0").as_bytes()),
        entry(b'0', &long[..100], "", &[7; 1000]),
        entry(b'2', "venv/k/lib/python3.11/up", "../../../k/bin", b""),
    ];
    said(&archive(&entries)).unwrap();
    let mut padded = archive(&entries);
    padded.resize(padded.len().next_multiple_of(20 * BLOCK), 0);
    said(&padded).unwrap();
}

#[test]
fn what_leads_elsewhere_is_refused() {
    let file = |name: &str| entry(b'0', name, "", b"x");
    let link = |name: &str, target: &str| entry(b'2', name, target, b"");
    for (entries, why) in [
        (vec![file("/etc/passwd")], "its name leads elsewhere"),
        (vec![file("venv/k/../../x")], "its name leads elsewhere"),
        (vec![file("./venv/k/x")], "its name leads elsewhere"),
        (vec![file("venv//k/x")], "its name leads elsewhere"),
        (vec![file("")], "in none of the folders"),
        (vec![file("venv/other/x")], "in none of the folders"),
        (vec![file("venv/k2")], "in none of the folders"),
        (vec![file("uv-cache/x")], "in none of the folders"),
        (vec![link("venv/k/x", "/etc")], "it leads elsewhere"),
        (vec![link("venv/k/x", "../../lists")], "it leads elsewhere"),
        (vec![link("venv/k/x", "../../../../../etc")], "it leads elsewhere"),
        (vec![link("venv/k/x", "lib/../../../..")], "it leads elsewhere"),
        (
            vec![link("venv/k/lib/python", "/usr/bin/python3")],
            "it leads elsewhere",
        ),
        (vec![link("venv/k/bin/python", "../../../x")], "it leads elsewhere"),
        (vec![link("venv/k", "/t/mlops/python")], "it leads elsewhere"),
        (vec![link("python", "venv/k")], "it leads elsewhere"),
        (
            vec![link("venv/k/bin/d", "/etc"), file("venv/k/bin/d/passwd")],
            "it lies behind a link",
        ),
        (vec![file("venv/k/x"), file("venv/k/x")], "it is there twice"),
        (vec![link("venv/k/x", "y"), file("venv/k/x")], "it is there twice"),
        (vec![entry(b'1', "venv/k/x", "/etc/passwd", b"")], "neither a file nor"),
        (vec![entry(b'3', "venv/k/x", "", b"")], "neither a file nor"),
        (vec![entry(b'6', "venv/k/x", "", b"")], "neither a file nor"),
        (vec![entry(b'x', "venv/k/x", "", b"11 path=/x\n")], "neither a file nor"),
        (vec![entry(b'g', "venv/k/x", "", b"11 path=/x\n")], "neither a file nor"),
        (vec![with_mode(b'0', "venv/k/x", "", b"", 0o4755)], "as somebody else"),
        (vec![entry(b'2', "venv/k/x", "y", b"content")], "has content"),
    ] {
        let error = said(&archive(&entries)).unwrap_err();
        assert!(error.contains(why), "{why}: {error}");
    }
    // A name in an entry of its own is looked at as well.
    let hidden = [
        entry(b'L', "././@LongLink", "", b"/etc/passwd\0"),
        entry(b'0', "venv/k/x", "", b"x"),
    ];
    assert!(said(&archive(&hidden)).unwrap_err().contains("leads elsewhere"));
    let hidden = [
        entry(b'K', "././@LongLink", "", b"/etc\0"),
        entry(b'2', "venv/k/x", "y", b""),
    ];
    assert!(said(&archive(&hidden)).unwrap_err().contains("leads elsewhere"));
}

#[test]
fn what_is_damaged_or_too_much_is_refused() {
    let one = entry(b'0', "venv/k/x", "", b"x");
    let good = archive(std::slice::from_ref(&one));
    for end in 0..good.len() {
        assert!(said(&good[..end]).is_err(), "{end}");
    }
    for at in (0..148).chain(156..257) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(said(&bad).is_err(), "{at}");
    }
    let more = [good.clone(), vec![0; 100]].concat();
    assert!(said(&more).unwrap_err().contains("its end is none"));
    let more = [good.clone(), one.clone()].concat();
    assert!(said(&more).unwrap_err().contains("its end is none"));
    let many: Vec<Vec<u8>> = (0..9).map(|n| entry(b'0', &format!("venv/k/{n}"), "", b"")).collect();
    assert!(said(&archive(&many)).unwrap_err().contains("more than 8 files"));
    let large = entry(b'0', "venv/k/x", "", &[0; 10_001]);
    assert!(said(&archive(&[large])).unwrap_err().contains("more than 10000 bytes"));
    // More than is there, and more than a number holds.
    for size in [
        b"77777777777\0".as_slice(),
        b"\x80\0\0\0\0\0\0\0\0\0\0\x01",
        b"+0000000001\0",
    ] {
        let mut block = one[..BLOCK].to_vec();
        block[124..136].copy_from_slice(size);
        signed(&mut block);
        assert!(said(&archive(&[block, vec![0; BLOCK]])).is_err(), "{size:?}");
    }
    let twice = [
        entry(b'L', "././@LongLink", "", b"venv/k/a\0"),
        entry(b'L', "././@LongLink", "", b"venv/k/b\0"),
        one,
    ];
    assert!(said(&archive(&twice)).unwrap_err().contains("two names"));
    let endless = entry(b'L', "././@LongLink", "", &[b'x'; 512]);
    assert!(said(&archive(&[endless])).unwrap_err().contains("no end"));
}

proptest::proptest! {
    /// Whatever it is, it is either refused or stays within the folders.
    #[test]
    fn no_name_leads_out(name in "[a-z./]{0,20}", target in "[a-z./]{0,20}") {
        for entries in [
            vec![entry(b'0', &format!("venv/k/{name}"), "", b"")],
            vec![entry(b'2', &format!("venv/k/{name}"), &target, b"")],
        ] {
            if said(&archive(&entries)).is_ok() {
                proptest::prop_assert!(!name.split('/').any(|part| part == ".."));
                let at = Path::new("venv/k").join(&name);
                let leads = at.parent().unwrap().join(&target);
                let depth = leads.components().fold(0_i32, |depth, part| match part {
                    Component::Normal(_) => depth + 1,
                    Component::ParentDir => depth - 1,
                    _ => depth,
                });
                proptest::prop_assert!(entries[0][156] == b'0' || depth >= 2 || target.starts_with('/'), "{target}");
            }
        }
    }
}
