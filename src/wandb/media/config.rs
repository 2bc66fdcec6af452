//! The settings of a run, with what the app keeps between them. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

/// Where the app keeps what is no setting.
pub const OWN: &str = "_wandb";

/// What is known beside the settings once the run is over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extras {
    /// Key → panel of a chart.
    pub panels: BTreeMap<String, Json>,
    /// Values that get no panel of their own.
    pub hidden: Vec<String>,
}

/// `{"lr": {"value": 0.1}, "_wandb": {"value": {"t": {…}}}}`: what a run had before stays, under what is new. Without
/// `t` a run counts as one that never began.
pub fn config<'a>(
    before: Option<&Json>,
    values: impl IntoIterator<Item = (&'a String, &'a Json)>,
    extras: &Extras,
) -> Json {
    let mut tree = before.and_then(Json::as_object).cloned().unwrap_or_default();
    for (key, value) in values {
        if key != OWN {
            tree.insert(key.clone(), json!({ "value": value }));
        }
    }
    let known = tree.get(OWN).and_then(|own| own.get("value")?.as_object());
    let own = own(known.cloned().unwrap_or_default(), extras);
    tree.insert(OWN.to_owned(), json!({ "value": own }));
    Json::Object(tree)
}

/// What the app keeps between the settings, beside what is known of it.
pub fn own(known: Map<String, Json>, extras: &Extras) -> Map<String, Json> {
    let mut own = known;
    if own.get("t").and_then(Json::as_object).is_none_or(Map::is_empty) {
        // The platform, by its number in the official client's telemetry.
        let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        own.insert("t".to_owned(), json!({ "13": platform }));
    }
    if !extras.panels.is_empty() {
        own.insert("visualize".to_owned(), json!(extras.panels));
    }
    if !extras.hidden.is_empty() {
        let metrics = extras.hidden.iter().map(|name| hidden(name)).collect::<Vec<_>>();
        own.insert("m".to_owned(), metrics.into());
    }
    own
}

/// The definition of a metric, its members by number: its name, that it is defined and hidden, no way to sum it up.
fn hidden(name: &str) -> Json {
    json!({"1": name, "6": [3, 2], "7": []})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, Json)]) -> BTreeMap<String, Json> {
        let pairs = pairs.iter().cloned();
        pairs.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    #[test]
    fn a_new_run_has_settings_and_telemetry() {
        let values = values(&[
            ("lr", json!(0.1)),
            ("a", json!({"b": [1, null]})),
            ("_wandb", json!("x")),
        ]);
        let config = config(None, &values, &Extras::default());
        assert_eq!(config["lr"], json!({"value": 0.1}));
        assert_eq!(config["a"], json!({"value": {"b": [1, null]}}));
        let platform = config["_wandb"]["value"]["t"]["13"].as_str().unwrap();
        assert!(platform.starts_with(std::env::consts::OS), "{platform}");
        assert_eq!(config["_wandb"]["value"].as_object().unwrap().len(), 1);
    }

    #[test]
    fn what_was_there_stays() {
        let before = json!({
            "lr": {"value": 1}, "old": {"value": 2, "desc": null},
            "_wandb": {"value": {"t": {"4": "3.11"}, "e": {"w": {}}, "visualize": {"gone": {}}}},
        });
        let new = values(&[("lr", json!(3))]);
        let extras = Extras {
            panels: values(&[("roc", json!({"panel_type": "Vega2"}))]),
            hidden: vec!["test/rmse_low".to_owned()],
        };
        assert_eq!(
            config(Some(&before), &new, &extras),
            json!({
                "lr": {"value": 3}, "old": {"value": 2, "desc": null},
                "_wandb": {"value": {
                    "t": {"4": "3.11"}, "e": {"w": {}}, "visualize": {"roc": {"panel_type": "Vega2"}},
                    "m": [{"1": "test/rmse_low", "6": [3, 2], "7": []}],
                }},
            })
        );
        let again = config(Some(&before), &BTreeMap::new(), &Extras::default());
        assert_eq!(again["_wandb"], before["_wandb"]);
        for odd in [json!([]), json!({"_wandb": 1}), json!({"_wandb": {"value": {"t": {}}}})] {
            let config = config(Some(&odd), &BTreeMap::new(), &Extras::default());
            assert!(config["_wandb"]["value"]["t"]["13"].is_string(), "{odd}");
        }
    }
}
