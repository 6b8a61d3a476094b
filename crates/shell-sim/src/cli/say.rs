//! Words for whoever reads the output, who may go away.

use std::fmt::Arguments;
use std::io::Write as _;

/// What a shell says of a program that a closed pipe ended.
const BROKEN_PIPE: i32 = 141;

/// Prints a line, as `println!` does, but ends the program quietly if nobody
/// reads it any more.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::cli::say::line(format_args!($($words)*))
    };
}
pub(super) use say;

pub(super) fn line(words: Arguments<'_>) {
    if writeln!(std::io::stdout(), "{words}").is_err() {
        std::process::exit(BROKEN_PIPE);
    }
}
