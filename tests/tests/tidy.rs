//! Tidiness as a test: what a reader of this repository can rely on, and no
//! other tool checks. The rules stand in `CONTRIBUTING.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file of code.
const FILE_LINES_MAX: usize = 500;
/// Characters of a line of Rust.
const LINE_CHARS_MAX: usize = 100;
/// What is code, by the end of its name.
const CODE: [&str; 5] = ["rs", "js", "css", "html", "py"];
/// What a newcomer types; README and CI hold both, as they stand here.
const TWO_COMMANDS: [&str; 2] = ["cargo run --bin everbeat -- demo", "cargo test --workspace"];

/// Files in which the formatter leaves lines long, beside strings and tables.
const LONGER_LINES: [(&str, &str); 3] = [
    ("crates/platform/tests/heartbeat.rs", "inside json!"),
    ("crates/platform/tests/properties.rs", "inside proptest!"),
    ("crates/shell-tokio/src/cli/run.rs", "an attribute of clap"),
];

/// The workspace itself, and those that are none of its members.
const APART: [&str; 3] = ["Cargo.toml", "fuzz/Cargo.toml", "examples/no-std/Cargo.toml"];

/// Documents whose tests must exist.
const DOCUMENTS: [&str; 5] =
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "crates/core/shell.md", "tests/README.md"];

/// Where everything is made from scratch, or by others.
const SKIPPED: [&str; 4] = [".git", "target", "sim-failures", "corpus"];

#[test]
fn files_of_code_are_short() {
    let mut problems = Problems::default();
    for file in files().into_iter().filter(|file| file.is_code()) {
        let lines = file.text.lines().count();
        problems.add_if(lines > FILE_LINES_MAX, || {
            format!("{}: {lines} lines, at most {FILE_LINES_MAX}: split it", file.path)
        });
    }
    problems.report();
}

#[test]
fn lines_of_rust_are_short() {
    let mut problems = Problems::default();
    for file in files().into_iter().filter(|file| file.is("rs")) {
        let is_listed = LONGER_LINES.iter().any(|(path, _)| *path == file.path);
        for (number, line) in file.numbered() {
            // A row of a table and a string cannot be broken.
            let is_whole = line.trim_start().starts_with("//! |") || holds_long_string(line);
            let is_long = line.chars().count() > LINE_CHARS_MAX;
            problems.add_if(is_long && !is_whole && !is_listed, || {
                format!("{}:{number}: longer than {LINE_CHARS_MAX} characters", file.path)
            });
        }
    }
    problems.report();
}

/// The core decides and touches nothing: no standard library, no hash order.
#[test]
fn the_core_has_no_std_and_no_hash_order() {
    let mut problems = Problems::default();
    let core: Vec<_> = files().into_iter().filter(|file| file.is_in("crates/core/src")).collect();
    assert!(core.len() > 20, "the core is not where it was");
    for file in core {
        for (number, line) in file.numbered() {
            for word in ["std::", "HashMap", "HashSet", "extern crate std", "unsafe {"] {
                let says = line.contains(word);
                problems.add_if(says, || format!("{}:{number}: {word} in the core", file.path));
            }
        }
    }
    let lib = read("crates/core/src/lib.rs");
    problems.add_if(!lib.contains("\n#![no_std]\n"), || "the core is not no_std".into());
    let manifest = read("crates/core/Cargo.toml");
    let std_feature = manifest.lines().any(|line| line.contains("\"std\""));
    problems.add_if(std_feature, || "a feature of the core turns std on".into());
    problems.report();
}

