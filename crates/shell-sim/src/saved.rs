//! Plans in files: versioned JSON, strictly read.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::Plan;

/// The version of the format; another one is refused.
pub const PLAN_VERSION: u32 = 1;

/// A plan as it lies in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedPlan {
    /// Always `plan`.
    everbeat: String,
    version: u32,
    /// What it is about, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    about: String,
    plan: Plan,
}

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// It is not what it should be; the reason names line and column.
    #[error("{path}: {reason}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// Line, field, what would be right.
        reason: String,
    },
}

/// Reads a plan.
///
/// # Errors
/// With the file and the line if it is cut short, of another version, or has
/// fields that are not known.
pub fn read_plan(path: &Path) -> Result<Plan, SavedError> {
    let io = |source| SavedError::Io { path: path.into(), source };
    let text = std::fs::read_to_string(path).map_err(io)?;
    parse_plan(&text).map_err(|reason| SavedError::Format { path: path.into(), reason })
}

/// The plan in a file's text, or what is wrong with it.
pub(crate) fn parse_plan(text: &str) -> Result<Plan, String> {
    // The version first: another one may have other fields.
    let head: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let kind = head.get("everbeat").and_then(|kind| kind.as_str());
    if kind != Some("plan") {
        return Err("it is no plan: `everbeat` is not \"plan\"".into());
    }
    let version = head.get("version").and_then(Value::as_u64);
    if version != Some(PLAN_VERSION.into()) {
        let found = version.map_or("none".into(), |version| version.to_string());
        return Err(format!("version {found}, this program reads {PLAN_VERSION}"));
    }
    let saved: SavedPlan = serde_json::from_str(text).map_err(|error| error.to_string())?;
    within_bounds(head.get("plan").unwrap_or_default(), "plan")?;
    Ok(saved.plan)
}

/// Times of a plan that are longer overflow sooner or later; and nobody has
/// memory for more delegations and bytes.
fn most(name: &str) -> Option<i64> {
    match name {
        "count" | "rows" | "times" => Some(100_000),
        "bytes" => Some(1 << 30),
        "ms" => Some(MS_MAX),
        _ => name.ends_with("_ms").then_some(MS_MAX),
    }
}

/// A hundred years.
const MS_MAX: i64 = 100 * 366 * 86_400_000;

fn within_bounds(value: &Value, path: &str) -> Result<(), String> {
    let member = |(name, value): (&String, &Value)| {
        let path = format!("{path}.{name}");
        match (most(name), value) {
            (Some(most), Value::Number(number))
                if number.as_i64().is_none_or(|number| !(-most..=most).contains(&number)) =>
            {
                Err(format!("{path}: {number} is more than {most}"))
            }
            (_, value) => within_bounds(value, &path),
        }
    };
    match value {
        Value::Object(members) => members.iter().try_for_each(member),
        Value::Array(values) => {
            let mut values = values.iter().enumerate();
            values.try_for_each(|(at, value)| within_bounds(value, &format!("{path}[{at}]")))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Writes a plan, for people to read too.
///
/// # Errors
/// If the file or its folder cannot be written.
pub fn write_plan(path: &Path, plan: &Plan, about: &str) -> Result<(), SavedError> {
    let io = |source| SavedError::Io { path: path.into(), source };
    let saved = SavedPlan {
        everbeat: "plan".into(),
        version: PLAN_VERSION,
        about: about.into(),
        plan: plan.clone(),
    };
    let mut text = serde_json::to_string_pretty(&saved)
        .map_err(|error| SavedError::Format { path: path.into(), reason: error.to_string() })?;
    text.push('\n');
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    std::fs::write(path, text).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let path = std::env::temp_dir().join(format!("everbeat-plan-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let refusal = read_plan(&path).unwrap_err().to_string();
        std::fs::remove_file(path).unwrap();
        refusal
    }

    #[test]
    fn a_bad_plan_is_refused_with_its_place() {
        assert!(refusal("{\"everbeat\":\"plan\",\n\"ver").contains("line 2"));
        assert!(refusal("{\"everbeat\":\"plan\",\"version\":9}").contains("version 9"));
        assert!(refusal("{\"everbeat\":\"trace\"}").contains("no plan"));
        let (_, plan) = crate::swarm::draw(1, 1);
        let text = serde_json::to_string(&plan).unwrap();
        let text = format!("{{\"everbeat\":\"plan\",\"version\":1,\"plan\":{text}}}");
        let typo = text.replace("\"faults_end_ms\"", "\"fault_end_ms\"");
        assert!(refusal(&typo).contains("fault_end_ms"));
        let endless =
            text.replace("\"faults_end_ms\":3600000", "\"faults_end_ms\":9000000000000000000");
        assert!(refusal(&endless).contains("faults_end_ms"), "{}", refusal(&endless));
        let entry = "\"entries\":[{\"at_ms\":1,\"act\":{\"kill\":{\"after_calls\":0,\"down_ms\":18446744073709551615}}},";
        let endless = text.replace("\"entries\":[", entry);
        let refusal = refusal(&endless);
        assert!(refusal.contains("plan.entries[0].act.kill.down_ms"), "{refusal}");
    }
}
