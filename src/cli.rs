//! The command line: argv and the environment become an [`Invocation`]; nothing else reads either.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Under this name the program is the action.
const ACTION: &str = "mlops-action";

/// The lifecycle of a repository's model: check, train, compare, gate, publish, promote.
#[derive(Debug, Parser)]
#[command(name = "mlops", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct Common {
    /// Work in this directory
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// The configuration file [default: mlops.yaml, then .github/mlops.yaml]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What stdout carries
    #[arg(long, value_enum, default_value_t = Format::Human, global = true)]
    pub format: Format,
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    pub color: Color,
    /// Say only the result
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Human,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at the repository, write mlops.yaml and the workflows, explain each choice
    Init(InitOptions),
    /// Which trigger, permission, secret or setting is missing, with the YAML to add
    Doctor,
    /// The whole lifecycle: data, lint, tests, training, comparison, gates, a version, a report
    Run {
        /// Keep the model in the run's directory, write no version
        #[arg(long)]
        no_publish: bool,
        /// Only what linters find on lines that changed since this commit or branch counts
        #[arg(long, value_name = "REF")]
        since: Option<String>,
        /// This one of the repository's own steps alone, with those that it needs
        #[arg(long, value_name = "NAME", conflicts_with_all = ["no_publish", "since"])]
        step: Option<String>,
    },
    /// Configuration, data contract, lint and test gates; no training
    Check {
        /// Only what linters find on lines that changed since this commit or branch counts
        #[arg(long, value_name = "REF")]
        since: Option<String>,
    },
    /// Compare two versions on today's held-out rows
    Compare {
        /// The champion: a version or an alias
        champion: String,
        /// The challenger: a version or an alias
        challenger: String,
    },
    /// Make a version of the last finished run
    Publish,
    /// Move the production alias to a version whose gates are all green
    Promote {
        /// A version or an alias [default: candidate]
        version: Option<String>,
        /// Let gates that warned count as passed; the ledger says so
        #[arg(long)]
        accept_warnings: bool,
    },
    /// Move the production alias back to where it was before
    Rollback,
    /// What is in the registry now
    Status,
    /// Every publication and promotion, oldest first
    History,
    /// Deliver to W&B what could not be delivered when it was made
    Sync {
        /// Directories of runs that wait, or of an unpacked artifact; without one, everything that waits here
        directories: Vec<PathBuf>,
    },
    /// Score a data file with a version of the registry
    Predict {
        /// CSV, Parquet or JSON Lines; a path or a glob
        input: String,
        /// A version or an alias [default: production, else candidate]
        #[arg(long)]
        version: Option<String>,
        /// Write here instead of stdout
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// What every column of a data file holds
    Profile {
        /// CSV, Parquet or JSON Lines; a path or a glob
        input: String,
    },
    /// Whether data changed: two data sets, or the repository's data since production was trained
    Drift(Box<DriftOptions>),
    /// Whether one of two models is better, from a file with what both said
    Decide(Box<DecideOptions>),
    /// Where a column of numbers, such as a model's errors, changes from one row to the next
    Watch(WatchOptions),
    /// Show a finished run again
    Report {
        /// The run's directory [default: the last run]
        run: Option<PathBuf>,
        /// How to show it
        #[arg(long = "as", value_enum, default_value_t = Rendering::Terminal)]
        rendering: Rendering,
    },
    /// What the event of a GitHub runner asks for; the container starts this
    #[command(hide = true)]
    Action,
    /// The JSON Schema of mlops.yaml
    Schema {
        /// A Markdown table instead
        #[arg(long, value_enum)]
        table: Option<SchemaTable>,
    },
}

