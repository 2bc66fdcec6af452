//! Charts that the app draws itself: a panel in the settings of the run, over a table that the run has. Pure.

use serde_json::{Value as Json, json};

/// A drawing that every W&B knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    Line,
    Scatter,
    Bar,
    Histogram,
}

/// A curve, a cloud or bars over columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    pub preset: Preset,
    pub title: String,
    /// Of bars the label, of a histogram the value.
    pub x: String,
    /// A histogram has none.
    pub y: String,
    /// Tells lines apart.
    pub stroke: Option<String>,
    /// The key of its table.
    pub table: String,
}

impl Chart {
    /// What the settings say of it.
    pub fn panel(&self) -> Json {
        let (name, fields) = match self.preset {
            Preset::Line => (
                "wandb/line/v0",
                json!({"x": self.x, "y": self.y, "stroke": self.stroke}),
            ),
            Preset::Scatter => ("wandb/scatter/v0", json!({"x": self.x, "y": self.y})),
            Preset::Bar => ("wandb/bar/v0", json!({"label": self.x, "value": self.y})),
            Preset::Histogram => ("wandb/histogram/v0", json!({"value": self.x})),
        };
        json!({
            "panel_type": "Vega2",
            "panel_config": {
                "panelDefId": name,
                "fieldSettings": fields,
                "stringSettings": {"title": self.title},
                "transform": {"name": "tableWithLeafColNames"},
                "userQuery": {"queryFields": [{
                    "name": "runSets",
                    "args": [{"name": "runSets", "value": "${runSets}"}],
                    "fields": [
                        {"name": "id", "fields": []},
                        {"name": "name", "fields": []},
                        {"name": "_defaultColorIndex", "fields": []},
                        {
                            "name": "summaryTable",
                            "args": [{"name": "tableKey", "value": self.table}],
                            "fields": [],
                        },
                    ],
                }]},
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is what the official client 0.31.0 writes for the same chart.
    #[test]
    fn panels_are_those_of_the_official_client() {
        let chart = |preset, table: &str, title: &str, x: &str, y: &str, stroke: Option<&str>| Chart {
            preset,
            title: title.to_owned(),
            x: x.to_owned(),
            y: y.to_owned(),
            stroke: stroke.map(str::to_owned),
            table: table.to_owned(),
        };
        for (chart, expected) in [
            (
                chart(Preset::Line, "c/line_table", "T", "x", "y", Some("s")),
                r#"{"panel_type":"Vega2","panel_config":{"panelDefId":"wandb/line/v0","fieldSettings":{"x":"x","y":"y","stroke":"s"},"stringSettings":{"title":"T"},"transform":{"name":"tableWithLeafColNames"},"userQuery":{"queryFields":[{"name":"runSets","args":[{"name":"runSets","value":"${runSets}"}],"fields":[{"name":"id","fields":[]},{"name":"name","fields":[]},{"name":"_defaultColorIndex","fields":[]},{"name":"summaryTable","args":[{"name":"tableKey","value":"c/line_table"}],"fields":[]}]}]}}}"#,
            ),
            (
                chart(Preset::Scatter, "sc_table", "S", "x", "y", None),
                r#"{"panel_type":"Vega2","panel_config":{"panelDefId":"wandb/scatter/v0","fieldSettings":{"x":"x","y":"y"},"stringSettings":{"title":"S"},"transform":{"name":"tableWithLeafColNames"},"userQuery":{"queryFields":[{"name":"runSets","args":[{"name":"runSets","value":"${runSets}"}],"fields":[{"name":"id","fields":[]},{"name":"name","fields":[]},{"name":"_defaultColorIndex","fields":[]},{"name":"summaryTable","args":[{"name":"tableKey","value":"sc_table"}],"fields":[]}]}]}}}"#,
            ),
            (
                chart(Preset::Bar, "ba_table", "B", "l", "v", None),
                r#"{"panel_type":"Vega2","panel_config":{"panelDefId":"wandb/bar/v0","fieldSettings":{"label":"l","value":"v"},"stringSettings":{"title":"B"},"transform":{"name":"tableWithLeafColNames"},"userQuery":{"queryFields":[{"name":"runSets","args":[{"name":"runSets","value":"${runSets}"}],"fields":[{"name":"id","fields":[]},{"name":"name","fields":[]},{"name":"_defaultColorIndex","fields":[]},{"name":"summaryTable","args":[{"name":"tableKey","value":"ba_table"}],"fields":[]}]}]}}}"#,
            ),
            (
                chart(Preset::Histogram, "hi_table", "H", "v", "rows", None),
                r#"{"panel_type":"Vega2","panel_config":{"panelDefId":"wandb/histogram/v0","fieldSettings":{"value":"v"},"stringSettings":{"title":"H"},"transform":{"name":"tableWithLeafColNames"},"userQuery":{"queryFields":[{"name":"runSets","args":[{"name":"runSets","value":"${runSets}"}],"fields":[{"name":"id","fields":[]},{"name":"name","fields":[]},{"name":"_defaultColorIndex","fields":[]},{"name":"summaryTable","args":[{"name":"tableKey","value":"hi_table"}],"fields":[]}]}]}}}"#,
            ),
        ] {
            assert_eq!(chart.panel().to_string(), expected);
        }
        let single = chart(Preset::Line, "t", "", "x", "y", None).panel();
        assert!(single["panel_config"]["fieldSettings"]["stroke"].is_null());
        assert!(
            single["panel_config"]["fieldSettings"]
                .as_object()
                .unwrap()
                .contains_key("stroke")
        );
    }
}
