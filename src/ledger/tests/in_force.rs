//! Memory of the configuration that a daemon works by.

use super::*;
use crate::policy::Written;

#[tokio::test]
async fn the_configuration_in_force_is_the_last_noted() {
    let (directory, ledger) = ledger().await;
    assert_eq!(ledger.in_force().await.unwrap(), None);
    let written = |keep: &str| -> Written {
        let words = serde_json::json!({"policies": {"items": {"keep": keep, "max_rows": 5, "max_fraction": 0.5}}});
        serde_json::from_value(words).unwrap()
    };
    ledger.note_in_force(&written("30d")).await.unwrap();
    ledger.note_in_force(&written("3d")).await.unwrap();
    let other = Ledger::open(&directory.path().join("ledger.db")).await.unwrap();
    assert_eq!(other.in_force().await.unwrap(), Some(written("3d")));
}
