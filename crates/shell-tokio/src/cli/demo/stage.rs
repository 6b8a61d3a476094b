//! Everything that plays a part, and the eyes on it: the served platform, the
//! agent's process, the reader, and the books that are kept of them.

mod hands;
mod watch;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use everbeat_platform::{NewWorkspace, Options, OutageKind};

use self::hands::Hands;
use super::super::platform::page_url;
use super::super::signals::Signals;
use super::child::{Agent, Home, LogTail};
use super::ledger::Ledger;
use super::pulse::{Excuse, Pulse};
use super::reader::Reader;
use super::table::{Books, Ending};
use super::timeline::{Mark, Timeline, Who, count, seconds};
use crate::serve::{ServedPlatform, Server};

/// Between two looks at everything.
const TICK: Duration = Duration::from_millis(15);
/// Far beyond what anything takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// An outage ends when the demo says so, which is long before this.
const OUTAGE_MAX: Duration = Duration::from_secs(3_600);
/// An agent's turn when it is told something.
const TURN_MS: u64 = 300;

/// Why the story ends before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// By Ctrl-C.
    Asked,
    /// Something that should have happened did not, or the reverse.
    Broken(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Broken(format!("this machine: {error}"))
    }
}

/// How much of the platform's observations is in the books.
#[derive(Debug, Default)]
struct Seen {
    requests: u64,
    messages: u64,
    notifications: u64,
}

/// The stage.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) timeline: Timeline,
    pub(crate) books: Books,
    pub(crate) served: ServedPlatform,
    pub(crate) home: Home,
    started_at: Instant,
    url: String,
    agent: Option<Agent>,
    reader: Reader,
    log: LogTail,
    seen: Seen,
    signals: Signals,
    /// Whether Ctrl-C was heard of already.
    pub(crate) was_asked: bool,
    /// Every secret there is; none may turn up in a file or a log.
    secrets: Vec<String>,
    /// The token that the agent's file does not hold yet.
    new_token: Option<String>,
    trouble_told: bool,
    away_since: Option<Instant>,
    chapters: usize,
    /// Whoever sits before the live page, if there is one.
    hands: Option<Hands>,
}

impl Stage {
    /// Serves a platform, with a live page or without, makes the folders in
    /// the home's, and starts no agent yet.
    pub(crate) async fn set(
        home: Home,
        seed: u64,
        started_at: Instant,
        signals: Signals,
        with_page: bool,
    ) -> io::Result<Self> {
        let private = |path: &Path| DirBuilder::new().mode(0o700).create(path);
        private(&home.configs())?;
        private(home.results().parent().unwrap_or(&home.dir))?;
        let options = Options {
            admin: with_page,
            inbound_secret: true,
            observed_max: 4_096,
            ..Options::development(seed)
        };
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut server = Server::bind(any_port, options).await?;
        if with_page {
            server = server.with_page();
        }
        let (served, url) = (server.platform(), format!("http://{}", server.address()));
        let hands = served.acts().map(|acts| Hands::new(acts, page_url(server.address())));
        tokio::spawn(server.run());
        let new = NewWorkspace { turn_ms: Some(TURN_MS), ..NewWorkspace::named(home.workspace) };
        let token = served.lock().create_workspace(new).map_err(io::Error::other)?.token;
        let mut pulse = Pulse::new(home.interval, home.cooldown);
        pulse.begin(Excuse::Down, Duration::ZERO);
        let books = Books { ledger: Ledger::default(), pulse, ending: Ending::default(), kills: 0 };
        let mut stage = Self {
            timeline: Timeline::start(started_at),
            books,
            served,
            reader: Reader::new(&home.results()),
            log: LogTail::of(&home.log()),
            home,
            started_at,
            url,
            agent: None,
            seen: Seen::default(),
            signals,
            was_asked: false,
            secrets: Vec::new(),
            new_token: token,
            trouble_told: true,
            away_since: None,
            chapters: 0,
            hands,
        };
        stage.write_token()?;
        Ok(stage)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Since the platform's start.
    fn now(&self) -> Duration {
        self.started_at.elapsed()
    }

    /// Lets a little time pass, and enters what happened.
    pub(crate) async fn tick(&mut self) -> Result<(), Stop> {
        let before = Instant::now();
        tokio::select! {
            () = self.signals.asked(), if !self.was_asked => {
                self.was_asked = true;
                return Err(Stop::Asked);
            }
            () = tokio::time::sleep(TICK) => {}
        }
        self.books.pulse.stalled(before.elapsed().saturating_sub(TICK));
        self.look_around()
    }

    /// A headline, and time to read it.
    pub(crate) async fn chapter(&mut self, words: &str) -> Result<(), Stop> {
        self.chapters += 1;
        self.timeline.chapter(&format!("{}  {words}", self.chapters));
        self.pause(Duration::from_millis(600)).await
    }

    /// Lets some time pass.
    pub(crate) async fn pause(&mut self, length: Duration) -> Result<(), Stop> {
        let until = Instant::now() + length;
        while Instant::now() < until {
            self.tick().await?;
        }
        Ok(())
    }

    /// Waits for something that is to happen.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        happened: impl Fn(&Self) -> bool,
    ) -> Result<(), Stop> {
        let mut patience = Instant::now() + PATIENCE;
        while !happened(self) {
            if self.is_disturbed() {
                patience = Instant::now() + PATIENCE;
            }
            if Instant::now() > patience {
                return Err(Stop::Broken(format!("no {what} within {} s", PATIENCE.as_secs())));
            }
            self.tick().await?;
        }
        Ok(())
    }

