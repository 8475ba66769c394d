//! Replicas that a PostgreSQL server feeds.

use std::time::Duration;

use super::Session;
use crate::decide::replica::Replica;
use crate::sources::SourceError;

/// The end of the log, and where each replica is. A backup that is taken over the same protocol is none.
const REPLICAS: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text, (r.pid IS NOT NULL)::int::text, \
     pg_wal_lsn_diff(coalesce(r.replay_lsn, r.flush_lsn), '0/0')::text, extract(epoch FROM r.replay_lag)::text \
     FROM (SELECT) AS one LEFT JOIN pg_stat_replication r ON r.state IS DISTINCT FROM 'backup'";

impl Session {
    /// The end of the log just now, and the replicas. A login that may not see them sees replicas without a place.
    pub async fn replicas(&mut self) -> Result<(u64, Vec<Replica>), SourceError> {
        let mut sql = self.sql();
        sql.push(REPLICAS);
        let rows = self.query("asking how far replicas are", &sql).await?;
        let place = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<u64>().ok());
        let end = rows.first().and_then(|row| place(row.0.first()?)).unwrap_or_default();
        let replicas = rows.iter().filter(|row| row.0.get(1).is_some_and(|is| is.as_deref() == Some("1"))).map(|row| {
            let delay = row.0.get(3).and_then(|text| text.as_deref()?.parse::<f64>().ok());
            Replica {
                place: row.0.get(2).and_then(place),
                delay: delay.and_then(|secs| Duration::try_from_secs_f64(secs).ok()),
            }
        });
        Ok((end, replicas.collect()))
    }
}
