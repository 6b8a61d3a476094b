//! The way between agent and platform: what becomes of a request and of its
//! answer. Without a clock and without chance of its own: both come in.

use std::time::Duration;

use everbeat_core::CommandId;

use crate::dice::Dice;
use crate::plan::{Lost, Network};

/// So fine is chance in a tail.
const TAIL_STEPS: u64 = 1_000;

/// What the network does to a request beyond its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    Doubled,
    AnswerLost,
    Reset,
    Cut,
}

/// Whether the platform's name leads anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Known,
    KnownAfter(Duration),
    Never,
}

/// What becomes of a request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// Nobody listens, says the other side after so long.
    Refused { after: Duration },
    /// It never arrives, and nobody says so.
    Lost,
    /// It arrives after so long.
    Arrives { after: Duration, fate: Fate },
}

/// The way, as it is now.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) network: Network,
    /// Parted until then.
    partition: Option<(Duration, Lost)>,
    /// Names are resolved slowly until then; never if `None`.
    slow_dns: Option<(Duration, Option<Duration>)>,
    /// The platform's process: what an earlier one was about to answer went
    /// with it.
    platform_process: u64,
    /// Requests that the platform holds open, by the agent's process.
    open: Vec<(u64, CommandId)>,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            network: Network::GOOD,
            partition: None,
            slow_dns: None,
            platform_process: 0,
            open: Vec::new(),
        }
    }
}

impl Way {
    /// Whatever is wrong with it is over.
    pub(super) fn heal(&mut self) {
        self.network = Network::GOOD;
        self.partition = None;
        self.slow_dns = None;
    }

    pub(super) const fn part(&mut self, until: Duration, lost: Lost) {
        self.partition = Some((until, lost));
    }

    pub(super) const fn slow_names(&mut self, until: Duration, takes: Option<Duration>) {
        self.slow_dns = Some((until, takes));
    }

    pub(super) fn name(&self, now: Duration) -> Name {
        match self.slow_dns.filter(|(until, _)| *until > now) {
            None => Name::Known,
            Some((_, Some(takes))) => Name::KnownAfter(takes),
            Some((_, None)) => Name::Never,
        }
    }

    /// A request leaves the agent's machine.
    pub(super) fn request(&self, now: Duration, dice: &mut Dice) -> Leg {
        if self.loses(now).is_some_and(Lost::loses_requests) {
            return Leg::Lost;
        }
        let network = self.network;
        let roll = dice.below(100);
        let mut shares = 0;
        let mut falls = |share: u8| {
            shares += u64::from(share);
            roll < shares
        };
        if falls(network.refused) {
            return Leg::Refused { after: Duration::from_millis(network.latency_ms) };
        }
        if falls(network.lost) {
            return Leg::Lost;
        }
        let fate = if falls(network.answer_lost) {
            Fate::AnswerLost
        } else if falls(network.reset) {
            Fate::Reset
        } else if falls(network.cut) {
            Fate::Cut
        } else if falls(network.doubled) {
            Fate::Doubled
        } else {
            Fate::Answered
        };
        Leg::Arrives { after: self.takes(dice), fate }
    }

    /// How long one direction takes.
    pub(super) fn takes(&self, dice: &mut Dice) -> Duration {
        let Network { latency_ms, jitter_ms, tail, tail_ms, .. } = self.network;
        let takes = dice.between_ms(latency_ms, latency_ms + jitter_ms);
        if tail > 0 && dice.below(100) < u64::from(tail) {
            // A cube: the middle of a tail is an eighth of it.
            let share = u128::from(dice.below(TAIL_STEPS)).pow(3);
            let longer = u128::from(tail_ms) * share / u128::from(TAIL_STEPS).pow(3);
            return takes + Duration::from_millis(u64::try_from(longer).unwrap_or(u64::MAX));
        }
        takes
    }

    /// Which process of the platform answers.
    pub(super) const fn platform_process(&self) -> u64 {
        self.platform_process
    }

    /// The platform holds the connection until it has answered.
    pub(super) fn hold(&mut self, process: u64, command: CommandId) {
        self.open.push((process, command));
    }

    /// The agent closed the connection.
    pub(super) fn forget(&mut self, process: u64, command: CommandId) {
        self.open.retain(|open| *open != (process, command));
    }

    /// Whether an answer of that process of the platform gets to the agent's
    /// machine.
    pub(super) fn brings(
        &mut self,
        now: Duration,
        (process, command): (u64, CommandId),
        platform_process: u64,
    ) -> bool {
        self.forget(process, command);
        let is_lost = self.loses(now).is_some_and(Lost::loses_answers);
        platform_process == self.platform_process && !is_lost
    }

