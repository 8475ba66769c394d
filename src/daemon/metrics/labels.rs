//! Labels of numbers.

use prometheus_client::encoding::EncodeLabelSet;

use crate::policy::Name;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfPolicy {
    pub(super) policy: String,
}

impl OfPolicy {
    pub(super) fn of(policy: &Name) -> Self {
        Self { policy: policy.to_string() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfSource {
    pub(super) source: String,
}

impl OfSource {
    pub(super) fn of(source: &Name) -> Self {
        Self { source: source.to_string() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfPolicyAndKind {
    pub(super) policy: String,
    pub(super) kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfTask {
    pub(super) task: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfTaskAndStatus {
    pub(super) task: String,
    pub(super) status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfPolicyAndStatus {
    pub(super) policy: String,
    pub(super) status: &'static str,
}
