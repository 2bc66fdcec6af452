//! The steps of a repository as an order that holds: every problem in it is found at once. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::base::{Diagnostic, Diagnostics, Span, nearest, shortened};

use super::pattern::Pattern;
use super::settings::{ITEM, Item, StepSettings, StepTask, Work, Written};

const MAX_STEPS: usize = 1000;
/// Inputs and outputs of all steps and items; every two of them are held against each other.
const MAX_PATTERNS: usize = 4000;
/// And what that may cost: the length of those with wildcards times the length of all.
const MAX_COST: usize = 1 << 30;
const MAX_NAME: usize = 64;

/// Checked steps, each after all that it needs; in the order of the file where that leaves a choice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    steps: Vec<PlannedStep>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    pub name: String,
    /// One, or one for each item.
    pub tasks: Vec<Arc<StepTask>>,
    /// The steps that must be done before, as their indices.
    pub after: Vec<usize>,
    /// Those of them that `needs` names; the others are told by their files.
    pub needs: Vec<usize>,
    /// Inputs that no step makes: they must be there, each at its place.
    pub given: Vec<(Pattern, Span)>,
}

impl Plan {
    /// # Errors
    /// Every problem of the steps at once, each with its place.
    pub fn of(written: &[StepSettings]) -> Result<Self, Diagnostics> {
        let mut problems = Diagnostics::default();
        if written.len() > MAX_STEPS {
            let message = format!("there are {} steps, more than {MAX_STEPS}", written.len());
            problems.push(
                Diagnostic::error("too-large", message)
                    .at(written[MAX_STEPS].span)
                    .help("make one step of those that differ in a value alone, with `foreach`"),
            );
            return Err(problems);
        }
        let read: Vec<Read> = written.iter().map(|step| Read::of(step, &mut problems)).collect();
        let patterns = || read.iter().flat_map(|read| read.inputs.iter().chain(&read.outputs));
        let lengths = patterns().map(|found| found.pattern.lengths());
        let [all, wild] = lengths.fold([0, 0], |sum, own| [sum[0] + own[0], sum[1] + own[1]]);
        let n_patterns = patterns().count();
        if n_patterns > MAX_PATTERNS || wild.saturating_mul(all) > MAX_COST {
            let message = format!("the steps have too many inputs and outputs, {n_patterns}");
            problems.push(
                Diagnostic::error("too-large", message)
                    .at(written[0].span)
                    .help("name directories or patterns instead of single files"),
            );
            return Err(problems);
        }
        let mut edges = named(written, &mut problems);
        let made = by_files(written, &read, &mut edges, &mut problems);
        let order = order(written, &edges, &mut problems);
        if problems.has_errors() {
            return Err(problems);
        }
        let mut place = vec![0; order.len()];
        for (at, step) in order.iter().enumerate() {
            place[*step] = at;
        }
        let steps = order.iter().map(|&step| {
            let places = |only_named: bool| -> Vec<usize> {
                let all = edges[step].iter().filter(|edge| !only_named || edge.makes.is_none());
                all.map(|edge| place[edge.needed])
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect()
            };
            PlannedStep {
                name: written[step].name.clone(),
                after: places(false),
                needs: places(true),
                given: given(&read[step], &made[step]),
                tasks: tasks(&written[step], &read[step]),
            }
        });
        Ok(Self { steps: steps.collect() })
    }

    pub fn steps(&self) -> &[PlannedStep] {
        &self.steps
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// This step and all that it needs, as indices in order; `None` if there is no such step.
    pub fn up_to(&self, name: &str) -> Option<Vec<usize>> {
        let last = self.steps.iter().position(|step| step.name == name)?;
        let mut wanted = BTreeSet::from([last]);
        for index in (0..=last).rev() {
            if wanted.contains(&index) {
                wanted.extend(&self.steps[index].after);
            }
        }
        Some(wanted.into_iter().collect())
    }

    /// The known name that is nearest to one that is not.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.steps.iter().map(|step| step.name.as_str()))
    }
}

/// The patterns of one step, for each of its items.
struct Read {
    inputs: Vec<OfItem>,
    outputs: Vec<OfItem>,
}

struct OfItem {
    pattern: Pattern,
    span: Span,
    /// `None`: of every item.
    item: Option<usize>,
}

