//! Connections to those who are notified: a name may have several addresses, and some of them may be dead.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Longest wait for one address while there are others.
const SHARE: Duration = Duration::from_secs(3);

/// Connects to the first address of a name that answers.
pub(super) async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    first_of(&addresses).await
}

async fn first_of(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let Some((last, others)) = addresses.split_last() else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    };
    for address in others {
        if let Ok(Ok(stream)) = timeout(SHARE, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    TcpStream::connect(last).await
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn a_dead_address_leaves_time_for_another() {
        let listen = |backlog| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(backlog).unwrap()
        };
        // One whose queue is full answers no more.
        let (dead, alive) = (listen(0), listen(8));
        let (dead_at, alive_at) = (dead.local_addr().unwrap(), alive.local_addr().unwrap());
        let mut taken = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(300), TcpStream::connect(dead_at)).await {
            taken.push(stream.unwrap());
        }
        let connected = timeout(3 * SHARE, first_of(&[dead_at, alive_at])).await.unwrap().unwrap();
        assert_eq!(connected.peer_addr().unwrap(), alive_at);
    }
}
