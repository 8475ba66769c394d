//! E-mail: a notice as a message of plain text, by one connection to the mail server.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use tokio::time::timeout;

use super::attempt::Attempt;
use super::headline::headline;
use super::smtp::{Handed, SmtpError, hand_over};
use crate::outcome::Notice;
use crate::policy::Email;
use crate::text::{chain, cut_at, printable};

/// Bytes of a mail's text at most.
const TEXT_BYTES: usize = 64 << 10;

/// Why a message could not be made or handed over.
#[derive(Debug, thiserror::Error)]
enum MailError {
    #[error("a mailbox cannot be used")]
    Mailbox(#[from] lettre::address::AddressError),
    #[error("the message cannot be made")]
    Message(#[from] lettre::error::Error),
    #[error(transparent)]
    Smtp(#[from] SmtpError),
}

/// Tries to hand a notice over to the mail server.
pub(super) async fn send(to: &Email, notice: &Notice, patience: Duration) -> Attempt {
    let tried = timeout(patience, make_and_hand_over(to, notice)).await;
    match tried {
        Ok(Ok(handed)) => note_handed(to, handed),
        Ok(Err(MailError::Smtp(error))) if error.is_about_message() => Attempt::refused(chain(&error)),
        Ok(Err(error)) => Attempt::failed(chain(&error)),
        Err(_) => Attempt::timed_out(patience),
    }
}

async fn make_and_hand_over(to: &Email, notice: &Notice) -> Result<Handed, MailError> {
    let message = message(to, notice)?;
    Ok(hand_over(to, &notice.host, &message).await?)
}

/// It is delivered for those whom the server takes it for; the journal has the others, who hear of nothing.
fn note_handed(to: &Email, handed: Handed) -> Attempt {
    if handed.refused.is_empty() {
        return Attempt::delivered(format!("the mail server took it: {}", handed.answer));
    }
    let attempt = Attempt::delivered(format!("the mail server took it, but not for {}", handed.refused));
    if let Attempt::Delivered(words) = &attempt {
        tracing::warn!(server = to.host, "A notification goes not to everybody by {}: {words}", to.host);
    }
    attempt
}

fn message(to: &Email, notice: &Notice) -> Result<Message, MailError> {
    let host = notice.host.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'), "-");
    // What is said of one condition is one thread; an address has no blanks.
    let thread = format!("{}.{}.{}", notice.event.word(), notice.subject, notice.since.as_second()).replace(' ', ".");
    let mut builder = Message::builder()
        .from(to.from.parse()?)
        .subject(printable(&headline(notice)).into_owned())
        .date(SystemTime::from(notice.at))
        .message_id(Some(format!("<{}@{host}>", notice.id)))
        .references(format!("<{thread}@{host}>"))
        .header(ContentType::TEXT_PLAIN)
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Retaind-Id"), notice.id.to_string()));
    for mailbox in &to.to {
        builder = builder.to(mailbox.parse::<Mailbox>()?);
    }
    Ok(builder.body(format!("{}\n", cut_at(&notice.message, TEXT_BYTES)))?)
}
