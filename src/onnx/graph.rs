//! A graph, checked and put into an order in which it runs. Pure.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::OnnxError;
use super::attributes::Attributes;
use super::ops;
use super::proto;
use super::tensor::{Fault, Tensor, Value};

/// What all values that are alive at one moment may take.
pub const MAX_LIVE_BYTES: usize = 1 << 30;

/// The domain of the classical operators; the standard ones are in the empty domain.
pub const ML: &str = "ai.onnx.ml";

/// What a run may still use.
#[derive(Debug)]
pub struct Meter {
    live_bytes: Cell<usize>,
    steps_left: Cell<u64>,
}

impl Meter {
    pub fn new(steps: u64) -> Self {
        Self {
            live_bytes: Cell::new(0),
            steps_left: Cell::new(steps),
        }
    }

    /// The same steps, and nothing alive.
    pub fn fresh(&self) -> &Self {
        self.live_bytes.set(0);
        self
    }

    /// Before a calculation of that many steps, each of which is some nanoseconds.
    pub fn spend(&self, steps: u64) -> Result<(), Fault> {
        let left = self.steps_left.get().checked_sub(steps).ok_or(Fault::TooLong)?;
        self.steps_left.set(left);
        Ok(())
    }

    /// As [`Meter::spend`], for a product of counts.
    pub fn spend_product(&self, counts: &[usize]) -> Result<(), Fault> {
        let steps = counts.iter().try_fold(1_u64, |n, &count| n.checked_mul(count as u64));
        self.spend(steps.ok_or(Fault::TooLong)?)
    }

    fn keep(&self, bytes: usize) -> Result<(), Fault> {
        let live = self.live_bytes.get().saturating_add(bytes);
        self.live_bytes.set(live);
        if live > MAX_LIVE_BYTES {
            Err(Fault::TooLarge)
        } else {
            Ok(())
        }
    }

    fn release(&self, bytes: usize) {
        self.live_bytes.set(self.live_bytes.get().saturating_sub(bytes));
    }
}

/// What an operator is called with.
#[derive(Debug)]
pub struct Call<'a> {
    pub inputs: Vec<Option<Arc<Value>>>,
    pub meter: &'a Meter,
}

impl Call<'_> {
    pub fn optional(&self, i: usize) -> Result<Option<&Tensor>, Fault> {
        match self.inputs.get(i).and_then(Option::as_deref) {
            Some(Value::Tensor(tensor)) => Ok(Some(tensor)),
            Some(Value::Maps { .. }) => Err(Fault::Wrong("its input is a sequence of maps".to_owned())),
            None => Ok(None),
        }
    }

    pub fn tensor(&self, i: usize) -> Result<&Tensor, Fault> {
        self.optional(i)?
            .ok_or_else(|| Fault::Wrong(format!("its input {} is missing", i + 1)))
    }
}

pub type Kernel = Box<dyn Fn(&Call) -> Result<Vec<Value>, Fault> + Send + Sync>;

struct Step {
    operator: String,
    name: String,
    kernel: Kernel,
    inputs: Vec<Option<usize>>,
    outputs: Vec<Option<usize>>,
    /// What nobody needs after this step.
    frees: Vec<usize>,
}

/// A graph of which every name is known and every operator made.
pub struct Program {
    steps: Vec<Step>,
    /// The values before the first step, constants filled in.
    slots: Vec<Option<Arc<Value>>>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program of {} steps", self.steps.len())
    }
}

impl Program {
    /// `opsets` are the versions of the domains; `depth` is how many graphs this one is within.
    pub fn new(graph: &proto::Graph, opsets: &BTreeMap<String, i64>, depth: usize) -> Result<Self, OnnxError> {
        let mut names = Names::default();
        let mut constants = Vec::new();
        for tensor in &graph.initializers {
            let slot = names.define(&tensor.name, "an initializer")?;
            let value = Tensor::read(tensor).map_err(|fault| OnnxError::Tensor {
                name: tensor.name.clone(),
                fault,
            })?;
            constants.push((slot, value));
        }
        let mut inputs = Vec::new();
        for input in free_inputs(graph) {
            inputs.push(names.define(&input.name, "an input")?);
        }
        let mut steps = Vec::with_capacity(graph.nodes.len());
        for node in &graph.nodes {
            steps.push(step(node, &mut names, opsets, depth)?);
        }
        let outputs = graph
            .outputs
            .iter()
            .map(|output| names.find(&output.name, "the end"))
            .collect::<Result<Vec<_>, _>>()?;
        let mut slots = vec![None; names.0.len()];
        for (slot, value) in constants {
            slots[slot] = Some(Arc::new(Value::Tensor(value)));
        }
        let mut kept: Vec<bool> = slots.iter().map(Option::is_some).collect();
        for &slot in &outputs {
            kept[slot] = true;
        }
        for step in steps.iter_mut().rev() {
            for &slot in step.inputs.iter().chain(&step.outputs).flatten() {
                if !kept[slot] {
                    kept[slot] = true;
                    step.frees.push(slot);
                }
            }
        }
        Ok(Self {
            steps,
            slots,
            inputs,
            outputs,
        })
    }

