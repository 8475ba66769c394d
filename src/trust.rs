//! Authorities whose certificates are trusted: those that a file names, or the system's.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why it is not known whom to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("the certificates in {} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: rustls::pki_types::pem::Error,
    },
    #[error("{} has no certificate in it", path.display())]
    Empty { path: PathBuf },
    #[error("the system has no trusted certificates: install ca-certificates, or name some by {key}")]
    NoSystemRoots { key: &'static str },
    #[error("a certificate cannot be trusted")]
    Certificate(#[from] rustls::Error),
}

/// Certificates of a file, or without one of the system; `key`: what names a file.
pub fn authorities(file: Option<&Path>, key: &'static str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    match file {
        Some(path) => of_file(path),
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            if found.is_empty() { Err(TrustError::NoSystemRoots { key }) } else { Ok(found) }
        }
    }
}

/// Those certificates as rustls takes them.
pub fn roots(file: Option<&Path>, key: &'static str) -> Result<RootCertStore, TrustError> {
    let (mut roots, found) = (RootCertStore::empty(), authorities(file, key)?);
    // The system's store may hold a few that rustls cannot use; a file of the operator's own may not.
    match file {
        Some(_) => found.into_iter().try_for_each(|root| roots.add(root))?,
        None => {
            roots.add_parsable_certificates(found);
        }
    }
    Ok(roots)
}

/// Certificates of a file.
pub fn of_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let failed = |cause| TrustError::File { path: path.to_owned(), cause };
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if found.is_empty() { Err(TrustError::Empty { path: path.to_owned() }) } else { Ok(found) }
}
