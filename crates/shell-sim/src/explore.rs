//! Exhaustive exploration of the delivery protocol: the real store on a
//! virtual disk, and before each of its calls everything that may happen
//! there.
//!
//! A *state* is what is on the disk, what a power loss would leave of it, the
//! reader, and what the process knows; a process's knowledge is what it has
//! asked and heard. Each state is gone on from once, in every way.

mod driver;
mod lease;
mod trail;
mod world;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::rc::Rc;

use everbeat_store::{DiskErrorKind, Paths, Store};

use crate::disk::{Call, CallKind, NameLoss, Saved, Tear, Thing, Verdict, VirtualDisk};
use driver::{Op, Told};
use trail::Trail;
use world::{Act, World};

/// The folder of the results file in every scenario.
pub const FOLDER: &str = "/shared";
/// The results file in every scenario.
pub const RESULTS_FILE: &str = "/shared/results.jsonl";
const CONSUMED_FILE: &str = "/shared/results.consumed";
/// The state folder in every scenario: on another file system.
pub const STATE_DIR: &str = "/state/everbeat";
/// The agent's workspace.
pub const WORKSPACE_ID: &str = "ws-1";

/// As often as the search likes; states that repeat end it all the same.
pub const UNLIMITED: u8 = u8::MAX;

/// What is stored, and what may happen meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// The lines of each batch, all different.
    pub batches: Vec<Vec<String>>,
    /// What lies at the results path at first; nothing if empty.
    pub standing: Vec<u8>,
    /// How often the process may be killed, writes cut included.
    pub kills: u8,
    /// How many of its steps the reader may do.
    pub reader_steps: u8,
    /// How often the reader may die between two steps.
    pub reader_deaths: u8,
    /// The power may go once, with these semantics of names.
    pub power_loss: Option<NameLoss>,
    /// How often the results folder may be made anew.
    pub wipes: u8,
    /// How many lines someone else may append to the results file.
    pub foreign_appends: u8,
    /// How many calls may fail.
    pub faults: u8,
    /// The file system knows neither no-replace renames nor syncs of folders.
    pub is_poor: bool,
    /// The driver compacts the journal after each batch.
    pub compacts: bool,
    /// The driver notes what the reader is known to have.
    pub notes_taken: bool,
    /// How often what lies there may be taken under a lease, and either
    /// acknowledged or lost by its holder.
    pub leases: u8,
}

/// What an exploration saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Different states.
    pub states: usize,
    /// Executions, from one command's beginning to where it ended or met a
    /// state that was known.
    pub runs: usize,
    /// Different states in which all was stored and placed.
    pub ends: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states, {} runs, {} ends", self.states, self.runs, self.ends)
    }
}

/// A promise that was broken, and how it came to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong.
    pub what: String,
    /// Every call and everything that happened, from the beginning.
    pub history: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        self.history.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl Scenario {
    /// `count` batches of one short line each.
    #[must_use]
    pub fn of_results(count: usize) -> Self {
        let line = |number: usize| vec![format!("result {number}")];
        Self { batches: (1..=count).map(line).collect(), ..Self::default() }
    }

    fn all_lines(&self) -> impl Iterator<Item = Vec<u8>> {
        self.batches.iter().flatten().map(|line| line.clone().into_bytes())
    }

    fn is_foreign(&self, line: &[u8]) -> bool {
        line.starts_with(b"foreign ") || world::lines(&self.standing).any(|other| other == line)
    }

    /// Whether the driver looks at the results file when all is done: one
    /// more call at which something can happen.
    fn ends_with_probe(&self) -> bool {
        self.notes_taken || self.power_loss.is_some()
    }

    fn may_fail(&self) -> bool {
        self.faults > 0 || self.wipes > 0
    }

    fn may_hold(&self) -> bool {
        self.faults > 0 || self.foreign_appends > 0
    }
}

/// Where files lie in every scenario.
#[must_use]
pub fn paths() -> Paths {
    Paths {
        state_dir: PathBuf::from(STATE_DIR),
        results_file: PathBuf::from(RESULTS_FILE),
        workspace_id: WORKSPACE_ID.into(),
    }
}

/// A disk with the folders that every scenario starts from.
#[must_use]
pub fn new_disk() -> VirtualDisk {
    let disk = VirtualDisk::new();
    disk.make_folder(FOLDER.as_ref(), true);
    disk.make_folder("/state".as_ref(), false);
    disk
}

/// Tries everything that may happen in `scenario`.
///
/// # Errors
/// The first violation found: a result lost, doubled or torn, a batch in
/// part, a private file left over, a failure or a held batch without cause.
pub fn explore(scenario: &Scenario) -> Result<Report, Box<Violation>> {
    let disk = new_disk();
    if !scenario.standing.is_empty() {
        disk.put(RESULTS_FILE.as_ref(), Thing::File(scenario.standing.clone()), true);
        disk.sync_all();
    }
    let first = Node {
        saved: disk.save(),
        world: World::new(scenario),
        store: None,
        history: Rc::new(History::default()),
    };
    let mut search = Search {
        disk,
        scenario: Rc::new(scenario.clone()),
        seen: Rc::default(),
        report: Report::default(),
    };
    let mut nodes = vec![first];
    while let Some(node) = nodes.pop() {
        search.run_all(&node, &mut nodes)?;
    }
    search.report.states = search.seen.borrow().len();
    Ok(search.report)
}

