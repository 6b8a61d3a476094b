//! What stands in the stream: everything that the reader took or a holder of a
//! lease acknowledged, and all that still lies there.

use super::{StreamParts, World};

impl World {
    /// Grows whenever the stream may be another one, or a second process did
    /// something.
    pub(crate) fn files_changed(&self) -> u64 {
        self.files.changes()
    }

    /// Shows `look` the stream.
    pub(crate) fn with_stream<T>(&self, look: impl FnOnce(&StreamParts<'_>) -> T) -> T {
        self.files.with_stream(self.holder.done(), look)
    }

    /// What a second process did that it must not, if there was such a thing.
    pub(crate) fn intrusion(&self) -> Option<String> {
        self.files.intrusion()
    }
}
