//! The dashboard: what its pages show and to whom, and what a browser does with them.

mod driven;
mod forms;
mod login;
mod pages;
mod pictures;
mod planned;
mod seen;

use super::*;
use crate::browser::Browser;

/// A visit of a page over plain HTTP, with the cookie of a log-in.
struct Visit<'a> {
    served: &'a Served,
    cookie: String,
}

impl Served {
    /// Asks for a page as whoever has this cookie; without one for an empty text.
    fn page(&self, cookie: &str, path: &str) -> Reply {
        let (host, cookie) = (self.host(), format!("Cookie: {cookie}"));
        self.send("GET", path, &[&host, &cookie, "Accept: text/html"], "")
    }

    /// Sends a form as whoever has this cookie.
    fn form(&self, cookie: &str, path: &str, fields: &str) -> Reply {
        let (host, cookie) = (self.host(), format!("Cookie: {cookie}"));
        let head = [&host, &cookie, "Content-Type: application/x-www-form-urlencoded"];
        self.send("POST", path, &head, fields)
    }

    /// Logs in with a token.
    fn visit(&self, token: &str) -> Visit<'_> {
        let reply = self.form("", "/login", &format!("token={token}"));
        assert_eq!(reply.status, 303, "{}", reply.body);
        Visit { served: self, cookie: cookie_of(&reply) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Visit<'_> {
    fn get(&self, path: &str) -> Reply {
        self.served.page(&self.cookie, path)
    }

    /// Text of a page that is there.
    fn read(&self, path: &str) -> String {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.body.as_str().unwrap().to_owned()
    }

    /// Sends a form with the word that the pages have.
    fn post(&self, path: &str, fields: &str) -> Reply {
        let word = form_word(&self.read("/"));
        self.served.form(&self.cookie, path, &format!("form_word={word}&{fields}"))
    }
}

impl Visit<'_> {
    /// Waits until a run has ended; its page.
    fn ended(&self, path: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page = self.read(path);
            if page.contains("data-ended") {
                return page;
            }
            assert!(Instant::now() < deadline, "{page}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes a dry run to its end; the path of its page.
    fn plan(&self, names: &str) -> String {
        let reply = self.post("/runs", &format!("names={names}&mode=plan"));
        assert_eq!(reply.status, 303, "{}", reply.body);
        let path = header_of(&reply, "location").unwrap().to_owned();
        self.ended(&path);
        path
    }
}

/// The cookie that an answer sets, without its attributes.
fn cookie_of(reply: &Reply) -> String {
    header_of(reply, "set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn header_of<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The word in the forms of a page.
fn form_word(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"form_word\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Logs in through the form of the page.
fn log_in(browser: &mut Browser, served: &Served, token: &str) {
    browser.open(&served.url("/"));
    browser.until("document.activeElement.id === 'token'");
    browser.type_text(token);
    browser.click("Log in");
    browser.until("location.pathname === '/'");
}

/// A text that does something where it is taken for markup.
const HOSTILE: &str = "<img src=x onerror=document.title='taken'>";

/// A daemon with a policy `items` that is held, because it keeps 3 days and no longer 30, by which a row of 10 days would go;
/// and the id of a run of the policy `pictures` with an error.
fn held() -> (Served, String) {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    declare(&mut world, "every = \"20d\"");
    world.declare(
        "[server]\nlisten = \"127.0.0.1:0\"\nrate_limit = \"none\"\n[policies.pictures]\nkind = \"rows\"\nsource = \"app\"\n\
         table = \"item\"\nage = \"at\"\nkeep = \"29d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]\n",
    );
    world.item(1, 40.0, Some(&format!("../{HOSTILE}")), None);
    world.item(2, 10.0, None, None);
    let mut served = Served::start_in(world);
    let run = |names: &str, status: &str| {
        let run = served.post(&served.operator, "/run?wait=20s", json!({ "names": [names] }));
        assert_eq!((run.status, &run.body["status"]), (200, &json!(status)), "{}", run.body);
        run.body["run_id"].as_str().unwrap().to_owned()
    };
    let with_error = run("policy:pictures", "completed_with_errors");
    run("policy:items", "completed");
    edit(&served.world, "keep = \"30d\"", "keep = \"3d\"");
    served.reload();
    assert_eq!(served.left(), ["2"]);
    (served, with_error)
}