impl Read {
    fn of(step: &StepSettings, problems: &mut Diagnostics) -> Self {
        name(step, problems);
        items(step, problems);
        let what = |key: &str| format!("steps.{}.{key}", shortened(&step.name));
        let mut inputs = Vec::new();
        if let Some(path) = step.work.path() {
            let file = Written {
                text: path.to_owned(),
                span: step.work_span,
            };
            inputs = patterns(&[file], &[], &what("notebook"), problems);
            if let Some(found) = inputs.iter().find(|found| found.pattern.literal().is_none()) {
                problems.push(
                    Diagnostic::error("bad-path", format!("`{}` names no single file", shortened(path)))
                        .at(found.span)
                        .help("write its path, without wildcards"),
                );
            }
        }
        inputs.extend(patterns(&step.inputs, &step.foreach, &what("inputs"), problems));
        let outputs = patterns(&step.outputs, &step.foreach, &what("outputs"), problems);
        for output in step.outputs.iter().filter(|output| !output.text.contains(ITEM)) {
            if step.foreach.len() > 1 {
                let message = format!("`{}` would be made by every item of `foreach`", shortened(&output.text));
                problems.push(
                    Diagnostic::error("conflict", message)
                        .at(output.span)
                        .help(format!("put `{ITEM}` into it, so that each item makes its own")),
                );
            }
        }
        Self { inputs, outputs }
    }
}

fn name(step: &StepSettings, problems: &mut Diagnostics) {
    let name = &step.name;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !begins || name.len() > MAX_NAME || !name.chars().all(is_plain) {
        problems.push(
            Diagnostic::error(
                "bad-name",
                format!("`{}` is not a usable name of a step", shortened(name)),
            )
            .at(step.span)
            .help(format!(
                "use at most {MAX_NAME} of `a` to `z`, digits, `-` and `_`, a letter or digit first"
            )),
        );
    }
}

fn items(step: &StepSettings, problems: &mut Diagnostics) {
    duplicates(
        &step.foreach,
        &format!("steps.{}.foreach", shortened(&step.name)),
        problems,
    );
    let in_paths = step
        .inputs
        .iter()
        .chain(&step.outputs)
        .any(|path| path.text.contains(ITEM));
    let is_name = |text: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        text.len() <= 128 && text.chars().all(is_plain) && text.starts_with(|c: char| c != '.')
    };
    for item in step.foreach.iter().filter(|item| in_paths && !is_name(&item.text)) {
        let message = format!("`{}` can not be a part of a path", shortened(&item.text));
        problems.push(
            Diagnostic::error("bad-name", message)
                .at(item.span)
                .help("use letters, digits, `-`, `_` and `.`, since `{item}` is in a path of this step"),
        );
    }
    if let Work::Run { command } = &step.work
        && command.contains(ITEM)
        && !step.foreach.is_empty()
    {
        let message = format!("`{ITEM}` is not put into commands, where it would be read as code");
        problems.push(
            Diagnostic::error("not-in-commands", message)
                .at(step.work_span)
                .help("write `\"$MLOPS_ITEM\"` instead"),
        );
    }
}

fn duplicates(list: &[Written], what: &str, problems: &mut Diagnostics) {
    let mut seen = BTreeSet::new();
    for one in list.iter().filter(|one| !seen.insert(one.text.as_str())) {
        problems.push(
            Diagnostic::error("duplicate", format!("`{}` is in `{what}` twice", shortened(&one.text)))
                .at(one.span)
                .help("remove one of them"),
        );
    }
}

fn patterns(list: &[Written], items: &[Written], what: &str, problems: &mut Diagnostics) -> Vec<OfItem> {
    duplicates(list, what, problems);
    let mut found = Vec::new();
    for one in list {
        let texts: Vec<(Option<usize>, String)> = if one.text.contains(ITEM) && !items.is_empty() {
            let of = |(index, item): (usize, &Written)| (Some(index), one.text.replace(ITEM, &item.text));
            items.iter().enumerate().map(of).collect()
        } else {
            vec![(None, one.text.clone())]
        };
        if one.text.contains(ITEM) && items.is_empty() {
            problems.push(
                Diagnostic::error(
                    "bad-path",
                    format!("`{}` has an item, and there is none", shortened(&one.text)),
                )
                .at(one.span)
                .help("add `foreach: […]` to this step, or remove `{item}`"),
            );
        }
        for (item, text) in texts {
            match Pattern::parse(&text) {
                Ok(pattern) => found.push(OfItem {
                    pattern,
                    span: one.span,
                    item,
                }),
                Err(error) => {
                    let message = format!("`{}` in `{what}` {}", shortened(&text), error.why);
                    problems.push(Diagnostic::error(error.code, message).at(one.span).help(error.help));
                    break;
                }
            }
        }
    }
    found
}

/// One step needs another.
struct Edge {
    needed: usize,
    span: Span,
    /// The file by which it is told; `None` where `needs` says so.
    makes: Option<String>,
}

