//! Sessions on real servers: statements, transactions, timeouts, cancellation, loss, TLS; and the catalog's facts.

mod session;
mod tls;
