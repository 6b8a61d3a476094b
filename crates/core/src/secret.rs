//! A value that neither prints nor serialises.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A credential on its way between the wire and a file of mode 0600.
///
/// `Debug` and serde show `[redacted]`; only [`Secret::expose`] gives the
/// value. A deserialised secret is therefore always the text `[redacted]`:
/// traces can be replayed, but a replay never learns or writes a real one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Longest secret that is accepted from the wire or a file, in bytes.
    pub const BYTES_MAX: usize = 4096;

    /// Wraps `value`; `None` if it is empty, too long, or holds a character
    /// that cannot stand in an HTTP header (anything but visible ASCII).
    #[must_use]
    pub fn new(value: &str) -> Option<Self> {
        let fits = !value.is_empty()
            && value.len() <= Self::BYTES_MAX
            && value.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(value.into()))
    }

    /// The value itself, for the header or the file it is meant for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self("[redacted]".into()))
    }
}
