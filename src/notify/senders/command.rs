//! A program of the operator's, which reads a notice on its standard input.

use std::ffi::OsStr;

use tokio_util::sync::CancellationToken;

use super::attempt::Attempt;
use crate::outcome::{Document, Notice};
use crate::policy::Hook;
use crate::process::{Ending, Program};

/// Runs it once. Any exit code but 0 is a failure.
pub(super) async fn send(to: &Hook, notice: &Notice) -> Attempt {
    // Plain data with text for keys: it always is JSON.
    let mut input = serde_json::to_vec(&Document::new(notice)).unwrap_or_default();
    input.push(b'\n');
    let command = Program {
        program: &to.program,
        arguments: to.arguments.iter().map(OsStr::new).collect(),
        variables: vec![
            ("RETAIND_EVENT", notice.event.word().to_owned()),
            ("RETAIND_STATE", notice.state.word().to_owned()),
            ("RETAIND_SUBJECT", notice.subject.to_string()),
            ("RETAIND_TITLE", notice.title.clone()),
        ],
        input: Some(input),
        timeout: to.timeout,
    };
    let end = command.run(&CancellationToken::new()).await;
    let words = end.describe(&to.program);
    if matches!(end.ending, Ending::Exited(0)) { Attempt::delivered(words) } else { Attempt::failed(words) }
}
