//! A server that answers whatever a test says, and notes what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Request line and headers, as they were sent.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
    /// When.
    pub at: Instant,
}

impl Seen {
    /// The path in the request line.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

type Answering = dyn Fn(&Seen) -> Vec<u8> + Send + Sync;

/// The server; it ends with this value.
#[derive(Debug)]
pub struct Fake {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
}

impl Fake {
    /// Answers each request with the raw bytes that `answer` gives, and closes
    /// the connection.
    ///
    /// # Panics
    /// If there is no port for it.
    #[must_use]
    pub fn start(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its own address").to_string();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let stop = Arc::<AtomicBool>::default();
        let (notes, ends): (_, Arc<AtomicBool>) = (Arc::clone(&seen), Arc::clone(&stop));
        let answer: Arc<Answering> = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let (notes, answer) = (Arc::clone(&notes), Arc::clone(&answer));
                thread::spawn(move || stream.ok().and_then(|one| serve(one, &notes, &*answer)));
            }
        });
        Self { address, seen, stop }
    }

    /// What an agent is given.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A whole answer with a JSON body.
    #[must_use]
    pub fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for the next one.
        let _ = TcpStream::connect(&self.address);
    }
}

fn serve(stream: TcpStream, notes: &Mutex<Vec<Seen>>, answer: &Answering) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let seen = Seen { head, body, at: Instant::now() };
    notes.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
    let mut stream = reader.into_inner();
    stream.write_all(&answer(&seen)).ok()
}
