//! What the plan does to the world.

use std::time::Duration;

use everbeat_core::{CommandId, Config, Event, Outcome, Placement, Report};
use everbeat_platform::{AgentMode, Fault, FaultEffect, Finish, NewDelegation, Route};
use serde_json::{Value, json};

use super::process::token_file;
use super::{Happening, Lasting, Party, Stopping, World, fingerprint};
use crate::lists::ReadList;
use crate::plan::{Act, DiskTrouble, Entry, OWN, foreign};

impl World {
    /// Whether what was first listed at `since` may have come so many times too
    /// often: once for each undoing of what was durable, if it is remembered.
    #[must_use]
    pub fn may_come_again(&self, times: usize, since: Duration) -> bool {
        times == 0 || self.outruns_memory || self.plan.undone(since..=self.now).count() >= times
    }

    /// When something durable was undone for the last time, if ever.
    pub(crate) fn last_undone(&self) -> Option<Duration> {
        self.plan.undone(Duration::ZERO..=self.now).max()
    }

    pub(super) fn act(&mut self, act: &Act) {
        self.seen.acts.add(act.name());
        self.tell_trace(Party::Plan, act.name(), || format!("{act:?}"));
        match *act {
            Act::Finish { first, count, ref finish } => {
                for number in first..first.saturating_add(count) {
                    self.finish(&format!("d{number}"), None, finish);
                }
            }
            Act::FinishForeign { number } => {
                self.finish(&format!("f{number}"), Some("stranger"), &foreign());
            }
            Act::LongList { first, rows } => {
                let row = |number: u32| {
                    json!({"delegation_id": format!("m{number}"), "source_id": OWN,
                        "status": "failed", "error": "no"})
                };
                let rows: Vec<Value> = (first..first.saturating_add(rows)).map(row).collect();
                self.answer_polls(Value::from(rows).to_string(), 1);
            }
            Act::HostileList { ref body, times } => self.answer_polls(body.clone(), times),
            Act::RotateToken { file_late_ms } => {
                if let Ok(token) = self.platform.rotate_token(OWN) {
                    self.seen.rotations.push((self.now, fingerprint(0, &token)));
                    let at = self.now + Duration::from_millis(file_late_ms);
                    self.agenda.put(at, Happening::TokenFile { token });
                }
            }
            Act::RevokeTokens => {
                let _ = self.platform.revoke_tokens(OWN);
            }
            Act::Fault { route, times, ref effect } => {
                self.platform_fault(route, times, effect.clone());
            }
            Act::Outage { ms, kind } => self.platform.outage(Duration::from_millis(ms), kind),
            Act::PlatformRestart { away_ms, kind } => {
                self.platform_goes(Duration::from_millis(away_ms), kind, false);
            }
            Act::PlatformUpgrade { away_ms, kind } => {
                self.platform_goes(Duration::from_millis(away_ms), kind, true);
            }
            Act::RateLimit { per_minute, ms } => {
                self.platform.limit_rate(Some(per_minute));
                self.lasts(Lasting::RateLimit, ms);
            }
            Act::PlatformSkew { ms } => self.clocks.skew_platform(ms),
            Act::Partition { ms, lost } => {
                self.way.part(self.now + Duration::from_millis(ms), lost);
            }
            Act::SlowDns { takes_ms, ms } => {
                let until = self.now + Duration::from_millis(ms);
                self.way.slow_names(until, takes_ms.map(Duration::from_millis));
            }
            Act::Network { network } => self.way.network = network,
            Act::AgentMode { ref mode, turn_ms } => {
                let _ = self.platform.set_agent(OWN, mode.clone(), Some(turn_ms));
            }
            Act::Report { ref report } => {
                if !self.is_asleep() {
                    self.tell(Event::Report(report.clone()));
                }
            }
            Act::Chatter { times, every_ms } => {
                for number in 0..times {
                    let report = Report::CurrentTask { title: format!("step {number}") };
                    let after = Duration::from_millis(every_ms).saturating_mul(number);
                    self.agenda.put(self.now + after, Happening::Act(Act::Report { report }));
                }
            }
            Act::Kill { after_calls, down_ms } => {
                self.down = Duration::from_millis(down_ms);
                if after_calls == 0 {
                    self.kill();
                } else {
                    self.files.kill_after(after_calls);
                }
            }
            Act::PowerLoss { down_ms, names } => {
                self.down = Duration::from_millis(down_ms);
                self.kill();
                self.files.lose_power(names);
            }
            Act::WipeFolder => self.files.wipe_folder(),
            Act::FolderGone { which, ms } => {
                self.files.hide(Some(which));
                self.lasts(Lasting::FolderGone, ms);
            }
            Act::OddResults { what, ms } => {
                if self.files.put_odd(what) {
                    self.lasts(Lasting::Odd, ms);
                }
            }
            Act::SpoilJournal => {
                if self.process.is_none() {
                    self.files.spoil_journal();
                }
            }
            Act::Stop { down_ms } => {
                if self.process.is_some() && !self.is_asleep() {
                    self.down = Duration::from_millis(down_ms);
                    self.seen.stops.push(Stopping { asked: self.now, ended: None });
                    self.tell(Event::Stop);
                }
            }
            Act::SecondStart { after_calls } => self.files.start_second_after(after_calls),
            Act::Suspend { ms, clock_stops } => {
                if !self.is_asleep() {
                    self.sleep(Duration::from_millis(ms), clock_stops);
                }
            }
            Act::WallStep { ms } => self.clocks.step_wall(ms),
            Act::WallDrift { percent } => self.clocks.drift_wall(self.now, percent),
            Act::Read => self.read_results(),
            Act::Lease { holds_ms } => self.take_leased(holds_ms.map(Duration::from_millis)),
            Act::Retune { announce, notify } => {
                if !self.is_asleep() {
                    let config = Config { announce, notify, ..self.plan.setup.config() };
                    self.tell(Event::Retune(config.tuning()));
                }
            }
            Act::DiskFails { how, calls } => self.disk_fails(how, calls),
            Act::DiskError { after_calls } => self.files.err_after(after_calls),
            Act::RemountReadOnly { ms } => {
                self.files.remount(true);
                self.lasts(Lasting::ReadOnly, ms);
            }
            Act::DiskSlow { ms } => self.disk_slow = Duration::from_millis(ms),
        }
    }

