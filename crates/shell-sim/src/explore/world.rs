//! Everything beside the store in one exploration, and what may happen to it.

use std::collections::{BTreeMap, BTreeSet};

use everbeat_store::DiskErrorKind;

use super::driver::{Driver, Op, Told};
use super::lease::{self, Leases};
use super::{RESULTS_FILE, Scenario};
use crate::disk::{Call, CallKind, Reader, Thing, VirtualDisk, break_points};

/// The part of the world that outlives a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) reader: Reader,
    pub(super) driver: Driver,
    pub(super) leases: Leases,
    pub(super) left: Budgets,
    /// The batches that were ever reported as durable.
    pub(super) reported: BTreeSet<usize>,
    /// The lines that a power loss or an emptied folder may have doubled.
    pub(super) may_double: BTreeSet<Vec<u8>>,
    /// Lines of others that stood at the results path, and how often.
    pub(super) foreign: u8,
    /// The folder was emptied and the store not opened since.
    pub(super) is_wiped: bool,
}

/// How often things may still happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Budgets {
    pub(super) kills: u8,
    pub(super) reader_steps: u8,
    pub(super) reader_deaths: u8,
    pub(super) power_losses: u8,
    pub(super) wipes: u8,
    pub(super) foreign_appends: u8,
    pub(super) faults: u8,
}

/// What may happen just before a call, or instead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Go,
    Kill,
    KillPartly(usize),
    PowerLoss,
    PowerLossPartly(usize),
    ReaderStep,
    ReaderDeath,
    Wipe,
    ForeignAppend,
    Fail(DiskErrorKind),
    FailPartly(usize),
}

