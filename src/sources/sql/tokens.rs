//! The operator's SQL as words, names and signs: read just far enough to see what a parameter is compared with.

use super::dialect::dialect;
use crate::policy::{Condition, Engine, Segment};

/// A word, name or sign of a condition, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Segment, and the place in its text.
    from: (usize, usize),
    to: (usize, usize),
}

/// Kind of a token, with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word without quotes: a keyword, a name, a number.
    Word(String),
    /// A name in quotes.
    Name(String),
    /// A text in quotes.
    Text(String),
    Sign(String),
    Open,
    Close,
    Comma,
    Dot,
    Cast,
    /// A parameter: the how many-th of the condition.
    Param(usize),
}

/// Comparison signs.
const COMPARISONS: [&str; 9] = ["<", ">", "<=", ">=", "=", "==", "<>", "!=", "<=>"];
/// Words that compare.
const COMPARING: [&str; 4] = ["between", "in", "is", "like"];
/// Words between which a comparison stands.
const PARTING: [&str; 19] = [
    "and", "or", "not", "xor", "select", "from", "where", "on", "having", "group", "order", "limit", "join", "union",
    "case", "when", "then", "else", "end",
];

impl Token {
    /// True if it is this word, in whatever case.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(text) if text.eq_ignore_ascii_case(word))
    }

    /// The parameter that it is.
    pub(crate) fn param(&self) -> Option<usize> {
        if let Kind::Param(index) = self.kind { Some(index) } else { None }
    }

    /// The name that it may be.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(name) | Kind::Name(name) => Some(name),
            Kind::Text(_) | Kind::Sign(_) | Kind::Open | Kind::Close | Kind::Comma | Kind::Dot | Kind::Cast => None,
            Kind::Param(_) => None,
        }
    }

    /// True if it compares what stands before it with what comes after it.
    pub(crate) fn compares(&self) -> bool {
        match &self.kind {
            Kind::Sign(sign) => COMPARISONS.contains(&sign.trim_end_matches(['-', '+'])),
            Kind::Word(word) => COMPARING.iter().any(|comparing| word.eq_ignore_ascii_case(comparing)),
            Kind::Name(_) | Kind::Text(_) | Kind::Open | Kind::Close | Kind::Comma | Kind::Dot | Kind::Cast => false,
            Kind::Param(_) => false,
        }
    }
}

/// True if the token at a place parts comparisons: not the NOT of `NOT IN`, nor the FROM of `IS DISTINCT FROM`.
fn parts(tokens: &[Token], at: usize) -> bool {
    let is_one_of = |at: Option<usize>, words: &[&str]| {
        let token = at.and_then(|at| tokens.get(at));
        token.is_some_and(|token| words.iter().any(|word| token.is_word(word)))
    };
    let token = &tokens[at];
    let belongs = (token.is_word("not")
        && is_one_of(Some(at + 1), &["between", "in", "like", "null", "true", "false", "distinct"]))
        || (token.is_word("from") && is_one_of(at.checked_sub(1), &["distinct"]));
    !belongs && (token.kind == Kind::Comma || PARTING.iter().any(|word| token.is_word(word)))
}

/// The tokens of a condition.
pub(crate) fn tokens(condition: &Condition, engine: Engine) -> Vec<Token> {
    let (mut tokens, mut params) = (Vec::new(), 0);
    for (index, segment) in condition.segments().iter().enumerate() {
        let mut whole = |kind, len| tokens.push(Token { kind, from: (index, 0), to: (index, len) });
        match segment {
            Segment::Sql(text) => of_text(text, index, &mut tokens),
            Segment::DoubleQuoted(text) if dialect(engine).traits().double_quotes_texts => {
                whole(Kind::Text(text.clone()), text.len())
            }
            Segment::DoubleQuoted(name) => whole(Kind::Name(name.clone()), name.len()),
            Segment::Param(_) => {
                whole(Kind::Param(params), 0);
                params += 1;
            }
        }
    }
    tokens
}

fn of_text(text: &str, index: usize, tokens: &mut Vec<Token>) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let is_sign = |c: char| "<>=!~@|&^%*/+-".contains(c);
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        // Up to and with the next one of these after the first letter.
        let until = |close: char| {
            rest[first.len_utf8()..].find(close).map_or(rest.len(), |end| first.len_utf8() + end + close.len_utf8())
        };
        let inside = |len: usize| rest[..len].trim_matches(['\'', '`', '[', ']']).to_owned();
        let (kind, len) = match first {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '\'' => (Kind::Text(inside(until('\''))), until('\'')),
            '`' => (Kind::Name(inside(until('`'))), until('`')),
            '[' => (Kind::Name(inside(until(']'))), until(']')),
            '$' => {
                let tag = &rest[..until('$')];
                let len = rest[tag.len()..].find(tag).map_or(rest.len(), |end| 2 * tag.len() + end);
                (Kind::Text(String::new()), len)
            }
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            ',' => (Kind::Comma, 1),
            '.' => (Kind::Dot, 1),
            ':' if rest.starts_with("::") => (Kind::Cast, 2),
            c if is_word(c) => {
                let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                (Kind::Word(rest[..len].to_owned()), len)
            }
            c if is_sign(c) => {
                let len = rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
                (Kind::Sign(rest[..len].to_owned()), len)
            }
            other => (Kind::Sign(other.to_string()), other.len_utf8()),
        };
        tokens.push(Token { kind, from: (index, at), to: (index, at + len) });
        at += len;
    }
}

