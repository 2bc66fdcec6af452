//! What the output of a running flow says line by line. Pure.
//!
//! For the eyes alone: a task can print any of it. What happened is read from the datastore.

/// One line of a flow's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    Task {
        run_id: &'a str,
        step: &'a str,
        task: &'a str,
        what: What<'a>,
    },
    /// Of the flow itself, with the time left out.
    Flow(&'a str),
    /// Without a time: before the run and after it.
    Other(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What<'a> {
    Started {
        is_retry: bool,
    },
    Finished,
    Failed,
    /// How many tasks a `foreach` makes.
    Splits(usize),
    Output(&'a str),
}

/// A line of a flow's output as a log shows it: by its step and task, without the time, the run and the process.
pub fn shown(line: &str) -> String {
    match parse_line(line) {
        Line::Task { step, task, what, .. } => {
            let what = match what {
                What::Started { is_retry: false } => "began".to_owned(),
                What::Started { is_retry: true } => "began again".to_owned(),
                What::Finished => "is done".to_owned(),
                What::Failed => "failed".to_owned(),
                What::Splits(n) => format!("makes {n} tasks"),
                What::Output(text) => return format!("{step}/{task}: {text}"),
            };
            format!("{step}/{task} {what}")
        }
        Line::Flow(text) | Line::Other(text) => text.to_owned(),
    }
}

/// `YYYY-MM-DD hh:mm:ss.mmm [RUN/STEP/TASK (pid N)] text`.
pub fn parse_line(line: &str) -> Line<'_> {
    let Some(rest) = after_time(line) else {
        return Line::Other(line);
    };
    task_of(rest).unwrap_or(Line::Flow(rest))
}

fn after_time(line: &str) -> Option<&str> {
    let (time, rest) = line.split_at_checked("YYYY-MM-DD hh:mm:ss.mmm".len())?;
    let is_time = time
        .bytes()
        .zip(b"0000-00-00 00:00:00.000")
        .all(|(byte, like)| match like {
            b'0' => byte.is_ascii_digit(),
            other => byte == *other,
        });
    rest.strip_prefix(' ').filter(|_| is_time)
}

fn task_of(rest: &str) -> Option<Line<'_>> {
    let (head, text) = rest.strip_prefix('[')?.split_once(']')?;
    let (path, pid) = head.split_once(" (pid ")?;
    let is_pid = pid.strip_suffix(')')?.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = path.split('/');
    let (run_id, step, task) = (parts.next()?, parts.next()?, parts.next()?);
    if !is_pid || parts.next().is_some() {
        return None;
    }
    Some(Line::Task {
        run_id,
        step,
        task,
        what: what_of(text.strip_prefix(' ').unwrap_or(text)),
    })
}

fn what_of(text: &str) -> What<'_> {
    match text {
        "Task is starting." => What::Started { is_retry: false },
        "Task is starting (retry)." => What::Started { is_retry: true },
        "Task finished successfully." => What::Finished,
        "Task failed." => What::Failed,
        other => other
            .strip_prefix("Foreach yields ")
            .and_then(|rest| rest.strip_suffix(" child steps.")?.parse().ok())
            .map_or(What::Output(other), What::Splits),
    }
}
