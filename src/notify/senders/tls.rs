//! TLS to those who are notified: set up for each connection, so that nothing of it is kept while nothing is sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why TLS could not be set up on our side.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrustError {
    #[error("the authorities in {} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: rustls::pki_types::pem::Error,
    },
    #[error("{} has no certificate in it", path.display())]
    Empty { path: PathBuf },
    #[error("the system has no trusted certificates: install ca-certificates, or name some by tls_ca")]
    NoSystemRoots,
    #[error("TLS cannot be set up")]
    Rustls(#[from] rustls::Error),
}

/// Trust in the authorities of a file, or in the system's.
pub(super) fn client_config(tls_ca: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    match tls_ca {
        Some(path) => {
            for root in of_file(path)? {
                roots.add(root)?;
            }
        }
        None => {
            // The system's store may hold a few that rustls cannot use.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TrustError::NoSystemRoots);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Certificates of a file.
pub(super) fn of_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let failed = |cause| TrustError::File { path: path.to_owned(), cause };
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if found.is_empty() { Err(TrustError::Empty { path: path.to_owned() }) } else { Ok(found) }
}
