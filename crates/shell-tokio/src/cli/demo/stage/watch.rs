//! The eyes: what happened is entered into the books, and told.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use everbeat_platform::Route;

use super::super::child::{Agent, LogLine};
use super::super::ledger::ANSWER;
use super::super::reader::Taken;
use super::super::table::Books;
use super::super::timeline::{Mark, Who, count, seconds};
use super::{Stage, Stop};

impl Stage {
    /// Enters into the books what happened since the last time, and tells it.
    pub(super) fn look_around(&mut self) -> Result<(), Stop> {
        self.look_at_requests();
        self.look_at_messages();
        self.look_at_hands()?;
        for line in self.log.lines() {
            self.enter_log(&line);
        }
        if let Some(taken) = self.reader.look()? {
            self.enter(&taken);
        }
        if let Some(status) = self.agent.as_mut().and_then(Agent::ended) {
            self.agent = None;
            return Err(Stop::Broken(format!("the agent ended by itself ({status})")));
        }
        Ok(())
    }

    fn look_at_requests(&mut self) {
        let platform = self.served.lock();
        let pulse = &mut self.books.pulse;
        for request in platform.requests().since(self.seen.requests) {
            if *request.workspace != *self.home.workspace {
                continue;
            }
            pulse.request(request.at, request.faulted);
            let fails = request.status >= 400 || request.faulted;
            if fails && !self.trouble_told {
                self.trouble_told = true;
                let why = match (request.faulted, request.status) {
                    (true, _) => "refuses the connection".into(),
                    (false, 401) => "refuses a request: 401, not a valid token".into(),
                    (false, status) => format!("refuses a request: {status}"),
                };
                self.timeline.say(Who::Platform, Mark::Trouble, &why);
            }
            if request.route != Route::Heartbeat {
                continue;
            }
            if fails {
                pulse.beat_refused(request.status);
            } else if let Some(took) = pulse.beat(request.at) {
                let words = format!("accepts a beat after {}: the agent is alive", seconds(took));
                self.timeline.say(Who::Platform, Mark::Good, &words);
            }
        }
        self.seen.requests = platform.requests().total();
    }

    fn look_at_messages(&mut self) {
        let platform = self.served.lock();
        let Some(workspace) = platform.workspace(self.home.workspace) else { return };
        let Books { ledger, pulse, .. } = &mut self.books;
        for message in workspace.messages.since(self.seen.messages) {
            ledger.message(message.message_id.as_deref().unwrap_or_default(), &message.text);
            pulse.message(message.at);
            let named = message.text.lines().filter(|line| line.starts_with("- [")).count();
            let words = format!("wakes itself by one message: {} to read", count(named, "result"));
            self.timeline.say(Who::Agent, Mark::Plain, &words);
            self.reader.told();
        }
        for notification in workspace.notifications.since(self.seen.notifications) {
            ledger.notification(&notification.message);
            let failed = notification.message.matches("Delegation failed").count();
            let words = format!("tells the user of {} that failed", count(failed, "delegation"));
            self.timeline.say(Who::Agent, Mark::Plain, &words);
        }
        self.seen.messages = workspace.messages.total();
        self.seen.notifications = workspace.notifications.total();
        if let Some(secret) = platform.inbound_secret(self.home.workspace)
            && !self.secrets.iter().any(|known| known == secret)
        {
            self.secrets.push(secret.to_owned());
        }
    }

    /// The agent's own words, where they show what it knows.
    fn enter_log(&mut self, line: &LogLine) {
        let ending = &mut self.books.ending;
        ending.log_lines += 1;
        if self.secrets.iter().any(|secret| line.raw.contains(secret)) || line.raw.contains(ANSWER)
        {
            ending.found_in.push(format!("line {} of the agent's log", ending.log_lines));
        }
        let told = match line.notice.as_str() {
            "outage_started" | "outage_ended" => line.message.starts_with("the heartbeat"),
            "token_refused"
            | "token_changed"
            | "foreign_rows"
            | "announced_by_reader"
            | "journal_torn"
            | "announced_again" => true,
            _ => false,
        };
        if told {
            let words = line.message.split([';', ':']).next().unwrap_or_default();
            let words = words.replace(&format!(" in {}", self.home.token_file().display()), "");
            let words: Vec<_> = words.split(' ').map(shortened).collect();
            let words = format!("its log: “{}”", words.join(" "));
            self.timeline.say(Who::Agent, Mark::Plain, &words);
        }
    }

    pub(super) fn enter(&mut self, taken: &Taken) {
        self.books.ledger.read(taken);
        let of = |status: &str| taken.lines.iter().filter(|line| line["status"] == status).count();
        let words = format!(
            "takes the results file: {} ({} completed, {} failed)",
            count(taken.lines.len(), "result"),
            of("completed"),
            of("failed")
        );
        self.timeline.say(Who::Reader, Mark::Good, &words);
    }

    /// Looks for secrets in everything that lies there, but for the two files
    /// that are made for one.
    pub(super) fn search(&mut self, dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                self.search(&path)?;
                continue;
            }
            let is_secret =
                [self.home.token_file(), self.home.inbound_secret_file()].contains(&path);
            // The log was searched line by line.
            if path == self.home.log() {
                continue;
            }
            let ending = &mut self.books.ending;
            ending.searched += 1;
            if is_secret {
                if entry.metadata()?.permissions().mode() & 0o077 != 0 {
                    ending.found_in.push(format!("others may read {}", path.display()));
                }
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            if self.secrets.iter().any(|secret| text.contains(secret)) || text.contains(ANSWER) {
                ending.found_in.push(path.display().to_string());
            }
        }
        Ok(())
    }
}

/// Ids and paths are of no use to someone who watches.
fn shortened(word: &str) -> String {
    let cut: String = word.chars().take(12).collect();
    if word.chars().count() > 24 { format!("{cut}…") } else { word.to_owned() }
}
