//! Who asks: the person behind this process, or behind the other end of a socket.

use crate::outcome::Operator;
use crate::stores::user_name;

/// Person for whom this process runs.
pub fn operator() -> Operator {
    let uid = rustix::process::getuid().as_raw();
    let sudo_user = std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty());
    Operator { uid, user: user_name(uid), sudo_user, remote: None }
}

/// Person behind a user, and who it says that it asks for. Where the sandbox hides the user, its word is all there is.
pub fn operator_of(uid: Option<u32>, on_behalf_of: Option<String>) -> Operator {
    let Some(uid) = uid else {
        return Operator { uid: Operator::NOBODY, user: on_behalf_of, sudo_user: None, remote: None };
    };
    let user = user_name(uid);
    let sudo_user = on_behalf_of.filter(|name| Some(name) != user.as_ref());
    Operator { uid, user, sudo_user, remote: None }
}