#[test]
fn nothing_is_left_unfinished() {
    // Written so that this file does not hold them itself.
    let words = ["todo!", "dbg!", "unimplemented!"].map(|word| format!("{word}("));
    let notes = ["TO DO", "FIX ME", "X X X"].map(|word| word.replace(' ', ""));
    let mut problems = Problems::default();
    for file in files().into_iter().filter(File::is_code) {
        for (number, line) in file.numbered() {
            for word in &words {
                let says = line.contains(word.as_str());
                problems.add_if(says, || format!("{}:{number}: {word}", file.path));
            }
            for note in &notes {
                // With an owner it reads NOTE(name).
                let rest = line.split_once(note.as_str()).map(|(_, rest)| rest);
                problems.add_if(rest.is_some_and(|rest| !rest.starts_with('(')), || {
                    format!("{}:{number}: {note} without an owner", file.path)
                });
            }
        }
    }
    problems.report();
}

#[test]
fn every_crate_says_what_it_is() {
    let mut problems = Problems::default();
    let mut crates = 0;
    for file in files() {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if file.path.contains("src/") && ["lib.rs", "main.rs"].contains(&name) {
            let says = file.text.starts_with("//! ");
            problems.add_if(!says, || format!("{}: no word on what it is", file.path));
        }
        if name == "Cargo.toml" && !APART.contains(&file.path.as_str()) {
            crates += 1;
            for key in ["description = ", "rust-version.workspace = true", "license.workspace"] {
                let says = file.text.contains(key);
                problems.add_if(!says, || format!("{}: no {key}", file.path));
            }
        }
    }
    assert_eq!(crates, 7, "a crate came or went: see ARCHITECTURE.md, too");
    problems.report();
}

#[test]
fn the_oldest_compiler_is_stated() {
    let workspace = read("Cargo.toml");
    let stated = workspace.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let version = stated.expect("rust-version stands in Cargo.toml").trim_matches('"');
    assert!(read("README.md").contains(version), "README does not name Rust {version}");
}

#[test]
fn the_two_commands_stand_in_readme_and_ci() {
    for path in ["README.md", ".ci/run"] {
        let text = read(path);
        for command in TWO_COMMANDS {
            assert!(text.contains(command), "{path} does not hold `{command}`");
        }
    }
}

/// What the README calls a test is one.
#[test]
fn tests_that_documents_name_exist() {
    let code: String = files()
        .into_iter()
        .filter(|file| file.is("rs") && file.path != "tests/tests/tidy.rs")
        .map(|file| file.text)
        .collect();
    let mut problems = Problems::default();
    for path in DOCUMENTS {
        for name in promised_tests(&read(path)) {
            let stands =
                code.contains(&format!("fn {name}(")) || code.contains(&format!("{name}: \""));
            problems.add_if(!stands, || format!("{path}: there is no test {name}"));
        }
    }
    problems.report();
}

/// The duties of a shell and what checks them do not drift apart: every
/// scenario is run for each shell, and stands beside a duty.
#[test]
fn every_scenario_is_run_and_shows_a_duty() {
    let duties = read("crates/core/shell.md");
    let list = read("tests/src/conformance/mod.rs");
    let (mut scenarios, mut problems) = (0, Problems::default());
    for file in files().into_iter().filter(|file| file.is_in("tests/src/conformance")) {
        for name in file.text.split("\npub fn ").skip(1).filter_map(|rest| rest.split('(').next()) {
            scenarios += 1;
            let is_run = list.lines().any(|line| line.trim() == name);
            problems.add_if(!is_run, || format!("{name}: conformance! does not list it"));
            let is_duty = duties.contains(&format!("`{name}`"));
            problems.add_if(!is_duty, || format!("{name}: no duty in crates/core/shell.md"));
        }
    }
    assert!(scenarios > 20, "the scenarios are not where they were");
    problems.report();
}

/// A shell is a small thing to write; this one is there to be read.
#[test]
fn the_second_shell_is_under_250_lines() {
    let shell = files().into_iter().filter(|file| file.is_in("examples/blocking/src"));
    let lines: usize = shell.map(|file| file.text.lines().count()).sum();
    assert!((100..250).contains(&lines), "{lines} lines in examples/blocking");
}