    fn lasts(&mut self, lasting: Lasting, ms: u64) {
        self.agenda.put(self.now + Duration::from_millis(ms), Happening::IsOver(lasting));
    }

    pub(super) fn is_over(&mut self, lasting: Lasting) {
        match lasting {
            Lasting::Odd => self.files.remove_odd(),
            Lasting::ReadOnly => self.files.remount(false),
            Lasting::FolderGone => self.files.hide(None),
            Lasting::RateLimit => self.platform.limit_rate(None),
        }
    }

    /// Whether there is a process, be it asleep.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Whether no process runs because the machine sleeps.
    pub(super) fn is_asleep(&self) -> bool {
        self.wakes_at().is_some()
    }

    /// When the machine wakes up, if it sleeps.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        self.asleep_until.filter(|until| *until > self.now)
    }

    fn sleep(&mut self, length: Duration, clock_stops: bool) {
        // The healed world is awake.
        let heals = Duration::from_millis(self.plan.faults_end_ms);
        let until = (self.now + length).min(heals.max(self.now));
        self.asleep_until = Some(until);
        if clock_stops {
            self.clocks.stand(until - self.now);
            self.seen.unnoticed_sleeps.push(self.now);
        }
        self.seen.sleeps.push(self.now);
        self.seen.wakes.push(until);
    }

    /// All faults off; what they left behind stays.
    pub(super) fn heal(&mut self) {
        self.platform.clear_faults(None);
        self.platform.outage(Duration::ZERO, everbeat_platform::OutageKind::Refuse);
        let _ = self.platform.set_agent(OWN, AgentMode::Answers, Some(self.plan.setup.turn_ms));
        self.platform.limit_rate(None);
        self.way.heal();
        self.clocks.drift_wall(self.now, 0);
        self.clocks.skew_platform(0);
        self.disk_slow = Duration::ZERO;
        self.files.heal();
        self.files.remove_odd();
        self.down = Duration::ZERO;
        // A token that was minted and lost on its way leaves an agent without
        // one for good: that takes a person, who provisions it anew.
        let touches =
            |entry: &Entry| entry.at_ms < self.plan.faults_end_ms && entry.act.touches_tokens();
        if self.plan.entries.iter().any(touches)
            && let Ok(token) = self.platform.rotate_token(OWN)
        {
            self.seen.rotations.push((self.now, fingerprint(0, &token)));
            self.write_token(&token);
        }
        self.agenda.put(self.now, Happening::Starts);
    }

    fn finish(&mut self, id: &str, source: Option<&str>, finish: &Finish) {
        let new = NewDelegation {
            workspace: OWN.into(),
            target: "other".into(),
            task: "do something".into(),
            source: source.map(str::to_owned),
            id: Some(id.into()),
            recorded: false,
            idempotency_key: None,
        };
        // One that exists already may end once more, otherwise.
        let _ = self.platform.make_delegation(new);
        let _ = self.platform.finish_delegation(id, finish);
    }

    fn answer_polls(&mut self, body: String, times: u32) {
        let effect = FaultEffect::Status { status: 200, body, retry_after: None };
        self.platform_fault(Some(Route::Delegations), Some(times), effect);
    }

    fn platform_fault(&mut self, route: Option<Route>, times: Option<u32>, effect: FaultEffect) {
        let _ = self.platform.inject(Fault { route, workspace: None, times, effect });
    }

    fn disk_fails(&mut self, how: DiskTrouble, calls: Option<u32>) {
        self.files.fail(how, calls);
    }

    /// As the platform's provisioning writes it: in place.
    pub(super) fn write_token(&mut self, token: &str) {
        self.files.put_file(&token_file(), token.as_bytes());
        self.seen.token_files.push((self.now, fingerprint(0, token)));
        self.secrets.add(token);
    }

    /// What reached the agent: that a beat was accepted or its results were
    /// taken, a list, a token.
    pub(super) fn note_outcome(&mut self, command: CommandId, outcome: &Outcome) {
        let is_taken = matches!(
            outcome,
            Outcome::ResultsProbed { present: false }
                | Outcome::BatchStored { placement: Placement::Placed { merged: false }, .. }
        );
        if is_taken {
            self.seen.found_taken = Some(self.now);
        }
        let Outcome::Response(response) = outcome else {
            return;
        };
        if self.process.as_ref().is_some_and(|process| process.beat == Some(command)) {
            let is_accepted = (200..300).contains(&response.status);
            self.seen.beat_taken = is_accepted.then_some(self.now);
            return;
        }
        if response.status != 200 || !response.complete {
            return;
        }
        let body = &response.body.0;
        self.seen.list_is_another = false;
        if self.last_list.as_ref().is_some_and(|last| last.body == *body) {
            self.seen.lists += 1;
            return;
        }
        if let Some(list) = ReadList::of(body, self.last_list.as_mut()) {
            self.seen.lists += 1;
            self.seen.other_lists += 1;
            self.seen.list_is_another = !list.says_the_same;
            self.last_list = Some(list);
        } else if let Ok(Value::Object(members)) = serde_json::from_slice(body)
            && let Some(token) = members.get("auth_token").and_then(Value::as_str)
        {
            self.secrets.add(token);
        }
    }

    pub(super) fn read_results(&mut self) {
        self.files.read();
        self.tell_trace(Party::Reader, "reads", || "the agent takes its results".into());
    }
}
