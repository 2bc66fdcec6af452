//! Real files, hostile files, and a great many damaged ones.
#![expect(clippy::disallowed_methods, reason = "fixtures are read by the tests themselves")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

fn fixtures() -> PathBuf {
    // The manifest's directory is the repository's.
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pickle")
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap()
}

fn files() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| ![".py", ".md", ".json"].iter().any(|end| name.ends_with(end)))
        .map(|name| (name.clone(), file(&name)))
        .collect();
    files.sort();
    files
}

fn report(name: &str) -> Report {
    disassemble(&file(name), &Limits::default()).unwrap()
}

fn shown(report: &Report) -> String {
    let mut lines = vec![format!(
        "{:?}{} protocol {}, {} streams, {} arrays, {} calls",
        report.format,
        report
            .packing
            .map(|packing| format!(" in {packing:?}"))
            .unwrap_or_default(),
        report.protocol,
        report.n_streams,
        report.n_arrays,
        report.n_calls
    )];
    lines.extend(report.findings.iter().cloned());
    lines.push(format!("{:?}", report.verdict));
    lines.join("\n")
}

#[test]
fn names_are_those_that_the_loaders_ask_for() {
    let expected: BTreeMap<String, Json> = serde_json::from_slice(&file("expected.json")).unwrap();
    assert!(expected.len() > 40, "{}", expected.len());
    for (name, expected) in expected {
        if name == "evil-in-array.joblib" {
            continue; // Its loaders differ; see below.
        }
        let globals: Vec<_> = report(&name)
            .globals
            .into_iter()
            .map(|global| vec![global.module, global.name])
            .collect();
        assert_eq!(serde_json::to_value(globals).unwrap(), expected["globals"], "{name}");
    }
}

#[test]
fn opcodes_are_as_many_as_pickletools_counts() {
    let expected: BTreeMap<String, Json> = serde_json::from_slice(&file("expected.json")).unwrap();
    let mut n_compared = 0;
    for (name, expected) in expected {
        let Some(n_opcodes) = expected.get("opcodes").and_then(Json::as_u64) else {
            continue;
        };
        let content = file(&name);
        if content.starts_with(&[0x1f, 0x8b]) {
            continue;
        }
        let mut found = scan::Found::default();
        let end = scan::stream(&content, 0, scan::Loader::Pickle, &Limits::default(), &mut found);
        assert_eq!((end, found.n_opcodes as u64), (Ok(content.len()), n_opcodes), "{name}");
        n_compared += 1;
    }
    assert!(n_compared > 30, "{n_compared}");
}

#[test]
fn models_are_models() {
    for (name, libraries) in [
        ("linear-0.pkl", &["numpy", "sklearn"][..]),
        ("linear-2.pkl", &["numpy", "sklearn"]),
        ("linear-5.pkl", &["numpy", "sklearn"]),
        ("linear.pkl.gz", &["numpy", "sklearn"]),
        ("forest-2.pkl", &["numpy", "sklearn"]),
        ("forest-4.pkl", &["numpy", "sklearn"]),
        ("forest-5.pkl", &["numpy", "sklearn"]),
        ("boosted.pkl", &["numpy", "sklearn"]),
        ("arrays.joblib", &["joblib", "numpy"]),
        ("arrays-2.joblib", &["joblib", "numpy"]),
        ("arrays-unaligned.joblib", &["joblib", "numpy"]),
        ("linear.joblib", &["joblib", "numpy", "sklearn"]),
        ("forest.joblib", &["joblib", "numpy", "sklearn"]),
        ("coded.joblib", &["joblib", "numpy", "sklearn"]),
        ("forest-zlib.joblib", &["joblib", "numpy", "sklearn"]),
        ("forest-gzip.joblib", &["joblib", "numpy", "sklearn"]),
        ("state.pt", &["torch"]),
        ("state-legacy.pt", &["torch"]),
        ("arrays.npz", &["numpy"]),
        ("objects.npy", &["numpy"]),
    ] {
        let libraries = libraries.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(report(name).verdict, Verdict::Model { libraries }, "{name}");
    }
    for protocol in 0..=5 {
        assert_eq!(
            report(&format!("values-{protocol}.pkl")).verdict,
            Verdict::Plain,
            "{protocol}"
        );
    }
    assert_eq!(report("numbers.npy").verdict, Verdict::Plain);
}

#[test]
fn what_is_hostile_is_suspicious() {
    let mut n_hostile = 0;
    for (name, content) in files() {
        if name.starts_with("evil-") && name != "evil-bomb.pkl.z" {
            n_hostile += 1;
            let report = disassemble(&content, &Limits::default()).unwrap();
            assert!(report.is_suspicious(), "{name}: {report:?}");
        }
    }
    assert!(n_hostile > 25, "{n_hostile}");
}

