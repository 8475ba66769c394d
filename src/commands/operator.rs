//! Who asks: the person behind this process, or behind the other end of a socket.

use crate::outcome::Operator;
use crate::stores::user_name;

/// Person for whom this process runs.
pub fn operator() -> Operator {
    let uid = rustix::process::getuid().as_raw();
    let sudo_user = std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty());
    Operator { uid, user: user_name(uid), sudo_user }
}

/// User that stands for all whom a sandbox hides.
const NOBODY: u32 = 65534;

/// Person behind a user, where it is known, and who it says that it asks for.
pub fn operator_of(uid: Option<u32>, on_behalf_of: Option<String>) -> Operator {
    let user = uid.and_then(user_name);
    let uid = uid.unwrap_or(NOBODY);
    let sudo_user = on_behalf_of.filter(|name| Some(name) != user.as_ref());
    Operator { uid, user, sudo_user }
}
