use super::*;
use crate::suites::testing::{PLACE, recorded, shown};

fn check(name: &str) -> String {
    shown(&parse_junit(recorded(name).as_bytes(), None, &PLACE).unwrap())
}

#[test]
fn pytest_with_files_and_lines() {
    insta::assert_snapshot!(check("recorded/pytest-new/tests-xunit1.xml"), @r#"
    pytest ?: 8 passed, 13 failed, 3 errored, 4 skipped, 0 flaky
    passed tests/test_cases.py::CaseTest::test_documented @ tests/test_cases.py:9
    failed tests/test_cases.py::CaseTest::test_errors @ tests/test_cases.py:17 | KeyError: 'missing'
    skipped tests/test_cases.py::CaseTest::test_expected_failure @ tests/test_cases.py:26
    failed tests/test_cases.py::CaseTest::test_fails @ tests/test_cases.py:14 | AssertionError: Lists differ: [1, 2] != [1, 3] /  / First differing element 1: / 2 / 3 /  / - [1, 2] / ?     ^ /  / + [1, 3] / ?     ^ /  : lists differ
    passed tests/test_cases.py::CaseTest::test_ok @ tests/test_cases.py:6
    passed tests/test_cases.py::CaseTest::test_prints @ tests/test_cases.py:19
    skipped tests/test_cases.py::CaseTest::test_skipped @ tests/test_cases.py:22 | never here
    failed tests/test_cases.py::CaseTest::test_subtests @ tests/test_cases.py:37 | AssertionError: 1 == 1
    failed tests/test_cases.py::CaseTest::test_unexpected_success @ tests/test_cases.py:30 | Failed: Unexpected success
    errored tests/test_cases.py::SetUpTest::test_never_runs @ tests/test_cases.py:43 | failed on setup with "OSError: no database"
    passed tests/test_prices.py::test_total @ tests/test_prices.py:9
    failed tests/test_prices.py::test_total_is_wrong @ tests/test_prices.py:14 | assert 3 == 4 /  +  where 3 = <function total at 0x7f00>([1, 2]) /  +    where <function total at 0x7f00> = prices.total
    failed tests/test_prices.py::test_through_a_helper @ tests/test_prices.py:6 | AssertionError: assert 1.5 == 2.5 /  +  where 1.5 = <function parse at 0x7f00>('1.5') /  +    where <function parse at 0x7f00> = prices.parse
    failed tests/test_prices.py::test_raises_in_the_code @ tests/test_prices.py:22 | ValueError: an empty price
    passed tests/test_prices.py::test_parametrized[1] @ tests/test_prices.py:25
    failed tests/test_prices.py::test_parametrized[2::x] @ tests/test_prices.py:27 | AssertionError: assert '2::x' in {'1', 'ü'}
    failed tests/test_prices.py::test_parametrized[a/b [c]] @ tests/test_prices.py:27 | AssertionError: assert 'a/b [c]' in {'1', 'ü'}
    passed tests/test_prices.py::test_parametrized[\xfc] @ tests/test_prices.py:25
    failed tests/test_prices.py::test_parametrized[two words] @ tests/test_prices.py:27 | AssertionError: assert 'two words' in {'1', 'ü'}
    passed tests/test_prices.py::TestBasket::TestNested::test_inside @ tests/test_prices.py:32
    failed tests/test_prices.py::TestBasket::test_method @ tests/test_prices.py:36 | RuntimeError: first line / second <line> & #x1B[31mred#x1B[0m / : :error::command
    errored tests/test_prices.py::test_setup_fails @ tests/test_prices.py:41 | failed on setup with "OSError: no database"
    errored tests/test_prices.py::test_teardown_fails @ tests/test_prices.py:47 | failed on teardown with "OSError: can not close"
    failed tests/test_prices.py::test_both_fail @ tests/test_prices.py:59 | assert 1 == 2
    skipped tests/test_prices.py::test_skipped @ tests/test_prices.py:62 | not today
    skipped tests/test_prices.py::test_expected_failure @ tests/test_prices.py:67 | known
    failed tests/test_prices.py::test_unexpected_pass @ tests/test_prices.py:72 | [XPASS(strict)] known
    passed tests/test_prices.py::test_lenient_unexpected_pass @ tests/test_prices.py:77
    "#);
}

#[test]
fn both_families_and_both_years_agree() {
    let newest = check("recorded/pytest-new/tests-xunit1.xml");
    let names = |text: &str| -> Vec<String> {
        let id = |line: &str| line.split(" @ ").next().unwrap_or_default().to_owned();
        text.lines().skip(1).map(id).collect()
    };
    assert_eq!(names(&newest), names(&check("recorded/pytest-74/tests-xunit1.xml")));
    assert_eq!(names(&newest), names(&check("recorded/pytest-new/tests-xunit2.xml")));
    // Without a line in the report, a failure still has one from its trace.
    let failures = |text: &str| -> Vec<String> {
        let place = |line: &str| line.split(" @ ").nth(1)?.split(' ').next().map(str::to_owned);
        let is_failure =
            |line: &&str| line.starts_with("failed") && place(line).is_some_and(|place| place.contains(':'));
        text.lines().filter(is_failure).map(str::to_owned).collect()
    };
    let with_lines = failures(&check("recorded/pytest-74/tests-xunit1.xml"));
    let without: Vec<String> = failures(&check("recorded/pytest-74/tests-xunit2.xml"));
    assert!(
        without.len() + 2 >= with_lines.len() && without.iter().all(|line| with_lines.contains(line)),
        "{without:#?}"
    );
}

#[test]
fn pytest_reruns_broken_files_and_nothing() {
    insta::assert_snapshot!(check("recorded/pytest-74/flaky.xml"), @"
    pytest ?: 2 passed, 1 failed, 0 errored, 0 skipped, 0 flaky
    passed flaky/test_flaky.py::test_passes_the_second_time @ flaky/test_flaky.py:8
    failed flaky/test_flaky.py::test_never_passes @ flaky/test_flaky.py:19 | AssertionError: never / assert False
    passed flaky/test_flaky.py::test_steady @ flaky/test_flaky.py:22
    ");
    insta::assert_snapshot!(check("recorded/pytest-new/flaky.xml"), @"
    pytest ?: 1 passed, 1 failed, 0 errored, 0 skipped, 1 flaky
    flaky flaky/test_flaky.py::test_passes_the_second_time @ flaky/test_flaky.py:8
    failed flaky/test_flaky.py::test_never_passes @ flaky/test_flaky.py:19 | AssertionError: never / assert False
    passed flaky/test_flaky.py::test_steady @ flaky/test_flaky.py:22
    ");
    insta::assert_snapshot!(check("recorded/pytest-74/broken.xml"), @"
    pytest ?: 0 passed, 0 failed, 1 errored, 0 skipped, 0 flaky
    errored broken/test_broken.py @ broken/test_broken.py:1 | ModuleNotFoundError: No module named 'nothing_of_this_name'
    ");
    insta::assert_snapshot!(check("recorded/pytest-new/broken.xml"), @"
    pytest ?: 0 passed, 0 failed, 1 errored, 0 skipped, 0 flaky
    errored broken/test_broken.py @ broken/test_broken.py:1 | ModuleNotFoundError: No module named 'nothing_of_this_name'
    ");
    insta::assert_snapshot!(check("recorded/pytest-new/none.xml"), @"pytest ?: 0 passed, 0 failed, 0 errored, 0 skipped, 0 flaky");
    insta::assert_snapshot!(check("recorded/pytest-74/native.xml"), @"
    pytest ?: 0 passed, 1 failed, 0 errored, 0 skipped, 0 flaky
    failed tests/test_prices.py::test_raises_in_the_code @ tests/test_prices.py:22 | ValueError: an empty price
    ");
}

#[test]
fn other_dialects() {
    insta::assert_snapshot!(check("recorded/xmlrunner/case.xml"), @"
    JUnit report ?: 3 passed, 2 failed, 2 errored, 2 skipped, 0 flaky
    passed test_cases.CaseTest.test_documented @ tests/test_cases.py:9
    passed test_cases.CaseTest.test_ok @ tests/test_cases.py:6
    passed test_cases.CaseTest.test_prints @ tests/test_cases.py:19
    failed test_cases.CaseTest.test_fails @ tests/test_cases.py:14 | Lists differ: [1, 2] != [1, 3]  First differing element 1: 2 3  - [1, 2] ?     ^  + [1, 3] ?     ^  : lists differ
    failed test_cases.CaseTest.test_subtests (i=1) @ tests/test_cases.py:37 | 1 == 1
    errored test_cases.CaseTest.test_errors @ tests/test_cases.py:17 | 'missing'
    skipped test_cases.CaseTest.test_skipped @ tests/test_cases.py:22 | never here
    skipped test_cases.CaseTest.test_expected_failure @ tests/test_cases.py:26 | expected failure: (<class 'AssertionError'>, AssertionError(None), <traceback object at 0x7f00>)
    errored test_cases.CaseTest.test_unexpected_success @ tests/test_cases.py:30 | Unexpected success: This test was marked as expected failure but passed, please review it
    ");
    insta::assert_snapshot!(check("recorded/nextest/tests.xml"), @r#"
    cargo nextest ?: 3 passed, 4 failed, 0 errored, 0 skipped, 1 flaky
    failed shop::tests::does_not_panic @ - | note: test did not panic as expected at src/lib.rs:44:8
    failed shop::tests::is_wrong @ src/lib.rs:30 | thread 'tests::is_wrong' panicked at src/lib.rs:30:9: / assertion `left == right` failed: the sum of two /   left: 3 /  right: 4
    failed shop::tests::returns_an_error @ - | Error: "no database"
    failed shop::tests::panics_in_the_code @ src/lib.rs:15 | thread 'tests::panics_in_the_code' panicked at src/lib.rs:15:5: / index out of bounds: the len is 0 but the index is 0
    passed shop::tests::sums @ -
    passed shop::tests::should_and_does @ -
    passed shop::basket::whole @ -
    flaky shop::basket::passes_the_second_time @ tests/basket.rs:11 | thread 'passes_the_second_time' panicked at tests/basket.rs:11:9: / not yet
    "#);
    insta::assert_snapshot!(check("recorded/jest/jest-junit.xml"), @"
    JUnit report ?: 1 passed, 1 failed, 0 errored, 1 skipped, 0 flaky
    passed prices are summed @ -
    failed prices are wrong @ test/prices.test.js:9 | Error: expect(received).toBe(expected) // Object.is equality /  / Expected: 4 / Received: 3
    skipped prices not today @ -
    ");
    insta::assert_snapshot!(check("written/surefire.xml"), @"
    JUnit report ?: 1 passed, 1 failed, 0 errored, 1 skipped, 1 flaky
    passed com.acme.shop.PricesTest.sums @ -
    failed com.acme.shop.PricesTest.isWrong @ src/test/java/com/acme/shop/PricesTest.java:16 | expected: <4> but was: <3>
    flaky com.acme.shop.PricesTest.flaky @ src/test/java/com/acme/shop/PricesTest.java:21 | timed out
    skipped com.acme.shop.PricesTest.skipped @ - | not today
    ");
    insta::assert_snapshot!(check("written/gotestsum.xml"), @"
    JUnit report ?: 1 passed, 1 failed, 0 errored, 1 skipped, 0 flaky
    passed example.com/acme/shop/prices::TestSum @ -
    failed example.com/acme/shop/prices::TestWrong/of_two @ prices/prices_test.go:14 | prices_test.go:14: got 3, want 4
    skipped example.com/acme/shop/prices::TestSkipped @ - | prices_test.go:18: not today
    ");
}

#[test]
fn nested_suites_and_odd_tests() {
    let xml = r#"<?xml version="1.0"?>
<testsuites><testsuite name="outer" tests="3" time="1"><testsuite name="inner" tests="1" time="9">
<testcase name="a" classname="x"><properties><property name="p"/></properties><failure/></testcase></testsuite>
<testcase name="a" classname="x" status="notrun"/><testcase><skipped>why &amp; &#x41;&unknown; & more</skipped></testcase>
<testcase name="b" time="nonsense"><system-out><failure message="printed"/></system-out></testcase>
</testsuite></testsuites>"#;
    let suite = parse_junit(xml.as_bytes(), None, &PLACE).unwrap();
    assert_eq!(suite.seconds, Some(1.0));
    insta::assert_snapshot!(shown(&suite), @"
    JUnit report ?: 1 passed, 1 failed, 0 errored, 2 skipped, 0 flaky
    failed x::a @ - no time
    skipped x::a #2 @ - no time
    skipped (without a name) @ - no time | why & A&unknown; & more
    passed b @ - no time
    ");
}

fn refused(xml: &str) -> String {
    parse_junit(xml.as_bytes(), None, &PLACE).unwrap_err().to_string()
}

#[test]
fn no_entity_is_ever_expanded() {
    let bomb = r#"<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY x SYSTEM "file:///etc/passwd">]>
<testsuite><testcase name="&c;"><failure message="&x;">&c;</failure></testcase></testsuite>"#;
    assert_eq!(refused(bomb), JunitError::DocumentType.to_string());
    // Nor where the declaration comes late, or not at all.
    let late = "<testsuite><testcase name='a'/><!DOCTYPE x [<!ENTITY a 'lol'>]></testsuite>";
    assert_eq!(refused(late), JunitError::DocumentType.to_string());
    let bare = "<testsuite><testcase name='&x;'><failure>&x;&#0;&#x110000;</failure></testcase></testsuite>";
    let suite = parse_junit(bare.as_bytes(), None, &PLACE).unwrap();
    assert_eq!(
        (suite.cases[0].name.as_str(), suite.cases[0].message.as_deref()),
        ("&x;", Some("&x;"))
    );
}

#[test]
fn what_is_no_report() {
    insta::assert_snapshot!(refused(""), @"it is not XML, or it has no end: it is empty");
    insta::assert_snapshot!(refused("{\"tests\": 1}"), @"it is not XML, or it has no end: it is empty");
    insta::assert_snapshot!(refused("<html><body/></html>"), @"its first element is `html`, not `testsuites` or `testsuite`");
    insta::assert_snapshot!(refused("<testsuite>"), @"it is not XML, or it has no end: it ends in the middle");
    insta::assert_snapshot!(refused(&"<testsuite>".repeat(100_000)), @"its elements are nested more than 64 deep");
    insta::assert_snapshot!(refused("<testsuite a='"), @"it is not XML, or it has no end: syntax error: attribute value not closed: `'` not found before end of input");
}

#[test]
fn a_report_that_breaks_off_counts_what_it_announced() {
    let whole = recorded("recorded/pytest-new/tests-xunit1.xml");
    let at = whole.find("test_parametrized").unwrap();
    let suite = parse_junit(&whole.as_bytes()[..at], None, &PLACE).unwrap();
    assert!(suite.is_cut);
    insta::assert_debug_snapshot!((suite.cases.len(), suite.counts), @"
    (
        14,
        Counts {
            n_passed: 11,
            n_failed: 13,
            n_errored: 4,
            n_skipped: 4,
            n_flaky: 0,
        },
    )
    ");
}

#[test]
fn a_flood_is_bounded() {
    let mut xml = String::from("<testsuite name='pytest'>");
    let tests = (0..60_000).map(|n| format!("<testcase classname='tests.t' name='t{n}'/>"));
    xml.extend(tests);
    xml.push_str("<testcase classname='tests.t' name='last'><failure>");
    xml.push_str(&"E   x\n".repeat(200_000));
    xml.push_str("tests/test_prices.py:7: X</failure></testcase></testsuite>");
    let suite = parse_junit(xml.as_bytes(), None, &PLACE).unwrap();
    assert_eq!(
        (suite.cases.len(), suite.counts.n_passed, suite.counts.n_failed),
        (50_000, 60_000, 1)
    );
    assert!(suite.is_cut);

    let attributes: Vec<String> = (0..300_000).map(|n| format!("a{n}='x'")).collect();
    let attributes = attributes.join(" ");
    let xml = format!(
        "<testsuite><testcase name='a' {attributes}><error>{}</error></testcase></testsuite>",
        "é".repeat(500_000)
    );
    let suite = parse_junit(xml.as_bytes(), None, &PLACE).unwrap();
    assert!(
        suite.cases[0]
            .message
            .as_deref()
            .is_some_and(|message| message.chars().count() <= 2_000)
    );

    let long = format!(
        "<testsuite tests='2' failures='2'><testcase name='a'/>{}",
        " ".repeat(1_000)
    );
    let suite = parse_beginning(long.as_bytes(), 500, None, &PLACE).unwrap();
    assert_eq!(
        (suite.is_cut, suite.counts.n_failed, suite.counts.n_passed),
        (true, 2, 1)
    );
}
