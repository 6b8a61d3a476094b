//! Starting a command so that it does not outlive this process.
//!
//! A process asks for its own signal at the death of its parent
//! (`PR_SET_PDEATHSIG`), so this program starts itself, asks, and becomes the
//! command. The signal is bound to the thread that started it: that must be
//! one that stays, as the main thread does.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::{getpid, getppid};

/// This program's own file, even if another one stands at its path by now.
const OWN_FILE: &str = "/proc/self/exe";
/// The first argument of a start that becomes a command.
const ARGUMENT: &str = "__become";
/// What a shell says of a command that there is not, or that it cannot start.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;

/// What starts it. Without `/proc` it is not tied.
pub(crate) fn tied(program: &OsStr, arguments: &[OsString]) -> Command {
    if !Path::new(OWN_FILE).exists() {
        let mut command = Command::new(program);
        command.args(arguments);
        return command;
    }
    let mut command = Command::new(OWN_FILE);
    command.arg0("everbeat").arg(ARGUMENT).arg(getpid().as_raw_nonzero().to_string());
    command.arg(program).args(arguments);
    command
}

/// Becomes the command if this start is for that, and does not return; or
/// says why it cannot, and what to end with. To be called before any signal
/// is handled.
pub(crate) fn become_command() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != ARGUMENT {
        return None;
    }
    let parent = arguments.next()?.into_string().ok()?.parse::<i32>().ok()?;
    let program = arguments.next()?;
    ask_for_signal();
    // A parent in another namespace has no id here.
    if getppid().is_some_and(|now| now.as_raw_nonzero().get() != parent) {
        return Some(ExitCode::FAILURE);
    }
    let error = Command::new(&program).args(arguments).exec();
    eprintln!("everbeat: {}: {error}", program.display());
    Some(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_STARTED }.into())
}

/// Without it the command runs all the same.
#[cfg(target_os = "linux")]
fn ask_for_signal() {
    use rustix::process::{Signal, set_parent_process_death_signal};
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
}

#[cfg(not(target_os = "linux"))]
fn ask_for_signal() {}
