//! S6 and S7: what must stay small, and what must not show.

use std::path::Path;

use everbeat_core::{Notice, limits};

use super::{Checked, Promise, View};
use crate::world::Sent;

/// The journal: a snapshot of all that is remembered, twice, and a batch.
const JOURNAL_BYTES_MAX: usize = 8 << 20;
/// What a machine prints as a whole; its memory is about that.
const MACHINE_BYTES_MAX: usize = 16 << 20;
const FILES_MAX: usize = 16;

const STATE: &str = "/configs/everbeat";
const FOLDERS: [&str; 3] = ["/configs", STATE, "/tmp"];

/// S6: memory and files are bounded.
#[derive(Default)]
pub(super) struct Bounded {
    remembered: u64,
    /// Whether a list came since the journal was read.
    has_listed: bool,
}

impl Promise for Bounded {
    fn said(&mut self, _: &View<'_>, notice: &Notice) -> Checked {
        self.has_listed &= !matches!(notice, Notice::StoreOpened { .. });
        Ok(())
    }

    fn listed(&mut self, _: &View<'_>) -> Checked {
        self.has_listed = true;
        Ok(())
    }

    fn sampled(&mut self, view: &View<'_>, machine: &str) -> Checked {
        let disk = view.world.disk();
        let journal = disk.contents(&Path::new(STATE).join("journal.jsonl"));
        let journal = journal.unwrap_or_default().len();
        if journal > JOURNAL_BYTES_MAX {
            return Err(format!("S6: the journal has {journal} bytes"));
        }
        let files = disk.names(Path::new(STATE)).len() + disk.names(Path::new("/tmp")).len();
        if files > FILES_MAX {
            return Err(format!("S6: {files} files"));
        }
        if machine.len() > MACHINE_BYTES_MAX {
            return Err(format!("S6: the machine prints as {} bytes", machine.len()));
        }
        let Some(overview) = view.world.overview() else {
            return Ok(());
        };
        self.remembered = self.remembered.max(overview.remembered as u64);
        let most = if self.has_listed {
            limits::REMEMBERED_AT_ONCE_MAX
        } else {
            limits::REMEMBERED_READ_MAX
        };
        if overview.remembered > most || overview.discovered > limits::DISCOVERED_MAX {
            return Err(format!("S6: {overview:?}"));
        }
        Ok(())
    }

    fn looked_at(&self, _: &View<'_>) -> u64 {
        self.remembered
    }
}

/// S7: no secret in a command's record, a notice, a Debug or a file that is
/// not made for it.
#[derive(Default)]
pub(super) struct NoSecretShows;

impl Promise for NoSecretShows {
    fn sent(&mut self, view: &View<'_>, _: &Sent) -> Checked {
        leaks(view)
    }

    fn said(&mut self, view: &View<'_>, _: &Notice) -> Checked {
        leaks(view)
    }

    fn sampled(&mut self, view: &View<'_>, machine: &str) -> Checked {
        leaks(view)?;
        if view.world.shows_secret(machine.as_bytes()) {
            return Err("S7: the machine prints a secret".into());
        }
        for folder in FOLDERS {
            for name in view.world.disk().names(Path::new(folder)) {
                // A kill may leave a private half of one; it is 0600 like the whole.
                let stem = name.trim_start_matches(".everbeat-").trim_end_matches(".new");
                if [".auth_token", ".platform_inbound_secret"].contains(&stem) {
                    continue;
                }
                let bytes = view.world.disk().contents(&Path::new(folder).join(&name));
                if view.world.shows_secret(&bytes.unwrap_or_default()) {
                    return Err(format!("S7: {folder}/{name} holds a secret"));
                }
            }
        }
        Ok(())
    }

    fn looked_at(&self, view: &View<'_>) -> u64 {
        view.world.secrets().len() as u64
    }
}

fn leaks(view: &View<'_>) -> Checked {
    view.world.seen.leaks.first().map_or(Ok(()), |leak| Err(format!("S7: {leak}")))
}
