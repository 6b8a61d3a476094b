//! What is counted and measured, under names that stay.
//!
//! Counters and histograms grow as things happen; gauges are set from the
//! status whenever somebody asks. Label values are members of small sets.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use everbeat_core::Severity;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::route::{Route, StatusClass};

type Seconds = Gauge<f64, AtomicU64>;
type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Gauges = Family<Labels<1>, Gauge>;

/// Seconds: a healthy beat takes milliseconds, its deadline is 10 s.
const DURATIONS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Seconds: a loop that turns is late by a timer's grain.
const LATENESSES: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// How a beat or a look at the delegations ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With a 2xx.
    Accepted,
    /// With another answer.
    Refused,
    /// Without one.
    Failed,
}

impl Ended {
    const ALL: [Self; 3] = [Self::Accepted, Self::Refused, Self::Failed];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What became of a message to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// The platform took it.
    Accepted,
    /// The platform did not take it; its results wait for the next.
    Refused,
    /// Nobody answered in time, as in a long turn.
    Unanswered,
    /// The reader took what an unanswered one named.
    Taken,
    /// An unanswered one goes out again.
    Repeated,
}

impl Announcement {
    const ALL: [Self; 5] =
        [Self::Accepted, Self::Refused, Self::Unanswered, Self::Taken, Self::Repeated];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Taken => "taken",
            Self::Repeated => "repeated",
        }
    }
}

/// How things stand at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Levels {
    /// Seconds since the Unix epoch; `None` before the first.
    pub(crate) last_accepted_beat_at: Option<f64>,
    pub(crate) interval: Duration,
    pub(crate) failures_in_a_row: [u32; 2],
    pub(crate) outage: [Duration; 2],
    pub(crate) discovered: usize,
    pub(crate) stored: usize,
    pub(crate) announcing: usize,
    pub(crate) unanswered: usize,
    pub(crate) remembered: usize,
    pub(crate) is_held: bool,
    pub(crate) is_store_open: bool,
    pub(crate) is_token_refused: bool,
    pub(crate) cooldown_left: Duration,
    pub(crate) messages_last_hour: usize,
    pub(crate) messages_per_hour_max: u32,
    pub(crate) tasks: usize,
    pub(crate) is_wedged: bool,
    pub(crate) connections: usize,
}

