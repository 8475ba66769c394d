//! `[server]`: addresses, names, certificates and limits.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use super::super::{Certificate, RateLimit, Serving, ServingTcp};
use super::Gather;
use super::value::parse_absolute;
use crate::config::raw::{Raw, RawServer};
use crate::config::{Fault, KeyPath, read_regular};
use crate::text::hex;

/// Name of the socket, where the configuration does not name its path.
const SOCKET: &str = "retaind.sock";
/// Largest file of certificates or of a key, in bytes.
const LARGEST_PEM: u64 = 256 * 1024;

/// Path of a file that the textfile collector reads.
fn parse_prom(text: &str) -> Result<PathBuf, Fault> {
    let path = parse_absolute(text)?;
    if path.extension().is_some_and(|ending| ending == "prom") {
        return Ok(path);
    }
    Err(Fault::new("the textfile collector reads files that end in .prom").hint("write /PATH/retaind.prom"))
}

impl Gather<'_> {
    pub(super) fn serving(&mut self, raw: &Raw, state_dir: &Path) -> Option<Serving> {
        let socket = match raw.server.socket.as_deref() {
            Some("") => None,
            Some(written) => Some(self.check(&KeyPath::of(&["server", "socket"]), parse_absolute(written))?),
            None => Some(self.inputs.runtime_dir.as_deref().unwrap_or(state_dir).join(SOCKET)),
        };
        let RawServer { read_only, metrics, dashboard, .. } = raw.server;
        let metrics_file =
            self.parsed(&KeyPath::of(&["server"]), "metrics_file", raw.server.metrics_file.as_ref(), parse_prom);
        Some(Serving { socket, read_only, metrics, dashboard, metrics_file, tcp: self.tcp(&raw.server) })
    }

    /// Answers over TCP, where there is an address for them.
    fn tcp(&mut self, raw: &RawServer) -> Option<ServingTcp> {
        let table = KeyPath::of(&["server"]);
        let listen = self.parsed(&table, "listen", raw.listen.as_ref(), parse_listen);
        let rate_limit = self.check(&table.key("rate_limit"), parse_rate_limit(&raw.rate_limit));
        let hosts = raw
            .hosts
            .iter()
            .enumerate()
            .filter_map(|(index, host)| self.check(&table.key("hosts").index(index), parse_host(host)));
        let hosts = hosts.collect();
        let certificate = self.certificate(&table, raw);
        let listen = listen?;
        if !listen.ip().to_canonical().is_loopback() && raw.tls_cert.is_none() && !raw.plaintext {
            let hint = "give it tls_cert and tls_key; or write plaintext = true where a proxy before it speaks TLS";
            self.refuse_value(
                &table.key("listen"),
                "other machines would send their tokens over it in the clear",
                hint,
            );
        }
        Some(ServingTcp { listen, hosts, certificate, rate_limit: rate_limit? })
    }

    fn certificate(&mut self, table: &KeyPath, raw: &RawServer) -> Option<Certificate> {
        let (given, missing) = match (&raw.tls_cert, &raw.tls_key) {
            (None, None) => return None,
            (Some(certificate), Some(key)) => {
                let path = self.check(&table.key("tls_cert"), parse_absolute(certificate));
                let key_path = self.check(&table.key("tls_key"), parse_absolute(key));
                return self.read_certificate(table, path?, key_path?);
            }
            (Some(_), None) => ("tls_cert", "tls_key"),
            (None, Some(_)) => ("tls_key", "tls_cert"),
        };
        self.refuse_key(
            &table.key(given),
            format!("{missing} is missing"),
            "a certificate and its key belong together",
        );
        None
    }

    fn read_certificate(&mut self, table: &KeyPath, path: PathBuf, key_path: PathBuf) -> Option<Certificate> {
        let chain = self.check(&table.key("tls_cert"), read_chain(&path));
        let key = self.check(&table.key("tls_key"), read_key(&key_path));
        let chain = chain?;
        let digest = hex(&chain.iter().fold(Sha256::new(), Sha256::chain_update).finalize());
        let tls = self.check(&table.key("tls_cert"), offer(chain, key?, &path, &key_path))?;
        Some(Certificate { path, key_path, digest, tls })
    }
}