/// A point between two commands.
struct Node {
    saved: Saved,
    world: World,
    store: Option<Store<VirtualDisk>>,
    history: Rc<History>,
}

/// How a node was reached: its parent's history and what came since.
#[derive(Default)]
struct History {
    before: Option<Rc<History>>,
    lines: Vec<String>,
}

impl History {
    fn all(&self) -> Vec<String> {
        let mut lines = self.before.as_ref().map(|before| before.all()).unwrap_or_default();
        lines.extend(self.lines.iter().cloned());
        lines
    }
}

struct Search {
    disk: VirtualDisk,
    scenario: Rc<Scenario>,
    seen: Rc<RefCell<HashSet<u64>>>,
    report: Report,
}

/// One execution of one command, as the hook sees it.
struct Run {
    scenario: Rc<Scenario>,
    seen: Rc<RefCell<HashSet<u64>>>,
    trail: Trail,
    world: World,
    /// What the process knew when the command began.
    knowledge: u64,
    lines: Vec<String>,
    ended: Ended,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    Returned,
    /// The process died; the next one begins.
    Died,
    /// The rest was gone through before.
    Known,
    Violated(String),
}

impl Search {
    /// Every command that may come next, in every way.
    fn run_all(&mut self, node: &Node, nodes: &mut Vec<Node>) -> Result<(), Box<Violation>> {
        for op in node.world.ops(&self.scenario) {
            self.run_op(node, &op, nodes)?;
        }
        Ok(())
    }

    /// Every way in which one command may go.
    fn run_op(
        &mut self,
        node: &Node,
        op: &Op,
        nodes: &mut Vec<Node>,
    ) -> Result<(), Box<Violation>> {
        let knowledge = digest(&(format!("{:?}", node.store), op));
        let mut trail = Trail::default();
        loop {
            self.report.runs += 1;
            self.disk.start();
            self.disk.restore(&node.saved);
            let mut store =
                node.store.clone().unwrap_or_else(|| Store::new(self.disk.clone(), paths()));
            let run = Rc::new(RefCell::new(Run {
                scenario: Rc::clone(&self.scenario),
                seen: Rc::clone(&self.seen),
                trail,
                world: node.world.clone(),
                knowledge,
                lines: vec![format!("{op:?}")],
                ended: Ended::Returned,
            }));
            let hooked = Rc::clone(&run);
            let hook = move |disk: &VirtualDisk, call: &Call| hooked.borrow_mut().at(disk, call);
            self.disk.set_hook(Some(Box::new(hook)));
            if let Op::Lease(step) = op {
                run.borrow_mut().world.leases.begin(*step);
            }
            if *op == Op::Open {
                run.borrow_mut().world.is_wiped = false;
            }
            let answer = match op {
                Op::Lease(step) => Err(lease::carry_out(&store, *step)),
                Op::Open
                | Op::Store(_)
                | Op::Place
                | Op::Taken(_)
                | Op::Compact
                | Op::Probe
                | Op::Done => Ok(store.carry_out(node.world.driver.action(op, &self.scenario))),
            };
            self.disk.set_hook(None);
            let Ok(run) = Rc::try_unwrap(run) else { unreachable!("the hook is gone") };
            let mut run = run.into_inner();
            trail = std::mem::take(&mut run.trail);
            if run.ended == Ended::Returned {
                let told = match answer {
                    Ok(outcome) => run.world.driver.landed(op, outcome, &self.scenario),
                    Err(answer) => run.world.lease_landed(answer, &self.disk),
                };
                run.lines.push(format!("told: {told:?}"));
                run.judge(&told);
            }
            if run.ended == Ended::Died {
                run.world.process_died(&self.disk);
            }
            self.go_on(node, run, store, nodes)?;
            if !trail.rewind() {
                return Ok(());
            }
        }
    }

    fn go_on(
        &mut self,
        node: &Node,
        run: Run,
        store: Store<VirtualDisk>,
        nodes: &mut Vec<Node>,
    ) -> Result<(), Box<Violation>> {
        let history = Rc::new(History { before: Some(Rc::clone(&node.history)), lines: run.lines });
        let violation = |what: String| Box::new(Violation { what, history: history.all() });
        let store = match run.ended {
            Ended::Known => return Ok(()),
            Ended::Violated(what) => return Err(violation(what)),
            Ended::Died => None,
            Ended::Returned => Some(store),
        };
        if self.scenario.power_loss.is_none() {
            self.disk.sync_all();
        }
        let mut world = run.world;
        world.reported.extend(world.driver.known());
        world.check(&self.disk, &self.scenario).map_err(violation)?;
        let key = digest(&(self.disk.digest(), &world, format!("{store:?}")));
        if !self.seen.borrow_mut().insert(key) {
            return Ok(());
        }
        if world.next(&self.scenario) == Op::Done {
            self.report.ends += 1;
            world.check_end(&self.disk, &self.scenario).map_err(violation)?;
            if !world.ops(&self.scenario).is_empty() {
                let (world, store) = (world.clone(), store.clone());
                let (saved, history) = (self.disk.save(), Rc::clone(&history));
                nodes.push(Node { saved, world, store, history });
            }
            if world.left.kills == 0 {
                return Ok(());
            }
            // It dies at rest, and starts once more.
            world.left.kills -= u8::from(world.left.kills < UNLIMITED);
            world.driver = driver::Driver::default();
            self.disk.kill();
            nodes.push(Node { saved: self.disk.save(), world, store: None, history });
            return Ok(());
        }
        nodes.push(Node { saved: self.disk.save(), world, store, history });
        Ok(())
    }
}