    /// Waits until every result is in the stream.
    pub(crate) async fn until_arrived(&mut self) -> Result<(), Stop> {
        self.until("arrival of every result", |stage| stage.books.ledger.missing() == 0).await
    }

    /// Waits until every result was told, but not for ever: what a kill cut
    /// off may have been heard all the same.
    pub(crate) async fn until_told(&mut self) -> Result<(), Stop> {
        let patience = Instant::now() + 3 * self.home.cooldown;
        while self.books.ledger.unnamed() > 0 && Instant::now() < patience {
            self.tick().await?;
        }
        Ok(())
    }

    /// When the agent last asked for the delegations, on the clock of
    /// [`Stage::now`].
    pub(crate) fn last_poll(&self) -> Duration {
        let platform = self.served.lock();
        let workspace = platform.workspace(self.home.workspace);
        let last = workspace.and_then(|workspace| workspace.polls.last().map(|poll| poll.at));
        last.unwrap_or_default()
    }

    /// Waits until just before the agent will ask for the delegations again.
    pub(crate) async fn until_before_poll(&mut self) -> Result<(), Stop> {
        let before = self.last_poll();
        self.until("look at the delegations", |stage| stage.last_poll() > before).await?;
        let next = self.last_poll() + self.home.interval;
        let early = self.home.interval / 12;
        self.pause(next.saturating_sub(self.now() + early)).await
    }

    /// Waits until beats are accepted (again).
    pub(crate) async fn until_well(&mut self) -> Result<(), Stop> {
        self.until("accepted beat", |stage| stage.books.pulse.is_well()).await
    }

    pub(crate) fn start_agent(&mut self) -> Result<(), Stop> {
        let agent = Agent::start(&self.home, &self.url)?;
        self.books.pulse.over(self.now());
        let words = format!("starts the agent: process {}, `everbeat run`", agent.pid());
        self.timeline.say(Who::Demo, Mark::Plain, &words);
        self.agent = Some(agent);
        Ok(())
    }

