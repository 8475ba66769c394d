//! `ping` of a task: from one url, as healthchecks.io has it, or from one for each occasion.

use crate::config::raw::RawPing;
use crate::config::values::OrTable;
use crate::config::{Fault, KeyPath};

use super::super::{Ping, WebUrl};
use super::{Gather, url};

impl Gather<'_> {
    pub(super) fn ping(&mut self, table: &KeyPath, raw: &OrTable<String, RawPing>) -> Option<Ping> {
        let raw = match raw {
            OrTable::Plain(text) => {
                let base = self.check(table, self.parse_web_url(text))?;
                return Some(of_base(Some(&base), [const { None }; 3], false));
            }
            OrTable::Table(raw) => raw,
        };
        let places = (raw.url_credential.as_deref(), raw.url_file.as_deref());
        let is_based = raw.url.is_some() || places != (None, None);
        let base = if is_based { Some(self.web_url(table, "url", (raw.url.as_deref(), places))?) } else { None };
        let written = [("start", &raw.start), ("success", &raw.success), ("failure", &raw.failure)];
        let urls = written.map(|(key, text)| self.one_occasion(table, key, text.as_deref()));
        if !is_based && urls.iter().all(|url| !matches!(url, Some(Some(_)))) {
            self.refuse_key(table, "no url is pinged", "write ping = \"https://…\"");
            return None;
        }
        let lacks = matches!(base, Some(None));
        Some(of_base(base.flatten().as_ref(), urls, lacks))
    }

    /// The url of one occasion, where it has one of its own; `Some(None)`: it has none at all.
    fn one_occasion(&mut self, table: &KeyPath, key: &str, text: Option<&str>) -> Option<Option<WebUrl>> {
        match text? {
            "" => Some(None),
            text => self.check(&table.key(key), self.parse_web_url(text)).map(Some),
        }
    }

    fn parse_web_url(&self, text: &str) -> Result<WebUrl, Fault> {
        let expanded = url::expand(text, |name| self.inputs.variable(name))?;
        WebUrl::parse(&expanded).map_err(Fault::new)
    }
}

fn of_base(base: Option<&WebUrl>, [start, success, failure]: [Option<Option<WebUrl>>; 3], lacks: bool) -> Ping {
    Ping {
        start: start.unwrap_or_else(|| base.map(|base| base.with_suffix("/start"))),
        success: success.unwrap_or_else(|| base.cloned()),
        failure: failure.unwrap_or_else(|| base.map(|base| base.with_suffix("/fail"))),
        lacks,
    }
}
