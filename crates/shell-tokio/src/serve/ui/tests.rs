//! The feed without a socket, and what a socket adds to it.

use everbeat_platform::{Finish, NewDelegation, NewWorkspace, Options, OutageKind};
use hyper::body::Body as _;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::readers::{READERS_MAX, Stream};
use super::*;
use crate::serve::Server;

const WALL_MS: i64 = 1_775_000_000_000;

struct Bench {
    platform: everbeat_platform::Platform,
    feed: Feed,
    now: Duration,
}

impl Bench {
    fn new() -> Self {
        let mut platform = everbeat_platform::Platform::new(Options::development(1));
        platform.tick(Duration::ZERO, WALL_MS);
        platform.create_workspace(NewWorkspace::named("ws-1")).unwrap();
        let mut bench = Self { platform, feed: Feed::default(), now: Duration::ZERO };
        bench.look();
        bench
    }

    fn look(&mut self) {
        self.feed.look(&self.platform);
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        let wall_ms = WALL_MS + i64::try_from(self.now.as_millis()).unwrap();
        self.platform.tick(self.now, wall_ms);
        self.look();
    }

    fn join(&mut self, last: Option<&str>) -> Opened {
        Opened(self.feed.join(last, &Connection::nowhere()).expect("there is room"))
    }

    fn delegate(&mut self, id: &str) {
        let new = NewDelegation {
            workspace: "ws-1".into(),
            target: "peer".into(),
            id: Some(id.into()),
            ..NewDelegation::default()
        };
        self.platform.make_delegation(new).unwrap();
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

struct Opened(Stream);

impl Opened {
    /// Whatever came so far.
    fn events(&mut self) -> Vec<Event> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut text = String::new();
        let mut stream = std::pin::Pin::new(&mut self.0);
        while let std::task::Poll::Ready(Some(Ok(frame))) = stream.as_mut().poll_frame(&mut context)
        {
            text += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
        }
        text.split_terminator("\n\n").map(event).collect()
    }

    fn is_over(&mut self) -> bool {
        self.events();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let polled = std::pin::Pin::new(&mut self.0).poll_frame(&mut context);
        matches!(polled, std::task::Poll::Ready(None))
    }
}

fn event(text: &str) -> Event {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_default().to_owned()
    };
    let data = serde_json::from_str(&field("data")).unwrap();
    Event { id: field("id"), name: field("event"), data }
}

#[test]
fn first_everything_then_only_what_changed() {
    let mut bench = Bench::new();
    let mut page = bench.join(None);
    let first = page.events().remove(0);
    assert_eq!(first.name, "snapshot");
    assert_eq!(first.data["workspaces"][0]["id"], "ws-1");
    assert_eq!(first.data["delegations"], Value::Array(Vec::new()));

    bench.wait(200);
    assert_eq!(page.events(), [], "nothing happened, and no second is over");
    bench.delegate("d-1");
    bench.platform.finish_delegation("d-1", &Finish::completed("done")).unwrap();
    bench.wait(200);
    let change = page.events().remove(0);
    assert_eq!((change.name.as_str(), change.id == first.id), ("change", false));
    assert_eq!(change.data["delegations"][0]["result_row"]["text"], "done");
    assert_eq!(change.data.get("workspaces"), None);

    bench.wait(1_000);
    let tick = page.events().remove(0);
    assert_eq!((tick.name.as_str(), tick.id.as_str()), ("tick", ""));
}

#[test]
fn who_comes_back_gets_what_was_missed_or_everything() {
    let mut bench = Bench::new();
    let last = bench.join(None).events().remove(0).id;
    for id in ["d-1", "d-2"] {
        bench.delegate(id);
        bench.look();
    }
    let missed = bench.join(Some(&last)).events();
    let names: Vec<_> = missed.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["change", "change"]);
    assert_eq!(missed[1].data["delegations"][0]["id"], "d-2");
    // Nothing missed: it still hears where things are.
    assert_eq!(bench.join(Some(&missed[1].id)).events()[0].name, "snapshot");

    let (run, number) = missed[1].id.split_once('-').unwrap();
    let ahead = format!("{run}-{}", number.parse::<u64>().unwrap() + 1);
    for strange in ["7-1", "", "-", "x-y", &ahead, &format!("{run}-{}", u64::MAX)] {
        assert_eq!(bench.join(Some(strange)).events()[0].name, "snapshot", "{strange:?}");
    }
    for number in 0..300 {
        bench.delegate(&format!("more-{number}"));
        bench.look();
    }
    assert_eq!(bench.join(Some(&last)).events()[0].name, "snapshot", "that is long ago");
}