    /// `kill -9`.
    pub(crate) fn kill_agent(&mut self) -> Result<(), Stop> {
        let Some(mut agent) = self.agent.take() else { return Ok(()) };
        agent.kill();
        self.look_around()?;
        self.books.pulse.begin(Excuse::Down, self.now());
        self.books.kills += 1;
        let under_way = self.books.ledger.killed();
        let words = format!("kill -9: the agent is gone, {} under way", count(under_way, "result"));
        self.timeline.say(Who::Demo, Mark::Trouble, &words);
        Ok(())
    }

    /// Replaces the token on the platform; the agent's file keeps the old one.
    pub(crate) fn rotate_token(&mut self) -> Result<(), Stop> {
        self.look_around()?;
        let rotated = self.served.lock().rotate_token(self.home.workspace);
        self.books.pulse.begin(Excuse::Token, self.now());
        self.trouble_told = false;
        self.new_token = Some(rotated.map_err(|error| Stop::Broken(error.to_string()))?);
        Ok(())
    }

    /// Puts the new token into the agent's file.
    pub(crate) fn write_token(&mut self) -> io::Result<()> {
        let Some(token) = self.new_token.take() else { return Ok(()) };
        let aside = self.home.configs().join(".auth_token.new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(token.as_bytes())?;
        fs::rename(&aside, self.home.token_file())?;
        self.secrets.push(token);
        if self.secrets.len() > 100 {
            self.secrets.remove(0);
        }
        // Once an agent runs, this is the end of an excuse.
        if self.agent.is_some() {
            self.books.pulse.over(self.now());
        }
        Ok(())
    }

    /// Takes the platform away until [`Stage::end_outage`].
    pub(crate) fn begin_outage(&mut self) -> Result<(), Stop> {
        self.look_around()?;
        self.books.pulse.begin(Excuse::Outage, self.now());
        self.trouble_told = false;
        self.away_since = Some(Instant::now());
        self.served.lock().outage(OUTAGE_MAX, OutageKind::Refuse);
        Ok(())
    }

    /// Gives it back, if it is away.
    pub(crate) fn end_outage(&mut self) -> Result<(), Stop> {
        let Some(since) = self.away_since.take() else { return Ok(()) };
        self.look_around()?;
        self.served.lock().outage(Duration::ZERO, OutageKind::Refuse);
        self.books.pulse.over(self.now());
        self.books.pulse.outages += since.elapsed();
        self.timeline.say(Who::Demo, Mark::Plain, "gives the platform back");
        Ok(())
    }

    /// Undoes whatever was made wrong, and waits for what is on its way.
    pub(crate) async fn wind_down(&mut self) -> Result<(), Stop> {
        self.end_outage()?;
        self.undo_hands();
        self.write_token()?;
        if self.agent.is_none() {
            self.start_agent()?;
        }
        self.books.pulse.over(self.now());
        self.until_well().await?;
        self.until_arrived().await
    }

    /// Asks the agent to stop, and looks at all that it left behind.
    pub(crate) async fn finish(&mut self) -> Result<(), Stop> {
        self.look_around()?;
        self.books.pulse.close(self.now());
        if let Some(mut agent) = self.agent.take() {
            let (asked_at, patience) = (Instant::now(), Instant::now() + PATIENCE);
            agent.ask_to_stop();
            self.timeline.say(Who::Demo, Mark::Plain, "asks the agent to stop (SIGTERM)");
            let status = loop {
                if let Some(status) = agent.ended() {
                    break Some(status);
                }
                if Instant::now() > patience {
                    break None;
                }
                self.tick().await?;
            };
            let (took, code) = (asked_at.elapsed(), status.and_then(|status| status.code()));
            let words = format!("ends after {}, exit code {code:?}", seconds(took));
            let words = words.replace("Some(", "").replace(')', "");
            let mark = if code == Some(0) { Mark::Good } else { Mark::Trouble };
            self.timeline.say(Who::Agent, mark, &words);
            self.books.ending.stopped = Some((took, code));
        }
        if let Some(taken) = self.reader.take()? {
            self.enter(&taken);
        }
        self.look_around()?;
        self.search(&self.home.dir.clone())?;
        Ok(())
    }
}
