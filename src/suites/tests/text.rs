use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::suites::testing::{PLACE, recorded, shown};
use crate::suites::{Conclusion, Ending, conclude};

/// The lines of a recording without the exit code, and the exit code.
fn lines(tool: Tool, name: &str) -> (Reader, i32) {
    let text = recorded(name);
    let (text, code) = text.trim_end().rsplit_once("\nexit ").unwrap();
    let mut reader = Reader::new(tool);
    for line in text.lines() {
        reader.push(line);
    }
    (reader, code.parse().unwrap())
}

fn concluded(tool: Tool, name: &str, report: Option<&str>) -> (Conclusion, i32) {
    let (reader, code) = lines(tool, name);
    let report = report.map(recorded);
    let report = report.as_ref().map(String::as_bytes);
    (conclude(tool, Some(code), reader, report, &PLACE), code)
}

fn check(tool: Tool, name: &str) -> String {
    let (conclusion, code) = concluded(tool, name, None);
    let sentence = conclusion.sentence(tool, Some(code));
    let suite = conclusion.suite.as_ref().map(shown).unwrap_or_default();
    format!("{:?}: {sentence}\n{suite}", conclusion.ending)
}

fn ended(tool: Tool, name: &str) -> (Ending, String) {
    let (conclusion, code) = concluded(tool, name, None);
    let sentence = conclusion.sentence(tool, Some(code));
    (conclusion.ending, sentence)
}

