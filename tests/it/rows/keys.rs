//! Keys of every type that an engine has: the walk, the statements and the children find just the rows that are due.

use retaind::outcome::Status;

use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::{World, paths};

const POLICY: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
     files = [{ store = \"images\", column = \"image\" }]\nbatch = 1\n";

/// Keys of a type: every other row is old, and goes.
async fn keys_of(kind: EngineKind, types: &[(&str, [&str; 6])]) {
    for (of, keys) in types {
        let mut world = World::new(Database::create(kind));
        let at = world.db.timestamp_type();
        world
            .db
            .execute(&format!("CREATE TABLE item (id {of} NOT NULL PRIMARY KEY, at {at} NOT NULL, image VARCHAR(50))"));
        world.db.execute(&format!("CREATE TABLE part (id INTEGER PRIMARY KEY, item_id {of})"));
        for (n, key) in keys.iter().enumerate() {
            let at = world.days_ago(if n % 2 == 0 { 40.0 } else { 1.0 });
            world.db.execute(&format!("INSERT INTO item VALUES ({key}, {at}, '{n}.png')"));
            world.db.execute(&format!("INSERT INTO part VALUES ({n}, {key})"));
            world.put("images", &format!("{n}.png"), 1);
        }
        world.references = ["image", "image"];
        let child = "children = [{ table = \"part\", column = \"item_id\", on_delete = \"delete\" }]\n";
        world.declare(&format!("{POLICY}{child}"));
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{of}: {result:?}");
        assert_eq!(plan.policies[0].tally, result.policies[0].tally, "{of}");
        assert_eq!(world.files("images"), paths(["1.png", "3.png", "5.png"]), "{of}");
        let images = world.db.column("SELECT image FROM item ORDER BY image");
        assert_eq!(images, ["1.png", "3.png", "5.png"], "{of}");
        assert_eq!(world.db.column("SELECT id FROM part ORDER BY id"), ["1", "3", "5"], "{of}");
    }
}

const UUIDS: [&str; 6] = [
    "'00000000-0000-0000-0000-000000000001'",
    "'00000000-0000-0000-0000-000000000002'",
    "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",
    "'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
    "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    "'fffffffe-ffff-ffff-ffff-ffffffffffff'",
];

#[tokio::test(flavor = "multi_thread")]
async fn g2_keys_of_many_types_of_postgres() {
    needs!(Need::Server);
    keys_of(
        EngineKind::Postgres,
        &[
            ("uuid", UUIDS),
            ("numeric", ["1", "1.5", "-2", "1e30", "1e30 + 1", "0.000000000000000001"]),
            ("char(5)", ["'a'", "'A'", "'b  '", "'c'", "''", "'abcde'"]),
            ("float8", ["0.1", "0.2", "1e300", "-0.3", "0.30000000000000004", "0.3"]),
            ("real", ["0.1", "0.2", "16777216", "-0.3", "3.4e38", "1e-40"]),
            (
                "timestamptz",
                [
                    "'2020-01-01 00:00:00.000001+00'",
                    "'2020-01-01 00:00:00.000002+00'",
                    "'infinity'",
                    "'2020-01-01'",
                    "'0044-03-15 BC'",
                    "'2021-01-01'",
                ],
            ),
            ("date", ["'2020-01-01'", "'2020-01-02'", "'0044-03-15 BC'", "'2020-01-04'", "'infinity'", "'2020-01-06'"]),
            ("inet", ["'10.0.0.1'", "'10.0.0.2'", "'10.0.0.1/8'", "'::1'", "'::2'", "'10.0.0.2/9'"]),
            ("interval", ["'1 day'", "'2 days'", "'1 mon'", "'1 mon 1 day'", "'-3 hours'", "'1 sec'"]),
            ("smallint", ["-32768", "32767", "0", "1", "2", "3"]),
            ("varchar(3)[]", ["'{a}'", "'{a,b}'", "'{}'", "'{NULL}'", "'{\"x y\"}'", "'{z}'"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_keys_of_many_types_of_mariadb() {
    needs!(Need::Server);
    keys_of(
        EngineKind::MariaDb,
        &[
            ("UUID", UUIDS),
            ("BINARY(4)", ["x'00000001'", "x'00000002'", "x'ff00'", "x'fe'", "x''", "x'41'"]),
            ("DECIMAL(30,10)", ["1", "1.5", "-2", "99999999999999999999", "99999999999999999998", "0.0000000001"]),
            ("CHAR(5)", ["'a'", "'b'", "'d'", "'c'", "''", "'abcde'"]),
            ("DOUBLE", ["0.1", "0.2", "1e300", "-0.3", "0.30000000000000004", "0.3"]),
            (
                "DATETIME(6)",
                [
                    "'2020-01-01 00:00:00.000001'",
                    "'2020-01-01 00:00:00.000002'",
                    "'1000-01-01'",
                    "'2020-01-01'",
                    "'9999-12-31'",
                    "'2021-01-01'",
                ],
            ),
            (
                "TIMESTAMP(6)",
                [
                    "'2020-01-01 00:00:00.000001'",
                    "'2020-01-01 00:00:00.000002'",
                    "'1971-01-01'",
                    "'2020-01-01'",
                    "'2037-12-31'",
                    "'2021-01-01'",
                ],
            ),
            ("TIME(3)", ["'00:00:01.5'", "'00:00:01.6'", "'-838:00:00'", "'-00:00:01'", "'838:59:59'", "'00:00:00'"]),
            (
                "BIGINT UNSIGNED",
                [
                    "18446744073709551615",
                    "18446744073709551614",
                    "0",
                    "1",
                    "9223372036854775808",
                    "9223372036854775807",
                ],
            ),
            ("ENUM('b', 'a', '3', '2', '1', '0')", ["'a'", "'b'", "'1'", "'2'", "'3'", "'0'"]),
            ("YEAR", ["2001", "2002", "2003", "2004", "2005", "2006"]),
            ("INET6", ["'::1'", "'::2'", "'::ffff:10.0.0.1'", "'::ffff:10.0.0.2'", "'fe80::1'", "'fe80::2'"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_keys_of_many_types_of_sqlite() {
    keys_of(
        EngineKind::Sqlite,
        &[
            ("BLOB", ["x'31'", "x'32'", "x'ff'", "x'3100'", "x'00'", "x''"]),
            ("REAL", ["0.1", "0.2", "1e300", "-0.3", "0.30000000000000004", "0.3"]),
            ("NUMERIC", ["'x'", "1", "9223372036854775807", "9.5", "9223372036854775806", "x'31'"]),
            ("TEXT COLLATE NOCASE", ["'a'", "'b'", "'Ä'", "'ä'", "1", "'x '"]),
        ],
    )
    .await;
}
