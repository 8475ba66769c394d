//! Webhooks: a notice as programs take it, signed, and as ntfy, Gotify and Slack do.

use std::borrow::Cow;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::attempt::Attempt;
use super::headline::headline;
use super::http::{Content, post};
use crate::outcome::{Document, Notice, NoticeState};
use crate::policy::{Secret, WebUrl, Webhook, WebhookFormat};
use crate::text::{cut_at, hex};

/// Names the message, the same at each try.
const ID: &str = "retaind-id";
/// `t=` and the second of the try, `v1=` and HMAC-SHA256 of that, a dot and the body, in hexadecimal.
const SIGNATURE: &str = "retaind-signature";
/// UTF-16 units of a text at most; Discord takes 2000.
const SLACK_UNITS: usize = 1900;
/// Bytes of a message at most; ntfy makes a file of one above 4096.
const NTFY_BYTES: usize = 3500;
const GOTIFY_BYTES: usize = 8 << 10;

/// Tries to send a notice.
pub(super) async fn send(to: &Webhook, notice: &Notice, now: Timestamp) -> Attempt {
    let Some(url) = &to.url else { return Attempt::failed("its url was not passed to this process") };
    let (url, body) = match to.format {
        // Plain data with text for keys: it always is JSON.
        WebhookFormat::Json => (url.clone(), serde_json::to_value(Document::new(notice)).unwrap_or_default()),
        WebhookFormat::Ntfy => ntfy(url, notice),
        WebhookFormat::Gotify => gotify(url, notice),
        WebhookFormat::Slack => (url.clone(), slack(notice)),
    };
    let body = body.to_string().into_bytes();
    let mut headers = vec![(ID, notice.id.to_string())];
    headers.extend(to.token.as_ref().map(|token| match to.format {
        WebhookFormat::Gotify => ("x-gotify-key", token.expose().to_owned()),
        WebhookFormat::Json | WebhookFormat::Ntfy | WebhookFormat::Slack => {
            ("authorization", format!("Bearer {}", token.expose()))
        }
    }));
    headers.extend(to.secret.as_ref().map(|secret| (SIGNATURE, signature(secret, now, &body))));
    post(&url, to.tls_ca.as_deref(), Content { content_type: "application/json", headers, body }, now).await
}

fn signature(secret: &Secret, now: Timestamp, body: &[u8]) -> String {
    let at = now.as_second();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        unreachable!("HMAC takes a key of any length")
    };
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    format!("t={at},v1={}", hex(&mac.finalize().into_bytes()))
}

/// ntfy takes JSON at its root; the topic is the path of the url.
fn ntfy(url: &WebUrl, notice: &Notice) -> (WebUrl, Value) {
    let topic = url.path().trim_matches('/');
    let (priority, tag) = match notice.state {
        NoticeState::Firing => (4, "rotating_light"),
        NoticeState::Resolved | NoticeState::Test => (3, "white_check_mark"),
    };
    let body = json!({
        "topic": topic, "title": headline(notice), "message": cut_at(&notice.message, NTFY_BYTES), "priority": priority,
        "tags": [tag],
    });
    (url.at("/"), body)
}

fn gotify(url: &WebUrl, notice: &Notice) -> (WebUrl, Value) {
    let priority = if notice.state == NoticeState::Firing { 8 } else { 4 };
    let url = match url.path().trim_end_matches('/') {
        path if path.ends_with("/message") => url.clone(),
        path => url.at(&format!("{path}/message")),
    };
    let message = cut_at(&notice.message, GOTIFY_BYTES);
    (url, json!({ "title": headline(notice), "message": message, "priority": priority }))
}

fn slack(notice: &Notice) -> Value {
    let mut text = format!("*{}*\n", inert(&headline(notice), SLACK_UNITS / 2));
    let left = SLACK_UNITS - text.encode_utf16().count();
    text.push_str(&inert(&notice.message, left));
    json!({ "text": text })
}

/// Text in which nothing is a link, a mention or a mark of Slack or of Markdown, cut at so many UTF-16 units.
fn inert(text: &str, most: usize) -> String {
    let mut made = String::new();
    let mut units = 0;
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_within = before.is_alphanumeric() && rest.peek().is_some_and(|after| after.is_alphanumeric());
        let piece = inert_char(c, is_within);
        units += piece.encode_utf16().count();
        if units >= most {
            made.push('…');
            break;
        }
        made.push_str(&piece);
        before = c;
    }
    made
}