    /// The platform's process ends; these connections are reset.
    pub(super) fn platform_goes(&mut self) -> Vec<(u64, CommandId)> {
        self.platform_process += 1;
        std::mem::take(&mut self.open)
    }

    fn loses(&self, now: Duration) -> Option<Lost> {
        self.partition.filter(|(until, _)| *until > now).map(|(_, lost)| lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const LATER: Duration = Duration::from_secs(200);

    fn legs(way: &Way) -> Vec<Leg> {
        let mut dice = Dice::new(7);
        (0..1_000).map(|_| way.request(NOW, &mut dice)).collect()
    }

    #[test]
    fn a_good_network_brings_everything_in_time() {
        for leg in legs(&Way::default()) {
            let Leg::Arrives { after, fate: Fate::Answered } = leg else { panic!("{leg:?}") };
            assert!((Duration::from_millis(2)..Duration::from_millis(10)).contains(&after));
        }
    }

    #[test]
    fn shares_are_shares_of_all_requests() {
        let network = Network { refused: 10, lost: 10, cut: 10, doubled: 10, ..Network::GOOD };
        let mut way = Way { network, ..Way::default() };
        let legs = legs(&way);
        let share = |is: fn(&Leg) -> bool| legs.iter().filter(|leg| is(leg)).count();
        for (what, count) in [
            ("refused", share(|leg| matches!(leg, Leg::Refused { .. }))),
            ("lost", share(|leg| *leg == Leg::Lost)),
            ("cut", share(|leg| matches!(leg, Leg::Arrives { fate: Fate::Cut, .. }))),
            ("doubled", share(|leg| matches!(leg, Leg::Arrives { fate: Fate::Doubled, .. }))),
        ] {
            assert!((70..130).contains(&count), "{count} of 1,000 {what}");
        }
        way.heal();
        assert_eq!(way.network, Network::GOOD);
    }

    #[test]
    fn few_ways_have_a_tail_and_fewer_a_long_one() {
        let network = Network { tail: 20, tail_ms: 8_000, ..Network::GOOD };
        let way = Way { network, ..Way::default() };
        let mut dice = Dice::new(7);
        let mut takes: Vec<Duration> = (0..10_000).map(|_| way.takes(&mut dice)).collect();
        takes.sort_unstable();
        let of = |per_mille: usize| takes[takes.len() * per_mille / 1_000].as_millis();
        assert!(of(790) < 11, "{} ms without a tail", of(790));
        assert!((500..1_500).contains(&of(900)), "{} ms in its middle", of(900));
        assert!((6_000..8_010).contains(&of(995)), "{} ms at its end", of(995));
    }

    #[test]
    fn a_partition_loses_what_it_is_of_until_it_ends() {
        let of = (1, CommandId(1));
        for (lost, requests, answers) in
            [(Lost::Requests, true, false), (Lost::Answers, false, true), (Lost::Both, true, true)]
        {
            let mut way = Way::default();
            way.part(LATER, lost);
            let mut dice = Dice::new(1);
            assert_eq!(way.request(NOW, &mut dice) == Leg::Lost, requests);
            assert_eq!(way.brings(NOW, of, 0), !answers);
            assert!(way.request(LATER, &mut dice) != Leg::Lost && way.brings(LATER, of, 0));
        }
    }

    #[test]
    fn names_are_slow_until_they_are_not() {
        let mut way = Way::default();
        assert_eq!(way.name(NOW), Name::Known);
        way.slow_names(LATER, Some(Duration::from_secs(4)));
        assert_eq!(way.name(NOW), Name::KnownAfter(Duration::from_secs(4)));
        way.slow_names(LATER, None);
        assert_eq!((way.name(NOW), way.name(LATER)), (Name::Never, Name::Known));
    }

    #[test]
    fn what_a_platform_s_process_held_goes_with_it() {
        let mut way = Way::default();
        for command in 1..=3 {
            way.hold(1, CommandId(command));
        }
        way.forget(1, CommandId(2));
        assert_eq!(way.platform_goes(), [(1, CommandId(1)), (1, CommandId(3))]);
        assert_eq!(way.platform_goes(), []);
        assert!(!way.brings(NOW, (1, CommandId(4)), 0), "an answer of the first process");
        assert!(way.brings(NOW, (1, CommandId(4)), way.platform_process()));
    }
}
