//! What the status and the events say of the supervised process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::Pid;
use serde_json::{Value, json};

use super::child::End;

/// What goes on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs.
    Running,
    /// It has ended and is started again soon.
    Waiting,
    /// It was asked to end.
    Stopping,
    /// It has ended for good.
    Ended,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Facts {
    state: State,
    pid: Option<Pid>,
    restarts: u64,
    last_exit: Option<End>,
}

/// What is shown; clones share it. Nothing without a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown(Arc<Mutex<Option<Facts>>>);

impl Shown {
    /// As `CONTROL.md` has it.
    pub(crate) fn to_json(&self) -> Value {
        self.lock().map_or(Value::Null, |facts| {
            json!({
                "pid": facts.pid.map(|pid| pid.as_raw_nonzero().get()),
                "state": facts.state.name(),
                "restarts": facts.restarts,
                "last_exit": facts.last_exit.map(|end| end.to_string()),
            })
        })
    }

    /// A few words for a line.
    pub(crate) fn words(&self) -> Option<String> {
        let facts = (*self.lock())?;
        let state = facts.state.name();
        Some(match (facts.pid, facts.last_exit) {
            (Some(pid), _) => format!("process {} is {state}", pid.as_raw_nonzero()),
            (None, Some(end)) => format!("its process ended with {end}, {state}"),
            (None, None) => format!("its process is {state}"),
        })
    }

    pub(super) fn started(&self, pid: Pid) {
        let mut facts = self.lock();
        let (restarts, last_exit) = match *facts {
            Some(before) => (before.restarts + 1, before.last_exit),
            None => (0, None),
        };
        *facts = Some(Facts { state: State::Running, pid: Some(pid), restarts, last_exit });
    }

    pub(super) fn ended(&self, end: End, state: State) {
        let mut facts = self.lock();
        let restarts = facts.map_or(0, |before| before.restarts);
        *facts = Some(Facts { state, pid: None, restarts, last_exit: Some(end) });
    }

    pub(super) fn becomes(&self, state: State) {
        if let Some(facts) = self.lock().as_mut() {
            facts.state = state;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Facts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_the_story_of_a_process() {
        let (shown, pid) = (Shown::default(), Pid::from_raw(7).unwrap());
        assert_eq!((shown.to_json(), shown.words()), (Value::Null, None));
        shown.started(pid);
        let first = json!({"pid": 7, "state": "running", "restarts": 0, "last_exit": null});
        assert_eq!(shown.to_json(), first);
        assert_eq!(shown.words().unwrap(), "process 7 is running");
        shown.ended(End::Code(3), State::Waiting);
        let waiting =
            json!({"pid": null, "state": "waiting", "restarts": 0, "last_exit": "code 3"});
        assert_eq!(shown.to_json(), waiting);
        assert_eq!(shown.words().unwrap(), "its process ended with code 3, waiting");
        shown.started(pid);
        shown.becomes(State::Stopping);
        let stopping = json!({"pid": 7, "state": "stopping", "restarts": 1, "last_exit": "code 3"});
        assert_eq!(shown.to_json(), stopping);
    }
}