/// A character as none of them acts upon it. Only Slack knows a way to escape: for Markdown there are look-alikes.
fn inert_char(c: char, is_within_word: bool) -> Cow<'static, str> {
    Cow::Borrowed(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '@' => "@\u{200b}",
        '[' => "\u{ff3b}",
        ']' => "\u{ff3d}",
        '*' => "\u{2217}",
        '~' => "\u{223c}",
        '`' => "\u{2cb}",
        // Within a word it is no mark, and names are copied.
        '_' if !is_within_word => "\u{ff3f}",
        c => return Cow::Owned(c.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_time_and_body() {
        // printf '1760000000.{}' | openssl dgst -sha256 -hmac s3cret
        let at = Timestamp::from_second(1_760_000_000).unwrap();
        let made = signature(&Secret::new("s3cret".to_owned()), at, b"{}");
        assert_eq!(made, "t=1760000000,v1=d0b4d7fb87731e3f7f8988f35744899a6ae0ca6a594a077d2e4a270384cf922a");
    }

    #[test]
    fn a_preset_finds_its_place_at_the_server() {
        let url = |text: &str| WebUrl::parse(text).unwrap();
        for (text, wanted) in [
            ("https://push.example.org/", "https://push.example.org/message"),
            ("https://push.example.org", "https://push.example.org/message"),
            ("https://example.org/gotify/message?token=x", "https://example.org/gotify/message?token=x"),
            ("https://example.org/gotify/", "https://example.org/gotify/message"),
            ("https://example.org/gotify?token=x", "https://example.org/gotify/message?token=x"),
        ] {
            assert_eq!(gotify(&url(text), &notice()).0.exposed(), wanted);
        }
        let (at, body) = ntfy(&url("https://ntfy.example.org/ops?auth=x"), &notice());
        assert_eq!((at.exposed(), &body["topic"]), ("https://ntfy.example.org/?auth=x", &json!("ops")));
    }

    #[test]
    fn slack_sees_no_link_in_a_name() {
        for (text, shown) in [
            ("<!channel> a & b", "&lt;!channel&gt; a &amp; b"),
            ("@here", "@\u{200b}here"),
            ("[a](https://b)", "\u{ff3b}a\u{ff3d}(https://b)"),
            ("*a* `b` ~c~", "\u{2217}a\u{2217} \u{2cb}b\u{2cb} \u{223c}c\u{223c}"),
            ("_a_ max_rows", "\u{ff3f}a\u{ff3f} max_rows"),
        ] {
            assert_eq!(inert(text, 100), shown);
        }
    }

    #[test]
    fn a_long_message_is_cut_for_each_format() {
        let url = WebUrl::parse("https://h/ops").unwrap();
        let long = Notice { title: "&😀".repeat(9000), message: "&😀".repeat(90_000), ..notice() };
        let length = |body: &Value, key: &str| body[key].as_str().unwrap().len();
        let slack = slack(&long);
        let units = slack["text"].as_str().unwrap().encode_utf16().count();
        assert!((SLACK_UNITS - 10..=SLACK_UNITS).contains(&units), "{units}");
        for (body, most) in [(ntfy(&url, &long).1, NTFY_BYTES), (gotify(&url, &long).1, GOTIFY_BYTES)] {
            assert!((most - 50..most + 50).contains(&length(&body, "message")), "{body}");
            assert!(length(&body, "title") < 300, "{body}");
        }
    }

    fn notice() -> Notice {
        use crate::outcome::{NoticeSubject, RunId};
        use crate::policy::NoticeEvent;
        Notice {
            id: RunId::nil(),
            event: NoticeEvent::Overdue,
            state: NoticeState::Firing,
            subject: NoticeSubject::daemon(),
            since: Timestamp::UNIX_EPOCH,
            at: Timestamp::UNIX_EPOCH,
            host: "nas".to_owned(),
            title: String::new(),
            message: String::new(),
            command: String::new(),
            run_id: None,
            policies: Vec::new(),
        }
    }
}