impl Run {
    /// Decides what happens at this call.
    fn at(&mut self, disk: &VirtualDisk, call: &Call) -> Verdict {
        loop {
            if self.scenario.power_loss.is_none() {
                // What is synced makes no difference then.
                disk.sync_all();
            }
            if self.trail.is_new_ground() {
                if let Err(what) = self.world.check(disk, &self.scenario) {
                    return self.end(Ended::Violated(what));
                }
                let key =
                    digest(&(disk.digest(), disk.observed(), &self.world, self.knowledge, call));
                if !self.seen.borrow_mut().insert(key) {
                    return self.end(Ended::Known);
                }
            }
            let acts = self.world.acts(disk, call, &self.scenario);
            let act = acts.get(self.trail.choose(acts.len())).copied().unwrap_or(Act::Go);
            self.lines.push(describe(act, call));
            if let Some(verdict) = self.carry_out(act, disk, call) {
                return verdict;
            }
        }
    }

    /// `None` if the call is still to come.
    fn carry_out(&mut self, act: Act, disk: &VirtualDisk, call: &Call) -> Option<Verdict> {
        let verdict = match act {
            Act::Go if self.scenario.is_poor && is_refused_by_the_poor(call.kind) => {
                Verdict::Fail(DiskErrorKind::Unsupported)
            }
            Act::Go => Verdict::Go,
            Act::Kill | Act::KillPartly(_) => {
                let kills = &mut self.world.left.kills;
                *kills -= u8::from(*kills < UNLIMITED);
                self.end(Ended::Died);
                if let Act::KillPartly(length) = act {
                    Verdict::DiePartly(length)
                } else {
                    Verdict::Die
                }
            }
            Act::PowerLoss | Act::PowerLossPartly(_) => {
                self.world.note_power_loss(disk, &self.scenario);
                if act != Act::PowerLoss {
                    disk.append_by_hand(&call.path, &call.bytes);
                }
                let names = self.scenario.power_loss.unwrap_or(NameLoss::Prefix);
                let trail = &mut self.trail;
                let mut choose = |options| trail.choose(options);
                disk.lose_power(names, Tear::LinesAndMiddles, &mut choose);
                self.end(Ended::Died)
            }
            Act::ReaderStep => {
                self.world.step_reader(disk);
                return None;
            }
            Act::ReaderDeath => {
                self.world.kill_reader(disk);
                return None;
            }
            Act::Wipe => {
                self.world.wipe(disk, &self.scenario);
                return None;
            }
            Act::ForeignAppend => {
                self.world.append_foreign(disk);
                return None;
            }
            Act::Fail(kind) => {
                self.world.left.faults -= 1;
                Verdict::Fail(kind)
            }
            Act::FailPartly(length) => {
                self.world.left.faults -= 1;
                Verdict::Partly(length, DiskErrorKind::Full)
            }
        };
        Some(verdict)
    }

    fn end(&mut self, ended: Ended) -> Verdict {
        self.ended = ended;
        Verdict::Die
    }

    /// What the store told must have a cause.
    fn judge(&mut self, told: &Told) {
        match told {
            Told::Fine => {}
            Told::Alarmed(repair) => {
                self.ended = Ended::Violated(format!("repaired without cause: {repair}"));
            }
            Told::Held(reason) => {
                if !self.scenario.may_hold() {
                    self.ended = Ended::Violated(format!("held without cause: {reason}"));
                }
            }
            Told::Failed(reason) => {
                if !self.scenario.may_fail() {
                    self.ended = Ended::Violated(format!("failed without cause: {reason}"));
                }
            }
        }
    }
}

const fn is_refused_by_the_poor(kind: CallKind) -> bool {
    matches!(kind, CallKind::RenameNoReplace | CallKind::SyncDir)
}

fn describe(act: Act, call: &Call) -> String {
    let Call { kind, path, to, bytes } = call;
    let to =
        if to.as_os_str().is_empty() { String::new() } else { format!(" to {}", to.display()) };
    let bytes = if bytes.is_empty() { String::new() } else { format!(" {} bytes", bytes.len()) };
    let call = format!("{kind:?} {}{to}{bytes}", path.display());
    if act == Act::Go { call } else { format!("{act:?} at {call}") }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
