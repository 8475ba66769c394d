//! Memory of the machine's clock (F28).

use std::time::Duration;

use super::*;
use crate::clock::Reading;
use crate::outcome::Operator;

fn reading(secs: i64, up: u64, boot: &str) -> Reading {
    Reading { at: at(secs), up: Duration::from_secs(up), boot_id: Some(boot.to_owned()) }
}

async fn seen(ledger: &Ledger) -> Option<Reading> {
    ledger.seen_clock().await.unwrap().map(|seen| seen.reading)
}

#[tokio::test]
async fn f28_the_last_trusted_clock_only_moves_forward() {
    let (directory, ledger) = ledger().await;
    assert_eq!(ledger.seen_clock().await.unwrap(), None);
    ledger.advance_clock(&reading(100, 5, "a")).await.unwrap();
    ledger.advance_clock(&reading(50, 7, "a")).await.unwrap();
    ledger.advance_clock(&reading(100, 9, "a")).await.unwrap();
    assert_eq!(seen(&ledger).await, Some(reading(100, 5, "a")), "a clock that went back, or stands, says nothing");
    let other = Ledger::open(&directory.path().join("ledger.db")).await.unwrap();
    let unnamed = Reading { boot_id: None, ..reading(101, 1, "") };
    other.advance_clock(&unnamed).await.unwrap();
    assert_eq!(seen(&ledger).await, Some(unnamed));
}

#[tokio::test]
async fn f28_a_confirmed_clock_may_be_behind_the_last() {
    let (_directory, ledger) = ledger().await;
    ledger.advance_clock(&reading(1_000, 5, "a")).await.unwrap();
    ledger.correct_clock(&reading(10, 6, "a")).await.unwrap();
    assert_eq!(seen(&ledger).await, Some(reading(10, 6, "a")));
}

#[tokio::test]
async fn f28_a_confirmation_is_kept_with_person_and_boot() {
    let (_directory, ledger) = ledger().await;
    let by = Operator { uid: 0, user: Some("ada".to_owned()), sudo_user: None, remote: None };
    ledger.confirm_clock(&reading(20, 3, "b"), &by).await.unwrap();
    ledger.advance_clock(&reading(30, 13, "b")).await.unwrap();
    ledger.correct_clock(&reading(25, 14, "b")).await.unwrap();
    let confirmed = ConfirmedClock { by, at: at(20), boot_id: Some("b".to_owned()) };
    let seen = SeenClock { reading: reading(25, 14, "b"), confirmed: Some(confirmed) };
    assert_eq!(ledger.seen_clock().await.unwrap(), Some(seen));
}
