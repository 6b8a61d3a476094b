//! Mutants: the agent with one planted fault, swept until a promise is broken.
//!
//! A check that no fault could make fail is worth nothing. The faults stand in
//! [`everbeat_core::planted`]; here stands which promise each must break, and
//! how that is found out.

mod hunt;
mod table;

use everbeat_core::planted::Fault;

use crate::explore::Scenario;
use crate::plan::Plan;

pub use hunt::{CAN_PLANT, Caught, How, Hunt};
pub use table::{also_checked, by_hand, expected};

/// Where no random seed gets to, what was made by hand does.
#[derive(Clone, Copy, Debug)]
pub enum ByHand {
    /// A plan, and the promise that it breaks.
    Plan(fn() -> Plan, &'static str),
    /// An exhaustive search of the delivery protocol.
    Search(fn() -> Scenario),
}

/// A fault's name, as it is written on the command line: `wall-clock-cooldown`.
#[must_use]
pub fn name(fault: Fault) -> String {
    let mut name = String::new();
    for letter in format!("{fault:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Of all faults the part `i` of `n`, counted from 1: every `n`th.
#[must_use]
pub fn part((i, n): (usize, usize)) -> Vec<Fault> {
    Fault::ALL.iter().copied().skip(i.saturating_sub(1)).step_by(n.max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_up_the_whole() {
        let mut all: Vec<String> = (1..=3).flat_map(|i| part((i, 3))).map(name).collect();
        all.sort();
        let mut names: Vec<String> = Fault::ALL.iter().copied().map(name).collect();
        names.sort();
        assert_eq!(all, names);
        names.dedup();
        assert_eq!(names.len(), Fault::ALL.len());
    }

    #[test]
    fn each_fault_is_told_in_a_sentence() {
        for fault in Fault::ALL {
            let about = fault.about();
            assert!(about.ends_with('.') && about.len() > 20, "{fault:?}: {about:?}");
            assert!(!expected(*fault).is_empty());
        }
    }
}
