//! What each column of a table is for. Pure.

use crate::base::{Diagnostic, Diagnostics};

use super::{Frame, Settings, SplitKind};

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Feature,
    Target,
    /// Named under `data.exclude`.
    Excluded,
    /// It carries the split, or groups or orders rows for it; a model must not see it.
    Split,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Target => "target",
            Self::Excluded => "excluded",
            Self::Split => "split",
        }
    }
}

/// The role of every column, in the order of the table.
///
/// # Errors
/// When the target or an excluded column is not in the data, the target is excluded, or no feature is left.
pub fn roles(frame: &Frame, settings: &Settings) -> Result<Vec<Role>, Diagnostics> {
    let mut problems = Diagnostics::default();
    if let Err(problem) = frame.find(&settings.target) {
        problems.push(problem.at(settings.target_span));
    }
    for (name, span) in &settings.exclude {
        if let Err(problem) = frame.find(name) {
            problems.push(problem.at(*span));
        } else if *name == settings.target {
            let message = format!("the target `{name}` can not be excluded");
            problems.push(Diagnostic::error("excluded-target", message).at(*span));
        }
    }
    let split: Vec<&str> = match settings.split.as_ref().map(|split| (&split.kind, split.span)) {
        Some((SplitKind::Group { column, .. } | SplitKind::Time { column, .. }, _)) => vec![column],
        Some((
            SplitKind::Column {
                column, group, time, ..
            },
            span,
        )) => {
            let kept: Vec<&str> = group.iter().chain(time).map(String::as_str).collect();
            for name in &kept {
                if let Err(problem) = frame.find(name) {
                    problems.push(problem.at(span));
                }
            }
            std::iter::once(column.as_str()).chain(kept).collect()
        }
        Some((SplitKind::Random { .. } | SplitKind::Stratified { .. }, _)) | None => Vec::new(),
    };
    let role = |name: &str| {
        if name == settings.target {
            Role::Target
        } else if settings.exclude.iter().any(|(excluded, _)| excluded == name) {
            Role::Excluded
        } else if split.contains(&name) {
            Role::Split
        } else {
            Role::Feature
        }
    };
    let roles: Vec<Role> = frame.columns().iter().map(|column| role(&column.name)).collect();
    if !problems.has_errors() && !roles.contains(&Role::Feature) {
        let message = "no column is left as a feature";
        problems.push(
            Diagnostic::error("no-features", message)
                .at(settings.target_span)
                .help("exclude fewer columns, or add some to the data"),
        );
    }
    if problems.has_errors() {
        Err(problems)
    } else {
        Ok(roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::data::testing::{frame, numbers};
    use crate::data::{Size, Split};

    #[test]
    fn every_column_has_a_role_and_unknown_names_a_hint() {
        let table = frame(["id", "age", "y", "site"].map(|name| numbers(name, &[1.0])).to_vec());
        let mut settings = Settings {
            source: String::new(),
            source_span: Span::new(1, 1, 1),
            target: "y".to_owned(),
            target_span: Span::new(4, 11, 12),
            task: None,
            exclude: vec![("id".to_owned(), Span::new(5, 13, 15))],
            split: Some(Split {
                kind: SplitKind::Group {
                    column: "site".to_owned(),
                    test: Size::Share(0.2),
                },
                seed: 1,
                span: Span::new(6, 3, 8),
            }),
            contract: None,
        };
        let names = |roles: Vec<Role>| roles.into_iter().map(Role::name).collect::<Vec<_>>().join(" ");
        assert_eq!(
            roles(&table, &settings).map(names),
            Ok("excluded feature target split".to_owned())
        );
        settings.exclude = vec![
            ("aeg".to_owned(), Span::new(5, 13, 16)),
            ("y".to_owned(), Span::new(5, 18, 19)),
        ];
        insta::assert_snapshot!(roles(&table, &settings).unwrap_err().to_string(), @r"
        error[unknown-column]: there is no column `aeg` in the data
          --> 5:13
          = help: did you mean `age`?

        error[excluded-target]: the target `y` can not be excluded
          --> 5:18
        ");
        settings.exclude = vec![
            ("id".to_owned(), Span::new(5, 13, 15)),
            ("age".to_owned(), Span::new(5, 18, 19)),
        ];
        assert_eq!(
            roles(&table, &settings).unwrap_err().iter().next().unwrap().code,
            "no-features"
        );
    }
}
