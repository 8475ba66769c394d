//! Configurations that are not files, too large, or wrong thousands of times: refused soon, and in few words.

use std::fmt::Write;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, Mode};

use super::{BASE, Etc};

/// Enough for what grows with the square of it to take minutes.
const MANY: usize = 5000;
/// More than an unoptimised build needs by far, and less than what grows with the square of the input.
const SOON: Duration = Duration::from_secs(15);

fn soon<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    assert!(began.elapsed() < SOON, "{what} took {:?}", began.elapsed());
    done
}

fn pipe(etc: &Etc, name: &str) {
    let path = etc.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn f39_an_irregular_fragment_is_named_in_one_error() {
    let etc = Etc::new(BASE);
    pipe(&etc, "conf.d/10-pipe.toml");
    std::os::unix::fs::symlink("/dev/zero", etc.path("conf.d/20-zero.toml")).unwrap();
    std::fs::create_dir(etc.path("conf.d/30-directory.toml")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(etc.path("conf.d/40-socket.toml")).unwrap();
    std::os::unix::fs::symlink("nowhere", etc.path("conf.d/50-nowhere.toml")).unwrap();
    let errors = soon("loading", || etc.errors());
    assert_eq!(errors.len(), 5, "{errors:#?}");
    for (error, part) in errors.iter().zip([
        "conf.d/10-pipe.toml: cannot be read: it is a pipe, not a regular file",
        "conf.d/20-zero.toml: cannot be read: it is a device, not a regular file",
        "conf.d/30-directory.toml: cannot be read: it is a directory, not a regular file",
        "conf.d/40-socket.toml: cannot be read: it is a socket or a device, not a regular file",
        "conf.d/50-nowhere.toml: cannot be read: No such file",
    ]) {
        assert!(error.starts_with(part), "{error}");
    }
}

#[test]
fn f39_main_file_and_passwords_are_regular_too() {
    let etc = Etc::new(BASE);
    std::fs::remove_file(etc.path("retaind.toml")).unwrap();
    pipe(&etc, "retaind.toml");
    assert!(soon("loading", || etc.errors())[0].contains("it is a pipe"), "{:?}", etc.errors());

    let etc = Etc::new("");
    pipe(&etc, "password");
    pipe(&etc, "credentials/db");
    let (password, credentials) = (etc.path("password"), etc.path("credentials"));
    let main = format!(
        "[sources.a]\nurl = \"postgres://u@h/d\"\npassword_file = {:?}\n\
         [sources.b]\nurl = \"postgres://u@h/d\"\npassword_credential = \"db\"\n",
        password.to_str().unwrap()
    );
    let etc = etc.with_file("retaind.toml", main).with_inputs(|inputs| inputs.credentials_dir = Some(credentials));
    let errors = soon("loading", || etc.errors());
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors[0].contains("is not a file") && errors[1].contains("it is a pipe"), "{errors:#?}");
}

#[test]
fn f39_a_file_has_a_limit() {
    let etc = Etc::new(BASE).with_file("conf.d/10-large.toml", "# comment\n".repeat(500_000));
    assert_eq!(etc.errors(), ["conf.d/10-large.toml: cannot be read: it is larger than 4096 KiB"]);
    assert_eq!(Etc::new(&format!("{BASE}{}", "# comment\n".repeat(100_000))).settings().stores.len(), 2);
}

#[test]
fn f39_of_thousands_of_errors_a_hundred_show_soon() {
    let numbered = |line: fn(usize) -> String| (0..MANY).map(line).collect::<String>();
    let cases = [
        ("unknown keys in one table", format!("{BASE}{}", numbered(|n| format!("colour{n} = 1\n")))),
        ("unknown sections", numbered(|n| format!("[section{n}]\nx = 1\n"))),
        ("policies with an unknown key", numbered(|n| format!("[policies.p{n}]\nkindd = \"rows\"\n"))),
        ("policies that lack nearly all", numbered(|n| format!("[policies.p{n}]\nkind = \"rows\"\n"))),
        (
            "stores that are not there",
            numbered(|n| format!("[policies.p{n}]\nkind = \"files\"\nstore = \"s{n}\"\nkeep = \"1d\"\n"))
                + &numbered(|n| format!("[stores.t{n}]\npath = \"/srv/{n}\"\n")),
        ),
        ("stores of one directory", numbered(|n| format!("[stores.s{n}]\npath = \"/srv/a\"\n"))),
        ("keys that are there twice", numbered(|n| format!("[stores.s{}]\npath = \"/srv/{n}\"\n", n / 2))),
        ("lines that are not TOML", "[[[ = \n".repeat(MANY)),
    ];
    for (what, main) in cases {
        let etc = Etc::new(&main);
        let wrong = soon(what, || etc.wrong());
        let shown = soon(what, || wrong.render(false));
        let json = soon(what, || serde_json::to_string(&wrong).unwrap());
        assert!(
            wrong.iter().count() <= 101 && shown.len() < 200_000 && json.len() < 200_000,
            "{what}: {}",
            shown.len()
        );
        let last = wrong.iter().last().unwrap().to_string();
        assert!(last.contains("more errors are not shown") || wrong.len() <= 100, "{what}: {last}");
    }
}

#[test]
fn f39_thousands_of_everything_are_loaded_soon() {
    let mut main = String::from(BASE);
    for n in 0..MANY {
        let _ = write!(
            main,
            "[stores.s{n}]\npath = \"/srv/s{n}\"\n[policies.p{n}]\nkind = \"files\"\nstore = \"s{n}\"\nkeep = \"1d\"\n"
        );
    }
    let fragment: String = (0..MANY).map(|n| format!("[policies.p{n}]\nkeep = \"2d\"\n")).collect();
    let etc = Etc::new(&main).with_file("conf.d/10-longer.toml", fragment);
    let settings = soon("loading", || etc.settings());
    assert_eq!((settings.stores.len(), settings.policies.len()), (MANY + 2, MANY + 1));
}
