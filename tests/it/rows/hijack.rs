//! Somebody else who may create functions and operators in a schema of the login's search path runs nothing as that
//! login, in a plan or in a run.

use std::collections::BTreeSet;

use retaind::outcome::Status;

use crate::cli::call_in;
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::{World, paths};

/// What the names of our statements, and of the operator's, would mean to a login with `public` in its path.
const TRAPS: &str = "
CREATE FUNCTION public.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked by %', current_user; END $$;
CREATE FUNCTION public.eq(varchar, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.trap()';
CREATE FUNCTION public.cat(varchar, varchar) RETURNS text LANGUAGE sql AS 'SELECT public.trap()::text';
CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT public.trap()::text';
CREATE FUNCTION public.length(varchar) RETURNS integer LANGUAGE sql AS 'SELECT public.trap()::text::integer';
CREATE FUNCTION public.substr(varchar, integer, integer) RETURNS text LANGUAGE sql AS 'SELECT public.trap()::text';
CREATE FUNCTION public.to_char(timestamptz, varchar) RETURNS text LANGUAGE sql AS 'SELECT public.trap()::text';
CREATE FUNCTION public.now(integer DEFAULT 0) RETURNS timestamptz LANGUAGE sql AS 'SELECT public.trap()::text::timestamptz';
CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.eq);
CREATE OPERATOR public.<> (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.eq);
CREATE OPERATOR public.< (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.eq);
CREATE OPERATOR public.> (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.eq);
CREATE OPERATOR public.|| (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.cat);
CREATE OPERATOR public.~~ (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.eq);
";

/// Items with keys and paths of varchar, ten old and two young; the young ones share files with old ones.
fn world() -> World {
    let world = World::new(Database::create(EngineKind::Postgres));
    world.db.execute(
        "CREATE TABLE item (id varchar(20) PRIMARY KEY, at timestamptz, kind varchar(20), thumb varchar(200), image varchar(200)); \
         CREATE TABLE hold (item_id varchar(20)); \
         CREATE TABLE part (id varchar(20) PRIMARY KEY, item_id varchar(20) REFERENCES item, image varchar(200))",
    );
    for id in 1..=12 {
        let days = if id > 10 { 1 } else { 40 };
        let image = if id == 11 { 1 } else { id };
        world.db.execute(&format!(
            "INSERT INTO item VALUES ('i{id}', now() - interval '{days}d', 'Old', NULL, 'data/{image}.png')"
        ));
        world.put("images", &format!("data/{id}.png"), 1);
    }
    world.db.execute(
        "INSERT INTO hold VALUES ('i2'); INSERT INTO part VALUES ('p', 'i12', 'data/12.png'), ('q', 'i3', NULL)",
    );
    world
}

fn admit_mallory(world: &World) {
    let mut superuser = world.db.connect_as_superuser();
    // The role belongs to the server that tests share.
    superuser
        .execute(
            "SELECT pg_advisory_lock(21); DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mallory') THEN \
             CREATE ROLE mallory LOGIN; END IF; END $$; SELECT pg_advisory_unlock(21); \
             GRANT CREATE, USAGE ON SCHEMA public TO mallory",
        )
        .unwrap();
    world.db.connect_as("mallory").execute(TRAPS).unwrap();
}

const POLICY: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
    where = \"lower(kind) = 'old' AND kind <> 'x'\"\n\
    protected_by = [{ table = \"hold\", on = \"hold.item_id = item.id\" }]\n\
    children = [{ table = \"part\", column = \"item_id\", references = \"id\", files = [{ store = \"images\", column = \"image\" }] }]\n\
    files = [{ store = \"images\", column = \"image\" }]\n";

