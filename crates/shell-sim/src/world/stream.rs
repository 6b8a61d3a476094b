//! What stands in the stream: everything that the reader took or a holder of a
//! lease acknowledged, and all that still lies there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ResultName, StreamParts, World};

impl World {
    /// The results in everything that the reader took or a holder acknowledged
    /// and all that still lies there, counted.
    ///
    /// # Errors
    /// The first line that is no result.
    pub fn stream(&self) -> Result<BTreeMap<ResultName, u32>, String> {
        results_in(&self.files.stream(self.holder.done()))
    }

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

fn results_in(stream: &[u8]) -> Result<BTreeMap<ResultName, u32>, String> {
    let mut counts = BTreeMap::new();
    let text = String::from_utf8_lossy(stream);
    for line in text.split_inclusive('\n') {
        let torn = || format!("a torn line in the stream: {line:?}");
        let value: Value = serde_json::from_str(line).map_err(|_| torn())?;
        let member = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(id), Some(status)) = (member("delegation_id"), member("status")) else {
            return Err(torn());
        };
        *counts.entry((id, status)).or_default() += 1;
    }
    Ok(counts)
}
