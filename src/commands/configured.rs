//! The configuration with the origin of each key, as `config show` has it.

use crate::config::{self, Diagnostics, Inputs, Origin, ShownKey};
use crate::policy::compile;
use crate::report::{Configuration, ConfiguredKey, KeyOrigin};

/// Every key of a configuration without errors.
pub fn configured(inputs: &Inputs) -> Result<Configuration, Diagnostics> {
    compile::load(inputs)?;
    let mut keys: Vec<ConfiguredKey> = config::load(inputs).shown().into_iter().map(of_key).collect();
    // Systemd's directory comes before the default.
    let given = keys.iter_mut().find(|key| key.key == "daemon.state_dir" && key.origin == KeyOrigin::Default);
    if let (Some(key), Some(directory)) = (given, &inputs.state_dir) {
        key.value = directory.display().to_string().into();
        key.origin = KeyOrigin::Environment;
        key.variable = Some("STATE_DIRECTORY".to_owned());
    }
    Ok(Configuration { keys })
}

fn of_key(ShownKey { path, value, origin }: ShownKey) -> ConfiguredKey {
    let value = serde_json::to_value(value).unwrap_or_default();
    let of = |origin| ConfiguredKey {
        key: path.to_string(),
        value: value.clone(),
        origin,
        file: None,
        line: None,
        variable: None,
    };
    match &origin {
        None => of(KeyOrigin::Default),
        Some(Origin::Set(_)) => of(KeyOrigin::Set),
        Some(Origin::Env(variable)) => ConfiguredKey { variable: Some(variable.clone()), ..of(KeyOrigin::Environment) },
        Some(origin @ (Origin::File(_) | Origin::Text { .. })) => ConfiguredKey {
            file: origin.file().map(|file| file.display().to_string()),
            line: origin.line_column().map(|(line, _)| line),
            ..of(KeyOrigin::File)
        },
    }
}
