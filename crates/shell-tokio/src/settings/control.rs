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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Settings;
    use super::super::layers::Sources;
    use super::*;
    use crate::testing::TempDir;

    fn read(flags: &[(&'static str, &str)]) -> Result<ControlSettings, Vec<String>> {
        let needed = [("workspace_id", "ws"), ("configs_dir", "/c")];
        let flags = needed.iter().chain(flags).map(|(key, text)| (*key, (*text).to_owned()));
        let sources = Sources { flags: flags.collect(), ..Sources::default() };
        Settings::read(&sources).map(|settings| settings.control)
    }

    fn socket_at(path: &str, is_given: bool) -> Option<SocketPlace> {
        Some(SocketPlace { path: path.into(), is_given })
    }

    #[test]
    fn the_socket_is_in_the_state_folder_unless_somebody_says_where() {
        assert_eq!(read(&[]).unwrap().socket, socket_at("/c/everbeat/control.sock", false));
        let state_dir = read(&[("state_dir", "/s")]).unwrap();
        assert_eq!(state_dir.socket, socket_at("/s/control.sock", false));
        let given = read(&[("control", "/x.sock")]).unwrap();
        assert_eq!(given.socket, socket_at("/x.sock", true));
        assert_eq!(read(&[("control", "none")]).unwrap().socket, None);
    }

    #[test]
    fn a_port_has_its_token_from_a_file_that_nobody_else_reads() {
        let dir = TempDir::new();
        let file = dir.join("token");
        std::fs::write(&file, "sesame\n").unwrap();
        let path = file.display().to_string();
        let port = |mode: u32, address: &str, more: &[(&'static str, &str)]| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&file, mode).unwrap();
            let flags = [("control_listen", address), ("control_token_file", path.as_str())];
            read(&[flags.as_slice(), more].concat()).map(|settings| settings.port)
        };
        for address in ["127.0.0.1:1", "[::1]:1"] {
            let token = Secret::new("sesame").unwrap();
            let expected = Port { address: address.parse().unwrap(), token };
            assert_eq!(port(0o600, address, &[]).unwrap(), Some(expected));
        }
        assert!(port(0o400, "127.0.0.1:1", &[]).is_ok());
        for mode in [0o644, 0o640, 0o604, 0o660] {
            let problems = port(mode, "127.0.0.1:1", &[]).unwrap_err();
            assert!(problems[0].contains("chmod 600"), "{problems:?}");
            assert!(!problems[0].contains("sesame"), "{problems:?}");
        }
        let problems = port(0o600, "[::]:1", &[]).unwrap_err();
        assert!(problems[0].starts_with("--control-listen: [::]:1 can be reached"), "{problems:?}");
        assert!(port(0o600, "[::]:1", &[("control_listen_anywhere", "true")]).is_ok());
        std::fs::write(&file, "two words").unwrap();
        let problems = port(0o600, "127.0.0.1:1", &[]).unwrap_err();
        assert!(problems[0].starts_with("--control-token-file: "), "{problems:?}");
        assert!(!problems[0].contains("two words"), "{problems:?}");
    }
}
