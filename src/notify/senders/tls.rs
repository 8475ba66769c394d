//! TLS to those who are notified: set up for each connection, so that nothing of it is kept while nothing is sent.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::trust::{TrustError, roots};

/// Trust in the authorities of a file, or in the system's.
pub(super) fn client_config(tls_ca: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let roots = roots(tls_ca, "tls_ca")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
