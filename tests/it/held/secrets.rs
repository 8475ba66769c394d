//! What the ledger remembers has no secrets in it.

use super::*;

const SECRETS: [&str; 3] = ["s3cr3t-of-the-url", "0ther-s3cr3t", "s3cr3t-of-a-file"];

/// Everything in the directory of the ledger.
fn remembered(world: &World) -> Vec<u8> {
    let files = std::fs::read_dir(world.dir.join("state")).unwrap().flatten().filter(|entry| entry.path().is_file());
    files.flat_map(|entry| std::fs::read(entry.path()).unwrap()).collect()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn passwords_are_not_remembered_and_change_nothing() {
    let mut world = agreed().await;
    let file = world.dir.join("password");
    std::fs::write(&file, SECRETS[2]).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let policy = keep(30) + "[policies.remote]\nkind = \"rows\"\nsource = \"remote\"\ntable = \"t\"\nage = \"at\"\n";
    let url = |password: &str, url: &str| {
        let keys = format!("url = \"{url}\"\nkeep = \"1d\"");
        let (source, rest) = keys.split_once('\n').unwrap();
        format!("{policy}{rest}\n[sources.remote]\n{source}\n{password}\n")
    };
    let ledger = world.ledger().await;
    let remote = Name::parse("remote").unwrap();
    let with_password = |password: &str| format!("postgres://u:{password}@db.example/d");
    let by_file = format!("password_file = \"{}\"", file.display());
    for (index, source) in [
        url("", &with_password(SECRETS[0])),
        url("", &with_password(SECRETS[1])),
        url("", "postgres://u@db.example/d"),
        url(&by_file, "postgres://u@db.example/d"),
    ]
    .iter()
    .enumerate()
    {
        world.redeclare(source);
        if index == 0 {
            approve_amount(&world, "remote", 0).await;
        }
        assert!(reload(&world).await.is_empty(), "{source}");
        let settings = world.settings();
        let policy = settings.policies.iter().find(|policy| policy.name == remote).unwrap();
        let baseline = ledger.agreed().await.unwrap().baseline(&remote).unwrap().clone();
        assert_eq!(baseline.fingerprint, Wording::of(&settings, policy).fingerprint(), "{source}");
        let bytes = remembered(&world);
        assert!(has(&bytes, "db.example"), "the words are in the ledger");
        for secret in SECRETS {
            assert!(!has(&bytes, secret), "{secret}");
        }
    }
    world.redeclare(&url("", "postgres://u:x@db.example/other"));
    let reviewed = reload(&world).await;
    assert_eq!(reviewed[0].held.reasons, ["source remote is another database"]);
}
