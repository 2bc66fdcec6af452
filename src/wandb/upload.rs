//! What is sent to storage, as a body that is read in pieces and says when it moves.

use std::io::{self, Cursor};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use reqwest::Body;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio_util::io::ReaderStream;

use super::error::WandbError;
use super::tries::Progress;
use crate::sys;

/// How much is read and held at once.
const PIECE: usize = 256 << 10;

/// What is sent to storage.
#[derive(Debug, Clone)]
pub enum Upload {
    Bytes(Vec<u8>),
    /// `length` bytes of a file from `offset` on, read in pieces while they are sent.
    File {
        path: PathBuf,
        offset: u64,
        length: u64,
    },
}

impl Upload {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// As messages name it.
    pub(super) fn named(&self) -> String {
        match self {
            Self::Bytes(bytes) => format!("the upload of {} bytes", bytes.len()),
            Self::File { path, .. } => format!("the upload of `{}`", path.display()),
        }
    }

    /// A body of exactly this length, or an error in its midst.
    pub(super) fn body(&self, sent: &Arc<Sent>) -> Result<Body, WandbError> {
        if self.length() == 0 {
            return Ok(Body::from(Vec::new()));
        }
        Ok(match self {
            Self::Bytes(bytes) => watched(Cursor::new(bytes.clone()), self.length(), sent),
            Self::File { path, offset, length } => {
                let file = sys::open_part(path, *offset, *length)
                    .map_err(|error| WandbError::File { why: error.to_string() })?;
                watched(File::from_std(file).take(*length), *length, sent)
            }
        })
    }
}

/// What became of a body.
#[derive(Debug)]
pub struct Sent {
    pub progress: Progress,
    broken: Mutex<Option<String>>,
}

impl Sent {
    pub fn new() -> Self {
        Self {
            progress: Progress::start(),
            broken: Mutex::new(None),
        }
    }

    /// Why it could not be read to its end.
    pub fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is read from, and who is told.
struct Watched<R> {
    inner: R,
    left: u64,
    sent: Arc<Sent>,
}

fn watched(inner: impl AsyncRead + Unpin + Send + 'static, length: u64, sent: &Arc<Sent>) -> Body {
    let watched = Watched {
        inner,
        left: length,
        sent: Arc::clone(sent),
    };
    Body::wrap_stream(ReaderStream::with_capacity(watched, PIECE))
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let mut outcome = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer));
        let n_read = buffer.filled().len() - before;
        self.left = self.left.saturating_sub(n_read as u64);
        self.sent.progress.moved();
        if outcome.is_ok() && n_read == 0 && self.left > 0 {
            outcome = Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it became shorter while it was sent",
            ));
        }
        if let Err(error) = &outcome {
            let mut broken = self.sent.broken.lock().unwrap_or_else(PoisonError::into_inner);
            *broken = Some(error.to_string());
        }
        Poll::Ready(outcome)
    }
}
