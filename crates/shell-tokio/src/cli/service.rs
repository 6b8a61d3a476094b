//! What a service manager is told, by systemd's protocol (sd_notify(3)): that
//! it runs, how it is, that it is alive, that it reads its configuration again,
//! that it stops.

use std::convert::Infallible;
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everbeat_core::Overview;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::Reporter;
use crate::control::{App, headline};

/// How long the driver may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Between two looks at what there is to say.
const SHOWN_AT_MOST_EVERY: Duration = Duration::from_millis(500);
const SHOWN_AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// The manager that started this process, if one did that wants to know.
#[derive(Debug)]
pub(crate) struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
    is_stopping: AtomicBool,
}

impl Manager {
    /// From `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub(crate) fn of_environment() -> Option<Self> {
        let path = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty())?;
        let manager = address(&path).and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            // A manager that does not read must not hold up a beat.
            socket.set_nonblocking(true)?;
            let variable = |name: &str| env::var(name).ok();
            let watchdog = watchdog(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"));
            Ok(Self { socket, address, watchdog, is_stopping: AtomicBool::new(false) })
        });
        manager
            .inspect_err(|error| {
                tracing::warn!("NOTIFY_SOCKET: the service manager cannot be told: {error}");
            })
            .ok()
    }

    /// It runs.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// It reads its configuration again; [`Manager::ready`] says that this is
    /// done.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// It stops; said once.
    pub(crate) fn stopping(&self) {
        if !self.is_stopping.swap(true, Ordering::Relaxed) {
            self.tell("STOPPING=1");
        }
    }

    /// Says that it is alive as long as the driver answers, if that is
    /// wanted. Never ends.
    pub(crate) async fn keep_alive(&self, agent: &Reporter) -> Infallible {
        let Some(within) = self.watchdog else { return std::future::pending().await };
        let answers = async || matches!(timeout(ANSWER_WITHIN, agent.ask()).await, Ok(Ok(_)));
        self.feed(within, answers).await
    }

    /// Feeds the watchdog whenever the driver `answers`.
    async fn feed(&self, within: Duration, answers: impl AsyncFn() -> bool) -> Infallible {
        // Twice in the time, as sd_watchdog_enabled(3) has it.
        let mut turns = interval((within / 2).max(Duration::from_millis(1)));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            if answers().await {
                self.tell("WATCHDOG=1");
            }
        }
    }

    /// Says in one line how things stand, whenever that changes. Never ends.
    pub(crate) async fn show(
        &self,
        app: &App,
        mut overview: watch::Receiver<Overview>,
    ) -> Infallible {
        let mut shown = String::new();
        let mut turns = interval(SHOWN_AT_MOST_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            if let Ok(Ok(answer)) = timeout(ANSWER_WITHIN, app.agent.ask()).await {
                let line = headline(app, &answer).replace(char::is_control, " ");
                if line != shown {
                    self.tell(&format!("STATUS={line}"));
                    shown = line;
                }
            }
            // Without a change it is looked at now and then: time passes, too.
            let _ = timeout(SHOWN_AT_LEAST_EVERY, overview.changed()).await;
        }
    }

    fn tell(&self, state: &str) {
        if let Err(error) = self.socket.send_to_addr(state.as_bytes(), &self.address) {
            tracing::debug!("the service manager was not told {state}: {error}");
        }
    }
}

/// A path, or with `@` at its front a name without one.
fn address(path: &OsStr) -> io::Result<SocketAddr> {
    match path.as_bytes().strip_prefix(b"@") {
        Some(name) => nameless(name),
        None => SocketAddr::from_pathname(path),
    }
}

#[cfg(target_os = "linux")]
fn nameless(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// How often it must say that it is alive; a process id names whom that is
/// meant for.
fn watchdog(micros: Option<String>, pid: Option<String>) -> Option<Duration> {
    let micros = micros?.parse().ok().filter(|micros| *micros > 0)?;
    let is_meant = pid.is_none_or(|pid| pid == std::process::id().to_string());
    is_meant.then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::testing::TempDir;

    /// One that answers is fed twice in the time, one that says no or hangs is
    /// not, and is again once it answers.
    #[test]
    fn the_watchdog_is_fed_by_answers_and_nothing_else() {
        let dir = TempDir::new();
        let within = Duration::from_millis(20);
        let manager = Manager {
            socket: UnixDatagram::unbound().unwrap(),
            address: SocketAddr::from_pathname(dir.join("notify")).unwrap(),
            watchdog: Some(within),
            is_stopping: AtomicBool::new(false),
        };
        #[derive(Clone, Copy, PartialEq)]
        enum Driver {
            Answers,
            Refuses,
            Hangs,
        }
        let driver = Cell::new(Driver::Answers);
        let answers = async || {
            while driver.get() == Driver::Hangs {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            driver.get() == Driver::Answers
        };
        let silence = within * 10;
        let script = async {
            let ear = tokio::net::UnixDatagram::bind(dir.join("notify")).unwrap();
            let mut said = [0; 64];
            for stuck in [Driver::Refuses, Driver::Hangs] {
                for _ in 0..3 {
                    let length = ear.recv(&mut said).await.unwrap();
                    assert_eq!(said.get(..length), Some(b"WATCHDOG=1".as_slice()));
                }
                driver.set(stuck);
                let mut heard = 0;
                while timeout(silence, ear.recv(&mut said)).await.is_ok() {
                    heard += 1;
                }
                assert!(heard <= 1, "{heard} signs of life of one that is stuck");
                driver.set(Driver::Answers);
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::select! {
                () = script => {}
                never = manager.feed(within, answers) => match never {},
            }
        });
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_is_named() {
        let watchdog = |micros: &str, pid: Option<String>| watchdog(Some(micros.into()), pid);
        let own = std::process::id().to_string();
        let second = Some(Duration::from_secs(1));
        assert_eq!(watchdog("1000000", None), second);
        assert_eq!(watchdog("1000000", Some(own)), second);
        assert_eq!(watchdog("1000000", Some("1".into())), None);
        assert_eq!(watchdog("0", None), None);
        assert_eq!(watchdog("soon", None), None);
        assert_eq!(super::watchdog(None, None), None);
    }
}
