//! A certificate authority of the tests' own, made with the openssl program.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::scratch::{run, scratch_dir};

/// An authority that issues server certificates. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Authority {
    dir: PathBuf,
}

impl Authority {
    /// Makes a key and a self-signed certificate.
    pub fn create() -> Self {
        let dir = scratch_dir("authority");
        run(Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=retaind test authority",
            ])
            .args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"])
            .args(["-keyout", "ca.key", "-out", "ca.pem"])
            .current_dir(&dir));
        Self { dir }
    }

    /// The PEM file that a client trusts.
    pub fn root_cert(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Issues a certificate for a DNS name into a server's directory: the paths of certificate and key.
    pub fn issue(&self, host: &str, into: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = (into.join("server.pem"), into.join("server.key"));
        let (request, extensions) = (into.join("server.csr"), into.join("server.ext"));
        std::fs::write(&extensions, format!("subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\n"))
            .expect("a file");
        run(Command::new("openssl")
            .args(["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", &format!("/CN={host}")])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&request));
        run(Command::new("openssl")
            .args(["x509", "-req", "-days", "30", "-CAcreateserial", "-CA", "ca.pem", "-CAkey", "ca.key"])
            .arg("-extfile")
            .arg(&extensions)
            .arg("-in")
            .arg(&request)
            .arg("-out")
            .arg(&certificate)
            .current_dir(&self.dir));
        (certificate, key)
    }
}
