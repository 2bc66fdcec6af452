//! What a comment carries for us and not for its readers: a marker at its start, data at its end. Pure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// As it stands in the comment.
const DATA_LIMIT: usize = 6 * 1024;
const KEY_LIMIT: usize = 64;
/// No marker is longer.
pub const MARKER_LIMIT: usize = 128;

/// `<!-- mlops-action:churn:v1 -->`.
pub fn marker(kind: &str, key: &str, version: &str) -> String {
    format!("<!-- mlops-{kind}:{}:{version} -->", safe(key))
}

/// A key of characters that end nothing; one that had others, or was long, is told apart by its digest.
fn safe(key: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let kept: String = key
        .chars()
        .map(|c| if is_safe(c) { c } else { '-' })
        .take(KEY_LIMIT)
        .collect();
    // Two hyphens could end a comment in old dialects of HTML.
    let is_plain = kept.replace('-', "") == key.replace('-', "") && kept.len() == key.len() && !kept.contains("--");
    if is_plain && !kept.is_empty() {
        return kept;
    }
    let digest = format!("{:x}", Sha256::digest(key.as_bytes()));
    let mut kept = kept;
    while kept.contains("--") {
        kept = kept.replace("--", "-");
    }
    format!("{kept}.{}", &digest[..16])
}

/// Is the first line the marker?
pub fn begins_with(body: &str, marker: &str) -> bool {
    body.lines().next().is_some_and(|line| line.trim_end() == marker)
}

/// The last line of a comment. It is always there, so that a line that only looks like it is never the last; data that
/// are too large are left out.
pub fn data_line(data: &Value) -> String {
    let encoded = match data {
        Value::Null => String::new(),
        _ => URL_SAFE_NO_PAD.encode(data.to_string()),
    };
    if encoded.len() > DATA_LIMIT {
        tracing::warn!(n_bytes = encoded.len(), "too much data for a comment");
        return data_line(&Value::Null);
    }
    format!("<!-- mlops-data:{encoded} -->")
}

/// The data of a comment, if its last line holds some. Untrusted: whoever may edit the comment may have changed them.
pub fn data(body: &str) -> Option<Value> {
    let line = body.trim_end().lines().next_back()?.trim();
    let encoded = line.strip_prefix("<!-- mlops-data:")?.strip_suffix(" -->")?;
    if encoded.is_empty() || encoded.len() > DATA_LIMIT {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_end_nothing_and_stay_apart() {
        assert_eq!(
            marker("action", "churn-model.v2", "v1"),
            "<!-- mlops-action:churn-model.v2:v1 -->"
        );
        let keys = [
            "a/b",
            "a-b",
            "a b",
            "a--b",
            "a---b",
            "",
            "-",
            "--",
            "a-->b",
            "é",
            "ö",
            &"x".repeat(64),
            &"x".repeat(65),
        ];
        let mut markers: Vec<_> = keys.iter().map(|key| marker("action", key, "v1")).collect();
        for marker in &markers {
            let inside = &marker[4..marker.len() - 3];
            assert!(!inside.contains("--") && !inside.contains('>'), "{marker}");
            assert!(marker.len() <= MARKER_LIMIT, "{marker}");
        }
        markers.sort();
        markers.dedup();
        assert_eq!(markers.len(), keys.len());
    }

    #[test]
    fn a_marker_is_the_whole_first_line() {
        let marker = marker("action", "a", "v1");
        assert!(begins_with(&format!("{marker}\r\ntext"), &marker));
        assert!(!begins_with(&format!("> {marker}\ntext"), &marker));
        assert!(!begins_with(&format!("{marker} and more"), &marker));
        assert!(!begins_with("", &marker));
    }

    #[test]
    fn data_come_back_and_what_is_none_is_none() {
        let value = json!({"verdict": "pass", "text": "--> ## é"});
        let line = data_line(&value);
        assert!(!line[4..line.len() - 3].contains('>'));
        assert_eq!(data(&format!("marker\ntext\n\n{line}\r\n")), Some(value));
        let hostile = data_line(&json!({"verdict": "hostile"}));
        for body in [
            String::new(),
            format!("{hostile}\n\n{}", data_line(&Value::Null)),
            format!("{hostile}\ntext"),
            "<!-- mlops-data:!!! -->".to_owned(),
            format!("<!-- mlops-data:{} -->", URL_SAFE_NO_PAD.encode("{")),
            format!("<!-- mlops-data:{} -->", URL_SAFE_NO_PAD.encode([0xff, 0xfe])),
            format!("<!-- mlops-data:{} -->", URL_SAFE_NO_PAD.encode("[".repeat(4000))),
            format!(
                "<!-- mlops-data:{} -->",
                URL_SAFE_NO_PAD.encode(format!("\"{}\"", "x".repeat(6000)))
            ),
        ] {
            assert_eq!(data(&body), None, "{body}");
        }
        assert_eq!(data_line(&json!("x".repeat(6000))), data_line(&Value::Null));
    }
}
