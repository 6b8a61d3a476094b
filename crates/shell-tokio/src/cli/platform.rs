//! `everbeat platform`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;

use clap::Args;
use everbeat_platform::Options;
use serde_json::Value;

use super::signals::Signals;
use super::{Exit, print, runtime};
use crate::serve::Server;

#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct PlatformArgs {
    /// Where to listen; port 0 takes a free one. The first line of the output
    /// is the address, like http://127.0.0.1:8080
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Serves /admin: workspaces, delegations, faults; to whoever can connect
    #[arg(long)]
    admin: bool,
    /// Options of the model as a JSON object, like '{"ttl_ms": 3000}'; those
    /// not named are as for development: any id, private addresses, no limit
    #[arg(long, value_name = "JSON")]
    options: Option<String>,
}

pub(crate) fn run(args: &PlatformArgs, mut signals: Signals) -> Exit {
    let options = match options(args) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("everbeat: --options: {problem}");
            return Exit::Usage;
        }
    };
    let served = runtime().and_then(|runtime| {
        let served = runtime.block_on(async {
            let server = Server::bind(args.listen, options).await?;
            print(&format!("http://{}\n", server.address()));
            tokio::select! {
                served = server.run() => served,
                () = signals.asked() => Ok(()),
            }
        });
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("everbeat: the platform at {}: {error}", args.listen);
            Exit::Failed
        }
    }
}

/// A seed of its own at each start: ids that come again would look known to
/// an agent that was here before.
fn options(args: &PlatformArgs) -> Result<Options, String> {
    let seed = RandomState::new().build_hasher().finish();
    let base = Options { admin: args.admin, ..Options::development(seed) };
    let Some(text) = &args.options else { return Ok(base) };
    let mut value = serde_json::to_value(base).map_err(|error| error.to_string())?;
    let given: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (Value::Object(all), Value::Object(given)) = (&mut value, given) else {
        return Err("a JSON object is needed".into());
    };
    all.extend(given);
    serde_json::from_value(value).map_err(|error| error.to_string())
}
