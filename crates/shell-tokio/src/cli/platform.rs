//! `everbeat platform`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

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
    /// Serves a live page at /ui/ with buttons for the administrator's side; this
    /// implies --admin, which is then refused to other sites' pages
    #[arg(long)]
    ui: bool,
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
            let mut server = Server::bind(args.listen, options).await?;
            print(&format!("http://{}\n", server.address()));
            if args.ui {
                print(&format!("the live page: {}\n", page_url(server.address())));
                server = server.with_page();
            }
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

/// Where a browser on this machine finds the page. It is shown by address
/// only, and nobody is at the address that means any.
pub(crate) fn page_url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}/ui/")
}

/// A seed of its own at each start: ids that come again would look known to
/// an agent that was here before.
fn options(args: &PlatformArgs) -> Result<Options, String> {
    let seed = RandomState::new().build_hasher().finish();
    let base = Options { admin: args.admin || args.ui, ..Options::development(seed) };
    let Some(text) = &args.options else { return Ok(base) };
    let mut value = serde_json::to_value(base).map_err(|error| error.to_string())?;
    let given: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (Value::Object(all), Value::Object(given)) = (&mut value, given) else {
        return Err("a JSON object is needed".into());
    };
    all.extend(given);
    serde_json::from_value(value).map_err(|error| error.to_string())
}