#[test]
fn who_does_not_read_is_let_go_and_the_others_stay() {
    let mut bench = Bench::new();
    let (mut slow, mut quick) = (bench.join(None), bench.join(None));
    for number in 0..100 {
        bench.delegate(&format!("d-{number}"));
        bench.look();
        quick.events();
    }
    assert!(slow.is_over());
    assert!(!quick.is_over());
}

#[test]
fn there_is_room_for_so_many_pages_and_again_when_one_is_closed() {
    let mut bench = Bench::new();
    let mut open: Vec<_> = (0..READERS_MAX).map(|_| bench.join(None)).collect();
    assert!(bench.feed.join(None, &Connection::nowhere()).is_none());
    open.pop();
    assert!(bench.feed.join(None, &Connection::nowhere()).is_some());
}

#[test]
fn equal_refusals_are_one_entry_that_counts() {
    let mut bench = Bench::new();
    bench.platform.outage(Duration::from_secs(60), OutageKind::Refuse);
    let beat = Request::post("/registry/heartbeat", &serde_json::json!({"workspace_id": "ws-1"}));
    let mut page = bench.join(None);
    page.events();
    for _ in 0..3 {
        let _ = bench.platform.handle(bench.now, WALL_MS, &beat);
        bench.look();
    }
    let events = page.events();
    assert!(events[0].data["outage_until_ms"].is_u64());
    let counts: Vec<_> = events.iter().map(|event| &event.data["log"][0]["count"]).collect();
    assert_eq!(counts, [1, 2, 3]);
    let numbers = events.iter().map(|event| &event.data["log"][0]["number"]);
    assert!(numbers.clone().all(|number| Some(number) == numbers.clone().next()));
    assert_eq!(events[2].data["log"][0]["text"], "heartbeat: no connection");
}

#[test]
fn beats_are_counted_by_the_second() {
    let mut bench = Bench::new();
    let token = bench.platform.rotate_token("ws-1").unwrap();
    let body = serde_json::json!({"workspace_id": "ws-1"});
    let beat = Request::post("/registry/heartbeat", &body).with_bearer(&token);
    let mut page = bench.join(None);
    for _ in 0..4 {
        for _ in 0..3 {
            let _ = bench.platform.handle(bench.now, WALL_MS, &beat);
        }
        bench.look();
        bench.wait(1_000);
    }
    let ticks: Vec<_> = page.events().into_iter().filter(|event| event.name == "tick").collect();
    assert_eq!(ticks.last().unwrap().data["last_second"], 3);
    assert_eq!(ticks.last().unwrap().data["beats_per_second"], 3.0);
    assert_eq!(bench.join(None).events()[0].data["seconds"], serde_json::json!([3, 3, 3, 3]));
}

/// A socket whose other end does not read is closed, although nothing could
/// be written to it.
#[tokio::test]
async fn a_browser_that_does_not_read_loses_its_connection() {
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(any, Options::development(1)).await.unwrap().with_page();
    let (address, served) = (server.address(), server.platform());
    tokio::spawn(server.run());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /ui/events HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    // Long names fill the socket's buffers: nobody reads.
    let page = served.page.clone().unwrap();
    let long = "x".repeat(290);
    for round in 0..120 {
        {
            let mut platform = served.lock();
            for number in 0..400 {
                let id = format!("ws-{number}");
                let _ = platform.create_workspace(NewWorkspace::named(&id));
                platform.set_place(&id, &format!("{long}{round}"), None).unwrap();
            }
            page.feed().look(&platform);
        }
        tokio::task::yield_now().await;
    }
    // It answers no longer, although not a byte was read here.
    let refused = async {
        while stream.write_all(b"GET / HTTP/1.1\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("the connection ends");
}
