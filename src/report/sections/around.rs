//! What stands around a report on GitHub: where to read on, and who computed it.

use super::super::document::{Address, Block, Document, Inline, Section, Tone, prose, text};

/// Where a report belongs. Nothing here changes what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// The page of the HTML report.
    pub report: Option<String>,
    /// The page of the run that computed it.
    pub run: Option<String>,
    /// The page of the run in a tracker.
    pub tracked: Option<String>,
    /// What can be done now, a sentence.
    pub next: Option<String>,
    /// It was computed by a run without rights, from a fork: its facts are what that run says.
    pub by_stranger: bool,
}

/// The same report with its links after the headline.
pub fn around(mut document: Document, around: &Around) -> Document {
    let mut blocks = Vec::new();
    if around.by_stranger {
        blocks.push(Block::Callout {
            tone: Tone::Plain,
            text: vec![text(
                "These numbers come from a run of a fork, without rights and without secrets; this repository did not compute them",
            )],
        });
    }
    blocks.extend(around.next.as_deref().map(|next| Block::Callout {
        tone: Tone::Plain,
        text: prose(next),
    }));
    let pages = [
        ("Full report", &around.report),
        ("Run", &around.run),
        ("Run in W&B", &around.tracked),
    ];
    let links: Vec<Inline> = pages
        .into_iter()
        .filter_map(|(name, page)| Some(Inline::Link(name.to_owned(), Address::new(page.as_deref()?)?)))
        .collect();
    let mut pieces = Vec::new();
    for link in links {
        if !pieces.is_empty() {
            pieces.push(text(" · "));
        }
        pieces.push(link);
    }
    if !pieces.is_empty() {
        blocks.push(Block::Note(pieces));
    }
    if !blocks.is_empty() {
        let section = Section {
            key: "links",
            priority: 1,
            blocks,
        };
        document.sections.insert(document.sections.len().min(1), section);
    }
    document
}
