//! Values that a command gives to the parameters of its policies: nothing missing, nothing unknown, each of its type.
//! Binds nothing.

use std::sync::Arc;

use crate::config::did_you_mean;
use crate::policy::{Name, ParamDeclaration, ParamKind, Params, Policy, PolicyKind};

use super::selection::Selection;

/// Stands for the value of a secret parameter.
const MASKED: &str = "…";

/// Parameters that do not fit the policies of a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    #[error("the parameter {name} is given twice")]
    Twice { name: String },
    #[error("{} the parameter {name:?}", takers(policies))]
    Unknown {
        name: String,
        /// Those that were selected.
        policies: Vec<Name>,
        /// Parameters that they do take.
        known: Vec<String>,
    },
    #[error("policy {policy} needs the {} {}", if missing.len() == 1 { "parameter" } else { "parameters" }, missing.join(" and "))]
    Missing { policy: Name, missing: Vec<String> },
    #[error("the parameter {name} of policy {policy} takes {}", kind.expected())]
    Malformed { policy: Name, name: String, kind: ParamKind },
}

fn takers(policies: &[Name]) -> String {
    match policies {
        [policy] => format!("policy {policy} does not take"),
        _ => "none of the policies takes".to_owned(),
    }
}

impl ParamError {
    /// Advice on what to do about it.
    pub fn hint(&self) -> String {
        match self {
            ParamError::Twice { .. } => "give each parameter once".to_owned(),
            ParamError::Unknown { known, .. } if known.is_empty() => {
                "leave --param out: there is none to give".to_owned()
            }
            ParamError::Unknown { name, known, .. } => did_you_mean(name, known.iter().map(String::as_str))
                .unwrap_or_else(|| format!("there are: {}", known.join(", "))),
            ParamError::Missing { policy, missing } => {
                let given: Vec<String> = missing.iter().map(|name| format!(" --param {name}=VALUE")).collect();
                format!("retaind plan {policy}{}", given.concat())
            }
            ParamError::Malformed { name, kind, .. } => format!("--param {name}={}", kind.example()),
        }
    }
}

/// Checks what was given against what the selected policies declare.
pub fn check_params(selection: &Selection, given: &[(String, String)]) -> Result<Params, ParamError> {
    let declared: Vec<(&Policy, &ParamDeclaration)> = selection
        .policies
        .iter()
        .flat_map(|policy| declarations(policy).iter().map(move |declaration| (&**policy, declaration)))
        .collect();
    let mut params = Params::new();
    for (name, value) in given {
        if !declared.iter().any(|(_, declaration)| declaration.name == *name) {
            let policies = selection.policies.iter().map(|policy| policy.name.clone()).collect();
            let mut known: Vec<String> = declared.iter().map(|(_, declaration)| declaration.name.clone()).collect();
            known.dedup();
            return Err(ParamError::Unknown { name: name.clone(), policies, known });
        }
        if params.insert(name.clone(), value.clone()).is_some() {
            return Err(ParamError::Twice { name: name.clone() });
        }
    }
    for policy in &selection.policies {
        let names = declarations(policy).iter().map(|declaration| &declaration.name);
        let missing: Vec<String> = names.filter(|name| !params.contains_key(*name)).cloned().collect();
        if !missing.is_empty() {
            return Err(ParamError::Missing { policy: policy.name.clone(), missing });
        }
    }
    for (policy, ParamDeclaration { name, kind, secret: _ }) in declared {
        if let (Some(kind), Some(value)) = (*kind, params.get(name))
            && !kind.accepts(value)
        {
            return Err(ParamError::Malformed { policy: policy.name.clone(), name: name.clone(), kind });
        }
    }
    Ok(params)
}

/// Values of parameters as they may be remembered.
pub fn masked_params(policies: &[Arc<Policy>], params: &Params) -> Params {
    let is_secret = |name: &String| {
        let declared = policies.iter().flat_map(|policy| declarations(policy));
        declared.into_iter().any(|declared| declared.secret && declared.name == *name)
    };
    let masked = |(name, value): (&String, &String)| {
        (name.clone(), if is_secret(name) { MASKED.to_owned() } else { value.clone() })
    };
    params.iter().map(masked).collect()
}

