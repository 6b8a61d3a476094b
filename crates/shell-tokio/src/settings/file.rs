//! The settings file: TOML, one key a setting, with line numbers.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::schema::Kind;

/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// One key of the file.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// What can stand behind a key.
#[derive(Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(String),
    Boolean(bool),
    /// Something that no setting is, by its name.
    Other(&'static str),
}

/// Every key in the file, by line.
///
/// # Errors
/// One line that names the file and, where there is one, the line.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let text = read_text(path)?;
    let table = DeTable::parse(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(&text, span.start));
        format!("{}:{line}: {}", path.display(), error.message().replace('\n', "; "))
    })?;
    let mut entries: Vec<_> = table
        .into_inner()
        .into_iter()
        .map(|(key, value)| Entry {
            line: line_of(&text, key.span().start),
            key: key.into_inner().into_owned(),
            value: Value::from(value.into_inner()),
        })
        .collect();
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

impl Value {
    /// As it would stand in a flag.
    ///
    /// # Errors
    /// If it is of another type.
    pub(crate) fn into_text(self, kind: Kind) -> Result<String, String> {
        let name = match self {
            Self::Text(text) => return Ok(text),
            Self::Boolean(value) if kind == Kind::Switch => return Ok(value.to_string()),
            Self::Integer(number) if kind == Kind::Count => return Ok(number),
            Self::Integer(number) if kind == Kind::Duration => {
                return Err(format!("{number} has no unit; write it like \"{number}s\""));
            }
            Self::Boolean(_) => "true or false",
            Self::Integer(_) => "a number",
            Self::Other(name) => name,
        };
        Err(format!("{name} does not fit here; a text in quotes is needed"))
    }
}

impl From<DeValue<'_>> for Value {
    fn from(value: DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.into_owned()),
            DeValue::Integer(number) => Self::Integer(number.to_string()),
            DeValue::Boolean(value) => Self::Boolean(value),
            DeValue::Float(_) => Self::Other("a fraction"),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Array(_) => Self::Other("a list"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let problem = |what: &str| format!("{}: {what}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| problem(&error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(problem("longer than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| problem("not UTF-8"))
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
