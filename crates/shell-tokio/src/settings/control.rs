//! The settings of the control socket.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use everbeat_core::Secret;
use everbeat_store::{RealDisk, read_secret};

use super::layers::{Effective, Origin};
use super::schema::parse_switch;
use crate::control::{ControlSettings, Port, SocketPlace, place};

/// Where it listens. What is wrong is blamed on where it came from.
pub(super) fn settings(effective: &mut Effective) -> ControlSettings {
    ControlSettings { socket: socket(effective), port: port(effective) }
}

fn socket(effective: &Effective) -> Option<SocketPlace> {
    let given = effective.get("control").filter(|given| given.text != place::NONE)?;
    let is_given = given.origin != Origin::Default;
    Some(SocketPlace { path: PathBuf::from(&given.text), is_given })
}

fn port(effective: &mut Effective) -> Option<Port> {
    let Some(text) = effective.text("control_listen") else {
        if effective.get("control_token_file").is_some() {
            effective.blame("control_token_file", "it is of no use without control_listen");
        }
        return None;
    };
    let address = text.parse::<SocketAddr>().ok()?;
    let anywhere = effective.text("control_listen_anywhere").and_then(parse_switch);
    if !address.ip().is_loopback() && anywhere != Some(true) {
        let problem = format!(
            "{address} can be reached from other machines: take 127.0.0.1, or give \
             --control-listen-anywhere too"
        );
        effective.blame("control_listen", &problem);
    }
    let Some(file) = effective.text("control_token_file").map(PathBuf::from) else {
        effective.blame("control_listen", "it needs a control_token_file, too");
        return None;
    };
    match token(&file) {
        Ok(token) => Some(Port { address, token }),
        Err(problem) => {
            effective.blame("control_token_file", &format!("{}: {problem}", file.display()));
            None
        }
    }
}

/// What is wrong with it is told without it.
fn token(file: &Path) -> Result<Secret, String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if metadata.mode() & 0o077 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(format!("its mode is {mode:04o}, so others can read it: chmod 600"));
    }
    match read_secret(&RealDisk, file) {
        Ok(Some(token)) => Ok(token),
        Ok(None) => Err("no one word of at most 4096 visible ASCII characters in it".into()),
        Err(failure) => Err(format!("cannot {}: {}", failure.operation, failure.reason)),
    }
}
