//! What all commands that ask a running agent have in common.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use everbeat_core::Secret;
use everbeat_store::read_secret;
use tokio::runtime::Runtime;

use super::signals::Signals;
use super::terminal::harmless;
use super::{Exit, runtime, talk};
use crate::RealDisk;
use crate::control::client::{ControlClient, ControlError, Place};
use crate::control::place::{self, Found};

const VARIABLE: &str = "EVERBEAT_CONTROL";
const TOKEN_FILE_VARIABLE: &str = "EVERBEAT_CONTROL_TOKEN_FILE";
/// The start of an address that stands in place of a path.
const TCP_SCHEME: &str = "http://";

/// Where the agent is.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ControlArgs {
    /// The agent's control socket, or http://127.0.0.1:PORT with a token file
    /// [default: control.sock in the state folder] [env: EVERBEAT_CONTROL]
    #[arg(long, value_name = "PATH|URL", help_heading = "Agent", value_hint = ValueHint::FilePath)]
    pub(crate) control: Option<String>,
    /// Holds the token that http://… needs [env: EVERBEAT_CONTROL_TOKEN_FILE]
    #[arg(long, value_name = "FILE", help_heading = "Agent", value_hint = ValueHint::FilePath)]
    pub(crate) control_token_file: Option<PathBuf>,
}

impl ControlArgs {
    /// Somebody to ask.
    ///
    /// # Errors
    /// A sentence on what is wrong with the arguments.
    pub(crate) fn client(&self) -> Result<ControlClient, String> {
        self.place().map(ControlClient::new)
    }

    fn place(&self) -> Result<Place, String> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let given = self.control.clone().or_else(|| variable(VARIABLE));
        let Some(authority) = given.as_deref().and_then(|it| it.strip_prefix(TCP_SCHEME)) else {
            if given.as_deref().is_some_and(|given| given.contains("://")) {
                let given = given.unwrap_or_default();
                return Err(format!("--control: {given:?} is neither a path nor http://HOST:PORT"));
            }
            let given = self.control.as_deref().map(Path::new);
            let paths = place::candidates(given, &environment());
            if paths.is_empty() {
                return Err("--control: without a control socket nobody can be asked".into());
            }
            return Ok(Place::Sockets(paths));
        };
        let authority = authority.trim_end_matches('/');
        let is_one = authority.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains(['/', '@', '?']) && port.parse::<u16>().is_ok()
        });
        if !is_one {
            return Err(format!("--control: {TCP_SCHEME}{authority} is no http://HOST:PORT"));
        }
        let file = self.control_token_file.clone();
        let file = file.or_else(|| variable(TOKEN_FILE_VARIABLE).map(PathBuf::from));
        let file = file.ok_or("--control http://… needs --control-token-file FILE")?;
        Ok(Place::Tcp { authority: authority.into(), token: token(&file)? })
    }
}

fn environment() -> BTreeMap<String, OsString> {
    let variables = std::env::vars_os();
    variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
}

fn token(file: &Path) -> Result<Secret, String> {
    let shown = file.display();
    match read_secret(&RealDisk, file) {
        Ok(Some(token)) => Ok(token),
        Ok(None) => Err(format!("--control-token-file: there is no token in {shown}")),
        Err(failure) => Err(format!(
            "--control-token-file: cannot {} {shown}: {}",
            failure.operation, failure.reason
        )),
    }
}

/// Somebody to ask, and a runtime to do it on.
///
/// # Errors
/// What the process ends with; why was said.
pub(crate) fn prepared(args: &ControlArgs) -> Result<(ControlClient, Runtime), Exit> {
    let client = args.client().map_err(|problem| {
        talk(&format!("everbeat: {problem}"));
        Exit::Usage
    })?;
    let runtime = runtime().map_err(|error| {
        talk(&format!("everbeat: the runtime cannot be started: {error}"));
        Exit::Failed
    })?;
    Ok((client, runtime))
}

/// Runs what asks the agent, on a runtime of its own, until a signal ends it.
pub(crate) fn asking(
    args: &ControlArgs,
    mut signals: Signals,
    ask: impl AsyncFnOnce(&ControlClient) -> Result<Exit, ControlError>,
) -> Exit {
    let (client, runtime) = match prepared(args) {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    let exit = runtime.block_on(async {
        tokio::select! {
            asked = ask(&client) => asked.unwrap_or_else(|error| complain(&error)),
            () = signals.asked() => Exit::Failed,
        }
    });
    runtime.shutdown_background();
    exit
}

/// Says what went wrong and what to do about it.
pub(crate) fn complain(error: &ControlError) -> Exit {
    // Line by line: the list of places has some, and none may come from others.
    for (index, line) in error.to_string().lines().enumerate() {
        let start = if index == 0 { "everbeat: " } else { "" };
        talk(&format!("{start}{}", harmless(line)));
    }
    if let Some(advice) = advice(error) {
        talk(&format!("  do: {advice}"));
    }
    exit_of(error)
}

pub(crate) const fn exit_of(error: &ControlError) -> Exit {
    match error {
        ControlError::NoAgent(_) | ControlError::Silent { .. } => Exit::NoAgent,
        ControlError::Broken { .. } | ControlError::Refused(_) | ControlError::Stranger { .. } => {
            Exit::Failed
        }
    }
}

/// What to do about it.
pub(crate) fn advice(error: &ControlError) -> Option<&'static str> {
    match error {
        ControlError::NoAgent(tried) => {
            let is = |found: &Found| tried.iter().any(|tried| tried.found == *found);
            Some(if is(&Found::NotAllowed) {
                "ask as the user that the agent runs as, or as root"
            } else if is(&Found::NobodyListens) {
                "it has ended without tidying up: start it again (everbeat run) and see its log"
            } else {
                "start it (everbeat run), or say where it listens (--control, EVERBEAT_CONTROL)"
            })
        }
        ControlError::Silent { .. } => {
            Some("it hangs or is stopped: see its log; everbeat health tells when it answers again")
        }
        ControlError::Refused(problem) => match problem.kind.as_str() {
            "unauthorized" => Some("give the token file that the agent was started with"),
            "forbidden" => Some("ask as the user that the agent runs as, or as root"),
            "stopping" => Some("it is about to end: ask the next one"),
            _ => None,
        },
        ControlError::Stranger { .. } => {
            Some("see what listens there, and whether it is the agent's version")
        }
        ControlError::Broken { .. } => Some("ask again; it may just have ended"),
    }
}
