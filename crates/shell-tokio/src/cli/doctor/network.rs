//! The way to the platform, one step after the other: name, connection,
//! certificate, clock, and what it answers.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use everbeat_core::Secret;
use reqwest::Url;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConnection};
use tokio::time::timeout;

use super::{Checked, EACH_WITHIN};
use crate::cli::check::{self, PROBES, Status, finding};
use crate::client::Client;
use crate::{AgentConfig, tls};

/// A platform's `Date` has whole seconds, and takes a moment to come.
const SKEW_WARN: Duration = Duration::from_secs(5);
/// Certificates and tokens may seem expired, or not valid yet.
const SKEW_MAX: Duration = Duration::from_secs(300);

pub(super) async fn check(config: &AgentConfig, token: Option<Secret>, checks: &mut Vec<Checked>) {
    let url = match Url::parse(&config.core.platform_url) {
        Ok(url) => url,
        Err(error) => {
            let detail = format!("{}: {error}", config.core.platform_url);
            checks.push(Checked::new(finding("dns", Status::Error, detail), Duration::ZERO));
            return;
        }
    };
    match proxy(url.scheme()) {
        Some(variable) => {
            let detail = format!("left to the proxy of {variable}, as are connection and TLS");
            checks.push(Checked::new(finding("dns", Status::Ok, detail), Duration::ZERO));
        }
        None => direct(&url, checks).await,
    }
    let client = match Client::new() {
        Ok(client) => client,
        Err(error) => {
            let found = finding("platform", Status::Error, error.to_string());
            checks.push(Checked::new(found, Duration::ZERO));
            return;
        }
    };
    if let Some(clock) = clock(&client, &config.core.platform_url).await {
        checks.push(clock);
    }
    for probe in PROBES {
        let from = Instant::now();
        let found = check::probe_one(&client, config, token.clone(), probe).await;
        checks.extend(found.map(|found| Checked::new(found, from.elapsed())));
    }
}

/// The variable that names a proxy for this scheme.
fn proxy(scheme: &str) -> Option<&'static str> {
    let names: &[&str] = match scheme {
        "https" => &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    let is_set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    names.iter().find(is_set).copied()
}

async fn direct(url: &Url, checks: &mut Vec<Checked>) {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let (addresses, checked) = names(host, port).await;
    checks.push(checked);
    if addresses.is_empty() {
        return;
    }
    let (stream, checked) = connection(&addresses).await;
    checks.push(checked);
    let Some(stream) = stream else { return };
    if url.scheme() == "https" {
        checks.push(certificate(host, stream).await);
    }
}

async fn names(host: &str, port: u16) -> (Vec<SocketAddr>, Checked) {
    let from = Instant::now();
    if let Ok(address) = host.parse::<IpAddr>() {
        let found = finding("dns", Status::Ok, format!("{host} is an address, no name"));
        return (vec![(address, port).into()], Checked::new(found, from.elapsed()));
    }
    let problem = match timeout(EACH_WITHIN, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<_> = addresses.collect();
            if !addresses.is_empty() {
                let shown: Vec<_> = addresses.iter().map(|it| it.ip().to_string()).collect();
                let found = finding("dns", Status::Ok, format!("{host} is {}", shown.join(", ")));
                return (addresses, Checked::new(found, from.elapsed()));
            }
            "the name has no address".into()
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", EACH_WITHIN.as_secs()),
    };
    let found = finding("dns", Status::Error, format!("{host}: {problem}"));
    let checked = Checked::new(found, from.elapsed())
        .with("see the host in PLATFORM_URL, and the name servers in /etc/resolv.conf");
    (Vec::new(), checked)
}

async fn connection(addresses: &[SocketAddr]) -> (Option<TcpStream>, Checked) {
    let from = Instant::now();
    let mut problems = Vec::new();
    for address in addresses {
        let problem = match timeout(EACH_WITHIN, tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(stream)) => match stream.into_std() {
                Ok(stream) => {
                    let found =
                        finding("connection", Status::Ok, format!("{address} takes connections"));
                    return (Some(stream), Checked::new(found, from.elapsed()));
                }
                Err(error) => error.to_string(),
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", EACH_WITHIN.as_secs()),
        };
        problems.push(format!("{address}: {problem}"));
    }
    let found = finding("connection", Status::Error, problems.join("; "));
    let checked = Checked::new(found, from.elapsed()).with(
        "see whether the platform runs, whether the port in PLATFORM_URL is right, and what a \
         firewall in between says",
    );
    (None, checked)
}