#[derive(Debug, Clone, Args)]
pub struct InitOptions {
    /// The data to train on: a path or a glob [default: the likeliest file]
    #[arg(long, value_name = "FILE")]
    pub data: Option<String>,
    /// The column to predict [default: one that is named like it, else the last]
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// [default: ridge or logistic]
    #[arg(long, value_name = "NAME")]
    pub estimator: Option<String>,
    /// The model's name in the registry
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Let the reviewers of a GitHub environment approve promotions
    #[arg(long)]
    pub environment: bool,
    /// The default branch [default: what Git says here]
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// Write the workflows for the mlops.yaml that is there
    #[arg(long, conflicts_with_all = ["data", "target", "estimator", "model", "environment"])]
    pub workflows: bool,
    /// Show what would be written
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub struct DriftOptions {
    /// What is compared with: CSV, Parquet or JSON Lines; a path or a glob [default: what production was trained on]
    #[arg(requires = "current")]
    pub reference: Option<String>,
    /// What may have changed [default: the data of the configuration]
    pub current: Option<String>,
    /// How columns are tested: corrected for how many there are, or as Evidently does
    #[arg(long, value_enum, default_value_t = DriftMode::Calibrated, requires = "reference")]
    pub mode: DriftMode,
    /// The column that is predicted
    #[arg(long, value_name = "COLUMN", requires = "reference")]
    pub target: Option<String>,
    /// The column with what a model predicted
    #[arg(long, value_name = "COLUMN", requires = "reference")]
    pub prediction: Option<String>,
    /// The column that says when a row was; rows that follow one another count for less
    #[arg(long, value_name = "COLUMN", requires = "reference")]
    pub time: Option<String>,
    /// Compare with reference rows of the same season, or numbers by their change since one season earlier
    #[arg(long, value_enum, requires = "time")]
    pub seasonal: Option<DriftSeason>,
    /// Only these columns
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', requires = "reference")]
    pub include: Vec<String>,
    /// Without these columns
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', requires = "reference")]
    pub exclude: Vec<String>,
    /// What a column is: COLUMN=num, cat, text or datetime
    #[arg(long = "type", value_name = "COLUMN=TYPE", requires = "reference")]
    pub types: Vec<String>,
    /// Mode evidently: the test of a type of columns, or of one: num=psi, COLUMN=ks
    #[arg(long = "method", value_name = "TYPE=TEST", requires = "reference")]
    pub methods: Vec<String>,
    /// Mode evidently: the threshold of every test, or of one column: 0.1, COLUMN=0.2
    #[arg(long = "threshold", value_name = "NUMBER", requires = "reference")]
    pub thresholds: Vec<String>,
    /// The chance of any false alarm [default: 0.05]
    #[arg(long, value_name = "SHARE", requires = "reference")]
    pub alpha: Option<f64>,
    /// Smaller changes are none [default: 0.1]
    #[arg(long, value_name = "SIZE", requires = "reference")]
    pub min_effect: Option<f64>,
    /// From this share of columns on the data set drifted [default: 0.5]
    #[arg(long, value_name = "SHARE", requires = "reference")]
    pub max_share: Option<f64>,
    /// Fewer rows decide nothing [default: 20]
    #[arg(long, value_name = "ROWS", requires = "reference")]
    pub min_rows: Option<u64>,
    /// Fixes what is drawn at random
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "reference")]
    pub seed: u64,
    /// Drift ends with exit code 1
    #[arg(long, requires = "reference")]
    pub fail: bool,
    /// With --format json, every test of each column beside the one that decides
    #[arg(long, requires = "reference")]
    pub all_tests: bool,
    /// Write the report here: .html or .md
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct DecideOptions {
    /// What was right and what two models said, one line a row: CSV, Parquet or JSON Lines; a path or a glob
    #[arg(required_unless_present = "folds", conflicts_with = "folds")]
    pub predictions: Option<String>,
    /// The column with what was right
    #[arg(long, value_name = "COLUMN", required_unless_present_any = ["folds", "p_values"], conflicts_with = "folds")]
    pub truth: Option<String>,
    /// The column with what the champion said: numbers, classes, or probabilities of the second of two classes
    #[arg(long, value_name = "COLUMN", default_value = "champion")]
    pub champion: String,
    /// The column with what the challenger said
    #[arg(long, value_name = "COLUMN", default_value = "challenger")]
    pub challenger: String,
    /// What kind of question it is [default: what the columns hold]
    #[arg(long, value_enum, requires = "predictions")]
    pub task: Option<DecideTask>,
    /// The metric that decides, then those that must not get worse [default: those of the task]
    #[arg(long = "metric", value_name = "NAME")]
    pub metrics: Vec<String>,
    /// How much worse is still the same: accuracy=0.01 in the unit of the metric, rmse=2% of the champion's value
    #[arg(long = "margin", value_name = "NAME=LOSS")]
    pub margins: Vec<String>,
    /// Rows with the same value here vary together
    #[arg(long, value_name = "COLUMN", requires = "truth")]
    pub group: Option<String>,
    /// Rows follow one another as this column says
    #[arg(long, value_name = "COLUMN", requires = "truth", conflicts_with = "group")]
    pub time: Option<String>,
    /// How many moments ahead the models look
    #[arg(long, value_name = "N", default_value_t = 1, requires = "time")]
    pub horizon: u64,
    /// Compare each value of this column by itself too
    #[arg(long = "slice", value_name = "COLUMN", requires = "truth")]
    pub slices: Vec<String>,
    /// How much worse a slice may be, in errors or shares of wrong rows [default: nothing]
    #[arg(long, value_name = "LOSS", requires = "slices")]
    pub slice_margin: Option<String>,
    /// How p-values are corrected for their number: holm, bonferroni, sidak, holm-sidak, hochberg, bh or by
    #[arg(long, value_name = "METHOD", default_value = "holm")]
    pub adjust: String,
    /// Fewer rows decide nothing, nor does a slice with fewer [default: 30]
    #[arg(long, value_name = "ROWS", requires = "truth")]
    pub min_rows: Option<u64>,
    /// These rows have judged so many challengers, this one included: the chance of a mistake is shared among them
    #[arg(long, value_name = "N", requires = "truth", value_parser = clap::value_parser!(u64).range(1..))]
    pub uses: Option<u64>,
    /// The chance of a wrong "better", and of a wrong "not worse" [default: 0.05]
    #[arg(long, value_name = "SHARE", requires = "truth")]
    pub alpha: Option<f64>,
    /// Bounds by the theory of many rows, whatever their number
    #[arg(long, requires = "truth")]
    pub asymptotic: bool,
    /// Fixes what is drawn at random
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Scores of the folds of a cross-validation instead, one line a fold
    #[arg(long, value_name = "FILE", requires_all = ["n_train", "n_test"])]
    pub folds: Option<String>,
    /// Rows that one fold trains on
    #[arg(long, value_name = "ROWS", requires = "folds")]
    pub n_train: Option<u64>,
    /// Rows that one fold is tested on
    #[arg(long, value_name = "ROWS", requires = "folds")]
    pub n_test: Option<u64>,
    /// Only correct the p-values of this column for their number
    #[arg(long = "p", value_name = "COLUMN", conflicts_with_all = ["truth", "folds"])]
    pub p_values: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DecideTask {
    Regression,
    Binary,
    Multiclass,
}

#[derive(Debug, Clone, Args)]
pub struct WatchOptions {
    /// CSV, Parquet or JSON Lines; a path or a glob
    #[arg(required_unless_present = "list", value_name = "DATA")]
    pub data: Option<String>,
    /// The numbers to watch
    #[arg(long, value_name = "COLUMN", required_unless_present = "list")]
    pub column: Option<String>,
    /// Who watches; --list names them all
    #[arg(long, value_name = "NAME", default_value = "adwin")]
    pub detector: String,
    /// A parameter of the detector: NAME=VALUE
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
    /// Bring the rows into the order of this column [default: the order in the files]
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// Name the detectors, what each signals, and its parameters with their usual values
    #[arg(long)]
    pub list: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DriftMode {
    Calibrated,
    Evidently,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DriftSeason {
    Month,
    Weekday,
    Hour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaTable {
    Keys,
    Estimators,
    Tests,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rendering {
    Terminal,
    Markdown,
    Html,
    Json,
}

/// Everything that the outside says, in one value.
#[derive(Debug)]
pub struct Invocation {
    pub cli: Cli,
    pub env: BTreeMap<String, String>,
    /// Whether stdout and stderr are terminals.
    pub terminal: Terminal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    pub stdout: bool,
    pub stderr: bool,
}

impl Invocation {
    pub fn parse(
        args: impl IntoIterator<Item = OsString>,
        env: BTreeMap<String, String>,
        terminal: Terminal,
    ) -> Result<Self, clap::Error> {
        let mut args = args.into_iter().peekable();
        let name = args
            .peek()
            .and_then(|path| PathBuf::from(path).file_name().map(OsString::from));
        // The runner lets a workflow add arguments to a container: they are none of ours.
        let cli = if name.is_some_and(|name| name == ACTION) {
            Cli::try_parse_from(["mlops", "action"])?
        } else {
            Cli::try_parse_from(args)?
        };
        Ok(Self { cli, env, terminal })
    }

    /// The same surroundings, for the action in this directory with this configuration.
    pub fn of_action(&self, directory: PathBuf, config: Option<PathBuf>) -> Self {
        Self {
            cli: Cli {
                command: Command::Action,
                common: Common {
                    directory: Some(directory),
                    config,
                    format: Format::Human,
                    color: Color::Never,
                    quiet: false,
                    verbose: 0,
                },
            },
            env: self.env.clone(),
            terminal: self.terminal,
        }
    }

    /// Colour on stdout: asked for, or a terminal that does not refuse it.
    pub fn color(&self) -> bool {
        match self.cli.common.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let set = |name: &str| self.env.get(name).is_some_and(|value| !value.is_empty());
                self.terminal.stdout && !set("NO_COLOR") && self.env.get("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }

    /// Columns of the terminal; 100 when nobody says.
    pub fn width(&self) -> usize {
        let columns = self.env.get("COLUMNS").and_then(|columns| columns.parse().ok());
        columns.unwrap_or(100).clamp(40, 160)
    }

    /// Who is acting, for the ledger.
    pub fn actor(&self) -> String {
        let named = ["GITHUB_ACTOR", "USER", "LOGNAME"]
            .iter()
            .find_map(|name| self.env.get(*name));
        named
            .filter(|name| !name.is_empty())
            .cloned()
            .unwrap_or_else(|| "unknown".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Invocation, clap::Error> {
        let args = line.split_whitespace().map(OsString::from);
        Invocation::parse(
            args,
            BTreeMap::new(),
            Terminal {
                stdout: false,
                stderr: false,
            },
        )
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn under_its_other_name_it_is_the_action_whatever_the_arguments() {
        let invocation = parse("/usr/local/bin/mlops-action rollback --unknown").unwrap();
        assert!(matches!(invocation.cli.command, Command::Action));
        assert!(matches!(
            parse("mlops rollback").unwrap().cli.command,
            Command::Rollback
        ));
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in ["mlops -C repo --format json run", "mlops run -C repo --format json"] {
            let invocation = parse(line).unwrap();
            assert_eq!(
                invocation.cli.common.directory.as_deref(),
                Some(std::path::Path::new("repo"))
            );
            assert_eq!(invocation.cli.common.format, Format::Json);
        }
        assert!(parse("mlops frobnicate").is_err());
    }
}
