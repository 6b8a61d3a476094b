//! `everbeat completions` and `everbeat man`: made from the commands
//! themselves, so that they cannot say anything else.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Exit, print, talk};

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell, like: everbeat completions bash > /etc/bash_completion.d/everbeat
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Of which command, like: everbeat man task start | man -l -
    command: Vec<String>,
    /// Writes all pages into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionsArgs) -> Exit {
    print(&script(args.shell));
    Exit::Done
}

pub(crate) fn man(args: &ManArgs) -> Exit {
    let pages = pages();
    if let Some(folder) = &args.out {
        let written = std::fs::create_dir_all(folder).and_then(|()| {
            pages.iter().try_for_each(|page| std::fs::write(folder.join(page.file()), &page.text))
        });
        return match written {
            Ok(()) => {
                talk(&format!("everbeat: {} pages in {}", pages.len(), folder.display()));
                Exit::Done
            }
            Err(error) => {
                talk(&format!("everbeat: {}: {error}", folder.display()));
                Exit::Failed
            }
        };
    }
    let name = std::iter::once("everbeat").chain(args.command.iter().map(String::as_str));
    let name = name.collect::<Vec<_>>().join("-");
    match pages.iter().find(|page| page.name == name) {
        Some(page) => {
            print(&page.text);
            Exit::Done
        }
        None => {
            talk(&format!("everbeat: there is no command {:?}", args.command.join(" ")));
            Exit::Usage
        }
    }
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "everbeat", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

struct Page {
    /// Of the command, with dashes.
    name: String,
    text: String,
}

impl Page {
    fn file(&self) -> String {
        format!("{}.1", self.name)
    }
}

/// One for each command.
fn pages() -> Vec<Page> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    // Writing to memory does not fail.
    let _ = add(&command, &mut pages);
    pages
}

fn add(command: &Command, pages: &mut Vec<Page>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut text = Vec::new();
    Man::new(command.clone()).render(&mut text)?;
    pages.push(Page { name, text: String::from_utf8_lossy(&text).into_owned() });
    command.get_subcommands().try_for_each(|command| add(command, pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command with all that is above it, and its flags.
    fn commands() -> Vec<(String, Vec<String>)> {
        fn walk(command: &Command, into: &mut Vec<(String, Vec<String>)>) {
            let name = command.get_display_name().unwrap_or_else(|| command.get_name());
            let flags = command.get_arguments().filter_map(|arg| arg.get_long());
            into.push((name.into(), flags.map(str::to_owned).collect()));
            command.get_subcommands().for_each(|command| walk(command, into));
        }
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let mut all = Vec::new();
        walk(&command, &mut all);
        all
    }

    #[test]
    fn every_command_has_a_page_with_all_its_flags() {
        let (pages, commands) = (pages(), commands());
        assert_eq!(pages.len(), commands.len());
        assert!(commands.len() > 20, "{commands:?}");
        for (page, (name, flags)) in pages.iter().zip(&commands) {
            assert_eq!(page.name, *name);
            assert!(page.text.contains(".SH NAME"), "{name}");
            // As a page has them: dashes that are not hyphens.
            let text = page.text.replace("\\-", "-");
            for flag in flags {
                assert!(text.contains(&format!("--{flag}")), "{name}: no --{flag}");
            }
        }
        let first = pages.first().expect("a page");
        assert!(first.text.contains("Exit codes"), "the table stands on the first page");
    }

    #[test]
    fn every_shell_is_told_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = script(shell);
            for (name, flags) in commands() {
                let last = name.rsplit('-').next().unwrap_or_default();
                assert!(script.contains(last), "{shell}: no {name}");
                for flag in flags {
                    assert!(script.contains(&flag), "{shell}: {name}: no --{flag}");
                }
            }
        }
    }

    /// What the documents call a command is one.
    #[test]
    fn documents_name_commands_that_are() {
        let documents = [
            ("README.md", include_str!("../../../../README.md")),
            ("CHANGELOG.md", include_str!("../../../../CHANGELOG.md")),
            ("CONTROL.md", include_str!("../../CONTROL.md")),
        ];
        let command = Cli::command();
        let mut seen = 0;
        for (name, text) in documents {
            let lines = text.lines().filter_map(|line| line.strip_prefix("everbeat "));
            let quoted = text.split("`everbeat ").skip(1);
            for words in lines.chain(quoted) {
                let word: String =
                    words.chars().take_while(|it| it.is_ascii_lowercase() || *it == '-').collect();
                seen += 1;
                let is_one = word.starts_with('-') || command.find_subcommand(&word).is_some();
                assert!(is_one, "{name}: everbeat {word}");
            }
        }
        assert!(seen > 15, "{seen}");
    }

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
