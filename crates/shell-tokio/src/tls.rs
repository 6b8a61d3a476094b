//! Trust in certificates: what the system trusts, or Mozilla's list where the
//! system has none, as in a container without CA files.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// A TLS configuration that can always be made: reqwest's own would fail
/// where there is no CA store, even for `http://`.
pub(crate) fn config() -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots())
        .with_no_client_auth();
    Ok(config)
}

/// Both lists together: a company's own CA from the system (`SSL_CERT_FILE`
/// and `SSL_CERT_DIR` say where it is, if not in the usual place), and the
/// public ones.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    let was_named =
        ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(std::env::var_os).iter().any(Option::is_some);
    for error in native.errors {
        if was_named {
            tracing::warn!("SSL_CERT_FILE or SSL_CERT_DIR: {error}; that certificate is missing");
        } else {
            tracing::debug!("a CA certificate of the system cannot be used: {error}");
        }
    }
    roots
}
