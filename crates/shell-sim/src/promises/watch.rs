//! The watch: every promise as a small state machine that is shown the world
//! after each event.
//!
//! The [`Watch`] keeps the places up to which it has seen what there is to
//! see, and hands on what is new. An event that brought nothing new costs some
//! comparisons. A promise that something comes true in time names when that is
//! due; if the time passes, it was broken then.

mod beats;
mod bounds;
mod contents;
mod messages;
mod requests;
mod results;
mod stops;
mod table;
mod tokens;

use std::fmt;
use std::time::Duration;

use everbeat_core::Notice;
use everbeat_platform::Fate;

use super::arrivals::Arrivals;
use super::messages::Announcement;
use super::stream::Stream;
use crate::plan::{Act, OWN};
use crate::world::{Party, ResultName, Sent, TraceLine, World};

pub use table::{ALWAYS, CHECKS, Make};

/// What a promise says to what it was shown.
pub type Checked = Result<(), String>;

/// One promise. Of what it is shown it remembers what it needs.
pub trait Promise {
    /// A request left the agent.
    fn sent(&mut self, _: &View<'_>, _: &Sent) -> Checked {
        Ok(())
    }

    /// The platform accepted a beat.
    fn beat_accepted(&mut self, _: &View<'_>) -> Checked {
        Ok(())
    }

    /// A self-message reached the agent.
    fn delivered(&mut self, _: &View<'_>, _: &Announcement) -> Checked {
        Ok(())
    }

    /// The agent said something.
    fn said(&mut self, _: &View<'_>, _: &Notice) -> Checked {
        Ok(())
    }

    /// A list reached the agent; [`Arrivals`] has looked at it.
    fn listed(&mut self, _: &View<'_>) -> Checked {
        Ok(())
    }

    /// The results file, or what the reader took of it, has changed.
    fn streamed(&mut self, _: &View<'_>) -> Checked {
        Ok(())
    }

    /// Something became of a process or its machine.
    fn turned(&mut self, _: &View<'_>, _: Turn) -> Checked {
        Ok(())
    }

    /// Now and then, and in the end: the machine as it prints itself.
    fn sampled(&mut self, _: &View<'_>, _: &str) -> Checked {
        Ok(())
    }

    /// By when something must come true, if anything must.
    fn due(&self) -> Option<Duration> {
        None
    }

    /// What was due has not come true in time.
    fn overdue(&mut self, _: &View<'_>) -> Checked {
        Ok(())
    }

    /// The run is over.
    fn ends(&mut self, _: &View<'_>) -> Checked {
        Ok(())
    }

    /// How much there was that could have been found wrong: a check that never
    /// has anything to look at is as good as none.
    fn looked_at(&self, view: &View<'_>) -> u64;
}

/// What becomes of a process or its machine; what there is to know of it
/// stands last in what was [`Seen`](crate::world::Seen).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A process starts.
    Starts,
    /// It is killed.
    Killed,
    /// It is asked to stop.
    AskedToStop,
    /// The machine falls asleep.
    Sleeps,
    /// A new token stands in the file.
    TokenWritten,
}

/// What a promise can look at.
pub struct View<'a> {
    /// The world after the event.
    pub world: &'a World,
    /// What stands in the results stream.
    pub stream: &'a Stream,
    /// What must stand there, and must be told.
    pub arrivals: &'a Arrivals,
}

impl View<'_> {
    /// When it is now, from the start.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.world.now()
    }

    /// Whether the result may have come so many times too often by now.
    #[must_use]
    pub fn may_come_again(&self, name: &ResultName, times: usize) -> bool {
        let first = self.arrivals.listed_as(name).map(|listed| listed.first);
        self.world.may_come_again(times, first.unwrap_or_default())
    }

    /// Whether the result went with an emptied folder the record of which the
    /// journal may have lost: nobody can know of it.
    #[must_use]
    pub fn may_be_unknown(&self, name: &ResultName) -> bool {
        let entries = &self.world.plan.entries;
        let last = |act: &Act| {
            let all = entries.iter().filter(|entry| entry.act == *act);
            all.map(|entry| Duration::from_millis(entry.at_ms)).filter(|at| *at <= self.now()).max()
        };
        let first = self.arrivals.listed_as(name).map(|listed| listed.first);
        match (first, last(&Act::WipeFolder), last(&Act::SpoilJournal)) {
            (Some(first), Some(wiped), Some(spoiled)) => first <= wiped.max(spoiled),
            (None, _, _) | (_, None, _) | (_, _, None) => false,
        }
    }

    /// When the faults end.
    #[must_use]
    pub fn healed(&self) -> Duration {
        Duration::from_millis(self.world.plan.faults_end_ms)
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// When, from the start.
    pub at: Duration,
    /// What was said of it, the promise's number first.
    pub said: String,
}

