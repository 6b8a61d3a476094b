//! `everbeat config show`.

use std::fmt::Write;
use std::path::PathBuf;

use everbeat_store::{RealDisk, read_secret};
use serde_json::{Value, json};

use super::args::SettingsArgs;
use super::{Exit, print};
use crate::settings::layers::{Effective, Origin, Sources};
use crate::settings::schema::SETTINGS;
use crate::settings::{Settings, TOKEN_VARIABLE};

/// One line of the table.
struct Row {
    key: &'static str,
    value: Option<String>,
    layer: &'static str,
    origin: String,
}

/// Prints what holds even where it is wrong; what is wrong goes to standard
/// error.
pub(crate) fn show(args: &SettingsArgs, as_json: bool) -> Exit {
    let sources = args.sources();
    let effective = Effective::read(&sources);
    print(&if as_json {
        format!("{:#}\n", shown(&sources, &effective))
    } else {
        to_text(&rows(&sources, &effective))
    });
    for warning in &effective.warnings {
        eprintln!("everbeat: {warning}");
    }
    match Settings::read(&sources) {
        Ok(_) => Exit::Done,
        Err(problems) => {
            for problem in problems {
                eprintln!("everbeat: {problem}");
            }
            Exit::Usage
        }
    }
}

/// The same as JSON.
pub(crate) fn shown(sources: &Sources, effective: &Effective) -> Value {
    let settings: serde_json::Map<_, _> = rows(sources, effective)
        .into_iter()
        .map(|row| {
            let shown = json!({"value": row.value, "layer": row.layer, "origin": row.origin});
            (row.key.to_owned(), shown)
        })
        .collect();
    let config = effective.config.as_ref().map(|path| path.display().to_string());
    json!({"schema_version": 1, "config": config, "settings": settings})
}

fn rows(sources: &Sources, effective: &Effective) -> Vec<Row> {
    let mut rows: Vec<_> = SETTINGS
        .iter()
        .map(|setting| match effective.get(setting.key) {
            Some(given) => Row {
                key: setting.key,
                value: Some(without_credentials(&given.text)),
                layer: layer(&given.origin),
                origin: given.origin.to_string(),
            },
            None => Row {
                key: setting.key,
                value: None,
                layer: layer(&Origin::Default),
                origin: Origin::Default.to_string(),
            },
        })
        .collect();
    let from_environment =
        sources.environment.get(TOKEN_VARIABLE).is_some_and(|value| !value.is_empty());
    let configs_dir = PathBuf::from(effective.text("configs_dir").unwrap_or_default());
    rows.push(token_row(&configs_dir, from_environment));
    rows
}

/// An address with a password is refused, but it is shown before that.
fn without_credentials(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let (scheme, host) = (text.get(..scheme + 3), text.get(at..));
            format!("{}***{}", scheme.unwrap_or_default(), host.unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// Whether there is a token and where, never which.
fn token_row(configs_dir: &std::path::Path, from_environment: bool) -> Row {
    let file = configs_dir.join(".auth_token");
    let in_file = read_secret(&RealDisk, &file);
    let in_file_origin = file.display().to_string();
    let file_first = configs_dir == std::path::Path::new("/configs");
    let (value, layer, origin) = match in_file {
        Ok(Some(_)) if file_first || !from_environment => ("set".into(), "file", in_file_origin),
        _ if from_environment => ("set".into(), "environment", TOKEN_VARIABLE.into()),
        Ok(_) => ("unset".into(), "file", in_file_origin),
        Err(failure) => {
            let value = format!("unknown: cannot {}: {}", failure.operation, failure.reason);
            (value, "file", in_file_origin)
        }
    };
    Row { key: "token", value: Some(value), layer, origin }
}

const fn layer(origin: &Origin) -> &'static str {
    match origin {
        Origin::Flag(_) => "flag",
        Origin::Variable(_) => "environment",
        Origin::File { .. } => "file",
        Origin::Default => "default",
    }
}

fn to_text(rows: &[Row]) -> String {
    let shown = |row: &Row| row.value.clone().unwrap_or_else(|| "-".into());
    let width = |length: &dyn Fn(&Row) -> usize| rows.iter().map(length).max().unwrap_or(0);
    let keys = width(&|row| row.key.len());
    let values = width(&|row| shown(row).chars().count());
    let mut text = String::new();
    for row in rows {
        let (key, value, origin) = (row.key, shown(row), &row.origin);
        let _ = writeln!(text, "{key:keys$}  {value:values$}  {origin}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_an_address_are_not_shown() {
        assert_eq!(without_credentials("http://user:pw@host:1/x"), "http://***@host:1/x");
        assert_eq!(without_credentials("http://host/x"), "http://host/x");
        assert_eq!(without_credentials("a@b://c"), "a@b://c");
    }
}
