//! Metrics as text: OpenMetrics, or the older format of Prometheus for
//! readers that ask for it.

use super::metrics::{Levels, Metrics};

/// A format, and how it is named in `Content-Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposition {
    OpenMetrics,
    Prometheus,
}

impl Exposition {
    /// What a reader with this `Accept` understands.
    pub(crate) fn wanted(accept: Option<&str>) -> Self {
        let accept = accept.unwrap_or_default();
        let names = |name: &str| accept.contains(name);
        if names("text/plain") && !names("application/openmetrics-text") && !names("*/*") {
            Self::Prometheus
        } else {
            Self::OpenMetrics
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// All metrics, at these levels.
pub(crate) fn expose(metrics: &Metrics, levels: &Levels, format: Exposition) -> String {
    let text = metrics.expose(levels);
    match format {
        Exposition::OpenMetrics => text,
        Exposition::Prometheus => to_prometheus(&text),
    }
}

/// The older format has the suffix in a counter's name, knows no information
/// and no unit.
fn to_prometheus(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut help = "";
    for line in text.lines() {
        if line.starts_with("# HELP ") {
            help = line;
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            let words = help.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' '));
            let words = words.map_or("", |(_, words)| words);
            out.push_str(&format!("# HELP {name}{suffix} {words}\n"));
            out.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_plain_text_gets_it() {
        use Exposition::{OpenMetrics, Prometheus};
        let wanted = Exposition::wanted;
        assert_eq!(wanted(None), OpenMetrics);
        assert_eq!(wanted(Some("*/*")), OpenMetrics);
        assert_eq!(wanted(Some("text/plain;version=0.0.4;q=0.5,*/*;q=0.1")), OpenMetrics);
        assert_eq!(
            wanted(Some("application/openmetrics-text;version=1.0.0,text/plain")),
            OpenMetrics
        );
        assert_eq!(wanted(Some("text/plain")), Prometheus);
    }
}
