//! Passwords from systemd credentials and files. Says what is wrong with them, never what is in them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::{Fault, Inputs, read_regular};

use super::super::Secret;
use super::value::parse_absolute;

/// Longer than any password, short enough to read a wrong file without harm.
const LONGEST_BYTES: u64 = 64 * 1024;

/// Reads the credential `name` from systemd's directory; none where it was not passed to this process, and only the service
/// has to have it.
pub(super) fn read_credential(inputs: &Inputs, name: &str) -> Result<Option<Secret>, Fault> {
    // The name is not repeated: a password may have been put in its place.
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(Fault::new("this is not the name of a credential").hint("a name has no '/' and begins with no dot"));
    }
    let path = inputs.credentials_dir.as_ref().map(|directory| directory.join(name));
    match path.filter(|path| path.exists()) {
        Some(path) => read_first_line(&path, "the credential").map(Some),
        None if !inputs.in_service => Ok(None),
        None => {
            let why = match &inputs.credentials_dir {
                Some(_) => "there is no credential of that name",
                None => "no credentials were passed to this process ($CREDENTIALS_DIRECTORY is not set)",
            };
            Err(Fault::new(why).hint("add LoadCredential=NAME:/PATH/OF/FILE to the unit with `systemctl edit retaind`"))
        }
    }
}

/// Reads a password file that others may not read.
pub(super) fn read_file(text: &str) -> Result<Secret, Fault> {
    let path = parse_absolute(text)?;
    let shown = path.display();
    let metadata = std::fs::metadata(&path).map_err(|error| Fault::new(format!("{shown} cannot be read: {error}")))?;
    if !metadata.is_file() {
        return Err(Fault::new(format!("{shown} is not a file")));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(Fault::new(format!("{shown} is open to every user (mode {mode:04o})"))
            .hint(format!("chmod o= {shown}, and let retaind's group read it")));
    }
    read_first_line(&path, &shown.to_string())
}

fn read_first_line(path: &Path, what: &str) -> Result<Secret, Fault> {
    let bytes = read_regular(path, LONGEST_BYTES)
        .map_err(|error| Fault::new(format!("{what} cannot be read as a password: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Fault::new(format!("{what} is not UTF-8 text")))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(Fault::new(format!("{what} is empty")));
    }
    if password.contains(['\n', '\0']) {
        return Err(Fault::new(format!("{what} has more than one line")).hint("the file holds the password alone"));
    }
    Ok(Secret::new(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(directory: &Path, name: &str, content: &[u8], mode: u32) -> String {
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o640, 0o400] {
            let path = file(directory.path(), "ok", b"s3cret\n", mode);
            assert_eq!(read_file(&path).unwrap().expose(), "s3cret");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        for mode in [0o644, 0o604, 0o602, 0o666] {
            let path = file(directory.path(), "open", b"s3cret\n", mode);
            let fault = read_file(&path).unwrap_err();
            assert!(fault.message.contains("open to every user"), "{fault:?}");
            assert!(!format!("{fault:?}").contains("s3cret"));
        }
    }

    #[test]
    fn a_password_is_one_line_of_text() {
        let directory = tempfile::tempdir().unwrap();
        for (content, wanted) in
            [(b"a b\r\n".as_slice(), Some("a b")), (b" x ", Some(" x ")), (b"", None), (b"\n", None)]
        {
            let path = file(directory.path(), "p", content, 0o600);
            assert_eq!(read_file(&path).ok().as_ref().map(Secret::expose), wanted);
        }
        for content in [b"a\nb\n".as_slice(), b"\xff", b"a\0b"] {
            assert!(read_file(&file(directory.path(), "p", content, 0o600)).is_err());
        }
        assert!(read_file(&file(directory.path(), "p", &[b'x'; 70_000], 0o600)).is_err());
        assert!(read_file(directory.path().to_str().unwrap()).unwrap_err().message.contains("is not a file"));
        assert!(read_file("relative").is_err());
    }

    #[test]
    fn credentials_are_names_not_paths() {
        let directory = tempfile::tempdir().unwrap();
        file(directory.path(), "nvr-db", b"s3cret\n", 0o400);
        let passed = Inputs { credentials_dir: Some(directory.path().to_owned()), ..Inputs::default() };
        assert_eq!(read_credential(&passed, "nvr-db").unwrap().unwrap().expose(), "s3cret");
        for name in ["", "..", "../nvr-db", "/etc/passwd"] {
            assert!(read_credential(&passed, name).is_err(), "{name}");
        }
        for inputs in [passed, Inputs::default()] {
            assert_eq!(read_credential(&inputs, "other").unwrap(), None);
            assert!(
                read_credential(&inputs.of_service(), "other").unwrap_err().hint.unwrap().contains("LoadCredential")
            );
        }
    }
}