#[tokio::test(flavor = "multi_thread")]
async fn f21_others_definitions_in_the_path_never_run() {
    needs!(Need::Server);
    let mut world = world();
    admit_mallory(&world);
    world.declare(POLICY);
    world.reference("images", "part", "image");
    world.declare(
        "[policies.nobody]\nkind = \"orphans\"\nstore = \"images\"\nkeep = \"1d\"\nmode = \"report\"\nmax_fraction = 1.0\n",
    );
    let (plan, listed) = world.plan().await;
    assert_eq!(plan.policies[0].status, Status::Completed, "{plan:?}");
    assert!(!format!("{plan:?}").contains("hijacked"), "{plan:?}");
    assert!(!listed.is_empty());
    let checked = tokio::task::block_in_place(|| call_in(&world, &["check"]));
    assert!(checked.stdout.contains("mallory may create objects in schema public"), "{checked:?}");
    assert!(!checked.stdout.contains("hijacked"), "{checked:?}");
    let run = world.run().await;
    assert!(!format!("{run:?}").contains("hijacked"), "{run:?}");
    assert_eq!(run.policies[0].status, Status::Completed, "{run:?}");
    let left: BTreeSet<String> = world.db.column("SELECT id::text FROM item").into_iter().collect();
    assert_eq!(left, paths(["i2", "i11", "i12"]));
    assert_eq!(world.files("images"), paths(["data/1.png", "data/2.png", "data/11.png", "data/12.png"]));
    let why = tokio::task::block_in_place(|| call_in(&world, &["why", "app.item", "i2"]));
    assert!(why.stdout.contains("hold") && !format!("{why:?}").contains("hijacked"), "{why:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_a_tables_owner_is_trusted_but_shadows_refused() {
    needs!(Need::Server);
    let mut world = World::new(Database::create(EngineKind::Postgres));
    let name = world.db.name().to_owned();
    world
        .db
        .connect_as_superuser()
        .execute(&format!(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'appowner') THEN CREATE ROLE appowner LOGIN; \
             END IF; END $$; CREATE SCHEMA app AUTHORIZATION appowner; ALTER DATABASE {name} SET search_path = app, public; \
             SET ROLE appowner; CREATE TABLE app.item (id int PRIMARY KEY, at timestamptz, thumb text, image text); \
             CREATE INDEX ON app.item (at); CREATE TABLE app.hold (item_id int); \
             CREATE FUNCTION app.is_old(timestamptz) RETURNS boolean LANGUAGE sql AS 'SELECT true'; \
             INSERT INTO app.item VALUES (1, now() - interval '40d'), (2, now() - interval '40d'); \
             INSERT INTO app.hold VALUES (2); GRANT USAGE ON SCHEMA app TO retaind; \
             GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO retaind"
        ))
        .unwrap();
    world.declare(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
         where = \"is_old(at) AND NOT EXISTS (SELECT 1 FROM hold WHERE hold.item_id = item.id)\"\n",
    );
    let result = world.run().await;
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    assert_eq!(world.db.column("SELECT id FROM app.item"), ["2"]);

    // A table of the same name, before the one that was meant.
    let mut shadowed = World::new(Database::create(EngineKind::Postgres));
    admit_mallory(&shadowed);
    let name = shadowed.db.name().to_owned();
    shadowed
        .db
        .execute(&format!("CREATE SCHEMA late; CREATE TABLE late.item (id int PRIMARY KEY, at timestamptz, thumb text, image text); \
             INSERT INTO late.item VALUES (1, now() - interval '40d'); ALTER DATABASE {name} SET search_path = public, late"));
    shadowed
        .db
        .connect_as("mallory")
        .execute("CREATE TABLE public.item (id int PRIMARY KEY, at timestamptz, thumb text, image text); GRANT ALL ON public.item TO retaind")
        .unwrap();
    shadowed.declare(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n",
    );
    let result = shadowed.run().await;
    assert_eq!(result.status, Some(Status::Failed), "{result:?}");
    assert!(result.policies[0].errors[0].error.contains("write it with its schema"), "{result:?}");
    // With its schema, or with a path that the operator declares, it is the one that was meant.
    shadowed.source_keys = "search_path = [\"late\"]".to_owned();
    let result = shadowed.run().await;
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    assert_eq!(shadowed.db.column("SELECT id FROM late.item"), Vec::<String>::new());
}