/// The lanes of [`Levels::outage`] and [`Levels::failures_in_a_row`].
const LANES: [&str; 2] = ["alive", "delegations"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoticeLabels {
    notice: String,
    severity: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControlLabels {
    method: &'static str,
    route: String,
    status: &'static str,
}

/// All that is exposed.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    beats: Counters<1>,
    beat_lateness: Histogram,
    beat_duration: Histogram,
    polls: Counters<1>,
    requests: Counters<2>,
    results_stored: Counter,
    announcements: Counters<1>,
    notices: Family<NoticeLabels, Counter>,
    control_requests: Family<ControlLabels, Counter>,
    events: Counter,
    events_lost: Counter,
    journal: Gauge,
    gauges: LevelGauges,
}

#[derive(Debug, Default)]
struct LevelGauges {
    last_accepted_beat: Seconds,
    interval: Seconds,
    failures: Gauges,
    outage: Family<Labels<1>, Seconds>,
    pipeline: Gauges,
    held: Gauge,
    store_open: Gauge,
    token_refused: Gauge,
    cooldown_left: Seconds,
    messages_last_hour: Gauge,
    messages_per_hour_max: Gauge,
    tasks: Gauge,
    wedged: Gauge,
    connections: Gauge,
}

impl Metrics {
    /// All of them at zero; `started_at` is in seconds since the Unix epoch.
    pub(crate) fn new(version: &'static str, started_at: f64) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            beats: Family::default(),
            beat_lateness: Histogram::new(LATENESSES),
            beat_duration: Histogram::new(DURATIONS),
            polls: Family::default(),
            requests: Family::default(),
            results_stored: Counter::default(),
            announcements: Family::default(),
            notices: Family::default(),
            control_requests: Family::default(),
            events: Counter::default(),
            events_lost: Counter::default(),
            journal: Gauge::default(),
            gauges: LevelGauges::default(),
        };
        let started = Seconds::default();
        started.set(started_at);
        let all = &mut metrics.registry;
        let unit = Unit::Seconds;
        all.register_with_unit("process_start_time", "When the process began", unit, started);
        let registry = all.sub_registry_with_prefix("everbeat");
        registry.register("build", "The program's version", Info::new([("version", version)]));
        metrics.register();
        metrics.begin_at_zero();
        metrics
    }

    fn register(&mut self) {
        let to = self.registry.sub_registry_with_prefix("everbeat");
        to.register("beats", "Beats that came to an end", self.beats.clone());
        to.register_with_unit(
            "beat_lateness",
            "From the moment that a beat was due to its start",
            Unit::Seconds,
            self.beat_lateness.clone(),
        );
        to.register_with_unit(
            "beat_duration",
            "From the start of a beat to its end",
            Unit::Seconds,
            self.beat_duration.clone(),
        );
        to.register("polls", "Looks at the delegations that came to an end", self.polls.clone());
        to.register("requests", "Requests to the platform by answer", self.requests.clone());
        to.register("results_stored", "Results stored durably", self.results_stored.clone());
        to.register("announcements", "Messages to the agent", self.announcements.clone());
        to.register("notices", "Notices by kind", self.notices.clone());
        to.register(
            "control_requests",
            "Requests on the control socket",
            self.control_requests.clone(),
        );
        to.register("events", "Events for the control socket", self.events.clone());
        to.register("events_lost", "Events that a listener missed", self.events_lost.clone());
        let bytes = Unit::Bytes;
        to.register_with_unit("journal", "The journal's size", bytes, self.journal.clone());
        self.gauges.register(to);
    }

    /// A series that begins with its first count has no rate for it.
    fn begin_at_zero(&self) {
        for ended in Ended::ALL {
            drop(self.beats.get_or_create(&[("outcome", ended.name())]));
            drop(self.polls.get_or_create(&[("outcome", ended.name())]));
        }
        for outcome in Announcement::ALL {
            drop(self.announcements.get_or_create(&[("outcome", outcome.name())]));
        }
        for (route, class) in
            Route::ALL.into_iter().flat_map(|route| StatusClass::ALL.map(|class| (route, class)))
        {
            drop(self.requests.get_or_create(&request_labels(route, class)));
        }
        self.gauges.set(&Levels::default());
    }

    pub(crate) fn beat(&self, ended: Ended, lateness: Duration, took: Duration) {
        self.beats.get_or_create(&[("outcome", ended.name())]).inc();
        self.beat_lateness.observe(lateness.as_secs_f64());
        self.beat_duration.observe(took.as_secs_f64());
    }

    pub(crate) fn poll(&self, ended: Ended) {
        self.polls.get_or_create(&[("outcome", ended.name())]).inc();
    }

    pub(crate) fn request(&self, route: Route, class: StatusClass) {
        self.requests.get_or_create(&request_labels(route, class)).inc();
    }

    pub(crate) fn stored(&self, results: usize) {
        self.results_stored.inc_by(results as u64);
    }

    pub(crate) fn announcement(&self, outcome: Announcement) {
        self.announcements.get_or_create(&[("outcome", outcome.name())]).inc();
    }

    /// `name` is one of the notices' own.
    pub(crate) fn notice(&self, name: &str, severity: Severity) {
        let labels = NoticeLabels { notice: name.to_owned(), severity: severity_name(severity) };
        self.notices.get_or_create(&labels).inc();
    }

    /// `route` is a template, or one word for all that is none.
    pub(crate) fn control_request(&self, method: &'static str, route: &str, status: u16) {
        let status = StatusClass::of(status).name();
        let labels = ControlLabels { method, route: route.to_owned(), status };
        self.control_requests.get_or_create(&labels).inc();
    }

    pub(crate) fn event(&self) {
        self.events.inc();
    }

    pub(crate) fn lost(&self, events: u64) {
        self.events_lost.inc_by(events);
    }

    /// Events that listeners were told to have missed.
    pub(crate) fn events_lost(&self) -> u64 {
        self.events_lost.get()
    }

    pub(crate) fn journal(&self, bytes: u64) {
        self.journal.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// As OpenMetrics text.
    pub(crate) fn expose(&self, levels: &Levels) -> String {
        self.gauges.set(levels);
        let mut out = String::new();
        // Writing to a string cannot fail.
        if text::encode(&mut out, &self.registry).is_err() {
            let _ = writeln!(out, "# EOF");
        }
        out
    }
}

impl LevelGauges {
    fn register(&self, to: &mut Registry) {
        let seconds = || Unit::Seconds;
        to.register_with_unit(
            "last_accepted_beat_timestamp",
            "When the platform last accepted a beat; 0 before the first",
            seconds(),
            self.last_accepted_beat.clone(),
        );
        let interval = self.interval.clone();
        to.register_with_unit("interval", "The time between beats", seconds(), interval);
        to.register("failures_in_a_row", "Failures since the last success", self.failures.clone());
        let outage = self.outage.clone();
        to.register_with_unit("outage", "Since its first failure; 0: none", seconds(), outage);
        to.register("pipeline_results", "Results by where they are", self.pipeline.clone());
        let held = "Whether stored results cannot be put at the results path";
        to.register("results_held", held, self.held.clone());
        to.register("store_open", "Whether the journal is open", self.store_open.clone());
        let refused = "Whether the last beat's answer refused the token";
        to.register("token_refused", refused, self.token_refused.clone());
        let left = self.cooldown_left.clone();
        to.register_with_unit("cooldown_left", "Until the agent may be told", seconds(), left);
        let sent = "Messages to the agent in the last hour";
        to.register("messages_last_hour", sent, self.messages_last_hour.clone());
        let most = "Messages to the agent that an hour may have";
        to.register("messages_per_hour_max", most, self.messages_per_hour_max.clone());
        to.register("tasks", "Tasks that the agent reported", self.tasks.clone());
        to.register("wedged", "Whether the agent cannot go on", self.wedged.clone());
        to.register("control_connections", "Open control connections", self.connections.clone());
    }

    fn set(&self, levels: &Levels) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.last_accepted_beat.set(levels.last_accepted_beat_at.unwrap_or(0.0));
        self.interval.set(levels.interval.as_secs_f64());
        for ((lane, failures), outage) in
            LANES.into_iter().zip(levels.failures_in_a_row).zip(levels.outage)
        {
            self.failures.get_or_create(&[("lane", lane)]).set(i64::from(failures));
            self.outage.get_or_create(&[("lane", lane)]).set(outage.as_secs_f64());
        }
        let stages = [
            ("discovered", levels.discovered),
            ("stored", levels.stored),
            ("announcing", levels.announcing),
            ("unanswered", levels.unanswered),
            ("remembered", levels.remembered),
        ];
        for (stage, results) in stages {
            self.pipeline.get_or_create(&[("stage", stage)]).set(count(results));
        }
        self.held.set(i64::from(levels.is_held));
        self.store_open.set(i64::from(levels.is_store_open));
        self.token_refused.set(i64::from(levels.is_token_refused));
        self.cooldown_left.set(levels.cooldown_left.as_secs_f64());
        self.messages_last_hour.set(count(levels.messages_last_hour));
        self.messages_per_hour_max.set(i64::from(levels.messages_per_hour_max));
        self.tasks.set(count(levels.tasks));
        self.wedged.set(i64::from(levels.is_wedged));
        self.connections.set(count(levels.connections));
    }
}

const fn request_labels(route: Route, class: StatusClass) -> Labels<2> {
    [("route", route.template()), ("status", class.name())]
}

pub(crate) const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

#[cfg(test)]
mod tests;
