//! Random numbers that nobody can guess: secrets, and names that tell nothing.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// 256 random bits of the kernel.
pub fn unguessable() -> io::Result<[u8; 32]> {
    let mut random = [0; 32];
    // So few bytes come all at once.
    getrandom(&mut random, GetRandomFlags::empty())?;
    Ok(random)
}