impl Broken {
    /// The promise's number: `S4`, or `panic`.
    #[must_use]
    pub fn promise(&self) -> &str {
        self.said.split(':').next().unwrap_or_default()
    }

    /// As a line of a trace.
    #[must_use]
    pub fn as_line(&self) -> TraceLine {
        TraceLine::new(self.at, Party::Broken, self.promise(), self.said.clone())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, tenths) = (self.at.as_secs(), self.at.subsec_millis() / 100);
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{} (broken at {hours}h{minutes:02}m{seconds:02}.{tenths}s)", self.said)
    }
}

/// The promises that a run is watched for.
#[derive(Default)]
pub struct Watch {
    promises: Vec<Watched>,
    goes_on: bool,
    is_broken: bool,
    /// The earliest time at which something is due.
    due: Duration,
    known: Places,
    stream: Stream,
    arrivals: Arrivals,
    sampled: Sampled,
}

struct Watched {
    name: &'static str,
    promise: Box<dyn Promise>,
    /// A promise that was broken is asked no more.
    broken: Option<Broken>,
}

impl Watched {
    fn new(name: &'static str, make: Make) -> Self {
        Self { name, promise: make(), broken: None }
    }
}

/// How far what was seen is known.
#[derive(Default)]
struct Places {
    sent: usize,
    beats: usize,
    messages: u64,
    delivered: u64,
    notices: usize,
    lists: u64,
    files: u64,
    turns: [usize; TURNS.len()],
}

/// In the order in which they are handed on.
const TURNS: [Turn; 5] =
    [Turn::Killed, Turn::Starts, Turn::AskedToStop, Turn::Sleeps, Turn::TokenWritten];

/// When the machine was last printed, and how much had come in by then.
#[derive(Default)]
struct Sampled {
    next: Duration,
    came_in: u64,
}

/// How often the machine is printed while something comes in.
const SAMPLE_EVERY: Duration = Duration::from_secs(4 * 3_600);
/// And how many times more seldom while nothing does.
const SELDOM: u32 = 6;

