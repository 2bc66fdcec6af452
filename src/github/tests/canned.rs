//! A server that answers what it was told to, one request a connection, and keeps what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::base::Secret;
use crate::github::{Client, Connection, Pace, Urls};

pub const TOKEN: &str = "ghs_canned.secret_value";

/// What becomes of one request.
#[derive(Debug, Clone)]
pub enum Canned {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The connection ends before anything is answered.
    Drop,
    /// Half of an answer, then the end.
    Half,
    /// Nothing, until the client goes away.
    Silence,
}

pub fn answer(status: u16, body: &str) -> Canned {
    Canned::Answer {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    }
}

pub fn answer_with(status: u16, headers: &[(&str, &str)], body: &str) -> Canned {
    Canned::Answer {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
    }
}

#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST /repos/o/r/check-runs`.
    pub line: String,
    /// In lower case.
    pub headers: String,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            line.split_once(": ")
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value)
        })
    }
}

type Answers = Arc<dyn Fn(&Asked, usize) -> Canned + Send + Sync>;

pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<Answers>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers by request and by how many came before it.
    pub async fn start(answers: impl Fn(&Asked, usize) -> Canned + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        let answers: Arc<Mutex<Answers>> = Arc::new(Mutex::new(Arc::new(answers)));
        let current = Arc::clone(&answers);
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let (kept, current) = (Arc::clone(&kept), Arc::clone(&current));
                tokio::spawn(async move {
                    // A client that goes away is one of the cases.
                    let _ = serve(stream, &kept, &current).await;
                });
            }
        });
        Self {
            url,
            asked,
            answers,
            task,
        }
    }

    /// Answers in turn; the last one again and again.
    pub async fn in_turn(answers: Vec<Canned>) -> Self {
        Self::start(in_turn(answers)).await
    }

    /// Begins anew with other answers: making a client costs more than a hundred calls.
    pub fn answers(&self, answers: Vec<Canned>) {
        self.asked.lock().unwrap().clear();
        *self.answers.lock().unwrap() = Arc::new(in_turn(answers));
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    pub fn connection(&self) -> Connection {
        Connection {
            budget: Duration::from_mins(1),
            pace: Pace(Duration::from_millis(1)),
            ..Connection::new(
                Urls {
                    api: self.url.clone(),
                    graphql: format!("{}/graphql", self.url),
                    server: self.url.clone(),
                },
                Some(Secret::new(TOKEN)),
            )
        }
    }

    pub fn client(&self) -> Client {
        Client::new(self.connection()).unwrap()
    }
}

fn in_turn(answers: Vec<Canned>) -> impl Fn(&Asked, usize) -> Canned + Send + Sync {
    move |_, n| answers[n.min(answers.len() - 1)].clone()
}

async fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Asked>>, answers: &Mutex<Answers>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let (head, end) = loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&buffer[..n]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break (String::from_utf8_lossy(&bytes[..end]).into_owned(), end + 4);
        }
    };
    let (first, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
    let headers = headers
        .lines()
        .filter_map(|line| line.split_once(": "))
        .flat_map(|(name, value)| [&name.to_lowercase(), ": ", value, "\n"].map(str::to_owned))
        .collect();
    let mut asked = Asked {
        line: first.trim_end_matches(" HTTP/1.1").to_owned(),
        headers,
        body: String::new(),
    };
    let length: usize = asked
        .header("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    while bytes.len() < end + length {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&buffer[..n]);
    }
    asked.body = String::from_utf8_lossy(&bytes[end..]).into_owned();
    let n = {
        let mut kept = kept.lock().unwrap();
        kept.push(asked.clone());
        kept.len() - 1
    };
    let answers = Arc::clone(&answers.lock().unwrap());
    match answers(&asked, n) {
        Canned::Answer { status, headers, body } => {
            let mut text = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n",
                body.len()
            );
            for (name, value) in headers {
                text.extend([&name, ": ", &value, "\r\n"]);
            }
            text.push_str("\r\n");
            stream.write_all(text.as_bytes()).await?;
            if status != 204 {
                stream.write_all(&body).await?;
            }
            stream.shutdown().await
        }
        Canned::Drop => Ok(()),
        Canned::Half => {
            stream
                .write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{\"id\":")
                .await
        }
        Canned::Silence => stream.read(&mut buffer).await.map(drop),
    }
}
