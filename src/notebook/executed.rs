//! What became of the cells of an executed notebook. Pure; the file is the repository's, and no text of it is trusted.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

use super::places::source_lines;
use super::prepare::INJECTED;
use super::{NotebookError, has_tag, is_code, parse};
use crate::base::{clean, without_escapes};

const MAX_SHOWN: usize = 300;
const MAX_TRACEBACK: usize = 20;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Executed {
    /// Cells with code, that with the parameters left out.
    pub n_cells: usize,
    /// Of these, how many began.
    pub n_begun: usize,
    pub failed: Option<FailedCell>,
    /// Why it ended where no cell failed: the time was up, or the kernel died or did not start; inert text.
    pub stopped: Option<String>,
    /// The number of a cell among all cells of the notebook in the repository, from 1 on, and how long it took.
    pub seconds: Vec<(usize, f64)>,
}

/// The cell at which the execution ended; inert text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailedCell {
    /// Among all cells of the notebook in the repository, from 1 on; 0 is the cell with the parameters.
    pub number: usize,
    /// In the file in the repository, where its own code failed or its source begins.
    pub line: Option<usize>,
    pub ename: String,
    pub evalue: String,
    /// The last lines.
    pub traceback: Vec<String>,
}

/// What `executed` says of the notebook that was `original` in the repository.
pub fn executed(executed: &[u8], original: &[u8]) -> Result<Executed, NotebookError> {
    let notebook = parse(executed)?;
    let own = parse(original)?;
    let cells = cells(&notebook);
    let numbers = numbers(cells, self::cells(&own));
    let places = source_lines(&String::from_utf8_lossy(original));
    let is_own = |index: &usize| is_code(&cells[*index]) && numbers[*index] > 0;
    let code: Vec<usize> = (0..cells.len()).filter(is_own).collect();
    let failed_index = cells
        .iter()
        .position(|cell| error_of(cell).is_some())
        .or_else(|| stopped_at(&notebook, cells.len()));
    Ok(Executed {
        n_cells: code.len(),
        n_begun: code.iter().filter(|index| has_begun(&cells[**index])).count(),
        failed: failed_index.map(|index| failed(&notebook, &cells[index], numbers[index], &places)),
        stopped: notebook
            .pointer("/metadata/mlops/failed/why")
            .and_then(Json::as_str)
            .filter(|why| *why != "failed")
            .map(|why| clean(why, MAX_SHOWN)),
        seconds: code
            .iter()
            .filter_map(|index| Some((numbers[*index], seconds(&cells[*index])?)))
            .collect(),
    })
}

fn cells(notebook: &Json) -> &[Json] {
    notebook
        .get("cells")
        .and_then(Json::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The number in the repository of each executed cell: one cell more is there if parameters were injected, 0 for it, and
/// none if they took the place of earlier ones.
fn numbers(cells: &[Json], own: &[Json]) -> Vec<usize> {
    let was_injected = cells.len() == own.len() + 1;
    let mut number = 0;
    let mut is_past = false;
    cells
        .iter()
        .map(|cell| {
            if was_injected && !is_past && has_tag(cell, INJECTED) {
                is_past = true;
                return 0;
            }
            number += 1;
            number
        })
        .collect()
}

fn error_of(cell: &Json) -> Option<&Json> {
    let outputs = cell.get("outputs").and_then(Json::as_array)?;
    let tags = cell.pointer("/metadata/tags");
    // A cell that may raise does not end an execution.
    let may_raise = tags.is_some() && has_tag(cell, "raises-exception");
    outputs
        .iter()
        .find(|output| !may_raise && output.get("output_type").is_some_and(|kind| kind == "error"))
}

/// Where the execution ended without an error of a cell: the time was up, or the kernel died.
fn stopped_at(notebook: &Json, n_cells: usize) -> Option<usize> {
    let index = notebook.pointer("/metadata/mlops/failed/cell")?.as_u64()?;
    usize::try_from(index).ok().filter(|index| *index < n_cells)
}

fn failed(notebook: &Json, cell: &Json, number: usize, places: &[Vec<usize>]) -> FailedCell {
    let text = |value: Option<&Json>| clean(value.and_then(Json::as_str).unwrap_or_default(), MAX_SHOWN);
    let error = error_of(cell);
    let traceback = traceback(error);
    let lines = number.checked_sub(1).and_then(|index| places.get(index));
    let line = lines.and_then(|lines| {
        let within = line_within(&traceback, cell).unwrap_or(1);
        lines.get(within.checked_sub(1)?).or_else(|| lines.first()).copied()
    });
    let (ename, evalue) = match error {
        Some(error) => (text(error.get("ename")), text(error.get("evalue"))),
        None => (
            "Stopped".to_owned(),
            text(notebook.pointer("/metadata/mlops/failed/why")),
        ),
    };
    FailedCell {
        number,
        line,
        ename,
        evalue,
        traceback: traceback[traceback.len().saturating_sub(MAX_TRACEBACK)..].to_vec(),
    }
}

fn traceback(error: Option<&Json>) -> Vec<String> {
    let parts = error.and_then(|error| error.get("traceback")?.as_array());
    let parts = parts.into_iter().flatten().filter_map(Json::as_str);
    parts
        .flat_map(str::lines)
        .take(10_000)
        .map(|line| {
            let line = without_escapes(line);
            let indent = line.len() - line.trim_start_matches(' ').len();
            format!("{}{}", " ".repeat(indent.min(16)), clean(&line, MAX_SHOWN))
        })
        .filter(|line| !line.trim().is_empty())
        .collect()
}

/// The line of the cell's own source in its traceback: the first frame, since later ones are in what it called.
fn line_within(traceback: &[String], cell: &Json) -> Option<usize> {
    let count = cell.get("execution_count").and_then(Json::as_u64)?;
    // `Cell In[3], line 2` by IPython 8.6 and later.
    let mark = format!("Cell In[{count}], line ");
    let named = traceback.iter().find_map(|line| number(line.split_once(&mark)?.1));
    // An arrow at the line, by all of them.
    let arrow = |line: &String| number(line.strip_prefix("--")?.trim_start_matches('-').strip_prefix("> ")?);
    named.or_else(|| traceback.iter().find_map(arrow))
}

fn number(text: &str) -> Option<usize> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn has_begun(cell: &Json) -> bool {
    let began = |place: &str| cell.pointer(place).is_some_and(|value| !value.is_null());
    began("/execution_count") || began("/metadata/execution")
}

/// As nbclient and papermill write it down.
fn seconds(cell: &Json) -> Option<f64> {
    let moment = |key: &str| -> Option<Timestamp> {
        let moments = cell.pointer("/metadata/execution")?;
        moments.get(key)?.as_str()?.parse().ok()
    };
    let span = || {
        let start = moment("iopub.execute_input").or_else(|| moment("iopub.status.busy"))?;
        let end = moment("shell.execute_reply").or_else(|| moment("iopub.status.idle"))?;
        Some(end.duration_since(start).as_secs_f64())
    };
    let found = span().or_else(|| cell.pointer("/metadata/papermill/duration")?.as_f64());
    found.filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
}