fn parse_listen(text: &str) -> Result<SocketAddr, Fault> {
    let hint = "write \"127.0.0.1:8765\": an address of this machine and a port";
    text.parse().map_err(|_| Fault::new(format!("{text:?} is not an address with a port")).hint(hint))
}

/// The name or address of a machine, without a port.
fn parse_host(text: &str) -> Result<String, Fault> {
    let host = text.to_ascii_lowercase();
    let is_name = host.split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    });
    if is_name || host.parse::<std::net::IpAddr>().is_ok() {
        return Ok(host);
    }
    let hint = "write the name alone, such as \"retaind.example.org\"; ports and patterns have no place here";
    Err(Fault::new(format!("{text:?} is not the name of a machine")).hint(hint))
}

/// `5/hour`, or `none`.
fn parse_rate_limit(text: &str) -> Result<Option<RateLimit>, Fault> {
    if text == "none" {
        return Ok(None);
    }
    let secs = |unit: &str| match unit.trim() {
        "minute" => Some(60),
        "hour" => Some(3600),
        "day" => Some(86_400),
        _ => None,
    };
    let parsed = text.split_once('/').and_then(|(most, unit)| {
        let most = most.trim().parse().ok().filter(|most| (1..=10_000).contains(most))?;
        Some(RateLimit { most, per: Duration::from_secs(secs(unit)?) })
    });
    let hint = "write \"5/hour\": 1 to 10000, and minute, hour or day; or \"none\"";
    parsed.map(Some).ok_or_else(|| Fault::new(format!("{text:?} is not a number of calls in a time")).hint(hint))
}

fn read_pem(path: &Path) -> Result<Vec<u8>, Fault> {
    read_regular(path, LARGEST_PEM).map_err(|error| Fault::new(format!("{} cannot be read: {error}", path.display())))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let shown = path.display();
    let bytes = read_pem(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.map_err(|error| Fault::new(format!("{shown} is not a PEM file of certificates: {error}")))?;
    if chain.is_empty() {
        return Err(
            Fault::new(format!("{shown} has no certificate in it")).hint("it begins with -----BEGIN CERTIFICATE-----")
        );
    }
    Ok(chain)
}

/// Reads a key that others may not read.
fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    let shown = path.display();
    let bytes = read_pem(path)?;
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o007 != 0 {
        return Err(Fault::new(format!("{shown} is open to every user (mode {mode:04o})"))
            .hint(format!("chmod o= {shown}, and let retaind's group read it")));
    }
    // What is in it is nobody's business.
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        Fault::new(format!("{shown} has no private key in PEM in it")).hint("a key with a passphrase will not do")
    })
}

/// TLS with that certificate.
fn offer(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    path: &Path,
    key_path: &Path,
) -> Result<Arc<rustls::ServerConfig>, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let refused = |error: rustls::Error| {
        Fault::new(format!("{} and {} do not go together: {error}", path.display(), key_path.display()))
    };
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut tls = builder.map_err(refused)?.with_no_client_auth().with_single_cert(chain, key).map_err(refused)?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        let rate = |most, secs| Some(RateLimit { most, per: Duration::from_secs(secs) });
        for (text, wanted) in
            [("5/hour", rate(5, 3600)), (" 10 / minute", rate(10, 60)), ("1/day", rate(1, 86_400)), ("none", None)]
        {
            assert_eq!(parse_rate_limit(text).unwrap(), wanted, "{text}");
        }
        for text in ["", "5", "0/hour", "-1/hour", "5/week", "5/", "/hour", "None", "99999/day", "5/hour/day"] {
            assert!(parse_rate_limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_a_name_without_more() {
        for (text, wanted) in [("Retaind.Example.org", "retaind.example.org"), ("nas", "nas"), ("fd00::1", "fd00::1")] {
            assert_eq!(parse_host(text).unwrap(), wanted);
        }
        for text in ["", "*", "*.example.org", "a:80", "http://a", "a..b", ".a", "[fd00::1]", "a b", "a/b", "a@b"] {
            assert!(parse_host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_has_a_port() {
        for text in ["127.0.0.1:8765", "[::1]:8765", "0.0.0.0:1"] {
            assert!(parse_listen(text).is_ok(), "{text}");
        }
        for text in ["", "8765", ":8765", "127.0.0.1", "localhost:8765", "::1:8765x", "127.0.0.1:70000"] {
            assert!(parse_listen(text).is_err(), "{text}");
        }
    }
}
