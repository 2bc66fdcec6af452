//! A graph that runs once for each element of a list, as distances to neighbours are exported. Pure.

use std::sync::Arc;

use super::super::OnnxError;
use super::super::attributes::Attributes;
use super::super::graph::{Kernel, Program};
use super::super::tensor::{Fault, Tensor, Value, wrong};
use super::math::kernel;

/// States that each round hands on, and scanned lists along their first axis; what the rounds give is stacked. The graph
/// sees nothing from outside but these.
pub fn scan(attributes: &Attributes) -> Result<Kernel, Fault> {
    let unusual = [
        "scan_input_axes",
        "scan_input_directions",
        "scan_output_axes",
        "scan_output_directions",
    ];
    for name in unusual {
        if attributes.ints(name)?.iter().any(|&value| value != 0) {
            return wrong(format!("`{name}` other than 0 is not known"));
        }
    }
    if attributes.version < 9 {
        return wrong("its form before version 9 is not known");
    }
    let body = attributes.graph("body")?;
    let program = match Program::new(body, attributes.opsets, attributes.depth + 1) {
        Ok(program) => program,
        Err(error) => return wrong(format!("its inside: {}", told(&error))),
    };
    let n_scanned = usize::try_from(attributes.int_or("num_scan_inputs", 0)?).unwrap_or(0);
    let n_inputs = attributes.n_inputs;
    let Some(n_states) = n_inputs.checked_sub(n_scanned) else {
        return wrong("it scans more than it has inputs");
    };
    let n_outputs = program.n_outputs();
    if n_scanned == 0 || program.n_inputs() != n_inputs || n_outputs < n_states {
        return wrong("its inputs do not fit those of the graph within");
    }
    kernel(move |call| {
        let mut states: Vec<Arc<Value>> = Vec::with_capacity(n_states);
        for input in &call.inputs[..n_states] {
            match input {
                Some(value) => states.push(value.clone()),
                None => return wrong("a state is missing"),
            }
        }
        let scanned: Vec<&Tensor> = (n_states..n_inputs).map(|i| call.tensor(i)).collect::<Result<_, _>>()?;
        let n_rounds = scanned[0].shape().first().copied().unwrap_or(0);
        if scanned.iter().any(|list| list.shape().first() != Some(&n_rounds)) || n_rounds == 0 {
            return wrong("its lists are empty or not equally long");
        }
        let mut stacks: Vec<Option<Tensor>> = vec![None; n_outputs - n_states];
        let mut stacked: Vec<Vec<usize>> = vec![Vec::new(); n_outputs - n_states];
        for round in 0..n_rounds {
            let mut inputs = states;
            for list in &scanned {
                let shape = list.shape()[1..].to_vec();
                let n: usize = shape.iter().product();
                let data = list.data().pick(round * n..(round + 1) * n);
                inputs.push(Arc::new(Tensor::new(shape, data)?.into()));
            }
            let mut outputs = match program.run(inputs, call.meter) {
                Ok(outputs) => outputs,
                Err(OnnxError::Node {
                    fault: fault @ (Fault::TooLarge | Fault::TooLong),
                    ..
                }) => return Err(fault),
                Err(error) => return wrong(format!("its inside: {}", told(&error))),
            };
            let given = outputs.split_off(n_states);
            states = outputs;
            for ((stack, shape), value) in stacks.iter_mut().zip(&mut stacked).zip(given) {
                let Value::Tensor(value) = &*value else {
                    return wrong("the graph within gives maps");
                };
                *stack = Some(match stack.take() {
                    None => {
                        *shape = value.shape().to_vec();
                        value.shaped(vec![value.len()])?
                    }
                    Some(_) if shape != value.shape() => return wrong("its rounds give different shapes"),
                    Some(so_far) => {
                        let n = so_far.len() + value.len();
                        let mut data = so_far.into_data();
                        data.extend(value.data())?;
                        Tensor::new(vec![n], data)?
                    }
                });
            }
        }
        let mut results: Vec<Value> = states.iter().map(|state| (**state).clone()).collect();
        for (stack, shape) in stacks.into_iter().zip(stacked) {
            let stack = stack.ok_or_else(|| Fault::Wrong("it never ran".to_owned()))?;
            results.push(stack.shaped([&[n_rounds], &shape[..]].concat())?.into());
        }
        Ok(results)
    })
}

/// The error with its cause, on one line.
fn told(error: &OnnxError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
