//! Counts by name.

/// How often what happened. Names are few, and the same constants each time,
/// so that one is mostly found by where it lies.
#[derive(Clone, Debug, Default)]
pub struct Counts(Vec<(&'static str, u64)>);

impl Counts {
    pub(crate) fn add(&mut self, name: &'static str) {
        let is_it = |have: &str| std::ptr::eq(have, name) || have == name;
        match self.0.iter_mut().find(|(have, _)| is_it(have)) {
            Some((_, count)) => *count += 1,
            None => self.0.push((name, 1)),
        }
    }

    /// Of this name; 0 if it never happened.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.iter().find(|(have, _)| *have == name).map_or(0, |(_, count)| *count)
    }

    /// Of all names together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Each name that happened, with how often, in the order of their first
    /// times.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().copied()
    }
}
