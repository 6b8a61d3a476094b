//! Every secret that there ever was, and a quick search for all of them in
//! what is recorded.

use std::io::Write as _;

use everbeat_core::{Command, HttpRequest, Instant, Notice};

use super::World;
use crate::plan::OWN;

/// Bytes that are looked at together.
const BLOCK: usize = 4;
/// Shorter ones are searched for one by one.
const SHORTEST: usize = 32;
const SLOTS_LOG2: u32 = 15;

/// Secrets, and by how much a search may step on (Wu and Manber): of the
/// first [`SHORTEST`] bytes of each secret every block has its distance to
/// their end; one that is in none of them is stepped over whole.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    all: Vec<String>,
    long: Vec<usize>,
    short: Vec<usize>,
    steps: Vec<u8>,
}

impl Default for Secrets {
    fn default() -> Self {
        let step = u8::try_from(SHORTEST - BLOCK + 1).unwrap_or(1);
        Self {
            all: Vec::new(),
            long: Vec::new(),
            short: Vec::new(),
            steps: vec![step; 1 << SLOTS_LOG2],
        }
    }
}

impl Secrets {
    /// Adds one, whether it is new or not.
    pub(crate) fn add(&mut self, secret: &str) {
        let number = self.all.len();
        let is_new = !self.all.iter().any(|have| have == secret);
        self.all.push(secret.to_owned());
        if !is_new {
            return;
        }
        let Some(head) = secret.as_bytes().get(..SHORTEST) else {
            self.short.push(number);
            return;
        };
        self.long.push(number);
        for (place, block) in head.windows(BLOCK).enumerate() {
            let step = u8::try_from(SHORTEST - BLOCK - place).unwrap_or_default();
            let slot = &mut self.steps[slot(block)];
            *slot = step.min(*slot);
        }
    }

    /// All of them, in the order in which they were added.
    pub(crate) fn all(&self) -> &[String] {
        &self.all
    }

    /// Whether any of them stands in `text`.
    pub(crate) fn any_in(&self, text: &[u8]) -> bool {
        let mut short = self.short.iter().map(|at| self.all[*at].as_bytes());
        self.any_long_in(text) || short.any(|secret| is_in(secret, text))
    }

    fn any_long_in(&self, text: &[u8]) -> bool {
        // Where a secret's first bytes would end.
        let mut end = SHORTEST;
        while let Some(block) = text.get(end - BLOCK..end) {
            let step = usize::from(self.steps[slot(block)]);
            if step > 0 {
                end += step;
                continue;
            }
            let rest = &text[end - SHORTEST..];
            if self.long.iter().any(|at| rest.starts_with(self.all[*at].as_bytes())) {
                return true;
            }
            end += 1;
        }
        false
    }
}

fn is_in(secret: &[u8], text: &[u8]) -> bool {
    secret.is_empty() || text.windows(secret.len()).any(|window| window == secret)
}

fn slot(block: &[u8]) -> usize {
    let word = block.first_chunk().map_or(0, |block| u32::from_le_bytes(*block));
    (word.wrapping_mul(0x9e37_79b1) >> (32 - SLOTS_LOG2)) as usize
}

impl World {
    /// Every secret that there ever was.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let inbound = self.platform.inbound_secret(OWN).map(str::to_owned);
        let all = self.secrets.all();
        let unknown = inbound.filter(|inbound| !all.contains(inbound));
        all.iter().cloned().chain(unknown).collect()
    }

    /// Whether any secret stands in these bytes.
    #[must_use]
    pub fn shows_secret(&self, shown: &[u8]) -> bool {
        let inbound = self.platform.inbound_secret(OWN);
        self.secrets.any_in(shown)
            || inbound.is_some_and(|inbound| is_in(inbound.as_bytes(), shown))
    }

    /// A command as it is recorded goes into the digest and shows no secret.
    pub(super) fn note_command(&mut self, command: &Command) {
        self.shown.clear();
        if serde_json::to_writer(&mut self.shown, command).is_err() {
            self.shown.clear();
        }
        self.seen.digest(self.now, &self.shown);
        self.note_leak("a recorded command");
    }

    /// The same of one that the platform is asked: all that is in its record
    /// stands in its path and body, its number and its deadline aside.
    pub(super) fn note_request(&mut self, command: &Command, lowered: &HttpRequest) {
        self.shown.clear();
        let deadline = command.deadline.map_or(u64::MAX, Instant::as_nanos);
        self.shown.extend(command.id.0.to_le_bytes());
        self.shown.extend(deadline.to_le_bytes());
        self.shown.extend_from_slice(lowered.path.as_bytes());
        self.shown.extend_from_slice(&lowered.body);
        self.seen.digest(self.now, &self.shown);
        self.note_leak("a request");
    }

    pub(super) fn note_notice(&mut self, notice: &Notice) {
        self.shown.clear();
        if write!(self.shown, "{notice:?}").is_err() {
            self.shown.clear();
        }
        self.note_leak("a notice");
    }

    fn note_leak(&mut self, place: &str) {
        let inbound = self.platform.inbound_secret(OWN);
        if let Some(inbound) = inbound.filter(|inbound| self.inbound_secret != *inbound) {
            self.inbound_secret = inbound.to_owned();
            self.secrets.add(inbound);
        }
        if self.secrets.any_in(&self.shown) {
            self.seen.leaks.push(format!("{place} shows a secret at {:?}", self.now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of them is found, wherever it stands, and nothing that lacks a
    /// byte of one.
    #[test]
    fn all_are_found_everywhere_and_nothing_else() {
        let secrets = [
            "0123456789abcdefghijklmnopqrstuv",
            "0123456789abcdefghijklmnopqrstuVWXYZ",
            "0123456789abcdefghijklmnopqrstuv",
            "short",
        ];
        let mut search = Secrets::default();
        assert!(!search.any_in(secrets[0].as_bytes()));
        secrets.iter().for_each(|secret| search.add(secret));
        assert_eq!(search.all(), secrets);
        for secret in secrets {
            for before in 0..70 {
                for after in 0..40 {
                    let text = format!("{}{secret}{}", "-".repeat(before), "9".repeat(after));
                    assert!(search.any_in(text.as_bytes()), "{text}");
                    let head = &text[..before + secret.len() - 1];
                    assert!(!search.any_in(head.as_bytes()), "{head}");
                }
            }
        }
        search.add("");
        assert!(search.any_in(b""));
    }

    #[test]
    fn many_are_found_as_one_by_one() {
        let mut dice = crate::dice::Dice::new(7);
        let mut search = Secrets::default();
        let mut word = |letters: u64, length: u64| -> String {
            let letter = |roll: u64| char::from(b'a' + u8::try_from(roll).unwrap());
            (0..length).map(|_| letter(dice.below(letters))).collect()
        };
        let secrets: Vec<String> = (0..200).map(|number| word(2, 29 + number % 6)).collect();
        secrets.iter().for_each(|secret| search.add(secret));
        let mut found = 0;
        for at in 0..2_000 {
            let text = format!("{}{}", word(2, 40), secrets[0].get(at % 3..).unwrap_or_default());
            let is_in = secrets.iter().any(|secret| text.contains(secret.as_str()));
            assert_eq!(search.any_in(text.as_bytes()), is_in, "{text}");
            found += u32::from(is_in);
        }
        assert!((100..1_900).contains(&found), "{found}");
    }
}
