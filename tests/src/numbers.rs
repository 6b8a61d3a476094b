//! Pseudo-random numbers with a printed seed, and what the system counts.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

/// A small generator (splitmix64).
#[derive(Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The seed is `EVERBEAT_TEST_SEED`, or else taken from the clock; it is
    /// printed, so that a failure shows it.
    #[must_use]
    pub fn seeded(name: &str) -> Self {
        let given = std::env::var("EVERBEAT_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            u64::from(since.subsec_nanos()) ^ since.as_secs()
        });
        println!("{name}: EVERBEAT_TEST_SEED={seed}");
        Self(seed)
    }

    /// A generator of its own for a part.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.next_number())
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A duration from zero to just under `most`.
    pub fn below(&mut self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos(self.next_number() % nanos)
    }
}

fn status_of(pid: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.split_whitespace().next()?.to_owned())
}

/// Whether the process handles the signal itself.
pub(crate) fn handles(pid: u32, signal: Signal) -> bool {
    let caught = status_of(pid, "SigCgt:").and_then(|mask| u64::from_str_radix(&mask, 16).ok());
    caught.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

/// The most memory that the process ever had resident, in KiB.
#[must_use]
pub fn memory_peak_kib(pid: u32) -> u64 {
    status_of(pid, "VmHWM:").and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// The CPU time that the process used, in user and system mode.
#[must_use]
pub fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; utime and stime are the 12th
    // and 13th field after it, in hundredths of a second.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    let mut ticks = fields.split_whitespace().skip(11);
    let mut next = || ticks.next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis(10 * (next() + next()))
}

/// How many threads the process has.
#[must_use]
pub fn thread_count(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}
