//! Whether and when a command that has ended is started again.

use std::time::Duration;

use clap::ValueEnum;

use super::child::End;

/// The longest wait, and how long one must have lived to be started again as
/// if for the first time.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// When it is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Restart {
    /// Never: its end is the end
    No,
    /// Unless it ended with code 0
    OnFailure,
    /// Always
    Always,
}

impl Restart {
    /// Whether it is, after this end.
    pub(crate) fn applies(self, end: End) -> bool {
        match self {
            Self::No => false,
            Self::OnFailure => !end.is_success(),
            Self::Always => true,
        }
    }
}

/// How long it waits: twice as long each time, a minute at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    in_a_row: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration) -> Self {
        Self { first, in_a_row: 0 }
    }

    /// After one that lived so long.
    pub(crate) fn next(&mut self, lived: Duration) -> Duration {
        if lived >= DELAY_MAX {
            self.in_a_row = 0;
        }
        let factor = 2_u32.saturating_pow(self.in_a_row);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.first.saturating_mul(factor).min(DELAY_MAX.max(self.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_starts_what_it_should() {
        let all = [End::Code(0), End::Code(1), End::Signal(9), End::NotStarted, End::Unknown];
        let applies = |restart: Restart| all.map(|end| restart.applies(end));
        assert_eq!(applies(Restart::No), [false; 5]);
        assert_eq!(applies(Restart::OnFailure), [false, true, true, true, true]);
        assert_eq!(applies(Restart::Always), [true; 5]);
    }

    #[test]
    fn waits_double_up_to_a_minute_and_begin_anew_after_a_good_while() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        let mut next = |lived| backoff.next(Duration::from_secs(lived)).as_secs();
        let waits: Vec<_> = std::iter::repeat_with(|| next(1)).take(8).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(next(59), 60);
        assert_eq!([next(60), next(1)], [1, 2]);
        let mut long = Backoff::new(Duration::from_secs(300));
        assert_eq!(
            [long.next(Duration::ZERO), long.next(Duration::ZERO)].map(|it| it.as_secs()),
            [300; 2]
        );
        let mut many = Backoff { first: Duration::from_secs(1), in_a_row: u32::MAX };
        assert_eq!(many.next(Duration::ZERO), DELAY_MAX);
    }
}
