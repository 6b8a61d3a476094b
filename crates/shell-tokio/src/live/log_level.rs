//! The level of the process's own log: as configured, or another for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::reload::Handle;

/// The names of levels, the quietest first.
pub(crate) const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The level that `name` names.
pub(crate) fn parse(name: &str) -> Option<LevelFilter> {
    if LEVELS.contains(&name) { name.parse().ok() } else { None }
}

/// Changes the filter of the process's log; clones change the same.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    handle: Handle<Targets, Registry>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    configured: Targets,
    /// Which loan holds, if one does: an older one's end changes nothing.
    loan: Option<u64>,
    loans: u64,
}

impl LogLevel {
    /// Of a log that begins with `configured`.
    pub(crate) fn new(handle: Handle<Targets, Registry>, configured: Targets) -> Self {
        let state = Mutex::new(State { configured, loan: None, loans: 0 });
        Self { shared: Arc::new(Shared { handle, state }) }
    }

    /// Logs everything at `level` for `span`, then as configured. The end is
    /// a task of the current runtime.
    pub(crate) fn lend(&self, level: LevelFilter, span: Duration) {
        let number = self.begin(level);
        let log = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(span).await;
            log.end(number);
        });
    }

    /// As configured, from now on.
    pub(crate) fn restore(&self) {
        let mut state = self.state();
        if state.loan.take().is_some() {
            self.use_filter(state.configured.clone());
        }
    }

    /// Another configuration; a level that is lent stays until its end.
    pub(crate) fn configure(&self, configured: Targets) {
        let mut state = self.state();
        if state.loan.is_none() {
            self.use_filter(configured.clone());
        }
        state.configured = configured;
    }

    fn begin(&self, level: LevelFilter) -> u64 {
        let mut state = self.state();
        state.loans += 1;
        state.loan = Some(state.loans);
        self.use_filter(Targets::new().with_default(level));
        state.loans
    }

    fn end(&self, number: u64) {
        let is_current = self.state().loan == Some(number);
        if is_current {
            self.restore();
            tracing::info!("the log is at its configured level again");
        }
    }

    fn use_filter(&self, filter: Targets) {
        // It fails only if nothing logs any more.
        let _ = self.shared.handle.reload(filter);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::reload;

    use super::*;

    fn shown(handle: &Handle<Targets, Registry>) -> String {
        handle.with_current(ToString::to_string).unwrap()
    }

    #[test]
    fn a_level_is_lent_and_comes_back() {
        let configured = || Targets::new().with_default(LevelFilter::INFO);
        let (_filter, handle) = reload::Layer::new(configured());
        let log = LogLevel::new(handle.clone(), configured());
        let first = log.begin(LevelFilter::DEBUG);
        assert_eq!(shown(&handle), "debug");
        // A later loan outlives the end of an earlier one.
        let second = log.begin(LevelFilter::TRACE);
        log.end(first);
        assert_eq!(shown(&handle), "trace");
        log.end(second);
        assert_eq!(shown(&handle), "info");
        // What is configured meanwhile holds from the end on.
        let third = log.begin(LevelFilter::DEBUG);
        log.configure(Targets::new().with_default(LevelFilter::WARN));
        assert_eq!(shown(&handle), "debug");
        log.restore();
        assert_eq!(shown(&handle), "warn");
        log.end(third);
        assert_eq!(shown(&handle), "warn");
    }

    #[test]
    fn only_levels_are_levels() {
        for name in LEVELS {
            assert!(parse(name).is_some(), "{name}");
        }
        for name in ["", "INFO", "debgu", "warn,everbeat=debug", "5"] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
