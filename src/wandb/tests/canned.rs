//! A server that answers what it was told to, one request a connection, and keeps what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::wandb::client::{Client, Settings};
use crate::wandb::hosts::Hosts;
use crate::wandb::key::{Key, KeySource};
use crate::wandb::oidc::Credentials;
use crate::wandb::retry::Pace;

pub const KEY: &str = "0123456789abcdef0123456789abcdef01234567";
/// `api:` and the key, in base 64 by another program.
pub const BASIC: &str = "Basic YXBpOjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc=";

/// What becomes of one request.
#[derive(Debug, Clone)]
pub enum Canned {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The connection ends before the body of the request is read.
    Hangup,
    /// The connection ends before anything is answered.
    Drop,
    /// Half of an answer, then the end.
    Half,
    /// Nothing, until the client goes away.
    Silence,
}

pub fn answer(status: u16, body: &str) -> Canned {
    answer_with(status, &[], body)
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
    /// `POST /graphql`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Answers = Arc<dyn Fn(&Asked, usize) -> Canned + Send + Sync>;
/// Whether to hang up, judged by what comes before the body.
type Early = Arc<dyn Fn(usize) -> bool + Send + Sync>;

#[derive(Clone)]
struct Plan {
    early: Early,
    answers: Answers,
}

pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    plan: Arc<Mutex<Plan>>,
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
        Self::run(Plan {
            early: Arc::new(|_| false),
            answers: Arc::new(answers),
        })
        .await
    }

    /// Answers in turn; the last one again and again.
    pub async fn in_turn(answers: Vec<Canned>) -> Self {
        Self::run(in_turn(answers)).await
    }

    /// Does something when a request has begun, and takes it then.
    pub async fn taking(begun: impl Fn() + Send + Sync + 'static) -> Self {
        let early = move |_| {
            begun();
            false
        };
        Self::run(Plan {
            early: Arc::new(early),
            answers: Arc::new(|_, _| answer(200, "")),
        })
        .await
    }

    async fn run(plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        let plan = Arc::new(Mutex::new(plan));
        let current = Arc::clone(&plan);
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
        Self { url, asked, plan, task }
    }

    /// Begins anew with other answers: making a client costs more than a hundred calls.
    pub fn answers(&self, answers: Vec<Canned>) {
        self.asked.lock().unwrap().clear();
        *self.plan.lock().unwrap() = in_turn(answers);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn n_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// With seconds of a millisecond.
    pub fn settings(&self) -> Settings {
        let hosts = Hosts::new(Some(&self.url), None).unwrap();
        let key = Key::parse(KEY, KeySource::Environment).unwrap();
        Settings {
            pace: Pace(Duration::from_millis(1)),
            ..Settings::new(hosts, Credentials::Key(key))
        }
    }

    pub fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }
}

fn in_turn(answers: Vec<Canned>) -> Plan {
    let answers = Arc::new(answers);
    let early = Arc::clone(&answers);
    let at = |answers: &[Canned], n: usize| answers[n.min(answers.len() - 1)].clone();
    Plan {
        early: Arc::new(move |n| matches!(at(&early, n), Canned::Hangup)),
        answers: Arc::new(move |_, n| at(&answers, n)),
    }
}

async fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Asked>>, plan: &Mutex<Plan>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
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
    let mut asked = Asked {
        line: first.trim_end_matches(" HTTP/1.1").to_owned(),
        headers: headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: bytes.split_off(end),
    };
    let plan = plan.lock().unwrap().clone();
    let n = kept.lock().unwrap().len();
    if (plan.early)(n) {
        kept.lock().unwrap().push(asked);
        return Ok(());
    }
    let length = asked.header("content-length").and_then(|text| text.parse().ok());
    let length: usize = length.unwrap_or(0);
    while asked.body.len() < length {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            // The client broke it off.
            kept.lock().unwrap().push(asked);
            return Ok(());
        }
        asked.body.extend_from_slice(&buffer[..n]);
    }
    let n = {
        let mut kept = kept.lock().unwrap();
        kept.push(asked.clone());
        kept.len() - 1
    };
    let canned = (plan.answers)(&asked, n);
    match canned {
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
        Canned::Drop | Canned::Hangup => Ok(()),
        Canned::Half => {
            stream
                .write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{\"id\":")
                .await
        }
        Canned::Silence => stream.read(&mut buffer).await.map(drop),
    }
}