/// A handshake, and no more.
async fn certificate(host: &str, stream: TcpStream) -> Checked {
    let from = Instant::now();
    let name = host.to_owned();
    let shaking = tokio::task::spawn_blocking(move || handshake(&name, stream));
    let (status, detail, advice) = match timeout(EACH_WITHIN, shaking).await {
        Ok(Ok(Ok(detail))) => (Status::Ok, detail, None),
        Ok(Ok(Err((detail, advice)))) => (Status::Error, detail, Some(advice)),
        Ok(Err(error)) => (Status::Error, error.to_string(), None),
        Err(_) => {
            let detail = format!("no handshake within {} s", EACH_WITHIN.as_secs());
            (Status::Error, detail, Some("see whether that port speaks TLS"))
        }
    };
    let checked = Checked::new(finding("tls", status, detail), from.elapsed());
    match advice {
        Some(advice) => checked.with(advice),
        None => checked,
    }
}

fn handshake(host: &str, mut stream: TcpStream) -> Result<String, (String, &'static str)> {
    let odd = |error: &dyn std::fmt::Display| (error.to_string(), "see the platform's address");
    let config = tls::config().map_err(|error| odd(&error))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| odd(&error))?;
    let mut tls = ClientConnection::new(Arc::new(config), name).map_err(|error| odd(&error))?;
    let timed = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_read_timeout(Some(EACH_WITHIN)))
        .and_then(|()| stream.set_write_timeout(Some(EACH_WITHIN)));
    timed.map_err(|error| odd(&error))?;
    while tls.is_handshaking() {
        if let Err(error) = tls.complete_io(&mut stream) {
            let advice = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>())
                .map_or("see whether that port speaks TLS", advice);
            return Err((format!("{host}: {error}"), advice));
        }
    }
    let version = tls.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
    Ok(format!("{host} has a valid certificate, {version}"))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not exhaustive")]
fn advice(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "see the clock of this machine; if it is right, the platform needs a new certificate",
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "give the file of the CA that signed it in SSL_CERT_FILE"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "use the name in PLATFORM_URL that the certificate is for",
        rustls::Error::InvalidCertificate(_) => {
            "the platform needs another certificate: one for a server, signed by a CA"
        }
        _ => "see whether that port speaks TLS",
    }
}

/// By the `Date` of any answer; `None` if there is none.
async fn clock(client: &Client, url: &str) -> Option<Checked> {
    let from = Instant::now();
    let date = timeout(EACH_WITHIN, client.date(url)).await.ok()??;
    let (status, detail) = skew(SystemTime::now(), date);
    let checked = Checked::new(finding("clock", status, detail), from.elapsed());
    Some(match status {
        Status::Ok => checked,
        Status::Warning | Status::Error => checked.with(
            "set the clock of this machine, as by NTP; beats keep their time all the same, but \
             certificates and times in results depend on it",
        ),
    })
}

fn skew(own: SystemTime, platforms: SystemTime) -> (Status, String) {
    let (skew, word) = match own.duration_since(platforms) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    if skew <= SKEW_WARN {
        return (Status::Ok, "within 5 s of the platform's".into());
    }
    let status = if skew > SKEW_MAX { Status::Error } else { Status::Warning };
    (status, format!("{} s {word} the platform's", skew.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_both_ways() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(skew(at(1_003), at(1_000)).0, Status::Ok);
        let (status, detail) = skew(at(1_060), at(1_000));
        assert_eq!((status, detail.as_str()), (Status::Warning, "60 s ahead of the platform's"));
        let (status, detail) = skew(at(1_000), at(1_400));
        assert_eq!((status, detail.as_str()), (Status::Error, "400 s behind the platform's"));
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_is_told_with_advice() {
        let (addresses, checked) = names("nothing.invalid", 80).await;
        assert!(addresses.is_empty());
        assert_eq!(checked.finding.status, Status::Error);
        assert!(checked.advice.is_some_and(|advice| advice.contains("resolv.conf")));
        let (addresses, checked) = names("127.0.0.1", 80).await;
        assert_eq!((addresses.len(), checked.finding.status), (1, Status::Ok));
    }
}
