//! Output that is wrong, cut, endless or meant to do harm.

use super::*;

/// What is said of the text of tools can not steer who reads it, nor point outside of the repository.
#[test]
fn hostile_output_is_inert() {
    let stdout = "../../etc/passwd:1:1: F401 outside\n/etc/passwd:1:1: F401 outside\n\
        a.py:1:1: F401 \u{1b}]8;;https://evil\u{7}x\u{1b}]8;;\u{7} \u{202e}y\u{1b}[2J\n\
        a\u{200b}.py:1:1: F401 hidden\nb.py:0:0: F401 zero\nb.py:99999999999:1: F401 far\n\
        c.py:5:9:3:1: error: ends before it begins  [x]\n";
    let parsed = parse(&Format::Text(None), stdout, "", Place::at("/repo"));
    let lines: Vec<String> = parsed.findings.iter().map(shown).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    e F401 ../../etc/passwd:1: outside
    e F401 /etc/passwd:1: outside
    e F401 a.py:1: hidden
    e a.py:1:1 F401 x y
    e b.py F401 zero
    e b.py:99999999999:1 F401 far
    e c.py:5:9 x ends before it begins
    "#);
}

#[test]
fn findings_are_bounded() {
    let long = "long ".repeat(300);
    let lines: Vec<String> = (1..=10_500).map(|n| format!("a.py:{n}:1: F401 {long}")).collect();
    let stdout = lines.join("\n");
    let parsed = parse(&Format::Text(None), &stdout, "", Place::at("/repo"));
    assert_eq!((parsed.findings.len(), parsed.n_dropped), (10_000, 500));
    assert!(
        parsed
            .findings
            .iter()
            .all(|found| found.message.chars().count() <= 1_000)
    );
}

#[test]
fn output_that_is_cut_gives_what_is_whole() {
    let all = recorded();
    let one = all.iter().find(|one| one.written == "ruff check .").unwrap();
    let stdout = one.stdout.join("\n");
    let whole = parse(&Format::Json(Kind::RuffCheck), &stdout, "", Place::at("/repo"));
    let cut = parse(
        &Format::Json(Kind::RuffCheck),
        &stdout[..stdout.len() / 2],
        "",
        Place::at("/repo"),
    );
    assert!(cut.is_cut && !whole.is_cut);
    assert!(!cut.findings.is_empty() && cut.findings.len() < whole.findings.len());
    assert!(cut.findings.iter().all(|found| whole.findings.contains(found)));
}

#[test]
fn lists_follow_each_other_and_words_stand_between() {
    let one = r#"[{"filename": "/repo/a.py", "message": "x", "location": {"row": 1, "column": 2}}]"#;
    let stdout = format!("Installed 3 packages\n{one}\nwarning: odd\n{one}\n{{broken\n[]\n");
    let stdout = stdout.replacen("a.py", "b.py", 1);
    let parsed = parse(&Format::Json(Kind::RuffCheck), &stdout, "", Place::at("/repo"));
    let lines: Vec<String> = parsed.findings.iter().map(shown).collect();
    insta::assert_snapshot!(format!("{}\nunread {}", lines.join("\n"), parsed.n_unread), @r#"
    e a.py:1:2 x
    e b.py:1:2 x
    unread 1
    "#);
}

/// A value that breaks off late is not read from within again and again.
#[test]
fn broken_output_is_given_up() {
    let stdout = format!("{}{}x", "{\"a\":[\n".repeat(60), "{\"a\":[1]},\n".repeat(1_000));
    let parsed = parse(&Format::Json(Kind::RuffCheck), &stdout, "", Place::at("/repo"));
    assert!(parsed.is_cut);
    assert!(parsed.n_unread < 20, "{}", parsed.n_unread);
}

/// Bytes that are flipped, cut, doubled and swapped: nothing panics, and it takes its time but no more.
#[test]
fn mutated_output_never_panics() {
    let all: Vec<(Format, String, String)> = recorded()
        .iter()
        .map(|one| {
            (
                invocation(&one.written).format,
                one.stdout.join("\n").into_bytes(),
                one.stderr.join("\n").into_bytes(),
            )
        })
        .map(|(format, out, err)| (format, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap()))
        .collect();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut n_findings = 0;
    for round in 0..10_000 {
        let (format, out, err) = &all[round % all.len()];
        let out = mutated(out, &mut state);
        let err = mutated(err, &mut state);
        let mut parsed = parse(format, &out, &err, Place::at("/repo"));
        locate(&mut parsed.findings, "notebooks/explore.ipynb", NOTEBOOK);
        n_findings += parsed.findings.len();
        for found in &parsed.findings {
            let is_outside = found.path.starts_with('/') || found.path.split('/').any(|part| part == "..");
            assert!(!is_outside, "{found}");
            assert!(!found.to_string().contains(|c: char| c.is_control()), "{found:?}");
        }
    }
    assert!(
        n_findings > 10_000,
        "mutations leave something to be found: {n_findings}"
    );
}

/// A piece of at most 2 KiB, so that ten thousand of them are soon done, with up to eight changes.
fn mutated(text: &str, state: &mut u64) -> String {
    let mut below = |n: usize| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        usize::try_from(*state % u64::try_from(n.max(1)).unwrap()).unwrap()
    };
    let mut bytes = text.as_bytes().to_vec();
    if bytes.len() > 2048 {
        let start = if below(2) == 0 { 0 } else { below(bytes.len() - 2048) };
        bytes = bytes[start..start + 2048].to_vec();
    }
    for _ in 0..=below(8) {
        if bytes.is_empty() {
            break;
        }
        let at = below(bytes.len());
        match below(6) {
            0 => bytes[at] ^= 1 << below(8),
            1 => bytes.truncate(at),
            2 => {
                let end = (at + below(200)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => {
                let end = (at + below(50)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => bytes[at] = b"\n:{}[]\"-+@0'\\ \x1b\xff"[below(16)],
            _ => {
                let other = below(bytes.len());
                bytes.swap(at, other);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(out: String, err: String, command: String) {
        let _ = invocation(&command);
        for format in [
            Format::Text(None), Format::Json(Kind::Clippy), Format::Json(Kind::Pylint), Format::Sarif,
            Format::Lines(Pattern::new("(?<path>.*):(?<line>.)").unwrap()),
        ] {
            let _ = parse(&format, &out, &err, Place { root: &command, dir: &err });
        }
        let _ = hygiene(&err, out.as_bytes());
    }
}
