//! Memory of adopted stores.

use super::*;

#[tokio::test]
async fn an_adopted_store_is_remembered_across_processes() {
    let (directory, ledger) = ledger().await;
    let store = name("thumbnails");
    assert_eq!(ledger.adopted(&store).await.unwrap(), None);
    let first = Adoption { id: RunId::now_v7(), adopted_at: at(0) };
    ledger.adopt(&store, first).await.unwrap();
    let other = Ledger::open(&directory.path().join("ledger.db")).await.unwrap();
    assert_eq!(other.adopted(&store).await.unwrap(), Some(first));
    assert_eq!(other.adopted(&name("images")).await.unwrap(), None);
    let again = Adoption { id: RunId::now_v7(), adopted_at: at(9) };
    other.adopt(&store, again).await.unwrap();
    assert_eq!(ledger.adopted(&store).await.unwrap(), Some(again));
}
