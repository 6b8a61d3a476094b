//! What the other end of standard output can show: colours, a width, and the
//! words of others made harmless.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};

/// Columns where nobody says how many there are.
const WIDTH_DEFAULT: usize = 80;
/// Narrower than this nothing is readable: longer lines are the smaller evil.
const WIDTH_MIN: usize = 40;

/// Whether output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set or TERM is `dumb`.
    #[default]
    Auto,
    /// Into files and pipes, too.
    Always,
    /// Not at all.
    Never,
}

#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct ColorArgs {
    /// Colours: `auto` is on a terminal, without NO_COLOR and TERM=dumb
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Colours: auto, always or never [default: auto, which respects NO_COLOR and \
                TERM=dumb]"
    )]
    color: ColorWhen,
}

/// How to write to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) color: bool,
    /// In columns.
    pub(crate) width: usize,
    /// Lines that can be redrawn; `None` where the cursor cannot be moved.
    pub(crate) height: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Good,
    Warn,
    Bad,
    Strong,
    Faint,
}

impl Look {
    pub(crate) fn of_stdout(args: ColorArgs) -> Self {
        let out = std::io::stdout();
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_dumb = variable("TERM").is_none_or(|term| term == "dumb");
        let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten();
        let color = match args.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => out.is_terminal() && !is_dumb && variable("NO_COLOR").is_none(),
        };
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        let rows = size.map_or(0, |size| usize::from(size.ws_row));
        let width = if columns == 0 { WIDTH_DEFAULT } else { columns.max(WIDTH_MIN) };
        Self { color, width, height: (rows > 0 && !is_dumb).then_some(rows) }
    }

    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Good => "32",
            Paint::Warn => "33",
            Paint::Bad => "31;1",
            Paint::Strong => "1",
            Paint::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Breaks `text` at spaces, so that it fits behind `indent` columns; what
    /// cannot be broken stays long.
    pub(crate) fn wrapped(&self, indent: usize, text: &str) -> Vec<String> {
        let room = self.width.saturating_sub(indent).max(WIDTH_MIN / 2);
        let mut lines = vec![String::new()];
        let mut used = 0;
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > room {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                if used > 0 {
                    line.push(' ');
                    used += 1;
                }
                line.push_str(word);
                used += length;
            }
        }
        lines
    }
}

/// The words of others, on one line and without anything that a terminal would
/// act upon or that would turn the order of what is read.
pub(crate) fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\r' | '\t' => safe.push(' '),
            char if acts(char) => safe.extend(char.escape_unicode()),
            char => safe.push(char),
        }
    }
    safe
}

/// JSON with the same left out: what JSON itself does not escape is escaped,
/// so that it still means the same.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for char in json.chars() {
        let is_layout = matches!(char, '\n' | ' ');
        if acts(char) && !is_layout {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(char);
        }
    }
    safe
}

/// Control characters of both sets, marks that change the direction of
/// writing, and separators that some take for the end of a line.
fn acts(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}')
        || ('\u{2028}'..='\u{202e}').contains(&char)
        || ('\u{2066}'..='\u{2069}').contains(&char)
}

/// A span of time for a person: its two largest units.
pub(crate) fn span(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "0 s".into();
    }
    if seconds < 1.0 {
        return format!("{:.0} ms", (seconds * 1_000.0).floor());
    }
    // Far below 2^63: an age, never a point in time.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let whole = seconds as u64;
    let (large, small) = match whole {
        0..60 => return format!("{whole} s"),
        60..3_600 => ((whole / 60, "min"), (whole % 60, "s")),
        3_600..86_400 => ((whole / 3_600, "h"), (whole % 3_600 / 60, "min")),
        86_400.. => ((whole / 86_400, "d"), (whole % 86_400 / 3_600, "h")),
    };
    if small.0 == 0 {
        format!("{} {}", large.0, large.1)
    } else {
        format!("{} {} {} {}", large.0, large.1, small.0, small.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { color: false, width: 40, height: None };

    #[test]
    fn nothing_that_acts_reaches_a_terminal() {
        let evil = "a\x1b]0;owned\x07b\u{9b}31m\u{202e}x\r\ny\u{7f}";
        let safe = harmless(evil);
        assert!(!safe.chars().any(acts), "{safe:?}");
        assert!(safe.starts_with("a\\u{1b}]0;owned\\u{7}b\\u{9b}31m\\u{202e}x  y"), "{safe}");
        assert_eq!(harmless("ärger – 好 ok"), "ärger – 好 ok");
    }

    proptest::proptest! {
        #[test]
        fn whatever_it_is_it_is_harmless(text in "\\PC*|[\u{0}-\u{a0}\u{2020}-\u{2070}]*") {
            proptest::prop_assert!(!harmless(&text).chars().any(acts));
            let json = serde_json::Value::String(text).to_string();
            let safe = harmless_json(&json);
            proptest::prop_assert!(!safe.chars().any(acts));
            proptest::prop_assert_eq!(
                serde_json::from_str::<String>(&safe).unwrap(),
                serde_json::from_str::<String>(&json).unwrap()
            );
        }
    }

    #[test]
    fn json_means_the_same_when_it_is_harmless() {
        let value = serde_json::json!({"a": "x\u{1b}[0m\u{9b}\u{202e}\u{7f}\n", "b": ["ä", 1]});
        for text in [value.to_string(), format!("{value:#}")] {
            let safe = harmless_json(&text);
            assert!(!safe.chars().any(|char| acts(char) && char != '\n'), "{safe:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }

    #[test]
    fn spans_are_told_in_two_units() {
        let told = [
            (0.0, "0 ms"),
            (0.4567, "456 ms"),
            (1.0, "1 s"),
            (59.99, "59 s"),
            (60.0, "1 min"),
            (61.5, "1 min 1 s"),
            (3_600.0, "1 h"),
            (5_400.0, "1 h 30 min"),
            (90_000.0, "1 d 1 h"),
            (-1.0, "0 s"),
            (f64::NAN, "0 s"),
            (f64::INFINITY, "0 s"),
        ];
        for (seconds, text) in told {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn lines_are_broken_at_spaces_only() {
        let text = "one two three four five six seven eight averylongwordthatfitsnowherebutstays";
        let lines = PLAIN.wrapped(10, text);
        assert_eq!(
            lines,
            ["one two three four five six", "seven eight", "averylongwordthatfitsnowherebutstays"]
        );
    }

    #[test]
    fn paint_is_nothing_without_colour() {
        assert_eq!(PLAIN.paint(Paint::Bad, "x"), "x");
        let coloured = Look { color: true, ..PLAIN };
        assert_eq!(coloured.paint(Paint::Bad, "x"), "\x1b[31;1mx\x1b[0m");
    }
}
