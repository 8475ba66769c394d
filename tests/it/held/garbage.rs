//! A ledger whose words about a policy cannot be used: the policy is held with the reason, and everything else goes on.

use super::*;

#[tokio::test]
async fn an_approved_configuration_beyond_comparison_is_held() {
    for (wording, reason) in [
        ("{ garbage", "cannot be read"),
        ("[1, 2]", "cannot be read"),
        ("{}", "cannot be read"),
        ("{\"policies\": {\"items\": {\"kind\": \"rows\", \"no_such_key\": 1}}}", "no_such_key"),
        ("{\"policies\": {\"other\": {}}}", "policies.other"),
    ] {
        let mut world = agreed().await;
        ledger_file(&world).execute(&format!("UPDATE baselines SET wording = '{wording}'")).unwrap();
        // The same configuration as before is known by its fingerprint.
        assert!(reload(&world).await.is_empty());
        world.redeclare(&keep(20));
        assert_eq!(reload(&world).await.len(), 1);
        let result = night(&world).await;
        let (hold, eligible) = held(&result);
        assert_eq!((hold.kind, &hold.old), (HoldKind::Changed, &None));
        let why = hold.facts["incomparable"].as_str().unwrap();
        assert!(why.contains(reason), "{why}");
        assert_eq!(eligible, 2);
        approve(&world, "items").await;
        completed(&night(&world).await, 2);
    }
}

#[tokio::test]
async fn an_unreadable_hold_is_noted_anew() {
    let mut world = agreed().await;
    world.redeclare(&keep(3));
    reload(&world).await;
    ledger_file(&world).execute("UPDATE holds SET hold = 'garbage'").unwrap();
    assert_eq!(waits(&world, "items").await, None);
    assert_eq!(world.ledger().await.held_policies().await.unwrap(), []);
    held(&night(&world).await);
    assert_eq!(waits(&world, "items").await.unwrap().reasons, ["keep 30d → 3d"]);
}
