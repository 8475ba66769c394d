//! `pace` of sources and policies.

use crate::config::KeyPath;
use crate::config::raw::RawPace;

use super::super::{Endpoint, Name, Pace};
use super::files::number;
use super::{Gather, url};

impl Gather<'_> {
    /// Address of a source, if its url can be read.
    pub(super) fn endpoint_of(&self, source: &Name) -> Option<Endpoint> {
        let (_, raw) = self.loaded.raw.sources.iter().find(|(name, _)| name == source.as_str())?;
        let url = url::expand(raw.url.as_ref()?, |name| self.inputs.variable(name)).ok()?;
        url::parse(&url).ok()
    }

    /// Speed for a source, of which nothing is known where it is wrong.
    pub(super) fn pace(&mut self, table: &KeyPath, raw: &RawPace, endpoint: Option<&Endpoint>) -> Pace {
        if raw.max_replica_lag.is_some() && endpoint.is_some_and(|endpoint| !endpoint.tells_of_replicas()) {
            let problem = "only PostgreSQL knows how far its replicas are behind";
            self.refuse_key(&table.key("max_replica_lag"), problem, "leave it out, and set rows_per_second");
        }
        Pace {
            target: raw.target.map(|span| span.0),
            pause: raw.pause.map(|span| span.0),
            rows_per_second: number(raw.rows_per_second),
            yields: raw.r#yield,
            max_replica_lag: raw.max_replica_lag.map(|span| span.0),
            max_load: raw.max_load.map(|load| load.0),
        }
    }
}
