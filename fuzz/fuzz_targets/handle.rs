//! `cargo +nightly fuzz run handle`: arbitrary events against the core.

#![no_main]
#![allow(clippy::wildcard_enum_match_arm)]

#[path = "../../crates/core/tests/handle/history.rs"]
mod history;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(broken) = history::run(bytes) {
        panic!("{broken}");
    }
});