impl Watch {
    /// Watches for these promises, by the names in [`CHECKS`] and [`ALWAYS`];
    /// a name that is not known watches for nothing. The first one that is
    /// broken ends the run: what follows it is noise.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut promises = Vec::new();
        for name in names {
            let known = CHECKS.iter().chain(ALWAYS).find(|(known, _)| *known == name);
            debug_assert!(known.is_some(), "no promise is called {name:?}");
            promises.extend(known.map(|(name, make)| Watched::new(name, *make)));
        }
        Self { promises, ..Self::default() }
    }

    /// Watches for all of [`CHECKS`].
    #[must_use]
    pub fn of_all() -> Self {
        Self::of(CHECKS.iter().map(|(name, _)| *name))
    }

    /// Watches to the end, whatever is broken before.
    #[must_use]
    pub fn to_the_end(self) -> Self {
        Self { goes_on: true, ..self }
    }

    /// What was broken, each promise once, in the order of time.
    #[must_use]
    pub fn broken(&self) -> Vec<Broken> {
        let broken = self.promises.iter().filter_map(|watched| watched.broken.clone());
        let mut broken: Vec<Broken> = broken.collect();
        broken.sort_by_key(|broken| broken.at);
        broken
    }

    /// What became of the promise of this name; `None` if it was not watched
    /// for.
    #[must_use]
    pub fn verdict(&self, name: &str) -> Option<Result<(), &Broken>> {
        let watched = self.promises.iter().find(|watched| watched.name == name)?;
        Some(watched.broken.as_ref().map_or(Ok(()), Err))
    }

    /// How much each promise had to look at.
    pub fn looked_at<'a>(
        &'a self,
        world: &'a World,
    ) -> impl Iterator<Item = (&'static str, u64)> + use<'a> {
        let looked_at = |watched: &'a Watched| {
            let view = View { world, stream: &self.stream, arrivals: &self.arrivals };
            (watched.name, watched.promise.looked_at(&view))
        };
        self.promises.iter().map(looked_at)
    }

    /// How many results stand in the stream.
    #[must_use]
    pub fn results(&self) -> usize {
        self.stream.results()
    }

    /// Looks at the world after an event; says whether the run goes on.
    pub(crate) fn look(&mut self, world: &World) -> bool {
        if self.promises.is_empty() {
            return true;
        }
        // What happens now happens in time for what is due now.
        if self.due < world.now() {
            self.ask_what_is_due(world);
        }
        if self.hears(world) {
            self.due = self.first_due();
        }
        self.goes_on || !self.is_broken
    }

    /// The run is over, at its end or before.
    pub(crate) fn ends(&mut self, world: &World) {
        if self.look(world) {
            self.sample(world);
            self.ask(world, |promise, view| promise.ends(view));
        }
    }

    fn first_due(&self) -> Duration {
        let kept = self.promises.iter().filter(|watched| watched.broken.is_none());
        kept.filter_map(|watched| watched.promise.due()).min().unwrap_or(Duration::MAX)
    }

    fn ask_what_is_due(&mut self, world: &World) {
        let view = View { world, stream: &self.stream, arrivals: &self.arrivals };
        for watched in &mut self.promises {
            while watched.broken.is_none()
                && let Some(at) = watched.promise.due().filter(|due| *due < world.now())
            {
                let checked = watched.promise.overdue(&view);
                watched.broken = checked.err().map(|said| Broken { at, said });
                self.is_broken |= watched.broken.is_some();
            }
        }
        self.due = self.first_due();
    }

    /// Asks each promise that still holds.
    fn ask(&mut self, world: &World, mut what: impl FnMut(&mut dyn Promise, &View<'_>) -> Checked) {
        let view = View { world, stream: &self.stream, arrivals: &self.arrivals };
        for watched in &mut self.promises {
            if watched.broken.is_none()
                && let Err(said) = what(&mut *watched.promise, &view)
            {
                watched.broken = Some(Broken { at: world.now(), said });
                self.is_broken = true;
            }
        }
    }

    /// Hands on what is new, and says whether anything was. What the agent
    /// did comes in the order in which it follows from what it was told: a
    /// list, then files, then messages.
    fn hears(&mut self, world: &World) -> bool {
        let seen = &world.seen;
        let mut is_new = false;
        if self.known.lists != seen.lists {
            self.known.lists = seen.lists;
            self.arrivals.listed(world, &self.stream);
            self.ask(world, |promise, view| promise.listed(view));
            is_new = true;
        }
        if self.known.files != world.files_changed() {
            self.known.files = world.files_changed();
            world.with_stream(|parts| self.stream.now_is(parts));
            self.arrivals.streamed(world, &self.stream);
            self.ask(world, |promise, view| promise.streamed(view));
            is_new = true;
        }
        is_new |= self.hears_of_turns(world);
        while let Some(sent) = seen.sent.get(self.known.sent) {
            self.known.sent += 1;
            self.arrivals.sent(sent);
            self.ask(world, |promise, view| promise.sent(view, sent));
            is_new = true;
        }
        while let Some((_, notice)) = seen.notices.get(self.known.notices) {
            self.known.notices += 1;
            self.arrivals.said(world, notice);
            self.ask(world, |promise, view| promise.said(view, notice));
            is_new = true;
        }
        while self.known.beats < seen.accepted_beats.len() {
            self.known.beats += 1;
            self.ask(world, |promise, view| promise.beat_accepted(view));
            is_new = true;
        }
        is_new |= self.hears_of_messages(world);
        if world.now() >= self.sampled.next {
            self.may_sample(world);
        }
        is_new
    }

    fn hears_of_turns(&mut self, world: &World) -> bool {
        let seen = &world.seen;
        let turns = [
            seen.kills.len(),
            seen.starts.len(),
            seen.stops.len(),
            seen.sleeps.len(),
            seen.token_files.len(),
        ];
        if self.known.turns == turns {
            return false;
        }
        for (place, turn) in TURNS.into_iter().enumerate() {
            for _ in self.known.turns[place]..turns[place] {
                self.arrivals.turned(world, turn);
                self.ask(world, |promise, view| promise.turned(view, turn));
            }
        }
        self.known.turns = turns;
        true
    }

    fn hears_of_messages(&mut self, world: &World) -> bool {
        let totals = [world.seen.calls, world.seen.accepted_messages.len() as u64];
        if [self.known.messages, self.known.delivered] == totals {
            return false;
        }
        let Some(workspace) = world.platform.workspace(OWN) else {
            return false;
        };
        for message in workspace.messages.since(self.known.messages) {
            if let (Some(id), true) = (&message.message_id, message.fate != Fate::Refused) {
                self.arrivals.accepted(id, &self.stream);
            }
        }
        for message in workspace.delivered.since(self.known.delivered) {
            let told = Announcement::read(&message.message_id, &message.text);
            self.arrivals.accepted(&told.id, &self.stream);
            self.ask(world, |promise, view| promise.delivered(view, &told));
        }
        [self.known.messages, self.known.delivered] = totals;
        true
    }

    /// Printing a machine takes longer than all other checks together.
    fn may_sample(&mut self, world: &World) {
        let came_in = world.seen.notices.len() as u64 + world.seen.other_lists + self.known.files;
        let due = self.sampled.next + SAMPLE_EVERY * SELDOM;
        if came_in != self.sampled.came_in || world.now() >= due {
            // After the first day as seldom as a sixth of the run so far.
            let pause = SAMPLE_EVERY.max(world.now() / SELDOM);
            self.sampled = Sampled { next: world.now() + pause, came_in };
            self.sample(world);
        }
    }

    fn sample(&mut self, world: &World) {
        let machine = world.printed_machine();
        self.ask(world, |promise, view| promise.sampled(view, &machine));
    }
}