fn named(written: &[StepSettings], problems: &mut Diagnostics) -> Vec<Vec<Edge>> {
    let known: BTreeMap<&str, usize> = written
        .iter()
        .enumerate()
        .map(|(at, step)| (step.name.as_str(), at))
        .collect();
    let mut edges = Vec::new();
    for step in written {
        duplicates(&step.needs, &format!("steps.{}.needs", shortened(&step.name)), problems);
        let mut own = Vec::new();
        for need in &step.needs {
            if let Some(&needed) = known.get(need.text.as_str()) {
                own.push(Edge {
                    needed,
                    span: need.span,
                    makes: None,
                });
                continue;
            }
            let problem = Diagnostic::error("unknown-step", format!("there is no step `{}`", shortened(&need.text)));
            let near = nearest(&need.text, known.keys().copied());
            let help = near.map_or_else(
                || {
                    let some: Vec<&str> = known.keys().copied().take(20).collect();
                    format!("the steps are: {}", some.join(", "))
                },
                |near| format!("did you mean `{near}`?"),
            );
            problems.push(problem.at(need.span).help(help));
        }
        edges.push(own);
    }
    edges
}

/// Who reads what another makes needs it; what two make, or one reads and makes, is a problem. Each step's inputs that
/// some step makes, by their index.
fn by_files(
    written: &[StepSettings],
    read: &[Read],
    edges: &mut [Vec<Edge>],
    problems: &mut Diagnostics,
) -> Vec<BTreeSet<usize>> {
    let outputs: Vec<(usize, &OfItem)> = read
        .iter()
        .enumerate()
        .flat_map(|(step, read)| read.outputs.iter().map(move |output| (step, output)))
        .collect();
    let mut told = BTreeSet::new();
    for (at, (step, output)) in outputs.iter().enumerate() {
        for (other, earlier) in &outputs[..at] {
            // The same text twice is told already.
            let is_one = step == other && output.pattern.text() == earlier.pattern.text();
            if is_one || !output.pattern.overlaps(&earlier.pattern) || !told.insert((output.span, earlier.span)) {
                continue;
            }
            let text = shortened(output.pattern.text());
            let message = if step != other {
                let [one, two] = [*other, *step].map(|step| shortened(&written[step].name));
                format!("`{text}` is made by two steps, `{one}` and `{two}`")
            } else if output.item == earlier.item || output.span != earlier.span {
                let name = shortened(&written[*step].name);
                format!("`{text}` is among the outputs of `{name}` twice")
            } else {
                format!("`{text}` can be made by two items of `foreach`")
            };
            problems.push(
                Diagnostic::error("conflict", message)
                    .at(output.span)
                    .help("let each file be made by one, and name it once"),
            );
        }
    }
    let mut made = vec![BTreeSet::new(); read.len()];
    for (reader, own) in read.iter().enumerate() {
        for (index, input) in own.inputs.iter().enumerate() {
            for (maker, output) in &outputs {
                if !input.pattern.overlaps(&output.pattern) {
                    continue;
                }
                made[reader].insert(index);
                let text = output.pattern.text();
                if *maker != reader {
                    let is_new = !edges[reader]
                        .iter()
                        .any(|edge| edge.needed == *maker && edge.makes.is_some());
                    if is_new {
                        edges[reader].push(Edge {
                            needed: *maker,
                            span: input.span,
                            makes: Some(text.to_owned()),
                        });
                    }
                } else if told.insert((output.span, input.span)) {
                    let name = shortened(&written[reader].name);
                    let message = format!("`{}` is an input and an output of `{name}`", shortened(text));
                    problems.push(
                        Diagnostic::error("conflict", message).at(input.span).help(
                            "write to another file, or name as inputs only the files that the step does not make",
                        ),
                    );
                }
            }
        }
    }
    made
}

/// The steps in order; every circle is told whole.
fn order(written: &[StepSettings], edges: &[Vec<Edge>], problems: &mut Diagnostics) -> Vec<usize> {
    let mut n_left: Vec<usize> = edges
        .iter()
        .map(|own| own.iter().map(|edge| edge.needed).collect::<BTreeSet<_>>().len())
        .collect();
    let mut dependants: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); edges.len()];
    for (step, own) in edges.iter().enumerate() {
        for edge in own {
            dependants[edge.needed].insert(step);
        }
    }
    let mut ready: BTreeSet<usize> = (0..edges.len()).filter(|step| n_left[*step] == 0).collect();
    let mut left: BTreeSet<usize> = (0..edges.len()).collect();
    let mut order = Vec::with_capacity(edges.len());
    loop {
        while let Some(step) = ready.pop_first() {
            left.remove(&step);
            order.push(step);
            for &dependant in &dependants[step] {
                n_left[dependant] = n_left[dependant].saturating_sub(1);
                if n_left[dependant] == 0 && left.contains(&dependant) {
                    ready.insert(dependant);
                }
            }
        }
        let Some(&first) = left.first() else { return order };
        let circle = circle(first, edges, &left);
        problems.push(told(&circle, written));
        // What is only behind this circle is no problem of its own; another circle is.
        for edge in &circle {
            ready.insert(edge.needed);
        }
    }
}