/// The code map is no map of what once was.
#[test]
fn files_that_documents_name_exist() {
    let files = files();
    let mut problems = Problems::default();
    for path in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(path);
        for name in text.split('`').skip(1).step_by(2) {
            let is_name =
                name.bytes().all(|it| it.is_ascii_alphanumeric() || b"/._-".contains(&it));
            let is_file = is_name && (name.ends_with(".rs") || name.starts_with("crates/"));
            let within = format!("/{}", name.trim_end_matches('/'));
            let stands = files.iter().any(|file| {
                let path = format!("/{}", file.path);
                path.ends_with(&within) || path.contains(&format!("{within}/"))
            });
            problems.add_if(is_file && !stands, || format!("{path}: there is no {name}"));
        }
    }
    problems.report();
}

#[test]
fn nothing_names_a_place_on_somebodys_machine() {
    let places = ["home", "root", "Users", "work"].map(|folder| format!("/{folder}/"));
    let mut problems = Problems::default();
    for file in files() {
        for (number, line) in file.numbered() {
            for place in &places {
                let at = line.find(place.as_str());
                // The beginning of a path, not its middle.
                let begins = at.is_some_and(|at| {
                    let before = line.get(..at).and_then(|head| head.chars().next_back());
                    !before.is_some_and(|it| it.is_alphanumeric() || "-_.}>*/".contains(it))
                });
                problems.add_if(begins, || format!("{}:{number}: {place}", file.path));
            }
        }
    }
    problems.report();
}

/// One text file of the repository.
struct File {
    /// From the repository's top, with slashes.
    path: String,
    text: String,
}

impl File {
    fn is(&self, end: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == end)
    }

    fn is_code(&self) -> bool {
        CODE.iter().any(|end| self.is(end)) && self.path != "tests/tests/tidy.rs"
            || self.path == ".ci/run"
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }

    fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// All problems of a rule at once: nobody wants to find them one by one.
#[derive(Default)]
struct Problems(String);

impl Problems {
    fn add_if(&mut self, is_one: bool, problem: impl FnOnce() -> String) {
        if is_one {
            let _ = writeln!(self.0, "{}", problem());
        }
    }

    fn report(self) {
        assert!(self.0.is_empty(), "\n{}", self.0);
    }
}

/// Every text file that belongs to the repository, in a fixed order.
fn files() -> Vec<File> {
    let mut found = Vec::new();
    walk(&top(), &mut found);
    found.sort();
    assert!(found.len() > 100, "the repository is not where it was");
    let to_file = |path: PathBuf| {
        let text = String::from_utf8(fs::read(&path).ok()?).ok()?;
        let path = path.strip_prefix(top()).ok()?.to_str()?.to_owned();
        Some(File { path, text })
    };
    found.into_iter().filter_map(to_file).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of the repository");
    for entry in entries.map(|entry| entry.expect("one of its entries")) {
        let name = entry.file_name();
        let is_skipped = SKIPPED.iter().any(|skipped| name.to_str() == Some(skipped));
        match entry.file_type().expect("its type") {
            kind if kind.is_dir() && !is_skipped => walk(&entry.path(), found),
            kind if kind.is_file() && !is_skipped => found.push(entry.path()),
            _ => {}
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether the line would fit without its longest string.
fn holds_long_string(line: &str) -> bool {
    let first = line.find('"');
    let last = line.rfind('"');
    let (Some(first), Some(last)) = (first, last) else { return false };
    let string = line.get(first..last).unwrap_or_default();
    let is_one = !string.contains("\", ") && !string.contains("\": {\"");
    is_one && line.chars().count() - string.chars().count() <= LINE_CHARS_MAX
}

/// Words in backquotes that begin like a promise and read like a test.
fn promised_tests(text: &str) -> Vec<String> {
    let is_test = |word: &&str| {
        let mut chars = word.chars();
        let begins = matches!(chars.next(), Some('s' | 'l'))
            && chars.next().is_some_and(|digit| digit.is_ascii_digit())
            && chars.next() == Some('_');
        let is_name = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
        begins && word.chars().all(is_name)
    };
    text.split('`').skip(1).step_by(2).filter(is_test).map(Into::into).collect()
}
