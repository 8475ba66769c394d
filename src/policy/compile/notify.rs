//! `[notify.NAME]`

use std::path::PathBuf;

use crate::config::raw::{Raw, RawNotify, RawWebhook};
use crate::config::{Fault, KeyPath};

use super::super::{Destination, NoticeEvent, NotifyWay, Secret, WebUrl, Webhook};
use super::Gather;
use super::value::parse_absolute;

const WAYS: &str = "write webhook = { url = \"https://…\" }, email = { … } or command = [\"/PROGRAM\"]";
const ONE_URL: &str = "keep one of url, url_credential and url_file";

impl Gather<'_> {
    pub(super) fn notify(&mut self, raw: &Raw) -> Vec<Destination> {
        self.tables("notify", &raw.notify).iter().filter_map(|(path, raw)| self.destination(path, raw)).collect()
    }

    fn destination(&mut self, table: &KeyPath, raw: &RawNotify) -> Option<Destination> {
        if self.is_full() {
            return None;
        }
        let name = self.name(table);
        let on = self.events(table, raw);
        let way = self.way(table, raw);
        Some(Destination { name: name?, on: on?, way: way?, timeout: raw.timeout.0 })
    }

    fn events(&mut self, table: &KeyPath, raw: &RawNotify) -> Option<Vec<NoticeEvent>> {
        let Some(mut on) = raw.on.clone() else {
            return (!self.is_written(table, "on")).then(|| NoticeEvent::ALL.to_vec());
        };
        if on.is_empty() {
            self.refuse_value(&table.key("on"), "nothing is notified of", "leave it out for all, or name some");
        }
        on.sort_unstable();
        on.dedup();
        Some(on)
    }

    fn way(&mut self, table: &KeyPath, raw: &RawNotify) -> Option<NotifyWay> {
        let written: Vec<_> =
            ["webhook", "email", "command"].into_iter().filter(|key| self.is_written(table, key)).collect();
        match written.as_slice() {
            [] => {
                self.refuse_key(table, "it is not said how to notify", WAYS);
                return None;
            }
            [_] => {}
            [_, second, ..] => {
                self.refuse_key(&table.key(second), "there is more than one way", "make a destination of each")
            }
        }
        if let Some(webhook) = &raw.webhook {
            return self.webhook(&table.key("webhook"), webhook).map(NotifyWay::Webhook);
        }
        if let Some(email) = &raw.email {
            return self.email(&table.key("email"), email).map(NotifyWay::Email);
        }
        let command = raw.command.as_ref()?;
        self.plain_command(&table.key("command"), command, (raw.timeout.0, WAYS)).map(NotifyWay::Command)
    }

    fn webhook(&mut self, table: &KeyPath, raw: &RawWebhook) -> Option<Webhook> {
        let places = (raw.url_credential.as_deref(), raw.url_file.as_deref());
        let url = self.web_url(table, "url", (raw.url.as_deref(), places));
        let places = (raw.secret_credential.as_deref(), raw.secret_file.as_deref());
        let (secret, no_secret) = self.given_secret(table, "secret", places);
        let places = (raw.token_credential.as_deref(), raw.token_file.as_deref());
        let (token, no_token) = self.given_secret(table, "token", places);
        if let Some(token) = &token
            && !token.expose().bytes().all(|byte| byte.is_ascii_graphic())
        {
            self.refuse_key(table, "the token has a character that no header can have", "see what the file holds");
        }
        let tls_ca = self.tls_ca(table, raw.tls_ca.as_ref());
        let url = url?;
        let lacks = url.is_none() || no_secret || no_token;
        Some(Webhook { url, format: raw.format, secret, token, tls_ca, lacks })
    }

    /// A url that is written, or a credential or file that has it; `Some(None)`: a credential that was not passed to this
    /// process.
    pub(super) fn web_url(
        &mut self,
        table: &KeyPath,
        key: &str,
        (written, places): (Option<&str>, (Option<&str>, Option<&str>)),
    ) -> Option<Option<WebUrl>> {
        let given = self.secrets(table, key, places);
        if written.is_none() && given.is_empty() {
            if !self.is_written(table, key) {
                self.refuse_key(table, format!("{key} is missing"), format!("write {key} = \"https://…\""));
            }
            return None;
        }
        let place = written.map(|_| table.key(key)).or_else(|| given.first().map(|(path, _)| path.clone()))?;
        let is_faulty = given.iter().any(|(_, read)| read.is_none());
        let written = written.map(|url| Secret::new(url.to_owned()));
        let (secret, is_lacking) = self.one_secret(("the destination", "url", ONE_URL), written, given);
        match secret {
            Some(secret) => {
                let expanded = super::url::expand(secret.expose(), |name| self.inputs.variable(name));
                let url = expanded.and_then(|url| WebUrl::parse(&url).map_err(Fault::new));
                self.check(&place, url).map(Some)
            }
            None => (is_lacking && !is_faulty).then_some(None),
        }
    }

    fn given_secret(
        &mut self,
        table: &KeyPath,
        what: &str,
        places: (Option<&str>, Option<&str>),
    ) -> (Option<Secret>, bool) {
        let given = self.secrets(table, what, places);
        let hint = format!("keep one of {what}_credential and {what}_file");
        self.one_secret(("the destination", what, &hint), None, given)
    }

    pub(super) fn tls_ca(&mut self, table: &KeyPath, written: Option<&String>) -> Option<PathBuf> {
        self.parsed(table, "tls_ca", written, parse_absolute)
    }
}