/// A circle that is met on the way from a step to what it needs, among those that are left.
fn circle<'e>(first: usize, edges: &'e [Vec<Edge>], left: &BTreeSet<usize>) -> Vec<&'e Edge> {
    let mut way: Vec<&Edge> = Vec::new();
    let mut seen = BTreeMap::from([(first, 0)]);
    let mut at = first;
    // Each of them has an edge to another of them, or it would have become ready.
    while let Some(edge) = edges[at].iter().find(|edge| left.contains(&edge.needed)) {
        way.push(edge);
        at = edge.needed;
        if let Some(&start) = seen.get(&at) {
            return way.split_off(start);
        }
        seen.insert(at, way.len());
    }
    way
}

fn told(circle: &[&Edge], written: &[StepSettings]) -> Diagnostic {
    // An edge leads to the step that it needs, so the last one leads to where the first one begins.
    let Some(last) = circle.last() else {
        return Diagnostic::error("cycle", "the steps need each other in a circle");
    };
    let name = |step: usize| shortened(&written[step].name);
    let mut from = last.needed;
    let mut parts = Vec::new();
    for edge in circle {
        let (own, needed) = (name(from), name(edge.needed));
        parts.push(match &edge.makes {
            None if own == needed => format!("`{own}` needs itself"),
            None => format!("`{own}` needs `{needed}`"),
            Some(file) => format!("`{own}` reads `{}`, which `{needed}` makes", shortened(file)),
        });
        from = edge.needed;
    }
    Diagnostic::error("cycle", format!("the steps wait for each other: {}", parts.join("; ")))
        .at(circle[0].span)
        .help("remove one of these")
}

fn given(read: &Read, made: &BTreeSet<usize>) -> Vec<(Pattern, Span)> {
    let inputs = read.inputs.iter().enumerate();
    inputs
        .filter(|(index, _)| !made.contains(index))
        .map(|(_, input)| (input.pattern.clone(), input.span))
        .collect()
}

fn tasks(step: &StepSettings, read: &Read) -> Vec<Arc<StepTask>> {
    let task = |item: Option<Item>| {
        let own = |found: &[OfItem]| {
            let of = |one: &&OfItem| one.item.is_none() || one.item == item.as_ref().map(|item| item.index);
            found.iter().filter(of).map(|one| one.pattern.clone()).collect()
        };
        let mut env = step.env.clone();
        env.insert("MLOPS_STEP".to_owned(), step.name.clone());
        if let Some(item) = &item {
            env.insert("MLOPS_ITEM".to_owned(), item.text.clone());
        }
        Arc::new(StepTask {
            name: step.name.clone(),
            inputs: own(&read.inputs),
            outputs: own(&read.outputs),
            work: with_item(&step.work, item.as_ref()),
            n_retries: step.n_retries,
            timeout: step.timeout,
            memory_bytes: step.memory_bytes,
            has_network: step.has_network,
            env,
            item,
        })
    };
    if step.foreach.is_empty() {
        return vec![task(None)];
    }
    let items = step.foreach.iter().enumerate();
    items
        .map(|(index, item)| {
            task(Some(Item {
                index,
                text: item.text.clone(),
            }))
        })
        .collect()
}

/// The item in the texts of parameters; never in a command.
fn with_item(work: &Work, item: Option<&Item>) -> Work {
    let Some(item) = item else { return work.clone() };
    let put = |params: &Map<String, Value>| -> Map<String, Value> {
        let params = params.iter().map(|(name, value)| {
            let value = match value {
                Value::String(text) => Value::String(text.replace(ITEM, &item.text)),
                other => other.clone(),
            };
            (name.clone(), value)
        });
        params.collect()
    };
    match work {
        Work::Run { .. } => work.clone(),
        Work::Notebook { path, params } => Work::Notebook {
            path: path.clone(),
            params: put(params),
        },
        Work::Metaflow { path, params } => Work::Metaflow {
            path: path.clone(),
            params: put(params),
        },
    }
}
