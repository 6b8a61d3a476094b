//! One self-contained page for a traced run: lanes of time, zoom, filter,
//! search, and the lines themselves.
//!
//! The page asks for nothing from anywhere, and the trace is data in it: JSON
//! in elements that the browser neither runs nor shows.

mod about;
mod encode;

use std::fmt::Write as _;

use crate::world::{Party, TraceLine};
pub use about::About;
use encode::Encoded;

/// A page tells of no more lines; of a longer run it shows what lies around
/// the first broken promise, and says what it leaves out.
pub const LINES_MAX: usize = 300_000;
/// A line of the page has no more characters.
pub const TEXT_CHARS_MAX: usize = 4_000;

const PAGE: &str = include_str!("report/page.html");
const STYLE: &str = include_str!("report/page.css");
const SCRIPTS: [&str; 6] = [
    include_str!("report/data.js"),
    include_str!("report/rows.js"),
    include_str!("report/lanes.js"),
    include_str!("report/crowd.js"),
    include_str!("report/list.js"),
    include_str!("report/page.js"),
];

/// Writes one self-contained page for a traced run. Each broken promise
/// stands where it was broken.
#[must_use]
pub fn page(about: &About, lines: &[TraceLine]) -> String {
    let mut told = lines.to_vec();
    told.sort_by_key(|line| line.at_us);
    let broken = told.iter().filter(|line| line.party == Party::Broken);
    let verdict: Vec<String> = broken.map(|line| line.text.clone()).collect();
    let shown = window(&told);
    let encoded = Encoded::new(about, &told[shown.clone()], &verdict, (shown.start, told.len()));
    let mut data = format!("<script type=\"application/json\" id=\"head\">{}</script>", {
        escaped(&encoded.head)
    });
    for texts in &encoded.texts {
        let texts = escaped(texts);
        let _ =
            write!(data, "\n<script type=\"application/json\" class=\"texts\">{texts}</script>");
    }
    let title = match verdict.first() {
        Some(broken) => format!("{} broken, seed {}", promise(broken), about.seed),
        None => format!("kept, seed {}", about.seed),
    };
    let script = SCRIPTS.join("\n");
    fill(&[("title", &text(&title)), ("style", STYLE), ("data", &data), ("script", &script)])
}

/// The lines that are shown: all of them, or those around the first broken
/// promise, or the last ones.
fn window(lines: &[TraceLine]) -> std::ops::Range<usize> {
    let first_broken = lines.iter().position(|line| line.party == Party::Broken);
    let middle = first_broken.unwrap_or(lines.len());
    let end = (middle + LINES_MAX / 4).min(lines.len());
    let start = end.saturating_sub(LINES_MAX);
    start..(start + LINES_MAX).min(lines.len())
}

/// The promise's number; what has none says that the run did not come to its
/// end.
fn promise(said: &str) -> &str {
    let number = said.split_once(':').map(|(number, _)| number);
    number.filter(|number| number.len() <= 4 && !number.contains(' ')).unwrap_or("run")
}

/// JSON that no browser takes for the end of its element: `<` and the line
/// ends of JavaScript stand in strings alone, where they may be escaped.
fn escaped(json: &str) -> String {
    let json = json.replace('<', "\\u003c");
    json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn text(plain: &str) -> String {
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The template with its `{{names}}` filled in; what is filled in is not
/// looked at again.
fn fill(parts: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        filled.push_str(before);
        let part = parts.iter().find(|(known, _)| *known == name);
        filled.push_str(part.map_or("", |(_, part)| part));
        rest = after;
    }
    filled + rest
}
