//! Servers on another machine: only their clock is another one.

use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};

use crate::policy::Host;

/// True if a server is certainly on another machine, as far as its address tells: a container of this one has an address of
/// its own.
pub(super) async fn is_elsewhere(host: &Host) -> bool {
    let Host::Tcp { name, port } = host else { return false };
    let Ok(found) = tokio::net::lookup_host((name.as_str(), *port)).await else { return false };
    let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    !addresses.is_empty() && addresses.into_iter().all(is_of_another)
}

/// An address that this machine cannot take is another's.
fn is_of_another(address: IpAddr) -> bool {
    let address = address.to_canonical();
    if address.is_loopback() || address.is_unspecified() {
        return false;
    }
    UdpSocket::bind((address, 0)).is_err_and(|error| error.kind() == ErrorKind::AddrNotAvailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tcp(name: &str) -> bool {
        is_elsewhere(&Host::Tcp { name: name.to_owned(), port: 5432 }).await
    }

    #[tokio::test]
    async fn f28_only_another_machine_has_another_clock() {
        for here in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"] {
            assert!(!tcp(here).await, "{here}");
        }
        assert!(!is_elsewhere(&Host::Unix { path: "/run/postgresql".into(), port: 5432 }).await);
        assert!(!tcp("no-such-host.invalid").await, "what is not known does not count");
        // Set aside for documentation: nobody has it.
        assert!(tcp("192.0.2.7").await);
    }

    #[tokio::test]
    async fn f28_a_routed_address_of_this_machine_is_known() {
        let routed = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket.connect("192.0.2.7:9")?;
            socket.local_addr()
        });
        // A machine without a route has no such address.
        if let Ok(own) = routed {
            assert!(!tcp(&own.ip().to_string()).await, "{own}");
        }
    }
}
