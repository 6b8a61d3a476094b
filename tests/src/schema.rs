//! Just enough JSON Schema for the control socket's OpenAPI document. A
//! keyword that it does not know is an error: nothing passes unchecked.

use serde_json::Value;

/// Checks `value` against `schema`, whose references point into `document`.
///
/// # Errors
/// The first place that does not fit, with the reason.
pub fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    check_at(document, schema, value, "$")
}

fn check_at(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Value::Object(keywords) = schema else { return Err(format!("{at}: no schema")) };
    for (keyword, wanted) in keywords {
        let fits = match keyword.as_str() {
            "$ref" => {
                let target = wanted.as_str().and_then(|it| document.pointer(it.get(1..)?));
                let target = target.ok_or_else(|| format!("{at}: {wanted} leads nowhere"))?;
                check_at(document, target, value, at).map(|()| true)?
            }
            "anyOf" | "oneOf" => {
                let fit = wanted.as_array().into_iter().flatten();
                let fit = fit.filter(|one| check_at(document, one, value, at).is_ok()).count();
                fit == 1 || (keyword == "anyOf" && fit > 1)
            }
            "type" => match wanted.as_array() {
                Some(types) => types.iter().any(|wanted| is_a(wanted, value)),
                None => is_a(wanted, value),
            },
            "enum" => wanted.as_array().is_some_and(|all| all.contains(value)),
            "const" => wanted == value,
            "minimum" => number(value).is_none_or(|it| Some(it) >= wanted.as_f64()),
            "maximum" => number(value).is_none_or(|it| Some(it) <= wanted.as_f64()),
            "minLength" => value.as_str().is_none_or(|it| Some(it.len() as u64) >= wanted.as_u64()),
            "maxLength" => value.as_str().is_none_or(|it| Some(it.len() as u64) <= wanted.as_u64()),
            "maxItems" => {
                value.as_array().is_none_or(|it| Some(it.len() as u64) <= wanted.as_u64())
            }
            "format" => wanted == "date-time" && value.as_str().is_none_or(is_time),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check_at(document, wanted, item, &format!("{at}[{index}]"))?;
                }
                true
            }
            "properties" | "additionalProperties" => true,
            "required" => {
                let names = wanted.as_array().into_iter().flatten();
                let mut missing = names.filter(|name| {
                    value.is_object() && name.as_str().and_then(|name| value.get(name)).is_none()
                });
                if let Some(name) = missing.next() {
                    return Err(format!("{at}: {name} is missing"));
                }
                true
            }
            "description" | "default" => true,
            _ => return Err(format!("{at}: the keyword {keyword} is not known here")),
        };
        if !fits {
            return Err(format!("{at}: {value} does not fit {keyword}: {wanted}"));
        }
    }
    members(document, schema, value, at)
}

fn members(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if schema.get("properties").is_none() && schema.get("additionalProperties").is_none() {
        return Ok(());
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => {
                check_at(document, schema, member, &at)?;
            }
            (None, Some(Value::Bool(true))) => {}
            (None, _) => return Err(format!("{at}: the document does not have it")),
        }
    }
    Ok(())
}

fn is_a(wanted: &Value, value: &Value) -> bool {
    match wanted.as_str() {
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("null") => value.is_null(),
        _ => false,
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// `2026-03-31T12:00:00.120Z`.
fn is_time(text: &str) -> bool {
    let shape = text.chars().map(|it| if it.is_ascii_digit() { '0' } else { it });
    shape.eq("0000-00-00T00:00:00.000Z".chars())
}
