//! What std would bring, brought by hand: entry point, allocator, panic
//! handler. If anything that the core is made of used std, there would be two
//! of these, and no program.
//!
//! It runs an agent for an hour of its own time, switches it off and on in the
//! middle, and exits with 0 if all came out as it should.
#![no_std]
#![no_main]

mod arena;

use core::ffi::{c_int, c_void};
use core::fmt::{self, Write};
use core::panic::PanicInfo;

use arena::Arena;
use everbeat_no_std::{Device, Seen};

#[global_allocator]
static ARENA: Arena = Arena::new();

// Two calls of the operating system; on a device they would be its own. The
// same library has what the compiler itself needs: `memcpy` and the like.
#[link(name = "c")]
unsafe extern "C" {
    fn write(file: c_int, bytes: *const c_void, count: usize) -> isize;
    fn abort() -> !;
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(StandardError, "{info}");
    // SAFETY: it takes nothing and ends the process.
    unsafe { abort() }
}

/// The toolchain's `alloc` was built to unwind, and names these two. This
/// program does not unwind.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// See [`rust_eh_personality`].
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    // SAFETY: it takes nothing and ends the process.
    unsafe { abort() }
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let Ok(mut device) = Device::new("ws-device") else { return 2 };
    device.run(1_800_000);
    device.restart();
    device.run(1_800_000);
    let seen = device.seen();
    let _ = writeln!(
        StandardError,
        "an hour without std: {seen:?}; {} KiB of memory at most",
        ARENA.used_max() / 1_024
    );
    let Seen { beats, polls, messages, results } = seen;
    let is_as_it_should = (119..=124).contains(&beats)
        && (119..=124).contains(&polls)
        && (messages, results) == (1, 1);
    if is_as_it_should { 0 } else { 1 }
}

struct StandardError;

impl Write for StandardError {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: pointer and length are those of a live string.
        let written = unsafe { write(2, text.as_ptr().cast(), text.len()) };
        if written < 0 { Err(fmt::Error) } else { Ok(()) }
    }
}
