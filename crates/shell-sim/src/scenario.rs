//! Scenarios: runs that people write and read, as TOML.
//!
//! A scenario says what it shows, how the agent (or a fleet of them) is set
//! up, what happens when, and what must hold: promises by number and counts.
//! It is lowered to a [`Plan`] or a [`FleetPlan`] and judged in a table.

mod acts;
mod expect;
mod fleets;
mod spec;
mod time;

use std::path::{Path, PathBuf};

use crate::fleet::{Fleet, FleetPlan};
use crate::plan::Plan;
use crate::verdict;
pub use expect::Row;
pub use fleets::FleetTold;
pub use time::parse_duration;

/// Why a scenario was refused.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{path}: line {line}: {reason}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The field, and what would be right.
        reason: String,
    },
    /// It is about a fleet, where a single agent's plan is asked for.
    #[error(
        "{path}: a scenario of a fleet has no plan of one agent: use `run` or `report --scenario`"
    )]
    NoPlan {
        /// Which file.
        path: PathBuf,
    },
}

/// A scenario that was read and found right.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file's name without its end.
    pub name: String,
    /// In a few words.
    pub title: String,
    /// What it shows, in a paragraph.
    pub shows: String,
    /// What is run.
    pub what: What,
    expect: spec::Expect,
}

/// What a scenario runs.
#[derive(Clone, Debug)]
pub enum What {
    /// One agent in its world.
    World(Plan),
    /// Many agents on one platform.
    Fleet(FleetPlan),
}

/// What was promised and what was counted.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it was, in one line: how long, how many requests.
    pub summary: String,
    /// One row for each expectation.
    pub rows: Vec<Row>,
}

impl Report {
    fn of_no_end(why: String) -> Self {
        Self {
            summary: "it did not come to its end".into(),
            rows: vec![Row::new("the run", "comes to its end", why, false)],
        }
    }

    /// Whether everything is as expected.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.holds)
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// With file, line and field if anything in it is not understood.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let io = |source| ScenarioError::Io { path: path.into(), source };
        let text = std::fs::read_to_string(path).map_err(io)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, &text).map_err(|misfit| ScenarioError::Format {
            path: path.into(),
            line: misfit.line(&text),
            reason: misfit.reason,
        })
    }

    fn parse(name: &str, text: &str) -> Result<Self, Misfit> {
        let spec: spec::Spec = toml::from_str(text).map_err(|error| Misfit::of(&error, text))?;
        let what = match &spec.fleet {
            None => What::World(acts::plan(&spec)?),
            Some(fleet) => What::Fleet(fleets::plan(&spec, fleet.get_ref())?),
        };
        expect::check(&spec.expect, matches!(what, What::Fleet(_)))?;
        Ok(Self {
            name: name.into(),
            title: spec.title,
            shows: spec.shows.trim().into(),
            what,
            expect: spec.expect.into_inner(),
        })
    }

    /// The plan of a scenario of one agent.
    ///
    /// # Errors
    /// If it cannot be read, or is about a fleet.
    pub fn read_plan(path: &Path) -> Result<Plan, ScenarioError> {
        match Self::read(path)?.what {
            What::World(plan) => Ok(plan),
            What::Fleet(_) => Err(ScenarioError::NoPlan { path: path.into() }),
        }
    }

    /// Runs it and compares.
    #[must_use]
    pub fn run(&self) -> Report {
        match &self.what {
            What::World(plan) => match verdict::judge(plan, expect::watch(&self.expect)) {
                Ok(judged) => expect::of_world(&self.expect, &judged),
                Err(refused) => Report::of_no_end(refused.said),
            },
            What::Fleet(plan) => match Fleet::run(plan) {
                Ok(fleet) => expect::of_fleet(&self.expect, &fleet),
                Err(why) => Report::of_no_end(why),
            },
        }
    }
}

/// What is wrong in a text, and where.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// A byte's offset.
    at: usize,
    reason: String,
}

impl Misfit {
    pub(crate) fn new(at: usize, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }

    /// The parser's words, with the line that it speaks of: it names the field.
    fn of(error: &toml::de::Error, text: &str) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        let start = text.get(..at).and_then(|head| head.rfind('\n')).map_or(0, |end| end + 1);
        let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        Self::new(at, format!("{}, in `{}`", error.message().trim_end(), line.trim()))
    }

    fn line(&self, text: &str) -> usize {
        let head = text.get(..self.at).unwrap_or(text);
        head.matches('\n').count() + 1
    }
}