fn declarations(policy: &Policy) -> &[ParamDeclaration] {
    match &policy.kind {
        PolicyKind::Rows(rows) => &rows.params,
        PolicyKind::Files(_) | PolicyKind::Orphans(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::sync::Arc;

    use super::*;
    use crate::policy::fixtures::rows_policy;
    use crate::policy::{Mode, RowsPolicy};

    fn policy(name: &str, params: &[(&str, Option<ParamKind>)]) -> Arc<Policy> {
        let declared = |(name, kind): &(&str, Option<ParamKind>)| ParamDeclaration {
            name: (*name).into(),
            kind: *kind,
            secret: *name == "code",
        };
        let params = params.iter().map(declared).collect();
        let rows = RowsPolicy { params, ..rows_policy("faceswap", "images", "1 = 1") };
        let (name, kind) = (Name::parse(name).unwrap(), PolicyKind::Rows(rows));
        Arc::new(Policy {
            name,
            task: None,
            enabled: true,
            mode: Mode::Enforce,
            max_growth: NonZeroU64::MIN,
            description: None,
            owner: None,
            kind,
        })
    }

    fn checked(policies: &[Arc<Policy>], given: &[(&str, &str)]) -> Result<Vec<String>, (String, String)> {
        let selection = Selection { policies: policies.to_vec(), task: None };
        let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match check_params(&selection, &given) {
            Ok(params) => Ok(params.into_iter().map(|(name, value)| format!("{name}={value}")).collect()),
            Err(error) => Err((error.to_string(), error.hint())),
        }
    }

    fn refusal(message: &str, hint: &str) -> Result<Vec<String>, (String, String)> {
        Err((message.to_owned(), hint.to_owned()))
    }

    #[test]
    fn every_policy_gets_what_it_declares() {
        let session = policy("session", &[("session_id", None)]);
        let day = policy("day", &[("day", Some(ParamKind::Date)), ("session_id", None)]);
        let plain = policy("plain", &[]);
        assert_eq!(checked(std::slice::from_ref(&plain), &[]), Ok(vec![]));
        let given = [("session_id", "a = b"), ("day", "2026-01-31")];
        let wanted = Ok(vec!["day=2026-01-31".to_owned(), "session_id=a = b".to_owned()]);
        assert_eq!(checked(&[session, day, plain], &given), wanted);
    }

    #[test]
    fn what_one_policy_calls_secret_is_masked() {
        let policies = [policy("one", &[("code", None), ("day", None)]), policy("plain", &[("day", None)])];
        let given =
            [("code", "s3cret"), ("day", "2026-01-31")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let masked = masked_params(&policies, &Params::from(given));
        assert_eq!(masked, Params::from([("code", "…"), ("day", "2026-01-31")].map(|(k, v)| (k.into(), v.into()))));
    }

    #[test]
    fn missing_parameters_are_named_with_policy_and_example() {
        let both = policy("both", &[("session_id", None), ("day", Some(ParamKind::Date))]);
        assert_eq!(
            checked(&[policy("plain", &[]), both.clone()], &[]),
            refusal(
                "policy both needs the parameters session_id and day",
                "retaind plan both --param session_id=VALUE --param day=VALUE"
            )
        );
        assert_eq!(
            checked(&[both], &[("day", "2026-01-31")]),
            refusal("policy both needs the parameter session_id", "retaind plan both --param session_id=VALUE")
        );
    }

    #[test]
    fn unknown_and_mistyped_parameters_are_refused() {
        let session = policy("session", &[("session_id", Some(ParamKind::Integer))]);
        let plain = policy("plain", &[]);
        assert_eq!(
            checked(std::slice::from_ref(&session), &[("sesion_id", "1")]),
            refusal("policy session does not take the parameter \"sesion_id\"", "did you mean `session_id`?")
        );
        assert_eq!(
            checked(std::slice::from_ref(&plain), &[("x", "1")]),
            refusal("policy plain does not take the parameter \"x\"", "leave --param out: there is none to give")
        );
        assert_eq!(
            checked(&[plain, session.clone()], &[("x", "1")]),
            refusal("none of the policies takes the parameter \"x\"", "there are: session_id")
        );
        assert_eq!(
            checked(std::slice::from_ref(&session), &[("session_id", "abc")]),
            refusal("the parameter session_id of policy session takes a whole number", "--param session_id=42")
        );
        assert_eq!(
            checked(&[session], &[("session_id", "1"), ("session_id", "2")]),
            refusal("the parameter session_id is given twice", "give each parameter once")
        );
    }
}
