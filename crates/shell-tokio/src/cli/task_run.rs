//! `everbeat task run`: a task for as long as a command runs.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use clap::{Args, ValueHint};
use hyper::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::{MissedTickBehavior, interval};

use super::ask::{ControlArgs, complain, prepared};
use super::reports::{path, seconds};
use super::signals::Signals;
use super::{Exit, talk};
use crate::control::client::ControlClient;

/// What a shell says of a command that there is not.
const NOT_FOUND: u8 = 127;
/// What a shell adds to a signal's number.
const BY_SIGNAL: i32 = 128;

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  those of the command; 128 and the signal's number if one ended it
  2    wrong usage
  127  the command cannot be started")]
pub(crate) struct RunArgs {
    /// Its id, of your choice; the same id is the same task
    id: String,
    /// What it is, for people
    #[arg(long)]
    title: Option<String>,
    /// How soon it ends if this program is killed; it is renewed in time
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value = "60s")]
    ttl: f64,
    /// The command and its arguments
    #[arg(
        last = true,
        required = true,
        value_name = "COMMAND",
        value_hint = ValueHint::CommandWithArguments
    )]
    command: Vec<OsString>,
    #[command(flatten)]
    control: ControlArgs,
}

/// Ends as the command ends. Without an agent it runs all the same.
pub(crate) fn run(args: &RunArgs, signals: Signals) -> ExitCode {
    let (client, runtime) = match prepared(&args.control) {
        Ok(prepared) => prepared,
        Err(exit) => return exit.into(),
    };
    let code = runtime.block_on(beside(args, &client, signals));
    runtime.shutdown_background();
    code
}

async fn beside(args: &RunArgs, client: &ControlClient, signals: Signals) -> ExitCode {
    let Some((program, arguments)) = args.command.split_first() else {
        return Exit::Usage.into();
    };
    let child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(error) => {
            talk(&format!("everbeat: {}: {error}", program.display()));
            return NOT_FOUND.into();
        }
    };
    let status = renewed(args, client, child, signals).await;
    if let Err(error) = client.ask(Method::DELETE, &path("tasks", &args.id), None).await {
        complain(&error);
    }
    match status {
        Ok(status) => code_of(status),
        Err(error) => {
            talk(&format!("everbeat: the command cannot be waited for: {error}"));
            Exit::Failed.into()
        }
    }
}

/// Waits for the command's end and renews the task meanwhile; a signal is
/// handed on.
async fn renewed(
    args: &RunArgs,
    client: &ControlClient,
    mut child: Child,
    mut signals: Signals,
) -> std::io::Result<ExitStatus> {
    let mut body = json!({"ttl_s": args.ttl});
    if let Some(title) = &args.title {
        body["title"] = json!(title);
    }
    let mut due = interval(Duration::from_secs_f64((args.ttl / 3.0).max(0.2)));
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut was_asked, mut is_told) = (false, false);
    loop {
        tokio::select! {
            status = child.wait() => return status,
            () = signals.asked(), if !was_asked => {
                was_asked = true;
                terminate(&child);
            }
            _ = due.tick() => {
                let renewed = client.ask(Method::PUT, &path("tasks", &args.id), Some(&body)).await;
                match renewed {
                    Ok(_) => is_told = false,
                    // The command counts, not who hears of it; once is enough.
                    Err(error) if !is_told => {
                        complain(&error);
                        is_told = true;
                    }
                    Err(_) => {}
                }
            }
        }
    }
}

fn terminate(child: &Child) {
    // None once it was waited for: its id may be another's then.
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
}

fn code_of(status: ExitStatus) -> ExitCode {
    let by_signal = status.signal().map(|signal| BY_SIGNAL + signal);
    let code = status.code().or(by_signal).and_then(|code| u8::try_from(code).ok());
    code.map_or(Exit::Failed.into(), ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_as_the_command_did() {
        let same =
            |one: ExitCode, other: u8| format!("{one:?}") == format!("{:?}", ExitCode::from(other));
        assert!(same(code_of(ExitStatus::from_raw(7 << 8)), 7));
        assert!(same(code_of(ExitStatus::from_raw(9)), 137));
    }
}