/// The condition that some neighbouring tokens are.
pub(crate) fn slice(condition: &Condition, tokens: &[Token]) -> Condition {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return condition.clone() };
    let (from, to) = (first.from, last.to);
    let segments = condition.segments().iter().enumerate().filter_map(|(index, segment)| {
        if index < from.0 || index > to.0 {
            return None;
        }
        let Segment::Sql(text) = segment else { return Some(segment.clone()) };
        let start = if index == from.0 { from.1 } else { 0 };
        let end = if index == to.0 { to.1 } else { text.len() };
        Some(Segment::Sql(text[start..end].to_owned()))
    });
    Condition::of(segments.collect())
}

/// A comparison that a parameter is part of.
pub(crate) struct Piece {
    pub(crate) range: std::ops::Range<usize>,
    /// The parentheses of the innermost subquery that it is in: where their content is.
    pub(crate) subquery: Option<std::ops::Range<usize>>,
}

/// The comparison that the token at `place` is part of: from the innermost parentheses outwards, the first piece between
/// AND, OR and their like that compares anything.
pub(crate) fn piece_around(tokens: &[Token], place: usize) -> Piece {
    let groups = groups_around(tokens, place);
    let mut outermost = 0..tokens.len();
    for group in &groups {
        let piece = part_of(tokens, group, place);
        let compares = top_level(tokens, &piece).any(|at| tokens[at].compares());
        if compares {
            let is_query = |group: &&std::ops::Range<usize>| {
                group.start <= piece.start && tokens.get(group.start).is_some_and(|first| first.is_word("select"))
            };
            let subquery = groups.iter().find(is_query).cloned();
            return Piece { range: piece, subquery };
        }
        outermost = piece;
    }
    Piece { range: outermost, subquery: None }
}

/// The ranges between the parentheses around a token, the innermost first; at last everything.
fn groups_around(tokens: &[Token], place: usize) -> Vec<std::ops::Range<usize>> {
    let (mut open, mut groups) = (Vec::new(), Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        if token.kind == Kind::Open {
            open.push(at);
        } else if token.kind == Kind::Close
            && let Some(from) = open.pop()
            && from < place
            && place < at
        {
            groups.push(from + 1..at);
        }
    }
    groups.push(0..tokens.len());
    groups
}

/// The places of a range that are in no parentheses within it.
fn top_level<'a>(tokens: &'a [Token], range: &std::ops::Range<usize>) -> impl Iterator<Item = usize> + 'a {
    let mut depth = 0_usize;
    range.clone().filter(move |at| {
        let kind = &tokens[*at].kind;
        depth += usize::from(*kind == Kind::Open);
        let is_outside = depth == 0;
        depth = depth.saturating_sub(usize::from(*kind == Kind::Close));
        is_outside
    })
}

/// The part of a group, between words that part comparisons, that a token is in.
fn part_of(tokens: &[Token], group: &std::ops::Range<usize>, place: usize) -> std::ops::Range<usize> {
    let (mut from, mut between) = (group.start, false);
    for at in top_level(tokens, group) {
        let token = &tokens[at];
        if token.is_word("between") {
            between = true;
        } else if token.is_word("and") && between {
            between = false;
        } else if parts(tokens, at) {
            if at > place {
                return from..at;
            }
            (from, between) = (at + 1, false);
        }
    }
    from..group.end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The comparison around each parameter.
    fn pieces(text: &str) -> Vec<String> {
        let condition = Condition::parse(text).unwrap();
        let tokens = tokens(&condition, Engine::Sqlite);
        let places = tokens.iter().enumerate().filter(|(_, token)| matches!(token.kind, Kind::Param(_)));
        let slices = places.map(|(at, _)| slice(&condition, &tokens[piece_around(&tokens, at).range]).to_string());
        slices.collect()
    }

    #[test]
    fn a_parameter_is_seen_with_its_whole_comparison() {
        for (text, expected) in [
            ("clock < :cutoff", &["clock < :cutoff"][..]),
            ("a = 1 AND clock < :cutoff OR b", &["clock < :cutoff"]),
            ("a < :cutoff AND (b IS NULL OR :now > b)", &["a < :cutoff", ":now > b"]),
            ("a BETWEEN :now_minus_2d AND :now AND c", &["a BETWEEN :now_minus_2d AND :now"; 2]),
            ("COALESCE(a, b) < datetime(:now, '-1 day') AND x", &["COALESCE(a, b) < datetime(:now, '-1 day')"]),
            ("EXISTS (SELECT 1 FROM s WHERE s.i = i.i AND s.\"at\" > :cutoff_ms)", &["s.\"at\" > :cutoff_ms"]),
            ("NOT (x = ')' AND a<:now)", &["a<:now"]),
            ("CASE WHEN a < :now THEN 1 ELSE 0 END = 1", &["a < :now"]),
            ("a NOT BETWEEN :now_minus_2d AND :now", &["a NOT BETWEEN :now_minus_2d AND :now"; 2]),
            ("x AND a IS DISTINCT FROM :now", &["a IS DISTINCT FROM :now"]),
            ("is_old(clock, :now)", &["is_old(clock, :now)"]),
            ("a IN (1, :now_unix)", &["a IN (1, :now_unix)"]),
        ] {
            assert_eq!(pieces(text), expected, "{text}");
        }
    }

    #[test]
    fn a_subquery_is_found_by_its_parentheses() {
        let condition = Condition::parse("a = 1 AND EXISTS (SELECT 1 FROM s WHERE (s.at > :now))").unwrap();
        let tokens = tokens(&condition, Engine::Postgres);
        let place = tokens.iter().position(|token| token.kind == Kind::Param(0)).unwrap();
        let subquery = piece_around(&tokens, place).subquery.unwrap();
        assert!(tokens[subquery.start].is_word("select") && tokens[subquery.end].kind == Kind::Close);
    }
}
