//! Connections over TCP by their other ends: none of these takes the places of all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Interval at which connections that were refused are noted in the journal at most.
const NOTE_PERIOD: Duration = Duration::from_secs(60);

/// Count of the connections of each peer. Cheap to clone.
#[derive(Clone)]
pub(super) struct Peers {
    most: usize,
    all: Arc<Mutex<Seats>>,
}

#[derive(Default)]
struct Seats {
    /// Peers with a connection, and how many.
    taken: HashMap<IpAddr, usize>,
    noted: Option<Instant>,
}

/// Place of a connection, given back when it is dropped.
pub(super) struct Seat {
    peers: Peers,
    peer: IpAddr,
}

impl Peers {
    /// With so many connections for each.
    pub(super) fn at_most(most: usize) -> Self {
        Self { most, all: Arc::default() }
    }

    /// A place for one more connection; none where its peer has as many as it may.
    pub(super) fn seat(&self, address: IpAddr) -> Option<Seat> {
        let peer = network(address);
        let mut all = self.lock();
        let taken = all.taken.entry(peer).or_default();
        if *taken < self.most {
            *taken += 1;
            return Some(Seat { peers: self.clone(), peer });
        }
        if all.noted.is_none_or(|noted| noted.elapsed() >= NOTE_PERIOD) {
            all.noted = Some(Instant::now());
            let most = self.most;
            tracing::warn!(%address, "{address} has {most} connections over TCP, as many as one address may: others are closed");
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.peers.lock();
        if let Some(taken) = all.taken.get_mut(&self.peer) {
            *taken -= 1;
            if *taken == 0 {
                all.taken.remove(&self.peer);
            }
        }
    }
}

/// A host: its address, or with IPv6 the network of 64 bits in which it may have any.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_its_own_places() {
        let peers = Peers::at_most(2);
        let seat = |address: &str| peers.seat(address.parse().unwrap());
        let mut held = vec![seat("10.0.0.1"), seat("10.0.0.1"), seat("10.0.0.2"), seat("fd00::1"), seat("fd00::2")];
        assert!(held.iter().all(Option::is_some));
        assert!(seat("10.0.0.1").is_none());
        assert!(seat("fd00::3").is_none(), "a host may have every address of its network");
        assert!(seat("fd00:0:0:1::3").is_some());
        held.remove(0);
        assert!(seat("10.0.0.1").is_some(), "a place that was given back is free");
        drop(held);
        assert!(peers.lock().taken.is_empty(), "nothing is kept of who is gone");
    }
}
