//! Requests to an agent's control socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::http::{self, Answer};
use crate::wait;

/// Somebody who asks.
#[derive(Clone, Debug)]
pub struct Control {
    path: PathBuf,
}

impl Control {
    /// Asks at this socket.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// A connection, once somebody listens; reading and writing on it fail
    /// after 40 s.
    ///
    /// # Panics
    /// If nobody ever listens.
    #[must_use]
    pub fn connect(&self) -> UnixStream {
        let what = format!("somebody listens at {}", self.path.display());
        let stream = wait::until(&what, || UnixStream::connect(&self.path).ok());
        for set in [UnixStream::set_read_timeout, UnixStream::set_write_timeout] {
            set(&stream, Some(wait::PATIENCE)).expect("a socket has its times");
        }
        stream
    }

    /// One request on a connection of its own.
    ///
    /// # Panics
    /// If it is not answered.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: everbeat\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        match self.raw(&[head, body].concat().into_bytes()) {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    /// Sends these bytes and reads to the end.
    ///
    /// # Errors
    /// If the connection ends without an answer.
    pub fn raw(&self, bytes: &[u8]) -> io::Result<Answer> {
        let mut stream = self.connect();
        // Whoever is refused early is not read to the end.
        let sent = stream.write_all(bytes);
        let mut read = Vec::new();
        let _ = stream.read_to_end(&mut read);
        sent.or_else(|error| if read.is_empty() { Err(error) } else { Ok(()) })?;
        http::parse(&read).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no answer"))
    }

    /// `GET` of something that must be there.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, &Value::Null);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.json());
        answer.json()
    }

    /// A request that must go well.
    ///
    /// # Panics
    /// If it does not.
    pub fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(method, path, body);
        let (status, said) = (answer.status, answer.json());
        assert!((200..300).contains(&status), "{method} {path} {body}: {status} {said}");
        said
    }

    /// How things stand.
    #[must_use]
    pub fn status(&self) -> Value {
        self.get("/v1/status")
    }

    /// Whether nothing is left at the socket's path.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.path.symlink_metadata().is_err()
    }

    /// Waits for the status to be so.
    pub fn wait_for(&self, what: &str, mut holds: impl FnMut(&Value) -> bool) {
        wait::for_true(what, || holds(&self.status()));
    }
}