    pub fn n_inputs(&self) -> usize {
        self.inputs.len()
    }

    pub fn n_outputs(&self) -> usize {
        self.outputs.len()
    }

    /// The constant that an output of this name is, if it is one.
    pub fn constant(graph: &proto::Graph, name: &str) -> Option<Tensor> {
        let tensor = graph.initializers.iter().find(|tensor| tensor.name == name)?;
        Tensor::read(tensor).ok()
    }

    /// `inputs` in the order of the graph's.
    pub fn run(&self, inputs: Vec<Arc<Value>>, meter: &Meter) -> Result<Vec<Arc<Value>>, OnnxError> {
        let mut slots = self.slots.clone();
        let mut own_bytes = 0;
        for (&slot, value) in self.inputs.iter().zip(inputs) {
            slots[slot] = Some(value);
        }
        for step in &self.steps {
            let failed = |fault| OnnxError::Node {
                operator: step.operator.clone(),
                name: step.name.clone(),
                fault,
            };
            let call = Call {
                inputs: step
                    .inputs
                    .iter()
                    .map(|slot| slot.and_then(|slot| slots[slot].clone()))
                    .collect(),
                meter,
            };
            let values = (step.kernel)(&call).map_err(failed)?;
            if values.len() < step.outputs.len() {
                return Err(failed(Fault::Wrong(format!(
                    "it has {} outputs, not {}",
                    values.len(),
                    step.outputs.len()
                ))));
            }
            for (slot, value) in step.outputs.iter().zip(values) {
                let bytes = value.bytes();
                meter.spend(64 + bytes as u64 / 4).map_err(failed)?;
                if let Some(slot) = *slot {
                    meter.keep(bytes).map_err(failed)?;
                    own_bytes += bytes;
                    slots[slot] = Some(Arc::new(value));
                }
            }
            for &slot in &step.frees {
                if let Some(value) = slots[slot].take()
                    && !self.inputs.contains(&slot)
                {
                    meter.release(value.bytes());
                    own_bytes -= value.bytes();
                }
            }
        }
        meter.release(own_bytes);
        self.outputs
            .iter()
            .map(|&slot| {
                slots[slot]
                    .clone()
                    .ok_or(OnnxError::Invalid("an output is never computed".to_owned()))
            })
            .collect()
    }
}

/// The inputs that have no value of their own.
pub fn free_inputs(graph: &proto::Graph) -> impl Iterator<Item = &proto::Value> {
    let given: std::collections::BTreeSet<&str> =
        graph.initializers.iter().map(|tensor| tensor.name.as_str()).collect();
    graph
        .inputs
        .iter()
        .filter(move |input| !given.contains(input.name.as_str()))
}

#[derive(Debug, Default)]
struct Names(BTreeMap<String, usize>);

impl Names {
    fn define(&mut self, name: &str, by: &str) -> Result<usize, OnnxError> {
        let slot = self.0.len();
        if name.is_empty() || self.0.insert(name.to_owned(), slot).is_some() {
            return Err(OnnxError::Invalid(format!("the name `{name}` of {by} is not its own")));
        }
        Ok(slot)
    }

    fn find(&self, name: &str, before: &str) -> Result<usize, OnnxError> {
        let slot = self.0.get(name).copied();
        slot.ok_or_else(|| OnnxError::Invalid(format!("`{name}` is not computed before {before}")))
    }
}

fn step(
    node: &proto::Node,
    names: &mut Names,
    opsets: &BTreeMap<String, i64>,
    depth: usize,
) -> Result<Step, OnnxError> {
    let domain = if node.domain == "ai.onnx" { "" } else { &node.domain };
    let unknown = || OnnxError::Operator {
        operator: node.operator.clone(),
        domain: if domain.is_empty() {
            "ai.onnx".to_owned()
        } else {
            domain.to_owned()
        },
    };
    let version = *opsets.get(domain).ok_or_else(unknown)?;
    let make = ops::find(domain, &node.operator).ok_or_else(unknown)?;
    let inputs = node
        .inputs
        .iter()
        .map(|name| match name.as_str() {
            "" => Ok(None),
            name => names.find(name, &format!("`{}`", node.operator)).map(Some),
        })
        .collect::<Result<_, _>>()?;
    let kernel = Attributes::new(node, version, depth, opsets)
        .and_then(|attributes| make(&attributes))
        .map_err(|fault| OnnxError::Node {
            operator: node.operator.clone(),
            name: node.name.clone(),
            fault,
        })?;
    let outputs = node
        .outputs
        .iter()
        .map(|name| match name.as_str() {
            "" => Ok(None),
            name => names.define(name, "an output").map(Some),
        })
        .collect::<Result<_, _>>()?;
    Ok(Step {
        operator: node.operator.clone(),
        name: node.name.clone(),
        kernel,
        inputs,
        outputs,
        frees: Vec::new(),
    })
}