#[test]
fn reports_read_well() {
    insta::assert_snapshot!(shown(&report("forest.joblib")), @r#"
    Joblib protocol 4, 1 streams, 9 arrays, 22 calls
    Model { libraries: ["joblib", "numpy", "sklearn"] }
    "#);
    insta::assert_snapshot!(shown(&report("forest-zlib.joblib")), @r#"
    Joblib in Zlib protocol 4, 1 streams, 9 arrays, 22 calls
    Model { libraries: ["joblib", "numpy", "sklearn"] }
    "#);
    insta::assert_snapshot!(shown(&report("state-legacy.pt")), @r#"
    TorchLegacy protocol 2, 5 streams, 0 arrays, 3 calls
    24 bytes behind its last pickle
    Model { libraries: ["torch"] }
    "#);
    insta::assert_snapshot!(shown(&report("state.pt")), @r#"
    Torch protocol 2, 1 streams, 0 arrays, 3 calls
    Model { libraries: ["torch"] }
    "#);
    insta::assert_snapshot!(shown(&report("arrays.npz")), @r#"
    Npz protocol 4, 1 streams, 0 arrays, 2 calls
    an array of plain numbers or texts
    an array of objects, which is a pickle
    Model { libraries: ["numpy"] }
    "#);
    insta::assert_snapshot!(shown(&report("linear-xz.joblib")), @r#"
    Pickle in Xz protocol 0, 0 streams, 0 arrays, 0 calls
    Suspicious { what: ["it is packed by xz, which can not be looked into; pack it by zlib or gzip"] }
    "#);
    insta::assert_snapshot!(shown(&report("evil-global.pkl")), @r#"
    Pickle protocol 2, 1 streams, 0 arrays, 1 calls
    Suspicious { what: ["it reaches for `os.system`"] }
    "#);
    insta::assert_snapshot!(shown(&report("evil-extension.pkl")), @r#"
    Pickle protocol 2, 1 streams, 0 arrays, 1 calls
    Suspicious { what: ["it uses extension code 7, which stands for whatever its loader knows by it"] }
    "#);
    insta::assert_snapshot!(shown(&report("evil-broken.pkl")), @r#"
    Pickle protocol 2, 1 streams, 0 arrays, 1 calls
    Suspicious { what: ["it reaches for `os.system`", "byte 31 is no opcode (0xff); what lies before it is loaded all the same"] }
    "#);
    insta::assert_snapshot!(shown(&report("evil-build.pkl")), @r#"
    Pickle protocol 2, 1 streams, 0 arrays, 0 calls
    Suspicious { what: ["it changes the class or function `sklearn.base.BaseEstimator` itself"] }
    "#);
    insta::assert_snapshot!(shown(&report("evil-second.pkl")), @r#"
    Pickle protocol 4, 2 streams, 0 arrays, 1 calls
    it holds 2 pickles, of which most loaders read the first
    Suspicious { what: ["it reaches for `os.system`"] }
    "#);
    insta::assert_snapshot!(shown(&report("evil-torch-hidden.pt")), @r#"
    Torch protocol 2, 2 streams, 0 arrays, 4 calls
    Suspicious { what: ["it reaches for `os.system`"] }
    "#);
    insta::assert_snapshot!(shown(&report("evil-in-array.joblib")), @r#"
    Joblib protocol 4, 1 streams, 1 arrays, 2 calls
    Suspicious { what: ["it reaches for `os.system`", "its arrays are also opcodes, to whoever loads it without joblib"] }
    "#);
    insta::assert_snapshot!(shown(&report("evil-object-array.joblib")), @r#"
    Joblib protocol 4, 1 streams, 1 arrays, 3 calls
    Suspicious { what: ["it reaches for `os.system`"] }
    "#);
}

#[test]
fn what_is_packed_small_is_unpacked_within_the_limit() {
    let limits = Limits {
        unpacked_bytes: 1 << 20,
        ..Limits::default()
    };
    let report = disassemble(&file("evil-bomb.pkl.z"), &limits).unwrap();
    insta::assert_snapshot!(shown(&report), @r#"
    Pickle in Zlib protocol 0, 0 streams, 0 arrays, 0 calls
    Suspicious { what: ["it unpacks to more than 1048576 bytes"] }
    "#);
    let within = disassemble(&file("evil-bomb.pkl.z"), &Limits::default()).unwrap();
    assert_eq!(within.verdict, Verdict::Plain);
}

#[test]
fn limits_are_kept() {
    let check = |limits: Limits, name: &str| disassemble(&file(name), &limits);
    let small = Limits {
        size_bytes: 10,
        ..Limits::default()
    };
    assert!(matches!(
        check(small, "forest.joblib"),
        Err(PickleError::TooLarge { limit: 10, .. })
    ));
    for limits in [
        Limits {
            n_opcodes: 20,
            ..Limits::default()
        },
        Limits {
            n_values: 5,
            ..Limits::default()
        },
    ] {
        assert!(check(limits, "forest.joblib").unwrap().is_suspicious());
    }
    let few = Limits {
        n_parts: 2,
        ..Limits::default()
    };
    assert!(check(few, "state.pt").unwrap().is_suspicious());
    assert!(check(few, "state-legacy.pt").unwrap().is_suspicious());
}

#[test]
fn other_files_are_no_pickles() {
    for content in [
        &b""[..],
        b"hello\n",
        b"{\"a\": 1}",
        b"\x7fELF",
        b"id,truth\n1,2\n",
        b"\x08\x0a\x12\x04skl2",
    ] {
        assert_eq!(
            disassemble(content, &Limits::default()),
            Err(PickleError::NotAPickle),
            "{content:?}"
        );
    }
}

#[test]
fn plain_values_are_decoded() {
    let decode = |name: &str| plain(&file(name), &Limits::default());
    insta::assert_snapshot!(
        decode("metrics-numpy.pkl").unwrap(),
        @r#"{"rmse":55.25,"mae":1.5,"n":-3,"big":2.0,"ok":true,"nan":"NaN"}"#
    );
    assert_eq!(
        decode("linear-4.pkl"),
        Err(PlainError::Object("sklearn.pipeline.Pipeline".to_owned()))
    );
    assert_eq!(decode("evil-inst.pkl"), Err(PlainError::Object("os.system".to_owned())));
    assert_eq!(
        decode("evil-global.pkl"),
        Err(PlainError::Object("os.system".to_owned()))
    );
    assert_eq!(
        decode("evil-newobj.pkl"),
        Err(PlainError::Object("subprocess.Popen".to_owned()))
    );
    for (bytes, expected) in [
        (
            &b"\x80\x04}(\x8c\x01aK\x01\x8c\x01bG?\xf8\x00\x00\x00\x00\x00\x00u."[..],
            r#"{"a":1,"b":1.5}"#,
        ),
        (b"\x80\x04]\x94(K\x01h\x00)e.", "too deep"),
        (b"(dp0\nS'a'\nI1\nsS'b'\n(lp1\nF2.5\nas.", r#"{"a":1,"b":[2.5]}"#),
        (b"(I1\nI01\nNt.", "[1,true,null]"),
        (b"\x80\x04}K\x01\x88s.", r#"{"1":true}"#),
        (b"\x8f(K\x01K\x02\x90.", "[1,2]"),
        (b"C\x03abc.", r#""3 bytes""#),
        (b"e.", "early"),
        (b"", "early"),
        (b"\xff", "no opcode"),
    ] {
        match plain(bytes, &Limits::default()) {
            Ok(value) => assert_eq!(value.to_string(), expected, "{bytes:?}"),
            Err(PlainError::TooDeep) => assert_eq!(expected, "too deep", "{bytes:?}"),
            Err(PlainError::Truncated) => assert_eq!(expected, "early", "{bytes:?}"),
            Err(PlainError::Opcode(0)) => assert_eq!(expected, "no opcode", "{bytes:?}"),
            Err(error) => panic!("{bytes:?}: {error}"),
        }
    }
}

/// Thirty lists, each of which has the one before it ten times: no value of this world, made of 700 bytes.
#[test]
fn what_is_named_again_and_again_is_counted_each_time() {
    let mut bytes = b"\x80\x04]\x94".to_vec();
    for level in 0..30_u8 {
        bytes.extend(b"](");
        for _ in 0..10 {
            bytes.extend([b'h', level]);
        }
        bytes.extend(b"e\x94");
    }
    bytes.push(b'.');
    let limits = Limits {
        n_values: 100_000,
        ..Limits::default()
    };
    assert_eq!(plain(&bytes, &limits), Err(PlainError::TooMany(100_000)));
}

fn mutated(content: &[u8], edits: &[(usize, u8)], cut: usize) -> Vec<u8> {
    let mut content = content.to_vec();
    for (at, byte) in edits {
        let n = content.len();
        content[at % n] = *byte;
    }
    let n = content.len();
    content.truncate(n - cut % n);
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn damaged_files_panic_nobody(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        cut in prop_oneof![3 => Just(0_usize), 1 => any::<usize>()],
    ) {
        let all = originals();
        let content = mutated(&all[which.index(all.len())], &edits, cut);
        let limits = Limits { unpacked_bytes: 1 << 20, n_opcodes: 100_000, n_values: 10_000, ..Limits::default() };
        let _ = disassemble(&content, &limits);
        let _ = plain(&content, &limits);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_bytes_panic_nobody(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = disassemble(&content, &Limits::default());
        let _ = plain(&content, &Limits::default());
    }
}

fn originals() -> &'static [Vec<u8>] {
    static ALL: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| files().into_iter().map(|(_, content)| content).collect())
}