impl World {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            reader: Reader::new(RESULTS_FILE.as_ref()),
            driver: Driver::default(),
            leases: Leases::new(scenario.leases),
            left: Budgets {
                kills: scenario.kills,
                reader_steps: scenario.reader_steps,
                reader_deaths: scenario.reader_deaths,
                power_losses: u8::from(scenario.power_loss.is_some()),
                wipes: scenario.wipes,
                foreign_appends: scenario.foreign_appends,
                faults: scenario.faults,
            },
            reported: BTreeSet::new(),
            may_double: BTreeSet::new(),
            foreign: 0,
            is_wiped: false,
        }
    }

    /// Everything that may happen at this call; that it just happens is
    /// first.
    ///
    /// Without a power loss what does not change anything makes no
    /// difference: a death before a call that only looks is the same as one
    /// after it, and what others do in the shared folder is the same before
    /// and after a call in the state folder. Each is tried once.
    pub(super) fn acts(&self, disk: &VirtualDisk, call: &Call, scenario: &Scenario) -> Vec<Act> {
        let left = &self.left;
        let tries_all = scenario.power_loss.is_some();
        let in_shared = tries_all || call.path.starts_with(super::FOLDER);
        let may_change = tries_all || call.kind.writes();
        let mut acts = vec![Act::Go];
        let parts = || {
            let inside = break_points(&call.bytes, 0).into_iter();
            inside.filter(|length| *length > 0 && *length <= call.bytes.len())
        };
        if in_shared && left.reader_steps > 0 && self.reader.can_step(disk) {
            acts.push(Act::ReaderStep);
        }
        if in_shared && left.reader_deaths > 0 && self.reader.is_busy() {
            acts.push(Act::ReaderDeath);
        }
        if may_change && left.kills > 0 {
            acts.push(Act::Kill);
            acts.extend(parts().map(Act::KillPartly));
        }
        if left.power_losses > 0 {
            acts.push(Act::PowerLoss);
            if call.kind == CallKind::Write {
                acts.push(Act::PowerLossPartly(call.bytes.len()));
            }
        }
        if in_shared && left.wipes > 0 {
            acts.push(Act::Wipe);
        }
        if in_shared && left.foreign_appends > 0 {
            acts.push(Act::ForeignAppend);
        }
        if left.faults > 0 {
            acts.push(Act::Fail(DiskErrorKind::Other));
            if call.kind.writes() {
                acts.push(Act::Fail(DiskErrorKind::Full));
                acts.push(Act::Fail(DiskErrorKind::ReadOnly));
            }
            acts.extend(parts().filter(|length| *length < call.bytes.len()).map(Act::FailPartly));
        }
        acts
    }

    /// The reader does its next step.
    pub(super) fn step_reader(&mut self, disk: &VirtualDisk) {
        self.left.reader_steps -= u8::from(self.left.reader_steps < u8::MAX);
        self.reader.step(disk);
    }

    pub(super) fn kill_reader(&mut self, disk: &VirtualDisk) {
        self.left.reader_deaths -= u8::from(self.left.reader_deaths < u8::MAX);
        self.reader.die(disk);
    }

    /// Someone else adds a line in one step, to the file that stands there or
    /// to a new one.
    pub(super) fn append_foreign(&mut self, disk: &VirtualDisk) {
        self.left.foreign_appends -= 1;
        self.foreign += 1;
        let line = foreign_line(self.foreign);
        if !disk.append_by_hand(RESULTS_FILE.as_ref(), &line) {
            disk.put(RESULTS_FILE.as_ref(), Thing::File(line), true);
        }
    }

    /// The folder is made anew. What was stored and is not known to be taken
    /// may be told twice.
    pub(super) fn wipe(&mut self, disk: &VirtualDisk, scenario: &Scenario) {
        self.left.wipes -= 1;
        self.is_wiped = true;
        self.reader.die(disk);
        self.may_double.extend(scenario.all_lines());
        disk.wipe_folder(super::FOLDER.as_ref());
    }

    /// What a power loss at this moment may double: the batches that were
    /// not reported as durable, and what the reader took since the folder was
    /// last synced.
    pub(super) fn note_power_loss(&mut self, disk: &VirtualDisk, scenario: &Scenario) {
        self.left.power_losses -= 1;
        self.reader.die(disk);
        for moved in [super::CONSUMED_FILE, lease::FILE] {
            let moved = disk.moved_unsynced(moved.as_ref());
            self.may_double.extend(lines(&moved).map(<[u8]>::to_vec));
        }
        for (index, batch) in scenario.batches.iter().enumerate() {
            if !self.reported.contains(&index) {
                self.may_double.extend(batch.iter().map(|line| line.clone().into_bytes()));
            }
        }
    }

    /// The agent's process is gone.
    pub(super) fn process_died(&mut self, disk: &VirtualDisk) {
        self.driver = Driver::default();
        let unconfirmed = self.leases.interrupted(disk);
        self.note_unconfirmed(&unconfirmed);
    }

    /// A command for the holder of a lease has ended.
    pub(super) fn lease_landed(&mut self, answer: lease::Answer, disk: &VirtualDisk) -> Told {
        let (told, unconfirmed) = self.leases.landed(answer, disk);
        self.note_unconfirmed(&unconfirmed);
        told
    }

    fn note_unconfirmed(&mut self, acknowledged: &[u8]) {
        if self.left.power_losses > 0 {
            self.may_double.extend(lines(acknowledged).map(<[u8]>::to_vec));
        }
    }

    /// Checks what must hold at every moment.
    pub(super) fn check(&self, disk: &VirtualDisk, scenario: &Scenario) -> Result<(), String> {
        let standing = disk.contents(RESULTS_FILE.as_ref()).unwrap_or_default();
        if !standing.is_empty() && !standing.ends_with(b"\n") && scenario.standing.is_empty() {
            return Err("a torn line stands in the results file".into());
        }
        let counts = self.counts(disk);
        let own: BTreeSet<Vec<u8>> = scenario.all_lines().collect();
        for (line, count) in &counts {
            let text = String::from_utf8_lossy(line);
            if !own.contains(line) && !scenario.is_foreign(line) {
                return Err(format!("a line that nobody wrote: {text:?}"));
            }
            if *count > 1 && !self.may_double.contains(line) {
                return Err(format!("{text} stands {count} times in the stream"));
            }
        }
        for batch in &scenario.batches {
            let count = |line: &String| counts.get(line.as_bytes()).copied().unwrap_or(0).min(1);
            let there = batch.iter().map(count).sum::<usize>();
            if self.may_double.is_empty() && there > 0 && there < batch.len() {
                return Err(format!("only part of the batch {batch:?} stands in the stream"));
            }
        }
        Ok(())
    }

    /// Checks what must hold when all is stored and placed.
    pub(super) fn check_end(&self, disk: &VirtualDisk, scenario: &Scenario) -> Result<(), String> {
        self.check(disk, scenario)?;
        let counts = self.counts(disk);
        let foreign = (1..=self.foreign).map(foreign_line);
        let foreign = foreign.map(|line| line.strip_suffix(b"\n").unwrap_or_default().to_vec());
        let foreign = foreign.filter(|_| scenario.wipes == 0);
        let standing = lines(&scenario.standing).map(<[u8]>::to_vec);
        for line in scenario.all_lines().chain(foreign).chain(standing) {
            if !counts.contains_key(&line) {
                return Err(format!("{} is lost", String::from_utf8_lossy(&line)));
            }
        }
        let private = |name: &String| name.ends_with(".new") || name.ends_with(".old");
        match disk.names(super::FOLDER.as_ref()).into_iter().find(private) {
            Some(name) => Err(format!("{name} is left over")),
            None => Ok(()),
        }
    }

    /// How often each line stands in the stream: what was taken and what lies
    /// at the results path.
    fn counts(&self, disk: &VirtualDisk) -> BTreeMap<Vec<u8>, usize> {
        let taken = self.reader.taken(disk);
        let standing = disk.contents(RESULTS_FILE.as_ref()).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for line in lines(&taken).chain(lines(&standing)) {
            *counts.entry(line.to_vec()).or_insert(0) += 1;
        }
        for line in self.leases.lines(disk) {
            *counts.entry(line).or_insert(0) += 1;
        }
        counts
    }

    /// Every command that may come next.
    pub(super) fn ops(&self, scenario: &Scenario) -> Vec<Op> {
        let mut ops = vec![self.next(scenario)];
        if self.driver.is_open() {
            ops.extend(self.leases.steps().map(Op::Lease));
        }
        ops.retain(|op| *op != Op::Done);
        ops
    }

    /// What the driver wants next; an emptied folder shows at the latest when
    /// the agent starts again.
    pub(super) fn next(&self, scenario: &Scenario) -> Op {
        let next = self.driver.next(scenario);
        if next == Op::Done && self.is_wiped { Op::Open } else { next }
    }
}

pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

pub(super) fn foreign_line(number: u8) -> Vec<u8> {
    format!("foreign {number}\n").into_bytes()
}
