//! The core in a program that has no standard library: an agent with a clock
//! of its own, a journal in memory and a platform beside it.
//!
//! This is a whole shell, for any machine with an allocator; the program in
//! `main.rs` brings one, and what else std would: a panic handler and an
//! entry point.
#![no_std]

extern crate alloc;

mod device;
mod platform;

pub use device::{Device, Seen};
