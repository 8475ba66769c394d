//! TLS: by a certificate of the operator's own, which a reload reads anew.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::*;
use crate::engines::Authority;

/// Puts a certificate of the authority for `localhost` where the daemon reads it.
fn install(authority: &Authority, world: &World) {
    let (_, key) = authority.issue("localhost", &world.dir);
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o640)).unwrap();
}

/// Asks for the status as a client that trusts an authority; why it did not come to that.
fn ask(address: SocketAddr, root: &Path, head: &[&str]) -> Result<Reply, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.complete_io(&mut stream)?;
    let stream = StreamOwned::new(connection, stream);
    Ok(http::reply(&http::exchange(stream, request("GET", "/api/v1/status", head, "").as_bytes())))
}

#[test]
fn a_reload_reads_the_certificate_anew() {
    let mut world = world_served("");
    let [certificate, key] = ["server.pem", "server.key"].map(|file| world.dir.join(file));
    world.declare(&format!("tls_cert = \"{}\"\ntls_key = \"{}\"\n", certificate.display(), key.display()));
    let authorities = [Authority::create(), Authority::create()];
    install(&authorities[0], &world);
    let token = add_token(&world, "ada", "viewer");
    let mut daemon = Daemon::ready(&world);
    let address = address(&world);
    assert!(log(&world).contains(&format!("https://{address}")));
    let bearer = format!("Authorization: Bearer {token}");
    let asked = |authority: &Authority| ask(address, &authority.root_cert(), &["Host: localhost", &bearer]);
    assert_eq!(asked(&authorities[0]).unwrap().status, 200);
    assert_eq!(ask(address, &authorities[0].root_cert(), &["Host: localhost"]).unwrap().status, 401);
    assert!(asked(&authorities[1]).is_err());
    let mut plain = TcpStream::connect(address).unwrap();
    plain.write_all(request("GET", "/api/v1/status", &["Host: localhost", &bearer], "").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "nothing is answered in the clear");

    install(&authorities[1], &world);
    let other = std::fs::read(&key).unwrap();
    let broken: [(&Path, &[u8]); 4] =
        [(&certificate, b""), (&certificate, b"nonsense"), (&key, b"nonsense"), (&key, &other_key(&world))];
    for (path, bytes) in broken {
        let whole = std::fs::read(path).unwrap();
        std::fs::write(path, bytes).unwrap();
        assert!(status_of(&daemon.reload()).unwrap().starts_with("Reload failed"), "{}", path.display());
        assert!(log(&world).contains(&path.display().to_string()), "{}", log(&world));
        assert_eq!(asked(&authorities[0]).unwrap().status, 200, "the one before it stays");
        assert_eq!(call_in(&world, &["check", "--config-only"]).code, Some(78), "systemctl reload fails, too");
        std::fs::write(path, whole).unwrap();
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(status_of(&daemon.reload()).unwrap().starts_with("Reload failed"), "a key that is open to all");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(std::fs::read(&key).unwrap(), other);
    assert!(!status_of(&daemon.reload()).unwrap_or_default().contains("failed"));
    assert_eq!(asked(&authorities[1]).unwrap().status, 200);
    assert!(asked(&authorities[0]).is_err());
    daemon.stop();
}

/// A key that belongs to no certificate here.
fn other_key(world: &World) -> Vec<u8> {
    let directory = world.dir.join("other");
    std::fs::create_dir(&directory).unwrap();
    std::fs::read(Authority::create().issue("localhost", &directory).1).unwrap()
}

#[test]
fn a_handshake_that_never_ends_is_cut_off() {
    let mut world = world_served("");
    let [certificate, key] = ["server.pem", "server.key"].map(|file| world.dir.join(file));
    world.declare(&format!("tls_cert = \"{}\"\ntls_key = \"{}\"\n", certificate.display(), key.display()));
    install(&Authority::create(), &world);
    add_token(&world, "ada", "viewer");
    let daemon = Daemon::ready(&world);
    let began = Instant::now();
    let mut slow = TcpStream::connect(address(&world)).unwrap();
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    slow.write_all(&[0x16, 3, 1]).unwrap();
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer);
    assert!((5..20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    daemon.stop();
}
