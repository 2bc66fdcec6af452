//! Tables, pictures and charts as W&B keeps them: a file of the run, and a cell of its history that names it. Pure.

use serde_json::{Value, json};

use crate::base::Digest;

/// A file of the run, and the cell that stands for it in the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// `media/table/predictions_0_0123….table.json`.
    pub path: String,
    pub bytes: Vec<u8>,
    pub cell: Value,
}

/// Characters that a file's name does not have, as the official client sees it; `/` makes folders.
fn plain(key: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ' ');
    let name: String = key.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    let parts = name
        .split('/')
        .filter(|part| !part.is_empty() && !part.chars().all(|c| c == '.'));
    parts.collect::<Vec<_>>().join("/")
}

fn kept(folder: &str, key: &str, step: u64, ending: &str, bytes: Vec<u8>) -> (String, String, Vec<u8>) {
    let digest = Digest::of(&bytes).hex();
    (
        format!("media/{folder}/{}_{step}_{}.{ending}", plain(key), &digest[..20]),
        digest,
        bytes,
    )
}

/// A table. Numbers that JSON does not have are words in it, as the official client writes them.
pub fn table(key: &str, step: u64, columns: &[String], rows: &[Vec<Value>]) -> Media {
    let bytes = json!({"columns": columns, "data": rows}).to_string().into_bytes();
    let (path, digest, bytes) = kept("table", key, step, "table.json", bytes);
    let cell = json!({
        "_type": "table-file",
        "path": path,
        "sha256": digest,
        "size": bytes.len(),
        "ncols": columns.len(),
        "nrows": rows.len(),
        "log_mode": "IMMUTABLE",
    });
    Media { path, bytes, cell }
}

/// A picture.
pub fn image(key: &str, step: u64, png: &[u8], (width, height): (u32, u32), caption: &str) -> Media {
    let (path, digest, bytes) = kept("images", key, step, "png", png.to_vec());
    let cell = json!({
        "_type": "image-file",
        "path": path,
        "sha256": digest,
        "size": bytes.len(),
        "format": "png",
        "width": width,
        "height": height,
        "caption": caption,
    });
    Media { path, bytes, cell }
}

/// The kinds of charts that every W&B has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    Line,
    Scatter,
    Bar,
    Histogram,
}

/// A chart over a table.
#[derive(Debug, Clone, Copy)]
pub struct Axes<'a> {
    pub x: &'a str,
    pub y: &'a str,
    pub stroke: Option<&'a str>,
    pub title: &'a str,
}

/// What stands below `_wandb.visualize.KEY` in the settings of the run; the table is kept as `KEY_table`.
pub fn chart(key: &str, preset: Preset, axes: &Axes<'_>) -> Value {
    let (id, fields) = match preset {
        Preset::Line => (
            "wandb/line/v0",
            json!({"x": axes.x, "y": axes.y, "stroke": axes.stroke}),
        ),
        Preset::Scatter => ("wandb/scatter/v0", json!({"x": axes.x, "y": axes.y})),
        Preset::Bar => ("wandb/bar/v0", json!({"label": axes.x, "value": axes.y})),
        Preset::Histogram => ("wandb/histogram/v0", json!({"value": axes.x})),
    };
    let leaf = |name: &str| json!({"name": name, "fields": []});
    json!({
        "panel_type": "Vega2",
        "panel_config": {
            "panelDefId": id,
            "fieldSettings": fields,
            "stringSettings": {"title": axes.title},
            "transform": {"name": "tableWithLeafColNames"},
            "userQuery": {"queryFields": [{
                "name": "runSets",
                "args": [{"name": "runSets", "value": "${runSets}"}],
                "fields": [leaf("id"), leaf("name"), leaf("_defaultColorIndex"), {
                    "name": "summaryTable",
                    "args": [{"name": "tableKey", "value": format!("{key}_table")}],
                    "fields": [],
                }],
            }]},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_by_its_content() {
        let columns = ["a".to_owned(), "b".to_owned()];
        let media = table("slices", 3, &columns, &[vec![json!(1), json!("x")]]);
        assert_eq!(
            String::from_utf8(media.bytes.clone()).unwrap(),
            r#"{"columns":["a","b"],"data":[[1,"x"]]}"#
        );
        let digest = Digest::of(&media.bytes).hex();
        assert_eq!(media.path, format!("media/table/slices_3_{}.table.json", &digest[..20]));
        assert_eq!((&media.cell["ncols"], &media.cell["nrows"]), (&json!(2), &json!(1)));
        assert_eq!(media.cell["sha256"], json!(digest));
    }

    #[test]
    fn no_key_leaves_the_folder() {
        for (key, name) in [
            ("../../x", "x"),
            ("a/b", "a/b"),
            ("a:b*c", "a-b-c"),
            ("/", ""),
            ("..", ""),
        ] {
            assert_eq!(plain(key), name);
        }
    }

    #[test]
    fn a_chart_asks_for_its_table() {
        let axes = Axes {
            x: "false",
            y: "true",
            stroke: None,
            title: "ROC",
        };
        let config = chart("roc", Preset::Line, &axes);
        assert_eq!(config["panel_config"]["panelDefId"], json!("wandb/line/v0"));
        assert_eq!(
            config["panel_config"]["fieldSettings"],
            json!({"x": "false", "y": "true", "stroke": null})
        );
        let query = &config["panel_config"]["userQuery"]["queryFields"][0];
        assert_eq!(query["fields"][3]["args"][0]["value"], json!("roc_table"));
    }
}
