//! Webhooks: a notice as programs take it, signed, and as ntfy, Gotify and Slack do.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::attempt::Attempt;
use super::http::{Content, post};
use crate::outcome::{Document, Notice, NoticeState};
use crate::policy::{Secret, WebUrl, Webhook, WebhookFormat};
use crate::text::hex;

/// Names the message, the same at each try.
const ID: &str = "retaind-id";
/// `t=` and the second of the try, `v1=` and HMAC-SHA256 of that, a dot and the body, in hexadecimal.
const SIGNATURE: &str = "retaind-signature";

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
        "topic": topic, "title": headline(notice), "message": notice.message, "priority": priority, "tags": [tag],
    });
    (url.at("/"), body)
}

fn gotify(url: &WebUrl, notice: &Notice) -> (WebUrl, Value) {
    let priority = if notice.state == NoticeState::Firing { 8 } else { 4 };
    let url = match url.path().trim_end_matches('/') {
        path if path.ends_with("/message") => url.clone(),
        path => url.at(&format!("{path}/message")),
    };
    (url, json!({ "title": headline(notice), "message": notice.message, "priority": priority }))
}

fn slack(notice: &Notice) -> Value {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": format!("*{}*\n{}", escaped(&headline(notice)), escaped(&notice.message)) })
}

fn headline(notice: &Notice) -> String {
    format!("{}: {}", notice.host, notice.title)
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
        ] {
            assert_eq!(gotify(&url(text), &notice()).0.exposed(), wanted);
        }
        let (at, body) = ntfy(&url("https://ntfy.example.org/ops"), &notice());
        assert_eq!((at.exposed(), &body["topic"]), ("https://ntfy.example.org/", &json!("ops")));
    }

    #[test]
    fn slack_sees_no_link_in_a_name() {
        let text = slack(&Notice { message: "<!channel> a & b".to_owned(), ..notice() })["text"].to_string();
        assert!(text.contains("&lt;!channel&gt; a &amp; b"), "{text}");
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
