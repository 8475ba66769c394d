//! Text that comes from elsewhere, cut to what a person reads: a value or message of megabytes fills no memory and no ledger.

/// Most bytes of one such text.
pub const SHOWN_BYTES: usize = 1024;

/// Cuts a text at [`SHOWN_BYTES`], and says how long it was.
pub fn cut(text: impl Into<String>) -> String {
    cut_at(text, SHOWN_BYTES)
}

/// Cuts a text at so many bytes, at the end of a character, and says how long it was.
pub fn cut_at(text: impl Into<String>, most: usize) -> String {
    let mut text = text.into();
    let length = text.len();
    if length > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(&format!("… ({length} bytes)"));
        text.shrink_to_fit();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f30_a_long_text_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut("x".repeat(SHOWN_BYTES)), "x".repeat(SHOWN_BYTES));
        let long = cut("ä".repeat(1 << 20));
        assert_eq!(long, format!("{}… (2097152 bytes)", "ä".repeat(SHOWN_BYTES / 2)));
        assert_eq!(cut_at("aä", 2), "a… (3 bytes)");
    }
}
