//! The end of an offline run: everything that it found, beside the log and in it.

use std::collections::BTreeMap;

use super::{FILES, MODEL, Open, written};
use crate::sys;
use crate::track::record::RunEnd;
use crate::track::tracker::artifacts::{dataset, metadata, model, run_table};
use crate::track::tracker::shown::{Shown, Values, last_step, rows, shown};
use crate::track::tracker::{Ended, TrackError};
use crate::wandb::media::{Medium, Table, config, history, summary, summary_line};
use crate::wandb::{ClientIds, Content, Described, NewArtifact, Records, check_path};

const DATA: &str = "data";
const TABLES: &str = "tables";
/// A file that is larger is not copied to wait.
const MAX_FILE_BYTES: u64 = 4 << 30;

impl Open {
    /// What the run can do without fails with a warning; a log or a model that can not be written is no run.
    pub(super) fn end(mut self, end: RunEnd) -> Result<Ended, TrackError> {
        let mut warnings = Vec::new();
        let step = last_step(&end.history);
        let Shown { tables, images, extras } = shown(&end.history, end.tables, end.charts, end.images);
        let mut files: BTreeMap<String, Content> = BTreeMap::new();
        let mut cells = Values::new();
        let tables: BTreeMap<String, Medium> = tables
            .into_iter()
            .map(|table| {
                let ids = self.share(&table);
                let ids = ids.map_err(|error| warnings.push(format!("a table is kept as a file alone: {error}")));
                let medium = table.file(step).medium(ids.ok().as_ref());
                (table.key, medium)
            })
            .collect();
        for (key, medium) in images.into_iter().chain(tables) {
            files.insert(medium.path, Content::Bytes(medium.bytes));
            cells.insert(key, medium.cell);
        }
        let tree = config(None, self.start.config.iter().chain(&end.config), &extras);
        self.push(written::found(&end.config, &extras))?;
        for name in &extras.hidden {
            self.push(written::hidden(name))?;
        }
        let (rows, last) = rows(end.history, end.summary, cells);
        let moment = self.clock.moment();
        for (step, row) in (0..).zip(&rows) {
            self.push(written::history(step, history(step, moment, row)))?;
        }
        let last_step = (rows.len() as u64).checked_sub(1);
        self.push(written::summary(summary(last_step, moment, &last)))?;
        files.extend(end.files.into_iter().map(|file| (file.name, file.content.into())));
        let records = Records {
            summary: summary_line(last_step, moment, &last),
            config: tree,
            metadata: Some(metadata(&self.start)),
            requirements: None,
            output: Some(Content::Bytes(self.output.clone().into_bytes())),
            others: files,
        };
        self.beside(records, &mut warnings)?;
        if let Some(data) = end.data
            && let Err(error) = self.keep(&dataset(&self.run, data), DATA, true)
        {
            warnings.push(format!("the data of the run are not kept: {error}"));
        }
        if let Some(found) = end.model {
            self.keep(&model(&self.run, found), MODEL, false)?;
        }
        self.exit(end.exit_code)?;
        Ok(Ended {
            warnings,
            waits: Some(self.directory),
        })
    }

    /// Puts the files of the run beside the log.
    fn beside(&mut self, records: Records, warnings: &mut Vec<String>) -> Result<(), TrackError> {
        let mut names = Vec::new();
        for (name, content) in records.files() {
            let copied = self.copy(FILES, &name, content);
            match copied {
                Ok(()) => names.push(name),
                Err(error) => warnings.push(format!("the file `{name}` is not kept: {error}")),
            }
        }
        Ok(self.push(written::files(names))?)
    }

    /// The table as an artifact; the names by which the history can speak of it.
    fn share(&mut self, table: &Table) -> Result<ClientIds, TrackError> {
        let artifact = run_table(&self.run, table.artifact(&self.run.run));
        let folder = format!("{TABLES}/{}", artifact.name);
        self.keep(&artifact, &folder, false)
    }

    /// Copies the files of an artifact to a folder beside the log, and names it there.
    fn keep(&mut self, artifact: &NewArtifact, folder: &str, is_given: bool) -> Result<ClientIds, TrackError> {
        let mut described = Described::of(artifact)?;
        for entry in &mut described.entries {
            if let Some(content) = entry.content.take() {
                self.copy(folder, &entry.path, content)?;
            }
        }
        let ids = described.client_ids.clone();
        let folder = format!("{}/{folder}", self.name);
        self.push(written::artifact(&self.run, described, &folder, is_given))?;
        Ok(ids)
    }

    fn copy(&self, folder: &str, name: &str, content: Content) -> Result<(), TrackError> {
        check_path(name).map_err(|why| TrackError::Broken { why })?;
        let path = self.directory.join(folder).join(name);
        if let Some(above) = path.parent() {
            sys::create_dir(above)?;
        }
        match content {
            Content::Bytes(bytes) => sys::write_atomic(&path, &bytes)?,
            Content::File(from) => sys::copy(&from, &path, MAX_FILE_BYTES)?,
        }
        Ok(())
    }
}