#[test]
fn pytest_names_everything_when_verbose() {
    insta::assert_snapshot!(check(Tool::Pytest, "recorded/pytest-new/verbose.txt"), @r"
    Failed: 13 of 28 tests failed and 3 could not run
    pytest 9.2.0: 8 passed, 13 failed, 3 errored, 4 skipped, 0 flaky
    passed tests/test_cases.py::CaseTest::test_documented @ tests/test_cases.py no time
    failed tests/test_cases.py::CaseTest::test_errors @ tests/test_cases.py:17 no time | KeyError: 'missing'
    skipped tests/test_cases.py::CaseTest::test_expected_failure @ tests/test_cases.py no time
    failed tests/test_cases.py::CaseTest::test_fails @ tests/test_cases.py:14 no time | AssertionError: Lists differ: [1, 2] != [1, 3] / First differing element 1: / 2 / 3 / - [1, 2] / ?     ^ / + [1, 3] / ?     ^ / : lists differ
    passed tests/test_cases.py::CaseTest::test_ok @ tests/test_cases.py no time
    passed tests/test_cases.py::CaseTest::test_prints @ tests/test_cases.py no time
    skipped tests/test_cases.py::CaseTest::test_skipped @ tests/test_cases.py no time | never here
    failed tests/test_cases.py::CaseTest::test_subtests @ tests/test_cases.py:37 no time | AssertionError: 1 == 1
    failed tests/test_cases.py::CaseTest::test_unexpected_success @ tests/test_cases.py no time | Failed: Unexp...
    errored tests/test_cases.py::SetUpTest::test_never_runs @ tests/test_cases.py:43 no time | OSError: no database
    passed tests/test_prices.py::test_total @ tests/test_prices.py no time
    failed tests/test_prices.py::test_total_is_wrong @ tests/test_prices.py:14 no time | assert 3 == 4 / +  where 3 = <function total at 0x7f00>([1, 2]) / +    where <function total at 0x7f00> = prices.total
    failed tests/test_prices.py::test_through_a_helper @ tests/test_prices.py:6 no time | AssertionError: assert 1.5 == 2.5 / +  where 1.5 = <function parse at 0x7f00>('1.5') / +    where <function parse at 0x7f00> = prices.parse
    failed tests/test_prices.py::test_raises_in_the_code @ tests/test_prices.py:22 no time | ValueError: an empty price
    passed tests/test_prices.py::test_parametrized[1] @ tests/test_prices.py no time
    failed tests/test_prices.py::test_parametrized[2::x] @ tests/test_prices.py:27 no time | AssertionError: assert '2::x' in {'1', 'ü'}
    failed tests/test_prices.py::test_parametrized[a/b [c]] @ tests/test_prices.py:27 no time | AssertionError: assert 'a/b [c]' in {'1', 'ü'}
    passed tests/test_prices.py::test_parametrized[\xfc] @ tests/test_prices.py no time
    failed tests/test_prices.py::test_parametrized[two words] @ tests/test_prices.py:27 no time | AssertionError: assert 'two words' in {'1', 'ü'}
    passed tests/test_prices.py::TestBasket::TestNested::test_inside @ tests/test_prices.py no time
    failed tests/test_prices.py::TestBasket::test_method @ tests/test_prices.py:36 no time | RuntimeError: first line / second <line> & red / : :error::command
    errored tests/test_prices.py::test_setup_fails @ tests/test_prices.py:41 no time | OSError: no database
    errored tests/test_prices.py::test_teardown_fails @ tests/test_prices.py:47 no time | OSError: can not close
    failed tests/test_prices.py::test_both_fail @ tests/test_prices.py:59 no time | assert 1 == 2
    skipped tests/test_prices.py::test_skipped @ tests/test_prices.py no time | not today
    skipped tests/test_prices.py::test_expected_failure @ tests/test_prices.py no time | known
    failed tests/test_prices.py::test_unexpected_pass @ tests/test_prices.py no time | [XPASS(strict)] known
    passed tests/test_prices.py::test_lenient_unexpected_pass @ tests/test_prices.py no time | known
    ");
    let of = |name: &str| {
        let (conclusion, _) = concluded(Tool::Pytest, name, None);
        let suite = conclusion.suite.unwrap();
        let mut names: Vec<String> = suite
            .cases
            .into_iter()
            .map(|case| format!("{} {:?}", case.name, case.outcome))
            .collect();
        names.sort();
        (names, suite.counts)
    };
    assert_eq!(
        of("recorded/pytest-new/verbose.txt"),
        of("recorded/pytest-new/xdist.txt")
    );
    assert_eq!(
        of("recorded/pytest-new/verbose.txt"),
        of("recorded/pytest-74/verbose.txt")
    );
}

#[test]
fn pytest_names_failures_always() {
    insta::assert_snapshot!(check(Tool::Pytest, "recorded/pytest-74/tests.txt"), @"
    Failed: 13 of 29 tests failed and 3 could not run
    pytest 7.4.4: 9 passed, 13 failed, 3 errored, 4 skipped, 0 flaky, cut
    failed tests/test_cases.py::CaseTest::test_errors @ tests/test_cases.py:17 no time | KeyError: 'missing'
    failed tests/test_cases.py::CaseTest::test_fails @ tests/test_cases.py:14 no time | AssertionError: Lists differ: [1, 2] != [1, 3] / First differing element 1: / 2 / 3 / - [1, 2] / ?     ^ / + [1, 3] / ?     ^ / : lists differ
    failed tests/test_cases.py::CaseTest::test_subtests @ tests/test_cases.py:37 no time | AssertionError: 1 == 1
    failed tests/test_cases.py::CaseTest::test_unexpected_success @ tests/test_cases.py no time | Failed: Unexp...
    failed tests/test_prices.py::test_total_is_wrong @ tests/test_prices.py:14 no time | assert 3 == 4 / +  where 3 = <function total at 0x7f00>([1, 2]) / +    where <function total at 0x7f00> = prices.total
    failed tests/test_prices.py::test_through_a_helper @ tests/test_prices.py:6 no time | AssertionError: assert 1.5 == 2.5 / +  where 1.5 = <function parse at 0x7f00>('1.5') / +    where <function parse at 0x7f00> = prices.parse
    failed tests/test_prices.py::test_raises_in_the_code @ tests/test_prices.py:22 no time | ValueError: an empty price
    failed tests/test_prices.py::test_parametrized[2::x] @ tests/test_prices.py:27 no time | AssertionError: assert '2::x' in {'1', 'ü'}
    failed tests/test_prices.py::test_parametrized[a/b [c]] @ tests/test_prices.py:27 no time | AssertionError: assert 'a/b [c]' in {'1', 'ü'}
    failed tests/test_prices.py::test_parametrized[two words] @ tests/test_prices.py:27 no time | AssertionError: assert 'two words' in {'1', 'ü'}
    failed tests/test_prices.py::TestBasket::test_method @ tests/test_prices.py:36 no time | RuntimeError: first line / second <line> & red / : :error::command
    failed tests/test_prices.py::test_both_fail @ tests/test_prices.py:59 no time | assert 1 == 2
    failed tests/test_prices.py::test_unexpected_pass @ tests/test_prices.py no time
    errored tests/test_cases.py::SetUpTest::test_never_runs @ tests/test_cases.py:43 no time | OSError: no database
    errored tests/test_prices.py::test_setup_fails @ tests/test_prices.py:41 no time | OSError: no database
    errored tests/test_prices.py::test_teardown_fails @ tests/test_prices.py:47 no time | OSError: can not close
    ");
    insta::assert_snapshot!(check(Tool::Pytest, "recorded/pytest-new/quiet.txt"), @"
    Failed: 13 of 30 tests failed and 3 could not run
    pytest ?: 10 passed, 13 failed, 3 errored, 4 skipped, 0 flaky, cut
    failed tests/test_cases.py::CaseTest::test_errors @ tests/test_cases.py no time | KeyError: 'missing'
    failed tests/test_cases.py::CaseTest::test_fails @ tests/test_cases.py no time | AssertionError: Lists diff...
    failed tests/test_cases.py::CaseTest::test_subtests @ tests/test_cases.py no time | AssertionError:...
    failed tests/test_cases.py::CaseTest::test_unexpected_success @ tests/test_cases.py no time | Failed: Unexp...
    failed tests/test_prices.py::test_total_is_wrong @ tests/test_prices.py no time | assert 3 == 4
    failed tests/test_prices.py::test_through_a_helper @ tests/test_prices.py no time | AssertionError: assert 1...
    failed tests/test_prices.py::test_raises_in_the_code @ tests/test_prices.py no time | ValueError: an empty p...
    failed tests/test_prices.py::test_parametrized[2::x] @ tests/test_prices.py no time | AssertionError: assert...
    failed tests/test_prices.py::test_parametrized[a/b [c]] @ tests/test_prices.py no time | AssertionError: ass...
    failed tests/test_prices.py::test_parametrized[two words] @ tests/test_prices.py no time | AssertionError: a...
    failed tests/test_prices.py::TestBasket::test_method @ tests/test_prices.py no time | RuntimeError: first line
    failed tests/test_prices.py::test_both_fail @ tests/test_prices.py no time | OSError: can not close
    failed tests/test_prices.py::test_unexpected_pass @ tests/test_prices.py no time | [XPASS(strict)] known
    errored tests/test_cases.py::SetUpTest::test_never_runs @ tests/test_cases.py no time | OSError: no database
    errored tests/test_prices.py::test_setup_fails @ tests/test_prices.py no time | OSError: no database
    errored tests/test_prices.py::test_teardown_fails @ tests/test_prices.py no time | OSError: can not close
    ");
    insta::assert_snapshot!(check(Tool::Pytest, "recorded/pytest-74/flaky.txt"), @"
    Failed: 1 of 3 tests failed
    pytest 7.4.4: 1 passed, 1 failed, 0 errored, 0 skipped, 1 flaky, cut
    flaky flaky/test_flaky.py::test_passes_the_second_time @ flaky/test_flaky.py no time
    failed flaky/test_flaky.py::test_never_passes @ flaky/test_flaky.py:19 no time | AssertionError: never / assert False
    ");
    insta::assert_snapshot!(check(Tool::Pytest, "recorded/pytest-new/broken.txt"), @"
    Failed: 1 of 1 test could not run
    pytest 9.2.0: 0 passed, 0 failed, 1 errored, 0 skipped, 0 flaky
    errored broken/test_broken.py @ broken/test_broken.py:1 no time | ModuleNotFoundError: No module named 'nothing_of_this_name'
    ");
    insta::assert_snapshot!(check(Tool::Pytest, "recorded/pytest-new/native.txt"), @"
    Failed: 1 of 1 test failed
    pytest ?: 0 passed, 1 failed, 0 errored, 0 skipped, 0 flaky
    failed tests/test_prices.py::test_raises_in_the_code @ tests/test_prices.py:22 no time | ValueError: an empty p...
    ");
}

#[test]
fn text_and_report_agree() {
    for version in ["74", "new"] {
        let text = concluded(Tool::Pytest, &format!("recorded/pytest-{version}/verbose.txt"), None)
            .0
            .suite
            .unwrap();
        let report = format!("recorded/pytest-{version}/tests-xunit1.xml");
        let (both, _) = concluded(
            Tool::Pytest,
            &format!("recorded/pytest-{version}/tests.txt"),
            Some(&report),
        );
        let both = both.suite.unwrap();
        assert_eq!(text.counts, both.counts);
        assert_eq!(text.version, both.version);
        for (a, b) in text.cases.iter().zip(&both.cases) {
            assert_eq!((&a.name, a.outcome, &a.suite), (&b.name, b.outcome, &b.suite));
            // Which failure is shown of a test whose teardown broke too does not matter.
            if a.outcome.is_failure() && a.line.is_some() && a.path == b.path {
                assert_eq!(a.line, b.line, "{}", a.name);
            }
        }
    }
}

#[test]
fn reruns_that_the_report_leaves_out_come_from_the_text() {
    for version in ["74", "new"] {
        let report = format!("recorded/pytest-{version}/flaky.xml");
        let (conclusion, _) = concluded(
            Tool::Pytest,
            &format!("recorded/pytest-{version}/flaky.txt"),
            Some(&report),
        );
        let suite = conclusion.suite.unwrap();
        assert_eq!(
            (suite.counts.n_passed, suite.counts.n_failed, suite.counts.n_flaky),
            (1, 1, 1)
        );
    }
}

#[test]
fn unittest_in_every_version() {
    insta::assert_snapshot!(check(Tool::Unittest, "recorded/unittest-311/verbose.txt"), @"
    Failed: 3 of 10 tests failed and 2 could not run
    unittest ?: 3 passed, 3 failed, 2 errored, 2 skipped, 0 flaky
    passed test_cases.CaseTest.test_documented @ tests/test_cases.py no time
    errored test_cases.CaseTest.test_errors @ tests/test_cases.py:17 no time | KeyError: 'missing'
    skipped test_cases.CaseTest.test_expected_failure @ tests/test_cases.py no time | expected failure
    failed test_cases.CaseTest.test_fails @ tests/test_cases.py:14 no time | AssertionError: Lists differ: [1, 2] != [1, 3] /  / First differing element 1: / 2 / 3 /  / - [1, 2] / ?     ^ /  / + [1, 3] / ?     ^ /  : lists differ
    passed test_cases.CaseTest.test_ok @ tests/test_cases.py no time
    passed test_cases.CaseTest.test_prints @ tests/test_cases.py no time
    skipped test_cases.CaseTest.test_skipped @ tests/test_cases.py no time | never here
    failed test_cases.CaseTest.test_subtests @ tests/test_cases.py:37 no time | AssertionError: 1 == 1
    failed test_cases.CaseTest.test_unexpected_success @ tests/test_cases.py no time | UNEXPECTED SUCCESS: test_unexpected_success (test_cases.CaseTest.test_unexpected_success)
    errored test_cases.SetUpTest.setUpClass @ tests/test_cases.py:43 no time | OSError: no database
    ");
    insta::assert_snapshot!(check(Tool::Unittest, "recorded/unittest-38/plain.txt"), @"
    Failed: 2 of 10 tests failed and 2 could not run
    unittest ?: 4 passed, 2 failed, 2 errored, 2 skipped, 0 flaky, cut
    errored tests.test_cases.CaseTest.test_errors @ tests/test_cases.py:17 no time | KeyError: 'missing'
    errored tests.test_cases.SetUpTest.setUpClass @ tests/test_cases.py:43 no time | OSError: no database
    failed tests.test_cases.CaseTest.test_fails @ tests/test_cases.py:14 no time | AssertionError: Lists differ: [1, 2] != [1, 3] /  / First differing element 1: / 2 / 3 /  / - [1, 2] / ?     ^ /  / + [1, 3] / ?     ^ /  : lists differ
    failed tests.test_cases.CaseTest.test_subtests @ tests/test_cases.py:37 no time | AssertionError: 1 == 1
    ");
    insta::assert_snapshot!(check(Tool::Unittest, "recorded/unittest-313/broken.txt"), @"
    Failed: 1 of 1 test could not run
    unittest ?: 0 passed, 0 failed, 1 errored, 0 skipped, 0 flaky
    errored test_broken @ broken/test_broken.py:1 no time | ModuleNotFoundError: No module named 'nothing_of_this_name'
    ");
    let newest = check(Tool::Unittest, "recorded/unittest-313/verbose.txt");
    assert_eq!(newest, check(Tool::Unittest, "recorded/unittest-311/verbose.txt"));
    // Before 3.11 an unexpected success is not told again at the end; it is all the same a failure.
    let oldest = check(Tool::Unittest, "recorded/unittest-38/verbose.txt");
    let names = |text: &str| -> Vec<String> {
        text.lines()
            .skip(2)
            .map(|line| line.split(" @ ").next().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(names(&newest), names(&oldest));
}

#[test]
fn cargo_test() {
    insta::assert_snapshot!(check(Tool::CargoTest, "recorded/cargo/tests.txt"), @r#"
    Failed: 6 of 11 tests failed
    cargo test ?: 4 passed, 6 failed, 0 errored, 1 skipped, 0 flaky
    failed shop::tests::does_not_panic @ - no time | note: test did not panic as expected at src/lib.rs:44:8
    failed shop::tests::panics_in_the_code @ src/lib.rs:15 no time | thread 'tests::panics_in_the_code' panicked at src/lib.rs:15:5: / index out of bounds: the len is 0 but the index is 0
    failed shop::tests::is_wrong @ src/lib.rs:30 no time | : :error::printed by a test /  / thread 'tests::is_wrong' panicked at src/lib.rs:30:9: / assertion `left == right` failed: the sum of two /   left: 3 /  right: 4
    failed shop::tests::returns_an_error @ - no time | Error: "no database"
    skipped shop::tests::skipped @ - no time | not today
    passed shop::tests::should_and_does @ - no time
    passed shop::tests::sums @ - no time
    failed basket::passes_the_second_time @ tests/basket.rs:11 no time | thread 'passes_the_second_time' panicked at tests/basket.rs:11:9: / not yet
    passed basket::whole @ - no time
    passed shop::src/lib.rs - total @ src/lib.rs:3 no time
    failed shop::src/lib.rs - total #2 @ src/lib.rs:7 no time | Test executable failed (exit status: 101). /  / stderr: /  / thread 'main' panicked at src/lib.rs:5:1: / assertion `left == right` failed /   left: 3 /  right: 4
    "#);
    insta::assert_snapshot!(check(Tool::CargoTest, "written/cargo-1.72.txt"), @"
    Failed: 1 of 2 tests failed
    cargo test ?: 1 passed, 1 failed, 0 errored, 0 skipped, 0 flaky
    failed shop::tests::is_wrong @ src/lib.rs:30 no time | thread 'tests::is_wrong' panicked at 'assertion failed: `(left == right)` /   left: `3`, /  right: `4`: the sum of two', src/lib.rs:30:9
    passed shop::tests::sums @ - no time
    ");
}

#[test]
fn nextest() {
    insta::assert_snapshot!(check(Tool::Nextest, "recorded/nextest/tests.txt"), @r#"
    Failed: 4 of 9 tests failed
    cargo nextest ?: 3 passed, 4 failed, 0 errored, 1 skipped, 1 flaky
    failed shop::tests::does_not_panic @ - | note: test did not panic as expected at src/lib.rs:44:8
    failed shop::tests::is_wrong @ src/lib.rs:30 | thread 'tests::is_wrong' panicked at src/lib.rs:30:9: / assertion `left == right` failed: the sum of two /   left: 3 /  right: 4
    failed shop::tests::panics_in_the_code @ src/lib.rs:15 | thread 'tests::panics_in_the_code' panicked at src/lib.rs:15:5: / index out of bounds: the len is 0 but the index is 0
    failed shop::tests::returns_an_error @ - | Error: "no database"
    passed shop::tests::sums @ -
    passed shop::tests::should_and_does @ -
    flaky shop::basket::passes_the_second_time @ tests/basket.rs:11 | thread 'passes_the_second_time' panicked at tests/basket.rs:11:9: / not yet
    passed shop::basket::whole @ -
    "#);
    let text = concluded(Tool::Nextest, "recorded/nextest/tests.txt", None)
        .0
        .suite
        .unwrap();
    let report = concluded(
        Tool::Nextest,
        "recorded/nextest/tests.txt",
        Some("recorded/nextest/tests.xml"),
    )
    .0
    .suite
    .unwrap();
    let names = |suite: &Suite| {
        let mut names: Vec<_> = suite
            .cases
            .iter()
            .map(|case| (case.name.clone(), format!("{:?}", case.outcome)))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&text), names(&report));
}

#[test]
fn nothing_to_run_is_a_failure_with_advice() {
    let mut shown = String::new();
    for (tool, name) in [
        (Tool::Pytest, "recorded/pytest-74/none.txt"),
        (Tool::Pytest, "recorded/pytest-new/none.txt"),
        (Tool::Unittest, "recorded/unittest-38/none.txt"),
        (Tool::Unittest, "recorded/unittest-311/none.txt"),
        (Tool::Unittest, "recorded/unittest-313/none.txt"),
        (Tool::CargoTest, "recorded/cargo/none.txt"),
        (Tool::Nextest, "recorded/nextest/none.txt"),
    ] {
        let (ending, sentence) = ended(tool, name);
        assert_eq!(ending, Ending::NoTests, "{name}");
        shown.push_str(&sentence);
        shown.push('\n');
    }
    insta::assert_snapshot!(shown, @"
    pytest found no tests: name files `test_*.py` and functions `test_*`, set `testpaths`, or take the command out of `gates.test`
    pytest found no tests: name files `test_*.py` and functions `test_*`, set `testpaths`, or take the command out of `gates.test`
    unittest found no tests: name files `test*.py`, give their directory with `discover -s`, or take the command out of `gates.test`
    unittest found no tests: name files `test*.py`, give their directory with `discover -s`, or take the command out of `gates.test`
    unittest found no tests: name files `test*.py`, give their directory with `discover -s`, or take the command out of `gates.test`
    cargo test found no tests: write functions with `#[test]`, widen the filter, or take the command out of `gates.test`
    cargo nextest found no tests: write functions with `#[test]`, widen the filter, or take the command out of `gates.test`
    ");
}

#[test]
fn what_is_not_the_tests_fault() {
    insta::assert_debug_snapshot!(ended(Tool::Pytest, "recorded/pytest-new/usage.txt"), @r#"
    (
        Usage,
        "pytest was not started as it wants (exited with 4): its output names the argument or the file that is wrong",
    )
    "#);
    insta::assert_debug_snapshot!(ended(Tool::Pytest, "recorded/pytest-74/option.txt"), @r#"
    (
        Usage,
        "pytest was not started as it wants (exited with 4): its output names the argument or the file that is wrong",
    )
    "#);
    insta::assert_debug_snapshot!(ended(Tool::CargoTest, "recorded/cargo/broken.txt"), @r#"
    (
        NotBuilt,
        "the tests do not compile",
    )
    "#);
    let end = |tool: Tool, code: Option<i32>, text: &str| {
        let mut reader = Reader::new(tool);
        text.lines().for_each(|line| reader.push(line));
        let conclusion = conclude(tool, code, reader, None, &PLACE);
        format!("{:?}: {}", conclusion.ending, conclusion.sentence(tool, code))
    };
    insta::assert_snapshot!(end(Tool::Pytest, Some(1), "FAIL Required test coverage of 90% not reached\n3 passed in 0.1s"), @"FailedBeside: no test failed but the command exited with 1: look for a limit on coverage or another command beside the tests");
    insta::assert_snapshot!(end(Tool::Pytest, Some(0), "FAILED tests/a.py::b - x\n1 failed, 2 passed, 1 skipped in 0.1s"), @"Failed: 1 of 4 tests failed, though the command exited with 0");
    insta::assert_snapshot!(end(Tool::Pytest, Some(0), "2 passed, 1 skipped in 0.1s"), @"Passed: 2 tests passed, 1 skipped");
    insta::assert_snapshot!(end(Tool::Pytest, Some(3), "INTERNALERROR> x"), @"Internal: pytest itself broke (exited with 3): a plugin or a `conftest.py` is the usual reason");
    insta::assert_snapshot!(end(Tool::Pytest, None, "platform linux -- Python 3, pytest-8.0, x\ntests/a.py ..."), @"Unfinished: pytest did not end by itself before its last test was done");
    insta::assert_snapshot!(end(Tool::Pytest, Some(2), "platform linux -- Python 3, pytest-8.0, x\n!!! KeyboardInterrupt !!!\n3 passed in 1s"), @"Interrupted: pytest was interrupted (exited with 2)");
    insta::assert_snapshot!(end(Tool::Junit, Some(0), "all good"), @"Passed: the command passed");
    let own_harness = "     Running unittests src/lib.rs (target/debug/deps/a-12ab)\n\nrunning 0 tests\n\n\
        test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n     \
        Running tests/own.rs (target/debug/deps/own-12ab)\nall good";
    insta::assert_snapshot!(end(Tool::CargoTest, Some(0), own_harness), @"Passed: cargo test passed");
    let (mut reader, report) = (Reader::new(Tool::Pytest), recorded("recorded/pytest-new/none.xml"));
    reader.push("platform linux -- Python 3, pytest-8.0, sugar");
    let conclusion = conclude(Tool::Pytest, Some(0), reader, Some(report.as_bytes()), &PLACE);
    assert_eq!(conclusion.ending, Ending::NoTests);
    insta::assert_snapshot!(end(Tool::CargoTest, Some(101), "running 2 tests\ntest a ... ok"), @"Unfinished: cargo test exited with 101 before its last test was done");
}

#[test]
fn a_bad_report_leaves_the_text() {
    let (reader, code) = lines(Tool::Pytest, "recorded/pytest-new/tests.txt");
    let conclusion = conclude(Tool::Pytest, Some(code), reader, Some(b"<html/>"), &PLACE);
    assert_eq!((conclusion.ending, conclusion.suite.is_some()), (Ending::Failed, true));
    insta::assert_snapshot!(conclusion.problem.unwrap(), @"the JUnit report was not used: its first element is `html`, not `testsuites` or `testsuite`");
}

const RECORDED: [(Tool, &str); 16] = [
    (Tool::Pytest, "recorded/pytest-new/tests.txt"),
    (Tool::Pytest, "recorded/pytest-new/verbose.txt"),
    (Tool::Pytest, "recorded/pytest-74/xdist.txt"),
    (Tool::Pytest, "recorded/pytest-74/flaky.txt"),
    (Tool::Unittest, "recorded/unittest-38/verbose.txt"),
    (Tool::Unittest, "recorded/unittest-313/plain.txt"),
    (Tool::CargoTest, "recorded/cargo/tests.txt"),
    (Tool::CargoTest, "written/cargo-1.72.txt"),
    (Tool::Nextest, "recorded/nextest/tests.txt"),
    (Tool::Junit, "recorded/pytest-new/tests-xunit1.xml"),
    (Tool::Junit, "recorded/pytest-74/flaky.xml"),
    (Tool::Junit, "recorded/nextest/tests.xml"),
    (Tool::Junit, "recorded/xmlrunner/case.xml"),
    (Tool::Junit, "recorded/jest/jest-junit.xml"),
    (Tool::Junit, "written/surefire.xml"),
    (Tool::Junit, "written/gotestsum.xml"),
];

static TEXTS: LazyLock<Vec<(Tool, String)>> =
    LazyLock::new(|| RECORDED.iter().map(|(tool, name)| (*tool, recorded(name))).collect());

/// What a fault, a hostile test or a broken pipe makes of an output.
fn mutated() -> impl Strategy<Value = (Tool, Vec<u8>)> {
    let pieces = prop::sample::select(vec![
        "",
        "\n",
        " ... ",
        "(",
        ")",
        "[",
        "]",
        "::",
        " (line ",
        "=====",
        "<",
        ">",
        "&",
        "<![CDATA[",
        "]]>",
        "<testcase",
        "</testcase>",
        "<failure",
        "\u{1b}[31m",
        "é",
        "\u{0}",
        "99999999999999999999",
        "-1",
        "FAILED ",
        "ok",
        "\\",
        "\"",
    ]);
    let edit = (any::<prop::sample::Index>(), 0_usize..40, pieces);
    (0..RECORDED.len(), prop::collection::vec(edit, 1..12)).prop_map(|(index, edits)| {
        let (tool, text) = &TEXTS[index];
        let mut bytes = text.clone().into_bytes();
        for (at, n_removed, piece) in edits {
            let at = at.index(bytes.len().max(1)).min(bytes.len());
            let end = (at + n_removed).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        (*tool, bytes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes, counts hold what the cases hold, and places are files of the repository.
    #[test]
    fn mutated_outputs_never_break_anything((tool, bytes) in mutated(), code in 0..6) {
        let text = String::from_utf8_lossy(&bytes);
        let mut reader = Reader::new(tool);
        text.lines().for_each(|line| reader.push(line));
        let report = (tool == Tool::Junit).then_some(bytes.as_slice());
        let conclusion = conclude(tool, Some(code), reader, report, &PLACE);
        prop_assert!(!conclusion.sentence(tool, Some(code)).is_empty());
        if let Some(suite) = &conclusion.suite {
            let n_failing = suite.failures().count();
            prop_assert!(suite.counts.n_failing() >= n_failing);
            prop_assert!(n_failing == 0 || conclusion.ending != Ending::Passed);
            for case in &suite.cases {
                prop_assert!(case.path.as_deref().is_none_or(crate::suites::testing::is_file));
                let is_one_line = !case.name.contains(char::is_control);
                prop_assert!(is_one_line, "{:?}", case.name);
            }
        }
    }
}
