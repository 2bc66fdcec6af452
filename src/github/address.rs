//! Names in the paths and queries of calls. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 3986 calls unreserved stays.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// As one segment of a path, or one value of a query.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// As several segments, for paths of files and names of branches.
pub fn segments(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

/// May it name a file in a repository: relative, and without a step that leads up or nowhere?
pub fn is_file_path(path: &str) -> bool {
    !path.is_empty() && path.len() <= 1024 && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_ends_its_place() {
        assert_eq!(segment("mlops / a?b&c=d#e%"), "mlops%20%2F%20a%3Fb%26c%3Dd%23e%25");
        assert_eq!(segments("a b/c?d"), "a%20b/c%3Fd");
        assert_eq!(segment("dependabot[bot]"), "dependabot%5Bbot%5D");
        for (path, is) in [
            ("a/b.yaml", true),
            ("", false),
            ("/a", false),
            ("a//b", false),
            ("a/../b", false),
            ("..", false),
        ] {
            assert_eq!(is_file_path(path), is, "{path}");
        }
    }
}
