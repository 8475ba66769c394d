//! Lists the files in directories for a plan while these are looked at.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::request::{Fate, Listed};
use crate::policy::Name;
use crate::stores::{Inside, Listener};

/// Lists the files in a directory while it is looked at.
pub(crate) struct Lister {
    pub(crate) list: mpsc::Sender<Listed>,
    pub(crate) policy: Name,
    pub(crate) mode: Fate,
}

impl Lister {
    pub(crate) fn listener(&self, store: &Name) -> Listener {
        let (list, policy, mode, store) = (self.list.clone(), self.policy.clone(), self.mode, store.clone());
        Arc::new(move |inside: Inside| {
            let (policy, store) = (policy.clone(), store.clone());
            let Inside { path, size_bytes, .. } = inside;
            let _ = list.blocking_send(Listed::File { policy, mode, store, path, size_bytes });
        })
    }
}
