//! E-mail: a notice as a message of plain text, by one connection to the mail server.

use std::time::{Duration, SystemTime};

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::attempt::Attempt;
use crate::outcome::Notice;
use crate::policy::{Email, SmtpTls};
use crate::text::{chain, printable};

/// Why a message could not be made or handed over.
#[derive(Debug, thiserror::Error)]
enum MailError {
    #[error("a mailbox cannot be used")]
    Mailbox(#[from] lettre::address::AddressError),
    #[error("the message cannot be made")]
    Message(#[from] lettre::error::Error),
    #[error("the authorities of tls_ca cannot be read")]
    Authorities(#[source] std::io::Error),
    #[error("the mail server does not take it")]
    Smtp(#[from] lettre::transport::smtp::Error),
}

/// Tries to hand a notice over to the mail server.
pub(super) async fn send(to: &Email, notice: &Notice, patience: Duration) -> Attempt {
    match hand_over(to, notice, patience).await {
        Ok(answer) => Attempt::Delivered(answer),
        Err(error) if is_about_message(&error) => Attempt::Refused(chain(&error)),
        Err(error) => Attempt::failed(chain(&error)),
    }
}

/// True if the server takes mail and not this one: it is too large, or looks wrong to it.
fn is_about_message(error: &MailError) -> bool {
    let MailError::Smtp(error) = error else { return false };
    error.status().is_some_and(|code| ["552", "554"].contains(&code.to_string().as_str()))
}

async fn hand_over(to: &Email, notice: &Notice, patience: Duration) -> Result<String, MailError> {
    let message = message(to, notice)?;
    let answer = transport(to, &notice.host, patience)?.send(message).await?;
    Ok(format!("the mail server took it: {}", printable(answer.first_line().unwrap_or_default())))
}

fn message(to: &Email, notice: &Notice) -> Result<Message, MailError> {
    let host = notice.host.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'), "-");
    // What is said of one condition is one thread; an address has no blanks.
    let thread = format!("{}.{}.{}", notice.event.word(), notice.subject, notice.since.as_second()).replace(' ', ".");
    let mut builder = Message::builder()
        .from(to.from.parse()?)
        .subject(printable(&format!("{}: {}", notice.host, notice.title)).into_owned())
        .date(SystemTime::from(notice.at))
        .message_id(Some(format!("<{}@{host}>", notice.id)))
        .references(format!("<{thread}@{host}>"))
        .header(ContentType::TEXT_PLAIN)
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Retaind-Id"), notice.id.to_string()));
    for mailbox in &to.to {
        builder = builder.to(mailbox.parse::<Mailbox>()?);
    }
    Ok(builder.body(format!("{}\n", notice.message))?)
}

fn transport(to: &Email, host: &str, patience: Duration) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let tls = match to.tls {
        SmtpTls::Implicit => Tls::Wrapper(parameters(to)?),
        SmtpTls::StartTls => Tls::Required(parameters(to)?),
        SmtpTls::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&to.host)
        .port(to.port)
        .tls(tls)
        .hello_name(ClientId::Domain(host.to_owned()))
        .timeout(Some(patience));
    if let (Some(user), Some(password)) = (&to.user, &to.password) {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
    }
    Ok(builder.build())
}

fn parameters(to: &Email) -> Result<TlsParameters, MailError> {
    let mut builder = TlsParameters::builder(to.host.clone());
    if let Some(path) = &to.tls_ca {
        let pem = std::fs::read(path).map_err(MailError::Authorities)?;
        builder = builder.certificate_store(CertificateStore::None);
        for authority in pem_blocks(&pem) {
            builder = builder.add_root_certificate(Certificate::from_pem(&authority)?);
        }
    }
    Ok(builder.build_rustls()?)
}

/// The certificates of a file, each by itself.
fn pem_blocks(pem: &[u8]) -> Vec<Vec<u8>> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem);
    let blocks = text.split_inclusive(END).filter(|block| block.contains(END));
    blocks.map(|block| block.trim_start().as_bytes().to_vec()).collect()
}
