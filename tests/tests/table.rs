//! The tables of `tests/README.md`: which test shows which route of the
//! control socket, and which command. None is left out, and each test exists.
//! So it is with the options in the README.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use everbeat_tests::{everbeat, output};
use serde_json::Value;

/// A route or command, and the tests that show it.
type Row = (String, Vec<String>);

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows under a heading.
fn rows(heading: &str) -> Vec<Row> {
    let text = read("README.md");
    let part = text.split("\n## ").find(|part| part.starts_with(heading)).expect("the heading");
    let row = |line: &str| {
        let mut names = line.split('`').skip(1).step_by(2).map(Into::into);
        Some((names.next()?, names.collect()))
    };
    part.lines().filter(|line| line.starts_with("| `")).filter_map(row).collect()
}

/// The code of all tests here.
fn code() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = fs::read_dir(folder).expect("the tests").map(|entry| entry.expect("a file").path());
    let is_code = |path: &PathBuf| path.extension().is_some_and(|end| end == "rs");
    files.filter(is_code).map(|path| fs::read_to_string(path).expect("its text")).collect()
}

fn assert_complete(rows: &[Row], expected: &BTreeSet<String>) {
    let named: BTreeSet<_> = rows.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(named.len(), rows.len(), "a row stands there twice");
    assert_eq!(&named, expected, "the rows of tests/README.md, and what there is");
    let code = code();
    for (name, tests) in rows {
        assert!(!tests.is_empty(), "{name}: no test");
        for test in tests {
            let stands = code.contains(&format!("#[test]\nfn {test}()"));
            assert!(stands, "{name}: there is no test {test}");
        }
    }
}

#[test]
fn every_route_has_its_row() {
    let document = read("../crates/shell-tokio/openapi.json");
    let document: Value = serde_json::from_str(&document).expect("it is JSON");
    let mut routes = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            routes.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    assert!(routes.len() > 20, "{routes:?}");
    assert_complete(&rows("Routes"), &routes);
}

/// What stands under this command, down to those with none below; the names
/// come from the help.
fn commands(words: &[String], found: &mut BTreeSet<String>) {
    let mut asked: Vec<&str> = words.iter().map(String::as_str).collect();
    asked.push("--help");
    let (code, help, _) = output(&mut everbeat(&asked));
    assert_eq!(code, Some(0), "{asked:?}");
    let Some((_, list)) = help.split_once("\nCommands:\n") else {
        found.insert(format!("everbeat {}", words.join(" ")));
        return;
    };
    // A long description goes on further to the right.
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    for line in list.lines().take_while(|line| !line.is_empty()).filter(is_name) {
        let name = line.split_whitespace().next().expect("a name");
        if name != "help" {
            commands(&[words, &[name.to_owned()]].concat(), found);
        }
    }
}

#[test]
fn every_command_has_its_row() {
    let mut found = BTreeSet::new();
    commands(&[], &mut found);
    assert!(found.len() > 20, "{found:?}");
    assert_complete(&rows("Commands"), &found);
}

/// The README's table of options has every setting.
#[test]
fn every_setting_has_its_row() {
    let (code, help, _) = output(&mut everbeat(&["run", "--help"]));
    assert_eq!(code, Some(0));
    let part = help.split("\nSettings:\n").nth(1).expect("the settings' heading");
    let end = part.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
    let flags: Vec<_> = end
        .filter_map(|line| line.strip_prefix("      --"))
        .map(|line| line.split([' ', '[', '=']).next().expect("a flag"))
        // Where the file is stands above the table.
        .filter(|flag| *flag != "config")
        .collect();
    assert!(flags.len() > 20, "{flags:?}");
    let readme = read("../README.md");
    for flag in flags {
        assert!(readme.contains(&format!("\n| `--{flag}` |")), "README.md has no row for --{flag}");
    }
}
