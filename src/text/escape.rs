//! Makes text from a database or a file system safe to show; refuses to let it move a cursor, colour or reorder a line.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every character escaped that a terminal would act upon or a reader could not see: control characters,
/// escape sequences, line ends, direction marks, zero-width characters. A backslash is doubled, so that no two texts
/// look alike.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(must_escape) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c if must_escape(c) && (c as u32) < 0x80 => push(&mut escaped, format_args!("\\x{:02x}", c as u32)),
            c if must_escape(c) => push(&mut escaped, format_args!("\\u{{{:x}}}", c as u32)),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

fn must_escape(c: char) -> bool {
    c == '\\' || c.is_control() || is_unseen(c)
}

/// Characters that reorder, join or hide their neighbours, or show as nothing at all.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn push(text: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(piece);
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_plain_text_is_left_alone() {
        for plain in ["2024/01/a b.jpg", "Grüße.jpg", "写真.jpg", "😀.png", "replacement \u{fffd}"] {
            assert_eq!(printable(plain), plain);
        }
    }

    #[test]
    fn what_a_terminal_would_act_upon_is_escaped() {
        for (hostile, shown) in [
            ("\u{1b}[31mred", "\\x1b[31mred"),
            ("a\nb\rc\td", "a\\nb\\rc\\td"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("a\u{2066}b\u{200b}", "a\\u{2066}b\\u{200b}"),
            ("line\u{2028}end", "line\\u{2028}end"),
            ("a\\nb", "a\\\\nb"),
            ("\u{7f}\0", "\\x7f\\x00"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
        ] {
            assert_eq!(printable(hostile), shown);
        }
    }
}
