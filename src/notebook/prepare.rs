//! A notebook without what an earlier execution left in it, and with parameters, as papermill injects them. Pure.

use serde::Serialize as _;
use serde_json::{Map, Value as Json, json};

use super::literal::{MAX_DEPTH, is_variable};
use super::{NotebookError, ParamValue, has_tag, is_code, parse};
use crate::base::clean;

pub const INJECTED: &str = "injected-parameters";
const PARAMETERS: &str = "parameters";
const MAX_SHOWN: usize = 100;

/// The notebook as it is executed: outputs, counts and times of cells are gone, and a cell that sets `parameters` stands
/// where one of an earlier injection stood, else behind the cell that is tagged `parameters`, else first.
pub fn prepare(bytes: &[u8], parameters: &[(String, ParamValue)]) -> Result<Vec<u8>, NotebookError> {
    let mut notebook = parse(bytes)?;
    only_python(&notebook)?;
    let source = source(parameters)?;
    let has_ids = notebook.get("nbformat_minor").and_then(Json::as_u64) >= Some(5);
    if let Some(metadata) = notebook.get_mut("metadata").and_then(Json::as_object_mut) {
        metadata.shift_remove("mlops");
        metadata.shift_remove("papermill");
    }
    if let Some(cells) = notebook.get_mut("cells").and_then(Json::as_array_mut) {
        for cell in cells.iter_mut().filter(|cell| is_code(cell)) {
            clear(cell);
        }
        if !parameters.is_empty() {
            inject(cells, &source, has_ids);
        }
    }
    // As `nbformat` writes them.
    let mut out = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, format);
    notebook
        .serialize(&mut serializer)
        .map_err(|error| NotebookError::Json(error.to_string()))?;
    out.push(b'\n');
    Ok(out)
}

fn only_python(notebook: &Json) -> Result<(), NotebookError> {
    let text = |place: &str| {
        notebook
            .pointer(place)
            .and_then(Json::as_str)
            .filter(|text| !text.is_empty())
    };
    let language = text("/metadata/kernelspec/language").or_else(|| text("/metadata/language_info/name"));
    let name = text("/metadata/kernelspec/name");
    let is_python = match (language, name) {
        (Some(language), _) => language.eq_ignore_ascii_case("python") || language.eq_ignore_ascii_case("ipython"),
        (None, Some(name)) => {
            let shown = text("/metadata/kernelspec/display_name").unwrap_or(name);
            [name, shown]
                .iter()
                .any(|text| text.to_ascii_lowercase().contains("python"))
        }
        (None, None) => true,
    };
    if is_python {
        return Ok(());
    }
    let kernel = name.or(language).unwrap_or_default();
    Err(NotebookError::Kernel(clean(kernel, MAX_SHOWN)))
}

fn source(parameters: &[(String, ParamValue)]) -> Result<Vec<String>, NotebookError> {
    let mut lines = vec!["# Parameters".to_owned()];
    for (n, (name, value)) in parameters.iter().enumerate() {
        let shown = || clean(name, MAX_SHOWN);
        if !is_variable(name) {
            return Err(NotebookError::Name(shown()));
        }
        if parameters[..n].iter().any(|(earlier, _)| earlier == name) {
            return Err(NotebookError::Twice(shown()));
        }
        if value.depth() > MAX_DEPTH {
            return Err(NotebookError::TooDeep(shown()));
        }
        lines.push(format!("{name} = {}", value.literal()));
    }
    Ok(lines)
}

fn clear(cell: &mut Json) {
    cell["outputs"] = json!([]);
    cell["execution_count"] = Json::Null;
    if let Some(metadata) = cell.get_mut("metadata").and_then(Json::as_object_mut) {
        metadata.shift_remove("execution");
        metadata.shift_remove("papermill");
    }
}

fn inject(cells: &mut Vec<Json>, lines: &[String], has_ids: bool) {
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut cell = Map::new();
    cell.insert("cell_type".to_owned(), json!("code"));
    cell.insert("execution_count".to_owned(), Json::Null);
    if has_ids {
        cell.insert("id".to_owned(), json!(free_id(cells)));
    }
    cell.insert("metadata".to_owned(), json!({"tags": [INJECTED]}));
    cell.insert("outputs".to_owned(), json!([]));
    cell.insert("source".to_owned(), json!(lines));
    let cell = Json::Object(cell);
    let tagged = |tag: &str| cells.iter().position(|cell| is_code(cell) && has_tag(cell, tag));
    match (tagged(INJECTED), tagged(PARAMETERS)) {
        (Some(earlier), _) => cells[earlier] = cell,
        (None, Some(defaults)) => cells.insert(defaults + 1, cell),
        (None, None) => cells.insert(0, cell),
    }
}

/// One that no other cell has.
fn free_id(cells: &[Json]) -> String {
    let is_free = |id: &String| cells.iter().all(|cell| cell.get("id").is_none_or(|other| other != id));
    let mut ids = std::iter::once(INJECTED.to_owned()).chain((2..).map(|n| format!("{INJECTED}-{n}")));
    ids.find(is_free).unwrap_or_default()
}
