//! Who may use the page and the administrator's side while the page is on:
//! whoever can connect, but no other site's page in a browser that can.
//!
//! A page of another site sends its own `Origin`. A page whose name was made
//! to point here (DNS rebinding) sends that name as `Host`: only addresses and
//! names that nobody else can own are taken.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName};

/// Why a request is refused. The words are for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Foreign {
    /// The name in its address could be anybody's.
    #[error(
        "refused: {0:?} is no address; open this page by its address or as localhost, \
         like http://127.0.0.1:8080/ui/"
    )]
    Host(String),
    /// Another site's page sent it.
    #[error("refused: a page from {0:?} may not use this platform; open its own page at /ui/")]
    Origin(String),
}

/// Names that nobody else can own.
const OWN_NAMES: [&str; 2] = ["localhost", "host.docker.internal"];

pub(super) fn check(headers: &HeaderMap) -> Result<(), Foreign> {
    let host = one(headers, HOST).map_err(Foreign::Host)?.unwrap_or_default();
    let authority: Authority = host.parse().map_err(|_| Foreign::Host(host.clone()))?;
    if !is_own(authority.host()) {
        return Err(Foreign::Host(host));
    }
    // A program sends none.
    let Some(origin) = one(headers, ORIGIN).map_err(Foreign::Origin)? else { return Ok(()) };
    let site = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
    match site.is_some_and(|site| site.eq_ignore_ascii_case(&host)) {
        true => Ok(()),
        false => Err(Foreign::Origin(origin)),
    }
}

/// The only value of a header; two of them, or one that is no text, are
/// nobody's.
fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<String>, String> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    let shown =
        first.map(|value| String::from_utf8_lossy(value.as_bytes()).chars().take(200).collect());
    let is_text = first.is_none_or(|value| value.to_str().is_ok() && value.len() <= 200);
    match second.is_none() && is_text {
        true => Ok(shown),
        false => Err(shown.unwrap_or_default()),
    }
}

fn is_own(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let name = bare.to_ascii_lowercase();
    bare.parse::<IpAddr>().is_ok()
        || OWN_NAMES.contains(&name.as_str())
        || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn checked(fields: &[(HeaderName, &str)]) -> Result<(), Foreign> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        check(&headers)
    }

    #[test]
    fn programs_and_the_page_itself_may() {
        for host in ["127.0.0.1:8080", "[::1]:8080", "localhost:1", "192.168.0.7", "a.localhost"] {
            assert_eq!(checked(&[(HOST, host)]), Ok(()));
            assert_eq!(checked(&[(HOST, host), (ORIGIN, &format!("http://{host}"))]), Ok(()));
        }
        let proxied = [(HOST, "localhost:8443"), (ORIGIN, "https://LOCALHOST:8443")];
        assert_eq!(checked(&proxied), Ok(()));
    }

    #[test]
    fn a_name_that_somebody_else_may_own_may_not() {
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "a b", "@"]
        {
            let refused = checked(&[(HOST, host)]);
            assert!(matches!(refused, Err(Foreign::Host(_))), "{host:?}: {refused:?}");
        }
        assert!(checked(&[]).is_err());
        assert!(checked(&[(HOST, "localhost"), (HOST, "localhost")]).is_err());
        // Userinfo is no part of a host.
        assert!(checked(&[(HOST, "localhost@evil.example")]).is_err());
    }

    #[test]
    fn another_sites_page_may_not() {
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:8081",
            "http://127.0.0.1",
            "null",
            "",
            "http://127.0.0.1:8080.evil.example",
            "http://127.0.0.1:8080/",
            "ftp://127.0.0.1:8080",
        ] {
            let refused = checked(&[(HOST, "127.0.0.1:8080"), (ORIGIN, origin)]);
            assert_eq!(refused, Err(Foreign::Origin(origin.into())));
        }
    }
}
